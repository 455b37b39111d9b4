"""Stretches: how far the questions served differ from those learnt from, and how far stretches used to differ.

The questions served are asked again a week earlier, two weeks earlier and so on: the same places, days of the week and
horizons, each with the features of its own moment. A look compares one stretch with those that were the last to be
learnt from before it. The first look is that of today; all others lie before the cut of the release and show how far
stretches differ when nothing is wrong: season, holidays and chance are in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.monitoring.alarms import Test

Floats = NDArray[np.float64]
BINS = 20
"""Values of a column are counted in so many bins of equal size."""
LEAST_APART = 0.01
"""Shares that differ by less are the same."""
LEAST_MOVED = 0.02
"""So are means that differ by less than this part of the spread."""
LEAST_SHARE = 0.03
"""Shares of missing, new and repeated values are taken to move by so much even where they never did."""
LEAST_SLOTS = 4
"""A profile of fewer parts of the day says nothing of a clock."""


@dataclass(frozen=True)
class Stretches:
    """n questions in stretches: 0 is served, 1 and up are earlier ones, the older the higher."""

    number: NDArray[np.int64]
    """n: the stretch of each question."""
    count: int
    """How many there are."""
    overlap: int = 1
    """How many stretches hold the same question."""
    day: NDArray[np.int64] | None = None
    """n: the day of each question; without days, each question is one by itself."""


@dataclass(frozen=True)
class Look:
    """A stretch held against the stretches that were learnt from last."""

    served: int
    learnt: tuple[int, ...]


def looks(count: int, gap: int, learnt: int = 4) -> tuple[Look, ...]:
    """The look of today, and all that could have been made before the cut, the newest first.

    Args:
        count: stretches, that which is served included.
        gap: so many steps before the stretch served lies the first one that was wholly known at the cut.
        learnt: how many stretches of what was learnt it is held against.
    """
    newest = [0, *range(gap, count - gap)]
    return tuple(
        Look(at, tuple(range(at + gap, min(at + gap + learnt, count)))) for at in newest if at + gap + learnt <= count
    )


def columns(
    features: pl.DataFrame,
    stretches: Stretches,
    every: Sequence[Look],
    weights: Mapping[str, float],
    earlier: pl.DataFrame | None = None,
) -> list[Test]:
    """Tests for each column with a weight.

    ``input``: other values, by the distance of Kolmogorov and Smirnov between counts in bins; of texts that of total
    variation. ``level``: another mean (of numbers). ``missing``: a larger share of missing values. ``new``: a text
    that had never been met. ``stuck``: more values that repeat the one before; needs ``earlier``.

    Args:
        features: n rows.
        stretches: of the n.
        every: the looks.
        weights: how much the model goes by each column.
        earlier: n, the features of the question that came before each; null: none.
    """
    made = []
    for name, weight in weights.items():
        if weight <= 0:
            continue
        codes, ordered = _codes(features[name], stretches)
        counts = _counted(codes, stretches)
        missing = counts[:, 0] / np.maximum(counts.sum(axis=1), 1)
        values = counts[:, 1:]
        apart = [_distance(values[look.served], values[list(look.learnt)].sum(axis=0), ordered) for look in every]
        # Fewer of them are no fault: so it is where a history begins.
        lost = [max(missing[look.served] - missing[list(look.learnt)].mean(), 0.0) for look in every]
        made += [
            Test(f"input {name}", weight * 0.15, np.array(apart), LEAST_APART, family="input"),
            Test(f"missing {name}", weight * 0.25, np.array(lost), LEAST_SHARE, family="missing"),
            *(_levels(name, weight * 0.35, features[name], stretches, every) if ordered else ()),
            *(_new(name, weight * 0.35, codes, (stretches, every)) if not ordered else ()),
            *(() if earlier is None else _stuck(weight * 0.25, (features[name], earlier[name]), stretches, every)),
        ]
    return made


def _new(name: str, weight: float, codes: NDArray[np.int64], looked: tuple[Stretches, Sequence[Look]]) -> list[Test]:
    """On how many days the text was met that was met most among those never met up to the stretches learnt from last.

    If days came in no order, all k days of a text would lie within the share r of them that is looked at with a
    chance of at most r ** k; of f texts that are as rare, one does with a chance of at most f times that. Days count,
    and not questions, for those of one day are alike.
    """
    stretches, every = looked
    met, days = _met(codes, stretches)
    after = np.flip(np.cumsum(np.flip(met, axis=0), axis=0), axis=0) / stretches.overlap
    before = np.flip(np.cumsum(np.flip(days))) / stretches.overlap
    found: list[float] = []
    chances: list[float] = []
    steep = 1.0
    for look in every:
        past = after[min(look.learnt)]
        most = float((met[look.served] * (past == 0)).max(initial=0.0))
        odds = float(np.log1p(before[min(look.learnt)] / max(days[look.served], 1.0)))
        rare = 1 + int(((past > 0) & (past <= most)).sum())
        steep = odds if not found else steep
        found.append(most)
        chances.append(min(float(np.log(rare)) - most * odds, 0.0))
    return [Test(f"new {name}", weight, np.array(found), 0.0, chances=np.array(chances), steep=steep)]


def _met(codes: NDArray[np.int64], stretches: Stretches) -> tuple[Floats, Floats]:
    """On how many days of each stretch each text (code 1 and up) was met, and how many days each stretch has."""
    day = np.arange(len(codes)) if stretches.day is None else stretches.day
    width = int(codes.max(initial=0))
    seen = np.unique(np.stack([stretches.number, codes, day])[:, codes > 0], axis=1)
    met = np.bincount(seen[0] * width + seen[1] - 1, minlength=stretches.count * width)
    number = np.unique(np.stack([stretches.number, day]), axis=1)[0]
    days = np.bincount(number, minlength=stretches.count).astype(np.float64)
    return met.reshape(stretches.count, width).astype(np.float64), days


def _stuck(
    weight: float, values: tuple[pl.Series, pl.Series], stretches: Stretches, every: Sequence[Look]
) -> list[Test]:
    """A column whose source stands still repeats its values; how many do so by nature is seen in what was learnt."""
    column, earlier = values
    repeated = (column == earlier).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    there = np.isfinite(repeated)
    rows = np.bincount(stretches.number[there], minlength=stretches.count)
    share = np.bincount(stretches.number[there], repeated[there], stretches.count) / np.maximum(rows, 1)
    found = [share[look.served] - share[list(look.learnt)].mean() if rows[look.served] else np.nan for look in every]
    return [Test(f"stuck {column.name}", weight, np.array(found), LEAST_SHARE, family="stuck")]


def means(name: str, values: Floats, groups: Sequence[str], stretches: Stretches, every: Sequence[Look]) -> list[Test]:
    """Tests of the mean of ``values`` (n, unknown: not a number): of all together, and of each group, of equal weight.

    Args:
        name: what the values are, such as ``prediction``.
        values: n.
        groups: n ids of places; empty for none.
        stretches: of the n.
        every: the looks.
    """
    known = np.isfinite(values)
    spread = float(np.std(values[known & (stretches.number > 0)])) if known.any() else 0.0
    spread = spread or 1.0

    def moved(member: NDArray[np.bool_]) -> Floats:
        inside = member & known
        number = stretches.number[inside]
        total = np.bincount(number, values[inside], stretches.count)
        rows = np.bincount(number, minlength=stretches.count)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / rows
            found = [
                mean[look.served] - total[list(look.learnt)].sum() / rows[list(look.learnt)].sum() for look in every
            ]
        return np.array(found) / spread

    made = [Test(name, 0.5, moved(np.ones(len(values), bool)), LEAST_MOVED, both=True)]
    if not len(groups):
        return [Test(name, 1.0, made[0].figures, LEAST_MOVED, both=True)]
    ids, code = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    each = [
        Test(f"{name} at {place}", 0.5 / len(ids), moved(code == index), LEAST_MOVED, both=True, family=name)
        for index, place in enumerate(ids)
    ]
    return made + each


def clock(
    values: Floats, slot: NDArray[np.int64], shifts: Sequence[int], stretches: Stretches, every: Sequence[Look]
) -> list[Test]:
    """Test whether the day of what is served fits that of what was learnt better when it is moved by some slots.

    Args:
        values: n; unknown: not a number.
        slot: n, the part of the local day, from 0 on.
        shifts: by how many slots it may be moved.
        stretches: of the n.
        every: the looks.
    """
    known = np.isfinite(values)
    width = int(slot.max(initial=0)) + 1
    flat = stretches.number[known] * width + slot[known]
    size = stretches.count * width
    total = np.bincount(flat, values[known], size).reshape(stretches.count, width)
    rows = np.bincount(flat, minlength=size).reshape(stretches.count, width)
    found = []
    for look in every:
        learnt = list(look.learnt)
        with np.errstate(invalid="ignore", divide="ignore"):
            served, usual = total[look.served] / rows[look.served], total[learnt].sum(axis=0) / rows[learnt].sum(axis=0)
        fits = [_alike(np.roll(served, shift), usual) for shift in (0, *shifts)]
        found.append(max(fits[1:]) - fits[0])
    return [Test("clock", 1.0, np.array(found), LEAST_MOVED)]


def _alike(one: Floats, other: Floats) -> float:
    """Correlation of two profiles, not a number where they do not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < LEAST_SLOTS or not one[both].std() or not other[both].std():
        return float("nan")
    return float(np.corrcoef(one[both], other[both])[0, 1])


