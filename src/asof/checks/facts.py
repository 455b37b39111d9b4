"""What the rows of a source show together, gathered part by part: how its columns are typed and its times written.

A column is of numbers, or a date has its month first, because all rows of the source say so. Where they are too many
to be held at once, each part is looked at first; then each is read as the whole would be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from asof import clocks
from asof.checks import cells
from asof.specs import SourceSpec, TimeSpec
from asof.times import Step

TIME: Final = "time"
"""Name of the witnesses of the source's own times; those of a column of dates have its name."""
_BOUNDS: Final = {
    r"\b0+\b": "z",
    r"\b(0?[1-9]|1[0-2])\b": "a",
    r"\b(1[3-9]|2[0-3])\b": "b",
    r"\b(2[4-9]|3[01])\b": "c",
    r"\b\d{2}\b": "d",
    r"\b\d{3}\b": "e",
    r"\b\d{4}\b": "f",
    r"\d+": "g",
}
"""Numbers that mean the same to a reader of times: 0, a month, an hour, a day, two digits, three, a year, more."""


@dataclass(frozen=True)
class Count:
    """What the values of a column can be read as."""

    given: int = 0
    numbers: int = 0
    whole: int = 0
    zeros: int = 0
    """Values with a leading zero, which a number would lose."""

    def __add__(self, other: "Count") -> "Count":
        """Count both."""
        return Count(
            self.given + other.given, self.numbers + other.numbers, self.whole + other.whole, self.zeros + other.zeros
        )

    @property
    def kind(self) -> str:
        """Type of the column: ``integer``, ``number`` or ``text``."""
        if self.given == 0 or self.zeros or self.numbers < cells.AGREE * self.given:
            return "text"
        return "integer" if self.whole == self.numbers else "number"


@dataclass(frozen=True)
class Facts:
    """What some rows of a source show."""

    counts: Mapping[str, Count] = field(default_factory=dict)
    """By column: those whose type is found, and those with a range."""
    witnesses: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Texts of times, one of each form of those met: read beside them, few rows are read as all of them are."""

    def kinds(self, spec: SourceSpec) -> dict[str, str]:
        """Type of each column of ``counts``; with a range it is one of numbers, whatever else it holds."""
        ranged = {name for name, kind in cells.declared_types(spec).items() if kind == "range"}
        return {
            name: ("integer" if count.whole == count.numbers else "number") if name in ranged else count.kind
            for name, count in self.counts.items()
        }

    def decides_as(self, other: "Facts", spec: SourceSpec) -> bool:
        """Whether rows are read alike beside either: ``other`` are facts of fewer rows."""
        if self.kinds(spec) != other.kinds(spec) or self.witnesses.keys() != other.witnesses.keys():
            return False
        return all(
            _clock(few, few[:0], name, spec).equals(_clock(few, self.witnesses[name], name, spec))
            for name, few in other.witnesses.items()
        )

    def plain(self) -> dict[str, Any]:
        """Write them as plain data."""
        return {
            "counts": {name: [one.given, one.numbers, one.whole, one.zeros] for name, one in self.counts.items()},
            "witnesses": {name: frame.to_dict(as_series=False) for name, frame in self.witnesses.items()},
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Facts":
        """Read what ``plain`` wrote."""
        return cls(
            {name: Count(*counts) for name, counts in plain["counts"].items()},
            {
                name: pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
                for name, texts in plain["witnesses"].items()
            },
        )


def look(text: pl.DataFrame, spec: SourceSpec) -> Facts:
    """Gather the facts of n rows of text, cleaned and repaired."""
    declared = cells.declared_types(spec)
    counts = {
        column.name: _count(column) for column in text.iter_columns() if declared.get(column.name, "range") == "range"
    }
    return Facts(counts, {name: _witnesses(text.select(columns)) for name, columns in _written(text, spec).items()})


def together(parts: Iterable[Facts]) -> Facts:
    """Facts of all rows."""
    counts: dict[str, Count] = {}
    texts: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        for name, count in part.counts.items():
            counts[name] = counts.get(name, Count()) + count
        for name, frame in part.witnesses.items():
            texts.setdefault(name, []).append(frame)
    return Facts(counts, {name: _witnesses(pl.concat(frames, how="diagonal")) for name, frames in texts.items()})


def _written(text: pl.DataFrame, spec: SourceSpec) -> dict[str, list[str]]:
    """Columns that are read as times, by the name of their witnesses."""
    found = {name: [name] for name, kind in cells.declared_types(spec).items() if kind == "date"}
    if spec.time is not None:
        found[TIME] = list(dict.fromkeys([*spec.time.columns, *([spec.time.available] if spec.time.available else [])]))
    return {name: columns for name, columns in found.items() if set(columns) <= set(text.columns)}


def _count(column: pl.Series) -> Count:
    given = column.drop_nulls()
    numbers = cells.numbers(given).drop_nulls()
    whole = numbers.len() if given.cast(pl.Int64, strict=False).null_count() == 0 else _whole(given)
    return Count(given.len(), numbers.len(), whole, int(given.str.contains(cells.LEADING_ZERO).sum()))


def _whole(given: pl.Series) -> int:
    return given.len() - cells.integers(given).null_count()


def _witnesses(texts: pl.DataFrame) -> pl.DataFrame:
    """One row of each combination of forms, in the order of rows."""
    names = texts.columns
    forms = texts.with_columns(_form(texts[name]).alias(f"form {name}") for name in names)
    kept = forms.unique([f"form {name}" for name in names], keep="first", maintain_order=True)
    return kept.select(names)


def _form(texts: pl.Series) -> pl.Series:
    """Form of each text: its words, signs, and how large its numbers are; found for each different part once."""
    cut = texts.str.strip_chars().str.replace("T", " ", literal=True).str.splitn(" ", 2)
    parts = [_abstract(cut.struct.field(name)).rename(name) for name in ("field_0", "field_1")]
    return pl.select(pl.concat_str(parts, separator=" ", ignore_nulls=True)).to_series()


def _abstract(texts: pl.Series) -> pl.Series:
    distinct = texts.unique().drop_nulls()
    forms = distinct.str.replace_all(r"([A-Za-z]+)", " $1 ")
    for pattern, letter in _BOUNDS.items():
        forms = forms.str.replace_all(pattern, f"<{letter}>")
    return texts.replace_strict(distinct, forms, default=None, return_dtype=pl.String)


def _clock(few: pl.DataFrame, beside: pl.DataFrame, name: str, spec: SourceSpec) -> pl.DataFrame:
    """The times of a few texts, read beside others."""
    told = spec.time if name == TIME and spec.time is not None else TimeSpec(columns=(name,))
    return clocks.read(few, told, Step(0, "h"), beside=beside).times
