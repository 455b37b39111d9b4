"""The score of few rows without a time, and of whole places held out: nested folds, the whole choice inside each.

What is judged is the way in which a recipe is chosen and fitted, not one recipe: each outer fold chooses anew on folds
of its own training rows, tunes, calibrates and fits there, and answers rows that none of it has met.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from asof import kfolds, releases
from asof.flows import judging, learning
from asof.flows.judging import Judged, Verdicts
from asof.flows.learning import Bench, Material
from asof.flows.workspace import Workspace
from asof.recipes import Blend, Recipe
from asof.splits import Split
from asof.tuning import Selection

OUTER = 5
"""Parts of an outer round."""


def judge(workspace: Workspace, bench: Bench, selection: Selection) -> Judged:
    """Judge on nested folds; ``selection`` is the choice on all rows, made in the same way."""
    wanted = bench.wanted
    answers = nested(workspace, bench)
    baseline = judging.best_baseline(selection.plan, wanted.measure)
    folds = judging.out_of_fold(workspace, bench, selection, baseline)
    calibration = judging.calibrate(folds, wanted)
    model = learning.fit(workspace, bench, bench.split.train, selection.chosen)
    asked = bench.material.side(bench.split.train)
    # Nested answers of classes come calibrated, each fold in its own way; those of the folds are of every row already.
    raw = folds if wanted.task == "class" else pl.concat([folds, answers], how="diagonal")
    found = Verdicts(model, baseline, asked, answers, judging.calibrated(folds, calibration), raw, calibration)
    return judging.summed_up(found, wanted, cut=None, until=None, opened=0)


def nested(workspace: Workspace, bench: Bench) -> pl.DataFrame:
    """Answers to every row by models whose choice, tuning and calibration have not met it; once in each repeat."""
    wanted = bench.wanted
    outer = outer_folds(workspace, bench)
    each = replace(wanted, budget_seconds=inner_budget(wanted.budget_seconds, len(outer)))
    parts = []
    for number, split in enumerate(outer):
        material = seen(bench, split)
        inner = learning.chance_folds(material, split, replace(wanted, seed=wanted.seed + 1000 + number))
        laid = Bench(material, split, inner, each)
        chosen = learning.choose(workspace, laid)
        baseline = judging.best_baseline(chosen.plan, wanted.measure)
        calibration = judging.calibrate(judging.out_of_fold(workspace, laid, chosen, baseline), wanted)
        model = learning.fit(workspace, laid, split.train, chosen.chosen)
        plain = learning.fit(workspace, laid, split.train, baseline)
        answers = judging.answer(material.side(split.test), model, plain, calibration)
        parts.append(answers.with_columns(_order=pl.Series(split.test), _repeat=pl.lit(number // parts_of(workspace))))
        workspace.stages.done((number + 1) / len(outer))
    return pl.concat(parts).sort("_repeat", "_order").drop("_repeat", "_order")


def again(workspace: Workspace, bench: Bench, recipe: Recipe | Blend) -> np.ndarray:
    """What ``recipe`` tells about every row in the same outer folds, in the order of ``nested``."""
    wanted = bench.wanted
    outer = outer_folds(workspace, bench)
    told = []
    each = parts_of(workspace)
    for first in range(0, len(outer), each):
        repeat = outer[first : first + each]
        laid = [Bench(seen(bench, split), split, (), wanted) for split in repeat]
        answers = [
            learning.fit(workspace, one, one.split.train, recipe).predict(one.material.features[one.split.test])
            for one in laid
        ]
        told.append(np.concatenate(answers)[np.argsort(np.concatenate([split.test for split in repeat]))])
    return np.concatenate(told)


def outside(workspace: Workspace, bench: Bench) -> pl.Series:
    """Whether each row lies outside what the training part of its fold has seen, in the order of ``nested``."""
    outer, each = outer_folds(workspace, bench), parts_of(workspace)
    flags = []
    for first in range(0, len(outer), each):
        repeat = outer[first : first + each]
        features = [(seen(bench, split).features, split) for split in repeat]
        told = [releases.outside(table[split.test], releases.seen(table[split.train])) for table, split in features]
        flags.append(pl.concat(told)[np.argsort(np.concatenate([split.test for split in repeat]))])
    return pl.concat(flags).alias("outside")


def outer_folds(workspace: Workspace, bench: Bench) -> tuple[Split, ...]:
    """The outer folds of all repeats, in order."""
    return kfolds.folds(
        bench.material.questions,
        parts_of(workspace),
        seed=bench.wanted.seed,
        classes=bench.wanted.classes,
        repeats=workspace.spec.judge.repeats,
    )


def parts_of(workspace: Workspace) -> int:
    """Parts of an outer round: five, or as many as the project wants where whole places are held out."""
    return workspace.spec.judge.folds if workspace.spec.judge.by else OUTER


def seen(bench: Bench, split: Split) -> Material:
    """The material as it may be seen where ``split`` is tested: without what its places tell, where these are new."""
    return bench.material if bench.hide is None else bench.hide(split)


def inner_budget(budget_seconds: float, outer: int) -> float:
    """Seconds of the choice in each outer fold: all of them together take as long as the choice on all rows."""
    return float(np.round(budget_seconds / max(outer, 1), 3))
