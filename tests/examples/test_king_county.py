"""The example `king_county`: dirt is read as it is meant, sales are judged on later ones, new houses are answered."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.flows import intake
from tests.examples import copies

LIGHT = (*copies.light("linear_log"), "train.since=2015-03-01", "judge.folds=2", "features.around.compared=60")
Ran = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = copies.copy("king_county", tmp_path_factory.mktemp("examples"))
    return folder, asof.run(asof.open_project(str(folder), overrides=LIGHT))


def test_later_sales_are_told_within_honest_bounds(ran: Ran) -> None:
    result = ran[1]
    assert result["metric"] == "rmsle"
    assert result["judged_by"] == "holdout"
    assert 0.15 < result["holdout"]["rmsle"]["value"] < 0.26
    assert result["baseline"]["value"] > 1.2 * result["holdout"]["rmsle"]["value"]
    assert 0.8 < result["coverage"] <= 1
    assert result["audit"]["failed"] == result["audit"]["accepted"] == []
    assert result["promoted"]


def test_places_never_met_have_a_figure_of_their_own(ran: Ran) -> None:
    new = ran[1]["new_places"]
    assert new["places"] > 300
    assert new["score"]["value"] > 0.15


def test_the_house_of_33_bedrooms_is_refused_and_question_marks_are_missing(ran: Ran) -> None:
    folder, result = ran
    assert result["rows"] == {"read": 21_597, "valid": 21_596, "quarantined": 1, "repeated": 0}
    refused = [finding for finding in result["findings"] if finding["check"] == "quarantine"]
    assert ["bedrooms: not between 0 and 15" in finding["message"] for finding in refused] == [True]
    sales = intake.open_tables(asof.open_project(str(folder), overrides=LIGHT))["sales"].rows
    assert sales["sqft_basement"].null_count() == 454
    assert sales["sqft_basement"].dtype.is_numeric()
    assert sales["grade"].n_unique() == 11
    assert {"7 Average", "13 Mansion"} <= set(sales["grade"])


def test_a_house_is_answered_from_its_columns_and_its_day(ran: Ran, tmp_path: Path) -> None:
    folder, _ = ran
    sold = pl.read_csv(folder / "data" / "kc_house_data_dirty.csv.gz", infer_schema_length=0)
    ask = sold.filter(pl.col("date") == "5/13/2015").drop("price").with_columns(date=pl.lit("5/18/2015"))
    ask.write_csv(tmp_path / "ask.csv")
    asked = asof.Asked(input=tmp_path / "ask.csv")
    asof.predict(asof.open_project(str(folder), overrides=LIGHT), asked, tmp_path / "out.parquet")
    told = pl.read_parquet(tmp_path / "out.parquet")
    assert told["id"].to_list() == ask["id"].to_list()
    assert told["reason"].null_count() == len(told) == 31
    real = ask.join(sold, on="id", how="left", maintain_order="left").unique("id", maintain_order=True)
    ratio = told.unique("id", maintain_order=True)["prediction"] / real["price"].cast(pl.Float64)
    assert 0.85 < ratio.median() < 1.15  # type: ignore[operator]


def test_a_day_beyond_the_sales_is_not_guessed_at(ran: Ran, tmp_path: Path) -> None:
    folder, _ = ran
    sold = pl.read_csv(folder / "data" / "kc_house_data_dirty.csv.gz", infer_schema_length=0).drop("price")
    sold.head(2).with_columns(date=pl.lit("6/1/2015")).write_csv(tmp_path / "ask.csv")
    asked = asof.Asked(input=tmp_path / "ask.csv")
    asof.predict(asof.open_project(str(folder), overrides=LIGHT), asked, tmp_path / "out.parquet")
    told = pl.read_parquet(tmp_path / "out.parquet")
    assert told["prediction"].null_count() == 2
    assert all("after the last moment at which" in why for why in told["reason"])
