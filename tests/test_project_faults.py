"""What is said about a project file that is wrong: file, line, setting, what was expected, what is there."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import projectfiles
from asof import project
from asof.errors import Problem, ProjectError
from asof.project import trees
from asof.specs import ProjectSpec
from projectfiles import SMALL, SOCRATA, changed

Reader = Callable[..., ProjectSpec]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Read the text of a project file."""
    return lambda text, **options: projectfiles.read(tmp_path, text, **options).spec


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    """Return the faults of the text of a project file, without its folder."""
    return partial(projectfiles.faults, tmp_path)


# What is wrong with a file that cannot be read ----------------------------------------------------


def test_no_file(tmp_path: Path) -> None:
    advice = "no such file: expected a folder with a project.yaml, a file or s3://…; `asof init TABLE` proposes one"
    for address in (tmp_path, tmp_path / "project.yaml"):
        with pytest.raises(ProjectError) as caught:
            project.read(address)
        assert str(caught.value) == f"{tmp_path}/project.yaml: {advice}"
    with pytest.raises(ProjectError, match=r"^ftp://host/p: expected a folder, a file or s3://bucket/key$"):
        project.read("ftp://host/p")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "project.yaml:1: the file is empty: expected name, sources and predict"),
        ("# nothing\n", "project.yaml:1: the file is empty: expected name, sources and predict"),
        ("{}", "project.yaml:1: the file is empty: expected name, sources and predict"),
        ("- a\n- b\n", "project.yaml:1: the file is a list of 2: expected name, sources and predict"),
        ("a: 1\nb:\n\tc: 2\n", "project.yaml:3: a tab where YAML wants spaces: indent with spaces"),
        (
            "a: 1\nb: [1, 2\nc: 3\n",
            (
                "project.yaml:3: no YAML: expected ',' or ']', but got ':' (begun in line 2); check indentation, quotes, "  # noqa: E501 - a message as it is shown
                "brackets and colons"
            ),
        ),
        ("a: *b\n", "project.yaml:1: the alias *b has no anchor &b above it"),
        ("a: 1\n--- \nb: 2\n", "project.yaml:2: a second document begins here (---): a project is one document"),
        (
            "a: 1\n{b: 2}: 3\n",
            "project.yaml:2: a name must be a plain text; is a quote or a colon missing, or a { } left over?",
        ),
        ("a: 1\nb: \x07\n", "project.yaml:2: the character '\\x07' is not allowed in YAML"),
    ],
)
def test_no_yaml(faults: Callable[..., list[str]], text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"name: a\n# caf\xe9\n")
    with pytest.raises(ProjectError, match=r"p\.yaml:2: not UTF-8 text: save the file as UTF-8$"):
        project.read(tmp_path / "p.yaml")


def test_too_large_too_deep_too_many(faults: Callable[..., list[str]]) -> None:
    assert faults("#" * (trees.MOST_BYTES + 1)) == ["project.yaml: larger than 512 KiB: this is no project file"]
    assert faults("a: " + "[" * 5000) == [
        "project.yaml:1: more than 40 levels: this is no project file, or an alias repeats itself"
    ]
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    assert faults(bomb) == [
        "project.yaml:5: more than 20000 values: this is no project file, or an alias repeats itself"
    ]
    itself = faults("a: &a [*a]\n")
    assert itself == ["project.yaml:1: the alias *a has no anchor &a above it"]


def test_tags_run_nothing(faults: Callable[..., list[str]]) -> None:
    assert faults(changed(("sales", "!!python/object/apply:os.getcwd []"))) == [
        "project.yaml:1: the tag tag:yaml.org,2002:python/object/apply:os.getcwd is not read: write the value alone",
        (
            "project.yaml:1: name: expected lower-case letters, digits and _, beginning with a letter, such as "
            "nyc_collisions, got a list of 0"
        ),
    ]


# What is wrong with a project ---------------------------------------------------------------------


