"""The example `home_prices`: baths are split, the leak is refused by name, houses still to be sold are answered."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import asof
from asof.cli import main
from tests.examples import copies

Ran = tuple[Path, dict[str, Any]]
LIGHT = copies.light("linear_log")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = copies.copy("home_prices", tmp_path_factory.mktemp("examples"))
    return folder, asof.run(asof.open_project(str(folder), overrides=LIGHT))


def listings(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "data" / "listings.csv.gz", infer_schema_length=None)


def test_prices_are_told_within_honest_bounds(ran: Ran) -> None:
    result = ran[1]
    assert result["rows"] == {"read": 653, "valid": 650, "quarantined": 0, "repeated": 3}, "three rows repeat another"
    rmse = result["holdout"]["rmse"]
    assert 65_000 < rmse["value"] < 110_000, "less would be the label in disguise"
    assert rmse["low"] < rmse["value"] < rmse["high"]
    assert 0.7 < result["holdout"]["r2"]["value"] < 0.9
    assert result["baseline"]["value"] > 1.1 * rmse["value"]
    assert result["audit"]["failed"] == result["audit"]["accepted"] == []
    assert result["promoted"]


def test_every_house_still_to_be_sold_is_answered(ran: Ran) -> None:
    folder, result = ran
    answers = pl.read_parquet(result["files"]["predictions"])
    waiting = listings(folder).filter(pl.col("ClosePrice").is_null()).unique()
    assert len(answers) == len(waiting) == 427
    assert answers["unit"].n_unique() == 427
    assert ((answers["low"] <= answers["prediction"]) & (answers["prediction"] <= answers["high"])).all()
    assert answers["prediction"].min() > 50_000  # type: ignore[operator]


def test_baths_are_counted_apart(ran: Ran) -> None:
    workspace = asof.open_project(str(ran[0]))
    assert workspace.plugins is not None
    asked = pl.DataFrame({"own.BathsTotal": [2.1, 3.4, 5.0, 4.2, None]})
    told = workspace.plugins.lookups["baths"](asked, None)
    assert told["baths_full"].to_list() == [2, 3, 5, 4, None]
    assert told["baths_half"].to_list() == [1, 4, 0, 2, None]


def test_the_leaky_page_is_the_same_page_without_what_is_left_out(ran: Ran) -> None:
    clean, leaky = (yaml.safe_load((ran[0] / name).read_text()) for name in ("project.yaml", "leaky.yaml"))
    assert set(clean.pop("leave_out")) == {"CurrentPrice", "CloseDate"}
    assert (leaky.pop("name"), leaky.pop("store")) == ("home_prices_leaky", ".asof/leaky")
    assert clean.pop("name") == "home_prices"
    assert leaky == clean


def test_the_leaky_page_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copies.copy("home_prices", tmp_path)
    settings = [part for one in LIGHT for part in ("--set", one)]
    assert main(["run", str(folder / "leaky.yaml"), *settings]) == 1
    said = " ".join(capsys.readouterr().out.split())  # lines break where the screen ends
    assert "CurrentPrice alone gives 100.00% of the order of the label" in said
    assert "CloseDate is filled in 100% of the rows whose label is known" in said
    assert "no: a check of the audit failed" in said
