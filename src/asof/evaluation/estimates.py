"""Estimates: a figure with the interval that dependence within periods and within places leaves it."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import DataError

Floats = NDArray[np.float64]
WEEK_US = 7 * 86_400_000_000
BUNDLES = 5000
"""Rows without place and period are resampled in at most this many bundles."""
TOGETHER = 100_000
"""So many blocks are drawn at once: a call for each draw takes longer than the draws."""
KEPT = 1_000_000
"""Tables of draws are kept for who asks for the same ones again, where they have at most so many cells."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn."""

    draws: int = 1000
    seed: int = 20
    level: float = 0.95
    """Share of the draws within the interval."""
    block: int | None = None
    """Periods in a block; none: a week's worth, and never more than a quarter of the periods."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; ``low`` and ``high`` are not numbers where there is nothing to resample."""

    value: float
    low: float
    high: float
    draws: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    """Resampled values, from which differences of estimates are made."""

    def plain(self) -> dict[str, float]:
        """Return ``value``, ``low`` and ``high``."""
        return {"value": self.value, "low": self.low, "high": self.high}


def estimate(
    answers: pl.DataFrame,
    parts: Sequence[Floats],
    statistic: Callable[..., Floats],
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """Value and interval of a statistic of weighted means, under dependence within periods and within places.

    Periods are resampled in moving blocks (Künsch 1989) and places one by one; the two variances are added and what
    both contain, the variance between single place-periods, is taken off once (Cameron, Gelbach and Miller 2011),
    because resampling both at once triples the part of pure noise (Owen 2007). Only sums per period and per place are
    resampled, so the cost hardly depends on the number of rows.

    Args:
        answers: n rows; ``start`` and ``place`` tell the units. Where both are missing or the same everywhere, groups
            (``group``), or rows answered more than once (``unit``), are resampled whole, else row by row.
        parts: columns of n values.
        statistic: weighted means of the columns (numbers, or arrays of one shape) -> the figure.
        bootstrap: how it is drawn; none: the usual way.
    """
    how = bootstrap or Bootstrap()
    columns = _weighted(answers, parts)
    total = columns.sum(axis=0)
    value = float(statistic(*(total[:-1] / total[-1])))
    cells, periods, places = _sums(answers, columns)
    # Other periods are drawn otherwise, the same number of places always alike: see ``optimism``.
    first = answers["start"].to_physical().min() if periods is not None else 0
    when = abs(int(first)) if isinstance(first, int | float) else 0
    drawn = (
        _drawn(periods, statistic, _week(answers, periods, how), (how.draws, how.seed, when)),
        _drawn(places, statistic, 1, (how.draws, how.seed, 0)),
    )
    moved = [each - value for each in drawn if each is not None and np.isfinite(each).any()]
    if not moved or not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"))
    variances = [float(np.nanvar(each)) for each in moved]
    apart = float(np.sum(_influence(cells, statistic) ** 2)) if len(moved) == 2 else 0.0
    both = max(sum(variances) - apart, *variances, 0)
    shrink = np.sqrt(both / sum(variances)) if sum(variances) > 0 else 0.0
    return between(value, value + shrink * np.sum(moved, axis=0), how.level)


def between(value: float, draws: Floats, level: float) -> Estimate:
    """Return a value with the interval that holds ``level`` of its draws."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), draws)


def _sums(answers: pl.DataFrame, columns: Floats) -> tuple[Floats, Floats | None, Floats | None]:
    """Sums per place-period, per period in the order of time, and per place (or group, or bundle of single rows)."""
    names = [f"_{index}" for index in range(columns.shape[1])]
    values = [pl.Series(name, columns[:, index]) for index, name in enumerate(names)]
    units: list[str] = [name for name in ("start", "place") if name in answers.columns and answers[name].n_unique() > 1]
    alone = next((name for name in ("group", "unit") if name in answers.columns), None)
    if not units and alone is not None:
        units = [alone]
    if not units and not {"start", "place"} & set(answers.columns):
        bundles = pl.DataFrame(values).group_by(pl.int_range(pl.len()) % BUNDLES, maintain_order=True)
        return columns, None, bundles.agg(pl.col(names).sum()).select(names).to_numpy()
    if not units:
        return columns.sum(axis=0, keepdims=True), None, None
    cells = answers.select(units).with_columns(values).group_by(units, maintain_order=True).agg(pl.col(names).sum())
    cells = cells.sort(units)
    sums: dict[str, Floats] = {}
    for unit in units:
        grouped = cells.group_by(unit, maintain_order=True).agg(pl.col(names).sum()).sort(unit)
        if grouped.height > 1:
            sums[unit] = grouped.select(names).to_numpy()
    return cells.select(names).to_numpy(), sums.get("start"), sums.get("place", sums.get(alone or ""))


def _week(answers: pl.DataFrame, periods: Floats | None, how: Bootstrap) -> int:
    """Periods in a block: a week's worth, because days of the week differ, and at least four blocks."""
    if periods is None:
        return 1
    if how.block is not None:
        return max(1, min(how.block, len(periods)))
    step = answers["start"].unique().sort().to_physical().diff().median()
    unit = {"us": 1, "ms": 1_000, "ns": 1e-3}[getattr(answers["start"].dtype, "time_unit", "us")]
    week = round(WEEK_US / (float(step) * unit)) if isinstance(step, int | float) and step > 0 else 1
    return max(1, min(week, len(periods) // 4))


def _drawn(
    sums: Floats | None, statistic: Callable[..., Floats], length: int, random: tuple[int, int, int]
) -> Floats | None:
    """Values of the statistic when blocks of ``length`` units are drawn with replacement; blocks wrap round.

    ``random``: number of draws, seed, and what else the draws depend on.
    """
    if sums is None:
        return None
    draws, *seeds = random
    how = (len(sums), length, draws, (*seeds,))
    often = _kept(*how) if len(sums) * draws <= KEPT else _often(*how)
    totals = np.empty((draws, sums.shape[1]))
    for draw, counts in enumerate(often):
        totals[draw] = counts @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(statistic(*(totals[:, :-1] / totals[:, -1:]).T), dtype=np.float64)


def _often(count: int, length: int, draws: int, seeds: tuple[int, ...]) -> Iterator[Floats]:
    """How often each of ``count`` units stands in each draw."""
    generator = np.random.default_rng([*seeds, length, count])
    steps = np.arange(length)
    blocks = -(-count // length)
    together = max(1, TOGETHER // blocks)
    for begin in range(0, draws, together):
        for first in generator.integers(0, count, (min(together, draws - begin), blocks)):
            chosen = ((first[:, None] + steps) % count).reshape(-1)[:count]
            yield np.bincount(chosen, minlength=count).astype(np.float64)


@functools.lru_cache(maxsize=8)
def _kept(count: int, length: int, draws: int, seeds: tuple[int, ...]) -> Floats:
    """The same as a table: each metric of each candidate asks for the same draws of the same units."""
    return np.stack([*_often(count, length, draws, seeds)])


def _influence(units: Floats, statistic: Callable[..., Floats]) -> Floats:
    """How far each unit's sums move the statistic, by its slope (delta method); n values that sum to 0."""
    total = units.sum(axis=0)
    means = total[:-1] / total[-1]
    moved = (units[:, :-1] - units[:, -1:] * means) / total[-1]
    slope = np.empty(len(means))
    for index in range(len(means)):
        step = 1e-4 * max(abs(means[index]), float(np.sqrt(np.mean(moved[:, index] ** 2))) * len(units), 1e-12)
        up, down = means.copy(), means.copy()
        up[index] += step
        down[index] -= step
        slope[index] = (float(statistic(*up)) - float(statistic(*down))) / (2 * step)
    return np.asarray(moved @ slope, dtype=np.float64)


def batches(
    answers: pl.DataFrame,
    parts: Sequence[Floats],
    statistic: Callable[..., Floats],
    bootstrap: Bootstrap | None = None,
) -> tuple[float, Floats]:
    """Value of a statistic of weighted means, and how far each batch of periods moves it: b values that sum to 0.

    A batch is a block of ``estimate``, without overlap: a week's worth of periods, and at least four batches. Places
    are not taken apart, as they stay the same; rows without time are batched by place, else in bundles. Arguments as
    those of ``estimate``.
    """
    how = bootstrap or Bootstrap()
    columns = _weighted(answers, parts)
    total = columns.sum(axis=0)
    cells, periods, places = _sums(answers, columns)
    units = periods if periods is not None else places if places is not None else cells
    count = max(len(units) // _week(answers, periods, how), 1)
    moved = [float(part.sum()) for part in np.array_split(_influence(units, statistic), count)]
    return float(statistic(*(total[:-1] / total[-1]))), np.array(moved)


def _weighted(answers: pl.DataFrame, parts: Sequence[Floats]) -> Floats:
    weight = numbers(answers, "weight") if "weight" in answers.columns else np.ones(answers.height)
    return np.stack([*(np.asarray(part) * weight for part in parts), weight], axis=1)


def numbers(answers: pl.DataFrame, column: str) -> Floats:
    """Read a column of answers: n numbers, or n x k probabilities of classes; raises DataError where it is none."""
    if column not in answers.columns:
        raise DataError(f"answers have no column {column!r}; there are {', '.join(answers.columns)}")
    told = answers[column]
    # probabilities of classes are rows of k
    return told.to_numpy() if isinstance(told.dtype, pl.Array) else told.cast(pl.Float64).to_numpy()
