"""Promises of a release, as truth arrives: where its score would lie, and how often its intervals would hold."""

from dataclasses import dataclass

import numpy as np
import polars as pl

LEAST_PERIODS = 8
"""Fewer periods with a known truth say nothing."""


@dataclass(frozen=True)
class Promise:
    """A figure of what was served, beside what was promised."""

    name: str
    figure: float
    promised: float
    limit: float
    """Beyond this it alarms."""
    p: float
    alarm: bool


def score_kept(
    figure: float, expected: dict[str, float | None], *, share: float, rate: float, loss: bool
) -> Promise | None:
    """Hold the score of what was served against the interval in which the release expected it.

    The interval (of 95 %) is widened to ``rate`` as that of a normal distribution is, on the scale of ratios where
    the score and its interval are above 0. Worse alone alarms.

    Args:
        figure: the score.
        expected: ``value``, ``low`` and ``high`` of the release.
        share: periods served for each period of the holdout: fewer of them move more by chance.
        rate: of false alarms.
        loss: whether less is better.

    Returns:
        None where the release promised nothing.
    """
    from scipy.stats import norm

    value, low, high = (expected.get(name) for name in ("value", "low", "high"))
    if value is None or low is None or high is None or not np.isfinite(figure):
        return None
    ratio = min(value, low, figure) > 0
    told, center, worse = (
        float(np.log(one)) if ratio else float(one) for one in (figure, value, high if loss else low)
    )
    spread = abs(worse - center) / float(norm.isf(0.025)) * max(1.0, share**-0.5)
    sign = 1.0 if loss else -1.0
    p = float(norm.sf(sign * (told - center) / spread)) if spread > 0 else 1.0
    limit = center + sign * spread * float(norm.isf(rate))
    return Promise("error", figure, value, float(np.exp(limit)) if ratio else limit, p, p <= rate)


def coverage_kept(answers: pl.DataFrame, promised: float, rate: float) -> Promise | None:
    """Hold the share of truths within their interval against the promise.

    Questions of one period are right or wrong together: each period counts as one observation (its share of hits,
    with the weight of its questions), and the spread is that between periods (Student's t), or that of single
    questions where that is more.

    Args:
        answers: n judged answers: ``start``, ``label``, ``low``, ``high``.
        promised: share, such as 0.9.
        rate: of false alarms.

    Returns:
        None where fewer than ``LEAST_PERIODS`` periods are known.
    """
    from scipy.stats import t

    inside = answers.select("start", hit=pl.col("label").is_between("low", "high").cast(pl.Float64))
    periods = inside.group_by("start").agg(rows=pl.len(), hits=pl.col("hit").sum())
    count = periods.height
    if count < LEAST_PERIODS:
        return None
    rows, hits = periods["rows"].to_numpy().astype(float), periods["hits"].to_numpy()
    total = rows.sum()
    share = float(hits.sum() / total)
    between = float(np.sqrt(np.sum((hits - share * rows) ** 2) * count / (count - 1)) / total)
    error = max(between, float(np.sqrt(promised * (1 - promised) / total)))
    p = float(t.sf((promised - share) / error, count - 1))
    limit = promised - error * float(t.isf(rate, count - 1))
    return Promise("coverage", share, promised, limit, p, p <= rate)
