"""The main job, from files to a released model: what it prints, keeps, skips and refuses."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof import releases
from asof.cli import main
from tests.flows import world

Finished = tuple[Path, Mapping[str, Any]]
KEYS = {
    "project",
    "run",
    "release",
    "promoted",
    "why",
    "holdout",
    "folds",
    "optimism",
    "baseline",
    "skill",
    "audit",
    "rows",
    "seconds",
}


def test_a_run_ends_with_the_documented_object(finished: Finished) -> None:
    """Every documented key is there, with the figures of this made-up world."""
    folder, result = finished
    assert set(result) >= KEYS
    assert result["project"] == "world"
    assert result["promoted"] is True
    assert result["rows"] == {"read": 7103, "valid": 7103, "quarantined": 0, "repeated": 0}
    assert result["audit"] == {
        "passed": ["future", "fit", "parity", "split", "drift", "rerun"],
        "failed": [],
        "untold": [],
        "accepted": [],
    }
    deviance = result["holdout"]["poisson_deviance"]
    assert deviance["low"] < deviance["value"] < deviance["high"]
    assert deviance["value"] == pytest.approx(1.0, abs=0.15)  # Poisson counts about nearly known means
    assert result["baseline"]["name"] == "place x rhythm"
    assert [row["horizon"] for row in result["horizons"]] == ["1d", "2d"]
    assert result["opened"] == 1
    assert json.loads(json.dumps(result, default=str))["release"] == result["release"]
    assert (folder / ".asof" / "mlflow.db").is_file()


def test_the_release_is_whole_and_holds_no_pickle(finished: Finished) -> None:
    """The folder verifies, its path says location, time and model type, and every file is of a plain kind."""
    _, result = finished
    folder = Path(result["files"]["release"])
    assert folder.name.startswith("model_type=")
    assert folder.parents[1].name == "default"
    assert folder.parents[2].name == "models"
    release = releases.read(folder)
    assert release.name == result["release"]
    assert release.fingerprint == result["fingerprint"]
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".html", ".md", ".yaml", ".parquet", ".arrow", ".npy", ".txt", ".ubj", ".cbm"}
    assert "<html" in (folder / "report.html").read_text()[:500]


def test_the_release_says_what_was_audited_and_what_it_took(finished: Finished) -> None:
    """Each check with its answer, coverage and findings; each trial but a blend with its seconds."""
    _, result = finished
    folder = Path(result["files"]["release"])
    kept = json.loads((folder / "audit.json").read_text("utf-8"))
    answered = {
        word: [one["check"] for one in kept["verdicts"] if one["outcome"] == word] for word in ("passed", "failed")
    }
    assert answered == {"passed": result["audit"]["passed"], "failed": []}
    assert all(one["coverage"] for one in kept["verdicts"])
    assert kept["accepted"] == {}
    told = [finding for one in kept["verdicts"] for finding in one["findings"]]
    assert [one for one in result["findings"] if one in told] == told
    costs = json.loads((folder / "costs.json").read_text("utf-8"))
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    assert len(costs["seconds"]) == sum(trial["stage"] != "blend" for trial in plan["trials"])
    assert all(fit >= 0 and predict >= 0 for fit, predict in costs["seconds"])


def test_predictions_of_the_next_periods_lie_beside_the_release(finished: Finished) -> None:
    """One answer for each place and horizon, asked as of the last moment at which the calls are known."""
    _, result = finished
    file = Path(result["files"]["predictions"])
    assert file.parent.name == "2021-07-22_to_2021-07-24"
    answers = pl.read_parquet(file)
    assert answers.height == 12
    assert answers["as_of"].unique().dt.convert_time_zone("America/New_York").dt.strftime("%F %R").to_list() == [
        "2021-07-21 00:00"
    ]
    assert answers["start"].unique().sort().dt.convert_time_zone("America/New_York").dt.strftime("%F").to_list() == [
        "2021-07-22",
        "2021-07-23",
    ]
    assert (answers["low"] <= answers["prediction"]).all()
    assert (answers["prediction"] <= answers["high"]).all()
    assert answers["release"].unique().to_list() == [result["release"]]
    assert answers["reason"].null_count() == 12


def test_running_again_makes_nothing_new(copied: Finished) -> None:
    """The same inputs give the same release: no new version, no second opening of the holdout."""
    folder, _ = copied
    workspace = asof.open_project(str(folder))
    first = workspace.registry.find("champion")
    again = asof.run(workspace)
    assert first is not None
    assert again["release"] == first.name
    assert "choose" not in again["seconds"]
    assert len(workspace.registry.releases()) == 1
    assert [one["kind"] for one in workspace.registry.decisions()] == ["holdout", "promotion"]


def test_the_same_inputs_elsewhere_give_the_same_fingerprint(finished: Finished, tmp_path: Path) -> None:
    """Neither time nor folder enters the fingerprint, and a stored plan replays to the same model."""
    folder, result = finished
    other = world.make(tmp_path / "elsewhere")
    again = asof.run(asof.open_project(str(other)))
    assert again["fingerprint"] == result["fingerprint"]
    assert again["holdout"] == result["holdout"]
    plan = Path(result["files"]["release"]) / "plan.json"
    third = world.make(tmp_path / "replayed")
    replayed = asof.run(asof.open_project(str(third)), plan=plan)
    assert replayed["fingerprint"] == result["fingerprint"]
    assert folder != other != third


def test_forced_again_the_champion_stays(copied: Finished) -> None:
    """Equal models: the data cannot tell, the champion stays, exit code 0; the second opening is counted."""
    folder, result = copied
    workspace = asof.open_project(str(folder), force=True)
    again = asof.run(workspace)
    assert again["promoted"] is False
    assert "the champion stays" in again["why"]
    assert again["refused"] is False
    assert again["opened"] == 2
    champion = workspace.registry.find("champion")
    assert champion is not None
    assert champion.name == result["release"]


def test_a_rule_that_is_not_kept_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unreachable gate: exit code 1, the figure and the limit in the reason, no champion."""
    folder = world.make(tmp_path / "world")
    code = main(["run", str(folder), "--set", 'promote.r2=">= 0.999"', "--json"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 1
    assert told["promoted"] is False
    assert "the rule is >= 0.999: not kept" in told["why"]
    assert asof.open_project(str(folder)).registry.find("champion") is None


def test_train_then_promote(tmp_path: Path) -> None:
    """``train`` leaves a challenger; ``promote`` judges and promotes it."""
    folder = world.make(tmp_path / "world")
    trained = asof.train(asof.open_project(str(folder)))
    assert trained["promoted"] is False
    workspace = asof.open_project(str(folder))
    assert workspace.registry.find("champion") is None
    decided = asof.promote_release(workspace, "challenger")
    assert decided["promoted"] is True
    champion = workspace.registry.find("champion")
    assert champion is not None
    assert champion.name == trained["release"]


def test_two_runs_at_once_are_refused(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one names the holder and exits with 3; nothing waits."""
    folder, _ = copied
    workspace = asof.open_project(str(folder))
    with workspace.hold("a test"):
        assert main(["run", str(folder)]) == 3
    told = capsys.readouterr().err
    assert "a test" in told


def test_doctor_runs_and_report_answer(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """The smaller verbs: releases and decisions, where the page is, what works here."""
    folder, result = copied
    assert main(["runs", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["releases"]] == [result["release"]]
    assert [one["kind"] for one in told["decisions"]] == ["promotion", "holdout"]
    assert main(["report", str(folder), "--out", str(folder / "page.html"), "--json"]) == 0
    assert (folder / "page.html").read_text() == Path(result["files"]["report"]).read_text()
    capsys.readouterr()
    assert main(["doctor", str(folder), "--json"]) == 0
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["lock"]["note"] == "free"
    assert rows["project file"]["note"] == "world"


UNDER_TWICE = """\
import asof
import numpy as np


@asof.metric
def under_twice(label, prediction):
    return np.abs(label - prediction) * np.where(label > prediction, 2.0, 1.0)
"""


def test_a_metric_of_the_project_decides(tmp_path: Path) -> None:
    """A plug-in's metric chooses, judges, gates and is reported with an interval, like ours."""
    text = world.PROJECT.replace("judge: {", "judge: {metric: under_twice, ") + "plugins: features.py\n"
    text = text.replace("promote: {", 'promote: {under_twice: "< 100", ')
    folder = world.make(tmp_path / "world", project=text)
    (folder / "features.py").write_text(UNDER_TWICE)
    result = asof.run(asof.open_project(str(folder)))
    assert result["metric"] == "under_twice"
    assert result["promoted"] is True
    figure = result["holdout"]["under_twice"]
    assert figure["low"] < figure["value"] < figure["high"]
    assert figure["value"] > result["holdout"]["mae"]["value"]
    plan = json.loads((Path(result["files"]["release"]) / "plan.json").read_text())
    assert plan["metric"] == "under_twice"


def test_a_metric_of_which_more_is_better(tmp_path: Path) -> None:
    """R2 decides, the best is the greatest, and skill is measured by the squared error."""
    text = world.PROJECT.replace("judge: {", "judge: {metric: r2, ")
    result = asof.run(asof.open_project(str(world.make(tmp_path / "world", project=text))))
    assert result["metric"] == "r2"
    assert result["baseline"]["name"] == "place x rhythm"
    r2, base = result["holdout"]["r2"]["value"], result["baseline"]["value"]
    assert 0 < r2 < 1
    assert result["skill"]["value"] == pytest.approx(1 - ((1 - r2) / (1 - base)) ** 0.5)


def test_a_short_history_gets_shorter_folds(tmp_path: Path) -> None:
    """Without judge.fold a fold is as long as the holdout, or less where four of them would leave nothing to learn."""
    text = world.PROJECT.replace("judge: {holdout: 28d, folds: 2, fold: 14d}", "judge: {holdout: 21d, folds: 4}")
    text = text.replace(", since: 2021-02-15", "")
    folder = world.make(tmp_path / "world", project=text, rows=world.calls(days=90))
    result = asof.run(asof.open_project(str(folder)))
    plan = json.loads((Path(result["files"]["release"]) / "plan.json").read_text())
    assert all(len(trial["scores"]) == 4 for trial in plan["trials"])
    assert result["audit"]["failed"] == []


def test_a_champion_of_other_features_is_compared_by_its_recipe(tmp_path: Path) -> None:
    """It cannot answer what the project asks now: both recipes are fitted at one cut, and what it lacks is said."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=150))
    first = asof.run(asof.open_project(str(folder)))
    assert first["promoted"]
    world.make(folder, project=world.PROJECT.replace("windows: [7d, 28d]", "windows: [7d, 14d]"))
    lost = "was made with other features .* it needs calls_mean_28d, .* it does not know calls_mean_14d"
    with pytest.raises(asof.DataError, match=f"release {first['release']} {lost}"):
        asof.predict(asof.open_project(str(folder)), asof.Asked(), tmp_path / "answers.csv")
    workspace = asof.open_project(str(folder))
    result = asof.run(workspace)
    assert result["promoted"] is False, "hardly another model: the data cannot tell"
    assert "predictions" not in result["files"]
    told = next(one["message"] for one in result["findings"] if one["check"] == "predict")
    assert told.startswith(f"no predictions were written: release {first['release']} was made with other features")
    decision = workspace.registry.decisions()[-1]
    assert decision["kind"] == "promotion"
    assert decision["on"].startswith("both recipes fitted at 2021-06-22")
    assert decision["on"].endswith("(the champion was made with other features)")
