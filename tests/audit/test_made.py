"""Made: what comes out of a file was worked out from the rows, or holds constants."""

import numpy as np
import polars as pl
import pytest

from asof.audit import Outcome, made, parity
from asof.audit.parity import Answers
from asof.data import Severity
from tests.leaks.worlds import calls, house_table


def of(streets: pl.DataFrame) -> str:
    """What the column of a file by street was made of."""
    rows = house_table()
    values = rows.join(streets, on="street", how="left", maintain_order="left")["x"]
    return made.of(values, {"street": rows["street"]}, rows, rows["price"])


MADE = {
    "the number of rows of each street": pl.len(),
    "the mean of price of each street": pl.col("price").mean().round(1),
    "the median of area of each street": pl.col("area").median(),
    "the sum of price of each street": pl.col("price").sum().log(),
    "the mean label of each street by 0.9": (pl.col("price").sum() + 1e6) / (pl.len() + 3),
}


@pytest.mark.parametrize("what", MADE)
def test_what_was_made_of_the_rows_is_told(what: str) -> None:
    assert what in of(house_table().group_by("street").agg(x=MADE[what]))


def test_constants_are_let_be() -> None:
    """Distances, and the levels of other sales of the same streets."""
    streets = house_table()["street"].unique().sort()
    for seed in range(20):
        drawn = np.random.default_rng(seed).uniform(0, 9000, streets.len())
        assert of(pl.DataFrame({"street": streets, "x": drawn})) == ""
    earlier = house_table(seed=21).group_by("street").agg(x=pl.col("price").mean())
    assert of(earlier) == ""


def test_few_zones_are_enough_where_a_statistic_is_met() -> None:
    rows = calls()
    levels = rows.group_by("zone").agg(x=(pl.len() / 112).round(4))
    asked = rows.join(levels, on="zone", how="left", maintain_order="left")
    label = pl.Series(np.random.default_rng(1).poisson(5, rows.height).astype(float))
    assert "the number of rows" in made.of(asked["x"], {"zone": rows["zone"]}, rows, label)
    people = {"z0": 0.154, "z1": 0.246, "z2": 0.187, "z3": 0.201, "z4": 0.212}
    constants = rows["zone"].replace_strict(people)
    assert made.of(constants, {"zone": rows["zone"]}, rows, label) == ""


def test_a_file_of_constants_is_warned_of() -> None:
    """It fails where the column was made of the rows, and where more is read than what lies beside the code."""
    whole, other = (Answers(pl.DataFrame({"x": [value, 2.0]}), np.ones(2)) for value in (1.0, 3.0))
    told = parity.elsewhere(whole, other, lambda: whole, lambda: whole)
    assert (told.outcome, [one.severity for one in told.findings]) == (Outcome.PASSED, [Severity.WARNING])
    learnt = parity.elsewhere(whole, other, lambda: whole, lambda: whole, lambda name: f"the mean of {name}")
    assert learnt.outcome is Outcome.FAILED
    assert "was made of the rows that it is to tell of: the mean of x" in learnt.findings[0].message
    source = parity.elsewhere(whole, other, lambda: whole, lambda: other)
    assert source.outcome is Outcome.FAILED
