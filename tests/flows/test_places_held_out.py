"""``judge.by: place``: whole places are held out of everything, the choice included; the others alone tell of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import asof
from asof.flows import intake, learning, nesting, newplaces, preparation, running
from asof.ledgers import Past
from tests.flows import world
from tests.flows.commands import project

PLACES = 12
HELD = project(
    ("judge: {holdout: 28d, folds: 2, fold: 14d}", "judge: {by: place, folds: 3, repeats: 1}"),
    ("horizon: [1d, 2d]", "horizon: 1d"),
    ("promote: {audit: pass}", 'promote: {r2: ">= 0.6", audit: pass}'),
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project of twelve places, rows taken in."""
    folder = world.make(tmp_path_factory.mktemp("held") / "world", project=HELD, rows=world.calls(90, PLACES))
    found = asof.open_project(str(folder))
    intake.take_in(found)
    return found


@pytest.fixture(scope="module")
def prepared(opened: Any) -> preparation.Prepared:
    return preparation.prepare(opened, intake.open_tables(opened))


def test_folds_hold_whole_places_and_each_is_tested_once(opened: Any, prepared: preparation.Prepared) -> None:
    bench = running.lay_out(opened, prepared)
    outer = nesting.outer_folds(opened, bench)
    places = bench.material.questions["place"]
    tested = [set(places.gather(split.test)) for split in outer]
    assert len(tested) == 3
    assert sorted(place for block in tested for place in block) == sorted(f"z{one}" for one in range(PLACES))
    for split, block in zip(outer, tested, strict=True):
        assert not set(places.gather(split.train)) & block
    assert bench.split.test.size == 0
    assert not bench.wanted.timed


def test_no_feature_tells_of_the_rows_of_its_own_place(opened: Any, prepared: preparation.Prepared) -> None:
    """Every row of a place gone or put elsewhere: what is told of it stays to the bit; of others it does not."""
    bench = running.lay_out(opened, prepared)
    assert "calls_all_mean_7d" in bench.material.features.columns
    assert not [
        name for name in bench.material.features.columns if name.startswith(("calls_mean", "calls_lag", "calls_days"))
    ]
    table = prepared.past.table("calls")
    emptied = Past({"calls": replace(table, rows=table.rows.filter(pl.col("_place") != "z3"))}, prepared.past.panel)
    again = preparation.read(replace(prepared, past=emptied), bench.material.questions, {})
    mine = bench.material.questions["place"] == "z3"
    assert again.filter(mine).equals(bench.material.features.filter(mine))
    assert not again.filter(~mine).equals(bench.material.features.filter(~mine))


def test_a_fold_reads_no_row_of_the_places_it_tests(opened: Any, prepared: preparation.Prepared) -> None:
    bench = running.lay_out(opened, prepared)
    split = nesting.outer_folds(opened, bench)[0]
    hidden = nesting.seen(bench, split)
    block = bench.material.questions["place"].gather(split.test).unique()
    table = prepared.past.table("calls")
    rows = table.rows.filter(~pl.col("_place").is_in(block.implode()))
    without = replace(prepared, past=Past({"calls": replace(table, rows=rows)}, prepared.past.panel))
    assert hidden.features.equals(preparation.read(without, bench.material.questions, {}))
    assert hidden.questions.equals(bench.material.questions)
    assert not hidden.features.equals(bench.material.features)


def test_every_choice_is_made_without_the_places_that_it_is_judged_by(
    opened: Any, prepared: preparation.Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[str, set[str]]] = []
    choose, fit = learning.choose, learning.fit

    def choosing(workspace: Any, bench: learning.Bench, plan: Any = None) -> Any:
        met.append(("tests", set(bench.material.questions["place"].gather(bench.split.test))))
        places = bench.material.questions["place"]
        met.extend(("learns", set(places.gather(np.union1d(fold.train, fold.test)))) for fold in bench.folds)
        return choose(workspace, bench, plan)

    def fitting(workspace: Any, bench: learning.Bench, rows: Any, recipe: Any) -> Any:
        met.append(("learns", set(bench.material.questions["place"].gather(rows))))
        return fit(workspace, bench, rows, recipe)

    monkeypatch.setattr(learning, "choose", choosing)
    monkeypatch.setattr(learning, "fit", fitting)
    bench = running.lay_out(opened, prepared)
    answers = nesting.nested(opened, bench)
    assert answers.height == bench.material.questions.height
    tested: set[str] = set()
    for what, places in met:
        if what == "tests":
            tested = places
        assert what == "tests" or not places & tested
    assert len([what for what, _ in met if what == "tests"]) == 3


def test_a_run_is_refused_by_its_gate_with_the_figure(opened: Any) -> None:
    result = asof.run(opened)
    assert result["judged_by"] == "places held out"
    assert result["refused"]
    assert not result["promoted"]
    # Rates rise from place to place by name, and nothing of the name tells how much: a new place cannot be told.
    assert result["holdout"]["r2"]["value"] < 0.6
    assert f"r2 is {result['holdout']['r2']['value']:.4g}"[:10] in result["why"]
    assert result["audit"]["failed"] == []
    assert result["new_places"] is None
    page = Path(result["files"]["report"]).read_text()
    assert "chosen and fitted without its place, none of whose rows it could read" in page
    assert "In places it had not seen" in page


def test_the_past_keeps_what_other_sources_know_of_a_place(prepared: preparation.Prepared) -> None:
    table = prepared.past.table("calls")
    both = Past({"calls": table, "shops": replace(table, name="shops")}, prepared.past.panel)
    block = pl.Series("place", ["z1"])
    hidden = newplaces._without(both, block, only="calls")
    assert "z1" not in set(hidden.table("calls").rows["_place"])
    assert "z1" in set(hidden.table("shops").rows["_place"])
    assert "z1" in set(hidden.panel.places.ids)
