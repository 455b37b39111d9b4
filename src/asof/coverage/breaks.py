"""Where a source changes in time: holes, odd periods, columns that break off, lasting changes of level."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from asof import times
from asof.coverage.stretches import holidays, of
from asof.coverage.timelines import Timeline
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
YEARS: Final = 3
"""Years of months from which the season of the rows is known, and taken out."""


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
    year: int
    """Periods in a year."""


def findings(
    rows: pl.DataFrame | Timeline,
    columns: Sequence[str],
    zone: str,
    *,
    name: str = "source",
    others: Sequence[str] = (),
    covered: Sequence[tuple[date, date]] = (),
) -> list[Finding]:
    """Find holes, and periods (months, or weeks in short sources) that differ from those around them.

    A period stands out where its rows a day, or its share of rows with a column, lie on the same side of the medians
    of the six periods before and of the six after it by a smallest step (a fifth of the rows, 5 % of the share) and
    by four robust standard deviations of the quieter side. A level changes where six periods after a point lie apart
    from the six before it; periods that stand out by themselves are left aside for that.

    Args:
        rows: valid rows with ``_event`` (UTC), or their timeline with ``columns`` and ``others``.
        columns: needed columns, such as the coordinates: a break in them is a warning.
        zone: IANA zone whose days and months count.
        name: name of the source, for the findings.
        others: further columns: a break in them is a note.
        covered: stretches declared to be complete: what looks like a hole in them is none.

    Returns:
        Findings of the check ``coverage``, in the order of: holes, holidays, rows, columns.
    """
    line = rows if isinstance(rows, Timeline) else Timeline.of(rows, zone, [*columns, *others])
    if line.days.is_empty():
        return []
    coverage = of(line, zone, covered)
    found = [] if covered else [*_holes(line, coverage, zone, name), *_holidays(line, coverage, zone, name)]
    for every in ("1mo", "1w"):
        periods = count(line, [*columns, *others], coverage, zone, every)
        if len(periods.names) >= FEWEST:
            return found + _of_rows(periods, name) + _of_columns(periods, name, set(columns))
    return found


def count(line: Timeline, columns: Sequence[str], coverage: Coverage, zone: str, every: str) -> Periods:
    """Count covered days, rows and shares of each local period (``1mo``, ``1w``) with a quarter of its days covered."""
    covered = _covered_days(coverage, zone)
    days = covered.join(line.days, on="day", how="left").with_columns(pl.all().exclude("day").fill_null(0))
    whole = days.group_by(period=pl.col("day").dt.truncate(every)).agg(
        pl.len().alias("days"), pl.all().exclude("day").sum()
    )
    kept = whole.filter(pl.col("days") >= (7 if every == "1mo" else 2)).sort("period")
    written = kept["period"].dt.strftime("%Y-%m" if every == "1mo" else "%Y-%m-%d").to_list()
    total = kept["rows"].to_numpy().astype(np.float64)
    with np.errstate(invalid="ignore"):
        shares = {column: kept[f"has {column}"].to_numpy() / total for column in columns}
    return Periods(
        written, kept["days"].to_numpy().astype(np.float64), total, _together(shares), 12 if every == "1mo" else 52
    )


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


def _holes(line: Timeline, coverage: Coverage, zone: str, name: str) -> list[Finding]:
    """One finding for each stretch between covered ones, and one for the rows before the first."""
    found = []
    before = _between(line, None, coverage.start, zone)
    if before:
        begin = _day(coverage.start, zone)
        message = (
            f"{before:,} rows lie before {begin}, where coverage begins: too few a day; periods before it are unknown"
        )
        found.append(
            Finding("coverage", Severity.NOTE, name, message, before / int(line.days["rows"].sum()), None, before)
        )
    for end, start in zip(coverage.ends[:-1], coverage.starts[1:], strict=True):
        inside = _between(line, end, start, zone)
        message = (
            f"hole: {inside:,} rows from {_day(end, zone)} up to {_day(start, zone)} (exclusive), far fewer "
            "than usual: these days are unknown, not zero (declare covered: if they are complete)"
        )
        found.append(Finding("coverage", Severity.WARNING, name, message, None, None, inside))
    return found


def _between(line: Timeline, first: datetime | None, until: datetime, zone: str) -> int:
    """Rows from one local midnight up to another."""
    inside = pl.col("day") < _date(until, zone)
    inside = inside if first is None else inside & (pl.col("day") >= _date(first, zone))
    return int(line.days.filter(inside)["rows"].sum())


def _holidays(line: Timeline, coverage: Coverage, zone: str, name: str) -> list[Finding]:
    """One finding for the busy days without rows that count as zeros."""
    days = [str(day) for day in holidays(line) if times.midnight(day, zone) < coverage.end]
    if not days:
        return []
    shown = ", ".join(days[:6]) + (", …" if len(days) > 6 else "")
    message = (
        f"{len(days)} busy days have hardly a row ({shown}): the source rests on some weekdays, so these are taken "
        "for holidays and count as zeros (declare covered: to say which days are complete)"
    )
    return [Finding("coverage", Severity.NOTE, name, message, None, None, len(days))]


def _day(moment: datetime, zone: str) -> str:
    return str(_date(moment, zone))


def _date(moment: datetime, zone: str) -> date:
    found: date = times.local(pl.Series([moment], dtype=UTC_TIME), zone).dt.date()[0]
    return found


def _of_rows(periods: Periods, name: str) -> list[Finding]:
    rate = periods.rows / periods.days
    values = np.log(np.maximum(rate, 0.5 / periods.days))
    season = _season(values, periods)
    noise = 1 / np.sqrt(np.maximum(periods.rows, 1))
    odd = _apart(values - season, noise, ROWS_STEP)
    found = []
    for first, last, usual in odd:
        around = float(np.exp(usual + season[first]))
        rates = _listed([f"{value:.3g}" for value in rate[first : last + 1]])
        message = f"{_names(periods, first, last)}: {rates} rows a day, against {around:.3g} in the periods around"
        rows = int(periods.rows[first : last + 1].sum())
        found.append(_finding(name, message, float(rate[first : last + 1].mean()), around, rows))
    for at, low, high in _levels(values - season, odd, noise, ROWS_STEP):
        before, after = float(np.exp(low)), float(np.exp(high))
        message = f"level change: {after:.3g} rows a day from {periods.names[at]} on, against {before:.3g} before"
        found.append(_finding(name, message, after, before, None))
    return found


def _of_columns(periods: Periods, name: str, needed: set[str]) -> list[Finding]:
    found = []
    for column, values in periods.shares.items():
        severity = Severity.WARNING if needed.intersection(column.split(", ")) else Severity.NOTE
        share = np.nan_to_num(values)
        noise = np.sqrt(np.maximum(share * (1 - share), 0.01) / np.maximum(periods.rows, 1))
        odd = _apart(share, noise, SHARE_STEP)
        for first, last, usual in odd:
            shares = _listed([f"{value:.0%}" for value in share[first : last + 1]])
            have = f"{shares} of rows have {column}, against {usual:.0%} in the periods around"
            message = f"{_names(periods, first, last)}: {have}"
            figure = float(np.mean(share[first : last + 1]))
            rows = int(periods.rows[first : last + 1].sum())
            found.append(_finding(f"{name}.{column}", message, figure, usual, rows, severity))
        for at, before, after in _levels(share, odd, noise, SHARE_STEP):
            have = f"{after:.0%} of rows have {column} from {periods.names[at]} on, against {before:.0%} before"
            found.append(_finding(f"{name}.{column}", f"level change: {have}", after, before, None, severity))
    return found


def _finding(
    subject: str, message: str, figure: float, limit: float, rows: int | None, severity: Severity = Severity.WARNING
) -> Finding:
    return Finding("coverage", severity, subject, message, round(figure, 6), round(limit, 6), rows)


def _names(periods: Periods, first: int, last: int) -> str:
    return (
        periods.names[first]
        if first == last
        else (f"{periods.names[first]} {'and' if last == first + 1 else 'to'} {periods.names[last]}")
    )


def _listed(figures: list[str]) -> str:
    shown = figures if len(figures) <= 6 else [*figures[:5], "…", figures[-1]]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _season(values: Values, periods: Periods) -> Values:
    """What each month of the year adds to log(rows a day): the median over the years of its distance from its year."""
    if periods.year != 12 or len(values) < 12 * YEARS:
        return np.zeros(len(values))
    level = np.array([np.median(values[max(at - 6, 0) : at + 7]) for at in range(len(values))])
    months = np.array([int(name[-2:]) for name in periods.names])
    return np.array([np.median((values - level)[months == month]) for month in months])


def _apart(values: Values, noise: Values, step: float) -> list[tuple[int, int, float]]:
    """Runs of periods that lie apart from those before and after, on one side: first, last, what is usual around."""
    side, usual = np.zeros(len(values)), np.zeros(len(values))
    for at in range(len(values)):
        parts = [
            part for part in (values[max(at - AROUND, 0) : at], values[at + 1 : at + 1 + AROUND]) if len(part) >= 3
        ]
        medians = np.array([np.median(part) for part in parts])
        # The quieter side: the other may hold the rest of the break, or another level.
        spread = min(_spread(part) for part in parts)
        gaps = values[at] - medians
        limit = max(step, SPREADS * spread, SPREADS * float(noise[at]))
        if (np.abs(gaps) > limit).all() and (gaps * gaps[0] > 0).all():
            side[at], usual[at] = np.sign(gaps[0]), medians.mean()
    runs: list[tuple[int, int, float]] = []
    for at in np.flatnonzero(side).tolist():
        if runs and runs[-1][1] == at - 1 and side[at] == side[at - 1]:
            runs[-1] = (runs[-1][0], at, runs[-1][2])
        else:
            runs.append((at, at, float(usual[at])))
    return runs


def _levels(
    values: Values, odd: Sequence[tuple[int, int, float]], noise: Values, step: float
) -> list[tuple[int, float, float]]:
    """Points from which on the level is another: index of the first period after it, level before, level after."""
    apart = {at for first, last, _ in odd for at in range(first, last + 1)}
    steady = np.array([at for at in range(len(values)) if at not in apart])
    scores = np.zeros(len(steady))
    levels: list[int] = []
    for index in range(4, len(steady) - 3):
        before = np.sort(values[steady[max(index - AROUND, 0) : index]])
        after = np.sort(values[steady[index : index + AROUND]])
        gap = float(np.median(after) - np.median(before))
        # Apart but for one period on each side, so that a single odd one neither makes nor hides a change.
        clear = before[1] > after[-2] if gap < 0 else before[-2] < after[1]
        spread = _spread(np.concatenate([before - np.median(before), after - np.median(after)]))
        if clear and abs(gap) > max(step, SPREADS * spread, SPREADS * float(noise[steady[index]])):
            scores[index] = abs(gap) / (spread + step)
            levels.append(index)
    best = [index for index in levels if scores[index] == scores[max(index - AROUND, 0) : index + AROUND + 1].max()]
    return [_placed(values[steady], steady, index) for index in best]


def _placed(values: Values, steady: npt.NDArray[np.int64], index: int) -> tuple[int, float, float]:
    """The point near ``index`` that divides its surroundings best (least absolute deviations), and both levels."""
    first, last = max(index - AROUND, 0), min(index + AROUND, len(values))
    costs = {}
    for at in range(max(index - 2, first + 2), min(index + 2, last - 2) + 1):
        before, after = values[first:at], values[at:last]
        costs[at] = float(np.abs(before - np.median(before)).sum() + np.abs(after - np.median(after)).sum())
    at = min(costs, key=lambda point: costs[point])
    return int(steady[at]), float(np.median(values[first:at])), float(np.median(values[at:last]))


def _spread(values: Values) -> float:
    return MAD_TO_SD * float(np.median(np.abs(values - np.median(values))))
