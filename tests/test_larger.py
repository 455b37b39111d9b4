"""Larger than memory, in small: a source in parts is the source at once, and only the parts concerned are touched."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import asof
from asof import times, verbs
from asof.adapters.lake import DeltaLake
from asof.errors import Refused
from asof.flows import deriving, extents, intake, predicting, preparation
from asof.flows.ingestion import Ingested, ingest, load
from asof.ports import Batch, Lake
from asof.specs import CheckSpec, PointSpec, SourceSpec, TimeSpec
from asof.testing.lakes import MemoryLake

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SPEC = SourceSpec(
    key=("id",),
    time=TimeSpec(columns=("day", "clock"), zone="America/New_York"),
    delay="1d",
    place=PointSpec(lat="lat", lon="lon"),
    checks={"hurt": CheckSpec(between=(0, 9)), "lat": CheckSpec(between=(40, 42), otherwise="missing")},
    quarantine=0.9,
)
PART = 700


class Frames:
    """Gives frames as batches; the watermark is the number of the last one."""

    def __init__(self, *frames: pl.DataFrame) -> None:
        self._frames = frames

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        for number, frame in enumerate(self._frames[int(watermark or 0) :], start=int(watermark or 0) + 1):
            lines = pl.Series("_line", range(2, 2 + frame.height), pl.Int64)
            yield Batch(frame.with_columns(lines, _file=pl.lit(f"{number}.csv")), str(number))


def events(first: date, days: int, seed: int = 1, start: int = 0) -> pl.DataFrame:
    """Thirty rows a day as text, dirt included: months first, which the first days of a month alone do not tell."""
    draw = np.random.default_rng(seed)
    count = 30 * days
    day = [first + timedelta(days=number // 30) for number in range(count)]
    clock = [f"{hour}:{minute:02d}" for hour, minute in zip(*draw.integers(0, [[24], [60]], (2, count)), strict=True)]
    hurt = draw.integers(0, 4, count).astype(str).tolist()
    hurt[7::211] = ["40"] * len(hurt[7::211])
    text = [str(number) if number % 150 else "many" for number in range(count)]
    lat = [f"{value:.4f}" if value < 40.9 else "0.5" for value in draw.uniform(40.5, 40.95, count)]
    rows = {
        "id": [str(start + number) for number in range(count)],
        "day": [f"{one:%m/%d/%Y}" for one in day],
        "clock": clock,
        "lat": lat,
        "lon": [f"{value:.4f}" for value in draw.uniform(-74, -73.8, count)],
        "hurt": hurt,
        "found": text,
        "code": [f"{number % 90:03d}" if number > count - 40 else str(number % 90 + 100) for number in range(count)],
    }
    return pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))


def changed(rows: pl.DataFrame, keys: Sequence[str], **to: str) -> pl.DataFrame:
    """Some rows again, with other values."""
    return rows.filter(pl.col("id").is_in(list(keys))).with_columns(
        pl.lit(value).alias(name) for name, value in to.items()
    )


def run(lake: Lake, *frames: pl.DataFrame, spec: SourceSpec = SPEC, now: datetime = NOW) -> Ingested:
    return ingest("a", spec, Frames(*frames), lake, now=now)


@pytest.fixture(params=[DeltaLake, MemoryLake])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def same(one: Lake, other: Lake) -> None:
    """Both lakes hold the same valid and refused rows, and the same is covered."""
    assert_frame_equal(one.valid("a").drop("_first_seen"), other.valid("a").drop("_first_seen"))
    assert_frame_equal(one.quarantine("a").drop("_first_seen"), other.quarantine("a").drop("_first_seen"))
    assert load("a", SPEC, one).coverage == load("a", SPEC, other).coverage


def words(done: Ingested) -> list[tuple[str, str, float | None, int | None]]:
    """What was found, without examples, outliers and constants, which are told of whole sources alone."""
    told = [one for one in done.findings if one.check not in {"outliers", "constant"}]
    return sorted(
        (one.check, one.message.partition(" (such as")[0].partition(", the first")[0], one.figure, one.rows)
        for one in told
    )


def test_a_source_in_parts_is_the_source_at_once(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows corrected within a month and into another one, times that a month alone could not read, types by all."""
    rows = events(date(2023, 1, 1), 150)
    again = [
        changed(rows, ["5", "700"], hurt="2"),
        changed(rows, ["6", "7", "900"], day="05/02/2023"),
        changed(rows, ["8"], hurt="99", day="03/03/2023"),
    ]
    whole, parts = make(tmp_path / "whole"), make(tmp_path / "parts")
    plain = run(whole, rows, *again)
    monkeypatch.setattr(deriving, "ROWS", PART)
    done = run(parts, rows, *again)
    same(parts, whole)
    assert parts.notes("a")
    assert not whole.notes("a")
    assert (done.valid, done.quarantined) == (plain.valid, plain.quarantined)
    assert words(done) == words(plain)
    assert parts.valid("a").schema["code"] == pl.String
    assert parts.valid("a").schema["hurt"] == pl.Int64


