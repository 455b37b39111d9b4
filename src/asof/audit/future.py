"""Future: nothing that came later, and nothing beside the question itself, moves a feature or a prediction.

Two things are executed. At sampled cuts every source row available after the cut is dropped, and separately put at
random: what is asked before must answer as it did. And the same questions are asked with everything changed that must
not matter: in another order, the later ones first, one alone, of a process that has only begun, with sources read in
another order, at another time of day. An answer that is neither moved by later rows nor by its company can only stem
from what was known at its own moment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from asof.audit import base, clock
from asof.audit.base import Outcome, Rows, Verdict
from asof.data import Finding, Severity
from asof.ledgers import scrambling

Ask = Callable[[pl.DataFrame], pl.DataFrame]
"""n questions -> n rows of features."""
LATER = timedelta(days=403, hours=7, minutes=11)
"""Another year, month, weekday, hour and minute."""
ORDER = ("_ended", "_available", "_key")


@dataclass(frozen=True)
class Evidence:
    """The moving parts of a project, as the audit needs them."""

    rows: Rows
    open: Callable[[Rows, datetime | None], Ask]
    """(rows, cut) -> who answers questions with features, everything made anew from exactly these rows, the code of
    plug-ins included; with a cut, coverage is that of the rows known at the cut."""
    predict: Callable[[pl.DataFrame], np.ndarray]
    """Features -> predictions of the model that is audited."""
    ahead: frozenset[str] = frozenset()
    """Features declared to be known ahead (a forecast, a published price): these may read later rows."""
    labelled: str = ""
    """The source that holds the labels."""


@dataclass(frozen=True)
class Extent:
    """How much is tried."""

    cuts: int = 3
    per_cut: int = 200
    """Questions asked at a cut, and as many before it."""
    alone: int = 5
    """Questions asked one by one."""
    seed: int = 0


@dataclass
class _Found:
    """What moved: subject -> (rows, why); the first reason found for a subject stands."""

    moved: dict[str, tuple[int, str]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    """Features declared to be known ahead whose rows became available only after the moment of prediction."""
    over: dict[str, int] = field(default_factory=dict)
    """Those whose rows became available only once the period that they describe was over, with the rows that moved."""

    def add(self, columns: Mapping[str, int], why: str) -> None:
        """Note columns with the rows that differ."""
        for column, rows in columns.items():
            self.moved.setdefault(column, (rows, why))

    def fail(self, failure: str, rows: int, why: str) -> None:
        """Note the part that failed, or all features where it is not known which one did."""
        self.add({getattr(failure, "subject", "") or "features": rows}, why)

    def findings(self) -> list[Finding]:
        """One error a subject, by name; then what is declared to be known ahead, and by its own rows was not."""
        errors = [
            Finding("future", Severity.ERROR, subject, f"{subject} {why}", rows=rows)
            for subject, (rows, why) in sorted(self.moved.items())
        ]
        doubts = "is declared to be known ahead, but its rows became available only later: say available: in its source"
        observed = (
            "is declared to be known ahead, but its rows became available only after the period that they describe: "
            "that is no forecast; say available: in its source if it is one"
        )
        late = sorted(self.late - set(self.over))
        return [
            *errors,
            *(
                Finding("future", Severity.ERROR, name, f"{name} {observed}", rows=rows)
                for name, rows in sorted(self.over.items())
            ),
            *(Finding("future", Severity.WARNING, name, f"{name} {doubts}") for name in late),
        ]


def check(
    evidence: Evidence, questions: pl.DataFrame, served: pl.DataFrame | None = None, extent: Extent | None = None
) -> Verdict:
    """Ask a sample of ``questions`` again, without later rows and in other company; no answer may move.

    Args:
        evidence: how features and predictions are made.
        questions: columns as of ``docs/architecture.md``, without label.
        served: the features that the run itself was given for the first of ``questions``, if they are kept.
        extent: how much is tried.

    Cuts are moments of prediction drawn from ``questions``; the questions tried at a cut are those asked at that very
    moment, so that a look ahead of any length is seen, and as many earlier ones.
    """
    extent = extent or Extent()
    draw = np.random.default_rng(extent.seed)
    groups = _asked(questions, extent, draw)
    positions = np.unique(np.concatenate([rows for _, rows in groups]))
    if not positions.size:
        return Verdict("future", Outcome.NOT_APPLICABLE, "there is no question")
    asked = questions[positions]
    found = _Found()
    ask = base.attempt(lambda: evidence.open(evidence.rows, None))
    before = ask if isinstance(ask, str) else base.attempt(lambda: ask(asked))
    if isinstance(ask, str) or isinstance(before, str):
        failure = before if isinstance(before, str) else ""
        found.fail(failure, asked.height, f"cannot be asked for again, as it will be when it is used: {failure}")
        return base.settle("future", f"{asked.height:,} questions", found.findings())
    alone = _company(evidence, asked, (ask, before), extent, found)
    if served is not None:
        _served(served, positions, before, found)
    cuts = [(cut, rows) for cut, rows in groups if cut is not None]
    for cut, rows in cuts:
        inside = np.searchsorted(positions, rows)
        _without_later(evidence, cut, asked[inside], before[inside], draw, found)
    if not cuts:
        _without_table(evidence, asked, before, draw, found)
    _observed(evidence, asked, before, extent, found)
    names = before.width - len(evidence.ahead)
    company = f"asked again in another order, process and hour, {alone} of them alone"
    if not cuts:
        told = base.settle("future", "", found.findings())
        coverage = f"no question has a moment of prediction; {names} features, {asked.height:,} questions {company}"
        outcome = Outcome.FAILED if told.outcome is Outcome.FAILED else Outcome.NOT_APPLICABLE
        return Verdict("future", outcome, coverage, told.findings)
    coverage = f"{names} features, {len(cuts)} cuts, {asked.height:,} questions, rows dropped and scrambled; {company}"
    return base.settle("future", coverage, found.findings())


def known(rows: Rows, cut: datetime) -> dict[str, pl.DataFrame]:
    """Rows that were available at ``cut``; a source without a time always was."""
    return {name: scrambling.known(frame, cut) if _timed(frame) else frame for name, frame in rows.items()}


def scrambled(rows: Rows, cut: datetime, draw: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Rows with everything that became available after ``cut`` put at random."""
    return {name: scrambling.scrambled(frame, cut, draw) if _timed(frame) else frame for name, frame in rows.items()}


