"""Everything made anew for the audit: plug-ins, sources, lookups, what is learnt and what is kept."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from asof import kfolds, plugins, recipes, splits, tuning
from asof import lookups as looking
from asof.audit import Learnt, Rows
from asof.audit.base import BrokenError
from asof.audit.future import Ask
from asof.audit.parity import Answer, Answers
from asof.data import Table
from asof.encoders import EncoderPlan
from asof.flows import judging, learning, preparation
from asof.flows.learning import Bench, Material
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.ledgers import Past
from asof.lookups.plugin import PluginLookup
from asof.metrics import Metric
from asof.plugins import Plugins
from asof.recipes import Blend, Model, Recipe
from asof.splits import Split
from asof.tuning import Plan

SAMPLE = 500
"""Training questions whose predictions must be equal to the bit."""
SHARING, DRAWN = 4_000, 2
"""Rows, and draws of folds, by which the gain of groups that stand on both sides is measured."""
QUICK_ROWS = 20_000
"""Rows on which the quick form repeats the choice among two cheap recipes."""


@dataclass(frozen=True)
class Accused:
    """What is audited: a recipe chosen on folds and fitted at the cut."""

    bench: Bench
    holdout: pl.DataFrame
    """The judged questions."""
    plan: Plan
    model: Model
    """Fitted on what was known at the cut."""


def plugins_anew(workspace: Workspace) -> Plugins:
    """The project's plug-ins from fresh modules: what a function kept for itself is gone."""
    files = [workspace.folder / path for path in workspace.spec.plugins]
    return plugins.load(files) if files else workspace.plugins


def opener(workspace: Workspace, prepared: Prepared) -> Callable[[Rows, datetime | None], Ask]:
    """(rows, cut) -> who answers questions with features, everything made anew; with a cut, coverage ends there."""

    def open_rows(rows: Rows, cut: datetime | None) -> Ask:
        sources = {}
        for name, frame in rows.items():
            table = prepared.past.table(name)
            covered = table.coverage if cut is None else table.coverage.before(cut - table.delay)
            sources[name] = replace(table, rows=frame, coverage=covered)
        lookups = looking.make_all(workspace.spec.features, prepared.panel, plugins_anew(workspace))
        again = replace(prepared, past=Past(sources, prepared.panel), lookups=lookups)

        def ask(questions: pl.DataFrame) -> pl.DataFrame:
            try:
                return preparation.read(again, questions, workspace.spec.leave_out)
            except Exception as fault:
                raise _named(again, questions, fault) from fault

        return ask

    return open_rows


def _named(prepared: Prepared, questions: pl.DataFrame, fault: Exception) -> Exception:
    """The fault with the name of the lookup that raised it, found by asking one after the other."""
    for lookup in prepared.lookups:
        try:
            looking.features(questions, [lookup], prepared.past)
        except Exception as own:  # noqa: BLE001 - raised again with its name
            return BrokenError(lookup.name, own)
    return fault


def asked(frame: pl.DataFrame) -> pl.DataFrame:
    """Questions as they are asked in use: without label."""
    return frame.select(preparation.asked_columns(frame))


def brought(prepared: Prepared, questions: pl.DataFrame) -> list[str]:
    """Names of the features that plug-ins make."""
    few = asked(questions[:20])
    made = [lookup.read(few, prepared.past).columns for lookup in prepared.lookups if _of_user(lookup)]
    return [name for names in made for name in names]


def _of_user(lookup: looking.Lookup) -> bool:
    return isinstance(lookup, PluginLookup)


def batch(workspace: Workspace, prepared: Prepared, model: Model) -> Answer:
    """The way of training and backtests: all questions at once."""

    def answer(questions: pl.DataFrame) -> Answers:
        features = preparation.read(prepared, questions, workspace.spec.leave_out)
        return Answers(features, model.predict(features))

    return answer


def alone(workspace: Workspace, prepared: Prepared, model: Model) -> Answer:
    """The way of use: the model written to a folder and read again, with plug-ins and lookups made anew."""
    fresh = plugins_anew(workspace)
    with tempfile.TemporaryDirectory(prefix="asof-audit-") as folder:
        model.save(Path(folder) / "model")
        kept = recipes.load(Path(folder) / "model", threads=workspace.threads, plugins=fresh)
    ask = opener(workspace, prepared)({name: table.rows for name, table in prepared.past.sources.items()}, None)

    def answer(questions: pl.DataFrame) -> Answers:
        features = ask(questions)
        return Answers(features, kept.predict(features))

    return answer


