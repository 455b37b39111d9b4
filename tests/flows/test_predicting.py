"""Answers of a released model: in order, one a row, with a reason where there is none."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.cli import main
from asof.flows import intake, predicting, preparation

Finished = tuple[Path, Mapping[str, Any]]


def test_rows_of_a_file_get_one_answer_each_in_order(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """Repeated, unknown, unreadable and too late rows keep their place; the user's own columns come along."""
    folder, result = copied
    asked = folder / "asked.csv"
    asked.write_text(
        "mine,place,date,horizon\n"
        "a,z3,2021-07-10,1d\n"
        "b,nowhere,2021-07-10,1d\n"
        "c,z3,not a day,1d\n"
        "d,z0,2021-09-01,1d\n"
        "e,z3,2021-07-10,1d\n"
        "f,z1,2021-07-22,2d\n"
        "g,z1,2021-07-22,9d\n"
    )
    out = folder / "answers.csv"
    assert main(["predict", str(folder), "--input", str(asked), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answered"], told["unanswered"]) == (3, 4)
    answers = pl.read_csv(out)
    assert answers["mine"].to_list() == list("abcdefg")
    assert answers["prediction"].is_null().to_list() == [False, True, True, True, False, False, True]
    assert answers["prediction"][0] == answers["prediction"][4]
    reasons = answers["reason"].to_list()
    assert reasons[1] == "the place is missing or outside every place"
    assert reasons[2] == "date is no time that can be read"
    assert "asked after the last moment at which calls is known" in reasons[3]
    assert reasons[6] == "the horizon is none of 1d, 2d"
    assert set(answers["release"]) == {result["release"]}


def test_a_file_with_nothing_beyond_the_question(copied: Finished) -> None:
    """Place and start alone are enough: there need be no column of the user's own."""
    folder, _ = copied
    asked, out = folder / "asked.csv", folder / "answers.csv"
    asked.write_text("place,start\nz3,2021-07-10\nnowhere,2021-07-10\n")
    assert main(["predict", str(folder), "--input", str(asked), "--out", str(out)]) == 0
    answers = pl.read_csv(out)
    assert answers["prediction"].is_null().to_list() == [False, True]
    assert answers.columns[:2] == ["place", "start"]


def test_a_range_and_one_location(copied: Finished) -> None:
    """``--start`` and ``--end`` answer every horizon of each day of one place."""
    folder, result = copied
    out = folder / "answers.parquet"
    command = ["predict", str(folder), "--start", "2021-07-01", "--end", "2021-07-04", "--location", "z2"]
    assert main([*command, "--out", str(out), "--release", "1"]) == 0
    answers = pl.read_parquet(out)
    assert answers.select("place", "horizon").rows() == [("z2", "1d"), ("z2", "2d")] * 3
    assert answers["prediction"].null_count() == 0
    again = folder / "again.parquet"
    release = str(result["files"]["release"])
    moved = str(next((folder / ".asof" / "models").rglob("manifest.json")).parent)
    assert release != moved
    assert main([*command, "--out", str(again), "--release", moved]) == 0
    assert pl.read_parquet(again).equals(answers)


def test_one_question_gets_the_bits_of_the_batch(copied: Finished) -> None:
    """Features and prediction of a question do not depend on which others are asked with it."""
    folder, _ = copied
    workspace = asof.open_project(str(folder))
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    oracle = predicting.open_release(workspace, "champion")
    asked = predicting.next_questions(prepared, oracle)
    whole = predicting.answer(workspace, prepared, oracle, asked)
    for row in (0, 5, 11):
        assert predicting.answer(workspace, prepared, oracle, asked[row : row + 1]).equals(whole[row : row + 1])


def test_what_cannot_be_asked(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with exit code 2 and a line that says what was expected."""
    folder, _ = copied
    (folder / "no_time.csv").write_text("place\nz1\n")
    (folder / "empty.csv").write_text("place,date\n")
    cases = {
        ("--input", str(folder / "no_time.csv")): "no column tells the time; expected one of start, time, date",
        ("--input", str(folder / "empty.csv")): "there is no row to answer",
        ("--input", str(folder / "gone.csv")): "no such file",
        ("--start", "2021-07-01"): "--start and --end belong together",
        ("--release", "7"): "no release '7' of world",
        ("--location", "mars"): "no place 'mars' is known",
    }
    for options, message in cases.items():
        assert main(["predict", str(folder), *options]) == 2
        assert message in capsys.readouterr().err
