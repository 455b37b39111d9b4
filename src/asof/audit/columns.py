"""What one column alone tells of a label: out of fold, by ranks, whatever the shape of the relation."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS = 4
LEAST_IN_BIN = 5
MOST_BINS = 400
"""A curve of so many pieces leaves less than a hundred-thousandth of an even spread unexplained."""
LEAST_KNOWN = 50
"""Rows with a value, from which on a column is also held against these rows alone."""
MOST_CLASSES = 10
SAME = 0.95
"""A number belongs to a group where it is the same in this share of its rows."""
LEAST_GROUPS = 30
"""Groups of equal numbers, from which on chance in their means can be told."""
OTHERS = 0.001
"""Share of a row's own y that what the others came to leaves untold within a group."""
SHUFFLED = 40
"""Labels are shuffled so often to see what chance gives."""
UNLIKELY = 0.01
"""Chance that the best of all columns of a table comes so far by chance."""


@dataclass(frozen=True)
class Target:
    """What is to be told: a number by its ranks, or classes by one column of 0 and 1 each."""

    values: Floats
    """(n, 1) ranks in (0, 1], or (n, k)."""
    classes: bool

    @classmethod
    def of(cls, label: pl.Series, classes: int) -> "Target":
        """Make it from n labels: codes where there are ``classes`` (the most frequent ten count), else numbers."""
        if not classes:
            return cls(_ranks(label.to_numpy())[:, None], classes=False)
        codes = label.to_numpy().astype(np.int64)
        counts = np.bincount(codes)
        kept = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        shown = kept[counts[kept] > 0]
        return cls((codes[:, None] == shown[None, :]).astype(np.float64), classes=True)


def parts(count: int, *, seed: int, blocks: bool) -> Ints:
    """Part of each of n rows: stretches of the order where that is one of time, else by chance."""
    if blocks:
        return np.arange(count) * PARTS // max(count, 1)
    return np.random.default_rng(seed).permutation(count) % PARTS


def told(column: pl.Series, target: Target, part: Ints) -> float:
    """How well a column alone tells the target: share of the variance of its ranks, or the mean AUC of its classes.

    1 is the label itself. Numbers are fitted by a curve of many pieces, text by the mean of each value and by the
    number that is written in it; unknown values are a value of their own. Where a column is known in part only, the
    rows where it is known count as well: a column that is filled late tells the label there.
    """
    best = _out_of_fold(column, target, part)
    known = column.is_not_null().to_numpy()
    if LEAST_KNOWN <= known.sum() < len(known) and not target.classes:
        inside = Target(_ranks(target.values[known, 0])[:, None], classes=False)
        best = max(best, _out_of_fold(column.filter(pl.Series(known)), inside, part[known]))
    return best


def chance(column: pl.Series, target: Target, part: Ints, tried: int, draw: np.random.Generator) -> float:
    """How much a column may tell of labels that have nothing to do with it, the best of ``tried`` such columns."""
    found = []
    for _ in range(SHUFFLED):
        order = draw.permutation(len(target.values))
        found.append(told(column, Target(target.values[order], target.classes), part))
    return limit(np.array(found), UNLIKELY, tried)


def limit(found: Floats, unlikely: float, tried: int) -> float:
    """What the best of ``tried`` draws reaches with a chance of ``unlikely``, by mean and deviation of some draws."""
    return float(found.mean() + NormalDist().inv_cdf(1.0 - unlikely / max(tried, 1)) * found.std())


def _out_of_fold(column: pl.Series, target: Target, part: Ints) -> float:
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return max(_score(_by_number(numbers, target.values, part), target), _monotone(numbers, target))
    written = column.cast(pl.String).str.replace_all(",", "").str.extract(r"(-?\d+(?:\.\d+)?)").cast(pl.Float64)
    codes = column.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    by_value = _score(_by_value(codes, target.values, part), target)
    numbers = written.fill_null(float("nan")).to_numpy()
    return max(by_value, _score(_by_number(numbers, target.values, part), target))


