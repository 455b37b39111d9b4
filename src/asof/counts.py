"""How counts are spread about their mean: negative binomial, or Poisson."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
LEAST_MEAN = 1e-6
"""A count predicted at less is read as predicted at this."""
SURE = 1e-9
"""A probability that is nearer to 0 or 1 is told by neighbouring counts alike, as far as numbers go."""


def chance(mean: ArrayLike, value: ArrayLike, dispersion: float = 0.0) -> Floats:
    """Probability that a count of this mean is at most ``value``, n values.

    Negative binomial with variance mean + ``dispersion`` x mean squared; Poisson where that is 0.
    """
    from scipy.special import betainc, pdtr

    told = np.maximum(np.asarray(mean, dtype=np.float64), LEAST_MEAN)
    upto = np.floor(np.asarray(value, dtype=np.float64))
    counted = np.maximum(upto, 0.0)
    size = 1 / max(dispersion, 1e-9)
    upto_then = pdtr(counted, told) if dispersion < 1e-9 else betainc(size, counted + 1, size / (size + told))
    return np.asarray(np.where(upto < 0, 0.0, upto_then), dtype=np.float64)


def at(mean: Floats, dispersion: float, level: Floats) -> Floats:
    """Smallest count whose probability of not being passed reaches ``level``; n of float64."""
    told = np.maximum(mean, LEAST_MEAN)
    # It is mostly the one that its moments tell, or the one beside: then two looks prove it.
    near = _near(told, dispersion, level)
    enough = chance(told, near, dispersion) >= level
    beside = np.where(enough, near - 1, near + 1)
    proved = (chance(told, beside, dispersion) >= level) != enough
    proved &= (level > SURE) & (level < 1 - SURE)
    found: Floats = np.asarray(np.where(enough, near, beside))
    rest = ~proved
    if rest.any():
        found[rest] = _halved(np.asarray(told)[rest], dispersion, np.asarray(level)[rest])
    return found


def _near(mean: Floats, dispersion: float, level: Floats) -> Floats:
    """About the same count, by mean, spread and skewness (Cornish and Fisher 1938)."""
    from scipy.special import ndtri

    spread = np.sqrt(mean + dispersion * mean**2)
    skew = (1 + 2 * dispersion * mean) / spread
    score = ndtri(np.clip(level, SURE, 1 - SURE))
    about = mean + spread * (score + skew * (score**2 - 1) / 6) - 0.5
    return np.asarray(np.maximum(np.ceil(about), 0.0))


def _halved(told: Floats, dispersion: float, level: Floats) -> Floats:
    """The same by halving."""
    low = np.full(told.shape, -1.0)
    high = np.ceil(told + 10 * np.sqrt(told + dispersion * told**2) + 10)
    while (chance(told, high, dispersion) < level).any() and high.max() < 1e15:
        high = np.where(chance(told, high, dispersion) < level, high * 2, high)
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough = chance(told, middle, dispersion) >= level
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(high, dtype=np.float64)
