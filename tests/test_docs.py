"""The pages in docs/ keep step with the code: no setting without a word, no example that does not run."""

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from asof import project
from asof.specs import ProjectSpec, Spec


def parts(spec: type[Spec], seen: set[type[Spec]]) -> Iterator[type[Spec]]:
    """Yield ``spec`` and all specs within it."""
    if spec in seen:
        return
    seen.add(spec)
    yield spec
    for field in spec.model_fields.values():
        for kind in inner(field.annotation):
            yield from parts(kind, seen)


def inner(annotation: object) -> Iterator[type[Spec]]:
    """Yield the specs named in an annotation."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias) and issubclass(annotation, Spec):
        yield annotation
    for part in get_args(annotation):
        yield from inner(part)


SPECS = list(parts(ProjectSpec, set()))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_every_setting_is_described(spec: type[Spec], root: Path) -> None:
    page = (root / "docs" / "project-file.md").read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    internal = {"FeatureSpec": {"name", "kind", "options"}}.get(spec.__name__, set())
    missing = sorted(set(spec.model_fields) - internal - words)
    assert missing == []


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").glob("*.md"), *(root / "examples").glob("*/*.md")]
    assert len(pages) >= 5
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


PAGES = ["README.md", "docs/project-file.md", "docs/lookups.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_project_shown_is_a_project(page: str, root: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (root / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    whole = [block for block in blocks if block.startswith("name:")]
    assert whole or page == "docs/lookups.md"
    for number, block in enumerate(whole):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block, encoding="utf-8")
        assert project.read(file).spec.name == "collisions"


def test_the_example_says_what_its_page_explains(root: Path) -> None:
    folder = root / "examples" / "collisions"
    read = project.read(folder)
    assert read.spec.predict.horizon == ("1d", "2d", "3d", "4d", "5d", "6d", "7d")
    assert read.spec.sources["crashes"].delay == "1d"
    assert read.spec.judge.holdout == "28d"
    assert sum(file.stat().st_size for file in folder.rglob("*") if ".asof" not in file.parts and file.is_file()) < 6e6
    for source in read.spec.sources.values():
        assert source.files is not None
        for pattern in source.files.paths:
            assert list(folder.glob(pattern)), pattern