def _by_number(x: Floats, y: Floats, part: Ints) -> Floats:
    """Curve through the means of bins of about equally many rows, equal values never divided."""
    out = np.zeros_like(y)
    known = ~np.isnan(x)
    for held in range(PARTS):
        train, test = part != held, part == held
        out[test] = _mean(y, train & ~known, train)
        rows = np.flatnonzero(train & known)
        if not rows.size or not test.any():
            continue
        rows = rows[np.argsort(x[rows], kind="stable")]
        values, first = np.unique(x[rows], return_index=True)
        bins = int(np.clip(rows.size // LEAST_IN_BIN, 2, MOST_BINS))
        mine = np.arange(values.size) if values.size <= bins else first * bins // rows.size
        edges = first[np.flatnonzero(np.diff(mine, prepend=-1))]
        counts = np.diff(np.append(edges, rows.size))
        middle = np.add.reduceat(x[rows], edges) / counts
        means = np.add.reduceat(y[rows], edges, axis=0) / counts[:, None]
        asked = np.flatnonzero(test & known)
        for number in range(y.shape[1]):
            out[asked, number] = np.interp(x[asked], middle, means[:, number])
    return out


def _by_value(codes: Ints, y: Floats, part: Ints) -> Floats:
    """Mean of each value, drawn towards the overall mean by one row."""
    out = np.zeros_like(y)
    size = int(codes.max(initial=0)) + 1
    for held in range(PARTS):
        train, test = part != held, part == held
        overall = _mean(y, train, train)
        counts = np.bincount(codes[train], minlength=size)
        for number in range(y.shape[1]):
            sums = np.bincount(codes[train], weights=y[train, number], minlength=size)
            out[test, number] = ((sums + overall[number]) / (counts + 1))[codes[test]]
    return out


def _mean(y: Floats, rows: NDArray[np.bool_], otherwise: NDArray[np.bool_]) -> Floats:
    chosen = rows if rows.any() else otherwise
    mean: Floats = y[chosen].mean(axis=0) if chosen.any() else y.mean(axis=0)
    return mean


def _score(predicted: Floats, target: Target) -> float:
    y = target.values
    if target.classes:
        share = y.mean(axis=0)
        areas = np.array([auc(y[:, number] > 0, predicted[:, number]) for number in range(y.shape[1])])
        return float((areas * share).sum() / share.sum())
    spread = float(((y - y.mean()) ** 2).sum())
    return 1.0 - float(((y - predicted) ** 2).sum()) / spread if spread else 0.0


def _monotone(x: Floats, target: Target) -> float:
    """Squared rank correlation: exact where one rises, or falls, with the other, in however few rows."""
    if target.classes or np.isnan(x).any():
        return 0.0
    ranks, y = _ranks(x), target.values[:, 0]
    if not ranks.std() or not y.std():
        return 0.0
    return float(np.corrcoef(ranks, y)[0, 1] ** 2)


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Probability that a positive row is above a negative one; 0.5 where one kind is missing."""
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return 0.5
    total = float((_ranks(score)[positive] * len(score)).sum())
    return (total - count * (count + 1) / 2) / (count * others)


def untold_by_line(numbers: Floats, y: Floats, part: Ints) -> float:
    """Share of the variance of y that a linear sum of the columns leaves untold, out of fold."""
    spread = numbers.std(axis=0)
    kept = numbers[:, spread > 0] / spread[spread > 0]
    design = np.column_stack([np.ones(len(y)), kept - kept.mean(axis=0)])
    left = np.zeros(len(y))
    for held in range(PARTS):
        train, test = part != held, part == held
        found = np.linalg.lstsq(design[train], y[train], rcond=None)[0]
        left[test] = y[test] - design[test] @ found
    total = float(((y - y.mean()) ** 2).sum())
    return float((left**2).sum()) / total if total else 1.0


def followed(numbers: Floats, y: Floats, groups: NDArray[np.generic], draw: np.random.Generator) -> tuple[float, float]:
    """(share of the mean y of groups that their mean number follows, the most that chance allows); (0, 1) for too few.

    The means of two halves of each group correlate by r; those of whole groups are reliable by 2 r / (1 + r).
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shared = sizes >= 2
    if shared.sum() < LEAST_GROUPS or sizes[shared].sum() < len(numbers) / 2:
        return 0.0, 1.0
    order = draw.permutation(len(numbers))
    order = order[np.argsort(group[order], kind="stable")]
    begun = np.repeat(np.cumsum(sizes) - sizes, sizes)
    half = (np.arange(len(order)) - begun) % 2 == 0
    means = []
    for rows in (order, order[half], order[~half]):
        sums = np.bincount(group[rows], y[rows], minlength=sizes.size)
        means.append((sums / np.maximum(np.bincount(group[rows], minlength=sizes.size), 1))[shared])
    middle = np.bincount(group, numbers) / sizes
    if not np.isclose(numbers, middle[group])[shared[group]].mean() >= SAME:
        return 0.0, 1.0  # what differs within a group follows the labels there by right
    values = middle[shared]
    if any(side.std() == 0 for side in (*means, values)):
        return 0.0, 1.0
    together = max(float(np.corrcoef(means[1], means[2])[0, 1]), 0.0)
    return float(np.corrcoef(values, means[0])[0, 1] ** 2), 2 * together / (1 + together)


def others_of(numbers: Floats, y: Floats, groups: NDArray[np.generic]) -> bool:
    """Whether a number is the sum, or the mean, of y over the other rows of each group.

    Within a group it then falls by as much as the row's own y rises.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)

    def apart(values: Floats) -> Floats:
        made: Floats = values - (np.bincount(group, values) / sizes)[group]
        return made

    mine = apart(y)
    moving = np.abs(mine) > 0
    if moving.sum() < LEAST_KNOWN or np.unique(group[moving]).size < LEAST_GROUPS // 2:
        return False
    spread = float((mine[moving] ** 2).sum())
    ways = (apart(numbers), apart(numbers * (sizes[group] - 1)))
    return any(float(((way + mine)[moving] ** 2).sum()) <= OTHERS * spread for way in ways)


def ranked_within(numbers: Floats, y: Floats, groups: NDArray[np.generic]) -> bool:
    """Whether a number orders the rows of each group as y does, or the other way round, however the groups differ."""
    frame = pl.DataFrame({"group": np.unique(groups, return_inverse=True)[1], "x": numbers, "y": y})
    ranks = frame.select("group", pl.col("x", "y").rank("average").over("group")).filter(pl.len().over("group") >= 3)
    if ranks["group"].n_unique() < LEAST_GROUPS // 2 or ranks.height < len(y) / 2:
        return False
    apart = ranks.select(pl.col("x", "y") - pl.col("x", "y").mean().over("group"))
    x, own = apart["x"].to_numpy(), apart["y"].to_numpy()
    spread = float((own**2).sum())
    return bool(spread) and min(float(((x + sign * own) ** 2).sum()) for sign in (1.0, -1.0)) <= OTHERS * spread


def _ranks(values: Floats) -> Floats:
    ranks: Floats = pl.Series(values).rank("average").to_numpy() / max(len(values), 1)
    return ranks
