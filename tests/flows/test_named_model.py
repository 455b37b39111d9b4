"""A model chosen by name, its parameters given, and the day on which the holdout begins."""

import json
from pathlib import Path

import polars as pl
import pytest

from asof.cli import main
from asof.tuning import Plan
from tests.flows import commands, world
from tests.flows.commands import Capture, few  # noqa: F401 - a fixture

PAGE = commands.project((", candidates: [poisson], threads: 1, since: 2021-02-15", ", threads: 1, since: 2021-02-01"))


@pytest.fixture
def folder(tmp_path: Path, few: pl.DataFrame) -> Path:  # noqa: F811 - the fixture
    return world.make(tmp_path / "world", project=PAGE, rows=few)


def test_a_release_of_the_named_model_with_its_parameters(folder: Path, capsys: Capture) -> None:
    parts = ["--model", "lightgbm", "--param", "num_leaves=5", "--param", "learning_rate=0.3", "--param", "rounds=20"]
    told = commands.shown(capsys, "train", folder, *parts, "--cut", "2021-04-10")
    (release,) = (folder / ".asof" / "models" / "default").glob("*/model_type=*")
    assert release.name == "model_type=lightgbm"
    plan = Plan.read((release / "plan.json").read_text())
    assert plan.model == plan.chosen.estimator == "lightgbm"  # type: ignore[union-attr]
    assert {"num_leaves": 5, "learning_rate": 0.3, "rounds": 20}.items() <= plan.chosen.params.items()  # type: ignore[union-attr]
    kinds = {trial.recipe.estimator for trial in plan.trials if trial.stage != "baseline"}  # type: ignore[union-attr]
    assert kinds == {"lightgbm"}
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["facts"]["holdout_cut"] == "2021-04-10T04:00:00+00:00"
    assert "rerun" in told["audit"]["passed"]  # the plan remembers that the model was named


def test_the_command_line_and_the_page_say_the_same(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    options = ["--cut", "2021-04-10", "--out", tmp_path / "answers.parquet"]
    told = commands.shown(capsys, "backtest", folder, *options, "--model", "poisson", "--param", "alpha=1e9")
    assert told["recipe"].startswith("poisson")
    with_page = ["--set", "train.model=poisson", "--set", "train.params={alpha: 1.0e+9}"]
    again = commands.shown(capsys, "backtest", folder, *options, *with_page)
    assert again["scores"] == told["scores"]
    other = commands.shown(capsys, "backtest", folder, *options, "--model", "poisson", "--param", "alpha=0.1")
    assert other["scores"] != told["scores"]


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        (["--model", "lightgmb"], ["there is no model 'lightgmb'; did you mean lightgbm?"]),
        (["--model", "mean"], ["there is no model 'mean'"]),
        (
            ["--model", "lightgbm", "--param", "num_leafs=31", "--param", "rounds=many", "--param", "max_bin=1.5"],
            [
                "expected a whole number such as 127, got 1.5",
                "lightgbm has no parameter 'num_leafs'; did you mean num_leaves?",
                "expected a whole number such as 1500, got 'many'",
            ],
        ),
        (["--param", "rounds=5"], ["parameters are those of one model: name it in train.model"]),
        (["--model", "lightgbm", "--cut", "april"], ["mo or a day such as 2024-01-31, got 'april'"]),
    ],
)
def test_faults_are_told_all_at_once(folder: Path, capsys: Capture, options: list[str], faults: list[str]) -> None:
    capsys.readouterr()
    assert main(["train", str(folder), *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(faults), lines
    for line, fault in zip(lines, faults, strict=True):
        assert fault in line
    assert commands.nothing_kept(folder)


def test_a_plan_and_a_model_exclude_each_other(folder: Path, capsys: Capture) -> None:
    assert main(["train", str(folder), "--plan", "plan.json", "--model", "poisson"]) == 2
    assert "leave out --plan" in capsys.readouterr().err


@pytest.mark.parametrize("day", ["2020-01-01", "2029-01-01"])
def test_a_day_outside_of_what_is_known_is_refused(folder: Path, capsys: Capture, day: str) -> None:
    told = commands.refused(capsys, 2, "train", folder, "--model", "poisson", "--cut", day)
    assert f"judge.holdout is {day}" in told
