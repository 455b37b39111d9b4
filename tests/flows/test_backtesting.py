"""Backtests: what was learnt at the cut, what is asked after it, and what stands in the file."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asof.cli import main

Finished = tuple[Path, Mapping[str, Any]]


def _backtest(folder: Path, out: Path, *options: str) -> int:
    return main(["backtest", str(folder), "--cut", "2021-06-01", "--out", str(out), *options, "--json"])


def test_every_question_of_the_span_is_answered_once(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """Questions with cut <= as_of < until at both horizons, with label and interval, scored as printed."""
    folder, _ = copied
    out = folder / "answers.parquet"
    assert _backtest(folder, out, "--until", "2021-06-15") == 0
    told = json.loads(capsys.readouterr().out)
    answers = pl.read_parquet(out)
    assert answers.columns == ["place", "start", "end", "as_of", "horizon", "prediction", "low", "high", "label"]
    assert answers.height == 6 * 14 * 2 == told["questions"]
    assert answers.select("place", "as_of", "horizon").is_duplicated().sum() == 0
    assert answers["as_of"].min() == datetime(2021, 6, 1, 4, tzinfo=UTC)
    assert answers["as_of"].max() == datetime(2021, 6, 14, 4, tzinfo=UTC)
    assert answers["label"].null_count() == 0
    mean = answers["prediction"].to_numpy()
    label = answers["label"].to_numpy()
    assert told["scores"]["rmse"]["value"] == pytest.approx(float(((label - mean) ** 2).mean() ** 0.5))
    assert 0.8 < told["coverage"] <= 1


def test_labels_not_yet_known_are_empty(copied: Finished) -> None:
    """The last periods are answered although nobody knows their truth yet."""
    folder, _ = copied
    out = folder / "answers.csv"
    assert _backtest(folder, out) == 0
    answers = pl.read_csv(out, try_parse_dates=True)
    unknown = answers.filter(pl.col("label").is_null())
    assert 0 < unknown.height < answers.height
    assert unknown["start"].min() > answers.filter(pl.col("label").is_not_null())["start"].max()


def test_a_cut_within_a_day(copied: Finished) -> None:
    """Moments are read as they are written on the clocks of the source."""
    folder, _ = copied
    out = folder / "answers.parquet"
    command = ["backtest", str(folder), "--cut", "2021-06-01T06:00", "--until", "2021-06-10T06:00", "--out", str(out)]
    assert main(command) == 0
    asked = pl.read_parquet(out)["as_of"]
    assert (asked.min(), asked.max()) == (datetime(2021, 6, 2, 4, tzinfo=UTC), datetime(2021, 6, 10, 4, tzinfo=UTC))


def test_a_refit_without_a_length_is_refused(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """It would begin the same stretch for ever."""
    folder, _ = copied
    assert _backtest(folder, folder / "answers.parquet", "--refit", "0d") == 2
    assert "--refit 0d has no length: expected at least 1d" in capsys.readouterr().err


def test_a_refit_learns_more(copied: Finished) -> None:
    """With ``--refit`` the first stretch is answered as without, later ones by later models."""
    folder, _ = copied
    once, again = folder / "once.parquet", folder / "again.parquet"
    assert _backtest(folder, once, "--until", "2021-06-29") == 0
    assert _backtest(folder, again, "--until", "2021-06-29", "--refit", "14d") == 0
    first, second = pl.read_parquet(once), pl.read_parquet(again)
    early = first["as_of"] < datetime(2021, 6, 15, 4, tzinfo=UTC)
    assert first.filter(early)["prediction"].to_list() == second.filter(early)["prediction"].to_list()
    assert first.filter(~early)["prediction"].to_list() != second.filter(~early)["prediction"].to_list()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cut", "2021-08-01"], "no rows of calls after the cut 2021-08-01"),
        (["--cut", "2021-06-01", "--until", "2021-05-01"], "expected since < cut < until"),
        (["--cut", "June"], "'June' is no day or moment"),
    ],
)
def test_spans_that_make_no_sense(
    copied: Finished, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """Exit code 2, one line, no file."""
    folder, _ = copied
    out = folder / "answers.parquet"
    assert main(["backtest", str(folder), "--out", str(out), *options]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_questions_asked_too_late_are_counted(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows end on 19 July with a day's delay: what is asked after the 21st is refused, and said to be."""
    folder, _ = copied
    out = folder / "answers.parquet"
    assert _backtest(folder, out, "--until", "2021-08-01") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["unanswered"] == 6 * 10 * 2
    assert pl.read_parquet(out)["as_of"].max() == datetime(2021, 7, 21, 4, tzinfo=UTC)
