"""Random forests, kept as plain arrays: learnt by scikit-learn, walked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.data import Table
from asof.estimators.base import (
    Files,
    Floats,
    Job,
    Real,
    Space,
    Whole,
    dump_array,
    labels,
    load_array,
    matrix,
    rest_between,
    settings,
    weights,
)

CHUNK = 1024
"""Rows walked at once: rows x trees node numbers stay in the cache."""
ARRAYS = ("roots", "feature", "threshold", "left", "right", "unknown_left", "value")


@dataclass(frozen=True)
class Forest:
    """All nodes of all trees, one after the other; a leaf has feature -1 and points at itself."""

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    unknown_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    """A number a node, or its k shares of classes."""
    rounds: None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return the mean over trees of the leaf of each row; ``threads`` has no effect."""
        del threads
        # scikit-learn splits on single precision
        numbers = matrix(features).astype(np.float32)
        parts = [self._walk(numbers[start : start + CHUNK]) for start in range(0, len(numbers), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, *self.value.shape[1:]))

    def files(self) -> Files:
        """One ``.npy`` file an array."""
        return {f"{name}.npy": dump_array(getattr(self, name)) for name in ARRAYS}

    canonical = files

    def _walk(self, numbers: NDArray[np.float32]) -> Floats:
        # every pair of a row and a tree takes a step at once: one row costs as many steps as the deepest tree
        node = np.tile(self.roots, len(numbers))
        row = np.repeat(np.arange(len(numbers)), len(self.roots))
        pairs = np.flatnonzero(self.feature[node] >= 0)
        while pairs.size:
            at = node[pairs]
            value = numbers[row[pairs], self.feature[at]]
            goes_left = (value <= self.threshold[at]) | (np.isnan(value) & self.unknown_left[at])
            step = np.where(goes_left, self.left[at], self.right[at])
            node[pairs] = step
            pairs = pairs[self.feature[step] >= 0]
        leaves = self.value[node].reshape(len(numbers), len(self.roots), *self.value.shape[1:])
        total = np.zeros((len(numbers), *self.value.shape[1:]))
        for tree in range(len(self.roots)):  # in this order for one row as for many
            total += leaves[:, tree]
        return total / len(self.roots)


class _Forest:
    tasks: ClassVar[frozenset[str]] = frozenset({"count", "number", "class"})
    weighs: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "trees": 30,
        "min_samples_leaf": 30,
        "max_features": 0.33,
        "max_samples": 10_000,
    }
    space: ClassVar[Space] = {"min_samples_leaf": Whole(2, 200, log=True), "max_features": Real(0.1, 1.0)}
    kind: ClassVar[str]

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Forest:
        """Grow trees on squared loss, or Gini impurity of classes, each on a draw of at most ``max_samples`` rows."""
        del watch
        rest_between()
        from sklearn import ensemble

        chosen = settings(self.defaults, job, type(self).__name__)
        rows = len(table)
        kind = self.kind + ("Classifier" if job.task == "class" else "Regressor")
        model = getattr(ensemble, kind)(
            chosen["trees"],
            min_samples_leaf=min(chosen["min_samples_leaf"], max(1, rows // 20)),
            max_features=chosen["max_features"],
            max_samples=min(chosen["max_samples"], rows),
            bootstrap=True,
            random_state=job.seed,
            n_jobs=job.threads,
        )
        model.fit(matrix(table.features).astype(np.float32), labels(table), sample_weight=weights(table))
        return _flatten([tree.tree_ for tree in model.estimators_])

    def read(self, files: Mapping[str, bytes]) -> Forest:
        """Make the forest from its arrays again."""
        return _forest({name: load_array(files[f"{name}.npy"]) for name in ARRAYS})


class RandomForest(_Forest):
    """Random forest by scikit-learn (Breiman 2001), bounded in trees and rows so that it fits into a budget."""

    kind = "RandomForest"


class ExtraTrees(_Forest):
    """Extremely randomised trees by scikit-learn (Geurts et al. 2006), bounded likewise."""

    kind = "ExtraTrees"
    defaults: ClassVar[Mapping[str, Any]] = {**_Forest.defaults, "max_features": 0.5}


def _forest(arrays: Mapping[str, NDArray[Any]]) -> Forest:
    return Forest(
        arrays["roots"],
        arrays["feature"],
        arrays["threshold"],
        arrays["left"],
        arrays["right"],
        arrays["unknown_left"],
        arrays["value"],
    )


def _flatten(trees: list[Any]) -> Forest:
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    own = [np.arange(tree.node_count) for tree in trees]
    left = [np.where(t.children_left < 0, i, t.children_left) + s for t, i, s in zip(trees, own, starts, strict=True)]
    right = [
        np.where(t.children_right < 0, i, t.children_right) + s for t, i, s in zip(trees, own, starts, strict=True)
    ]
    return Forest(
        roots=starts.astype(np.int32),
        feature=np.concatenate([np.maximum(tree.feature, -1) for tree in trees]).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        unknown_left=np.concatenate([tree.missing_go_to_left for tree in trees]).astype(bool),
        value=np.concatenate([tree.value[:, 0, 0] if tree.value.shape[2] == 1 else tree.value[:, 0] for tree in trees]),
    )
