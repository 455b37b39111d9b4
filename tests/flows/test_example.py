"""The bundled example, read once more by plain means: features and labels are those that a person would count."""

import json
import shutil
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from gzip import GzipFile
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
import shapely

import asof
from asof import panels
from asof.flows import intake, preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace

ZONE = ZoneInfo("America/New_York")
SPRING = ("03/11/2018", "03/10/2019")
"""Days without an hour from 2 to 3: a crash that is said to be then goes to quarantine."""
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def example(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Prepared]:
    """Return the example, ingested and prepared; nothing is trained."""
    folder = tmp_path_factory.mktemp("example") / "collisions"
    shutil.copytree(root / "examples" / "collisions", folder, ignore=shutil.ignore_patterns(".asof"))
    workspace = asof.open_project(str(folder))
    asof.ingest(workspace)
    return workspace, preparation.prepare(workspace, intake.open_tables(workspace))


@pytest.fixture(scope="module")
def counted(root: Path) -> pl.DataFrame:
    """Crashes by zone, borough and local day, from the raw files: ``zone``, ``borough``, ``day``, ``last`` (moment)."""
    folder = root / "examples" / "collisions" / "data"
    rows = pl.concat(pl.read_csv(file, infer_schema=False) for file in sorted(folder.glob("crashes_*.csv.gz")))
    rows = rows.filter(~(pl.col("crash_date").is_in(SPRING) & pl.col("crash_time").str.starts_with("2:")))
    rows = rows.drop_nulls(["latitude", "longitude"]).select(
        day=pl.col("crash_date").str.to_date("%m/%d/%Y"),
        time=pl.format("{} {}", "crash_date", "crash_time").str.to_datetime("%m/%d/%Y %H:%M"),
        lat=pl.col("latitude").cast(pl.Float64),
        lon=pl.col("longitude").cast(pl.Float64),
    )
    with GzipFile(folder / "zones.geojson.gz") as file:
        zones = json.load(file)["features"]
    shapes = shapely.make_valid(shapely.from_geojson([json.dumps(zone["geometry"]) for zone in zones]))
    points = shapely.points(rows["lon"].to_numpy(), rows["lat"].to_numpy())
    point, shape = shapely.STRtree(shapes).query(points, predicate="intersects")
    names = pl.DataFrame(
        {
            "shape": np.arange(len(zones)),
            "zone": [str(int(zone["properties"]["objectid"])) for zone in zones],
            "borough": [zone["properties"]["borough"] for zone in zones],
        }
    )
    inside = pl.DataFrame({"point": point, "shape": shape}).join(names, on="shape").sort("point", "zone")
    inside = inside.unique("point", keep="first")
    return rows.with_row_index("point").join(inside.with_columns(pl.col("point").cast(pl.UInt32)), on="point")


def count(rows: pl.DataFrame, first: date, last: date) -> int:
    """How many of ``rows`` lie on the days from ``first`` to ``last``."""
    return rows.filter(pl.col("day").is_between(first, last)).height


def by_hand(rows: pl.DataFrame, weather: pl.DataFrame, asked: date, of: date) -> dict[str, float]:
    """Features of one zone as a person would count them: on the midnight of ``asked``, about the day ``of``.

    Crashes are known a day after their day is over, so those of the day before yesterday are the last.
    """
    zone, borough = rows["zone"][0], rows["borough"][0]
    known = asked - 2 * DAY
    own = rows.filter(pl.col("zone") == zone)
    same = own.filter(pl.col("day").dt.weekday() == of.isoweekday())
    last = own.filter(pl.col("day") <= known)["time"].max()
    assert isinstance(last, datetime)
    midnight = datetime.combine(asked, datetime.min.time(), ZONE)
    over = (last + timedelta(minutes=1)).replace(tzinfo=ZONE)
    told = weather.filter(pl.col("date") <= known).sort("date")
    return {
        "crashes_mean_7d": count(own, known - 6 * DAY, known) / 7,
        "crashes_mean_28d": count(own, known - 27 * DAY, known) / 28,
        "crashes_same_weekday_28d": count(same, known - 27 * DAY, known) / 4,
        "crashes_lag_14d": count(own, of - 14 * DAY, of - 14 * DAY),
        "crashes_lag_364d": count(own, of - 364 * DAY, of - 364 * DAY),
        "crashes_days_since": (midnight.timestamp() - over.timestamp()) / 86_400,
        "crashes_coarser_mean_7d": count(rows.filter(pl.col("borough") == borough), known - 6 * DAY, known) / 7,
        "crashes_all_mean_7d": count(rows, known - 6 * DAY, known) / 7,
        "weekday": of.weekday(),
        "weather_prcp": told["prcp"][-1],
        "weather_tmax": told["tmax"][-1],
    }


def test_features_and_labels_are_those_counted_by_hand(
    example: tuple[Workspace, Prepared], counted: pl.DataFrame, root: Path
) -> None:
    """Forty random questions of all horizons, over two changes of the clocks: as_of minus delay, and nothing later."""
    workspace, prepared = example
    weather = pl.read_csv(root / "examples" / "collisions" / "data" / "weather.csv.gz", try_parse_dates=True)
    for number, (zone, of, horizon) in enumerate(drawn(counted, 40)):
        begun = datetime.combine(of, datetime.min.time(), ZONE)
        steps = [step for step in prepared.panel.horizons if str(step) == f"{horizon}d"]
        asked = panels.questions(prepared.panel, begun, begun + timedelta(minutes=1), steps)
        asked = asked.filter(pl.col("place") == zone)
        assert asked.height == 1, number
        assert asked["as_of"][0] == datetime.combine(of - horizon * DAY, datetime.min.time(), ZONE)
        features = preparation.read(prepared, asked, workspace.spec.leave_out).row(0, named=True)
        # The zone first: it is the one that is asked about.
        rows = counted.sort(pl.col("zone") != zone, maintain_order=True)
        expected = by_hand(rows, weather, of - horizon * DAY, of)
        assert {name: features[name] for name in expected} == pytest.approx(expected, rel=1e-12), (zone, of, horizon)
        label = preparation.label(prepared, asked)["label"][0]
        assert label == count(counted.filter(pl.col("zone") == zone), of, of)


def drawn(counted: pl.DataFrame, number: int) -> Sequence[tuple[str, date, int]]:
    """Random zones, days and horizons; not the day after a clock was put forward, when an hour is not yet known."""
    random = np.random.default_rng(11)
    zones = counted["zone"].unique().sort()
    found: list[tuple[str, date, int]] = []
    while len(found) < number:
        of = date(2019, 3, 11) + int(random.integers(330)) * DAY
        horizon = int(random.integers(1, 8))
        if of - horizon * DAY != date(2019, 3, 11):
            found.append((zones[int(random.integers(len(zones)))], of, horizon))
    return found
