"""Promises of a release, as truth arrives: where its score would lie, how often its intervals would hold, no bias."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from asof.monitoring.alarms import LEAST_LOOKS, Floats, tail_of

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
    questions where that is more. Periods that follow one another and are alike count for fewer.

    Args:
        answers: n judged answers: ``start``, ``label``, ``low``, ``high``.
        promised: share, such as 0.9.
        rate: of false alarms.

    Returns:
        None where fewer than ``LEAST_PERIODS`` periods are known.
    """
    from scipy.stats import t

    inside = answers.select("start", hit=pl.col("label").is_between("low", "high").cast(pl.Float64))
    periods = inside.group_by("start").agg(rows=pl.len(), hits=pl.col("hit").sum()).sort("start")
    count = periods.height
    if count < LEAST_PERIODS:
        return None
    rows, hits = periods["rows"].to_numpy().astype(float), periods["hits"].to_numpy()
    total = rows.sum()
    share = float(hits.sum() / total)
    between = float(np.sqrt(np.sum((hits - share * rows) ** 2) * count / (count - 1)) / total)
    alike = _alike(hits - share * rows)
    error = max(between * float(np.sqrt((1 + alike) / (1 - alike))), float(np.sqrt(promised * (1 - promised) / total)))
    freedom = max((count - 1) * (1 - alike) / (1 + alike), 2.0)
    p = float(t.sf((promised - share) / error, freedom))
    limit = promised - error * float(t.isf(rate, freedom))
    return Promise("coverage", share, promised, limit, p, p <= rate)


def _alike(residual: Floats) -> float:
    """Correlation of each period with the next, between 0 and 0.8."""
    square = float(np.sum(residual**2))
    return float(np.clip(np.sum(residual[1:] * residual[:-1]) / square, 0.0, 0.8)) if square else 0.0


@dataclass(frozen=True)
class Missed:
    """What answers missed, day by day: n local days, in order."""

    day: np.ndarray
    """n, days since 1970."""
    rows: Floats
    label: Floats
    """n, sum of what happened."""
    told: Floats
    """n, sum of what was predicted."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {name: getattr(self, name).tolist() for name in ("day", "rows", "label", "told")}

    def last(self, days: int) -> "Missed":
        """Only the last ``days`` of them."""
        kept = self.day > self.day[-1:].sum() - days
        return Missed(self.day[kept], self.rows[kept], self.label[kept], self.told[kept])


def missed(day: pl.Series, label: Floats, told: Floats) -> Missed:
    """Sum what n answers missed by their local day (Date)."""
    frame = pl.DataFrame({"day": day.to_physical(), "label": label, "told": told}).drop_nulls("day")
    by = frame.group_by("day").agg(pl.len().alias("rows"), pl.col("label", "told").sum()).sort("day")
    rows, label, told = (by[name].cast(pl.Float64).to_numpy() for name in ("rows", "label", "told"))
    return Missed(by["day"].cast(pl.Int64).to_numpy(), rows, label, told)


def read_missed(kept: Mapping[str, Any]) -> Missed:
    """Read what ``Missed.plain`` wrote."""
    rest = (np.asarray(kept[name], dtype=np.float64) for name in ("rows", "label", "told"))
    return Missed(np.asarray(kept["day"], dtype=np.int64), *rest)


def bias_kept(served: Missed, past: Missed, days: int, rate: float) -> Promise | None:
    """Hold what the answers of the last ``days`` missed on the whole against what judged answers used to miss.

    The miss is a share of what was told where that is above 0 on every day, else a figure of one row. Judged answers
    of folds and holdout were made as those served are, by models that had not seen the outcome; every window of so
    many days in them says how large the miss may be (about 0, Student's t with as many degrees of freedom as there
    are windows that do not overlap; the limit is raised where past windows would have alarmed more often).

    Returns:
        None where fewer than ``LEAST_LOOKS`` windows do not overlap, or nothing was served.
    """
    from scipy.stats import t

    now = served.last(days)
    days = int(now.day[-1] - now.day[0]) + 1 if now.day.size else days
    share = min(past.told.min(initial=np.inf), now.told.min(initial=np.inf)) > 0
    figures, rows = windows(past, days, share=share)
    shared = sum((1 - step / days) ** 2 for step in range(1, days))
    independent = len(figures) / (1 + 2 * shared)
    if independent < LEAST_LOOKS or not now.rows.sum():
        return None
    figure = _figure(now, share=share)
    spread = float(np.sqrt(np.mean(figures**2)))
    if not spread:
        return None
    # Of fewer rows than usual the mean moves more.
    spread *= float(np.sqrt(max(1.0, np.median(rows) / now.rows.sum())))
    stretch = np.sqrt(1 + 1 / independent)
    before = -np.log(
        np.maximum(2 * t.sf(np.abs(figures) / (np.sqrt(np.mean(figures**2)) * stretch), independent), 1e-300)
    )
    needed = max(-np.log(rate), tail_of(before, rate))
    p = float(2 * t.sf(abs(figure) / (spread * stretch), independent))
    limit = float(spread * stretch * t.isf(np.exp(-needed) / 2, independent)) * (1.0 if figure >= 0 else -1.0)
    return Promise("bias", figure, 0.0, limit, p, bool(-np.log(max(p, 1e-300)) >= needed))


def _figure(of: Missed, *, share: bool) -> float:
    missing = float((of.label - of.told).sum())
    return missing / float(of.told.sum() if share else of.rows.sum())


def windows(past: Missed, days: int, *, share: bool) -> tuple[Floats, Floats]:
    """Return the miss, and the rows, of every window of so many days that lies within the past and is not empty.

    Args:
        past: n days.
        days: of a window.
        share: whether the miss is a share of what was told; else it is a figure of one row.
    """
    if not past.day.size:
        return np.empty(0), np.empty(0)
    width = int(past.day[-1] - past.day[0]) + 1
    if width < days:
        return np.empty(0), np.empty(0)

    def summed(values: Floats) -> Floats:
        each = np.zeros(width)
        each[past.day - past.day[0]] = values
        total = np.concatenate([[0.0], np.cumsum(each)])
        found: Floats = total[days:] - total[:-days]
        return found

    rows, told = summed(past.rows), summed(past.told)
    there = rows > 0
    under = told if share else rows
    return (summed(past.label - past.told)[there] / under[there]), rows[there]