def test_all_faults_at_once_by_line(faults: Callable[..., list[str]]) -> None:
    text = """\
nam: sales
sources:
  orders:
    file: orders.csv
    key: id
    key: no
    place: [1]
    checks:
      a: {between: [1]}
      b: {type: strng}
    quarantine: 4
predict:
  per:
    place: {h3: x, coarser: [1]}
judge: {folds: 1.5}
train:
  since: soon
  threads: many
  candidates: {}
"""
    assert faults(text) == [
        "project.yaml:1: nam: unknown name; did you mean name?",
        (
            "project.yaml:1: name: missing: expected lower-case letters, digits and _, beginning with a letter, such as "  # noqa: E501 - a message as it is shown
            "nyc_collisions"
        ),
        "project.yaml:3: sources.orders: expected exactly one of files, socrata, sql, api and adapter, got none",
        "project.yaml:4: sources.orders.file: unknown name; did you mean files?",
        "project.yaml:6: 'key' is written twice, first in line 5: keep one",
        "project.yaml:7: sources.orders.place: expected a mapping of lat, lon, box or a text, got a list of 1",
        "project.yaml:9: sources.orders.checks.a.between: expected a list of 2 numbers, got a list of 1",
        "project.yaml:10: sources.orders.checks.b.type: expected one of integer, number, text, boolean, date, got 'strng'",  # noqa: E501 - a message as it is shown
        "project.yaml:11: sources.orders.quarantine: expected a share from 0 to 1, got '4'; 4 % is written 0.04",
        "project.yaml:12: predict: expected exactly one of count, distinct, sum, mean, max, value and classes, got none",  # noqa: E501 - likewise
        "project.yaml:14: predict.per.place.coarser: expected a text or a whole number, got a list of 1",
        "project.yaml:14: predict.per.place.h3: expected a whole number from 0 to 15, got 'x'",
        "project.yaml:15: judge.folds: expected a whole number from 2 to 50, got '1.5'",
        "project.yaml:17: train.since: expected a date such as 2024-01-31, got 'soon'",
        "project.yaml:18: train.threads: expected a whole number of at least 0, got 'many'",
        "project.yaml:19: train.candidates: expected a list of texts or default, got an empty mapping",
    ]


def cases() -> list[tuple[str, str, str]]:
    """What is replaced by what in the small project, and the fault that is found then."""
    text = (Path(__file__).parent / "test_project_faults.txt").read_text(encoding="utf-8")
    blocks = [{line[0]: line[2:] for line in block.splitlines()} for block in text.strip().split("\n\n")[1:]]
    return [(*(block[sign].replace("\\n", "\n") for sign in "-+"), block["="]) for block in blocks]  # type: ignore[misc]


@pytest.mark.parametrize(("old", "new", "fault"), cases())
def test_one_fault(faults: Callable[..., list[str]], old: str, new: str, fault: str) -> None:
    assert faults(changed((old, new))) == [f"project.yaml:{fault}"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("features: [history: {window: [7d]}]", "features.history.window: unknown name; did you mean windows?"),
        ("features: [w: {nearest: orders, column: [a]}]", "features.w.column: unknown name; did you mean columns?"),
        ("judge: {metric: rsme}", "judge.metric: there is no metric 'rsme'; did you mean rmse?"),
        (
            "train: {candidates: [lightgmb]}",
            "train.candidates.0: there is no candidate 'lightgmb'; did you mean lightgbm?",
        ),
    ],
)
def test_names_that_other_parts_know(faults: Callable[..., list[str]], line: str, fault: str) -> None:
    (found,) = faults(f"{SMALL}{line}\n")
    assert found.startswith(f"project.yaml:9: {fault}")


