"""What a lookup is, and how its options are read."""

import difflib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import numpy as np
import polars as pl
from pydantic import ValidationError

from asof.errors import Problem, ProjectError
from asof.ledgers import Past
from asof.ledgers.moments import Floats, Ints
from asof.specs import FeatureSpec, Spec
from asof.times import Step

OWN = "own."
"""Before the name of a column of its own that a question about a row carries."""


class Lookup(Protocol):
    """A feature, or several, that reads sources as of the moment of each question. Never fitted.

    A lookup may also tell ``reach`` (timedelta: how far back it reads), ``reads`` (a function of the name of a source:
    how far back it reads that one, none for all of it, so that only so much need be held), ``ahead`` (patterns of
    features that are declared to be known ahead, such as a forecast, and so may read later rows) and
    ``against`` (names of features that say by themselves what the label should be).
    """

    @property
    def name(self) -> str:
        """What the project calls it."""
        ...

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer n questions.

        Args:
            questions: ``place`` (String), ``start``, ``end``, ``as_of`` (UTC), ``horizon`` (String), and perhaps more.
            past: the sources; only rows with ``_available <= as_of`` may be read.

        Returns:
            n rows in the order of ``questions``: Float64 (null = unknown) or String columns. What is answered to a
            question must not depend on which others are asked with it.
        """
        ...

    def check(self, past: Past) -> list[Problem]:
        """Faults of the options, before anything is read: a lag shorter than legal, a column that is not there."""
        ...


Options = TypeVar("Options", bound=Spec)


def read_options(kind: type[Options], spec: FeatureSpec, options: dict[str, Any] | None = None) -> Options:
    """Check the options of a lookup; raises ProjectError with all faults, each with the nearest valid name."""
    given = spec.options if options is None else options
    try:
        return kind.model_validate(given)
    except ValidationError as fault:
        known = sorted(kind.model_fields)
        raise ProjectError([_problem(spec.name, error, known) for error in fault.errors()]) from None


def _problem(name: str, error: Any, known: list[str]) -> Problem:
    path = ".".join(str(part) for part in error["loc"])
    where = f"features.{name}.{path}" if path else f"features.{name}"
    if error["type"] != "extra_forbidden":
        return Problem(f"{error['msg']}; got {error['input']!r}", where=where)
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return Problem(f"no such option{hint} There are: {', '.join(known)}", where=where)


def steps(texts: tuple[str, ...]) -> tuple[Step, ...]:
    """Read several lengths of time."""
    return tuple(Step.parse(text) for text in texts)


def longest(wanted: list[Step]) -> timedelta:
    """Return the longest of some steps."""
    return max((step.nominal for step in wanted), default=timedelta(0))


def numbers_of(rows: pl.DataFrame) -> list[str]:
    """Names of the user's columns that hold numbers, in the order of the table."""
    return [
        name
        for name, dtype in rows.schema.items()
        if not name.startswith("_") and (dtype.is_numeric() or dtype == pl.Boolean)
    ]


def table_of(columns: Mapping[str, pl.Series | Floats | Ints], height: int) -> pl.DataFrame:
    """Join columns to a frame of ``height`` rows: numbers as Float64 with null for unknown, text as it is."""
    if not columns:
        return pl.DataFrame(height=height)
    return pl.DataFrame([_column(name, values) for name, values in columns.items()])


def _column(name: str, values: pl.Series | Floats | Ints) -> pl.Series:
    # One after the other: a query for all of them takes longer than the work, where questions are few.
    if not isinstance(values, pl.Series):
        return pl.Series(name, np.asarray(values, dtype=np.float64), nan_to_null=True)
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        numbers = values.cast(pl.Float64)
        told = numbers.to_numpy()
        unknown = int(np.count_nonzero(np.isnan(told))) != numbers.null_count()
        return pl.Series(name, told, nan_to_null=True) if unknown else numbers.alias(name)
    return values.alias(name)
