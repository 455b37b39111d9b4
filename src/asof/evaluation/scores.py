"""Scores with intervals, skill against a baseline, and optimism."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from asof.errors import DataError
from asof.evaluation.estimates import Bootstrap, Estimate, Floats, between, estimate, numbers
from asof.metrics import METRICS, Metric, find


def score(answers: pl.DataFrame, metric: str | Metric, bootstrap: Bootstrap | None = None) -> Estimate:
    """Score ``answers`` by ``metric`` with an interval.

    Raises:
        DataError: no rows, unknown values, or labels that the metric cannot judge.
    """
    chosen = metric if isinstance(metric, Metric) else find(metric)
    label, prediction = numbers(answers, "label"), numbers(answers, "prediction")
    weight = numbers(answers, "weight") if "weight" in answers.columns else None
    value = chosen(label, prediction, weight)
    if not chosen.resamples:
        return Estimate(value, float("nan"), float("nan"))
    parts, finish = chosen.resampled(label, prediction, weight)
    return _possible(estimate(answers, parts, finish, bootstrap), chosen, parts)


def _possible(told: Estimate, metric: Metric, parts: Sequence[Floats]) -> Estimate:
    """Keep an interval to what the metric can be: few blocks spread wider, such as an error below 0."""
    if metric.loss and len(parts) == 1:
        low, high = float(metric.finish(parts[0].min())), float(metric.finish(parts[0].max()))
    else:
        low, high = metric.bounds
    return replace(told, low=max(told.low, low), high=min(told.high, high))


def scores(
    answers: pl.DataFrame,
    metrics: Sequence[str | Metric],
    by: str | None = None,
    bootstrap: Bootstrap | None = None,
) -> pl.DataFrame:
    """Score ``answers`` whole or by ``horizon``, ``place`` or ``start``, as tidy rows.

    Returns ``metric``, ``by``, ``group`` (String), ``rows``, ``value``, ``low``, ``high``; without ``bootstrap`` the
    bounds are null.
    """
    groups = [("all", answers)] if by is None else [(_said(key[0]), part) for key, part in _parts(answers, by)]
    rows: list[tuple[str, str, str, int, float, float | None, float | None]] = []
    for name, part in groups:
        for one in metrics:
            metric = one if isinstance(one, Metric) else find(one)
            if bootstrap is None:
                weight = numbers(part, "weight") if "weight" in part.columns else None
                value = metric(numbers(part, "label"), numbers(part, "prediction"), weight)
                rows.append((metric.name, by or "all", name, part.height, value, None, None))
            else:
                told = score(part, metric, bootstrap)
                rows.append((metric.name, by or "all", name, part.height, told.value, told.low, told.high))
    schema = {"metric": pl.String, "by": pl.String, "group": pl.String, "rows": pl.Int64}
    return pl.DataFrame(
        rows, schema=schema | dict.fromkeys(("value", "low", "high"), pl.Float64), orient="row"
    ).fill_nan(None)


def skill(
    answers: pl.DataFrame, metric: str | Metric, baseline: str = "baseline", bootstrap: Bootstrap | None = None
) -> Estimate:
    """Share of the baseline's loss that the model saves: 1 - loss / baseline's loss, paired over the same rows.

    ``answers`` has the baseline's predictions in the column ``baseline``. 0: no better than the baseline; 1: perfect.
    Not a number where the baseline makes no error: nothing is left to be better at.

    Raises:
        DataError: the metric is no loss (``r2``, ``bias``).
    """
    chosen = metric if isinstance(metric, Metric) else find(metric)
    if not chosen.loss or chosen.exact is not None:
        fitting = [one for one in METRICS.values() if one.loss and one.exact is None and one.tasks & chosen.tasks]
        known = ", ".join(sorted(one.name for one in fitting))
        raise DataError(f"skill: {chosen.name} is no mean loss; expected one of {known}")
    label = numbers(answers, "label")
    ours, theirs = numbers(answers, "prediction"), numbers(answers, baseline)
    chosen(label, ours)  # refuses labels and predictions that it cannot judge
    if chosen(label, theirs) <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    mine, its = chosen.parts(label, ours), chosen.parts(label, theirs)

    def saved(*means: Floats) -> Floats:
        loss, its_loss = chosen.finish(*means[: len(mine)]), np.asarray(chosen.finish(*means[len(mine) :]))
        share: Floats = np.divide(loss, its_loss, out=np.full(its_loss.shape, np.nan), where=its_loss > 0)
        return 1 - share  # unknown where the baseline makes no error

    return estimate(answers, (*mine, *its), saved, bootstrap)


def optimism(folds: Estimate, holdout: Estimate, level: float = 0.95) -> Estimate:
    """How much more the folds promised than the holdout kept: skill of the folds - skill of the holdout.

    Both against the same baseline, so that season and level do not enter. Periods are resampled independently; places,
    where they are the same, alike in both, so that what is easy or hard about a place does not enter either.
    """
    value = folds.value - holdout.value
    size = min(len(folds.draws), len(holdout.draws))
    if size == 0:
        return Estimate(value, float("nan"), float("nan"))
    return between(value, folds.draws[:size] - holdout.draws[:size], level)


def _parts(answers: pl.DataFrame, by: str) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    if by not in answers.columns:
        raise DataError(f"answers have no column {by!r} to score by; there are {', '.join(answers.columns)}")
    return list(answers.group_by([by], maintain_order=True))


def _said(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
