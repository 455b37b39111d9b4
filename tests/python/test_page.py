"""docs/python.md runs as it stands, its statements hold, and no call goes without a word."""

import inspect
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import asof
from asof import python
from asof.flows import preparation
from asof.python import Comparison, Release, Report

Told = dict[str, Any]


@pytest.fixture(scope="module")
def told(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Run every block of the page, one after the other, in an empty folder; return the names that they leave."""
    page = (root / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: Told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks:
            exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 - the page is ours
        names["folder"] = Path("calls_project").resolve()
        yield names


def test_the_frame_is_kept_and_read(told: Told) -> None:
    calls: pl.DataFrame = told["calls"]
    assert pl.read_parquet(told["folder"] / "data" / "calls.parquet").equals(calls)
    assert told["taken"].sources.row(0) == ("calls", calls.height, calls.height, calls.height, 0, "")
    assert told["valid"].height == calls.height
    assert told["refused"].height == told["taken"].reasons.height == 0
    assert set(told["checked"].profiles["column"]) == {"id", "at", "zone", "_event"}
    assert not told["checked"].refused


def test_labels_are_the_counts_of_the_frame(told: Told) -> None:
    calls: pl.DataFrame = told["calls"]
    counted = calls.group_by(place="zone", day=pl.col("at").dt.date()).agg(pl.len().cast(pl.Float64))
    april = told["spring"].with_columns(day=pl.col("start").dt.convert_time_zone("America/New_York").dt.date())
    joined = april.join(counted, on=["place", "day"], how="left").with_columns(pl.col("len").fill_null(0.0))
    assert joined.height == 30 * 3 * 2, "days x zones x horizons"
    assert joined["label"].equals(joined["len"].alias("label"))
    assert (april["start"] - april["as_of"]).dt.total_hours().unique().sort().to_list() == [24, 48]


def test_features_are_those_of_the_flows(told: Told) -> None:
    workspace, prepared = told["project"].prepared()
    assert told["features"].equals(preparation.read(prepared, told["spring"], workspace.spec.leave_out))
    assert told["features"].height == told["spring"].height


def test_folds_leave_the_holdout_out(told: Told) -> None:
    training = told["training"]
    assert len(told["mine"]) == training.spans.height == 2
    assert all(0 < score < 10 for score in told["mine"])
    for fold, cut in zip(training, training.spans["cut"], strict=True):
        assert (training.questions["known_at"][fold.train] <= cut).all()
        assert (training.questions["as_of"][fold.test] >= cut).all()
    held_out = told["project"].decisions().filter(pl.col("kind") == "holdout")["what"][0]
    last = training.spans["last"].max()
    assert held_out.startswith("opened ")
    assert f"{last:%Y-%m-%d}" <= held_out.split()[1]


def test_what_was_compared_is_what_was_released(told: Told) -> None:
    compared: Comparison = told["compared"]
    release: Release = told["release"]
    assert compared.chosen == release.recipe == "poisson"
    assert compared.candidates.filter(pl.col("chosen"))["name"].to_list() == ["poisson"]
    scores = compared.candidates["score"].drop_nulls().to_list()
    assert scores == sorted(scores)
    assert {"poisson", "linear", "mean", "place_calendar"} <= set(compared.candidates["name"])
    assert release.candidates.equals(compared.candidates)
    assert release.plan == compared.plan


def test_a_release_tells_what_the_run_told(told: Told) -> None:
    release: Release = told["release"]
    kept = release.scores.filter((pl.col("judged_by") == "holdout") & (pl.col("metric") == release.metric))
    assert kept.select("value", "low", "high").row(0) == (release.score.value, release.score.low, release.score.high)
    assert release.score.value == release.result["holdout"][release.metric]["value"]
    assert 0 < release.skill.value < 1
    assert release.promoted
    assert release.why == "all rules are kept, and there is no champion yet"
    assert "failed" not in release.audit["outcome"].to_list()
    assert release.horizons["horizon"].to_list() == ["1d", "2d"]
    assert release.aliases == ("champion",)
    assert told["project"].releases()["name"].to_list() == [release.name]
    assert told["audit"].passed
    assert {"future", "fit", "split"} <= set(told["audit"].verdicts["check"])


def test_rows_are_answered_in_order_with_reasons(told: Told) -> None:
    answers: pl.DataFrame = told["answers"]
    assert answers["zone"].to_list() == ["south", "nowhere"]
    assert answers["prediction"].is_null().to_list() == [False, True]
    assert answers["reason"].to_list() == [None, "the place is missing or outside every place"]
    assert answers["low"][0] <= answers["prediction"][0] <= answers["high"][0]
    again = told["release"].predict(told["asked"].to_pandas())
    assert again.equals(answers), "a frame of pandas is answered like that of Polars"


def test_a_range_and_the_next_periods_are_answered(told: Told) -> None:
    release: Release = told["release"]
    days = release.predict(start="2021-07-18", end="2021-07-20", location="south")
    assert days.height == 2 * 2, "days x horizons"
    assert days["place"].unique().to_list() == ["south"]
    assert release.predict().height == 3 * 2


def test_reasons_add_up_to_the_prediction(told: Told) -> None:
    reasons: pl.DataFrame = told["reasons"]
    assert reasons["base"][0] + reasons["reason"].sum() == pytest.approx(reasons["prediction"][0])
    assert reasons["prediction"][0] == pytest.approx(told["answers"]["prediction"][0])
    single = told["release"].explain(told["spring"].head(1), grouped=False)
    assert set(single["feature"]) == set(told["model"].columns)
    assert single["value"].null_count() < single.height
    importance = told["release"].importance(rows=20)
    assert importance["share"].sum() == pytest.approx(1)
    assert importance["importance"].is_sorted(descending=True)


def test_a_backtest_answers_each_question_as_of_its_moment(told: Told) -> None:
    tested = told["tested"]
    first, last = tested.answers["as_of"].min(), tested.answers["as_of"].max()
    assert first == datetime(2021, 5, 1, tzinfo=ZoneInfo("America/New_York"))
    assert last == datetime(2021, 5, 31, tzinfo=ZoneInfo("America/New_York"))
    assert tested.scores["value"].null_count() == 0
    assert tested.answers.height == tested.result["questions"]


def test_notebooks_are_shown_small_tables_without_script(told: Told) -> None:
    for name in ("project", "taken", "checked", "training", "compared", "release", "audit", "tested"):
        shown = told[name]._repr_html_()
        assert shown.startswith("<div><strong>"), name
        assert "<script" not in shown
        assert len(shown) < 4_000, name
    report: Report = told["release"].report
    assert "<iframe" in report._repr_html_()
    kept = report.save(told["folder"] / "page.html")
    assert kept.read_text("utf-8") == report.html == (told["release"].folder / "report.html").read_text("utf-8")


def test_every_call_is_described(root: Path) -> None:
    page = (root / "docs" / "python.md").read_text(encoding="utf-8")
    for kind in (asof.Project, asof.Release, python.Check, python.Intake, python.Training, python.Comparison):
        names = [name for name, _ in inspect.getmembers(kind) if not name.startswith("_")]
        names += [name for name in getattr(kind, "__dataclass_fields__", {}) if not name.startswith("_")]
        missing = [name for name in sorted(set(names)) if not re.search(rf"\b{name}\b", page)]
        assert missing == [], kind.__name__
