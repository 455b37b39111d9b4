"""Rows whose features are their own columns, answered from arrays: no table is built of rows that are plain.

What is answered equals, to the bit, what ``flows.asking`` and ``flows.predicting`` make of the same rows; whatever is
not plain (a text never met, a number written as text, a missing column) is left to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.api.bodies import MOST_NUMBER
from asof.flows import predicting
from asof.flows.serving import Standing
from asof.lookups.own import Own
from asof.lookups.place import Place
from asof.recipes.models import RecipeModel
from asof.releases import Seen
from asof.releases.seen import ends

Floats = NDArray[np.float64]
NUMBERS, TEXTS = frozenset({int, float, type(None)}), frozenset({str, type(None)})


@dataclass(frozen=True)
class _Column:
    """A column of numbers, or of texts by their codes."""

    name: str
    others: frozenset[float]
    """Numbers that stand for something else."""
    codes: Mapping[Any, float] | None
    """Code of each text that was met, and of none; none: numbers."""

    def read(self, rows: Sequence[Mapping[str, Any]]) -> Floats | None:
        """Numbers of n rows, NaN where nothing stands; none where a value is not plain."""
        values = [row[self.name] for row in rows]
        if not set(map(type, values)) <= (NUMBERS if self.codes is None else TEXTS):
            return None
        if self.codes is not None:
            values = [self.codes.get(value) for value in values]
            return None if None in values else np.array(values, dtype=np.float64)
        if self.others and not self.others.isdisjoint(values):
            return None
        try:
            return np.array(values, dtype=np.float64)
        except OverflowError:
            return None


class Arrays:
    """Answers plain rows of a standing; see ``of``."""

    def __init__(self, standing: Standing, model: RecipeModel, codes: Mapping[str, Mapping[str, float]]) -> None:
        """Lay out the columns, and the bounds of what was seen."""
        self._standing = standing
        self._model = model
        self._names = standing.prepared.panel.own
        seen = {item.name: item for item in standing.oracle.release.schema()}
        self._columns = [
            _Column(name, standing.numbers.get(name, frozenset()), _by_text(codes.get(name), seen[name]))
            for name in model.columns
        ]
        bounds = [ends(seen[one.name]) if one.codes is None else (-np.inf, np.inf) for one in self._columns]
        self._low, self._high = (np.array(side) for side in zip(*bounds, strict=True))
        self._never = np.array([not seen[one.name].missing for one in self._columns])

    @classmethod
    def of(cls, standing: Standing) -> "Arrays | None":
        """What answers a standing whose rows have neither place nor time; none where their features are more."""
        prepared, model = standing.prepared, standing.oracle.model
        own = all(isinstance(lookup, (Place, Own)) for lookup in prepared.lookups)
        if not (standing.apart and prepared.panel.rows and own and prepared.panel.places.kind == "all"):
            return None
        codes = model.codes() if isinstance(model, RecipeModel) else None
        # Texts are told only by those that the release has met as well; a column of truths is left to tables.
        seen = {item.name: item for item in standing.oracle.release.schema()}
        if codes is None or any(seen[name].categories is None for name in codes):
            return None
        plain = {*standing.numbers, *codes}
        if set(prepared.panel.own) != set(model.columns) or not plain >= set(model.columns):
            return None
        return cls(standing, model, codes)

    @property
    def standing(self) -> Standing:
        """What is answered from."""
        return self._standing

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame | None:
        """Answers as ``Desk.answer`` lays them out; none where a row is not plain."""
        if any(len(row) != len(self._names) or any(name not in row for name in self._names) for row in rows):
            return None
        read = []
        for column in self._columns:
            told = column.read(rows)
            if told is None:
                return None
            read.append(told)
        numbers = np.array(read).T
        unknown = np.isnan(numbers)
        if (np.abs(numbers, where=~unknown, out=np.zeros_like(numbers)) > MOST_NUMBER).any():
            return None
        outside = np.where(unknown, self._never, (numbers < self._low) | (numbers > self._high)).any(axis=1)
        oracle = self._standing.oracle
        told = self._model.of_numbers(numbers)
        units = pl.Series("unit", [str(number) for number in range(1, len(rows) + 1)])
        nowhere = pl.Series([False]).new_from_index(0, len(rows))
        return predicting.laid_out([units], told, oracle, pl.Series(outside), nowhere)


def _by_text(codes: Mapping[str, float] | None, seen: Seen) -> Mapping[Any, float] | None:
    if codes is None:
        return None
    met = frozenset(seen.categories or ())
    return {text: code for text, code in codes.items() if text in met} | {None: float("nan")}
