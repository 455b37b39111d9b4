"""Folds of rows without a time: drawn by chance, with each label's share kept and groups whole."""

import functools

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import DataError
from asof.splits import LEAST_TRAIN, Split

Ints = NDArray[np.int64]
FEW_ROWS = 2_000
"""Below this many rows a holdout would be too small to tell anything: nested folds give the score."""
HOLDOUT_PARTS = 5
"""The holdout is one part of this many."""
LEVELS = 5
"""Numbers are stratified by this many levels of the label."""
MOST_STRATIFIED = 50_000
"""Beyond this many rows chance alone keeps the shares, and stratifying groups one by one takes minutes."""


def folds(
    questions: pl.DataFrame, count: int, *, seed: int, rows: Ints | None = None, classes: int = 0, repeats: int = 1
) -> tuple[Split, ...]:
    """Split ``rows`` (positions; none: all with a label) into ``count`` parts, each tested once; ``repeats`` times.

    Rows of one ``group`` stay on one side, each part has about the same share of every class (of five levels of a
    number); the same seed draws the same folds.

    Raises:
        DataError: too few rows or groups for so many folds.
    """
    label = questions["label"].to_numpy()
    chosen = np.flatnonzero(np.isfinite(label)) if rows is None else rows
    made = [
        Split(None, np.sort(chosen[train]), np.sort(chosen[test]))
        for repeat in range(repeats)
        for train, test in _drawn(questions[chosen], count, seed + repeat, classes)
    ]
    if any(len(split.train) < LEAST_TRAIN for split in made):
        fewest = min(len(split.train) for split in made)
        message = (
            f"{fewest} rows with a label are left to learn from, at least {LEAST_TRAIN} are needed: load more rows"
        )
        raise DataError(message)
    return tuple(made)


def holdout(questions: pl.DataFrame, *, seed: int, classes: int = 0) -> Split:
    """Set one part of five aside, drawn as ``folds`` are."""
    return folds(questions, HOLDOUT_PARTS, seed=seed, classes=classes)[0]


def _drawn(questions: pl.DataFrame, count: int, seed: int, classes: int) -> list[tuple[Ints, Ints]]:
    height = questions.height
    groups = questions["group"].rank("dense").to_numpy() if "group" in questions.columns else np.arange(height)
    apart = len(np.unique(groups))
    if apart < count:
        what = "rows" if apart == height else "groups of rows that belong together"
        raise DataError(f"{apart} {what} with a label; {count} folds need at least as many: lower judge.folds")
    strata = _strata(questions["label"], classes)
    if height > MOST_STRATIFIED:
        # Groups are drawn whole: the fold of a group is that of its first row.
        draw = np.random.default_rng(seed)
        fold_of = draw.permutation(np.arange(int(groups.max()) + 1) % count)
        part = fold_of[groups.astype(np.int64)]
        return [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(count)]
    if apart == height:
        return list((_kept if height <= FEW_ROWS else _single)(strata.tobytes(), count, seed))
    held = strata if _enough(strata, count) else np.zeros(height, dtype=np.int64)
    return list(_grouped(held.tobytes(), groups.astype(np.int64).tobytes(), count, seed))


def _enough(strata: Ints, count: int) -> bool:
    """Whether each of the levels is there often enough to be in every part."""
    return bool(np.bincount(strata).min(initial=count) >= count)


def _single(held: bytes, count: int, seed: int) -> tuple[tuple[Ints, Ints], ...]:
    """Folds of single rows."""
    from sklearn.model_selection import KFold, StratifiedKFold

    strata = np.frombuffer(held, dtype=np.int64)
    drawer = (StratifiedKFold if _enough(strata, count) else KFold)(count, shuffle=True, random_state=seed)
    return tuple(drawer.split(np.zeros(len(strata)), strata))


_kept = functools.lru_cache(maxsize=64)(_single)
"""Those of few rows: they are asked for again whenever a choice is repeated."""


@functools.lru_cache(maxsize=64)
def _grouped(held: bytes, groups: bytes, count: int, seed: int) -> tuple[tuple[Ints, Ints], ...]:
    """Folds of whole groups: drawn group by group in Python, and asked for again whenever a choice is repeated."""
    from sklearn.model_selection import StratifiedGroupKFold

    strata, group = (np.frombuffer(told, dtype=np.int64) for told in (held, groups))
    drawer = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return tuple(drawer.split(np.zeros(len(strata)), strata, group))


def _strata(label: pl.Series, classes: int) -> Ints:
    """Class of each row, or the level of its number: 0 the lowest of five."""
    if classes:
        codes = np.unique(label.to_numpy(), return_inverse=True)[1]
        return codes.astype(np.int64)
    rank = label.rank("ordinal").to_numpy().astype(np.int64) - 1
    return np.asarray(rank * LEVELS // max(len(rank), 1), dtype=np.int64)
