"""The example `titanic`: run lightly, its figures within honest bounds, `test.csv` answered in its order."""

import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from tests.examples import copies
from tests.postgres import Server

Ran = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = copies.copy("titanic", tmp_path_factory.mktemp("examples"))
    return folder, asof.run(asof.open_project(str(folder), overrides=copies.light("logistic")))


def test_it_beats_the_rule_that_women_live_by_an_honest_margin(ran: Ran) -> None:
    result = ran[1]
    assert result["rows"] == {"read": 891, "valid": 891, "quarantined": 0, "repeated": 0}
    assert result["judged_by"] == "nested folds"
    assert result["baseline"]["value"] == pytest.approx(0.517, abs=0.01), "women live"
    assert 0.40 < result["holdout"]["log_loss"]["value"] < 0.48
    assert 0.77 < result["holdout"]["accuracy"]["value"] < 0.84, "more would be a leak"
    assert 0.82 < result["holdout"]["auc"]["value"] < 0.89


def test_the_audit_passes_and_the_model_is_promoted(ran: Ran) -> None:
    result = ran[1]
    assert result["audit"]["failed"] == result["audit"]["accepted"] == []
    assert {"fit", "parity", "split", "too good", "rerun"} <= set(result["audit"]["passed"])
    assert result["promoted"]


def test_the_file_to_answer_is_answered_in_its_order(ran: Ran, tmp_path: Path) -> None:
    folder, _ = ran
    asked = folder / "data" / "test.csv"
    asof.predict(asof.open_project(str(folder)), asof.Asked(input=asked), tmp_path / "answers.parquet")
    told = pl.read_parquet(tmp_path / "answers.parquet")
    passengers = pl.read_csv(asked)
    assert told["PassengerId"].cast(pl.Int64).to_list() == passengers["PassengerId"].to_list()
    assert told["reason"].null_count() == len(passengers) == 418, "every one is answered"
    assert told["chance_1"].is_between(0, 1).all()
    assert ((told["chance_0"] + told["chance_1"]) - 1).abs().max() == pytest.approx(0, abs=1e-9)
    assert ((told["chance_1"] > 0.65) <= (told["prediction"] == "1")).all()
    like_the_rule = ((told["prediction"] == "1") == (passengers["Sex"] == "female")).mean()
    assert 0.75 < like_the_rule < 1, "mostly women, and yet not the rule itself"  # type: ignore[operator]


@pytest.mark.needs("PostgreSQL")
def test_the_file_is_answered_in_tables_in_its_order(
    ran: Ran, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite and PostgreSQL hold the same 418 passengers; again nothing changes."""
    folder, result = ran
    monkeypatch.setenv("PGPW", postgres.password)
    asked = asof.Asked(input=folder / "data" / "test.csv")
    sql = 'select answer_row, "PassengerId", "Name", prediction, chance_1, release from passengers order by answer_row'
    tables = [f"sqlite:///{tmp_path}/answers.db#passengers"]
    tables.append(postgres.address().replace("@", ":${PGPW}@") + "#passengers")
    for table in tables:
        assert asof.predict(asof.open_project(str(folder)), asked, table)["changed"] == 418
        assert asof.predict(asof.open_project(str(folder)), asked, table)["changed"] == 0
    link = sqlite3.connect(tmp_path / "answers.db")
    rows = link.execute(sql).fetchall()
    link.close()
    assert rows == postgres.ask(sql)
    passengers = pl.read_csv(folder / "data" / "test.csv")
    assert [row[0] for row in rows] == list(range(1, 419))
    assert [int(row[1]) for row in rows] == passengers["PassengerId"].to_list()
    assert [row[2] for row in rows] == passengers["Name"].to_list()
    assert {row[5] for row in rows} == {result["release"]}


def test_passengers_of_the_list_are_answered_from_memory(ran: Ran, tmp_path: Path) -> None:
    """A score on them would be praise for a good memory, so each is marked."""
    folder, _ = ran
    asked = asof.Asked(input=folder / "data" / "train.csv")
    told = asof.predict(asof.open_project(str(folder)), asked, tmp_path / "answers.parquet")
    assert told["learnt"] == 891
