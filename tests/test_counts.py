"""How counts are spread about their mean."""

import numpy as np
import pytest

from asof import counts

LEVELS = (1e-13, 1e-6, 0.025, 0.05, 0.5, 0.9, 0.95, 0.999, 1 - 1e-6)


@pytest.mark.parametrize("dispersion", [0.0, 1e-10, 0.03, 0.5, 3.0])
def test_the_count_of_a_level_is_the_first_that_reaches_it(dispersion: float) -> None:
    draw = np.random.default_rng(7)
    mean = np.concatenate([[0.0, 1e-9, 1.0], draw.exponential(0.3, 300), draw.exponential(30, 300), [1e4, 1e6]])
    for level in LEVELS:
        found = counts.at(mean, dispersion, np.full(len(mean), level))
        assert (counts.chance(mean, found, dispersion) >= level).all()
        below = counts.chance(mean, found - 1, dispersion)
        assert (below[found > 0] < level).all()
        assert (found >= 0).all()


def test_a_count_hangs_on_its_own_mean_alone() -> None:
    draw = np.random.default_rng(8)
    mean, level = draw.exponential(5, 500), draw.random(500)
    every = counts.at(mean, 0.2, level)
    assert [float(counts.at(mean[row : row + 1], 0.2, level[row : row + 1])[0]) for row in range(0, 500, 9)] == [
        float(every[row]) for row in range(0, 500, 9)
    ]
    assert float(counts.at(np.asarray(3.0), 0.1, np.asarray(0.9))) == 6.0
