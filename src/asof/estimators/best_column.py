"""A baseline: the one column that tells most, by the mean label, or the shares of classes, of each of its values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.data import Table
from asof.encoders.base import known, weights_of
from asof.errors import DataError
from asof.estimators.base import Files, Floats, Job, Space, dump_json, labels, settings

UNKNOWN = "?"
"""Key of an unknown value; a text is kept behind ``=``."""
FEW_VALUES = 12
"""Numbers with no more different values than this are told apart each."""
FLOOR = 1e-6


@dataclass(frozen=True)
class Grouped:
    """The value of each group of a column; a group never seen has that of all."""

    column: str | None
    """None where no column tells more than the mean of all."""
    edges: tuple[float, ...] | None
    """Borders between groups of numbers; none for text."""
    values: Mapping[str, tuple[float, ...]]
    """A mean, or k shares, by group."""
    overall: tuple[float, ...]
    rounds: int | None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n means or n x k shares; ``threads`` has no effect."""
        del threads
        out = np.tile(np.asarray(self.overall), (features.height, 1))
        if self.column is not None and self.values:
            groups = _groups(features[self.column], self.edges)
            at = {group: row for row, group in enumerate(self.values)}
            found = np.array([at.get(group, -1) for group in groups], dtype=np.int64)
            values = np.asarray(list(self.values.values()), dtype=np.float64)
            out[found >= 0] = values[found[found >= 0]]
        return out[:, 0].copy() if len(self.overall) == 1 else out

    def files(self) -> Files:
        """One JSON file."""
        told = {
            "column": self.column,
            "edges": None if self.edges is None else list(self.edges),
            "values": {group: list(value) for group, value in self.values.items()},
            "overall": list(self.overall),
        }
        return {"best_column.json": dump_json(told)}

    canonical = files


class BestColumn:
    """Means, or shares of classes, by the one column that tells most in blocks of rows that it was not made of.

    Text by its values; numbers by their values where these are few, else by tenths of the rows. Each group is drawn
    to the whole with the weight of ``smoothing`` rows. It is the rule that a person finds by looking ("women live"),
    and so the one that a model must beat.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"number", "class"})
    defaults: ClassVar[Mapping[str, Any]] = {"smoothing": 1.0, "blocks": 5}
    space: ClassVar[Space] = {}
    weighs: ClassVar[bool] = True

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Grouped:
        """Choose the column, and learn its groups from all rows."""
        del watch
        chosen = settings(self.defaults, job, "best_column")
        label, weight = labels(table), weights_of(table).to_numpy()
        if not weight.sum() > 0:
            raise DataError("no training question has weight: nothing can be learnt; widen the training stretch")
        # what is averaged: the label, or whether it is each class
        target = label[:, None] if not job.classes else (label[:, None] == np.arange(job.classes)).astype(np.float64)
        block = np.arange(len(table)) % max(2, int(chosen["blocks"]))
        overall = weight @ target / weight.sum()
        best: tuple[float, str | None] = (_loss(target, _others(None, target, weight, block, 0.0), weight), None)
        for name in table.features.columns:
            codes = _coded(table.features[name])
            loss = _loss(target, _others(codes, target, weight, block, chosen["smoothing"]), weight)
            best = min(best, (loss, name), key=lambda pair: pair[0])
        column = best[1]
        if column is None:
            return Grouped(None, None, {}, tuple(overall.tolist()))
        edges = _edges(table.features[column])
        names, codes = np.unique(_groups(table.features[column], edges), return_inverse=True)
        values = _means(codes, len(names), target, weight, chosen["smoothing"])
        told = {str(name): tuple(value.tolist()) for name, value in zip(names, values, strict=True)}
        return Grouped(column, edges, told, tuple(overall.tolist()))

    def read(self, files: Mapping[str, bytes]) -> Grouped:
        """Make the groups from their file again."""
        told = json.loads(files["best_column.json"])
        values = {group: tuple(value) for group, value in told["values"].items()}
        edges = None if told["edges"] is None else tuple(told["edges"])
        return Grouped(told["column"], edges, values, tuple(told["overall"]))


def _edges(column: pl.Series) -> tuple[float, ...] | None:
    if not column.dtype.is_numeric():
        return None
    values = known(column).cast(pl.Float64).to_numpy()
    levels = np.unique(values)
    if len(levels) > FEW_VALUES:
        return tuple(np.unique(np.quantile(values, np.arange(1, 10) / 10)).tolist())
    return tuple(((levels[1:] + levels[:-1]) / 2).tolist())


def _groups(column: pl.Series, edges: tuple[float, ...] | None) -> NDArray[np.object_]:
    """Name of the group of each row."""
    if edges is None:
        named = [UNKNOWN if value is None else f"={value}" for value in column.cast(pl.String).to_list()]
    else:
        numbers = column.cast(pl.Float64).to_numpy()
        places = np.searchsorted(np.asarray(edges), numbers, side="right")
        named = [UNKNOWN if np.isnan(number) else str(at) for number, at in zip(numbers, places, strict=True)]
    return np.array(named, dtype=object)


def _coded(column: pl.Series) -> NDArray[np.intp]:
    """A number for the group of each row, 0 for an unknown value."""
    edges = _edges(column)
    if edges is None:
        return column.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.intp)
    numbers = column.cast(pl.Float64).to_numpy()
    places = np.searchsorted(np.asarray(edges), numbers, side="right") + 1
    return np.where(np.isnan(numbers), 0, places)


def _means(codes: NDArray[np.intp], count: int, target: Floats, weight: Floats, smoothing: float) -> Floats:
    """Weighted mean target of each group, drawn to that of all; groups x outcomes."""
    overall = weight @ target / weight.sum()
    total = np.bincount(codes, weight, count)
    sums = np.stack([np.bincount(codes, weight * column, count) for column in target.T], axis=1)
    held = total[:, None] + smoothing
    out: Floats = np.divide(sums + smoothing * overall, held, out=np.tile(overall, (count, 1)), where=held > 0)
    return out


def _others(
    codes: NDArray[np.intp] | None, target: Floats, weight: Floats, block: NDArray[np.intp], smoothing: float
) -> Floats:
    """Answer to each row from the rows of other blocks."""
    groups = np.zeros(len(target), dtype=np.intp) if codes is None else codes
    count = int(groups.max()) + 1
    out = np.empty_like(target)
    for number in np.unique(block):
        here, others = block == number, block != number
        if not weight[others].sum() > 0:
            others = here
        made = _means(groups[others], count, target[others], weight[others], smoothing)
        out[here] = made[groups[here]]
    return out


def _loss(target: Floats, told: Floats, weight: Floats) -> float:
    """Mean squared error of a number, mean log loss of classes."""
    each = (target - told) ** 2 if target.shape[1] == 1 else -target * np.log(np.maximum(told, FLOOR))
    return float(weight @ each.sum(axis=1)) / float(weight.sum())
