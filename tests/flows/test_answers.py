"""Where answers go, which place is asked about, and which answers are from memory."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.cli import main
from tests.flows import houses, world
from tests.flows.commands import Capture, Finished, refused, shown
from tests.postgres import Server

RANGE = ("--start", "2021-07-01", "--end", "2021-07-04")


def read(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask an SQLite file."""
    link = sqlite3.connect(file)
    try:
        return link.execute(sql).fetchall()
    finally:
        link.close()


def estimator(folder: Path) -> str:
    """Name of the estimator of the only release."""
    [recipe] = folder.rglob("recipe.json")
    return str(json.loads(recipe.read_text())["estimator"])


# the path


def test_a_range_is_written_beside_its_release(copied: Finished, capsys: Capture) -> None:
    """``models/{location}/{run_timestamp}/model_type={model_type}/predictions/{start}_to_{end}/predictions.parquet``."""
    folder, result = copied
    told = shown(capsys, "predict", folder, "--release", "1", *RANGE)
    stamp, kind = result["release"].removeprefix("world-"), estimator(folder)
    below = f"models/default/{stamp}/model_type={kind}/predictions/2021-07-01_to_2021-07-04/predictions.parquet"
    assert told["file"] == str(folder / ".asof" / below)
    assert pl.read_parquet(told["file"]).height == 3 * 2 * 6


def test_the_answers_of_one_place_lie_under_its_name(copied: Finished, capsys: Capture) -> None:
    """And so they leave the file of all places alone."""
    folder, result = copied
    whole = shown(capsys, "predict", folder, *RANGE)["file"]
    one = shown(capsys, "predict", folder, *RANGE, "--location", "z2")["file"]
    stamp, kind = result["release"].removeprefix("world-"), estimator(folder)
    below = f"models/z2/{stamp}/model_type={kind}/predictions/2021-07-01_to_2021-07-04/predictions.parquet"
    assert one == str(folder / ".asof" / below)
    assert set(pl.read_parquet(one)["place"]) == {"z2"}
    assert pl.read_parquet(whole)["place"].n_unique() == 6
    shown(capsys, "runs", folder)  # a folder of answers is not taken for a release


def test_a_name_that_is_no_part_of_a_path_is_escaped(tmp_path: Path, capsys: Capture) -> None:
    rows = world.calls(days=150).with_columns(pl.col("zone").replace({"z0": "../up", "z1": "New York/5th"}))
    folder = world.make(tmp_path / "world", rows=rows)
    shown(capsys, "run", folder)
    for place, part in (("../up", "%2E.%2Fup"), ("New York/5th", "New%20York%2F5th")):
        written = Path(shown(capsys, "predict", folder, "--location", place)["file"])
        assert written.relative_to(folder / ".asof" / "models").parts[0] == part
        assert set(pl.read_parquet(written)["place"]) == {place}


# the location


def test_a_project_of_one_location_answers_to_its_name(tmp_path: Path, capsys: Capture) -> None:
    """No place at all: ``location`` is the only one, and any other is refused with the one that is known."""
    text = world.PROJECT.replace("    place: zone\n", "").replace("{place: zone, every: 1d}", "{every: 1d}")
    folder = world.make(tmp_path / "world", project=f"{text}location: oregon1\n")
    shown(capsys, "run", folder)
    told = shown(capsys, "predict", folder, *RANGE, "--location", "oregon1")
    parts = Path(told["file"]).relative_to(folder / ".asof" / "models").parts
    assert (parts[0], *parts[2:]) == (
        "oregon1",
        f"model_type={estimator(folder)}",
        "predictions",
        "2021-07-01_to_2021-07-04",
        "predictions.parquet",
    )
    assert pl.read_parquet(told["file"]).height == 3 * 2
    said = refused(capsys, 2, "predict", folder, *RANGE, "--location", "oregon2")
    assert said.startswith("no place 'oregon2' is known to release world-")
    assert said.endswith("did you mean 'oregon1'?; known: oregon1")


def test_a_place_that_is_not_known_is_refused_with_those_that_are(copied: Finished, capsys: Capture) -> None:
    folder, _ = copied
    said = refused(capsys, 2, "predict", folder, *RANGE, "--location", "mars")
    assert said.endswith("known: z0, z1, z2, z3, z4, z5")
    assert shown(capsys, "predict", folder, *RANGE, "--location", "default")["answered"] == 36, "the whole project"
    (folder / "asked.csv").write_text("place,date\nz3,2021-07-10\n")
    said = refused(capsys, 2, "predict", folder, "--input", folder / "asked.csv", "--location", "z3")
    assert said == "give either --input or --location, not both: a file says itself what it asks about"


# memory


def test_what_the_release_has_learnt_is_marked(copied: Finished, capsys: Capture) -> None:
    """Rows end on 2021-07-19, known a day later: the 19th is learnt, the 20th is not."""
    folder, _ = copied
    told = shown(capsys, "predict", folder, "--start", "2021-07-18", "--end", "2021-07-21", "--location", "z1")
    answers = pl.read_parquet(told["file"]).filter(pl.col("reason").is_null())
    days = answers.select(pl.col("start").dt.convert_time_zone("America/New_York").dt.day(), "horizon", "learnt")
    assert days.rows() == [
        (18, "1d", True),
        (18, "2d", True),
        (19, "1d", True),
        (19, "2d", True),
        (20, "1d", False),
        (20, "2d", False),
    ]
    assert told["learnt"] == 4
    assert main(["predict", str(folder), *RANGE]) == 0
    assert "36: their outcome was learnt, so they are no forecasts" in " ".join(capsys.readouterr().out.split())