def test_a_file_that_lost_a_column_is_named(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file has nothing of is counted over all parts that it lies in, and only there."""
    rows, bare = events(date(2023, 1, 1), 100), events(date(2023, 2, 15), 40, seed=2, start=9000).drop("lat")
    whole, parts = make(tmp_path / "whole"), make(tmp_path / "parts")
    plain = run(whole, rows, bare)
    monkeypatch.setattr(deriving, "ROWS", PART)
    done = run(parts, rows, bare)
    assert words(done) == words(plain)
    told = [one for one in done.findings if one.check == "columns"]
    count = parts.valid("a").filter(pl.col("_file") == "2.csv").height
    assert [(one.severity, one.subject, one.rows) for one in told] == [("warning", "a.lat", count)]
    assert told[0].message.startswith("2.csv has no column 'lat', or nothing in it, unlike the other files: its 1,1")
    assert told[0].message.endswith(" rows lie in no place; bring it back")


def test_only_the_parts_concerned_are_checked_again(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further day touches the last part; a correction that moves a row, the part that it leaves."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    rows = events(date(2023, 1, 1), 150)
    day = events(date(2023, 5, 31), 1, seed=2, start=9000)
    moved = changed(rows, ["40"], day="04/20/2023")
    lake = make(tmp_path / "grown")
    run(lake, rows)
    read = noted(lake, monkeypatch)
    done = run(lake, rows, day)
    assert (done.new, done.skipped) == (30, False)
    assert read() == {"2023-05"}
    run(lake, rows, day, moved)
    assert read() == {"2023-01", "2023-04", None}
    fresh = make(tmp_path / "fresh")
    run(fresh, rows, day, moved)
    same(lake, fresh)
    monkeypatch.setattr(deriving, "ROWS", 10**9)
    whole = make(tmp_path / "whole")
    run(whole, rows, day, moved)
    same(lake, whole)


def test_an_ingest_without_a_new_row_keeps_what_is_noted(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watermark alone moves: the tables and the notes of their parts stand, and the next day is one part."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    rows = events(date(2023, 1, 1), 150)
    lake = make(tmp_path / "lake")
    run(lake, rows)
    before = lake.valid("a")
    done = run(lake, rows, rows)
    assert (done.new, done.valid) == (0, before.height)
    assert_frame_equal(lake.valid("a"), before)
    read = noted(lake, monkeypatch)
    run(lake, rows, rows, events(date(2023, 5, 31), 1, seed=2, start=9000))
    assert read() == {"2023-05"}


def test_a_part_whose_rows_have_all_moved_is_empty(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A month just begun, whose rows are corrected to an earlier one, is no hindrance to what comes after."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    rows = events(date(2023, 1, 1), 150)
    begun = events(date(2023, 8, 1), 1, seed=2, start=9000)
    back = begun.with_columns(day=pl.lit("01/05/2023"))
    later = events(date(2023, 5, 31), 1, seed=3, start=9500)
    lake, whole = make(tmp_path / "lake"), make(tmp_path / "whole")
    for number in range(1, 5):
        done = run(lake, *[rows, begun, back, later][:number])
    monkeypatch.setattr(deriving, "ROWS", 10**9)
    plain = run(whole, rows, begun, back, later)
    assert (done.valid, done.quarantined) == (plain.valid, plain.quarantined)
    same(lake, whole)


def noted(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What tells of which months whole rows have been read since it was last asked; none for single keys."""
    seen: set[str | None] = set()
    raw = type(lake).raw

    def reading(self: Any, source: str, *args: Any, **options: Any) -> pl.DataFrame:
        if not options.get("columns"):
            seen.update(options.get("months") or [None])
        return raw(self, source, *args, **options)

    def told() -> set[str | None]:
        now = set(seen)
        seen.clear()
        return now

    monkeypatch.setattr(type(lake), "raw", reading)
    return told


def test_what_a_new_part_shows_is_held_against_all(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that becomes text, or a time that is written otherwise, makes all parts be read anew."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    rows = events(date(2023, 1, 1), 100).with_columns(code=pl.lit("7"))
    lake, whole = make(tmp_path / "parts"), make(tmp_path / "whole")
    run(lake, rows)
    assert lake.valid("a").schema["code"] == pl.Int64
    named = events(date(2023, 4, 20), 20, seed=3, start=9000).with_columns(code=pl.lit("unknown"))
    run(lake, rows, named)
    assert lake.valid("a").schema["code"] == pl.String
    monkeypatch.setattr(deriving, "ROWS", 10**9)
    run(whole, rows, named)
    same(lake, whole)


def test_a_refused_source_stays_as_it_was(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are held against all parts together, before anything is seen."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    rows, lake = events(date(2023, 1, 1), 60), make(tmp_path)
    run(lake, rows)
    before, stamp = lake.valid("a"), lake.stamp("a")
    wild = events(date(2023, 3, 2), 60, seed=4, start=5000).with_columns(hurt=pl.lit("40"))
    strict = SPEC.model_copy(update={"quarantine": 0.3})
    with pytest.raises(Refused, match=r"1,8\d\d of 3,600 rows are refused \(50\.\d%, at most 30\.0%\)"):
        run(lake, rows, wild, spec=strict)
    assert_frame_equal(lake.valid("a"), before)
    assert lake.stamp("a") == stamp


def test_a_row_of_the_future_is_taken_up_when_its_time_has_come(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing new is read: the part that holds it is due."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    rows, lake = events(date(2023, 1, 1), 60), make(tmp_path)
    early = run(lake, rows, now=datetime(2023, 2, 28, 12, tzinfo=UTC))
    read = noted(lake, monkeypatch)
    late = run(lake, rows)
    assert late.valid > early.valid
    assert "2023-01" not in read()


PAGE = """\
name: larger
sources:
  a:
    files: a.parquet
    key: id
    time: {columns: [day, clock], zone: America/New_York}
    delay: 1d
    place: {lat: lat, lon: lon}
predict: {count: a, per: {place: {polygons: squares.geojson, id: name}, every: 1d}, horizon: 1d..2d}
features:
  - calendar
  - history: {windows: [7d, 21d], weekday: [28d], lags: [7d, 14d], since: false}
"""


def squares() -> dict[str, Any]:
    """Two places beside each other that hold most of the events."""

    def square(name: str, west: float) -> dict[str, Any]:
        east = west + 0.1
        ring = [[west, 40.4], [east, 40.4], [east, 41.0], [west, 41.0], [west, 40.4]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"name": name}, "geometry": shape}

    return {"type": "FeatureCollection", "features": [square("west", -74.0), square("east", -73.9)]}


def test_features_of_a_stretch_need_its_rows_and_those_before_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same to the bit as with all rows at hand, labels too."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    (tmp_path / "project.yaml").write_text(PAGE)
    (tmp_path / "squares.geojson").write_text(json.dumps(squares()))
    events(date(2023, 1, 1), 150).write_parquet(tmp_path / "a.parquet")
    workspace = verbs.open_project(str(tmp_path))
    intake.take_in(workspace)
    first, until = (times.midnight(day, "America/New_York") for day in (date(2023, 4, 10), date(2023, 4, 20)))
    tables = extents.open_tables(workspace, first, until)
    assert 0 < tables["a"].rows.height < 0.5 * 4500
    part, whole = (preparation.prepare(workspace, opened) for opened in (tables, extents.open_tables(workspace)))
    assert whole.counted.rows.height > 4000
    asked = preparation.ask(whole, first, until)
    assert_frame_equal(preparation.ask(part, first, until), asked)
    assert asked["label"].null_count() == 0
    told = preparation.read(whole, asked, {})
    assert_frame_equal(preparation.read(part, asked, {}), told, check_exact=True)
    assert told["a_mean_21d"].null_count() == 0


def test_all_rows_are_at_hand_where_a_feature_reads_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time since the last event has no limit."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    (tmp_path / "project.yaml").write_text(PAGE.replace(", since: false", ""))
    (tmp_path / "squares.geojson").write_text(json.dumps(squares()))
    events(date(2023, 1, 1), 60).write_parquet(tmp_path / "a.parquet")
    workspace = verbs.open_project(str(tmp_path))
    intake.take_in(workspace)
    first = times.midnight(date(2023, 2, 20), "America/New_York")
    opened, whole = extents.open_tables(workspace, first), extents.open_tables(workspace)
    assert opened["a"].rows.height == whole["a"].rows.height


@pytest.mark.parametrize(
    ("lost", "early", "made"),
    [((93, 102), 0, 7), ((93, 102), 100, 10), ((60, 165), 0, 7)],
    ids=["a hole", "begun before the data", "a hole longer than a stretch and its reach"],
)
def test_stretches_read_shared_rows_once_and_tell_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: tuple[int, int], early: int, made: int
) -> None:
    """A month after another, edges included; a part of a day, where clocks change, to its last bit."""
    monkeypatch.setattr(deriving, "ROWS", PART)
    monkeypatch.setattr(extents, "YEAR", timedelta(days=30))
    (tmp_path / "project.yaml").write_text(PAGE)
    (tmp_path / "squares.geojson").write_text(json.dumps(squares()))
    gone = pl.col("day").str.to_date("%m/%d/%Y").is_between(*(date(2023, 1, 1) + timedelta(days=day) for day in lost))
    events(date(2023, 1, 1), 200).filter(~gone).write_parquet(tmp_path / "a.parquet")
    workspace = verbs.open_project(str(tmp_path))
    intake.take_in(workspace)
    whole = preparation.prepare(workspace, extents.open_tables(workspace))
    assert len(whole.counted.coverage.starts) == 2
    first, until = whole.counted.coverage.start - timedelta(days=early), whole.counted.coverage.end
    read: list[int] = []
    valid = type(workspace.lake).valid

    def reading(self: Any, source: str, **options: Any) -> pl.DataFrame:
        rows = valid(self, source, **options)
        read.append(0 if "columns" in options else rows.height)
        return rows

    monkeypatch.setattr(type(workspace.lake), "valid", reading)
    told, labels = [], []
    for stretch in extents.stretches(workspace, first, until):
        assert stretch.first is not None
        assert stretch.until is not None
        assert stretch.prepared.counted.rows["_key"].is_duplicated().sum() == 0
        asked = preparation.ask(stretch.prepared, stretch.first, stretch.until)
        labels.append(asked)
        told.append(preparation.read(stretch.prepared, asked, {}))
    assert len(told) == made
    assert max(read) < 0.4 * whole.counted.rows.height
    assert sum(read) <= 1.2 * whole.counted.rows.height
    asked = preparation.ask(whole, first, until)
    assert_frame_equal(pl.concat(labels), asked)
    assert asked["label"].null_count() > 0
    assert_frame_equal(pl.concat(told), preparation.read(whole, asked, {}), rel_tol=1e-15, abs_tol=0)


def test_a_range_of_several_stretches_is_answered_as_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deriving, "ROWS", PART)
    page = PAGE + "judge: {folds: 2, fold: 14d, holdout: 14d}\ntrain: {candidates: [poisson], budget: 0s, threads: 1}\n"
    (tmp_path / "project.yaml").write_text(page)
    (tmp_path / "squares.geojson").write_text(json.dumps(squares()))
    events(date(2023, 1, 1), 200).write_parquet(tmp_path / "a.parquet")
    workspace = verbs.open_project(str(tmp_path))
    asof.run(workspace)
    asked = predicting.Asked(start="2023-03-01", end="2023-07-10")
    made = [predicting.predict(workspace, asked, tmp_path / "at-once.parquet")]
    monkeypatch.setattr(extents, "YEAR", timedelta(days=30))
    made.append(predicting.predict(workspace, asked, tmp_path / "stretches.parquet"))
    assert made[0]["answered"] == made[1]["answered"] == 131 * 2 * 2
    once, more = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("at-once", "stretches"))
    assert_frame_equal(more, once, check_exact=True)
