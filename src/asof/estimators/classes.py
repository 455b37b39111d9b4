"""What estimators of classes share: probabilities from scores, and shares of classes as an answer.

An estimator of classes is given codes 0..k-1 of which each occurs (``Job.classes`` is k), and answers n x k
probabilities; classes that a training table lacks are the business of ``asof.recipes``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import weights_of
from asof.estimators.base import Files, Floats, dump_json, labels


def chances(scores: Sequence[Floats]) -> Floats:
    """Softmax of k scores a row, each an array of n: n x k probabilities.

    Column by column, so that one row gets the bits that it gets among many.
    """
    highest = scores[0]
    for score in scores[1:]:
        highest = np.maximum(highest, score)
    each = [np.exp(score - highest) for score in scores]
    total = each[0]
    for one in each[1:]:
        total = total + one
    return np.stack([one / total for one in each], axis=1)


def pair(chance: Floats) -> Floats:
    """Make n x 2 probabilities of the n of class 1."""
    return np.stack([1.0 - chance, chance], axis=1)


def share(table: Table, classes: int) -> Floats:
    """Weighted share of each class among the labels of a table, k values."""
    total = np.bincount(labels(table).astype(np.intp), weights_of(table).to_numpy(), classes)
    out: Floats = total / total.sum()
    return out


def key(columns: Sequence[str]) -> pl.Expr:
    """Text that names the values of some columns; null where any is, so that an unknown part falls through."""
    return pl.concat_str([pl.col(name).cast(pl.String) for name in columns], separator="\x1f")


@dataclass(frozen=True)
class Shares:
    """Shares of classes: those of all rows, or of the finest level that knows the row's key."""

    overall: tuple[float, ...]
    levels: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Finest first: ``{"columns": [...], "shares": {key: [k shares]}}``."""
    rounds: int | None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n x k shares; ``threads`` has no effect."""
        del threads
        out = np.tile(np.asarray(self.overall), (features.height, 1))
        for level in reversed(self.levels):
            known = list(level["shares"])
            names = pl.Series(known, dtype=pl.String)
            found = key(level["columns"]).replace_strict(names, range(len(known)), default=-1, return_dtype=pl.Int64)
            row = features.select(found.fill_null(-1).alias("_"))["_"].to_numpy()
            values = np.asarray(list(level["shares"].values()), dtype=np.float64)
            out[row >= 0] = values[row[row >= 0]]
        return out

    def files(self) -> Files:
        """One JSON file."""
        levels = [dict(level) for level in self.levels]
        return {"shares.json": dump_json({"overall": list(self.overall), "levels": levels})}

    canonical = files


def read_shares(files: Mapping[str, bytes]) -> Shares | None:
    """Shares, where that is what was kept; else none."""
    if "shares.json" not in files:
        return None
    told = json.loads(files["shares.json"])
    return Shares(tuple(told["overall"]), tuple(told["levels"]))


def shares_by(table: Table, columns: Sequence[str], classes: int, smoothing: float = 0.0) -> dict[str, list[float]]:
    """Shares of classes by the values of ``columns``, drawn to those of all with the weight of ``smoothing`` rows."""
    overall = share(table, classes)
    frame = table.features.select(key(columns).alias("key")).with_columns(
        table.label.alias("label"), weights_of(table).alias("weight")
    )
    known = frame.drop_nulls("key").filter(pl.col("weight") > 0).sort("key", maintain_order=True)
    out: dict[str, list[float]] = {}
    for (name,), rows in known.group_by(["key"], maintain_order=True):
        counted = np.bincount(rows["label"].to_numpy().astype(np.intp), rows["weight"].to_numpy(), classes)
        told = (counted + smoothing * overall) / (counted.sum() + smoothing)
        out[str(name)] = told.tolist()
    return out
