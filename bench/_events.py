"""Made events for measurements: the collisions of New York, repeated in shifted years and at jittered places."""

import calendar
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "nyc_collisions"
YEARS = ("2012-2014", "2015-2017", "2018-2020")
WHOLE = (2013, 2019)
"""Years of which every month is there."""
LAST = (2020, 2)
"""Year and month in which the made events end, whatever their number."""
A_MONTH = 125_000
"""Events a month: the more events, the more years, so that a million of them looks alike wherever it lies."""
APART_DEGREES = 0.002
"""Standard deviation of the jitter: 200 m."""


def collisions() -> pl.DataFrame:
    """Crashes of 2013..2019: month, day, ``time``, ``latitude``, ``longitude``, ``injured``, in the order of days."""
    wanted = {"CRASH DATE": "date", "CRASH TIME": "time", "LATITUDE": "latitude", "LONGITUDE": "longitude"}
    wanted |= {"NUMBER OF PERSONS INJURED": "injured"}
    parts = []
    for years in YEARS:
        frame = pl.read_csv(DATA / f"nyc_collisions_{years}.csv.gz", infer_schema=False, truncate_ragged_lines=True)
        names = {name.upper().replace("_", " "): name for name in frame.columns}
        parts.append(frame.select(pl.col(names[column]).alias(name) for column, name in wanted.items()))
    rows = pl.concat(parts).with_columns(
        pl.col("date").str.to_date("%m/%d/%Y", strict=False),
        pl.col("latitude", "longitude").cast(pl.Float64, strict=False),
        pl.col("injured").cast(pl.Int64, strict=False),
    )
    rows = rows.drop_nulls("date").filter(pl.col("date").dt.year().is_between(*WHOLE))
    day = {"month": pl.col("date").dt.month(), "day": pl.col("date").dt.day()}
    return rows.select(**day, time="time", latitude="latitude", longitude="longitude", injured="injured")


def months(count: int) -> list[tuple[int, int]]:
    """Years and months that ``count`` events take up, in order; the last is ``LAST``."""
    last = LAST[0] * 12 + LAST[1] - 1
    first = last - -(-count // A_MONTH) + 1
    return [(number // 12, number % 12 + 1) for number in range(first, last + 1)]


def month(base: pl.DataFrame, year: int, number: int, count: int = A_MONTH) -> pl.DataFrame:
    """Events of one month in the order of days: ``collision_id``, ``crash_date``, ``crash_time``, place, injured."""
    draw = np.random.default_rng([20, year, number])
    like = base.filter(pl.col("month") == number)
    rows = like[np.sort(draw.integers(like.height, size=count))].sort("day", maintain_order=True)
    last = calendar.monthrange(year, number)[1]
    day = pl.lit(date(year, number, 1)) + pl.duration(days=pl.min_horizontal("day", pl.lit(last)) - 1)
    apart = {name: pl.col(name) + draw.normal(0, APART_DEGREES, count) for name in ("latitude", "longitude")}
    return rows.select(
        collision_id=pl.int_range(count) + (year * 12 + number) * 10_000_000,
        crash_date=day.dt.strftime("%Y-%m-%d"),
        crash_time="time",
        **{name: value.round(6) for name, value in apart.items()},
        injured="injured",
    )


def write(folder: Path, count: int) -> int:
    """Write ``count`` events as Parquet files, one a year, into ``folder``; returns the bytes that they take up."""
    base = collisions()
    left, size = count, 0
    years: dict[int, list[int]] = {}
    for year, number in months(count):
        years.setdefault(year, []).append(number)
    for year, numbers in reversed(years.items()):
        parts = []
        for number in reversed(numbers):
            made = min(A_MONTH, left)
            parts.append(month(base, year, number, A_MONTH)[A_MONTH - made :])
            left -= made
        file = folder / f"crashes_{year}.parquet"
        pl.concat(reversed(parts)).write_parquet(file)
        size += file.stat().st_size
    return size


def one_day(folder: Path) -> int:
    """Write the events of the day that follows as a further file; returns how many there are."""
    following = LAST[0], LAST[1] + 1
    rows = month(collisions(), *following)
    rows = rows.filter(pl.col("crash_date") == rows["crash_date"][0])
    rows.write_parquet(folder / f"crashes_{LAST[0]}_next.parquet")
    return rows.height
