"""Rows whose features are their own columns, answered from arrays: no table is built of rows that are plain.

What is answered equals, to the byte, what ``flows.asking``, ``flows.predicting`` and ``answers`` make of the same rows;
whatever is not plain (a text never met, a number written as text, a missing column) is left to them.
"""

import bisect
import contextlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from asof.api import records
from asof.api.bodies import MOST_NUMBER
from asof.flows.serving import Standing
from asof.intervals import Calibration
from asof.lookups.own import Own
from asof.lookups.place import Place
from asof.recipes.models import Model
from asof.releases import Seen

Floats = NDArray[np.float64]
NUMBERS = frozenset({int, float, type(None)})
MANY = 500
"""Values from which on it pays to look at their kinds less closely at first."""
LONG = 20_000
"""Bytes of a body from which on it pays to read it by the kinds of its columns."""
TRUTH = {True: "true", False: "false"}
ODD = "odd"
"""In place of a code, where a value is no text that was met: it is no number, so tables answer."""


class Arrays:
    """Answers plain rows of a standing as JSON; see ``of``."""

    def __init__(self, standing: Standing, model: Model, codes: Mapping[str, Mapping[str, float]]) -> None:
        """Lay out the columns, the bounds of what was seen, and the words of an answer."""
        self._model = model
        names = list(model.columns)
        self._width = len(names)
        self._values: Callable[[Mapping[str, Any]], Sequence[Any]] = (
            itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        )
        seen = {item.name: item for item in standing.oracle.release.schema()}
        self._codes = [(at, _by_text(codes[name], seen[name])) for at, name in enumerate(names) if name in codes]
        self._bare = [at for at, name in enumerate(names) if name not in codes]
        self._others = frozenset(number for one in standing.numbers.values() for number in one)
        """Numbers that stand for something else."""
        bounds = [(-np.inf, np.inf) if name in codes else seen[name].ends for name in names]
        self._low, self._high = (np.array(side) for side in zip(*bounds, strict=True))
        self._never = np.array([not seen[name].missing for name in names])
        self._calibration, self._classes = standing.oracle.calibration, standing.oracle.classes
        self._form = _form(standing)
        kinds = {name: str if name in codes else float for name in names}
        self._reader = records.reader(kinds)

    @classmethod
    def of(cls, standing: Standing) -> "Arrays | None":
        """What answers a standing whose rows have neither place nor time; none where their features are more."""
        prepared, model = standing.prepared, standing.oracle.model
        own = all(isinstance(lookup, (Place, Own)) for lookup in prepared.lookups)
        if not (standing.apart and prepared.panel.rows and own and prepared.panel.places.kind == "all"):
            return None
        codes = model.codes()
        # Texts are told only by those that the release has met as well; a column of truths is left to tables.
        seen = {item.name: item for item in standing.oracle.release.schema()}
        if codes is None or any(seen[name].categories is None for name in codes):
            return None
        plain = {*standing.numbers, *codes}
        if set(prepared.panel.own) != set(model.columns) or not plain >= set(model.columns):
            return None
        return cls(standing, model, codes)

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> bytes | None:
        """Answers as ``answers.write`` puts those of ``Desk.answer`` into JSON; none where a row is not plain."""
        if len(rows) == 1:
            return self._alone(rows[0])
        numbers = self._read(rows)
        return None if numbers is None else self.tell(numbers)

    def tell(self, numbers: Floats) -> bytes:
        """Answer n rows of numbers, as ``answer`` and ``read`` get them from what was sent."""
        outside = [TRUTH[each] for each in self._outside(numbers)]
        first, rest = self._told(self._model.of_numbers(numbers))
        units = range(1, len(numbers) + 1)
        lines = map(self._form.__mod__, zip(units, *first, outside, *rest, strict=True))
        return ('{"predictions":[' + ",".join(lines) + "]}").encode()

    def read(self, body: bytes, most: int) -> Floats | None:
        """Numbers of the n rows of a body of JSON, at most so many, if it is ``LONG`` and all rows are plain."""
        told = self._reader.read(body, most) if self._reader is not None and len(body) >= LONG else None
        return None if told is None or not told[1] else self._numbered(*told)

    def _alone(self, row: Mapping[str, Any]) -> bytes | None:
        """Answer one row as ``answer`` does, with fewer steps."""
        numbers = self._read([row])
        if numbers is None:
            return None
        near = ((numbers >= self._low) & (numbers <= self._high)).all()
        outside = not near and self._outside(numbers)[0]
        told = self._model.of_numbers(numbers)
        if isinstance(self._calibration, Calibration) and self._calibration.kind == "number":
            answer = float(told[0])
            written = to_json([answer, *_between(answer, self._calibration)]).decode()[1:-1].split(",")
            line = self._form % (1, *written, TRUTH[outside])
        else:
            first, rest = self._told(told)
            line = self._form % (1, *(one[0] for one in first), TRUTH[outside], *(one[0] for one in rest))
        return f'{{"predictions":[{line}]}}'.encode()

    def _read(self, rows: Sequence[Mapping[str, Any]]) -> Floats | None:
        """Numbers of n rows, NaN where nothing stands; none where a value is not plain."""
        try:
            values = list(chain.from_iterable(map(self._values, rows)))
        except KeyError:  # no such column
            return None
        return self._numbered(values, len(rows)) if set(map(len, rows)) == {self._width} else None

    def _numbered(self, values: list[Any], count: int) -> Floats | None:
        """Numbers of the values of so many rows."""
        width = self._width
        try:
            for at, codes in self._codes:
                values[at::width] = [codes.get(text, ODD) for text in values[at::width]]
            numbers = _numbers(values).reshape(count, width)
        except (OverflowError, TypeError):
            # A whole number beyond all floats; a list for a text, or what is neither number nor none.
            return None
        bare = numbers[:, self._bare] if self._codes else numbers
        if (np.abs(bare) > MOST_NUMBER).any() or any((bare == other).any() for other in self._others):
            return None
        return numbers

    def _outside(self, numbers: Floats) -> list[bool]:
        """Which rows hold a number beyond those that were seen, or nothing where there always was something."""
        wild = (numbers < self._low) | (numbers > self._high)
        rows: list[bool] = np.asarray(np.where(np.isnan(numbers), self._never, wild).any(axis=1)).tolist()
        return rows

    def _told(self, told: Floats) -> tuple[list[list[str]], list[list[str]]]:
        """What is told of each row, as it is written: before ``outside``, and behind it."""
        if isinstance(self._calibration, Calibration):
            return [_written(column) for column in (told, *self._calibration.interval(told, 1.0))], []
        chances = self._calibration.apply(told)
        decided = self._calibration.decide(chances).tolist()
        names = [to_json(name).decode() for name in self._classes]
        each = [_written(chances[:, code]) for code in range(len(names))]
        sure = [each[code][row] for row, code in enumerate(decided)]
        return [[names[code] for code in decided], sure], each


