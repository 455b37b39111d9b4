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


@pytest.mark.slow  # Evidently takes seconds to import
def test_a_page_names_the_columns_and_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "drift.html"
    drift_pages.draw(file, side(3.0), side(0.0))
    page = file.read_text()
    assert "speed" in page
    assert "kind" in page
    assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="https?:', page)
    assert [path.name for path in tmp_path.iterdir()] == ["drift.html"]


@pytest.mark.slow  # as above
def test_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was learnt from"):
        drift_pages.draw(tmp_path / "drift.html", side(3.0).select("nothing"), side(0.0).select("nothing"))
    assert list(tmp_path.iterdir()) == []
