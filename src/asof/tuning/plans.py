"""Trials, plans and selections: what was run and what came of it, as plain data."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from asof import recipes
from asof.data import Finding, Severity
from asof.errors import DataError
from asof.recipes import Blend, Recipe


@dataclass(frozen=True)
class Trial:
    """One recipe as it was judged."""

    stage: str
    """``baseline``, ``portfolio``, ``search`` or ``blend``."""
    recipe: Recipe | Blend
    scores: tuple[float | None, ...]
    """The metric of each fold; none where it was not run. Of a blend: with weights found on the other folds."""
    rounds: tuple[int | None, ...] = ()
    """Boosting rounds found in each fold."""
    why: str = ""
    """Why it is no candidate: what failed, or that it was stopped."""

    @property
    def score(self) -> float:
        """Mean over the folds; NaN for a trial that is no candidate."""
        if self.why or any(score is None for score in self.scores):
            return math.nan
        return float(np.mean([score for score in self.scores if score is not None]))


@dataclass(frozen=True)
class Plan:
    """Every trial that was run, and what was chosen: enough to do it again."""

    task: str
    metric: str
    seed: int
    threads: int
    rows: int
    """Training rows of a fold that candidates were compared on."""
    trials: tuple[Trial, ...]
    chosen: Recipe | Blend
    """With the boosting rounds of the final fit: the median over folds."""
    classes: int = 0
    """Number of classes; 0 for counts and numbers."""
    timed: bool = True
    """Whether rows came in the order of time."""
    model: str = ""
    """The one model that was asked for by name, if one was."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        trials = [
            {
                "stage": trial.stage,
                "recipe": recipes.plan_of(trial.recipe),
                "scores": list(trial.scores),
                "rounds": list(trial.rounds),
                "why": trial.why,
            }
            for trial in self.trials
        ]
        return {
            "task": self.task,
            "metric": self.metric,
            "seed": self.seed,
            "threads": self.threads,
            "rows": self.rows,
            "trials": trials,
            "chosen": recipes.plan_of(self.chosen),
            # only what differs, so that plans written earlier are written as they were
            **({"classes": self.classes} if self.classes else {}),
            **({} if self.timed else {"timed": False}),
            **({"model": self.model} if self.model else {}),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Plan":
        """Read back ``to_json``; raises DataError for anything else."""
        try:
            trials = tuple(
                Trial(
                    trial["stage"],
                    recipes.read_plan(trial["recipe"]),
                    tuple(trial["scores"]),
                    tuple(trial["rounds"]),
                    trial["why"],
                )
                for trial in told["trials"]
            )
            chosen = recipes.read_plan(told["chosen"])
            return cls(**{**told, "trials": trials, "chosen": chosen})
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"no plan: {error}; expected a plan.json that a run has written") from error

    def write(self) -> str:
        """Return the plan as text, a JSON object."""
        return json.dumps(self.to_json(), indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> "Plan":
        """Read back ``write``; raises DataError for text that holds no plan."""
        try:
            told = json.loads(text)
        except ValueError as error:
            raise DataError(f"no plan: {error}; expected a plan.json that a run has written") from error
        return cls.from_json(told)


@dataclass(frozen=True)
class Offer:
    """What a blend gains over the best single recipe, and what it costs; measured times enter no decision."""

    members: int
    single: float
    """Mean score over the folds of the best single recipe."""
    blend: float
    """The same of the blend, with weights found on the other folds."""
    gain: float
    """How much better the blend is, in the unit of the metric."""
    limit: float
    """The gain that its further members must bring."""
    pays: bool
    single_seconds: tuple[float, float]
    """To fit and to predict a fold: the best single recipe."""
    blend_seconds: tuple[float, float]
    """The same for all members of the blend, one after the other."""
    why: str
    """In a sentence."""


@dataclass(frozen=True)
class Selection:
    """What was chosen, and by which figures."""

    plan: Plan
    results: pl.DataFrame
    """A row a trial and fold: trial, stage, name, estimator, fold, score, rounds, why."""
    findings: tuple[Finding, ...] = ()
    """Candidates left out, and why."""
    offer: Offer | None = field(default=None, compare=False)
    seconds: tuple[tuple[float, float], ...] = field(default=(), compare=False)
    """To fit and to predict a fold, of each trial of the plan but a blend, which stands last; measured, so never
    compared."""
    """What a blend would gain and cost, where there was one to try."""

    @property
    def ensemble(self) -> dict[str, Any] | None:
        """What a blend would gain and cost, as plain data; none where there was none to try."""
        return None if self.offer is None else asdict(self.offer)

    @property
    def chosen(self) -> Recipe | Blend:
        """The recipe to fit on all that is known."""
        return self.plan.chosen


def fallen(trials: Sequence[Trial]) -> list[Finding]:
    """Say which candidates failed, and by what: where they were the only ones, a baseline is what is left."""
    return [
        Finding("candidates", Severity.WARNING, trial.recipe.name, f"{trial.recipe.name} is no candidate: {trial.why}")
        for trial in trials
        if trial.stage == "portfolio" and trial.why
    ]


def tidy(trials: Sequence[Trial]) -> pl.DataFrame:
    """Return the results of trials, a row a trial and fold."""
    rows = [
        {
            "trial": number,
            "stage": trial.stage,
            "name": trial.recipe.name,
            "estimator": trial.recipe.estimator if isinstance(trial.recipe, Recipe) else "blend",
            "fold": fold,
            "score": score,
            "rounds": trial.rounds[fold] if trial.rounds else None,
            "why": trial.why,
        }
        for number, trial in enumerate(trials)
        for fold, score in enumerate(trial.scores)
    ]
    return pl.DataFrame(rows, schema_overrides={"score": pl.Float64, "rounds": pl.Int64}, infer_schema_length=None)
