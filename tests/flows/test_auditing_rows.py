"""The audit on projects whose units are rows: what a row says of itself is held against its label."""

from pathlib import Path
from typing import Any

import polars as pl

import asof
from asof.flows import auditing, intake, learning, preparation, rebuilding, running
from tests.flows import flowers, houses


def told(result: dict[str, Any], check: str) -> dict[str, str]:
    return {one["subject"]: one["message"] for one in result["findings"] if one["check"] == check}


def test_a_column_that_is_filled_with_the_sale_fails(tmp_path: Path) -> None:
    """The tax is known with the price; beside it the honest columns pass, and so does every other check."""
    sales = houses.sales().with_columns(tax=(pl.col("price") * 0.035).round(2))
    folder = houses.make(tmp_path / "houses", houses.HOUSES, sales=sales)
    result = asof.run(asof.open_project(str(folder)))
    assert result["audit"]["failed"] == ["too good"]
    assert result["audit"]["passed"] == ["future", "fit", "parity", "split", "drift", "rerun"]
    assert list(told(result, "too good")) == ["tax"]
    assert result["promoted"] is False


def test_rows_without_a_time_are_audited_whole(tmp_path: Path) -> None:
    """No moment, no future; the rest is tried on the outer folds, where families stay whole."""
    folder = houses.make(tmp_path / "people", houses.PASSENGERS, people=houses.people())
    workspace = asof.open_project(str(folder))
    result = asof.run(workspace)
    assert (result["audit"]["failed"], result["audit"]["untold"]) == ([], [])
    verdicts = {one["check"]: one for one in asof.audit_project(asof.open_project(str(folder)))["verdicts"]}
    assert verdicts["future"]["outcome"] == "not applicable"
    assert "no question has a moment of prediction" in verdicts["future"]["coverage"]
    assert {name: one["outcome"] for name, one in verdicts.items() if name != "future"} == dict.fromkeys(
        ("fit", "parity", "split", "too good", "drift", "rerun"), "passed"
    )
    assert "groups whole, copies of rows" in verdicts["split"]["coverage"]


SHARE_OF_THE_FAMILY = """\
import asof
import polars as pl


@asof.lookup
def luck(questions, past):
    shares = past.table("people").rows.group_by("family").agg(luck=pl.col("survived").cast(pl.Float64).mean())
    rows = past.table("people").rows.select("family", unit="_key").join(shares, on="family")
    return questions.select("unit").join(rows, on="unit", how="left", maintain_order="left")["luck"]
"""


def test_a_plug_in_that_reads_the_table_of_the_labels_fails(tmp_path: Path) -> None:
    """Without a time nothing tells which rows were known: no row may read another."""
    project = houses.PASSENGERS + "features: [luck]\nplugins: features.py\n"
    folder = houses.make(tmp_path / "people", project, people=houses.people())
    (folder / "features.py").write_text(SHARE_OF_THE_FAMILY)
    result = asof.run(asof.open_project(str(folder)))
    assert "future" in result["audit"]["failed"]
    assert told(result, "future")["luck"].endswith("without a time, no row may read another")


def test_the_whole_selection_is_repeated_on_rows_in_the_order_that_they_were_learnt_in(tmp_path: Path) -> None:
    """Rows without a time are learnt in an order drawn by the seed, and on it hangs which of them stop the boosting."""
    page = flowers.PROJECT.replace("logistic", "lightgbm")
    workspace = asof.open_project(str(houses.make(tmp_path / "flowers", page, found=flowers.flowers(606))))
    intake.take_in(workspace)
    bench = running.lay_out(workspace, preparation.prepare(workspace, intake.open_tables(workspace)))
    selection = learning.choose(workspace, bench)
    (tried,) = [trial for trial in selection.plan.trials if trial.stage == "portfolio"]
    assert selection.chosen.name == tried.recipe.name
    assert len(set(tried.rounds)) > 1
    model = learning.fit(workspace, bench, bench.split.train, selection.chosen)
    accused = auditing.Accused(bench, bench.material.questions, selection.plan, model)
    again = rebuilding.Learner(workspace, accused, bench.split, full=True)
    assert again(bench.material.questions, bench.material.features).fingerprint == model.fingerprint()
