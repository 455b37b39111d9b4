"""Places held out of everything: which ones together, and that nothing of them is learnt or read."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.flows import judging, learning, newplaces, preparation
from asof.flows.learning import Bench, Material
from asof.places import Places
from tests.flows import houses


def test_blocks_are_about_even_and_keep_what_lies_together() -> None:
    """14 towns in three blocks; with boroughs above them, no borough is parted; few places are no sample."""
    towns = pl.Series("place", [f"t{one:02d}" for one in range(14)])
    blocks = newplaces.blocks_of(Places(ids=towns))
    assert blocks is not None
    assert sorted(len(block) for block in blocks) == [4, 5, 5]
    assert sorted(pl.concat(blocks)) == towns.to_list()
    boroughs = pl.Series([f"b{min(one, 11) // 3}" for one in range(14)])
    of = dict(zip(towns, boroughs, strict=True))
    whole = newplaces.blocks_of(Places(ids=towns, coarser=boroughs))
    assert whole is not None
    met = [{of[town] for town in block} for block in whole]
    assert sum(len(one) for one in met) == len(set.union(*met)) == 4
    assert newplaces.blocks_of(Places(ids=towns[:12])) is not None
    assert newplaces.blocks_of(Places(ids=towns[:11])) is None
    assert newplaces.blocks_of(Places(ids=towns, kind="all")) is None


def test_nothing_of_a_held_out_place_is_learnt_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block is asked with a past that does not know it, by models that have met none of its places."""
    seen: list[tuple[str, set[str]]] = []
    read, fit, answer = preparation.read, learning.fit, judging.answer

    def reading(prepared: preparation.Prepared, questions: pl.DataFrame, leave_out: Any) -> pl.DataFrame:
        features = read(prepared, questions, leave_out)
        if len(prepared.past.panel.places) < 14:
            asked = set(questions["place"])
            rows = prepared.past.table("sales").rows
            assert not asked & set(rows["_place"])
            assert rows.height > 0
            seen.append(("asked", asked))
        return features

    def fitting(workspace: Any, bench: Bench, rows: Any, recipe: Any) -> Any:
        seen.append(("learnt", set(bench.material.questions["place"].gather(rows))))
        return fit(workspace, bench, rows, recipe)

    def answering(asked: Material, *models: Any) -> pl.DataFrame:
        if asked.questions["place"].n_unique() < 14:
            for name in ("sales_price_mean_56d", "sales_mean_56d"):
                assert asked.features[name].null_count() == asked.features.height, "nobody has counted there"
            seen.append(("answered", set(asked.questions["place"])))
        return answer(asked, *models)

    monkeypatch.setattr(preparation, "read", reading)
    monkeypatch.setattr(judging, "answer", answering)
    monkeypatch.setattr(learning, "fit", fitting)
    folder = houses.make(tmp_path / "x", houses.HOUSES, sales=houses.sales())
    result = asof.run(asof.open_project(str(folder)))
    asked = [number for number, (what, _) in enumerate(seen) if what == "asked"]
    assert len(asked) == result["new_places"]["blocks"] == 3
    for number in asked:
        block = seen[number][1]
        for what, learnt in seen[number + 1 : number + 3]:  # the recipe and the baseline
            assert what == "learnt"
            assert learnt
            assert not learnt & block
        assert seen[number + 3] == ("answered", block)
    assert len(set.union(*(seen[number][1] for number in asked))) == result["new_places"]["places"] == 14
