"""A table without a time: which column is the label of its rows, and which names them."""

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from asof.errors import DataError
from asof.proposals.samples import Sample

CLASSES: Final = 20
"""More distinct values than this, or fractions, are numbers and no classes."""
_LABELS: Final = (
    "survived",
    "target",
    "label",
    "outcome",
    "response",
    "class",
    "churn",
    "default",
    "fraud",
    "diagnosis",
    "price",
    "y",
)
_KEY: Final = re.compile(r"(^|_|\s|[a-z])(id|key|uuid)$|Id$", re.IGNORECASE)


@dataclass(frozen=True)
class Label:
    """What of each row is predicted."""

    column: str
    classes: int
    """Number of classes; 0 for a column of numbers."""
    by_name: bool
    """Whether the name of the column says that it is the label."""
    key: str | None
    """Column that names a row."""


def guess(sample: Sample) -> Label:
    """Guess the label of the rows of a table and their key.

    Raises:
        DataError: no column repeats its values or holds numbers, besides the key.
    """
    rows = sample.rows
    keys = [name for name in rows.columns if _KEY.search(name) and rows[name].n_unique() == rows.height]
    free = [name for name in rows.columns if name not in keys]
    named = [name for word in _LABELS for name in free if word in re.split(r"[^a-z0-9]+", name.lower())]
    named += [name for word in _LABELS if len(word) > 3 for name in free if word in name.lower()]
    told = [name for name in (*named, *free) if _classes(rows[name]) or _is_number(rows[name])]
    # Without a name that says it, what has two values is more often asked about than what has many.
    told = told if told and told[0] in named else sorted(told, key=lambda name: _classes(rows[name]) != 2)
    if not told:
        raise DataError(
            f"{sample.path}: no column states a time, and none could be the label of a row; expected a column of "
            "dates, of numbers, or of a few classes"
        )
    return Label(told[0], _classes(rows[told[0]]), told[0] in named, keys[0] if keys else None)


def _classes(column: pl.Series) -> int:
    """Number of distinct values, where they are few enough to be classes."""
    given = column.drop_nulls()
    count = given.n_unique()
    fraction = given.str.contains(r"^[-+]?\d*\.\d*[1-9]\d*$").any()
    return count if 2 <= count <= CLASSES and count <= len(given) // 5 and not fraction else 0


def _is_number(column: pl.Series) -> bool:
    given = column.drop_nulls()
    return len(given) > 1 and given.n_unique() > CLASSES and given.cast(pl.Float64, strict=False).null_count() == 0
