"""XGBoost, kept as its own UBJSON format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import CODE
from asof.estimators.base import Files, Floats, Job, Real, Space, Whole, labels, matrix, rest_between, settings, weights
from asof.estimators.baselines import Learnt
from asof.estimators.boosting import FEW, loss_of, nothing_to_learn, read_mean, rounds_of
from asof.estimators.classes import pair

OBJECTIVES = {
    "poisson": "count:poisson",
    "tweedie": "reg:tweedie",
    "squared": "reg:squarederror",
    "absolute": "reg:absoluteerror",
    "pair": "binary:logistic",
    "classes": "multi:softprob",
}
METRICS = {
    "poisson": "poisson-nloglik",
    "squared": "rmse",
    "absolute": "mae",
    "pair": "logloss",
    "classes": "mlogloss",
}


@dataclass(frozen=True)
class Booster:
    """An XGBoost booster."""

    booster: Any
    raw: bytes
    rounds: int | None
    pair: bool = False
    """Whether it tells the probability of the second of two classes."""

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions or n x k probabilities, by one thread where there are few rows."""
        return self._of(matrix(features), _types(features), threads)

    def of_numbers(self, numbers: Floats, threads: int = 1) -> Floats:
        """Return the same of the n x p numbers that encoders have made."""
        return self._of(numbers, self.booster.feature_types, threads)

    def _of(self, numbers: Floats, types: Sequence[str], threads: int) -> Floats:
        rest_between()
        import xgboost

        self.booster.set_param({"nthread": 1 if len(numbers) <= FEW else threads})
        data = xgboost.DMatrix(numbers, feature_types=types, enable_categorical=True, nthread=1)
        out: Floats = self.booster.predict(data).astype(np.float64)
        return pair(out) if self.pair else out

    def files(self) -> Files:
        """The booster's own bytes."""
        return {"model.ubj": self.raw}

    canonical = files


class XGBoost:
    """Gradient boosting by XGBoost with histograms: deterministic for given seed and threads."""

    tasks: ClassVar[frozenset[str]] = frozenset({"count", "number", "class"})
    weighs: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "eta": 0.08,
        "max_depth": 5,
        "min_child_weight": 30.0,
        "colsample_bytree": 0.5,
        "subsample": 0.7,
        "lambda": 10.0,
        "max_bin": 128,
        "max_delta_step": 0.7,
        "tweedie_power": 1.2,
        "rounds": 1500,
        "patience": 30,
    }
    space: ClassVar[Space] = {
        "eta": Real(0.03, 0.2, log=True),
        "max_depth": Whole(2, 8),
        "min_child_weight": Real(1.0, 300.0, log=True),
        "colsample_bytree": Real(0.2, 1.0),
        "subsample": Real(0.4, 1.0),
        "lambda": Real(0.1, 300.0, log=True),
    }

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Booster | Learnt:
        """Boost until the watched table no longer improves, or for the job's rounds."""
        rest_between()
        import xgboost

        chosen = settings(self.defaults, job, "xgboost")
        constant = nothing_to_learn(table, job)
        if constant is not None:
            return constant
        rounds, patience = rounds_of(job, chosen, watch)
        data = _data(table, chosen, job)
        watched = [] if patience is None or watch is None else [(_data(watch, chosen, job, data), "watch")]
        booster = xgboost.train(
            _params(job, chosen),
            data,
            rounds,
            evals=watched,
            early_stopping_rounds=patience,
            verbose_eval=False,
        )
        kept = rounds if patience is None else int(booster.best_iteration) + 1
        raw = bytes(booster[:kept].save_raw("ubj"))
        return Booster(_load(raw), raw, kept, job.classes == 2)

    def read(self, files: Mapping[str, bytes]) -> Booster | Learnt:
        """Make the booster from its bytes again."""
        mean = read_mean(files)
        if mean is not None:
            return mean
        booster = _load(files["model.ubj"])
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        rounds = booster.num_boosted_rounds()
        return Booster(booster, files["model.ubj"], rounds, objective == OBJECTIVES["pair"])


def _load(raw: bytes) -> Any:
    rest_between()
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(raw))
    return booster


def _params(job: Job, chosen: Mapping[str, Any]) -> dict[str, Any]:
    loss = "pair" if job.classes == 2 else loss_of(job)
    own = {
        name: value
        for name, value in chosen.items()
        if name not in {"rounds", "patience", "tweedie_power", "max_delta_step"}
    }
    if loss == "tweedie":
        own["tweedie_variance_power"] = chosen["tweedie_power"]
    if loss == "classes":
        own["num_class"] = job.classes
    if loss == "poisson":
        own["max_delta_step"] = chosen["max_delta_step"]
    metric = METRICS.get(loss, f"tweedie-nloglik@{chosen['tweedie_power']}")
    return {
        **own,
        "objective": OBJECTIVES[loss],
        "eval_metric": metric,
        "tree_method": "hist",
        "seed": job.seed,
        "nthread": job.threads,
        "verbosity": 0,
    }


def _types(features: pl.DataFrame) -> list[str]:
    return ["c" if dtype == CODE else "q" for dtype in features.dtypes]


def _data(table: Table, chosen: Mapping[str, Any], job: Job, reference: Any = None) -> Any:
    rest_between()
    import xgboost

    return xgboost.QuantileDMatrix(
        matrix(table.features),
        labels(table),
        weight=weights(table),
        feature_types=_types(table.features),
        enable_categorical=True,
        max_bin=chosen["max_bin"],
        nthread=job.threads,
        ref=reference,
    )
