"""What the rows around would make a row like this one: a small regression in each neighbourhood."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.ledgers.moments import Floats, Ints

CHUNK = 256
"""Questions that are worked out at once: 10 MB a column with two hundred neighbours."""
PENALTY = 10.0
"""On the squared slopes, of columns of one size, as if so many rows more told that nothing matters."""
FURTHEST = 3.0
"""A row further from its neighbours in a column than so many of their standard deviations is read as no further."""
_FLAT = 1e-9


@dataclass(frozen=True)
class Traits:
    """Columns by which rows and questions are alike."""

    rows: Floats
    """(m, p) numbers; NaN = unknown."""
    asked: Floats
    """(n, p)"""
    named: Ints
    """(m, t) codes of texts, -1 = unknown."""
    asked_named: Ints
    """(n, t)"""

    @classmethod
    def of(cls, rows: pl.DataFrame, asked: pl.DataFrame) -> "Traits":
        """Read numbers by their logarithm; texts by the number that they begin with, and as the same or another.

        Both frames have the same columns.
        """
        texts = [name for name, dtype in rows.schema.items() if dtype == pl.String]
        numbers, asked_numbers = (
            np.column_stack([_numbers(side[name]) for name in side.columns]) for side in (rows, asked)
        )
        codes = [_codes(rows[name], asked[name]) for name in texts]
        none = np.zeros((rows.height + asked.height, 0), dtype=np.int64)
        named = np.column_stack(codes) if codes else none
        return cls(numbers, asked_numbers, named[: rows.height], named[rows.height :])


def expected(value: Floats, traits: Traits, near: Ints, weights: Floats) -> Floats:
    """Return n values that neighbours would have if they were like the row asked about; NaN without neighbours.

    A ridge regression of the logarithm of the value, by weighted rows, in each neighbourhood by itself (geographically
    weighted regression: Brunsdon, Fotheringham and Charlton, Geographical Analysis 28(4), 1996).

    Args:
        value: of m rows; NaN = unknown.
        traits: of m rows and n questions.
        near: (n, k) neighbours.
        weights: (n, k), 0 where there is no neighbour.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    out = np.full(len(near), np.nan)
    scaled = logs(value)
    with threadpool_limits(1):
        for first in range(0, len(near) if len(value) else 0, CHUNK):
            part = slice(first, first + CHUNK)
            out[part] = unlogged(_regressed(scaled, traits, part, near[part], weights[part]))
    return out


def _regressed(scaled: Floats, traits: Traits, part: slice, near: Ints, weights: Floats) -> Floats:
    label = scaled[near]
    weight = np.where(np.isfinite(label), weights, 0.0)
    total, count = weight.sum(axis=1), (weight > 0).sum(axis=1)
    weight = weight / np.where(total > 0, total, 1.0)[:, None]
    label = np.where(weight > 0, label, 0.0)
    middle = (weight * label).sum(axis=1)
    same = (traits.named[near] == traits.asked_named[part][:, None, :]) & (traits.named[near] >= 0)
    apart = np.concatenate([traits.rows[near], same.astype(np.float64)], axis=2)
    here = np.concatenate([traits.asked[part], _known(traits.asked_named[part])], axis=1)
    apart, here = _sized(apart, here, weight)
    weighed = apart * weight[:, :, None]
    normal = np.matmul(weighed.transpose(0, 2, 1), apart)
    normal = normal + np.eye(normal.shape[1]) * (PENALTY / np.maximum(count, 1))[:, None, None]
    right = np.matmul(weighed.transpose(0, 2, 1), (label - middle[:, None])[:, :, None])
    slopes = np.linalg.solve(normal, right)[:, :, 0]
    return np.where(total > 0, middle + (here * slopes).sum(axis=1), np.nan)


def _sized(apart: Floats, here: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Centre neighbours and question by the neighbours, divide by their spread; what is unknown is in the middle."""
    known = np.isfinite(apart)
    apart = np.where(known, apart, 0.0)
    share = np.maximum((weight[:, :, None] * known).sum(axis=1), _FLAT)
    centre = (weight[:, :, None] * apart).sum(axis=1) / share
    apart = np.where(known, apart - centre[:, None, :], 0.0)
    width = np.sqrt((weight[:, :, None] * apart**2).sum(axis=1))
    inverse = np.where(width > _FLAT, 1 / np.maximum(width, _FLAT), 0.0)
    here = np.clip(np.nan_to_num((here - centre) * inverse), -FURTHEST, FURTHEST)
    return apart * inverse[:, None, :], here


def _numbers(column: pl.Series) -> Floats:
    if column.dtype == pl.String:
        column = column.str.extract(r"^\s*(-?\d+(?:\.\d+)?)")
    return logs(column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy())


def logs(numbers: Floats) -> Floats:
    """log(1 + x) for either sign, by Polars: one by one, so that a number has the same bits among many."""
    found = pl.Series(np.abs(numbers)).log1p().to_numpy()
    return np.where(np.isfinite(numbers), np.copysign(found, numbers), np.nan)


def unlogged(numbers: Floats) -> Floats:
    """Undo ``logs``."""
    return np.asarray(np.copysign(pl.Series(np.abs(numbers)).exp().to_numpy() - 1, numbers), dtype=np.float64)


def _codes(rows: pl.Series, asked: pl.Series) -> NDArray[np.int64]:
    """Codes of two columns of text, equal where the text is; -1 = unknown."""
    both = pl.concat([rows.cast(pl.String), asked.cast(pl.String)])
    return both.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1


def _known(codes: Ints) -> Floats:
    """1 for a text that is known, that of the question itself; NaN else."""
    return np.where(codes >= 0, 1.0, np.nan)
