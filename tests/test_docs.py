"""The pages in docs/ keep step with the code: no setting without a word, no example that does not run."""

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

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
