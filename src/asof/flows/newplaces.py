"""How well a recipe does in places that it has never met: a second figure, or the one that a project is judged by.

Blocks of places are held out in turn, in place and in time: the recipe is fitted at the cut on all other places, and
asked about the block's later questions with every row of the block taken out of what lookups read, so that its features
are those of a place without a history.

Where a project is judged by place (``judge.by: place``), nested folds of whole places give the score, the choice of the
recipe included; the lookups then leave a place's own rows out for every question, so that a place that is learnt from
and one that is asked about are told of alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from asof import evaluation, places
from asof.evaluation import Bootstrap, Estimate
from asof.flows import judging, learning, preparation
from asof.flows.judging import Judged
from asof.flows.learning import Bench, Material
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.ledgers import Past
from asof.lookups.history import History
from asof.places import Places
from asof.recipes import Blend, Recipe
from asof.splits import Split

BLOCKS = 3
LEAST_PLACES = 12
"""Fewer places than this are no sample of places."""
ROWS = 30_000
"""At most this many training questions are learnt from, evenly spaced: the figure is beside the point of the run."""
ASKED = 20_000
"""And at most this many questions are asked of each block."""


@dataclass(frozen=True)
class NewPlaces:
    """What the recipe reaches in places held out of everything."""

    score: Estimate
    baseline: float
    """Score of the baseline there, fitted and asked in the same way."""
    skill: Estimate
    rows: int
    places: int
    blocks: int


def judge(
    workspace: Workspace, prepared: Prepared, bench: Bench, recipe: Recipe | Blend, judged: Judged
) -> NewPlaces | None:
    """Hold out blocks of places in turn; none where there are too few of them."""
    blocks = blocks_of(prepared.panel.places)
    if blocks is None:
        return None
    parts = []
    for block in blocks:
        asked = _asked(prepared, workspace, judged, block)
        train = _train(bench, block)
        if asked is None or train.size < learning.LEAST:
            continue
        model = learning.fit(workspace, bench, train, recipe)
        plain = learning.fit(workspace, bench, train, judged.baseline)
        parts.append(judging.answer(asked, model, plain, judged.calibration))
        workspace.stages.done(len(parts) / len(blocks))
    if not parts:
        return None
    answers = pl.concat(parts)
    if answers["label"].n_unique() < 2:
        return None
    wanted, bootstrap = bench.wanted, Bootstrap(seed=bench.wanted.seed)
    measure = judging.measures(wanted, judged.calibration)[wanted.metric]
    return NewPlaces(
        score=evaluation.score(answers, measure, bootstrap),
        baseline=measure(answers["label"].to_numpy(), answers["baseline"].to_numpy(), None),
        skill=evaluation.skill(answers, wanted.loss, bootstrap=bootstrap),
        rows=answers.height,
        places=answers["place"].n_unique(),
        blocks=len(parts),
    )


def blocks_of(there: Places) -> list[pl.Series] | None:
    """Places in ``BLOCKS`` parts of about the same size; those of one coarser place stay together where that is known.

    None where there are too few places.
    """
    if there.kind == "all" or len(there) < LEAST_PLACES:
        return None
    above = there.coarser.fill_null("") if there.coarser is not None else there.ids
    if above.n_unique() < BLOCKS:
        above = there.ids
    sizes = pl.DataFrame({"place": there.ids, "above": above}).group_by("above").agg("place")
    sizes = sizes.with_columns(size=pl.col("place").list.len()).sort("size", "above", descending=[True, False])
    held: list[list[str]] = [[] for _ in range(BLOCKS)]
    for members in sizes["place"].to_list():
        min(held, key=len).extend(members)
    return [pl.Series("place", sorted(block), dtype=pl.String) for block in held]


def hider(workspace: Workspace, prepared: Prepared, material: Material) -> Callable[[Split], Material]:
    """Return who reads the features anew without the rows of the counted source in the places that a split tests.

    What other sources know of these places stays known, and so do the places themselves: a map tells of them.
    """

    def hide(split: Split) -> Material:
        block = material.questions["place"].gather(split.test).unique()
        unheard = replace(prepared, past=_without(prepared.past, block, only=prepared.panel.source))
        features = preparation.read(unheard, material.questions, workspace.spec.leave_out)
        return replace(material, features=features.select(material.features.columns))

    return hide


def _asked(prepared: Prepared, workspace: Workspace, judged: Judged, block: pl.Series) -> Material | None:
    """Judged questions of a block, with the features of places without a history."""
    inside = np.flatnonzero(judged.asked.questions["place"].is_in(block.implode()).fill_null(value=False).to_numpy())
    if inside.size == 0:
        return None
    inside = inside[:: max(1, inside.size // ASKED)]
    questions = judged.asked.questions[inside]
    unheard = replace(prepared, past=_without(prepared.past, block))
    features = preparation.read(unheard, questions, workspace.spec.leave_out)
    # Without a row a place would look empty, while nobody has counted there: its own history is unknown.
    mine = [name for one in prepared.lookups if isinstance(one, History) for name in one.of_place(features.columns)]
    return Material(questions, features.with_columns(pl.lit(None, pl.Float64).alias(name) for name in mine))


def _train(bench: Bench, block: pl.Series) -> np.ndarray:
    rows = bench.split.train
    outside = ~bench.material.questions["place"].gather(rows).is_in(block.implode()).fill_null(value=False)
    kept = rows[outside.to_numpy()]
    return np.asarray(kept[:: max(1, kept.size // ROWS)])


def _without(past: Past, block: pl.Series, only: str | None = None) -> Past:
    """The same past as if nobody had heard of the places of ``block``; with ``only``, as if that source had not."""
    tables = {
        name: replace(table, rows=table.rows.filter(~pl.col("_place").is_in(block.implode()).fill_null(value=False)))
        if past.placed(name) and only in {None, name}
        else table
        for name, table in past.sources.items()
    }
    if only is not None:
        return Past(tables, past.panel)
    return Past(tables, replace(past.panel, places=places.without(past.panel.places, block)))
