"""What the features looked like in training, to tell later which questions lie outside of it."""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from asof import data
from asof.errors import DataError

MARGIN = 0.05
"""A number counts as outside where it lies beyond the range seen by more than this share of it."""
CATEGORIES = 10_000
"""More distinct texts than this are not listed, and no text counts as new."""
FEW = 20
"""So few distinct texts are always listed."""
NAMED = 3
"""So many texts never met are named."""
MOST_NEW = 0.5
"""Where more than this share of the rows brought a text of their own, no text counts as new either."""


@dataclass(frozen=True)
class Seen:
    """One feature as seen in training."""

    name: str
    kind: str
    """``number`` or ``category``."""
    missing: bool
    """Whether it was ever unknown."""
    low: float | None = None
    high: float | None = None
    """Smallest and largest number; none when all were unknown."""
    categories: tuple[str, ...] | None = None
    """All texts in order; none for numbers, and where there were more than ``CATEGORIES``."""

    @functools.cached_property
    def met(self) -> frozenset[str] | None:
        """The same texts, to look one up."""
        return None if self.categories is None else frozenset(self.categories)

    @functools.cached_property
    def ends(self) -> tuple[float, float]:
        """Numbers below the one or above the other lie outside; all do where none was ever seen."""
        if self.low is None or self.high is None:
            return math.inf, -math.inf
        margin = MARGIN * (self.high - self.low)
        return self.low - margin, self.high + margin

    def plain(self) -> dict[str, Any]:
        """Return it as a mapping for JSON; ``Seen.from_plain`` reads it back."""
        return {
            "name": self.name,
            "kind": self.kind,
            "missing": self.missing,
            "low": self.low,
            "high": self.high,
            "categories": None if self.categories is None else list(self.categories),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Seen":
        """Read what ``plain`` wrote."""
        listed = plain.get("categories")
        return cls(
            name=str(plain["name"]),
            kind=str(plain["kind"]),
            missing=bool(plain["missing"]),
            low=plain.get("low"),
            high=plain.get("high"),
            categories=None if listed is None else tuple(str(text) for text in listed),
        )


def seen(features: pl.DataFrame) -> tuple[Seen, ...]:
    """Describe each feature of the n training questions: kind, range, categories, whether ever unknown."""
    return tuple(_one(column) for column in features.iter_columns())


def outside(features: pl.DataFrame, schema: Sequence[Seen]) -> pl.Series:
    """Tell for each of n questions whether any feature lies outside what was seen; Boolean, never null.

    Outside are a number clearly beyond the range, a text never met, and an unknown value where
    none was unknown in training. Raises ``DataError`` where a feature is missing.
    """
    there = {column.name: column for column in features.iter_columns()}
    gone = [item.name for item in schema if item.name not in there]
    if gone:
        message = f"the questions lack the feature(s) {', '.join(gone)}: the release needs {len(schema)} features"
        raise DataError(message)
    told = np.zeros(features.height, dtype=np.bool_)
    numbers = [item for item in schema if item.kind == "number"]
    if numbers:
        values = data.numbers(pl.DataFrame([_floats(there[item.name]) for item in numbers]))
        low, high = (np.array(side) for side in zip(*(item.ends for item in numbers), strict=True))
        never = ~np.array([item.missing for item in numbers])
        told |= np.where(np.isnan(values), never, (values < low) | (values > high)).any(axis=1)
    for item in schema:
        if item.kind != "number" and features.height:
            told |= _odd(there[item.name], item).to_numpy()
    return pl.Series("outside", told, dtype=pl.Boolean)


def _floats(column: pl.Series) -> pl.Series:
    return column if column.dtype == pl.Float64 else column.cast(pl.Float64)


@dataclass(frozen=True)
class Odd:
    """A feature by which questions lie outside what was seen."""

    name: str
    rows: int
    """Questions that lie outside by it."""
    low: float | None = None
    high: float | None = None
    """Smallest and largest number that was seen; none for texts, and where all were unknown."""
    least: float | None = None
    most: float | None = None
    """Smallest and largest number among those outside; none for texts, and where all of them are unknown."""
    texts: tuple[str, ...] = ()
    """A few of the texts never met."""


def odd(features: pl.DataFrame, schema: Sequence[Seen]) -> list[Odd]:
    """Tell by which features n questions lie outside what was seen; the one that most lie outside by comes first."""
    found = [
        _odd_number(features[item.name], item) if item.kind == "number" else _odd_text(features[item.name], item)
        for item in schema
    ]
    return sorted((one for one in found if one.rows), key=lambda one: (-one.rows, one.name))


def _odd_number(column: pl.Series, item: Seen) -> Odd:
    values = column.cast(pl.Float64).fill_nan(None)
    low, high = item.ends
    beyond = values.filter((values < low) | (values > high))
    rows = beyond.len() + (0 if item.missing else values.null_count())
    return Odd(item.name, rows, item.low, item.high, _number(beyond.min()), _number(beyond.max()))


def _odd_text(column: pl.Series, item: Seen) -> Odd:
    new = _odd(column, item)
    told = column.cast(pl.String).filter(new).drop_nulls().unique().sort()
    return Odd(item.name, int(new.sum()), texts=tuple(told.head(NAMED)))


def _one(column: pl.Series) -> Seen:
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64)
        known = numbers.filter(numbers.is_not_null() & numbers.is_not_nan())
        low, high = (known.min(), known.max()) if known.len() else (None, None)
        return Seen(column.name, "number", known.len() < column.len(), _number(low), _number(high))
    known = column.drop_nulls().cast(pl.String)
    texts = known.unique().sort()
    # Of texts that hardly come twice, such as names, a new one is nothing unusual.
    usual = texts.len() <= FEW or texts.len() <= min(CATEGORIES, known.len() * MOST_NEW)
    listed = tuple(texts.to_list()) if usual else None
    return Seen(column.name, "category", known.len() < column.len(), categories=listed)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _odd(column: pl.Series, item: Seen) -> pl.Series:
    """Which texts were never met, or are unknown where none was; Boolean, never null."""
    if column.len() <= data.FEW:  # to ask Polars would take longer
        met = item.met
        texts = column.cast(pl.String).to_list()
        wild = [not item.missing if text is None else met is not None and text not in met for text in texts]
        return pl.Series(wild, dtype=pl.Boolean)
    new = pl.repeat(value=False, n=column.len(), dtype=pl.Boolean, eager=True)
    if item.categories is not None:
        new = ~column.cast(pl.String).is_in(pl.Series([item.categories], dtype=pl.List(pl.String)))
    return new.set(column.is_null(), not item.missing)
