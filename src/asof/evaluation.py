"""Evaluation: scores with intervals, skill against a baseline, optimism, and the ceiling that noise sets to counts.

Answers are a frame of judged questions: ``label`` and ``prediction`` (Float64, none unknown), and where they have a
meaning ``place``, ``start`` and ``horizon``; ``weight`` where rows weigh differently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import DataError
from asof.metrics import METRICS, Metric, find, unit_poisson_deviance

Floats = NDArray[np.float64]
WEEK_US = 7 * 86_400_000_000
BUNDLES = 5000
"""Rows without place and period are resampled in at most this many bundles."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn."""

    draws: int = 1000
    seed: int = 20
    level: float = 0.95
    """Share of the draws within the interval."""
    block: int | None = None
    """Periods in a block; none: a week's worth, and never more than a quarter of the periods."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; ``low`` and ``high`` are not numbers where there is nothing to resample."""

    value: float
    low: float
    high: float
    draws: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    """Resampled values, from which differences of estimates are made."""

    def plain(self) -> dict[str, float]:
        """Return ``value``, ``low`` and ``high``."""
        return {"value": self.value, "low": self.low, "high": self.high}


def score(answers: pl.DataFrame, metric: str | Metric, bootstrap: Bootstrap | None = None) -> Estimate:
    """Score ``answers`` by ``metric`` with an interval.

    Raises:
        DataError: no rows, unknown values, or labels that the metric cannot judge.
    """
    chosen = metric if isinstance(metric, Metric) else find(metric)
    label, prediction = _numbers(answers, "label"), _numbers(answers, "prediction")
    weight = _numbers(answers, "weight") if "weight" in answers.columns else None
    value = chosen(label, prediction, weight)
    if chosen.exact is not None:
        return Estimate(value, float("nan"), float("nan"))
    parts = chosen.parts(label, prediction)
    return _possible(estimate(answers, parts, chosen.finish, bootstrap), chosen, parts)


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
                weight = _numbers(part, "weight") if "weight" in part.columns else None
                value = metric(_numbers(part, "label"), _numbers(part, "prediction"), weight)
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

    Raises:
        DataError: the metric is no loss (``r2``, ``bias``), or the baseline makes no error at all.
    """
    chosen = metric if isinstance(metric, Metric) else find(metric)
    if not chosen.loss or chosen.exact is not None:
        fitting = [one for one in METRICS.values() if one.loss and one.exact is None and one.tasks & chosen.tasks]
        known = ", ".join(sorted(one.name for one in fitting))
        raise DataError(f"skill: {chosen.name} is no mean loss; expected one of {known}")
    label = _numbers(answers, "label")
    ours, theirs = _numbers(answers, "prediction"), _numbers(answers, baseline)
    if chosen(label, theirs) <= 0:
        raise DataError(f"skill: the baseline makes no error by {chosen.name}; nothing is left to be better at")
    chosen(label, ours)  # refuses labels and predictions that it cannot judge
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
    return _between(value, folds.draws[:size] - holdout.draws[:size], level)


def estimate(
    answers: pl.DataFrame,
    parts: Sequence[Floats],
    statistic: Callable[..., Floats],
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """Value and interval of a statistic of weighted means, under dependence within periods and within places.

    Periods are resampled in moving blocks (Künsch 1989) and places one by one; the two variances are added and what
    both contain, the variance between single place-periods, is taken off once (Cameron, Gelbach and Miller 2011),
    because resampling both at once triples the part of pure noise (Owen 2007). Only sums per period and per place are
    resampled, so the cost hardly depends on the number of rows.

    Args:
        answers: n rows; ``start`` and ``place`` tell the units; a frame without both is resampled row by row.
        parts: columns of n values.
        statistic: weighted means of the columns (numbers, or arrays of one shape) -> the figure.
        bootstrap: how it is drawn; none: the usual way.
    """
    how = bootstrap or Bootstrap()
    weight = _numbers(answers, "weight") if "weight" in answers.columns else np.ones(answers.height)
    columns = np.stack([*(np.asarray(part) * weight for part in parts), weight], axis=1)
    total = columns.sum(axis=0)
    value = float(statistic(*(total[:-1] / total[-1])))
    cells, periods, places = _sums(answers, columns)
    # Other periods are drawn otherwise, the same number of places always alike: see ``optimism``.
    first = answers["start"].to_physical().min() if periods is not None else 0
    when = abs(int(first)) if isinstance(first, int | float) else 0
    drawn = (
        _drawn(periods, statistic, _week(answers, periods, how), (how.draws, how.seed, when)),
        _drawn(places, statistic, 1, (how.draws, how.seed, 0)),
    )
    moved = [each - value for each in drawn if each is not None and np.isfinite(each).any()]
    if not moved or not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"))
    variances = [float(np.nanvar(each)) for each in moved]
    both = max(sum(variances) - (_linear_variance(cells, statistic) if len(moved) == 2 else 0), *variances, 0)
    shrink = np.sqrt(both / sum(variances)) if sum(variances) > 0 else 0.0
    return _between(value, value + shrink * np.sum(moved, axis=0), how.level)


def _between(value: float, draws: Floats, level: float) -> Estimate:
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), draws)


def _sums(answers: pl.DataFrame, columns: Floats) -> tuple[Floats, Floats | None, Floats | None]:
    """Sums per place-period, per period in the order of time, and per place (or bundle of rows without either)."""
    names = [f"_{index}" for index in range(columns.shape[1])]
    values = [pl.Series(name, columns[:, index]) for index, name in enumerate(names)]
    units = [name for name in ("start", "place") if name in answers.columns]
    if not units:
        bundles = pl.DataFrame(values).group_by(pl.int_range(pl.len()) % BUNDLES, maintain_order=True)
        return columns, None, bundles.agg(pl.col(names).sum()).select(names).to_numpy()
    cells = answers.select(units).with_columns(values).group_by(units, maintain_order=True).agg(pl.col(names).sum())
    cells = cells.sort(units)
    sums: dict[str, Floats] = {}
    for unit in units:
        grouped = cells.group_by(unit, maintain_order=True).agg(pl.col(names).sum()).sort(unit)
        if grouped.height > 1:
            sums[unit] = grouped.select(names).to_numpy()
    return cells.select(names).to_numpy(), sums.get("start"), sums.get("place")


def _week(answers: pl.DataFrame, periods: Floats | None, how: Bootstrap) -> int:
    """Periods in a block: a week's worth, because days of the week differ, and at least four blocks."""
    if periods is None:
        return 1
    if how.block is not None:
        return max(1, min(how.block, len(periods)))
    step = answers["start"].unique().sort().to_physical().diff().median()
    unit = {"us": 1, "ms": 1_000, "ns": 1e-3}[getattr(answers["start"].dtype, "time_unit", "us")]
    week = round(WEEK_US / (float(step) * unit)) if isinstance(step, int | float) and step > 0 else 1
    return max(1, min(week, len(periods) // 4))


def _drawn(
    sums: Floats | None, statistic: Callable[..., Floats], length: int, random: tuple[int, int, int]
) -> Floats | None:
    """Values of the statistic when blocks of ``length`` units are drawn with replacement; blocks wrap round.

    ``random``: number of draws, seed, and what else the draws depend on.
    """
    if sums is None:
        return None
    draws, *seeds = random
    generator = np.random.default_rng([*seeds, length, len(sums)])
    count = len(sums)
    totals = np.empty((draws, sums.shape[1]))
    steps = np.arange(length)
    for draw in range(draws):
        first = generator.integers(0, count, -(-count // length))
        chosen = ((first[:, None] + steps) % count).reshape(-1)[:count]
        totals[draw] = np.bincount(chosen, minlength=count) @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(statistic(*(totals[:, :-1] / totals[:, -1:]).T), dtype=np.float64)


def _linear_variance(cells: Floats, statistic: Callable[..., Floats]) -> float:
    """Variance of the statistic if all place-periods were independent, by its slope (delta method)."""
    total = cells.sum(axis=0)
    means = total[:-1] / total[-1]
    moved = (cells[:, :-1] - cells[:, -1:] * means) / total[-1]
    slope = np.empty(len(means))
    for index in range(len(means)):
        step = 1e-4 * max(abs(means[index]), float(np.sqrt(np.mean(moved[:, index] ** 2))) * len(cells), 1e-12)
        up, down = means.copy(), means.copy()
        up[index] += step
        down[index] -= step
        slope[index] = (float(statistic(*up)) - float(statistic(*down))) / (2 * step)
    return float(np.sum((moved @ slope) ** 2))


@dataclass(frozen=True)
class Ceiling:
    """What a forecast of counts can reach at best, if they are Poisson about their means."""

    variance: float
    """Variance of the labels."""
    noise: float
    """Part of it that no forecast can remove: the mean label, because a Poisson count varies by its mean."""
    explainable: float
    """variance - noise, at least 0."""
    r2_ceiling: float
    """R2 of the true means."""
    r2: float
    share: float
    """Share of the explainable variance that is explained: r2 / r2_ceiling; not a number if nothing is explainable."""
    deviance: float
    """Mean Poisson deviance of the predictions."""
    noise_deviance: float
    """Mean deviance that Poisson counts about exactly these predictions would have."""
    noise_share: float
    """noise_deviance / deviance: how much of what is left is noise (1 or more: all of it)."""


def ceiling(label: Floats, prediction: Floats) -> Ceiling:
    """Say how much of the variance of counts is explainable, how much is explained, and how much of the rest is noise.

    Counts that are more dispersed than Poisson have more noise than said here, so the ceiling is then too high.

    Raises:
        DataError: labels are no counts (whole numbers, 0 or more).
    """
    truth, told = np.asarray(label, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if (truth < 0).any() or (truth != np.round(truth)).any():
        row = int(np.flatnonzero((truth < 0) | (truth != np.round(truth)))[0])
        raise DataError(f"ceiling: label of row {row} is {truth[row]:g}; counts are whole numbers of 0 or more")
    reached = METRICS["r2"](truth, told)
    deviance = METRICS["poisson_deviance"](truth, told)
    variance, noise = float(truth.var()), float(truth.mean())
    explainable = max(variance - noise, 0.0)
    most = explainable / variance if variance > 0 else float("nan")
    expected = float(noise_deviance(told).mean())
    return Ceiling(
        variance=variance,
        noise=noise,
        explainable=explainable,
        r2_ceiling=most,
        r2=reached,
        share=reached / most if most > 0 else float("nan"),
        deviance=deviance,
        noise_deviance=expected,
        noise_share=expected / deviance if deviance > 0 else float("nan"),
    )


def noise_deviance(mean: Floats) -> Floats:
    """Expected unit deviance of a Poisson count about its own mean, n values.

    Summed exactly on a fine grid of means up to 200 and interpolated; beyond, 1 + 1 / (6 mean) (off by less than 1e-5).
    """
    told = np.maximum(np.asarray(mean, dtype=np.float64), 1e-6)
    grid = np.geomspace(1e-6, 200.0, 1500)
    exact = np.concatenate([_summed(means) for means in np.array_split(grid, 30)])
    return np.where(told > 200, 1 + 1 / (6 * told), np.interp(np.log(told), np.log(grid), exact))


def _summed(means: Floats) -> Floats:
    counts = np.arange(int(means[-1] + 12 * np.sqrt(means[-1]) + 20), dtype=np.float64)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    chance = np.exp(counts[None, :] * np.log(means[:, None]) - means[:, None] - log_factorial[None, :])
    deviance = unit_poisson_deviance(
        np.broadcast_to(counts, chance.shape), np.broadcast_to(means[:, None], chance.shape)
    )
    summed: Floats = (chance * deviance).sum(axis=1)
    return summed


def _numbers(answers: pl.DataFrame, column: str) -> Floats:
    if column not in answers.columns:
        raise DataError(f"answers have no column {column!r}; there are {', '.join(answers.columns)}")
    told = answers[column]
    # probabilities of classes are rows of k
    return told.to_numpy() if isinstance(told.dtype, pl.Array) else told.cast(pl.Float64).to_numpy()


def _parts(answers: pl.DataFrame, by: str) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    if by not in answers.columns:
        raise DataError(f"answers have no column {by!r} to score by; there are {', '.join(answers.columns)}")
    return list(answers.group_by([by], maintain_order=True))


def _said(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