@dataclass(frozen=True)
class Learner:
    """Chooses on folds of the training side and fits there, as a run does.

    Plug-ins are loaded anew for the choice, and again for the fit: what they keep between fits is no part of a model.
    """

    workspace: Workspace
    accused: Accused
    split: Split
    full: bool
    """Whether all trials are repeated, or the choice among two cheap ones alone."""

    def __call__(self, questions: pl.DataFrame, features: pl.DataFrame) -> Learnt:
        """Choose and fit."""
        wanted, material = self.accused.bench.wanted, Material(questions, features)
        laid, folds = self._laid(material)
        chosen = self._chosen(material, folds)
        recipe = chosen if self.full else self.accused.plan.chosen
        fresh = replace(self.workspace, plugins=plugins_anew(self.workspace))
        model = learning.fit(fresh, Bench(material, laid, folds, wanted), laid.train, recipe)
        return learnt(chosen.name, model, material, laid)

    def choose(self, questions: pl.DataFrame, features: pl.DataFrame) -> str:
        """Choose alone; returns the name of the recipe."""
        material = Material(questions, features)
        return self._chosen(material, self._laid(material)[1]).name

    def _laid(self, material: Material) -> tuple[Split, tuple[Split, ...]]:
        wanted, split = self.accused.bench.wanted, self.split
        if split.cut is None:
            return split, learning.chance_folds(material, split, wanted)
        return splits.at_cut(material.questions, split.cut), learning.folds_before(material, split.cut, wanted)

    def _chosen(self, material: Material, folds: tuple[Split, ...]) -> Recipe | Blend:
        wanted, plan = self.accused.bench.wanted, self.accused.plan
        if not self.full:
            plan, folds = _two_cheap(plan, wanted.measure), folds[-1:]
        tables = learning.fold_tables(material, folds, wanted)
        anew = plugins_anew(self.workspace)
        return tuning.replay(plan, tables, threads=wanted.threads, plugins=anew).chosen


def sharing(workspace: Workspace, accused: Accused, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Learn with the rows of one text on both sides of folds, and with them kept together, by the recipe chosen.

    Returns the positions of the rows that have others of their text, and the loss of each, both ways.
    """
    material, draw = accused.bench.material, np.random.default_rng(accused.bench.wanted.seed)
    rows = np.sort(draw.permutation(material.features.height)[:SHARING])
    some = material.side(rows)
    text = some.features[name]
    alone = pl.int_range(text.len(), eager=True).cast(pl.String)
    named = some.questions["group"] if "group" in some.questions.columns else alone
    together = _joined(named, text.fill_null(alone + " has none"))
    fresh = replace(workspace, plugins=plugins_anew(workspace))
    both = _losses(fresh, accused, some)
    apart = _losses(fresh, accused, Material(some.questions.with_columns(group=together), some.features))
    several = np.flatnonzero((text.is_not_null() & text.is_duplicated()).to_numpy())
    return rows[several], both[several], apart[several]


def _joined(left: pl.Series, right: pl.Series) -> pl.Series:
    """Name of the group of each row, where rows of one name on the left, or on the right, belong together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = [side.rank("dense").to_numpy().astype(np.int64) - 1 for side in (left, right)]
    count = int(ends[0].max()) + 1, int(ends[1].max()) + 1
    links = coo_array((np.ones(len(left)), (ends[0], ends[1] + count[0])), shape=(sum(count), sum(count)))
    return pl.Series(connected_components(links, directed=False)[1][ends[0]]).cast(pl.String)


def _losses(workspace: Workspace, accused: Accused, material: Material) -> np.ndarray:
    """Mean loss of each row, predicted in folds drawn a few times, by models that had not learnt from its group."""
    wanted = accused.bench.wanted
    label = material.questions["label"].to_numpy()
    total = np.zeros(label.size)
    drawn = kfolds.folds(material.questions, wanted.folds, seed=wanted.seed + 1, classes=wanted.classes, repeats=DRAWN)
    for fold in drawn:
        bench = Bench(material, fold, (fold,), wanted)
        model = learning.fit(workspace, bench, fold.train, accused.plan.chosen)
        total[fold.test] += wanted.loss.parts(label[fold.test], model.predict(material.features[fold.test]))[0] / DRAWN
    return total


def encoders(workspace: Workspace) -> list[tuple[str, Callable[[Table], pl.DataFrame]]]:
    """(name, what fits users' encoders up to this one, and gives the rows that they were fitted on), in order.

    Those of users stand before ours. After ours, the scale of a column would move with every label by a hair.
    """
    names = workspace.spec.train.encoders

    def up_to(number: int) -> Callable[[Table], pl.DataFrame]:
        plans = [EncoderPlan(name) for name in names[: number + 1]]
        return lambda table: recipes.encode(plans, table, plugins=plugins_anew(workspace)).table.features

    return [(name, up_to(number)) for number, name in enumerate(names)]


def learnt(choice: str, model: Model, material: Material, split: Split) -> Learnt:
    """What a model left behind, with its predictions of a sample of its training questions."""
    return Learnt(choice, model.fingerprint(), model.predict(_sample(material, split.train).features))


def _sample(material: Material, rows: np.ndarray) -> Material:
    return material.side(rows[:: max(1, rows.size // SAMPLE)][:SAMPLE])


def _two_cheap(plan: Plan, metric: Metric) -> Plan:
    """The plan cut down to the best baseline and the cheapest candidate, on few rows."""
    best = judging.best_baseline(plan, metric)
    baseline = next(trial for trial in plan.trials if trial.stage == "baseline" and trial.recipe == best)
    candidates = [trial for trial in plan.trials if trial.stage == "portfolio" and np.isfinite(trial.score)]
    return replace(plan, trials=(baseline, *candidates[:1]), rows=min(plan.rows, QUICK_ROWS))
