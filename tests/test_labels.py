"""Labels: the truth of each question, by definition, and when it could be known."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof.data import UTC_TIME, Coverage, SourceTable
from asof.errors import DataError
from asof.labels import labels
from asof.ledgers import Past
from asof.panels import Panel, questions
from asof.places import Places
from asof.times import Step

ZONE = "America/New_York"
FIRST = datetime(2019, 3, 8, 5, tzinfo=UTC)
LAST = datetime(2019, 3, 13, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def source(rows: list[tuple[str | None, datetime, float | None]], **more: object) -> SourceTable:
    """Rows of (place, start of the minute, value)."""
    frame = pl.DataFrame(rows, schema={"_place": pl.String, "_event": UTC_TIME, "value": pl.Float64}, orient="row")
    frame = frame.with_columns(
        _key=pl.int_range(pl.len()).cast(pl.String), _ended=pl.col("_event") + MINUTE, words=pl.lit("text")
    )
    frame = frame.with_columns(_available=pl.col("_ended"), _first_seen=pl.col("_ended"))
    settings: dict[str, object] = {"zone": ZONE, "delay": timedelta(0), "coverage": Coverage((FIRST,), (LAST,))}
    return SourceTable("events", frame.sort("_ended", "_available", "_key"), **(settings | more))  # type: ignore[arg-type]


def asked(table: SourceTable, measure: str = "count", every: str = "1d", column: str | None = None) -> pl.DataFrame:
    panel = Panel(
        Places(pl.Series(["a", "b"])),
        Step.parse(every),
        ZONE,
        "events",
        measure,
        column,  # type: ignore[arg-type]
    )
    found = questions(panel, FIRST, LAST)
    return found.hstack(labels(found, Past({"events": table}, panel)))


def of(frame: pl.DataFrame, place: str) -> list[float | None]:
    return frame.filter(pl.col("place") == place)["label"].to_list()


def test_places_without_rows_are_zeros_and_rows_outside_do_not_count() -> None:
    noon = FIRST + timedelta(hours=12)
    frame = asked(
        source([("a", noon, None), ("a", noon, None), ("a", noon + timedelta(days=1), None), (None, noon, None)])
    )
    assert of(frame, "a") == [2.0, 1.0, 0.0, 0.0, 0.0]
    assert of(frame, "b") == [0.0] * 5
    assert frame.schema["label"] == pl.Float64
    assert frame.schema["known_at"] == UTC_TIME


def test_the_first_minute_of_a_day_is_that_days_and_its_last_minute_too() -> None:
    second = FIRST + timedelta(days=1)
    rows = [("a", FIRST, None), ("a", second - MINUTE, None), ("a", second, None)]
    assert of(asked(source(rows)), "a") == [2.0, 1.0, 0.0, 0.0, 0.0]


def test_sums_means_and_maxima_leave_missing_values_out() -> None:
    noon = FIRST + timedelta(hours=12)
    next_noon = noon + timedelta(days=1)
    rows = [("a", noon, 2.0), ("a", noon, 5.0), ("a", noon, None), ("a", noon, math.nan), ("a", next_noon, None)]
    assert of(asked(source(rows), "sum", column="value"), "a") == [7.0, 0.0, 0.0, 0.0, 0.0]
    assert of(asked(source(rows), "mean", column="value"), "a") == [3.5, None, None, None, None]
    assert of(asked(source(rows), "max", column="value"), "a") == [5.0, None, None, None, None]
    assert of(asked(source(rows), "max", column="value"), "b") == [None] * 5


def test_a_period_that_is_not_covered_whole_is_unknown_and_not_zero() -> None:
    hole = FIRST + timedelta(days=1, hours=3)
    covered = Coverage((FIRST, hole + timedelta(hours=1)), (hole, LAST - timedelta(hours=1)))
    frame = asked(source([("a", FIRST + timedelta(days=1, hours=12), None)], coverage=covered))
    assert of(frame, "a") == [0.0, None, 0.0, 0.0, None]


def test_a_label_is_known_when_its_period_and_the_delay_are_over() -> None:
    frame = asked(source([("a", FIRST, None)], delay=timedelta(days=1)))
    # the day after 2019-03-09 has 23 hours: the delay is a day of the calendar
    assert frame["known_at"].unique().sort().to_list()[:3] == [
        datetime(2019, 3, 10, 5, tzinfo=UTC),
        datetime(2019, 3, 11, 4, tzinfo=UTC),
        datetime(2019, 3, 12, 4, tzinfo=UTC),
    ]
    hours = asked(source([("a", FIRST, None)], delay=timedelta(hours=3)))
    assert hours["known_at"].min() == FIRST + timedelta(hours=27)


def test_what_was_known_at_a_cut_has_no_labels_after_it() -> None:
    table = source([("a", FIRST + timedelta(days=day), None) for day in range(4)])
    panel = Panel(Places(pl.Series(["a"])), Step.parse("1d"), ZONE, "events")
    found = questions(panel, FIRST, LAST)
    known = labels(found, Past({"events": table}, panel).known(FIRST + timedelta(days=2, hours=3)))
    assert known["label"].to_list() == [1.0, 1.0, None, None, None]


def test_they_are_in_the_order_of_the_questions_and_agree_with_a_loop() -> None:
    random = np.random.default_rng(5)
    rows = [
        (str(random.choice(["a", "b", "c"])), FIRST + MINUTE * int(random.integers(-600, 7200)), float(random.normal()))
        for _ in range(500)
    ]
    frame = asked(source(rows), "sum", "6h", "value").sample(fraction=1, shuffle=True, seed=1)
    table = source(rows)
    panel = Panel(Places(pl.Series(["a", "b"])), Step.parse("6h"), ZONE, "events", "sum", "value")
    again = labels(frame.drop("label", "known_at"), Past({"events": table}, panel))
    for row, label in zip(frame.iter_rows(named=True), again["label"], strict=True):
        expected = sum(
            value
            for place, event, value in rows
            if place == row["place"] and row["start"] < event + MINUTE <= row["end"]
        )
        assert label == (pytest.approx(expected, abs=1e-12) if row["end"] <= LAST else None)
        assert row["label"] == label


def test_a_source_of_days_cannot_answer_hours() -> None:
    day = timedelta(days=1)
    table = source([("a", FIRST, None)])
    dates = table.rows.with_columns(_ended=pl.col("_event") + day)
    with pytest.raises(
        DataError, match=r"events: half of its rows state times no finer than 1 day.*1h; choose a longer"
    ):
        asked(SourceTable("events", dates, ZONE, timedelta(0), table.coverage), every="1h")


def test_a_column_that_is_missing_or_no_number_is_named() -> None:
    table = source([("a", FIRST, 1.0)])
    with pytest.raises(DataError, match=r"events: no column 'valu' to take the sum of; did you mean 'value'\?"):
        asked(table, "sum", column="valu")
    with pytest.raises(DataError, match=r"events\.words is String, not a number"):
        asked(table, "sum", column="words")


def test_periods_that_overlap_are_refused() -> None:
    table = source([("a", FIRST, None)])
    panel = Panel(Places(pl.Series(["a"])), Step.parse("1d"), ZONE, "events")
    found = questions(panel, FIRST, LAST).with_columns(pl.col("end") + timedelta(hours=1))
    with pytest.raises(DataError, match="the periods of the questions overlap"):
        labels(found, Past({"events": table}, panel))


def test_a_source_without_rows_is_zero_where_covered() -> None:
    assert of(asked(source([])), "a") == [0.0] * 5
