"""LightGBM, kept as its own text format."""

import ctypes
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import CODE
from asof.errors import DataError
from asof.estimators.base import (
    Choice,
    Files,
    Floats,
    Job,
    Real,
    Space,
    Whole,
    labels,
    matrix,
    rest_between,
    settings,
    weights,
    without,
)
from asof.estimators.baselines import Learnt
from asof.estimators.boosting import FEW, loss_of, nothing_to_learn, read_mean, rounds_of
from asof.estimators.classes import pair

OBJECTIVES = {
    "poisson": ("poisson", "poisson"),
    "tweedie": ("tweedie", "tweedie"),
    "squared": ("regression", "l2"),
    "absolute": ("regression_l1", "l1"),
    "gamma": ("gamma", "gamma"),
    "pair": ("binary", "binary_logloss"),
    "classes": ("multiclass", "multi_logloss"),
}
"""Objective and metric of a loss."""


@dataclass(frozen=True)
class Booster:
    """A LightGBM booster."""

    booster: Any
    text: str
    rounds: int | None
    pair: bool = False
    """Whether it tells the probability of the second of two classes."""

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions or n x k probabilities, by one thread where there are few rows."""
        return self.of_numbers(matrix(features), threads)

    def of_numbers(self, numbers: Floats, threads: int = 1) -> Floats:
        """Return the same of the n x p numbers that encoders have made."""
        if len(numbers) == 1:
            out = self._one(numbers)
        else:
            out = self.booster.predict(numbers, num_threads=1 if len(numbers) <= FEW else threads)
        return pair(out) if self.pair else out

    @functools.cached_property
    def _one(self) -> Callable[[Floats], Floats]:
        return one_row(self.booster)

    def raw(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return the n sums of the trees, before the link."""
        count = 1 if features.height <= FEW else threads
        out: Floats = self.booster.predict(matrix(features), num_threads=count, raw_score=True)
        return out

    def files(self) -> Files:
        """The booster's text."""
        return {"model.txt": self.text.encode()}

    canonical = files


def one_row(booster: Any) -> Callable[[Floats], Floats]:
    """What predicts a 1 x p row as ``booster.predict`` does, to the bit, in a fourth of its time.

    It is made ready once, by functions of the C interface of LightGBM that its Python one does not ask for.
    """
    from lightgbm.basic import _LIB, _safe_call  # type: ignore[attr-defined] # Python has no other name for them

    width, outs = booster.num_feature(), booster.num_model_per_iteration()
    ready, count = ctypes.c_void_p(), ctypes.c_int64()
    start, whole, normal, double = (ctypes.c_int(number) for number in (0, -1, 0, 1))
    told = (booster._handle, normal, start, whole, double, ctypes.c_int32(width))  # noqa: SLF001 - as above
    _safe_call(_LIB.LGBM_BoosterPredictForMatSingleRowFastInit(*told, b"num_threads=1", ctypes.byref(ready)))
    lock = threading.Lock()
    predict, counted = _LIB.LGBM_BoosterPredictForMatSingleRowFast, ctypes.byref(count)

    def one(numbers: Floats) -> Floats:
        if numbers.shape != (1, width):
            raise DataError(f"lightgbm: a row of shape {numbers.shape}; expected 1 x {width}")
        row, out = np.ascontiguousarray(numbers, dtype=np.float64), np.empty((1, outs) if outs > 1 else 1)
        with lock:
            fault = predict(ready, ctypes.c_void_p(row.ctypes.data), counted, ctypes.c_void_p(out.ctypes.data))
        _safe_call(fault)
        return out

    return one


class LightGBM:
    """Gradient boosting by LightGBM: deterministic for given seed and threads, categories by its own splits."""

    tasks: ClassVar[frozenset[str]] = frozenset({"count", "number", "class"})
    weighs: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 0.08,
        "num_leaves": 8,
        "min_data_in_leaf": 200,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "lambda_l2": 20.0,
        "max_bin": 127,
        "cat_smooth": 50.0,
        "tweedie_power": 1.2,
        "rounds": 1500,
        "patience": 30,
    }
    space: ClassVar[Space] = {
        "learning_rate": Real(0.02, 0.15, log=True),
        "num_leaves": Whole(4, 63, log=True),
        "min_data_in_leaf": Whole(20, 1000, log=True),
        "feature_fraction": Real(0.2, 1.0),
        "bagging_fraction": Real(0.4, 1.0),
        "lambda_l2": Real(0.1, 300.0, log=True),
        "max_bin": Choice((63, 127, 255)),
    }

    def fit(
        self, table: Table, job: Job, watch: Table | None = None, *, starts: Sequence[Floats] = ()
    ) -> Booster | Learnt:
        """Boost until the watched table no longer improves, or for the job's rounds.

        ``starts``: what the trees are added to, for the rows of the table and of the watched one.
        """
        rest_between()
        import lightgbm

        chosen = settings(self.defaults, job, "lightgbm")
        constant = nothing_to_learn(table, job)
        if constant is not None:
            return constant
        rounds, patience = rounds_of(job, chosen, watch)
        data = self._dataset(table, chosen, start=starts[0] if starts else None)
        stopping: list[Any] = [] if patience is None else [lightgbm.early_stopping(patience, verbose=False)]
        watched = (
            []
            if patience is None or watch is None
            else [self._dataset(watch, chosen, reference=data, start=starts[1] if starts else None)]
        )
        booster = lightgbm.train(
            self._params(job, chosen, len(table)), data, rounds, valid_sets=watched, callbacks=stopping
        )
        kept = booster.best_iteration if patience is not None and booster.best_iteration > 0 else rounds
        text = booster.model_to_string(num_iteration=kept)
        # predicted from the text as it is kept, so that a loaded model cannot differ
        return Booster(lightgbm.Booster(model_str=text), text, kept, job.classes == 2)

    def read(self, files: Mapping[str, bytes]) -> Booster | Learnt:
        """Make the booster from its text again."""
        mean = read_mean(files)
        if mean is not None:
            return mean
        rest_between()
        with without("pandas", "sklearn"):
            import lightgbm

        text = files["model.txt"].decode()
        booster = lightgbm.Booster(model_str=text)
        rounds = booster.num_trees() // booster.num_model_per_iteration()
        return Booster(booster, text, rounds, "\nobjective=binary" in text)

    def _params(self, job: Job, chosen: Mapping[str, Any], rows: int) -> dict[str, Any]:
        loss = "pair" if job.classes == 2 else loss_of(job)
        own = {name: value for name, value in chosen.items() if name not in {"rounds", "patience", "tweedie_power"}}
        if loss == "classes":
            own["num_class"] = job.classes
        if loss == "tweedie":
            own["tweedie_variance_power"] = chosen["tweedie_power"]
        return {
            **own,
            # a small table still gets its splits
            "min_data_in_leaf": min(chosen["min_data_in_leaf"], max(1, rows // 20)),
            "objective": OBJECTIVES[loss][0],
            "metric": OBJECTIVES[loss][1],
            "bagging_freq": 1,
            "seed": job.seed,
            "num_threads": job.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def _dataset(
        self, table: Table, chosen: Mapping[str, Any], *, reference: Any = None, start: Floats | None = None
    ) -> Any:
        rest_between()
        import lightgbm

        codes = [index for index, dtype in enumerate(table.features.dtypes) if dtype == CODE]
        return lightgbm.Dataset(
            matrix(table.features),
            labels(table),
            weight=weights(table),
            reference=reference,
            init_score=start,
            categorical_feature=codes,
            params={"max_bin": chosen["max_bin"], "verbosity": -1},
            free_raw_data=True,
        )
