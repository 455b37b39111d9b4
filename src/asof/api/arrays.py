"""Rows whose features are their own columns, answered from arrays: no table is built of rows that are plain.

What is answered equals, to the bit, what ``flows.asking`` and ``flows.predicting`` make of the same rows; whatever is
not plain (a text never met, a number written as text, a missing column) is left to them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.api.bodies import MOST_NUMBER
from asof.flows import oracles
from asof.flows.serving import Standing
from asof.lookups.own import Own
from asof.lookups.place import Place
from asof.recipes.models import RecipeModel
from asof.releases import Seen
from asof.releases.seen import ends

Floats = NDArray[np.float64]
NUMBERS = frozenset({int, float, type(None)})
ODD = "odd"
"""In place of a code, where a value is no text that was met: it is no number, so tables answer."""


class Arrays:
    """Answers plain rows of a standing; see ``of``."""

    def __init__(self, standing: Standing, model: RecipeModel, codes: Mapping[str, Mapping[str, float]]) -> None:
        """Lay out the columns, and the bounds of what was seen."""
        self._standing = standing
        self._model = model
        self._names = frozenset(standing.prepared.panel.own)
        seen = {item.name: item for item in standing.oracle.release.schema()}
        self._columns = [(name, _by_text(codes[name], seen[name]) if name in codes else None) for name in model.columns]
        self._others: frozenset[float] = frozenset(number for one in standing.numbers.values() for number in one)
        """Numbers that stand for something else."""
        bounds = [(-np.inf, np.inf) if name in codes else ends(seen[name]) for name in model.columns]
        self._low, self._high = (np.array(side) for side in zip(*bounds, strict=True))
        self._never = np.array([not seen[name].missing for name in model.columns])

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
        if any(row.keys() != self._names for row in rows):
            return None
        numbers = self._read(rows)
        if numbers is None:
            return None
        unknown = np.isnan(numbers)
        if (np.abs(numbers, where=~unknown, out=np.zeros_like(numbers)) > MOST_NUMBER).any():
            return None
        outside = np.where(unknown, self._never, (numbers < self._low) | (numbers > self._high)).any(axis=1)
        oracle = self._standing.oracle
        told = self._model.of_numbers(numbers)
        units = pl.Series("unit", [str(number) for number in range(1, len(rows) + 1)])
        nowhere = pl.Series([False]).new_from_index(0, len(rows))
        return oracles.laid_out([units], told, oracle, pl.Series(outside), nowhere)

    def _read(self, rows: Sequence[Mapping[str, Any]]) -> Floats | None:
        """Numbers of n rows, NaN where nothing stands; none where a value is not plain."""
        try:
            values = [
                row[name] if codes is None else codes.get(row[name], ODD)
                for row in rows
                for name, codes in self._columns
            ]
            if not set(map(type, values)) <= NUMBERS or not self._others.isdisjoint(values):
                return None
            return np.array(values, dtype=np.float64).reshape(len(rows), -1)
        except (OverflowError, TypeError):  # a whole number beyond all floats; a list or an object in place of a text
            return None


def _by_text(codes: Mapping[str, float], seen: Seen) -> Mapping[Any, float]:
    """Code of each text that was met, and of none."""
    met = frozenset(seen.categories or ())
    return {text: code for text, code in codes.items() if text in met} | {None: float("nan")}