def _levels(name: str, weight: float, column: pl.Series, stretches: Stretches, every: Sequence[Look]) -> list[Test]:
    """A column that moves slowly has other values in every stretch: how far its mean moves tells more."""
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    whole = means(f"level {name}", values, (), stretches, every)[0]
    return [replace(whole, weight=weight, family="level")]


def _codes(column: pl.Series, stretches: Stretches) -> tuple[NDArray[np.int64], bool]:
    """Bin of each value, 0 for missing; whether bins have an order."""
    if not column.dtype.is_numeric():
        return column.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.int64), False
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = np.isfinite(values)
    learnt = values[known & (stretches.number > 0)]
    if not learnt.size:
        return known.astype(np.int64), True
    # Ends are those of what was learnt; what lies beyond gets bins of its own.
    ends = np.unique(np.quantile(learnt, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))
    codes = 2 * np.searchsorted(ends, values, side="left") + (np.isin(values, ends)) + 1
    return np.where(known, codes, 0).astype(np.int64), True


def _counted(codes: NDArray[np.int64], stretches: Stretches) -> Floats:
    width = int(codes.max(initial=0)) + 1
    flat = np.bincount(stretches.number * width + codes, minlength=stretches.count * width)
    return flat.reshape(stretches.count, width).astype(np.float64)


def _distance(served: Floats, learnt: Floats, ordered: bool) -> float:  # noqa: FBT001 - a property of the column
    if not served.sum() or not learnt.sum():
        return 0.0  # that all are missing is another test
    difference = served / served.sum() - learnt / learnt.sum()
    if ordered:
        return float(np.abs(np.cumsum(difference)).max(initial=0.0))
    return float(np.abs(difference).sum() / 2)
