"""What a run's judgement is made of: openings counted, intervals from folds, a release that has learnt everything."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import asof
from asof import intervals, recipes, releases
from asof.flows import intake, judging, learning, preparation, running
from asof.flows.learning import Bench
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.times import Step
from asof.tuning import Plan
from tests.flows import houses

Finished = tuple[Path, Mapping[str, Any]]


def laid_out(folder: Path) -> tuple[Workspace, Prepared, Bench]:
    workspace = asof.open_project(str(folder))
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    return workspace, prepared, running.lay_out(workspace, prepared)


def test_openings_of_the_same_periods_are_counted_whatever_their_cut(copied: Finished) -> None:
    """The finished run has opened 22 June to 20 July; one day in common is enough, the days after it are new."""
    folder, _ = copied
    workspace = asof.open_project(str(folder))
    chosen: Any = SimpleNamespace(chosen=SimpleNamespace(name="poisson"))
    cut, until = datetime(2021, 6, 22, 4, tzinfo=UTC), datetime(2021, 7, 20, 4, tzinfo=UTC)
    day = timedelta(days=1)
    assert judging.record_opening(workspace, until, until + 28 * day, chosen) == 1
    assert judging.record_opening(workspace, cut - 28 * day, cut, chosen) == 1
    assert judging.record_opening(workspace, cut - 27 * day, cut + day, chosen) == 3
    assert judging.record_opening(workspace, None, None, chosen) == 1
    assert judging.record_opening(workspace, None, None, chosen) == 2
    kept = [one for one in workspace.registry.decisions() if one["kind"] == "holdout"]
    assert len(kept) == 6
    assert {one["recipe"] for one in kept[1:]} == {"poisson"}


def test_the_released_model_has_learnt_all_that_is_known(finished: Finished) -> None:
    """The score belongs to the recipe at its cut; the model that answers has learnt the holdout too."""
    folder, result = finished
    workspace, _, bench = laid_out(folder)
    release = releases.read(Path(result["files"]["release"]))
    recipe = recipes.read_plan(release.json("recipe"))
    every = np.arange(bench.material.questions.height)
    assert bench.split.train.size < every.size
    served = release.model(threads=1).fingerprint()
    assert learning.fit(workspace, bench, every, recipe).fingerprint() == served
    assert learning.fit(workspace, bench, bench.split.train, recipe).fingerprint() != served


def test_the_coverage_told_is_of_intervals_that_have_not_seen_the_holdout(finished: Finished) -> None:
    """It is found with the errors of the folds alone; the release then answers with those of the holdout added."""
    folder, result = finished
    workspace, prepared, bench = laid_out(folder)
    release = releases.read(Path(result["files"]["release"]))
    selection = learning.choose(workspace, bench, Plan.from_json(release.json("plan")))
    baseline = judging.best_baseline(selection.plan, bench.wanted.measure)
    folds = judging.out_of_fold(workspace, bench, selection, baseline)
    calibration = judging.calibrate(folds, bench.wanted)
    held = judging.held_out(workspace, prepared, bench)
    model = learning.fit(workspace, bench, bench.split.train, selection.chosen)
    answers = judging.answer(held, model, None, calibration)
    assert result["coverage"] == pytest.approx(float(intervals.coverage(answers)["coverage"][0]))
    assert json.loads(json.dumps(release.json("intervals")))["rows"] == folds.height + answers.height


@pytest.mark.parametrize(
    ("unit", "check", "bounds"),
    [
        ("value: sales.price\n  per: {place: town}", "[10, 9000000]", (10.0, 9e6)),
        ("sum: sales.price\n  per: {place: town, every: 1d}", "[10, 9000000]", (0.0, None)),
        ("sum: sales.price\n  per: {place: town, every: 1d}", "[-9, 9000000]", (None, None)),
        ("mean: sales.price\n  per: {place: town, every: 1d}", "[-9, 9000000]", (-9.0, 9e6)),
        ("count: sales\n  per: {place: town, every: 1d}", "[10, 9000000]", (None, None)),
    ],
)
def test_intervals_end_where_rows_are_refused(
    tmp_path: Path, unit: str, check: str, bounds: tuple[float | None, float | None]
) -> None:
    """What a check keeps out can be no label: a mean of such values neither, a sum of them has a sign."""
    page = houses.HOUSES.replace("value: sales.price\n  per: {place: town}", unit)
    page = page.replace("    place: town\n", f"    place: town\n    checks: {{price: {{between: {check}}}}}\n")
    workspace = asof.open_project(str(houses.make(tmp_path / "houses", page, sales=houses.sales(200, 60))))
    intake.take_in(workspace)
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    assert learning.terms(workspace, prepared, Step.parse("28d")).bounds == bounds


def test_a_truth_that_is_a_rule_of_thumb_is_refused(tmp_path: Path) -> None:
    """A list of survivors that holds all women and no man: the baseline knows it all, the audit names the column."""
    women = houses.people().with_columns(survived=(pl.col("sex") == "female").cast(pl.Int64))
    result = asof.run(asof.open_project(str(houses.make(tmp_path / "x", houses.PASSENGERS, people=women))))
    assert result["holdout"]["accuracy"]["value"] == 1.0
    assert result["baseline"]["name"] == "best column"
    assert (result["promoted"], result["refused"], result["audit"]["failed"]) == (False, True, ["too good"])
    blamed = [one["subject"] for one in result["findings"] if one["check"] == "too good"]
    assert blamed == ["sex"]


def test_the_result_has_what_the_page_explains(finished: Finished, root: Path) -> None:
    """Each name in the table of docs/judging.md is a key of what a run of counts in places ends with."""
    page = (root / "docs" / "judging.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(rows))
    assert len(named) >= 15
    assert [name for name in named if name not in finished[1]] == []
