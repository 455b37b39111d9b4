"""The project file: what is accepted, what it means, and what is said about what is wrong with it."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest

import projectfiles
from asof import project
from asof.project import trees
from asof.specs import FilesSpec, PlaceSpec, PointSpec, ProjectSpec, TimeSpec
from projectfiles import SMALL, changed

DESIGN = """\
name: collisions
sources:
  crashes:
    socrata: {domain: data.cityofnewyork.us, dataset: h9gi-nx95, since: 2023-01-01}   # or files: data/*.csv.gz
    key: collision_id
    time: {columns: [crash_date, crash_time], zone: America/New_York}
    delay: 1d
    place: {lat: latitude, lon: longitude}
    checks: {latitude: {between: [40.4, 41.0]}, collision_id: {unique: true}}
predict:
  count: crashes                      # or sum/mean/max of a column · a column of a rows table
  per: {place: zones.geojson#objectid, every: 1d}       # h3:8 · a column · polygons
  horizon: 1d..7d
features: [calendar: {holidays: US-NY}, history: {windows: [7d, 28d, 364d], lags: [2d, 7d], coarser: true}, weather: {nearest: …}]
judge: {holdout: 28d, folds: 4, metric: poisson_deviance}
train: {since: 2023-01-01, budget: 60s, candidates: default}
promote: {skill: ">= 0", audit: pass}
"""  # noqa: E501 - a page as it is printed
"""The page of the documentation; … is left for the reader to fill in."""

Reader = Callable[..., ProjectSpec]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Read the text of a project file."""
    return lambda text, **options: projectfiles.read(tmp_path, text, **options).spec


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    """Return the faults of the text of a project file, without its folder."""
    return partial(projectfiles.faults, tmp_path)


# What is accepted ---------------------------------------------------------------------------------


def test_ten_meaningful_lines_make_a_project(reader: Reader) -> None:
    assert len(SMALL.splitlines()) <= 10
    spec = reader(SMALL)
    source = spec.sources["orders"]
    assert source.files == FilesSpec(paths=("orders.csv",))
    assert source.time == TimeSpec(columns=("sold",))
    assert spec.predict.source == "orders"
    assert spec.predict.measure == "count"
    assert spec.predict.horizon == ("0h",)
    assert spec.predict.per.place == PlaceSpec(column="shop")
    assert spec.judge.folds == 4


def test_places_that_are_a_column_are_that_column_of_the_counted_source(reader: Reader) -> None:
    assert reader(SMALL).sources["orders"].place == "shop"
    own = reader(changed(("    time: sold\n", "    time: sold\n    place: branch\n")))
    assert own.sources["orders"].place == "branch"


def test_the_page_of_the_documentation_parses_but_for_what_it_leaves_open(
    reader: Reader, faults: Callable[..., list[str]]
) -> None:
    assert faults(DESIGN) == [
        "project.yaml:14: features.weather.nearest: there is no source '…'; expected one of crashes"
    ]
    spec = reader(DESIGN.replace("…", "crashes"))
    source = spec.sources["crashes"]
    assert source.socrata is not None
    assert source.socrata.since == date(2023, 1, 1)
    assert source.key == ("collision_id",)
    assert source.time == TimeSpec(columns=("crash_date", "crash_time"), zone="America/New_York")
    assert source.place == PointSpec(lat="latitude", lon="longitude")
    assert source.checks["latitude"].between == (40.4, 41.0)
    assert spec.predict.per.place == PlaceSpec(polygons="zones.geojson", id="objectid")
    assert spec.predict.horizon == ("1d", "2d", "3d", "4d", "5d", "6d", "7d")
    assert [(feature.name, feature.kind) for feature in spec.features] == [
        ("calendar", "calendar"),
        ("history", "history"),
        ("weather", "nearest"),
    ]
    assert spec.features[1].options == {"windows": ["7d", "28d", "364d"], "lags": ["2d", "7d"], "coarser": True}
    assert spec.train.since == date(2023, 1, 1)
    assert spec.promote == {"skill": ">= 0", "audit": "pass"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("files: a.csv", FilesSpec(paths=("a.csv",))),
        ("files: data/*.csv.gz", FilesSpec(paths=("data/*.csv.gz",))),
        ("files: [a.csv, b.csv]", FilesSpec(paths=("a.csv", "b.csv"))),
        ("files: {paths: a.csv, delimiter: ;}", FilesSpec(paths=("a.csv",), delimiter=";")),
        (
            'files: {paths: [a.csv], delimiter: "\\t", encoding: latin-1}',
            FilesSpec(paths=("a.csv",), delimiter="\t", encoding="latin-1"),
        ),
    ],
)
def test_files(reader: Reader, written: str, read: FilesSpec) -> None:
    assert reader(changed(("files: orders.csv", written))).sources["orders"].files == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("time: sold", TimeSpec(columns=("sold",))),
        ("time: [day, clock]", TimeSpec(columns=("day", "clock"))),
        ("time: {columns: sold, zone: Europe/Berlin}", TimeSpec(columns=("sold",), zone="Europe/Berlin")),
        (
            'time: {columns: sold, formats: "%d.%m.%Y", resolution: 1d}',
            TimeSpec(columns=("sold",), formats=("%d.%m.%Y",), resolution="1d"),
        ),
    ],
)
def test_times(reader: Reader, written: str, read: TimeSpec) -> None:
    assert reader(changed(("time: sold", written))).sources["orders"].time == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("h3:8", PlaceSpec(h3=8)),
        ("zones.geojson#objectid", PlaceSpec(polygons="zones.geojson", id="objectid")),
        ("zones.geojson.gz#id", PlaceSpec(polygons="zones.geojson.gz", id="id")),
        ("zones.json#id", PlaceSpec(polygons="zones.json", id="id")),
        ("{polygons: z.geojson, id: i, coarser: borough}", PlaceSpec(polygons="z.geojson", id="i", coarser="borough")),
        ("{h3: 8, coarser: 6}", PlaceSpec(h3=8, coarser=6)),
    ],
)
def test_places(reader: Reader, written: str, read: PlaceSpec) -> None:
    text = changed(
        ("place: shop", f"place: {written}"), ("    time: sold\n", "    time: sold\n    place: {lat: y, lon: x}\n")
    )
    assert reader(text).predict.per.place == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1d", ("1d",)),
        ("1d..3d", ("1d", "2d", "3d")),
        ("[1h, 6h]", ("1h", "6h")),
        ("[1h..3h, 1d]", ("1h", "2h", "3h", "1d")),
        ("0h", ("0h",)),
    ],
)
def test_horizons(reader: Reader, written: str, read: tuple[str, ...]) -> None:
    assert reader(f"{SMALL}  horizon: {written}\n").predict.horizon == read


