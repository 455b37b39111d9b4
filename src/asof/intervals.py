"""Prediction intervals, calibrated on the errors that forward folds really made.

Split-conformal, on a score of each judged answer. For counts the score is where the label falls within a negative
binomial distribution about the prediction (randomised, because counts are steps; distributional conformal prediction,
Chernozhukov, Wüthrich and Zhu 2021), so that one scale serves quiet and busy places. For numbers it is the error,
divided by the usual error at that level of prediction (Lei et al. 2018). Places with few rows share their scores: rows
are pooled by the level of the prediction, never by place. Later scores weigh more (Barber et al. 2023), and where
intervals made of the earlier scores would have missed too many of the later ones, they are widened (as in Gibbs and
Candès 2021). Under time order this has no guarantee, so ``coverage`` is measured on the holdout.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from asof import counts
from asof.errors import DataError

Floats = NDArray[np.float64]
Kind = Literal["count", "number"]
LEAST_SCORES = 200
"""A band of predictions holds at least this many scores (or there is only one band)."""
LEAST_GRID = 100
"""Fewer counts than this say less about their distribution than the negative binomial one does."""
MOST_BANDS = 10
QUARTERS = 4
STRETCHES = 4
"""Scores are read in this many stretches of time: one that is a stretch older than the latest weighs half."""
LEAST_STRETCH = 20
"""Scores before and in a stretch from which it is told how far the earlier ones held."""
MOST_LEVEL = 0.985
"""The highest level that is read off ``GRID``."""
GRID = np.linspace(0.005, 0.995, 199)
"""Levels at which the scores of a band are kept, for the predictive distribution."""


@dataclass(frozen=True)
class Calibration:
    """Calibrated intervals as plain data: bands of predicted level, each with its quantiles of scores."""

    kind: Kind
    level: float
    """Share of labels that shall lie within."""
    dispersion: float
    """Counts: variance = mean + dispersion x mean squared; 0 for Poisson counts and for numbers."""
    edges: tuple[float, ...]
    """b - 1 rising borders between b bands of prediction."""
    scale: tuple[float, ...]
    """b usual errors for numbers; ones for counts."""
    low: tuple[float, ...]
    """b scores at the lower end."""
    high: tuple[float, ...]
    """b scores at the upper end."""
    grid: tuple[tuple[float, ...], ...]
    """b x 199 scores at the levels of ``GRID``."""
    rows: int = 0
    """Scores that it was made from."""
    bounds: tuple[float | None, float | None] = (None, None)
    """Numbers that no label lies below or above, as the project says; no interval reaches beyond them."""

    def interval(self, prediction: ArrayLike, wider: ArrayLike | None = None) -> tuple[Floats, Floats]:
        """Return the lower and the upper end for n predictions, in the unit of the label; counts get whole numbers.

        ``wider`` (n factors, or one) stretches the interval about the prediction, for places never seen; stretched
        ends of counts are rounded outward.
        """
        told = np.asarray(prediction, dtype=np.float64)
        band = self._band(told)
        ends = np.asarray(self.low)[band], np.asarray(self.high)[band]
        if self.kind == "count":
            low, high = (counts.at(told, self.dispersion, end) for end in ends)
        else:
            low, high = (told + end * np.asarray(self.scale)[band] for end in ends)
        if wider is not None:
            factor = np.asarray(wider, dtype=np.float64)
            low, high = told - factor * np.maximum(told - low, 0.0), told + factor * np.maximum(high - told, 0.0)
            if self.kind == "count":
                low, high = np.floor(np.maximum(low, 0.0)), np.ceil(high)
        least, most = self.bounds
        low = low if least is None else np.maximum(low, np.minimum(told, least))
        return low, high if most is None else np.minimum(high, np.maximum(told, most))

    def chance(self, prediction: ArrayLike, value: ArrayLike) -> Floats:
        """Predictive probability that the label is at most ``value``, n values within 0..1."""
        told, upto = np.broadcast_arrays(np.asarray(prediction, dtype=np.float64), np.asarray(value, dtype=np.float64))
        band = self._band(told)
        if self.kind == "count":
            score = counts.chance(told, upto, self.dispersion)
        else:
            score = (upto - told) / np.asarray(self.scale)[band]
        answer = np.empty(told.shape)
        for index, scores in enumerate(self.grid):
            rows = band == index
            answer[rows] = _level(score[rows], scores, self.kind)
        return answer

    def _band(self, prediction: Floats) -> NDArray[np.intp]:
        return np.asarray(np.searchsorted(np.asarray(self.edges), prediction, side="right"))

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON; ``read`` is the way back, exact to the bit."""
        return asdict(self)