def _numbers(values: list[Any]) -> Floats:
    """Numbers, NaN for none; raises TypeError where anything else stands, and OverflowError."""
    if len(values) > MANY:
        with contextlib.suppress(TypeError):  # nothing stands somewhere, or it is no number
            numbers = np.frombuffer(array("d", values))
            # Of what is no number, truths alone pass for one: for 0 or 1, which are fewer to look at than all.
            if all(
                type(values[place]) is not bool for place in np.flatnonzero((numbers == 0) | (numbers == 1)).tolist()
            ):
                return numbers
    if not NUMBERS.issuperset(map(type, values)):
        raise TypeError
    return np.array(values, dtype=np.float64)


def _between(told: float, calibration: Calibration) -> tuple[float, float]:
    """The interval of one number, as ``Calibration.interval`` has it, to the bit."""
    band = bisect.bisect_right(calibration.edges, told)
    low, high = (told + end[band] * calibration.scale[band] for end in (calibration.low, calibration.high))
    low, high = told - max(0.0, told - low), told + max(0.0, high - told)
    least, most = calibration.bounds
    low = low if least is None else max(low, min(told, least))
    return low, high if most is None else min(high, max(told, most))


def _written(numbers: Floats) -> list[str]:
    return to_json(numbers.tolist()).decode()[1:-1].split(",")


def _form(standing: Standing) -> str:
    """An answer, with a place for what differs from row to row: its number, what is told, outside, chances."""
    release = _fixed(standing.oracle.release.name)
    more = ""
    if standing.oracle.classes:
        more = ',"chances":{' + ",".join(f"{_fixed(name)}:%s" for name in standing.oracle.classes) + "}"
    told = ("prediction", "probability") if more else ("prediction", "low", "high")
    first = "".join(f'"{name}":%s,' for name in told)
    return f'{{"unit":"%d",{first}"outside":%s,"reason":null,"release":{release}{more}}}'


def _fixed(told: str) -> str:
    """A text as JSON, in a form."""
    return to_json(told).decode().replace("%", "%%")


def _by_text(codes: Mapping[str, float], seen: Seen) -> Mapping[Any, float]:
    """Code of each text that was met, and of none."""
    met = frozenset(seen.categories or ())
    return {text: code for text, code in codes.items() if text in met} | {None: float("nan")}
