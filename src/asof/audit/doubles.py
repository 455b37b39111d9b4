"""Doubles: copies that were changed a little in several columns, as rows are multiplied before they are split.

Honest rows that are alike thin out evenly: within a difference three times as wide lie nine times as many pairs that
differ in two columns, and those of the narrow ring agree in their labels about as often as those of the wide one. Rows
that were copied stand close to what they were copied from, with its label, and then comes a gap.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.audit.columns import Floats, Ints

LEAST, SHARE = 30, 0.05
"""So many tested rows, and such a share of them, have a double among those that were learnt from."""
NEAR = (0.002, 0.005, 0.01, 0.02)
"""Differences of ranks, in shares of all rows, within which two rows may be doubles."""
WIDER = 3
"""The ring around them reaches so much further."""
GAP = 0.55
"""Pairs within, for each in the ring. Honest pairs come to an eighth where they differ in two columns, and to a half
where they differ in one (areas of squares, lengths of lines); King County and the Titanic to 0.05 (measured)."""
AGREED = 0.25
"""Labels of doubles differ at most so often as those of pairs in the ring: near a border that is sharp, a third."""
EMPTY = 2.0
"""Where labels differ nowhere, so many pairs within for each in the ring."""
FEW_VALUES = 12
"""A number of so few values is a kind, and equal or not."""
MOST = 20_000
"""Rows that are looked at."""
SHARED = 40
"""Rows that are alike in all words are compared with so many of their next."""


def count(features: pl.DataFrame, label: pl.Series, learnt: int) -> int:
    """How many tested rows are doubles, label included, of rows that were learnt from (the first ``learnt``); 0 = none.

    Doubles are equal in all words and kinds, differ in two numbers or more, and in none by more than a little.
    """
    if features.height > MOST:
        return 0
    numbers, kinds = _parted(features)
    if numbers.shape[1] < 2:
        return 0
    first, second = _pairs(numbers, _codes(kinds, features.height))
    differences = np.abs(numbers[first] - numbers[second])
    several = (differences > 0).sum(axis=1) >= 2
    first, second, widest = first[several], second[several], differences[several].max(axis=1, initial=0.0)
    codes = label.rank("dense").to_numpy()
    alike = codes[first] == codes[second]
    crowded = np.bincount(np.concatenate([first, second]), minlength=features.height) >= SHARED
    if crowded.mean() > SHARE:  # not all of the ring was looked at
        return 0
    across = (first < learnt) != (second < learnt)
    for near in NEAR:
        inside, ring = widest <= near, (widest > near) & (widest <= WIDER * near)
        tested = np.unique(np.maximum(first, second)[inside & across & alike]).size
        if tested >= max(LEAST, SHARE * (features.height - learnt)) and _apart(alike, inside, ring):
            return int(tested)
    return 0


def _apart(alike: NDArray[np.bool_], inside: NDArray[np.bool_], ring: NDArray[np.bool_]) -> bool:
    """Whether pairs within are too many, and agree too well, to be neighbours by chance."""
    around = int(ring.sum())
    if inside.sum() >= EMPTY * around:
        return bool(alike[inside].mean() >= 1 - AGREED)
    differing = 1.0 - float(alike[ring].mean())
    return bool(inside.sum() >= GAP * around and 1.0 - alike[inside].mean() <= AGREED * differing and differing > 0)


def _parted(features: pl.DataFrame) -> tuple[Floats, list[pl.Series]]:
    """Ranks of numbers in [0, 1] (unknown ones at -1), and the columns that are kinds."""
    ranks, kinds = [], []
    for column in features.get_columns():
        if column.dtype.is_numeric() and column.n_unique() > FEW_VALUES:
            ranks.append((column.rank("average") / column.len()).fill_null(-1.0).to_numpy())
        else:
            kinds.append(column)
    return (np.column_stack(ranks) if ranks else np.zeros((features.height, 0))), kinds


def _codes(kinds: list[pl.Series], height: int) -> Ints:
    """A number for each combination of kinds."""
    if not kinds:
        return np.zeros(height, dtype=np.int64)
    table = pl.DataFrame([column.alias(str(number)) for number, column in enumerate(kinds)])
    codes: Ints = table.select(pl.struct(pl.all()).rank("dense")).to_series().to_numpy().astype(np.int64)
    return codes


def _pairs(numbers: Floats, codes: Ints) -> tuple[Ints, Ints]:
    """Pairs of rows of one code within the widest ring, each once."""
    found = [_within(numbers, rows) for rows in _groups(codes)]
    pairs = np.unique(np.sort(np.concatenate([np.zeros((0, 2), dtype=np.int64), *found]), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _groups(codes: Ints) -> Iterator[Ints]:
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[order])) + 1
    yield from (rows for rows in np.split(order, edges) if rows.size > 1)


def _within(numbers: Floats, rows: Ints) -> Ints:
    """Each row with the next of its group, as far as the widest ring."""
    from scipy.spatial import cKDTree

    count = min(SHARED + 1, rows.size)
    far, near = cKDTree(numbers[rows]).query(
        numbers[rows], k=count, p=np.inf, distance_upper_bound=WIDER * NEAR[-1] * (1 + 1e-9)
    )
    left = np.repeat(np.arange(rows.size), count)
    right, reached = near.ravel(), np.isfinite(far.ravel())
    kept = reached & (right != left)
    kept[reached] &= right[reached] < rows.size
    return np.column_stack([rows[left[kept]], rows[right[kept]]])
