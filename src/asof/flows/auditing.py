"""The audit on a real project: the checks of ``asof.audit`` joined to its features and its learning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from asof import audit, coverage, times
from asof import lookups as looking
from asof.audit import Audit, Learnt, Outcome, Verdict, base, groups, made, moments
from asof.audit.drift import Part
from asof.audit.future import Evidence, Extent
from asof.audit.parity import Answers
from asof.audit.split import Side
from asof.audit.too_good import Columns
from asof.data import UTC_TIME, Finding, Severity, SourceTable, Table
from asof.flows import elsewhere, ingestion, nesting, overheard, preparation, rebuilding
from asof.flows.preparation import Prepared
from asof.flows.rebuilding import Accused
from asof.flows.workspace import Workspace
from asof.ledgers import scrambling
from asof.lookups.base import OWN
from asof.lookups.plugin import PluginLookup
from asof.recipes import Blend, Recipe
from asof.splits import Split
from asof.times import Step

__all__ = ["FULL", "QUICK", "Accused", "Depth", "examine", "words"]


NEWEST = 60
"""Newest labelled rows that those which wait for their label are held against."""
FEW = 1_000
"""Training questions on which encoders are fitted with a label changed."""


@dataclass(frozen=True)
class Depth:
    """How much is tried: the quick form within ``run``, or the whole."""

    cuts: int = 2
    per_cut: int = 150
    alone: int = 5
    """Questions asked one by one of lookups made anew, by ``future``."""
    parity: int = 20
    """Questions asked one by one of the model as it is kept."""
    http: int = 5
    """Questions asked over HTTP of a release, where there is one."""
    rows: int = 10_000
    """Training questions that single columns are held against."""
    full: bool = False


QUICK = Depth()
FULL = Depth(cuts=12, per_cut=400, alone=50, parity=200, http=100, rows=100_000, full=True)


def examine(
    workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth = QUICK, *, release: str | None = None
) -> Audit:
    """Run all checks; findings that the project accepts no longer fail it.

    ``release``: one that is asked over HTTP as well; a run has none yet.
    """
    tell = workspace.stages.done
    checks: list[tuple[str, Callable[[], list[Verdict]]]] = [
        ("future", lambda: [_future(workspace, prepared, accused, depth)]),
        ("fit", lambda: _fit_and_rerun(workspace, accused, depth)),
        ("parity", lambda: [_parities(workspace, prepared, accused, depth, release)]),
        ("split", lambda: [_split(workspace, accused, depth)]),
        ("too good", lambda: [_too_good(workspace, prepared, accused, depth)]),
        ("drift", lambda: [_drift(accused)]),
    ]
    verdicts: list[Verdict] = []
    for number, (name, work) in enumerate(checks, 1):
        told = audit.attempt(work)
        verdicts += [audit.untold(name, "check", told)] if isinstance(told, str) else told
        tell(number / len(checks))
    order = [name for name, _ in checks] + ["rerun"]
    return audit.accept(sorted(verdicts, key=lambda one: order.index(one.check)), workspace.spec.audit.accept)


def summary(done: Audit) -> list[dict[str, str]]:
    """What each check answered: ``check``, ``outcome`` and ``coverage`` in words."""
    return [{"check": one.check, "outcome": str(one.outcome), "coverage": one.coverage} for one in done.verdicts]


def _future(workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth) -> Verdict:
    material = accused.bench.material
    evidence = Evidence(
        rows={name: prepared.past.table(name).rows for name in workspace.spec.sources},
        open=rebuilding.opener(workspace, prepared),
        predict=accused.model.predict,
        ahead=frozenset(looking.ahead(prepared.lookups, material.features.columns)),
        labelled=prepared.panel.source,
    )
    extent = Extent(depth.cuts, depth.per_cut, depth.alone, accused.bench.wanted.seed)
    verdict = audit.future.check(evidence, _asked(accused), material.features, extent)
    late = _known_late(workspace, prepared)
    if late:
        verdict = audit.join([verdict, base.settle("future", "the other times of their rows", late)])
    if accused.bench.split.cut is None:
        return verdict
    leaning = _leaning(prepared)
    found = {name: prepared.past.table(name) for name in leaning if not workspace.spec.sources[name].covered}
    if not found:
        return verdict
    moved = _coverage_moves(found, accused.bench.split.cut)
    return audit.join([verdict, base.settle("future", f"the coverage of {', '.join(found)}", moved)])


def _leaning(prepared: Prepared) -> list[str]:
    """Sources whose coverage decides something: the counted one, and those of which features read counts or gaps.

    A plug-in may read whatever it likes, so with one all do.
    """
    plugged = any(isinstance(lookup, PluginLookup) for lookup in prepared.lookups)
    read = prepared.past.leaning | {prepared.panel.source}
    return [name for name in prepared.past.sources if plugged or name in read]


def _known_late(workspace: Workspace, prepared: Prepared) -> list[Finding]:
    """Other times of sources, later than their rows are said to be known; of columns that are left out as well."""
    found: list[Finding] = []
    for name, spec in workspace.spec.sources.items():
        if spec.time is None or spec.time.available:
            continue  # whoever names the column has chosen among them
        table = prepared.past.table(name)
        if prepared.left_out:
            table = ingestion.load(name, spec, workspace.lake)
        # A row that is counted is there from its first entry on, whatever else its row tells later.
        strict = prepared.panel.rows or name != prepared.panel.source
        found += moments.late(table, spec.time.columns, strict=strict)
    return found


def _asked(accused: Accused) -> pl.DataFrame:
    """Questions that were learnt from, then those that were judged, as they are asked in use."""
    return pl.concat([rebuilding.asked(accused.bench.material.questions), rebuilding.asked(accused.holdout)])


def _coverage_moves(tables: Mapping[str, SourceTable], cut: datetime) -> list[Finding]:
    """What is covered must not depend on later rows either: found again from what was known at the cut.

    Where coverage ended then, nobody can know before the next rows come, and a question asked in between is refused: so
    its end is held against the rows that were known and those that had to be, and what lies before it against all rows.
    """
    found = []
    for name, table in tables.items():
        if table.rows["_available"].null_count() == table.rows.height:
            continue
        whole_days = _midnight_before(cut - table.delay, table)
        again = coverage.of(scrambling.known(table.rows, cut), table.zone)
        due = (pl.col("_ended") <= cut - table.delay) | (pl.col("_available") <= cut)
        in_time = coverage.of(table.rows.filter(due), table.zone)
        whole = coverage.of(table.rows, table.zone)
        seen = min(whole_days, again.end) if again.ends else whole_days
        if again.before(whole_days) != in_time.before(whole_days) or again.before(seen) != whole.before(seen):
            message = (
                f"what {name} covers before {whole_days:%Y-%m-%d} depends on rows known later than its delay says: "
                "give it a longer delay:, or declare covered:"
            )
            found.append(Finding("future", Severity.ERROR, f"{name}.coverage", message))
    return found


def _midnight_before(moment: datetime, table: SourceTable) -> datetime:
    floored: datetime = times.floor(pl.Series([moment], dtype=UTC_TIME), Step(1, "d"), table.zone)[0]
    return floored


def _fit_and_rerun(workspace: Workspace, accused: Accused, depth: Depth) -> list[Verdict]:
    """Learn again, and again with what must not be learnt from scrambled."""
    bench, model = accused.bench, accused.model
    fit, first, again = _learnt_again(workspace, accused, depth)
    tested = bench.material.features[_tried(bench.split, bench.folds[-1]).test]
    asked = base.sample(tested, 2 * rebuilding.SAMPLE, np.random.default_rng(bench.wanted.seed))
    joined = audit.join(
        [
            fit,
            audit.fit.apart(model.predict, model.fingerprint, asked, seed=bench.wanted.seed),
            *(
                audit.fit.own_label(name, encode, _few(accused), seed=bench.wanted.seed)
                for name, encode in rebuilding.encoders(workspace)
            ),
        ]
    )
    if isinstance(first, str):
        return [joined, audit.untold("rerun", "prediction", first)]
    what = "the whole selection and the final fit" if depth.full else "the choice among two recipes and the final fit"
    return [joined, audit.rerun.check(first, again, what)]


def _learnt_again(workspace: Workspace, accused: Accused, depth: Depth) -> tuple[Verdict, Learnt | str, Learnt | str]:
    """What ``fit`` says of learning, what the run has left behind, and what learning again gives."""
    bench, model = accused.bench, accused.model
    questions, features = bench.material.questions, bench.material.features
    tried = _tried(bench.split, bench.folds[-1])
    where = "the fold" if tried.cut is None else f"the cut {tried.cut:%Y-%m-%d}"
    trial = audit.fit.Trial(questions, features, _unseen(questions, tried), where)
    learn = rebuilding.Learner(workspace, accused, bench.split, depth.full)

    def left(choose: Callable[[], str]) -> Learnt | str:
        return audit.attempt(lambda: rebuilding.learnt(choose(), model, bench.material, bench.split))

    if tried is bench.split and not depth.full:
        # What is learnt from scrambled questions and equals to the bit what the run has learnt shows both at once.
        first = left(lambda: learn.choose(questions, features))
        once = audit.fit.check(learn, first, trial, seed=bench.wanted.seed)
        if once.outcome is Outcome.PASSED:
            return once, first, first
    again = audit.attempt(lambda: learn(questions, features))
    choice = accused.plan.chosen.name if depth.full or isinstance(again, str) else again.choice
    first = left(lambda: choice)
    if tried is bench.split:
        return audit.fit.check(learn, again, trial, seed=bench.wanted.seed), first, again
    # Nothing is set aside: the same on a fold, where something is.
    there = rebuilding.Learner(workspace, accused, tried, depth.full)
    plain = audit.attempt(lambda: there(questions, features))
    return audit.fit.check(there, plain, trial, seed=bench.wanted.seed), first, again


def _tried(split: Split, fold: Split) -> Split:
    """The split itself; of nested folds, where it sets nothing aside, a fold."""
    return split if split.test.size else fold


def _few(accused: Accused) -> Table:
    """Some training questions, for encoders to be fitted on again and again."""
    train = accused.bench.split.train
    return accused.bench.material.table(train[np.arange(min(FEW, train.size)) * train.size // min(FEW, train.size)])


def _unseen(questions: pl.DataFrame, split: Split) -> np.ndarray:
    """Positions that must not be learnt from: labels known after the cut; without a time, all but the training side."""
    if split.cut is None:
        return np.setdiff1d(np.arange(questions.height), split.train)
    late = ~(questions["known_at"] <= split.cut) | questions["label"].is_null()
    return np.flatnonzero(late.fill_null(value=True).to_numpy())


def _parities(workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth, release: str | None) -> Verdict:
    """Compare the model as it is kept, and where there is a release, a server that answers with it."""
    verdict = _parity(workspace, prepared, accused, depth)
    if release is None:
        return verdict
    seed = accused.bench.wanted.seed
    few = base.sample(_asked(accused), depth.http, np.random.default_rng(seed))
    told = audit.attempt(lambda: overheard.check(workspace, prepared, release, few, seed=seed))
    there = audit.untold("parity", "HTTP", told) if isinstance(told, str) else told
    return audit.join([verdict, there])


def _parity(workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth) -> Verdict:
    sample = base.sample(_asked(accused), depth.parity, np.random.default_rng(accused.bench.wanted.seed))
    how = "asked one by one of the model as it is kept"
    kept = audit.attempt(lambda: rebuilding.alone(workspace, prepared, accused.model))
    if isinstance(kept, str):
        message = f"the model cannot be kept and read again: {kept}"
        return base.settle("parity", "nothing", [Finding("parity", Severity.ERROR, "model", message)])
    batch = rebuilding.batch(workspace, prepared, accused.model)
    verdict = audit.parity.check(sample, batch, kept, how=how)
    whole = audit.attempt(lambda: batch(sample)) if workspace.spec.plugins else ""
    if isinstance(whole, str):
        return verdict

    def ask(files: elsewhere.Files) -> Callable[[], Answers]:
        return lambda: elsewhere.ask(workspace, prepared, accused.model, sample, whole, files=files)

    other = audit.attempt(ask("code"))
    told = audit.parity.elsewhere(whole, other, ask("all"), ask("beside"), lambda name: _made(prepared, accused, name))
    return audit.join([verdict, told])


def _made(prepared: Prepared, accused: Accused, name: str) -> str:
    """What a feature of a plug-in was made of, where it was made of the rows of the project."""
    questions, features = accused.bench.material.questions, accused.bench.material.features
    if name not in rebuilding.brought(prepared, questions):
        return ""
    own = [one for one in questions.columns if one.startswith(OWN) and questions[one].dtype == pl.String]
    keys = {one.removeprefix(OWN): questions[one] for one in own}
    if questions["place"].null_count() < questions.height:
        keys = {"_place": questions["place"]} | keys
    return made.of(features[name], keys, prepared.counted.rows, questions["label"], seed=accused.bench.wanted.seed)


def _split(workspace: Workspace, accused: Accused, depth: Depth) -> Verdict:
    sides = _sides(workspace, accused)
    verdict = audit.split.check(sides, _unit(accused), classes=accused.bench.wanted.classes)
    if not depth.full:
        return verdict
    return replace(verdict, findings=tuple(_measured(workspace, accused, told) for told in verdict.findings))


def _measured(workspace: Workspace, accused: Accused, told: Finding) -> Finding:
    """Of groups that nobody has named: what the score gains by their standing on both sides."""
    features = accused.bench.material.features
    if told.severity is Severity.ERROR or told.subject not in features.columns:
        return told
    sharing = audit.attempt(lambda: rebuilding.sharing(workspace, accused, told.subject))
    if isinstance(sharing, str):
        return told  # it cannot be learnt from so few groups: the warning stands
    rows, both, apart = sharing
    return groups.measured(told, both, apart, features[told.subject][rows])


def _unit(accused: Accused) -> tuple[str, ...]:
    return ("unit",) if "unit" in accused.bench.material.questions.columns else ("place", "start")


def _sides(workspace: Workspace, accused: Accused) -> list[Side]:
    bench = accused.bench
    questions, features = bench.material.questions, bench.material.features

    def side(name: str, fold: Split) -> Side:
        rows = (features[fold.train], features[fold.test]) if fold.cut is None else None
        return Side(name, fold.cut, questions[fold.train], questions[fold.test], rows)

    sides = [side(f"fold {number}", fold) for number, fold in enumerate(bench.folds, 1)]
    if not bench.split.test.size:
        outer = nesting.outer_folds(workspace, bench)
        return sides + [side(f"outer fold {number}", fold) for number, fold in enumerate(outer, 1)]
    if bench.split.cut is None:
        return [*sides, side("the holdout", bench.split)]
    return [*sides, Side("the holdout", bench.split.cut, questions[bench.split.train], accused.holdout)]


def _too_good(workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth) -> Verdict:
    bench, panel = accused.bench, prepared.panel
    rows = bench.split.train
    if rows.size > depth.rows:
        rows = rows[np.arange(depth.rows) * rows.size // depth.rows]
    material = bench.material.side(rows)
    waiting, newest = _waiting(workspace, prepared, depth) if panel.rows else (None, None)
    brought = rebuilding.brought(prepared, material.questions)
    kept = {name: _made(prepared, accused, name) for name in brought if name in material.features.columns}
    given = Columns(
        material.questions,
        material.features,
        own=(*panel.own, *looking.ahead(prepared.lookups, material.features.columns)),
        brought=brought,
        made={name: what for name, what in kept.items() if what},
        classes=bench.wanted.classes,
        waiting=waiting,
        newest=newest,
        moments=_moments(prepared, material.questions) if panel.rows and panel.timed else {},
    )
    return audit.too_good.check(given, seed=bench.wanted.seed)


def _moments(prepared: Prepared, questions: pl.DataFrame) -> dict[str, pl.Series]:
    """Moments that columns of the row's own state, for each question."""
    rows = questions.select(_key="unit").join(prepared.counted.rows, on="_key", how="left", maintain_order="left")
    told = {name: moments.stated(rows[name], prepared.counted.zone) for name in prepared.panel.own}
    return {name: stated for name, stated in told.items() if stated is not None}


