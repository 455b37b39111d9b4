"""Groups that nobody has named: rows of one text that share their labels, and stand on both sides of a split."""

from dataclasses import replace

import numpy as np
import polars as pl

from asof.audit.columns import Floats, Ints, Target, limit
from asof.data import Finding, Severity

SMALL = 10
"""Rows of one text up to which they may be a party, a household, a patient; more of them are a kind."""
LEAST = 30
"""Fewer such groups tell nothing."""
SHARE = 0.2
"""So many of all rows stand in small groups; fewer matter little."""
ALIKE = 0.1
"""Correlation of labels within groups, from which on it matters."""
SHUFFLED = 200
"""Labels are shuffled so often, to see how far chance comes."""
CHANCE = 0.001
"""Chance that any of the columns tried comes so far although its groups share nothing."""


def unnamed(features: pl.DataFrame, label: pl.Series, group: pl.Series | None, *, classes: bool) -> list[Finding]:
    """Columns of text whose small groups share their labels far more than chance would have it.

    Args:
        features: n rows, of which the columns of text are tried.
        label: n labels, codes of classes or numbers.
        group: what stands on one side anyway; only pairs of rows that it does not keep together count.
        classes: whether labels are codes.
    """
    target = Target.of(label, int(label.cast(pl.Int64).max() or 0) + 1 if classes else 0).values  # type: ignore[arg-type]
    together = np.arange(len(label)) if group is None else _codes(group)
    found = []
    texts = [column for column in features.get_columns() if column.dtype == pl.String]
    for column in texts:
        values = _codes(column)
        sizes = np.bincount(values)
        rows = ((sizes >= 2) & (sizes <= SMALL))[values] & column.is_not_null().to_numpy()
        if rows.sum() < SHARE * len(rows) or (sizes[values] > SMALL).sum() > len(rows) / 2:
            continue
        if np.unique(values[rows]).size < LEAST:
            continue
        alike = _alike(target[rows], values[rows], together[rows], len(texts))
        if alike >= ALIKE:
            message = (
                f"rows with the same {column.name} share their labels (a correlation of {alike:.2f} within "
                f"{np.unique(values[rows]).size:,} small groups) and stand on both sides of splits: if they belong "
                "together, name it in judge.group"
            )
            found.append(Finding("split", Severity.WARNING, column.name, message, figure=alike, limit=ALIKE))
    return found


def _alike(target: Floats, values: Ints, together: Ints, tried: int) -> float:
    """Correlation of labels over the pairs of one value and of two groups; 0 where chance comes as far."""
    _, both = np.unique(np.column_stack([values, together]), axis=0, return_inverse=True)
    inner = both.reshape(-1)
    pairs = _pairs(np.ones((len(values), 1)), values) - _pairs(np.ones((len(values), 1)), inner)
    apart = target - target.mean(axis=0)
    spread = float((apart**2).sum()) / len(values)
    if pairs < LEAST or not spread:
        return 0.0

    def shared(order: Ints) -> float:
        return (_pairs(apart[order], values) - _pairs(apart[order], inner)) / (pairs * spread)

    draw = np.random.default_rng(0)
    found = shared(np.arange(len(values)))
    if found < ALIKE:
        return 0.0
    chance = np.array([shared(draw.permutation(len(values))) for _ in range(SHUFFLED)])
    return found if found > max(chance.max(), limit(chance, CHANCE, tried)) else 0.0


def measured(told: Finding, both: Floats, apart: Floats, group: pl.Series) -> Finding:
    """Add to what was told how much the score gains by sharing; whether that gain is honest no figure can tell.

    Args:
        told: that rows of one text share their labels.
        both: n losses of rows predicted by models that may have learnt from others of their text.
        apart: the losses of the same rows, where all of their text were kept out.
        group: n texts.
    """
    codes = _codes(group)
    gains = np.bincount(codes, apart - both, minlength=int(codes.max(initial=0)) + 1)
    error, whole = float(np.sqrt((gains**2).sum())), float(apart.sum())
    if not whole or not error:
        return told
    message = (
        f"{told.message}: the loss of such rows is {float(gains.sum()) / whole:.1%} lower (give or take "
        f"{error / abs(whole):.1%}) where others of theirs were learnt from, which is no gain for new ones"
    )
    return replace(told, message=message)


def _pairs(numbers: Floats, codes: Ints) -> float:
    """Sum of the products of all pairs of one code."""
    return sum(float((np.bincount(codes, column) ** 2).sum() - (column**2).sum()) for column in numbers.T)


def _codes(column: pl.Series) -> Ints:
    codes: Ints = column.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return codes
