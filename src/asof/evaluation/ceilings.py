"""The ceiling that noise sets to forecasts of counts."""

from dataclasses import dataclass

import numpy as np

from asof.errors import DataError
from asof.evaluation.estimates import Floats
from asof.metrics import METRICS, unit_poisson_deviance


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