def _waiting(workspace: Workspace, prepared: Prepared, depth: Depth) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """Features of rows whose label is not yet known, and, with a time, of the newest whose label is."""
    rows = preparation.of_rows(prepared)
    waiting, labelled = rows.filter(pl.col("label").is_null()), rows.filter(pl.col("label").is_not_null())
    if waiting.height == 0:
        return None, None

    def features(asked: pl.DataFrame) -> pl.DataFrame:
        return preparation.read(prepared, rebuilding.asked(asked), workspace.spec.leave_out)

    few = base.sample(waiting, depth.rows, np.random.default_rng(0))
    newest = features(labelled.sort("as_of").tail(NEWEST)) if prepared.panel.timed else None
    return features(few), newest


def _drift(accused: Accused) -> Verdict:
    bench = accused.bench
    split = _tried(bench.split, bench.folds[-1])

    def part(rows: np.ndarray) -> Part:
        side = bench.material.side(rows)
        return Part(side.features, side.questions["start"], side.questions["as_of"])

    return audit.drift.check(part(split.train), part(split.test), seed=bench.wanted.seed)


def words(recipe: Recipe | Blend) -> str:
    """Describe a recipe for people: ``lightgbm, poisson loss`` or the members of a blend with their weights."""
    if isinstance(recipe, Blend):
        return " + ".join(
            f"{weight:.2f} {member.name}" for member, weight in zip(recipe.recipes, recipe.weights, strict=True)
        )
    loss = f", {recipe.loss} loss" if recipe.loss else ""
    return recipe.name + loss
