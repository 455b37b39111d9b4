"""The JSON Schema for editors accepts what the reader accepts, and refuses what it refuses by shape."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asof import project, specs
from asof.errors import ProjectError
from asof.project import trees

jsonschema = pytest.importorskip("jsonschema", reason="missing: jsonschema")

PAGE = """\
name: collisions
sources:
  crashes:
    socrata: {domain: data.cityofnewyork.us, dataset: h9gi-nx95, since: 2023-01-01}
    key: collision_id
    time: {columns: [crash_date, crash_time], zone: America/New_York}
    delay: 1d
    place: {lat: latitude, lon: longitude}
    checks: {latitude: {between: [40.4, 41.0]}, collision_id: {unique: true}}
predict:
  count: crashes
  per: {place: zones.geojson#objectid, every: 1d}
  horizon: 1d..7d
features: [calendar: {holidays: US-NY}, history: {windows: [7d, 28d, 364d], coarser: true}, weather: {nearest: crashes}]
judge: {holdout: 28d, folds: 4, metric: poisson_deviance}
train: {since: 2023-01-01, budget: 60s, candidates: default}
promote: {skill: ">= 0", audit: pass}
"""

SHORT = """\
name: short
sources:
  a: {files: a.csv, time: t, key: 2019, covered: [2020-01-01, 2020-02-01], checks: {x: {one_of: [1, b]}}}
  b: {files: [a.csv, b.csv], time: [d, t], place: shop, columns: c}
  c: {files: {paths: a.csv, delimiter: ;}, time: {columns: t, formats: "%Y"}, missing_values: NA}
  d:
    files: d.csv
    repairs: [{columns: "*_x", drop: true}, {columns: [1, a], missing: 9.9, under: 5, add: -1}, {columns: c, flags: f}]
    checks: {a: {above: b, otherwise: missing, faulty: 0.1}}
predict: {sum: a.x, per: {place: {column: shop}, every: 1d}, horizon: [1h, 1d]}
features: {calendar: , history: {windows: [7d]}}
judge: {folds: "${FOLDS:-4}"}
train: {candidates: lightgbm, seed: "${SEED:-3}", since: "${SINCE:-2020-01-01}"}
environments:
  dev:
    train: {budget: 1s}
    sources: {b: {files: null, socrata: {domain: d.org, dataset: abcd-1234, since: 2020-01-01}}}
  empty:
"""

BARE = """\
name: bare
sources:
  a:
    files: a.csv
    time: t
predict:
  count: a
  per: {place: h, every: 1h}
features: history
"""


@pytest.fixture(scope="module")
def check() -> Callable[[str], list[str]]:
    """Return the faults that an editor would show in the text of a project file."""
    validator = jsonschema.Draft202012Validator(project.schema())

    def faults(text: str) -> list[str]:
        root, _ = trees.compose(text, "project.yaml")
        return [fault.json_path for fault in validator.iter_errors(root.plain_value())]

    return faults


def test_it_is_a_schema_and_plain_json() -> None:
    made = project.schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert json.loads(json.dumps(made)) == made
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("text", [PAGE, SHORT, BARE], ids=["page", "short", "bare"])
def test_what_the_reader_accepts_is_accepted(check: Callable[[str], list[str]], text: str, tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(text, encoding="utf-8")
    read = project.read(tmp_path, environ={})
    assert check(text) == []
    assert check(project.resolved(read)) == []


def test_the_example_is_accepted(check: Callable[[str], list[str]], root: Path) -> None:
    for file in sorted((root / "examples").glob("*/project.yaml")):
        assert check(file.read_text(encoding="utf-8")) == [], file


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: bare", "name: Bare"),
        ("name: bare", "nam: bare"),
        ("files: a.csv", "file: a.csv"),
        ("    files: a.csv\n", ""),
        ("time: t", "time: t\n    socrata: {domain: d, dataset: abcd-1234, since: 2020-01-01}"),
        ("time: t", "time: {column: t}"),
        ("count: a", "count: a\n  max: a.b"),
        ("place: h", "place: {h3: 8, column: h}"),
        ("place: h", "place: {h3: 99}"),
        ("features: history", "features: [{history: {}, calendar: {}}]"),
        ("features: history", "judge: {folds: 1}"),
        ("features: history", "judge: {folds: many}"),
        ("features: history", "environments: {dev: {trian: {}}}"),
        ("features: history", "environments: {dev: {judge: {fold: 1, foldz: 2}}}"),
    ],
)
def test_what_the_reader_refuses_by_shape_is_refused(
    check: Callable[[str], list[str]], tmp_path: Path, old: str, new: str
) -> None:
    text = BARE.replace(old, new)
    assert text != BARE
    assert check(text)
    (tmp_path / "project.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError):
        project.read(tmp_path, environ={})


def test_a_token_must_be_a_variable(check: Callable[[str], list[str]]) -> None:
    page = PAGE.replace("since: 2023-01-01}\n    key", "since: 2023-01-01, token: abc}\n    key")
    assert page != PAGE
    assert check(page) == ["$.sources.crashes.socrata"]
    assert check(page.replace("token: abc", "token: ${MINE}")) == []


def test_every_name_is_there_and_said_what_it_is() -> None:
    definitions = project.schema()["$defs"]
    for name, definition in definitions.items():
        if not name.endswith("Part"):
            assert set(definition["properties"]) == set(getattr(specs, name).model_fields)
    assert definitions["SourceSpec"]["properties"]["header"]["description"] == (
        "`lower` turns column names to lower case, so that files of different vintages agree."
    )


def described(part: Any) -> int:
    """Count the descriptions in a schema."""
    if isinstance(part, dict):
        return ("description" in part) + sum(described(inner) for inner in part.values())
    return sum(described(inner) for inner in part) if isinstance(part, list) else 0


def test_most_names_are_described() -> None:
    assert described(project.schema()["$defs"]) > 60
