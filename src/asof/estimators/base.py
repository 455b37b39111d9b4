"""What an estimator is: it learns from a table of numbers, and what it has learnt is plain files."""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.data import Table, numbers
from asof.errors import DataError

Floats = NDArray[np.float64]
Files = dict[str, bytes]
"""What was learnt, as files by name: text, JSON, ``.npy`` arrays or a booster's own format; never a pickle."""


@dataclass(frozen=True)
class Real:
    """A parameter that tuning draws between ``low`` and ``high``, on a log scale where ``log``."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Whole:
    """A whole number that tuning draws from ``low`` to ``high``, both included."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """A parameter that tuning draws from a list."""

    values: tuple[str | float | int | bool, ...]


Space = Mapping[str, Real | Whole | Choice]


@dataclass(frozen=True)
class Job:
    """What an estimator is told besides the table."""

    task: str
    """``count``, ``number`` or ``class``."""
    loss: str = ""
    """``poisson``, ``tweedie``, ``squared``; empty: the estimator's default for the task."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Overrides of the estimator's ``defaults``."""
    rounds: int | None = None
    """Boosting rounds; none: as many as the watched table allows."""
    threads: int = 1
    seed: int = 0
    classes: int = 0
    """Classes among the labels, which are the codes 0..k-1 and each occur; 0 for counts and numbers."""


class Fitted(Protocol):
    """What an estimator has learnt."""

    @property
    def rounds(self) -> int | None:
        """Boosting rounds kept; none where there are none."""
        ...

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions, or n x k probabilities of classes; each depends on its own row alone, to the bit."""
        ...

    def files(self) -> Files:
        """Everything that ``Estimator.read`` needs, as bytes by file name."""
        ...

    def canonical(self) -> Files:
        """The same without times, ids and addresses: what the fingerprint is made of."""
        ...


class Estimator(Protocol):
    """A way to learn, by name."""

    tasks: ClassVar[frozenset[str]]
    defaults: ClassVar[Mapping[str, Any]]
    space: ClassVar[Space]
    weighs: ClassVar[bool]
    """Whether weights of the table are respected."""

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Fitted:
        """Learn from encoded features (Float64, null = unknown; UInt32 = category codes).

        ``watch`` is a later stretch inside training, on which boosting stops.
        """
        ...

    def read(self, files: Mapping[str, bytes]) -> Fitted:
        """Make what was learnt from its files again; predictions are equal to the bit."""
        ...


def rest_between() -> None:
    """Let OpenMP threads sleep where they wait for each other; to be called before a library that has it is loaded.

    By default they spin: on two busy cores LightGBM with two threads then takes 20 s in place of 1.1 s, XGBoost 12 s
    in place of 0.7 s. A policy that the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


LEAN: ContextVar[bool] = ContextVar("LEAN", default=False)
"""Whether this process does nothing but answer, so that libraries may be loaded without what they bring for others."""


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Load a library as if others that it would bring were not installed; only where ``LEAN``.

    LightGBM works with pandas and scikit-learn where they are there, which takes 100 MB and a second.
    """
    hidden = [name for name in names if LEAN.get() and name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # none: the import fails, as Python has it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def settings(defaults: Mapping[str, Any], job: Job, name: str) -> dict[str, Any]:
    """Return ``defaults`` overlaid by the job's parameters; raises DataError for one that is not there."""
    unknown = sorted(set(job.params) - set(defaults))
    if unknown:
        raise DataError(f"{name}: no parameter {', '.join(unknown)}; expected some of {', '.join(sorted(defaults))}")
    return {**defaults, **job.params}


def matrix(features: pl.DataFrame) -> Floats:
    """Return n x p numbers, unknown ones NaN; raises DataError for text that no encoder has turned into numbers."""
    text = [name for name, dtype in features.schema.items() if dtype == pl.String]
    if text:
        raise DataError(
            f"text in {', '.join(text)}: this estimator reads numbers; add the encoder categories or onehot"
        )
    if any(dtype != pl.Float64 for dtype in features.schema.values()):
        features = features.select(pl.all().cast(pl.Float64))
    return numbers(features)


def labels(table: Table) -> Floats:
    """Labels of a table, n Float64."""
    out: Floats = table.label.cast(pl.Float64).to_numpy()
    return out


def weights(table: Table) -> Floats | None:
    """Weights of a table, n Float64, or none."""
    return None if table.weight is None else table.weight.cast(pl.Float64).to_numpy()


def first_match(names: Sequence[str], patterns: Sequence[str]) -> str | None:
    """Return the first name that matches the first pattern that any name matches (``*`` and ``?``)."""
    for pattern in patterns:
        for name in names:
            if fnmatchcase(name, pattern):
                return name
    return None


def dump_json(value: Any) -> bytes:
    """JSON bytes; floats keep every bit, and keys their order, which is that of columns."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False).encode()


def dump_array(array: NDArray[Any]) -> bytes:
    """Bytes of one array in the ``.npy`` format, without any object."""
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


def load_array(data: bytes) -> NDArray[Any]:
    """Read back ``dump_array``; objects are refused."""
    out: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return out


def linear_sum(numbers: Floats, coefficients: Floats, intercept: float) -> Floats:
    """Return intercept + numbers @ coefficients, summed column by column.

    A matrix product rounds differently for one row and for many; this does not, and one
    question must get the bits that a batch gets.
    """
    out = np.full(len(numbers), intercept)
    for column, coefficient in zip(numbers.T, coefficients, strict=True):
        out += np.ascontiguousarray(column) * coefficient
    return out
