"""Pages of drift: complete in themselves, whatever the columns hold."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asof.adapters import drift_pages
from asof.errors import DataError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("evidently") is None, reason="missing: evidently")


def side(mean: float) -> pl.DataFrame:
    """200 rows: numbers, texts, and a column without a value."""
    numbers = np.random.default_rng(0).normal(mean, 1, 200)
    nothing = pl.Series([None] * 200, dtype=pl.Float64)
    return pl.DataFrame({"speed": numbers, "kind": ["x", "y"] * 100, "nothing": nothing})


def test_a_page_names_the_columns_and_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "drift.html"
    drift_pages.draw(file, side(3.0), side(0.0))
    page = file.read_text()
    assert "speed" in page
    assert "kind" in page
    assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="https?:', page)
    assert [path.name for path in tmp_path.iterdir()] == ["drift.html"]


def test_a_page_tells_the_chances_that_are_worked_out_by_hand(tmp_path: Path) -> None:
    """Numbers by Kolmogorov and Smirnov, two kinds by the difference of their shares: 100 and 88 of 200."""
    from scipy.stats import ks_2samp, norm

    served, learnt = side(0.2), side(0.0).with_columns(pl.col("speed").reverse() + 0.01)
    learnt = learnt.with_columns(kind=pl.Series(["x"] * 88 + ["y"] * 112))
    drift_pages.draw(tmp_path / "drift.html", served, learnt)
    page = (tmp_path / "drift.html").read_text()
    told = [float(one) for one in re.findall(r'"drift_score": ([0-9.e-]+)', page)]
    apart = (0.5 - 0.44) / np.sqrt(0.47 * 0.53 * 2 / 200)
    expected = [ks_2samp(served["speed"], learnt["speed"]).pvalue, 2 * norm.sf(apart)]
    assert sorted(told) == pytest.approx(sorted(expected), abs=2e-6)


def test_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was learnt from"):
        drift_pages.draw(tmp_path / "drift.html", side(3.0).select("nothing"), side(0.0).select("nothing"))
    assert list(tmp_path.iterdir()) == []
