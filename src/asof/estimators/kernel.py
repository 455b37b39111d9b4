"""A ridge line, and a smooth correction of it: kernel ridge regression on landmarks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.estimators.base import (
    Files,
    Floats,
    Job,
    Real,
    Space,
    dump_array,
    dump_json,
    labels,
    load_array,
    matrix,
    settings,
    weights,
)
from asof.estimators.linear import THREADS, Coefficients, Linear

CHUNK = 2048
"""Rows whose similarities are worked out at once: 16 MB for a thousand landmarks."""
JITTER = 1e-8
"""Added to the similarities of landmarks, relative to 1, so that twins among them do no harm."""
TWO = 2
"""A column with so few values is left to the line: between 0 and 1 there is nothing to be smooth over."""


@dataclass(frozen=True)
class Smooth:
    """A line, and a weighted sum of similarities to landmarks: exp(-gamma * squared distance)."""

    line: Coefficients
    columns: tuple[str, ...]
    """Those by which rows are near each other."""
    landmarks: Floats
    """(m, p) rows that were learnt from."""
    weight: Floats
    gamma: float
    rounds: int | None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions; ``threads`` has no effect."""
        del threads
        out = self.line.exponent(features)
        for first, near in _near(matrix(features.select(self.columns)), self.landmarks, self.gamma):
            # not a matrix product, so that one row gets the bits that it gets among many
            out[first : first + len(near)] += (near * self.weight).sum(axis=1)
        return out

    def files(self) -> Files:
        """The line, what is near, and two arrays."""
        told = {"columns": list(self.columns), "gamma": self.gamma}
        arrays = {"landmarks.npy": dump_array(self.landmarks), "weight.npy": dump_array(self.weight)}
        return {**self.line.files(), "kernel.json": dump_json(told), **arrays}

    canonical = files


class Kernel:
    """Kernel ridge regression with Gaussian similarity on what a ridge line leaves.

    Similarities are to at most ``landmarks`` training rows drawn by the seed (Nyström: Williams, Seeger, NIPS 2000).
    Squared distances are divided by ``width`` times the number of columns, so columns should be of one size. It follows
    what bends smoothly, which trees copy in steps, and needs fewer rows than they do.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"number"})
    weighs: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 0.7, "line_alpha": 1.0, "width": 2.0, "landmarks": 1000}
    space: ClassVar[Space] = {
        "alpha": Real(0.03, 30.0, log=True),
        "line_alpha": Real(0.1, 100.0, log=True),
        "width": Real(0.3, 10.0, log=True),
    }

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Smooth | Coefficients:
        """Fit the line on all rows, then the correction on its errors."""
        del watch
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        chosen = settings(self.defaults, job, "kernel")
        line = Linear().fit(table, Job(job.task, params={"alpha": chosen["line_alpha"]}))
        columns = [name for name in table.features.columns if table.features[name].n_unique() > TWO]
        if not columns:
            return line
        numbers = matrix(table.features.select(columns))
        drawn = np.random.default_rng(job.seed).permutation(len(numbers))[: int(chosen["landmarks"])]
        landmarks = numbers[np.sort(drawn)]
        gamma = 1 / (chosen["width"] * len(columns))
        left = labels(table) - line.exponent(table.features)
        given = weights(table)
        with threadpool_limits(THREADS):
            weight = _solve(numbers, left, landmarks, (gamma, chosen["alpha"]), given)
        return Smooth(line, tuple(columns), landmarks, weight, gamma)

    def read(self, files: Mapping[str, bytes]) -> Smooth | Coefficients:
        """Make what was learnt from its files again."""
        line = Linear().read(files)
        if "kernel.json" not in files:
            return line
        told = json.loads(files["kernel.json"])
        landmarks, weight = load_array(files["landmarks.npy"]), load_array(files["weight.npy"])
        return Smooth(line, tuple(told["columns"]), landmarks, weight, told["gamma"])


def _solve(
    numbers: Floats, left: Floats, landmarks: Floats, terms: tuple[float, float], given: Floats | None
) -> Floats:
    """Weights of the landmarks: least weighted squares of ``left`` + alpha times their squared norm in the kernel."""
    gamma, alpha = terms
    count = len(landmarks)
    among = next(near for _, near in _near(landmarks, landmarks, gamma, whole=True)) + JITTER * np.eye(count)
    normal: Floats = alpha * among
    right = np.zeros(count)
    for first, near in _near(numbers, landmarks, gamma):
        part = slice(first, first + len(near))
        weighed = near if given is None else near * given[part, None]
        normal = np.asarray(normal + weighed.T @ near, dtype=np.float64)
        right += weighed.T @ left[part]
    normal[np.diag_indices(count)] *= 1 + JITTER
    return np.asarray(np.linalg.solve(normal, right), dtype=np.float64)


def _near(rows: Floats, landmarks: Floats, gamma: float, *, whole: bool = False) -> Iterator[tuple[int, Floats]]:
    """First row and (rows, m) similarities of each chunk."""
    from scipy.spatial.distance import cdist

    size = max(len(rows), 1) if whole else CHUNK
    for first in range(0, len(rows), size):
        away = cdist(rows[first : first + size], landmarks, "sqeuclidean")
        yield first, np.exp(-gamma * away)