def test_the_next_periods_are_never_from_memory(finished: tuple[Path, Mapping[str, Any]]) -> None:
    _, result = finished
    answers = pl.read_parquet(result["files"]["predictions"])
    assert answers["learnt"].any() is False
    assert answers.height == 12


# a table


@pytest.fixture(scope="module")
def sailed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of rows without a time, and a file of some that are known and some that are not."""
    folder = tmp_path_factory.mktemp("sailed")
    (folder / "project.yaml").write_text(houses.PASSENGERS)
    rows = houses.people()
    rows.write_csv(folder / "people.csv")
    asked = rows.head(3).with_columns(pl.Series("id", ["new1", "new2", rows["id"][2]]))
    asked.drop("survived").write_csv(folder / "asked.csv")
    asof.run(asof.open_project(str(folder)))
    return folder


def test_rows_that_are_asked_again_are_from_memory(sailed: Path, capsys: Capture) -> None:
    """By their key; without it nothing is known of them."""
    told = shown(capsys, "predict", sailed, "--input", sailed / "asked.csv", "--out", sailed / "told.parquet")
    assert pl.read_parquet(sailed / "told.parquet")["learnt"].to_list() == [False, False, True]
    assert told["learnt"] == 1
    pl.read_csv(sailed / "asked.csv").drop("id").write_csv(sailed / "nameless.csv")
    shown(capsys, "predict", sailed, "--input", sailed / "nameless.csv", "--out", sailed / "told.parquet")
    assert pl.read_parquet(sailed / "told.parquet")["learnt"].any() is False


@pytest.mark.needs("PostgreSQL")
def test_the_same_answers_in_a_file_and_in_both_databases(
    sailed: Path, postgres: Server, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the file, every column; again nothing changes; the password appears nowhere."""
    monkeypatch.setenv("ANSWERS_PW", postgres.password)
    monkeypatch.chdir(sailed)
    asked = ("predict", ".", "--input", "asked.csv")
    shown(capsys, *asked, "--out", "told.parquet")
    file = pl.read_parquet("told.parquet")
    names = ", ".join(f'"{name}"' for name in file.columns)
    sql = f"select {names} from people order by answer_row"
    address = postgres.address().replace("@", ":${ANSWERS_PW}@")
    for out, ask in (
        (f"{address}#people", postgres.ask),
        ("sqlite:///told.db#people", lambda sql: read(sailed / "told.db", sql)),
    ):
        told = shown(capsys, *asked, "--out", out)
        assert (told["table"], told["changed"]) == (out, 3)
        assert "file" not in told
        rows = [
            tuple(bool(v) if n in {"outside", "learnt"} else v for n, v in zip(file.columns, row, strict=True))
            for row in ask(sql)
        ]
        assert rows == file.rows()
        assert main([*asked, "--out", out]) == 0
        said = capsys.readouterr()
        assert "0 rows new or changed" in " ".join(said.out.split())
        assert postgres.password not in said.out + said.err
        assert ask("select count(*) from people") == [(3,)]


def test_a_run_writes_its_predictions_to_the_table_of_the_project(tmp_path: Path, capsys: Capture) -> None:
    """Beside the page; a second run of the same release changes nothing."""
    folder = world.make(tmp_path / "world", project=f"{world.PROJECT}answers: sqlite:///below/told.db#calls_ahead\n")
    told = shown(capsys, "run", folder)
    assert told["files"]["answers"] == "sqlite:///below/told.db#calls_ahead"
    ahead = pl.read_parquet(told["files"]["predictions"])
    database = folder / "below" / "told.db"
    sql = "select place, horizon, prediction from calls_ahead order by answer_row"
    assert read(database, sql) == ahead.select("place", "horizon", "prediction").rows()
    before = read(database, "select * from calls_ahead order by answer_id")
    shown(capsys, "run", folder)
    assert read(database, "select * from calls_ahead order by answer_id") == before


def test_a_database_that_cannot_be_reached_is_told_of_before_the_work(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and one line; the password is neither in it nor in what is shown of the project."""
    monkeypatch.setenv("SAILS", "a secret of mine")
    written = "postgresql://me:${SAILS}@127.0.0.1:1/db#told"
    folder = world.make(tmp_path / "world", project=f"{world.PROJECT}answers: {written}\n")
    said = refused(capsys, 3, "run", folder)
    assert said.startswith("postgresql://me:${SAILS}@127.0.0.1:1/db: could not reach the database: ")
    assert "secret of mine" not in said
    assert not list(folder.rglob("*.parquet"))
    assert main(["check", str(folder), "--show"]) == 0
    shown_settings = capsys.readouterr().out
    assert written in shown_settings
    assert "secret of mine" not in shown_settings
    said = refused(capsys, 3, "predict", folder, "--out", written)
    assert "could not reach the database" in said


def test_the_table_of_a_project_is_checked_with_the_page(tmp_path: Path, capsys: Capture) -> None:
    """File and line; a password is refused and not repeated."""
    for written, wrong in (
        ("postgresql://me:hunter2@host/db#told", "a password is never written here"),
        ("postgresql://me@host/db", "which table? expected postgresql://user@host/database#table"),
        ("answers.db", "expected postgresql://user@host"),
    ):
        folder = world.make(tmp_path / "world", project=f"{world.PROJECT}answers: {written}\n")
        said = refused(capsys, 2, "check", folder)
        assert said.startswith(f"{folder / 'project.yaml'}:19: answers: ")
        assert wrong in said
        assert "hunter2" not in said


def test_a_file_of_another_kind_is_refused(copied: Finished, capsys: Capture) -> None:
    folder, _ = copied
    said = refused(capsys, 2, "predict", folder, "--out", folder / "told.xlsx")
    assert "expected a name that ends in one of .parquet, .csv, .json, or the table of a database" in said
