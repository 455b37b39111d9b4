"""Plain results of the flows as frames, and frames of other libraries as Polars."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from asof import recipes
from asof.panels import Panel
from asof.recipes import Blend, Recipe
from asof.tuning import Plan, Trial

_FINDING = {
    "severity": pl.String,
    "check": pl.String,
    "subject": pl.String,
    "message": pl.String,
    "figure": pl.Float64,
    "limit": pl.Float64,
    "rows": pl.Int64,
}
_SCORE = {"judged_by": pl.String, "metric": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
MOMENTS = ("start", "end", "as_of")
"""Columns of questions that are moments."""
_GRAVITY = ("error", "warning", "note")


def polars(frame: Any) -> pl.DataFrame:
    """Return ``frame`` as Polars has it; takes frames of Polars, pandas, PyArrow and whatever speaks Arrow."""
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    return frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)


def questions(frame: Any, panel: Panel) -> pl.DataFrame:
    """Return questions with their moments, where they have any, as the flows read them: microseconds, UTC.

    Raises DataError where one is missing, naming its column and rows, or where a column holds no moments of a zone.
    """
    from asof.errors import DataError

    given = polars(frame)
    wrong = []
    for name in MOMENTS if panel.timed else ():
        if name not in given.columns:
            continue  # what is lacking is told with the other columns
        kind = given.schema[name]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            wrong.append(f"{name} is {kind}; expected moments of a zone, Datetime('us', 'UTC')")
            continue
        rows = given[name].is_null().arg_true().to_list()
        if rows:
            told = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
            wrong.append(f"{name} is missing in row{'s' if len(rows) > 1 else ''} {told} (counted from 0)")
        given = given.with_columns(pl.col(name).dt.cast_time_unit("us").dt.convert_time_zone("UTC"))
    if wrong:
        message = f"questions cannot be asked: {'; '.join(wrong)}; see Project.questions"
        raise DataError(message)
    return given


def findings(plain: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Findings as a frame: severity, check, subject, message, figure, limit, rows; the gravest first."""
    rows = sorted(plain, key=lambda one: _GRAVITY.index(one["severity"]))
    return pl.DataFrame([[one.get(name) for name in _FINDING] for one in rows], schema=_FINDING, orient="row")


def scores(parts: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> pl.DataFrame:
    """Scores as a frame: judged_by, metric, value, low, high."""
    rows = [
        {"judged_by": judged_by, "metric": metric, **figure}
        for judged_by, figures in parts.items()
        for metric, figure in figures.items()
    ]
    return pl.DataFrame(rows, schema=_SCORE)


def candidates(plan: Plan, *, greater_is_better: bool, seconds: Sequence[Sequence[float]] = ()) -> pl.DataFrame:
    """What was tried, the best first, those that are no candidate last.

    Columns: name, stage (baseline, portfolio, search or blend), estimator, score (mean over the folds), a column for
    each fold, chosen, params (what differs from the estimator's defaults, as text), why (it is no candidate). With
    ``seconds`` of each trial but a blend, also fit_seconds and predict_seconds, of a fold.
    """
    width = max((len(trial.scores) for trial in plan.trials), default=0)
    chosen = _settings(plan.chosen)
    rows = [_candidate(trial, width, chosen) for trial in plan.trials]
    numbers = {"score": pl.Float64, **{f"fold_{n}": pl.Float64 for n in range(1, width + 1)}}
    frame = pl.DataFrame(rows, schema_overrides=numbers, infer_schema_length=None)
    if seconds:
        took = [*seconds, *[(None, None)] * (len(rows) - len(seconds))]
        frame = frame.with_columns(
            pl.Series(f"{name}_seconds", [each[at] for each in took], dtype=pl.Float64)
            for at, name in enumerate(("fit", "predict"))
        )
    return frame.sort("score", descending=greater_is_better, nulls_last=True, maintain_order=True)


def _settings(recipe: Recipe | Blend) -> dict[str, Any]:
    """A recipe as plain values, but for the boosting rounds that are settled only when it is chosen."""
    if isinstance(recipe, Blend):
        return {"recipes": [_settings(one) for one in recipe.recipes], "weights": list(recipe.weights)}
    return {name: value for name, value in recipes.plan_of(recipe).items() if name not in {"name", "rounds"}}


def _candidate(trial: Trial, width: int, chosen: Mapping[str, Any]) -> dict[str, Any]:
    recipe = trial.recipe
    scores = [*trial.scores, *[None] * (width - len(trial.scores))]
    return {
        "name": recipe.name,
        "stage": trial.stage,
        "estimator": recipe.estimator if isinstance(recipe, Recipe) else "blend",
        "score": None if math.isnan(trial.score) else trial.score,
        **{f"fold_{number}": score for number, score in enumerate(scores, 1)},
        "chosen": _settings(recipe) == chosen,
        "params": _params(recipe),
        "why": trial.why,
    }


def _params(recipe: Recipe | Blend) -> str:
    if isinstance(recipe, Blend):
        return " + ".join(
            f"{weight:.2f} {one.name}" for one, weight in zip(recipe.recipes, recipe.weights, strict=True)
        )
    return ", ".join(f"{name}={_short(value)}" for name, value in sorted(recipe.params.items()))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