def _timed(frame: pl.DataFrame) -> bool:
    return frame["_available"].null_count() < frame.height


def _asked(
    questions: pl.DataFrame, extent: Extent, draw: np.random.Generator
) -> list[tuple[datetime | None, np.ndarray]]:
    """(cut, positions of the questions tried at it); one group without a cut where questions have no moment."""
    moments = questions["as_of"].drop_nulls().unique().sort()
    if moments.len() == 0:
        return [(None, _some(np.arange(questions.height), extent.per_cut, draw))]
    chosen = sorted(draw.choice(moments.len(), size=min(extent.cuts, moments.len()), replace=False).tolist())
    moment = questions["as_of"].to_physical().fill_null(0).to_numpy()
    groups: list[tuple[datetime | None, np.ndarray]] = []
    for cut in (moments[position] for position in chosen):
        at, before = (
            part.fill_null(value=False).arg_true().to_numpy()
            for part in (questions["as_of"] == cut, questions["as_of"] < cut)
        )
        # Half of those before are the last ones: where few are asked at one moment, a look ahead still reaches the cut.
        last = before[np.argsort(moment[before], kind="stable")][::-1][: extent.per_cut // 2]
        rows = [_some(at, extent.per_cut, draw), last, _some(before, extent.per_cut - last.size, draw)]
        groups.append((cut, np.unique(np.concatenate(rows))))
    return groups


def _some(rows: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    return np.sort(draw.choice(rows, size=min(count, rows.size), replace=False)) if rows.size else rows


def _without_later(
    evidence: Evidence,
    cut: datetime,
    asked: pl.DataFrame,
    before: pl.DataFrame,
    draw: np.random.Generator,
    found: _Found,
) -> None:
    told = base.attempt(lambda: evidence.predict(before))
    if isinstance(told, str):
        found.add({"prediction": asked.height}, f"cannot be made again: {told}")
    for how, rows in (("dropped", known(evidence.rows, cut)), ("scrambled", scrambled(evidence.rows, cut, draw))):
        when = f"when rows available after {cut:%Y-%m-%d %H:%M} UTC are {how}"
        after = base.attempt(lambda rows=rows: evidence.open(rows, cut)(asked))  # type: ignore[misc]
        if isinstance(after, str):
            if how == "dropped":  # at that moment these were the rows there were
                found.fail(after, asked.height, f"cannot be made {when}, as it had to be then: {after}")
            continue
        exempt = [column for column in before.columns if column in evidence.ahead]
        if how == "dropped":
            found.late |= set(base.moved(before.select(exempt), after))
        after = after.with_columns(before[column] for column in exempt)
        found.add(base.moved(before, after), f"moves {when}: it reads what was not yet known")
        again = base.attempt(lambda after=after: evidence.predict(after))  # type: ignore[misc]
        if isinstance(told, np.ndarray) and (isinstance(again, str) or base.differing(told, again)):
            found.add({"prediction": asked.height}, f"moves {when}: it reads what was not yet known")


def _observed(evidence: Evidence, asked: pl.DataFrame, before: pl.DataFrame, extent: Extent, found: _Found) -> None:
    """What is declared to be known ahead, asked again with what was available before the period itself was over."""
    names = [name for name in before.columns if name in evidence.ahead]
    if not names or "end" not in asked.columns:
        return
    ends = asked["end"].drop_nulls().unique().sort()
    moved, known_rows = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for position in np.unique(np.linspace(0, ends.len() - 1, extent.cuts).astype(int)) if ends.len() else []:
        rows = (asked["end"] == ends[int(position)]).fill_null(value=False)
        cut = ends[int(position)] - timedelta(microseconds=1)
        ask = base.attempt(lambda cut=cut: evidence.open(known(evidence.rows, cut), cut))  # type: ignore[misc]
        again = (
            ask if isinstance(ask, str) else base.attempt(lambda ask=ask, rows=rows: ask(asked.filter(rows)))  # type: ignore[misc]
        )
        if isinstance(again, str):
            continue  # where code breaks without later rows, the other tries have said so
        first = before.filter(rows).select(names)
        for name in names:
            known_rows[name] += first.height - first[name].null_count()
        for name, count in base.moved(first, again).items():
            moved[name] += count
    found.over |= {name: count for name, count in moved.items() if count > known_rows[name] / 2}


def _without_table(
    evidence: Evidence, asked: pl.DataFrame, before: pl.DataFrame, draw: np.random.Generator, found: _Found
) -> None:
    """Put every column of the labelled source at random: without a time, a question is answered from itself alone."""
    if evidence.labelled not in evidence.rows:
        return
    frame = evidence.rows[evidence.labelled]
    mixed = [
        column if column.name in {"_key", *scrambling.TIMES} else column.gather(draw.permutation(frame.height))
        for column in frame.get_columns()
    ]
    rows = {**evidence.rows, evidence.labelled: pl.DataFrame(mixed)}
    after = base.attempt(lambda: evidence.open(rows, None)(asked))
    if isinstance(after, pl.DataFrame):
        why = f"moves when the rows of {evidence.labelled} are put at random: without a time, no row may read another"
        found.add(base.moved(before, after), why)


def _company(
    evidence: Evidence, asked: pl.DataFrame, first: tuple[Ask, pl.DataFrame], extent: Extent, found: _Found
) -> int:
    """Ask in other company; returns how many questions were asked alone."""
    ask, before = first
    draw = np.random.default_rng(extent.seed + 1)
    everything = base.attempt(lambda: _otherwise(evidence, asked, extent.seed))
    if isinstance(everything, str) or base.moved(before, everything):
        _name_cause(evidence, asked, before, extent.seed, found)
    singles = _some(np.arange(asked.height), extent.alone, draw)
    one_by_one = base.attempt(lambda: pl.concat([ask(asked[int(row)]) for row in singles]))
    among = before[singles]
    if isinstance(one_by_one, str):
        found.fail(one_by_one, singles.size, f"cannot be made for one question alone: {one_by_one}")
    else:
        found.add(base.moved(among, one_by_one), "differs when a question is asked alone and not among others")
    return int(singles.size)


def _otherwise(evidence: Evidence, asked: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Change at once everything that must not matter."""
    with clock.later(LATER):
        return _in_order(evidence.open(_reordered(evidence.rows, seed), None), asked, _later_first(asked, seed))


def _name_cause(evidence: Evidence, asked: pl.DataFrame, before: pl.DataFrame, seed: int, found: _Found) -> None:
    """Change one thing after the other, to say which one moved what."""
    every = [np.arange(asked.height)]
    mixed = [np.random.default_rng(seed).permutation(asked.height)]

    def at_another_hour() -> pl.DataFrame:
        with clock.later(LATER):
            return evidence.open(evidence.rows, None)(asked)

    tries: list[tuple[str, Callable[[], pl.DataFrame]]] = [
        (
            "differs when it is computed twice from the same rows",
            lambda: _in_order(evidence.open(evidence.rows, None), asked, every),
        ),
        (
            "depends on the order in which questions are asked",
            lambda: _in_order(evidence.open(evidence.rows, None), asked, mixed),
        ),
        (
            "depends on which questions are asked before it or with it",
            lambda: _in_order(evidence.open(evidence.rows, None), asked, _later_first(asked, seed)),
        ),
        (
            "depends on the order in which rows were loaded",
            lambda: evidence.open(_reordered(evidence.rows, seed), None)(asked),
        ),
        ("depends on the time of day at which it is computed", at_another_hour),
    ]
    for why, work in tries:
        after = base.attempt(work)
        if isinstance(after, pl.DataFrame):
            found.add(base.moved(before, after), why)
        elif work is not at_another_hour:  # code that cannot bear a clock put forward is no leak
            found.fail(after, asked.height, f"cannot be made again ({why}?): {after}")


def _in_order(ask: Ask, asked: pl.DataFrame, parts: list[np.ndarray]) -> pl.DataFrame:
    """Ask part by part; answers in the order of ``asked``."""
    answers = pl.concat([ask(asked[part]) for part in parts])
    return answers[np.argsort(np.concatenate(parts))]


def _later_first(asked: pl.DataFrame, seed: int) -> list[np.ndarray]:
    """Two parts, mixed within: what is asked later first."""
    order = np.argsort(asked["as_of"].to_physical().fill_null(0).to_numpy(), kind="stable")
    draw = np.random.default_rng(seed)
    parts = [draw.permutation(order[asked.height // 2 :]), draw.permutation(order[: asked.height // 2])]
    return [part for part in parts if part.size]


def _reordered(rows: Rows, seed: int) -> dict[str, pl.DataFrame]:
    """Rows as they would be loaded had they come in another order."""
    return {
        name: frame.sample(fraction=1.0, shuffle=True, seed=seed).sort(ORDER, maintain_order=True)
        if frame.select(ORDER).equals(frame.select(ORDER).sort(ORDER))
        else frame
        for name, frame in rows.items()
    }


def _served(served: pl.DataFrame, positions: np.ndarray, before: pl.DataFrame, found: _Found) -> None:
    kept = np.flatnonzero(positions < served.height)
    if kept.size:
        found.add(
            base.moved(served[positions[kept]], before[kept]),
            "was given to the model otherwise than when the same questions are asked again: it depends on which "
            "questions are asked before it or with it",
        )
