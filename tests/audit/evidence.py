"""Small hand-made evidence for the checks: ten days of events in one place, and what is asked on each."""

from datetime import UTC, datetime, timedelta

import polars as pl

from asof.data import UTC_TIME

NOON = datetime(2021, 5, 1, 12, tzinfo=UTC)
DAYS = [NOON + timedelta(days=day) for day in range(10)]


def times(values: list[datetime]) -> pl.Series:
    return pl.Series(values, dtype=UTC_TIME)


def rows() -> dict[str, pl.DataFrame]:
    """One event a day at noon, known at once; ``size`` is the number of the day."""
    moments = times(DAYS)
    frame = pl.DataFrame(
        {"_key": [f"k{n}" for n in range(10)], "_event": moments, "_ended": moments, "_available": moments}
    )
    return {"events": frame.with_columns(size=pl.Series(range(10), dtype=pl.Float64))}


def questions() -> pl.DataFrame:
    """One question a day, asked at noon."""
    return pl.DataFrame({"place": ["a"] * 10, "start": times(DAYS), "as_of": times(DAYS)})


def labelled() -> pl.DataFrame:
    """The same with the number of the day as label."""
    return questions().with_columns(label=pl.Series(range(10), dtype=pl.Float64), known_at=pl.col("start"))
