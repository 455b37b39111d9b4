"""Lookup ``observations``, against a plain loop by its definition."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof import lookups, panels
from asof.data import UTC_TIME, Coverage, SourceTable
from asof.errors import ProjectError
from asof.ledgers import Past
from asof.panels import Panel
from asof.places import Places
from asof.specs import FeatureSpec
from asof.testing.lookups import exam
from asof.testing.oracle import shifted
from asof.times import Step

FIRST = datetime(2020, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ZONE = "America/Los_Angeles"
STATIONS = {"north": 726, "south": "k7"}
PLACES = Places(ids=pl.Series("place", ["a", "b"]), kind="column")


def world(seed: int = 0, *, every: str = "1d", days: int = 80, lost: float = 0.15, late: float = 0.1) -> Past:
    """Two stations that report once a UTC day, known two days later or later still; reports and cells are missing."""
    draw = np.random.default_rng(seed)
    made = []
    for station in ("726", "k7", "other"):
        for day in range(days):
            if draw.random() < lost:
                continue
            event = FIRST + day * DAY
            wait = int(draw.integers(1, 20)) if draw.random() < late else 0
            cells = [None if draw.random() < lost else round(float(draw.normal(50, 9)), 1) for _ in range(2)]
            made.append((f"{station}{day:04d}", event, event + DAY, event + (3 + wait) * DAY, station, *cells, day))
    names = ["_key", "_event", "_ended", "_available", "station", "temp", "rain", "day"]
    frame = pl.DataFrame(made, schema=names, orient="row", infer_schema_length=None)
    times = [pl.col(name).cast(UTC_TIME) for name in ("_event", "_ended", "_available")]
    frame = frame.with_columns(*times, pl.col("_event").cast(UTC_TIME).alias("_first_seen"))
    table = SourceTable(
        "gsod", frame.sort("_ended", "_available", "_key"), "UTC", 2 * DAY, Coverage((FIRST,), (FIRST + days * DAY,))
    )
    panel = Panel(PLACES, Step.parse(every), ZONE, "gsod", horizons=(Step.parse("0h"), Step.parse("1d")))
    return Past({"gsod": table}, panel)


def asked(past: Past, first: int = 20, days: int = 65) -> pl.DataFrame:
    return panels.questions(past.panel, FIRST + first * DAY, FIRST + (first + days) * DAY)


def made(past: Past, **options: Any) -> lookups.Lookup:
    given = {"observations": "gsod", "by": "station", "stations": STATIONS, "of": ["temp", "rain"], "totals": ["rain"]}
    return lookups.make(FeatureSpec(name="sky", kind="observations", options={**given, **options}), past.panel)


def by_hand(past: Past, question: dict[str, Any], station: str, column: str, window: str, *, ahead: bool) -> Any:
    """One feature straight from its definition."""
    high = question["end"] if ahead else shifted(question["as_of"], Step.parse("2d"), ZONE, -1)
    if not ahead:
        high = min(high, question["as_of"] - 2 * DAY)
    low = shifted(high, Step.parse(window) if window else past.panel.every, ZONE, -1)
    if ahead and not window:
        low = question["start"]
    rows = past.table("gsod").rows.filter(pl.col("station") == station, pl.col(column).is_not_null())
    values = [
        row[column]
        for row in rows.iter_rows(named=True)
        if low < row["_ended"] <= high and (ahead or row["_available"] <= question["as_of"])
    ]
    due = max(round((high - low) / DAY), 1)
    if not values or len(values) < due / 2:
        return None
    mean = sum(values) / len(values)
    return mean * max(due, len(values)) if column == "rain" and not window else mean


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), every=st.sampled_from(["1d", "7d", "1mo"]), ahead=st.booleans())
def test_it_is_what_the_definition_says(seed: int, every: str, ahead: bool) -> None:  # noqa: FBT001 - drawn
    past = world(seed, every=every)
    questions = asked(past)
    windows = ["3d", "14d"]
    lookup = made(past, windows=windows, known_ahead=ahead)
    answers = lookups.features(questions, [lookup], past)
    some = np.random.default_rng(seed).choice(questions.height, min(questions.height, 12), replace=False)
    for number in map(int, some):
        question = questions.row(number, named=True)
        for name, station in (("north", "726"), ("south", "k7")):
            for column in ("temp", "rain"):
                for window in ("", *windows):
                    feature = f"sky_{name}_{column}" + (window and f"_{window}")
                    told = by_hand(past, question, station, column, window, ahead=ahead)
                    assert answers[feature][number] == (told if told is None else pytest.approx(told, rel=1e-9))


@pytest.mark.parametrize("every", ["1d", "7d", "1mo"])
@pytest.mark.parametrize("ahead", [False, True])
def test_it_passes_the_exam(every: str, ahead: bool) -> None:  # noqa: FBT001 - a case of two
    past = world(every=every)
    exam(made(past, known_ahead=ahead), asked(past), past)


def test_a_day_is_known_after_its_delay_and_a_missing_one_is_unknown() -> None:
    past = world(lost=0, late=0)
    lookup = made(past, windows=[])
    rows = past.table("gsod").rows
    temp = {row["_event"]: row["temp"] for row in rows.filter(pl.col("station") == "726").iter_rows(named=True)}
    questions = asked(past, 20, 1).head(1)
    # Midnight in Oregon is 07:00 UTC: of the days that ended 48 hours before, the last ended seven hours earlier.
    assert questions["as_of"][0] == datetime(2020, 10, 21, 7, tzinfo=UTC)
    answer = lookups.features(questions, [lookup], past)
    assert answer["sky_north_temp"][0] == pytest.approx(temp[datetime(2020, 10, 18, tzinfo=UTC)])
    assert rows.filter(pl.col("_event") == datetime(2020, 10, 18, tzinfo=UTC))["_available"].max() == datetime(
        2020, 10, 21, tzinfo=UTC
    )
    gone = rows.filter(pl.col("_event") != datetime(2020, 10, 18, tzinfo=UTC))
    table = past.table("gsod")
    without = Past(
        {"gsod": SourceTable("gsod", gone, "UTC", table.delay, table.coverage)},
        past.panel,
    )
    assert lookups.features(questions, [lookup], without)["sky_north_temp"].to_list() == [None]


def test_windows_suit_the_length_of_the_period() -> None:
    def names(every: str) -> list[str]:
        past = world(every=every)
        answer = lookups.features(asked(past).head(2), [made(past, of=["temp"], totals=[])], past)
        return [name for name in answer.columns if "north" in name]

    assert names("1d") == ["sky_north_temp", *(f"sky_north_temp_{window}" for window in ("3d", "7d", "14d", "30d"))]
    assert names("7d") == ["sky_north_temp", *(f"sky_north_temp_{window}" for window in ("14d", "30d", "91d"))]
    assert names("30d") == ["sky_north_temp", *(f"sky_north_temp_{window}" for window in ("91d", "182d", "364d"))]
    assert made(world(every="1d"), of=["temp"]).reach == 30 * DAY  # type: ignore[attr-defined]


def test_without_stations_all_rows_are_of_one_and_every_number_is_read() -> None:
    past = world(lost=0)
    answer = lookups.features(asked(past), [made(past, by=None, stations={}, of=[], totals=[], windows=[])], past)
    assert answer.columns == ["sky_temp", "sky_rain", "sky_day"]


def test_only_what_is_declared_to_be_known_ahead_is_exempt() -> None:
    past = world()
    answer = lookups.features(asked(past), [made(past, known_ahead=True)], past)
    assert lookups.ahead([made(past, known_ahead=True)], answer.columns) == answer.columns
    assert lookups.ahead([made(past)], answer.columns) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"observations": "gsd"}, "features.sky.observations: no source 'gsd'; did you mean 'gsod'?"),
        ({"by": "statoin"}, "features.sky.by: no column 'statoin'; there are: station, temp, rain, day"),
        ({"of": ["tmp"]}, "features.sky.of: no column 'tmp'; there are: station, temp, rain, day"),
        ({"totals": ["day"]}, "features.sky.totals: 'day' is not among the columns that are read: temp, rain"),
        (
            {"stations": {"east": "k8"}},
            "features.sky.stations.east: no row of gsod has station 'k8'; there are: 726, k7, other",
        ),
        (
            {"by": None},
            "features.sky: by and stations belong together: the column that tells stations apart, its values by name",
        ),
    ],
)
def test_what_is_not_there_is_told_with_what_is(options: dict[str, Any], said: str) -> None:
    past = world()
    assert [str(problem) for problem in made(past, **options).check(past)] == [said]
    assert made(past).check(past) == []


def test_an_unknown_option_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ProjectError, match="did you mean 'windows'"):
        made(world(), window=["3d"])
