"""CatBoost, kept as its own JSON format."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import weighted_mean
from asof.estimators.base import Files, Floats, Job, Real, Space, Whole, dump_json, labels, matrix, settings, weights
from asof.estimators.baselines import Learnt
from asof.estimators.boosting import FEW, loss_of, nothing_to_learn, read_mean, rounds_of
from asof.estimators.classes import chances, share

LOG_LINK = frozenset({"poisson", "tweedie"})
LEAST_DRAWN = 30
"""Rows of which a share is drawn for each tree; fewer are all used."""


@dataclass(frozen=True)
class Booster:
    """A CatBoost model."""

    booster: Any
    raw: bytes
    loss: str
    rounds: int | None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions or n x k probabilities, by one thread where there are few rows."""
        return self.of_numbers(matrix(features), threads)

    def of_numbers(self, numbers: Floats, threads: int = 1) -> Floats:
        """Return the same of the n x p numbers that encoders have made."""
        count = 1 if len(numbers) <= FEW else threads
        raw: Floats = self.booster.predict(numbers, prediction_type="RawFormulaVal", thread_count=count)
        if self.loss == "classes":
            return chances([np.zeros(len(raw)), raw] if raw.ndim == 1 else list(np.ascontiguousarray(raw.T)))
        return np.exp(raw) if self.loss in LOG_LINK else raw

    def files(self) -> Files:
        """The booster's JSON, and its loss."""
        return {"model.json": self.raw, "loss.json": dump_json({"loss": self.loss})}

    canonical = files


class CatBoost:
    """Gradient boosting by CatBoost on symmetric trees; category codes are read as numbers."""

    tasks: ClassVar[frozenset[str]] = frozenset({"count", "number", "class"})
    weighs: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 0.15,
        "depth": 5,
        "l2_leaf_reg": 10.0,
        "rsm": 0.5,
        "subsample": 0.7,
        "border_count": 64,
        "tweedie_power": 1.2,
        "rounds": 800,
        "patience": 25,
    }
    space: ClassVar[Space] = {
        "learning_rate": Real(0.02, 0.2, log=True),
        "depth": Whole(3, 8),
        "l2_leaf_reg": Real(1.0, 100.0, log=True),
        "rsm": Real(0.2, 1.0),
        "subsample": Real(0.4, 1.0),
    }

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Booster | Learnt:
        """Boost until the watched table no longer improves, or for the job's rounds."""
        import catboost

        chosen = settings(self.defaults, job, "catboost")
        rounds, patience = rounds_of(job, chosen, watch)
        loss = loss_of(job)
        constant = nothing_to_learn(table, job)
        if constant is not None:
            return constant
        start = _start(table, job, loss)
        own = {name: value for name, value in chosen.items() if name not in {"rounds", "patience", "tweedie_power"}}
        if len(table) < LEAST_DRAWN:  # CatBoost refuses to draw from so few
            own.pop("subsample")
        watched = None if patience is None or watch is None else _pool(watch, job.threads, start)
        booster = catboost.CatBoost(
            {
                **own,
                "loss_function": "Logloss" if job.classes == 2 else _objective(loss, chosen),
                "iterations": rounds,
                **({"od_type": "Iter", "od_wait": patience} if patience else {}),
                "bootstrap_type": "Bernoulli" if "subsample" in own else "No",
                "boost_from_average": False,  # the mean is given as the start of every row
                "random_seed": job.seed,
                "thread_count": job.threads,
                "allow_writing_files": False,
                "logging_level": "Silent",
            }
        )
        booster.fit(_pool(table, job.threads, start), eval_set=watched, use_best_model=watched is not None)
        raw = _plain(booster, start)
        return Booster(_load(raw), raw, loss, int(booster.tree_count_))

    def read(self, files: Mapping[str, bytes]) -> Booster | Learnt:
        """Make the booster from its JSON again."""
        mean = read_mean(files)
        if mean is not None:
            return mean
        booster = _load(files["model.json"])
        loss = json.loads(files["loss.json"])["loss"]
        return Booster(booster, files["model.json"], loss, int(booster.tree_count_))


def _start(table: Table, job: Job, loss: str) -> Floats:
    """What every row starts from: the mean on the scale of the scores, a value, or one a class of several."""
    if job.task == "class":
        shares = np.log(np.maximum(share(table, job.classes), 1e-9))
        return np.array([shares[1] - shares[0]]) if job.classes == 2 else shares
    mean = weighted_mean(table)
    return np.array([np.log(mean) if loss in LOG_LINK else mean])


def _objective(loss: str, chosen: Mapping[str, Any]) -> str:
    names = {"poisson": "Poisson", "squared": "RMSE", "absolute": "MAE", "classes": "MultiClass"}
    return names.get(loss, f"Tweedie:variance_power={chosen['tweedie_power']}")


def _pool(table: Table, threads: int, start: Floats) -> Any:
    import catboost

    numbers = matrix(table.features)
    starts = np.tile(start, (len(numbers), 1)) if len(start) > 1 else np.full(len(numbers), start[0])
    return catboost.Pool(numbers, labels(table), weight=weights(table), baseline=starts, thread_count=threads)


def _plain(booster: Any, start: Floats) -> bytes:
    """JSON of the model without the id and the times that CatBoost writes into it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        booster.save_model(str(path), format="json")
        told = json.loads(path.read_text(encoding="utf-8"))
    told.pop("model_info", None)
    scale, bias = told["scale_and_bias"]
    told["scale_and_bias"] = [scale, [one + float(begun) for one, begun in zip(bias, start, strict=True)]]
    return dump_json(told)


def _load(raw: bytes) -> Any:
    import catboost

    booster = catboost.CatBoost()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_bytes(raw)
        booster.load_model(str(path), format="json")
    return booster
