"""Where a source changes in time: holes, periods with too few rows, columns that break off, lasting changes of level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from asof import times
from asof.coverage.stretches import of
from asof.data import UTC_TIME, Coverage, Finding, Severity

Values = npt.NDArray[np.float64]

AROUND: Final = 6
"""A period is compared with the median of this many periods before it and of as many after it."""
FEWEST: Final = 8
"""Periods below which there is nothing to compare with."""
SPREADS: Final = 4.0
"""Robust standard deviations that a difference must exceed."""
MAD_TO_SD: Final = 1.4826
SHARE_STEP: Final = 0.05
"""Smallest difference of a share that is worth a finding."""
ROWS_STEP: Final = 0.2
"""Smallest difference of log(rows a day) that is: a fifth fewer or more."""
LASTING_STEP: Final = 0.2
"""Smallest lasting difference of log(rows a day)."""


@dataclass(frozen=True)
class Periods:
    """The covered periods of a source, in order."""

    names: list[str]
    """``2016-03``, or the first day of a week."""
    days: Values
    """Covered local days of each."""
    rows: Values
    """Rows on those days."""
    shares: dict[str, Values]
    """Share of these rows with a value, by column (or columns that are missing together)."""


def findings(rows: pl.DataFrame, columns: Sequence[str], zone: str, name: str = "source") -> list[Finding]:
    """Find holes, and periods (months, or weeks in short sources) that differ from those around them.

    A period stands out where its rows a day, or its share of rows with a column, lie on the same side of the medians
    of the six periods before and of the six after it by more than four robust standard deviations and a smallest step; a
    level changes where the six periods after a point lie apart from the six before it.

    Args:
        rows: valid rows with ``_event`` (UTC).
        columns: needed columns, such as the coordinates.
        zone: IANA zone whose days and months count.
        name: name of the source, for the findings.

    Returns:
        Findings of the check ``coverage``, in the order of: holes, rows, columns.
    """
    timed = rows.filter(pl.col("_event").is_not_null())
    if timed.is_empty():
        return []
    coverage = of(timed, zone)
    found = _holes(timed, coverage, zone, name)
    for every in ("1mo", "1w"):
        periods = count(timed, columns, coverage, zone, every)
        if len(periods.names) >= FEWEST:
            return found + _of_rows(periods, name) + _of_columns(periods, name)
    return found


def count(rows: pl.DataFrame, columns: Sequence[str], coverage: Coverage, zone: str, every: str) -> Periods:
    """Count covered days, rows and shares of each local period; periods with under a quarter of their days are left out."""
    local = rows.select(pl.col("_event"), *(pl.col(column).is_not_null() for column in columns))
    local = local.with_columns(day=times.local(local["_event"], zone).dt.date())
    marks = [pl.col(column).sum().alias(f"has {column}") for column in columns]
    daily = local.group_by("day").agg(pl.len().alias("rows"), *marks)
    covered = _covered_days(coverage, zone)
    days = covered.join(daily, on="day", how="left").with_columns(pl.all().exclude("day").fill_null(0))
    whole = days.group_by(period=pl.col("day").dt.truncate(every)).agg(
        pl.len().alias("days"), pl.all().exclude("day").sum()
    )
    kept = whole.filter(pl.col("days") >= (7 if every == "1mo" else 2)).sort("period")
    written = kept["period"].dt.strftime("%Y-%m" if every == "1mo" else "%Y-%m-%d").to_list()
    total = kept["rows"].to_numpy().astype(np.float64)
    with np.errstate(invalid="ignore"):
        shares = {column: kept[f"has {column}"].to_numpy() / total for column in columns}
    return Periods(written, kept["days"].to_numpy().astype(np.float64), total, _together(shares))


def _covered_days(coverage: Coverage, zone: str) -> pl.DataFrame:
    bounds = times.local(pl.Series([*coverage.starts, *coverage.ends], dtype=UTC_TIME), zone).dt.date().to_list()
    half = len(coverage.starts)
    spans = [
        pl.date_range(first, until, closed="left", eager=True)
        for first, until in zip(bounds[:half], bounds[half:], strict=True)
    ]
    return pl.DataFrame({"day": pl.concat(spans)})


def _together(shares: dict[str, Values]) -> dict[str, Values]:
    """Join columns that are always missing together, such as latitude and longitude, under one name."""
    joined: dict[bytes, list[str]] = {}
    for column, values in shares.items():
        joined.setdefault(values.tobytes(), []).append(column)
    return {", ".join(names): shares[names[0]] for names in joined.values()}


def _holes(rows: pl.DataFrame, coverage: Coverage, zone: str, name: str) -> list[Finding]:
    """One finding for each stretch between covered ones, and one for the rows before the first."""
    found = []
    before = rows.filter(pl.col("_event") < coverage.start).height
    if before:
        message = f"{before:,} scattered rows lie before {_day(coverage.start, zone)}, where coverage begins; they are not used as periods"
        found.append(Finding("coverage", Severity.NOTE, name, message, before / rows.height, None, before))
    for end, start in zip(coverage.ends[:-1], coverage.starts[1:], strict=True):
        inside = rows.filter(pl.col("_event").is_between(end, start, closed="left")).height
        message = (
            f"hole: {inside:,} rows from {_day(end, zone)} up to {_day(start, zone)} (exclusive), far below what is usual; "
            "these days are unknown, not zero (declare covered: if they are complete)"
        )
        found.append(Finding("coverage", Severity.WARNING, name, message, None, None, inside))
    return found


def _day(moment: object, zone: str) -> str:
    return str(times.local(pl.Series([moment], dtype=UTC_TIME), zone).dt.date()[0])


def _of_rows(periods: Periods, name: str) -> list[Finding]:
    rate = periods.rows / periods.days
    with np.errstate(divide="ignore"):
        values = np.log(np.maximum(rate, 0.5 / periods.days))
    noise = 1 / np.sqrt(np.maximum(periods.rows, 1))
    found = []
    for first, last, usual in _apart(values, noise, ROWS_STEP):
        rates = " and ".join(f"{rate[index]:.3g}" for index in range(first, last + 1)[:6])
        message = (
            f"{_names(periods, first, last)}: {rates} rows a day, against {np.exp(usual):.3g} in the periods around"
        )
        figure = float(rate[first : last + 1].mean())
        found.append(_finding(name, message, figure, float(np.exp(usual)), int(periods.rows[first : last + 1].sum())))
    for at, before, after in _levels(values, noise, LASTING_STEP):
        message = f"level change: {np.exp(after):.3g} rows a day from {periods.names[at]} on, against {np.exp(before):.3g} before"
        found.append(_finding(name, message, float(np.exp(after)), float(np.exp(before)), None))
    return found


def _of_columns(periods: Periods, name: str) -> list[Finding]:
    found = []
    for column, share in periods.shares.items():
        filled = np.nan_to_num(share)
        noise = np.sqrt(np.maximum(filled * (1 - filled), 0.01) / np.maximum(periods.rows, 1))
        for first, last, usual in _apart(filled, noise, SHARE_STEP):
            shares = " and ".join(f"{share[index]:.0%}" for index in range(first, last + 1)[:6])
            message = f"{_names(periods, first, last)}: {shares} of rows have {column}, against {usual:.0%} in the periods around"
            figure = float(np.mean(filled[first : last + 1]))
            rows = int(periods.rows[first : last + 1].sum())
            found.append(_finding(f"{name}.{column}", message, figure, usual, rows))
        for at, before, after in _levels(filled, noise, SHARE_STEP):
            message = f"level change: {after:.0%} of rows have {column} from {periods.names[at]} on, against {before:.0%} before"
            found.append(_finding(f"{name}.{column}", message, after, before, None))
    return found


def _finding(subject: str, message: str, figure: float, limit: float, rows: int | None) -> Finding:
    return Finding("coverage", Severity.WARNING, subject, message, round(figure, 6), round(limit, 6), rows)


def _names(periods: Periods, first: int, last: int) -> str:
    if first == last:
        return periods.names[first]
    return f"{periods.names[first]} {'and' if last == first + 1 else 'to'} {periods.names[last]}"


def _apart(values: Values, noise: Values, step: float) -> list[tuple[int, int, float]]:
    """Runs of periods that lie apart from those before and after, on one side: first, last, what is usual around."""
    side, usual = np.zeros(len(values)), np.zeros(len(values))
    for index in range(len(values)):
        medians, limits = [], []
        for part in (values[max(index - AROUND, 0) : index], values[index + 1 : index + 1 + AROUND]):
            if len(part) >= 3:
                middle = float(np.median(part))
                spread = MAD_TO_SD * float(np.median(np.abs(part - middle)))
                medians.append(middle)
                limits.append(max(step, SPREADS * spread, SPREADS * noise[index]))
        gaps = [values[index] - middle for middle in medians]
        if medians and all(abs(gap) > limit and gap * gaps[0] > 0 for gap, limit in zip(gaps, limits, strict=True)):
            side[index], usual[index] = np.sign(gaps[0]), np.mean(medians)
    runs: list[tuple[int, int, float]] = []
    for index in np.flatnonzero(side):
        if runs and runs[-1][1] == index - 1 and side[index] == side[index - 1]:
            runs[-1] = (runs[-1][0], int(index), runs[-1][2])
        else:
            runs.append((int(index), int(index), float(usual[index])))
    return runs


def _levels(values: Values, noise: Values, step: float) -> list[tuple[int, float, float]]:
    """Points from which on the level is another: index of the first period after it, level before, level after."""
    scores = np.zeros(len(values))
    levels: dict[int, tuple[float, float]] = {}
    for at in range(4, len(values) - 3):
        before, after = np.sort(values[max(at - AROUND, 0) : at]), np.sort(values[at : at + AROUND])
        gap = float(np.median(after) - np.median(before))
        # Apart but for one period on each side, so that a single odd one neither makes nor hides a change.
        clear = before[1] > after[-2] if gap < 0 else before[-2] < after[1]
        if clear and abs(gap) > max(step, SPREADS * float(noise[at])):
            pooled = np.concatenate([before - np.median(before), after - np.median(after)])
            scores[at] = abs(gap) / (MAD_TO_SD * float(np.median(np.abs(pooled))) + step / SPREADS)
            levels[at] = (float(np.median(before)), float(np.median(after)))
    return [
        (at, *level)
        for at, level in levels.items()
        if scores[at] == scores[max(at - AROUND, 0) : at + AROUND + 1].max()
    ]