def read(plain: Mapping[str, Any]) -> Calibration:
    """Read what ``Calibration.plain`` wrote; raises DataError where a part is missing or of another height."""
    try:
        made = Calibration(
            kind=plain["kind"],
            level=float(plain["level"]),
            dispersion=float(plain["dispersion"]),
            edges=tuple(map(float, plain["edges"])),
            scale=tuple(map(float, plain["scale"])),
            low=tuple(map(float, plain["low"])),
            high=tuple(map(float, plain["high"])),
            grid=tuple(tuple(map(float, scores)) for scores in plain["grid"]),
            rows=int(plain["rows"]),
            bounds=tuple(plain.get("bounds", (None, None))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"intervals: not a stored calibration ({error!r}); train again") from error
    heights = {len(made.edges) + 1, len(made.scale), len(made.low), len(made.high), len(made.grid)}
    if len(heights) != 1 or made.kind not in {"count", "number"} or {len(one) for one in made.grid} != {len(GRID)}:
        raise DataError(f"intervals: a stored calibration of kind {made.kind!r} has parts of heights {sorted(heights)}")
    return made


def calibrate(
    answers: pl.DataFrame,
    kind: Kind,
    *,
    level: float = 0.9,
    half_life_days: float | None = None,
    seed: int = 20,
    bounds: tuple[float | None, float | None] = (None, None),
) -> Calibration:
    """Calibrate intervals on judged answers of forward folds (n rows: label, prediction; start where there is time).

    Args:
        answers: the folds' answers, each by a model that knew only what came before.
        kind: of the label.
        level: share of labels that shall lie within.
        half_life_days: a score this much older than the latest weighs half; none: a fourth of the time they span.
        seed: of the randomised places of counts.
        bounds: numbers that no label can lie below or above, where the project says so.

    Raises:
        DataError: no answers, unknown values, negative counts, a level outside 0..1.
    """
    label, told = _judged(answers, kind, level)
    days = _days(answers)
    life = half_life_days or max(float(days.max()) / STRETCHES, 1.0)
    weight = np.asarray(np.exp2((days - days.max()) / life), dtype=np.float64)
    stretch = np.minimum((days * STRETCHES / max(float(days.max()), 1e-9)).astype(np.int64), STRETCHES - 1)
    made = _made(label, told, weight, kind, level=level, seed=seed)
    needed = _needed(label, told, weight, kind, stretch=stretch, made=made)
    if needed > level:  # half of the way: what is seen between so few stretches is itself uncertain
        made = _made(label, told, weight, kind, level=(level + needed) / 2, seed=seed)
    return replace(made, level=level, bounds=bounds)


def _needed(
    label: Floats, told: Floats, weight: Floats, kind: Kind, *, stretch: NDArray[np.int64], made: Calibration
) -> float:
    """Level at which intervals made of earlier stretches would have held the asked share of each later one's labels."""
    off = []
    for later in range(1, STRETCHES):
        before, now = stretch < later, stretch == later
        if min(np.count_nonzero(before), np.count_nonzero(now)) >= LEAST_STRETCH:
            earlier = _made(label[before], told[before], weight[before], kind, level=made.level, seed=later)
            off.append(np.abs(2 * pit(label[now], told[now], earlier, seed=later).values - 1))
    return min(float(np.quantile(np.concatenate(off), made.level)), max(MOST_LEVEL, made.level)) if off else made.level


def _made(label: Floats, told: Floats, weight: Floats, kind: Kind, *, level: float, seed: int) -> Calibration:
    bands = int(min(MOST_BANDS, max(1, len(label) // LEAST_SCORES)))
    edges = np.unique(np.quantile(told, np.arange(1, bands) / bands)) if bands > 1 else np.empty(0)
    band = np.searchsorted(edges, told, side="right")
    dispersion = _dispersion(label, told, weight) if kind == "count" else 0.0
    placed = _placed(label, told, dispersion, seed) if kind == "count" else label - told
    made: list[tuple[float, float, float, tuple[float, ...]]] = []
    for index in range(len(edges) + 1):
        rows = band == index
        if not rows.any():  # all predictions equal a border: the band above it holds them
            rows[:] = True
        scale = 1.0 if kind == "count" else max(float(np.mean(np.abs(placed[rows]))), 1e-12)
        low, high, grid = _ends(placed[rows] / scale, weight[rows], level)
        if kind == "count":
            grid = grid if np.count_nonzero(rows) >= LEAST_GRID else tuple(GRID.tolist())
            low, high = _count_ends(label[rows], told[rows], dispersion, weight=weight[rows], grid=grid, level=level)
        made.append((scale, low, high, grid))
    scales, lows, highs, grids = zip(*made, strict=True)
    return Calibration(kind, level, dispersion, tuple(edges.tolist()), scales, lows, highs, grids, len(label))


def _judged(answers: pl.DataFrame, kind: Kind, level: float) -> tuple[Floats, Floats]:
    if not 0 < level < 1:
        raise DataError(f"intervals: level {level} is not between 0 and 1, such as 0.9")
    label = answers["label"].cast(pl.Float64).to_numpy()
    told = answers["prediction"].cast(pl.Float64).to_numpy()
    if not label.size or not (np.isfinite(label).all() and np.isfinite(told).all()):
        raise DataError("intervals: expected at least one answer, each with a known label and prediction")
    if kind == "count" and label.min() < 0:
        raise DataError(f"intervals: a count of {label.min():g}; counts are 0 or more")
    return label, told


def _ends(scores: Floats, weight: Floats, level: float) -> tuple[float, float, tuple[float, ...]]:
    """Lower and upper end, each missed by half of 1 - level, and the grid of scores."""
    order = np.argsort(scores, kind="stable")
    rising, weights = scores[order], weight[order]
    high = _quantile(rising, _shares(weights), (1 + level) / 2)
    low = -_quantile(-rising[::-1], _shares(weights[::-1]), (1 + level) / 2)
    middle = (np.cumsum(weights) - weights / 2) / weights.sum()
    return low, high, tuple(np.interp(GRID, middle, rising).tolist())


def _count_ends(
    label: Floats, prediction: Floats, dispersion: float, *, weight: Floats, grid: tuple[float, ...], level: float
) -> tuple[float, float]:
    """Ends for counts: tails as heavy as they may be while enough of the judged counts lie within.

    A tail of 5 % on each side would cover far more than 90 % of small counts, because they are steps: [0, 1] is the
    answer for many means. So the tails are what is calibrated (nested conformal sets, Gupta et al. 2022).
    """
    upper = _level(counts.chance(prediction, label, dispersion), grid, "count")
    lower = _level(counts.chance(prediction, label - 1, dispersion), grid, "count")
    tail = np.minimum(upper, 1 - lower)  # the heaviest tails at which this label lies within
    order = np.argsort(-tail, kind="stable")
    heaviest = min(-_quantile(-tail[order], _shares(weight[order]), level), 0.5)
    ends = np.interp([heaviest, 1 - heaviest], [0.0, *GRID, 1.0], [0.0, *grid, 1.0])
    return float(ends[0]), float(ends[1])


def _level(score: Floats, grid: tuple[float, ...], kind: Kind) -> Floats:
    """Share of the scores of a band that lie at or below each score."""
    if kind == "count":
        level = np.interp(score, [0.0, *grid, 1.0], [0.0, *GRID, 1.0])
    else:
        level = np.interp(score, grid, GRID, left=0.0, right=1.0)
    return np.asarray(level, dtype=np.float64)


def _dispersion(label: Floats, prediction: Floats, weight: Floats) -> float:
    """Moment estimate of how far counts vary more than Poisson ones: mean of (error squared - mean) / mean squared."""
    mean = np.maximum(prediction, counts.LEAST_MEAN)
    excess = float(np.sum(weight * ((label - mean) ** 2 - mean)))
    return max(excess / float(np.sum(weight * mean**2)), 0.0)


def _placed(label: Floats, prediction: Floats, dispersion: float, seed: int) -> Floats:
    upper = counts.chance(prediction, label, dispersion)
    lower = counts.chance(prediction, label - 1, dispersion)
    placed: Floats = lower + np.random.default_rng(seed).random(len(label)) * (upper - lower)
    return placed


def coverage(answers: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """Share of labels within [low, high], whole or by a column such as ``horizon``.

    Returns ``group`` (String), ``rows``, ``coverage`` (0..1), ``below`` and ``above`` (shares missed on each side) and
    ``width`` (mean). Rows without a label are left out.
    """
    judged = answers.filter(pl.col("label").is_not_null())
    group = pl.lit("all") if by is None else pl.col(by).cast(pl.String)
    below, above = pl.col("label") < pl.col("low"), pl.col("label") > pl.col("high")
    return (
        judged.with_columns(group=group)
        .group_by("group", maintain_order=True)
        .agg(
            rows=pl.len().cast(pl.Int64),
            coverage=(~below & ~above).mean(),
            below=below.mean(),
            above=above.mean(),
            width=(pl.col("high") - pl.col("low")).mean(),
        )
    )


def coverages(answers: pl.DataFrame) -> pl.DataFrame:
    """Coverage whole and by all that it may depend on, as tidy rows: ``by`` and the columns of ``coverage``.

    ``by`` is ``all``, ``horizon``, and quarters (``group`` 1 to 4) of ``place`` by their mean prediction, of ``period``
    by time, of ``prediction`` by its size; those without a meaning here are left out.
    """
    judged = answers.filter(pl.col("label").is_not_null())
    groups = {"all": pl.lit("all")}
    if "horizon" in judged.columns and judged["horizon"].n_unique() > 1:
        groups["horizon"] = pl.col("horizon")
    if "place" in judged.columns and judged["place"].n_unique() >= QUARTERS:
        level = pl.col("prediction").mean().over("place")
        groups["place"] = _quarter(pl.struct(level, "place"))
    if "start" in judged.columns and judged["start"].n_unique() >= QUARTERS:
        groups["period"] = _quarter(pl.col("start"))
    if judged["prediction"].n_unique() >= QUARTERS:
        groups["prediction"] = _quarter(pl.col("prediction"))
    tables = [
        coverage(judged.with_columns(_group=group), "_group").sort("group").insert_column(0, pl.lit(by).alias("by"))
        for by, group in groups.items()
    ]
    return pl.concat(tables)


def _quarter(value: pl.Expr) -> pl.Expr:
    """Quarter (1 to 4) of the distinct values in which each lies."""
    rank = value.rank("dense")
    return ((rank - 1) * QUARTERS // rank.max() + 1).cast(pl.String)


@dataclass(frozen=True)
class Pit:
    """Where labels fall in their predictive distributions: even over 0..1 if these are right."""

    values: Floats
    """n values within 0..1."""
    distance: float
    """Largest distance between their distribution and the even one (Kolmogorov); 0 is perfect, 0.05 is good."""
    mean: float
    """0.5 if predictions are neither too high (lower) nor too low (higher)."""
    spread: float
    """Variance times 12: 1 if right, below 1 if intervals are too wide, above 1 if too narrow."""


def pit(label: ArrayLike, prediction: ArrayLike, calibration: Calibration | None = None, seed: int = 20) -> Pit:
    """Randomised probability integral transform (Czado, Gneiting and Held 2009) of n labels.

    Against the calibrated distribution, or without one against the Poisson distribution about the predictions.
    """
    truth, told = np.asarray(label, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if not truth.size or truth.shape != told.shape:
        raise DataError(f"pit: {truth.shape} labels and {told.shape} predictions; expected one each per row, and some")
    if calibration is None:
        values = _placed(truth, told, 0.0, seed)
    else:
        step = 1.0 if calibration.kind == "count" else 1e-9 * max(1.0, float(np.abs(truth).max()))
        upper, lower = calibration.chance(told, truth), calibration.chance(told, truth - step)
        values = lower + np.random.default_rng(seed).random(len(truth)) * (upper - lower)
    ranks, ordered = np.arange(len(values) + 1) / len(values), np.sort(values)
    distance = max(float(np.max(ranks[1:] - ordered)), float(np.max(ordered - ranks[:-1])))
    return Pit(values, distance, float(values.mean()), float(12 * values.var()))


def _days(answers: pl.DataFrame) -> Floats:
    """Days from the first start to each; zeros where there is no time."""
    if "start" not in answers.columns or not answers["start"].dtype.is_temporal() or answers["start"].null_count():
        return np.zeros(answers.height)
    times = answers["start"].cast(pl.Datetime("us", "UTC")).to_physical().to_numpy().astype(np.float64)
    return np.asarray((times - times.min()) / 86_400e6, dtype=np.float64)


def _shares(weight: Floats) -> Floats:
    """Running share of the weights, with one more of the largest for the row still to come (never quite 1)."""
    shares: Floats = np.cumsum(weight) / (weight.sum() + weight.max())
    return shares


def _quantile(scores: Floats, share: Floats, level: float) -> float:
    return float(scores[min(int(np.searchsorted(share, level - 1e-12)), len(scores) - 1)])
