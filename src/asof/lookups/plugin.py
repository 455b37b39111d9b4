"""Lookups of users: a function of (questions, past), checked for what a lookup must answer."""

import inspect
import traceback
from collections.abc import Callable
from typing import Any

import polars as pl

from asof.errors import DataError, Problem
from asof.ledgers import Past

UNIT = ("place", "start", "end", "as_of", "horizon")
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, pl.exceptions.PolarsError)
"""What a function raises when it is wrong; anything else is none of its making."""


class PluginLookup:
    """Calls ``function(questions, past, **options)`` and refuses an answer that is no feature."""

    def __init__(self, name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
        """Store them."""
        self.name, self._function, self._options = name, function, dict(options)

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions.

        Raises:
            DataError: the function fails, or its answer has another height or order, is not made of finite numbers,
                Booleans or text, or has a column without a name.
        """
        try:
            answer = self._function(questions, past, **self._options)
        except _FAULTS as fault:
            frames = traceback.extract_tb(fault.__traceback__)
            own = getattr(getattr(self._function, "__code__", None), "co_filename", "")
            # The user's own line, where the fault showed within a library.
            at = next((frame for frame in reversed(frames) if frame.filename == own), frames[-1])
            raise DataError(
                f"{at.filename}:{at.lineno}: plug-in {self.name}: {type(fault).__name__}: {fault}"
            ) from fault
        return self._checked(answer, questions)

    def check(self, past: Past) -> list[Problem]:
        """Find options that the function does not take, or lacks."""
        del past
        try:
            inspect.signature(self._function).bind(None, None, **self._options)
        except TypeError as fault:
            return [Problem(f"plug-in {self.name}: {fault}", where=f"features.{self.name}")]
        return []

    def _checked(self, answer: Any, questions: pl.DataFrame) -> pl.DataFrame:
        if isinstance(answer, pl.Series):
            answer = answer.alias(self.name).to_frame()
        if not isinstance(answer, pl.DataFrame):
            raise self._fault(f"answered a {type(answer).__name__}")
        frame: pl.DataFrame = answer
        return self._lined_up(frame, questions)

    def _lined_up(self, answer: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
        if answer.height != questions.height:
            raise self._fault(f"answered {answer.height} rows to {questions.height} questions")
        for column in UNIT:
            if column in answer.columns and column in questions.columns:
                if not answer[column].equals(questions[column]):
                    raise self._fault(f"answered in another order: its column {column!r} is not that of the questions")
                answer = answer.drop(column)
        return answer.select(self._number(answer[column]) for column in answer.columns)

    def _number(self, column: pl.Series) -> pl.Series:
        if column.dtype == pl.String or isinstance(column.dtype, pl.Categorical | pl.Enum):
            return column.cast(pl.String)
        if not (column.dtype.is_numeric() or column.dtype in {pl.Boolean, pl.Null}):
            raise self._fault(f"column {column.name!r} is {column.dtype}")
        number = column.cast(pl.Float64).fill_nan(None)
        wrong = number.is_infinite().fill_null(value=False).arg_true()
        if len(wrong):
            raise self._fault(f"column {column.name!r} is infinite in row {wrong[0]}; a division by 0?")
        return number

    def _fault(self, what: str) -> DataError:
        return DataError(
            f"plug-in {self.name}: {what}; expected a Series or DataFrame with one row a question, in their order, "
            f"of finite numbers (null = unknown) or text",
        )