@pytest.mark.parametrize(
    "written",
    [
        "features: history",
        "features: [history]",
        "features: [history: ]",
        "features: [history: {}]",
        "features: {history: {}}",
        "features:\n- history\n",
        "features: [{name: history}]",
        "features: [{name: history, kind: history, options: {}}]",
    ],
)
def test_features_are_names_with_or_without_options(reader: Reader, written: str) -> None:
    (feature,) = reader(f"{SMALL}{written}\n").features
    assert (feature.name, feature.kind, feature.options) == ("history", "history", {})


def test_features_of_plug_ins_are_known_by_their_own_names(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text("")
    spec = reader(f"{SMALL}plugins: features.py\nfeatures: [night_share: {{from: 22}}]\n")
    assert spec.plugins == ("features.py",)
    assert (spec.features[0].kind, spec.features[0].options) == ("plugin", {"from": 22})


def test_nothing_but_true_false_null_and_numbers_is_more_than_text(reader: Reader) -> None:
    checks = 'checks: {a: {one_of: [1:30, 2024-01-31, yes, no, on, 1_000, 007, 1e3, "5", 5, 1.50, true]}}'
    spec = reader(changed(("    time: sold\n", f"    time: sold\n    {checks}\n")))
    assert spec.sources["orders"].checks["a"].one_of == (
        *("1:30", "2024-01-31", "yes", "no", "on", "1_000", "007", "1e3", "5", "5", "1.50", "true"),
    )


def test_a_number_where_a_text_is_wanted_is_read_as_it_is_written(reader: Reader) -> None:
    spec = reader(changed(("time: sold", "time: 2019\n    key: [007, 1.50]")))
    assert spec.sources["orders"].time == TimeSpec(columns=("2019",))
    assert spec.sources["orders"].key == ("007", "1.50")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("", "~", "null", "NULL")],
        *[("true", True), ("False", False), ("12", 12), ("-3", -3), ("0x1F", 31), ("0o17", 15), ("010", 10)],
        *[("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-.inf", float("-inf")), (".nan", ".nan")],
        *[(text, text) for text in ("yes", "1:30", "2024-01-31", "1_000", "0b1", "v1", "1.2.3", "9" * 400)],
    ],
)
def test_scalars_follow_the_core_of_yaml_1_2(text: str, value: object) -> None:
    assert trees.scalar(text) == value
    assert type(trees.scalar(text)) is type(value)


def test_an_anchor_may_be_used_again(reader: Reader) -> None:
    text = changed(("time: sold", "time: &clock {columns: sold, zone: Europe/Berlin}"))
    text = text.replace("predict:", "  visits:\n    files: v.csv\n    time: *clock\npredict:")
    assert reader(text).sources["visits"].time == reader(text).sources["orders"].time


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert project.read(tmp_path / "p.yaml").spec.name == "sales"


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "project.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    for address in ("deep", "deep/project.yaml"):
        read = project.read(address)
        assert read.folder == tmp_path / "deep"
        assert read.address == address


def test_the_example_is_a_project(root: Path) -> None:
    spec = project.read(root / "examples" / "collisions").spec
    assert spec.predict.horizon[-1] == "7d"
    assert spec.features[2].options["nearest"] == "weather"


def test_a_look_at_the_module_is_light() -> None:
    code = "import asof.project, sys; print({'pydantic', 'yaml', 'polars', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
