"""The pages in docs/ keep step with the code: no setting without a word, no example that does not run."""

import ast
import re
import types
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

from asof import encoders, lookups, panels, plugins, project
from asof.data import UTC_TIME, Coverage, SourceTable, Table
from asof.ledgers import Past
from asof.panels import Panel
from asof.places import Places
from asof.specs import FeatureSpec, ProjectSpec, Spec
from asof.times import Step


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


SHOWN = ["docs/judging.md", "docs/five-projects.md"]
"""Pages on which a statement about behaviour names the test that shows it."""


def named_tests(text: str) -> list[tuple[str, str]]:
    """(file, function) of each test that is linked by its name, or by the name after the file."""
    links = re.findall(r"\[([^\]]*)\]\(\.\./(tests/[\w/]+\.py)(?:#(\w+))?\)", text)
    return [(file, after or label.strip("`")) for label, file, after in links]


@pytest.mark.parametrize("page", SHOWN)
def test_every_test_that_a_page_names_is_there(page: str, root: Path) -> None:
    named = named_tests((root / page).read_text(encoding="utf-8"))
    assert len(named) >= 10
    for file, name in named:
        tree = ast.parse((root / file).read_text(encoding="utf-8"))
        if Path(file).stem == name:  # a planted leak is a file of its own name, and a page says that it is caught
            held = {str(one.id) for one in ast.walk(tree) if isinstance(one, ast.Name)}
            assert {"LEAK", "TWIN"} <= held, file
            assert "UNCAUGHT" not in held, file
        else:
            assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}, f"{file} has no {name}"


@pytest.mark.parametrize("page", SHOWN)
def test_every_section_of_a_page_names_a_test(page: str, root: Path) -> None:
    _, *sections = re.split(r"^## ", (root / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(sections) >= 5
    assert [section.splitlines()[0] for section in sections if not named_tests(section)] == []


@pytest.mark.parametrize("page", SHOWN)
def test_links_within_a_page_lead_to_a_section(page: str, root: Path) -> None:
    text = (root / page).read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    sections = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= sections


def test_drawings_are_told_in_words_and_can_be_read_in_the_dark(root: Path) -> None:
    drawings = sorted((root / "docs" / "img").glob("*.svg"))
    pages = " ".join(page.read_text(encoding="utf-8") for page in (root / "docs").glob("*.md"))
    assert drawings
    for drawing in drawings:
        assert f"](img/{drawing.name})" in pages, f"no page shows {drawing.name}"
        text = drawing.read_text(encoding="utf-8")
        told = {one.tag.rpartition("}")[2]: (one.text or "").strip() for one in ET.fromstring(text)}  # noqa: S314 - ours
        assert told["title"]
        assert told["desc"]
        assert "prefers-color-scheme: dark" in text


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


class Planted:
    """A small past: four places, 60 days, a crash a day in each, and someone injured in every other."""

    def __init__(self) -> None:
        begun = datetime(2024, 1, 1, tzinfo=UTC)
        days, places = 60, ["a", "b", "c", "d"]
        rows = pl.DataFrame(
            [
                {"_event": begun + timedelta(days=day, hours=9), "_place": place, "number_of_persons_injured": day % 2}
                for day in range(days)
                for place in places
            ]
        ).with_columns(pl.col("_event").cast(UTC_TIME), _key=pl.int_range(pl.len()).cast(pl.String))
        rows = rows.with_columns(_ended=pl.col("_event") + timedelta(minutes=1), _first_seen=pl.col("_event"))
        rows = rows.with_columns(_available=pl.col("_ended") + timedelta(days=1)).sort("_ended", "_available", "_key")
        table = SourceTable(
            name="crashes",
            rows=rows,
            zone="UTC",
            delay=timedelta(days=1),
            coverage=Coverage((begun,), (begun + timedelta(days=days),)),
            place="_place",
        )
        self.panel = Panel(
            places=Places(pl.Series(places)),
            every=Step.parse("1d"),
            zone="UTC",
            source="crashes",
            measure="count",
            column=None,
            horizons=(Step.parse("1d"),),
        )
        self.past = Past({"crashes": table}, self.panel)
        self.cut = begun + timedelta(days=40)
        self.questions = panels.questions(self.panel, begun + timedelta(days=30), begun + timedelta(days=50))
        self.before = self.questions.filter(pl.col("as_of") <= self.cut)


@pytest.fixture
def shown(root: Path, tmp_path: Path) -> plugins.Plugins:
    """Return the plug-ins of docs/lookups.md, loaded as a project loads them."""
    page = (root / "docs" / "lookups.md").read_text(encoding="utf-8")
    file = tmp_path / "features.py"
    file.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)), encoding="utf-8")
    return plugins.load([file], installed=False)


def asked(world: Planted, shown: plugins.Plugins, name: str, past: Past, options: dict[str, str]) -> pl.DataFrame:
    """Return the features of the questions before the cut by one plug-in."""
    spec = FeatureSpec(name=name, kind="plugin", options=options)
    return lookups.features(world.before, [lookups.make(spec, world.panel, shown)], past)


def test_the_lookup_shown_answers_what_it_says(shown: plugins.Plugins) -> None:
    world = Planted()
    answer = asked(world, shown, "injured_share", world.past, {"window": "10d"})
    # Ten days hold ten crashes of a place, and someone was injured on every other day.
    assert answer["injured_share"].unique().to_list() == [0.5]
    week = asked(world, shown, "injured_share", world.past, {"window": "7d"})
    assert week["injured_share"].unique().sort().to_list() == [3 / 7, 4 / 7]


def test_the_lookup_shown_does_not_know_the_future_and_its_bad_twin_does(shown: plugins.Plugins) -> None:
    world = Planted()
    known = world.past.known(world.cut)
    for name, moves in (("injured_share", False), ("injured_share_of_everything", True)):
        same = asked(world, shown, name, world.past, {}).equals(asked(world, shown, name, known, {}))
        # One more day is known of an odd number of days, so the mean of everything moves.
        assert same is not moves, name


def test_the_encoder_shown_learns_from_training_questions(shown: plugins.Plugins) -> None:
    step = encoders.make(encoders.EncoderPlan("rare", {"least": 2}), shown.encoders)
    state = step.fit(Table(pl.DataFrame({"kind": ["x", "x", "y"]}), pl.Series([0.0, 1.0, 2.0])))
    assert state == {"kind": ["x"]}
    out = step.encode(pl.DataFrame({"kind": ["x", "y", "z", None]}), state)
    assert out["kind"].to_list() == ["x", "rare", "rare", None]