def test_faults_of_coordinates(faults: Callable[..., list[str]]) -> None:
    def found(written: str, place: str = "h3:8") -> list[str]:
        return faults(changed(("place: shop", f"place: {place}"), ("sold\n", f"sold\n    place: {written}\n")))

    assert found("{lat: y, lng: x}") == [
        "project.yaml:6: sources.orders.place.lng: unknown name; did you mean lon? known are lat, lon, box",
        "project.yaml:6: sources.orders.place.lon: missing: expected a text",
    ]
    assert found("{lat: y, lon: y}") == [
        "project.yaml:6: sources.orders.place.lon: expected another column than lat, got 'y'"
    ]
    box = "south, west, north, east in degrees, such as [40.4, -74.3, 41.0, -73.6]"
    assert found("{lat: y, lon: x, box: [41, -74, 40, -73]}") == [
        f"project.yaml:6: sources.orders.place.box: expected {box}, got [41, -74, 40, -73]"
    ]
    assert found("{lat: y, lon: x, box: [41, -74]}") == [
        "project.yaml:6: sources.orders.place.box: expected a list of 4 numbers, got a list of 2"
    ]
    point = "{lat: y, lon: x}"
    assert found(point, "h3:99") == [
        "project.yaml:9: predict.per.place.h3: expected a whole number from 0 to 15, got '99'"
    ]
    assert found(point, "zones.geojson") == [
        "project.yaml:9: predict.per.place.id: missing: which property names a polygon? write zones.geojson#PROPERTY"
    ]
    for coarser in ("8", "borough", "true"):
        assert found(point, f"{{h3: 8, coarser: {coarser}}}") == [
            f"project.yaml:9: predict.per.place.coarser: expected a resolution below 8, got '{coarser}'"
        ]


def test_a_socrata_source_needs_its_time(faults: Callable[..., list[str]]) -> None:
    more = f"  visits:\n    {SOCRATA}}}\npredict:"
    assert faults(changed(("predict:", more))) == [
        "project.yaml:6: sources.visits.time: missing: a Socrata source is read by days, so its time must be named"
    ]


def test_the_nearest_rows_need_a_time(faults: Callable[..., list[str]]) -> None:
    text = changed(("predict:", "  weather:\n    files: w.csv\npredict:")) + "features: [weather: {nearest: weather}]\n"
    assert faults(text) == [
        "project.yaml:6: sources.weather.time: missing: rows nearest in time need the time of each row, such as `time: date`"  # noqa: E501 - a message as it is shown
    ]


def test_a_plug_in_that_is_not_there(faults: Callable[..., list[str]], tmp_path: Path) -> None:
    text = f"{SMALL}plugins: mine.py\nfeatures: [night]\n"
    assert faults(text) == [
        f"project.yaml:9: plugins.0: there is no file {tmp_path}/mine.py".replace(f"{tmp_path}/m", "m")
    ]


def test_names_of_plug_ins_are_not_judged(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    text = (
        "plugins: mine.py\nfeatures: [night]\njudge: {metric: own}\ntrain: {candidates: [own]}\npromote: {own: '> 0'}\n"
    )
    spec = reader(SMALL + text)
    assert (spec.judge.metric, spec.train.candidates, spec.promote) == ("own", ("own",), {"own": "> 0"})


def test_nothing_of_pydantic_shows(faults: Callable[..., list[str]]) -> None:
    text = "name: 5\nsources: 3\npredict: []\nfeatures: 7\njudge: {folds: []}\ntrain: {seed: {}}\n"
    found = "\n".join(faults(text))
    for word in ("pydantic", "http", "type=", "Input", "input_value", "valid dictionary"):
        assert word not in found
    assert len(found.splitlines()) == 6


def test_faults_found_later_are_placed_in_the_file(reader: Reader, tmp_path: Path) -> None:
    reader(f"{SMALL}features:\n- calendar\n- history: {{windows: [7d]}}\n")
    read = project.read(tmp_path)
    late = ProjectError(
        [
            Problem("there is no column shop", where="sources.orders.place"),
            Problem("a lag of 1d", where="features.history.lags"),
            Problem("said", where="predict.per"),
            Problem("elsewhere", file="a.py", line=3, where="name"),
            Problem("nowhere", where="what"),
        ]
    )
    assert [(problem.line, problem.where) for problem in project.locate(read, late).problems] == [
        (8, "sources.orders.place"),
        (11, "features.history.lags"),
        (8, "predict.per"),
        (3, "name"),
        (0, "what"),
    ]
