"""Outlook: the interval that holds the score of the stretch that follows, not only that of the holdout itself.

A bootstrap of the holdout says how far its score is chance. What users will get is the score of another stretch, which
has chance of its own, and another season and level. How far scores move from one stretch to the next was seen: the
forward folds and the holdout are consecutive, each answered by a model that knew only what came before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from asof.evaluation.estimates import Bootstrap, Estimate, Floats, numbers
from asof.evaluation.scores import score
from asof.metrics import Metric, find

PARTS = 4
"""A window as long as the holdout is moved over the judged periods by a fourth of its length."""
YEAR_DAYS = 365
CLEAR = 2.25
"""Changes this many times larger than those of chance are put down to season or level: with four folds, one in twenty
stretches without either would pass a lower limit."""


@dataclass(frozen=True)
class Outlook:
    """The score of the holdout, with the interval in which that of the stretch that follows is expected."""

    expected: Estimate
    chance: float
    """Usual difference between two stretches that differ by chance only, on ``scale``; not a number if unknown."""
    moved: float
    """Usual difference seen between neighbouring stretches; not a number where there was one stretch only."""
    scale: str
    """``ratio`` (0.1: by 10 %), ``odds``, or ``difference`` (in the unit of the metric)."""
    why: str
    """In words: what moves the score, and what has not been seen."""


def ahead(
    holdout: pl.DataFrame,
    folds: pl.DataFrame | None,
    metric: str | Metric,
    *,
    level: float = 0.95,
    bootstrap: Bootstrap | None = None,
) -> Outlook:
    """Say where the score of the next stretch, as long as the holdout, will lie.

    The variance of the change from the holdout to what follows is the mean squared change between neighbouring windows
    of folds and holdout, or twice the holdout's own variance by chance where that is more. Overlapping windows are few
    independent ones, so that the interval is that of Student's t with as many degrees of freedom as a sum of squares of
    these windows has over independent periods (Satterthwaite 1946). Places stay the same, so they are not resampled.
    Losses move by ratios, shares by odds, other metrics by differences.

    Args:
        holdout: n judged answers; without ``start`` what follows is another sample of as many rows.
        folds: judged answers of the forward folds before it, of the same recipe; or none.
        metric: by name, or one of the project's own.
        level: share of stretches whose score shall lie within.
        bootstrap: how chance is drawn.

    Raises:
        DataError: as ``score``.
    """
    from scipy.stats import t

    chosen = metric if isinstance(metric, Metric) else find(metric)
    timed = "start" in holdout.columns and holdout["start"].null_count() == 0
    told = score(holdout.drop("place", strict=False) if timed else holdout, chosen, bootstrap)
    windows, parts = _windows(holdout, folds, chosen) if timed and folds is not None else (np.empty(0), 1)
    open_, back, scale = _scale(chosen, np.array([told.value, *windows[np.isfinite(windows)]]))
    drawn = open_(told.draws)
    spread = float(np.sqrt(2) * np.nanstd(drawn)) if np.isfinite(drawn).any() else float("nan")
    changes = open_(windows)[parts:] - open_(windows)[:-parts]
    known = np.isfinite(changes)
    if known.any():
        moved, freedom = float(np.sqrt(np.mean(changes[known] ** 2))), _freedom(known, parts)
    else:
        moved, freedom = float("nan"), np.inf
    usual = float(np.fmax(moved, spread))
    reach = usual * float(t.ppf((1 + level) / 2, freedom))
    value = float(open_(np.array([told.value]))[0])
    least, most = (max(chosen.bounds[0], 0.0) if chosen.loss else chosen.bounds[0]), chosen.bounds[1]
    with np.errstate(over="ignore"):  # two stretches that differ by powers of ten: anything may follow
        low, high = (float(each) for each in np.clip(back(np.array([value - reach, value + reach])), least, most))
    why = _said(moved, spread, scale, _days(holdout, folds) if known.any() else None)
    return Outlook(Estimate(told.value, low, high), spread, moved, scale, why)


def _windows(holdout: pl.DataFrame, folds: pl.DataFrame, metric: Metric) -> tuple[Floats, int]:
    """Scores of windows as long as the holdout, oldest first, each a part later; parts in a window."""
    there_too = set(holdout.columns) & set(folds.columns)
    columns = [name for name in ("start", "label", "prediction", "weight") if name in there_too]
    both = pl.concat([folds.select(columns), holdout.select(columns)])
    period = both["start"].rank("dense").to_numpy().astype(np.int64) - 1
    there = int(period.max()) + 1
    longest = max(min(holdout["start"].n_unique(), there // 2), 1)
    parts = min(longest, PARTS)
    step = longest // parts
    length = parts * step  # shorter by less than a part, so that neighbours meet
    order = np.argsort(period, kind="stable")
    ends = np.arange(there, length - 1, -step)[::-1]
    low, high = (np.searchsorted(period[order], bound) for bound in (ends - length, ends))
    label, told = numbers(both, "label")[order], numbers(both, "prediction")[order]
    weight = numbers(both, "weight")[order] if "weight" in columns else np.ones(both.height)
    scores = [
        metric(label[a:b], told[a:b], weight[a:b]) if weight[a:b].sum() > 0 else float("nan")
        for a, b in zip(low, high, strict=True)
    ]
    return np.array(scores, dtype=np.float64), parts


def _freedom(known: np.ndarray, parts: int) -> float:
    """Degrees of freedom of a mean of squared changes between overlapping windows of independent parts."""
    windows = len(known) + parts
    within = np.zeros((windows, windows + parts - 1))
    for index in range(windows):
        within[index, index : index + parts] = 1
    change = (within[parts:] - within[:-parts])[known]
    covariance = change @ change.T
    return float(np.trace(covariance) ** 2 / np.sum(covariance**2))


def _scale(metric: Metric, values: Floats) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats], str]:
    """A scale without ends on which scores move alike wherever they are, the way back, and its name."""
    low, high = (0.0, np.inf) if metric.loss else metric.bounds
    if (values <= low).any() or (values >= high).any():
        low, high = -np.inf, np.inf  # a perfect score has no ratio to another
    if np.isfinite(low) and np.isfinite(high):

        def odds(value: Floats) -> Floats:
            return _log(np.asarray(value) - low) - _log(high - np.asarray(value))

        return odds, lambda value: low + (high - low) / (1 + np.exp(-value)), "odds"
    if np.isfinite(low):
        return lambda value: _log(np.asarray(value) - low), lambda value: low + np.exp(value), "ratio"
    if np.isfinite(high):
        return lambda value: -_log(high - np.asarray(value)), lambda value: high - np.exp(-value), "ratio"
    return np.asarray, np.asarray, "difference"


def _log(value: Floats) -> Floats:
    return np.log(np.where(value > 0, value, np.nan))


def _days(holdout: pl.DataFrame, folds: pl.DataFrame | None) -> int | None:
    """Days that the judged stretches span; none where starts are no times."""
    if folds is None or not holdout["start"].dtype.is_temporal():
        return None
    first, last = pl.concat([folds["start"], holdout["start"]]).min(), holdout["start"].max()
    return (last - first).days if isinstance(first, date) and isinstance(last, date) else None


def _said(moved: float, chance: float, scale: str, days: int | None) -> str:
    def much(size: float) -> str:
        if scale == "difference":
            return f"{size:.3g}"
        if scale == "odds":
            return f"a factor of {np.exp(size):.2f} in odds"
        return f"{np.expm1(size):.0%}" if size < 1 else f"a factor of {np.exp(size):.3g}"

    if np.isnan(moved):
        if np.isnan(chance):
            return "there was one stretch only, and nothing to resample in it"
        return (
            f"chance alone moves the score by {much(chance)}; no stretch came before, so season and level are not in it"
        )
    cause = "season or level move it" if not moved <= CLEAR * chance else "not told apart from chance"
    said = f"from one stretch to the next the score moved by {much(moved)} (chance alone: {much(chance)}): {cause}"
    if days is not None and days < YEAR_DAYS:
        said += f"; seen were {days} days, so the rest of the year is not in it"
    return said
