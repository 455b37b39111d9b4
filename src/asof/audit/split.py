"""Split: training and test questions keep apart, in time, by unit, by group, and as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.audit import base, doubles, groups
from asof.audit.base import Outcome, Verdict
from asof.data import Finding, Severity

NEAR, NEAR_SHARE = 10, 0.01
"""Copies that differ in one column matter from so many tested rows on, and this share of them."""
TELLING = 0.2
"""Only where there are so many different rows, by this share of all, does what is told of a row know it again."""
TWINS = 0.5
"""Rows are copies, and not alike by chance, where most pairs that agree in all but one column agree in that one too."""


@dataclass(frozen=True)
class Side:
    """One split that was really used: a cut, and the questions on both sides of it."""

    name: str
    cut: datetime | None
    """None where questions have no time and are split by chance."""
    train: pl.DataFrame
    """Questions with ``label`` and ``known_at``; perhaps ``known_from`` and ``group``."""
    test: pl.DataFrame
    """Questions with ``as_of``."""
    features: tuple[pl.DataFrame, pl.DataFrame] | None = None
    """Features of both, where copies of rows are looked for: questions without a time."""


def check(sides: Sequence[Side], unit: Sequence[str], *, classes: int = 0) -> Verdict:
    """Look at every split that was used.

    No label learnt before it was known, no question tested before its cut or of an unknown place, no unit and no group
    on both sides, no question asked twice. Under a cut a key may come again: its earlier label was known by then.
    Without a time, no row stands on one side and its copy on the other; groups that share their labels and are not
    named are told of. Every such side holds the whole table, so that near copies and groups are looked for in one.
    """
    findings: list[Finding] = []
    for side in sides:
        told = _in_time(side) + _by_unit(side, unit) + _by_group(side) + _copies(side)
        findings += [Finding("split", Severity.ERROR, side.name, message, rows=rows) for message, rows in told if rows]
    whole = next((side for side in sides if side.features is not None), None)
    if whole is not None:
        copied = {finding.subject for finding in findings}
        near = _near_copies(whole) if whole.name not in copied else []
        findings += [Finding("split", Severity.ERROR, whole.name, message, rows=rows) for message, rows in near]
        findings += _groups(whole, classes=bool(classes))
    questions = sum(side.train.height + side.test.height for side in sides)
    if not sides:
        return Verdict("split", Outcome.UNTOLD, "no split was used")
    groups = ", groups whole" if any("group" in side.train.columns for side in sides) else ""
    copies = ", copies of rows" if any(side.features is not None for side in sides) else ""
    return base.settle("split", f"{len(sides)} splits, {questions:,} questions{groups}{copies}", findings)


def _in_time(side: Side) -> list[tuple[str, int]]:
    unlabelled = side.train["label"].null_count()
    told = [(f"{unlabelled:,} training questions of {side.name} have no label", unlabelled)]
    if side.cut is None:
        return told
    at = f"its cut {side.cut:%Y-%m-%d}"
    late = side.train.filter((pl.col("known_at") > side.cut) | pl.col("known_at").is_null()).height
    early = side.test.filter((pl.col("as_of") < side.cut) | pl.col("as_of").is_null()).height
    unknown = _of_unknown_places(side)
    return [
        *told,
        (f"{late:,} training labels of {side.name} were not known at {at}", late),
        (f"{early:,} test questions of {side.name} are asked before {at}", early),
        (f"{unknown:,} questions of {side.name} are about places that were not yet known", unknown),
    ]


def _of_unknown_places(side: Side) -> int:
    """How many questions are about a place first known after they were asked, or (tested ones) after the cut."""
    if "known_from" not in side.train.columns or "known_from" not in side.test.columns:
        return 0
    learnt = side.train.filter(pl.col("as_of") < pl.col("known_from")).height
    return learnt + side.test.filter(pl.col("known_from") > side.cut).height


def _by_unit(side: Side, unit: Sequence[str]) -> list[tuple[str, int]]:
    shared = _shared(side, unit)
    told = [(f"{shared:,} units ({' x '.join(unit)}) stand on both sides of {side.name}", shared)]
    for part, frame in (("training", side.train), ("test", side.test)):
        asked = [*unit, *(name for name in ("horizon",) if name in frame.columns)]
        doubled = frame.height - frame.select(asked).unique().height
        told.append((f"{doubled:,} {part} questions of {side.name} are asked twice", doubled))
    return told


def _by_group(side: Side) -> list[tuple[str, int]]:
    if "group" not in side.train.columns or "group" not in side.test.columns:
        return []
    shared = _shared(side, ["group"])
    return [(f"{shared:,} groups stand on both sides of {side.name}", shared)]


def _shared(side: Side, names: Sequence[str]) -> int:
    left, right = (frame.select(names).unique() for frame in (side.train, side.test))
    return left.join(right, on=list(names), how="inner").height


def _copies(side: Side) -> list[tuple[str, int]]:
    """Tested rows of which a copy, label included, was learnt from: another key does not make another row."""
    if side.features is None:
        return []
    hashes, _ = _told(side)
    whole = hashes.sum(axis=1, dtype=np.uint64)
    copies = _across(whole, side.train.height)
    if not copies or _by_chance(hashes, whole):
        return []
    message = f"{copies:,} test rows of {side.name} are copies, label included, of rows that were learnt from"
    return [(message, copies)]


def _near_copies(side: Side) -> list[tuple[str, int]]:
    """Tested rows of which a copy was learnt from that differs in one column only, or in several by next to nothing."""
    hashes, names = _told(side)
    whole = hashes.sum(axis=1, dtype=np.uint64)
    message = "{} test rows of {} are copies, label included and {} excepted, of rows that were learnt from"
    for number, name in enumerate(names[:-1]):
        rest = whole - hashes[:, number]
        copies = _across(rest, side.train.height)
        told_apart = np.unique(rest).size
        if copies < max(NEAR, NEAR_SHARE * side.test.height) or told_apart < TELLING * len(rest):
            continue
        if not _by_chance(np.delete(hashes, number, axis=1), rest):
            return [(message.format(f"{copies:,}", side.name, name), copies)]
    assert side.features is not None  # noqa: S101 - asked only of sides that have them
    label = pl.concat([side.train["label"], side.test["label"]])
    doubles_of = doubles.count(pl.concat(side.features), label, side.train.height)
    told = (message.format(f"{doubles_of:,}", side.name, "small changes of several numbers"), doubles_of)
    return [told] if doubles_of else []


def _groups(side: Side, *, classes: bool) -> list[Finding]:
    assert side.features is not None  # noqa: S101 - asked only of sides that have them
    group = pl.concat([side.train["group"], side.test["group"]]) if "group" in side.train.columns else None
    label = pl.concat([side.train["label"], side.test["label"]])
    return groups.unnamed(pl.concat(side.features), label, group, classes=classes)


def _told(side: Side) -> tuple[NDArray[np.uint64], list[str]]:
    """Hashes of all that is told of the rows, those that are learnt from first, and its names; the label comes last."""
    assert side.features is not None  # noqa: S101 - asked only of sides that have them
    frames = (side.train, side.test)
    tables = [
        table.with_columns(frame["label"].alias("label ")) for table, frame in zip(side.features, frames, strict=True)
    ]
    return _hashes(pl.concat(tables)), tables[0].columns


def _across(codes: NDArray[np.uint64], learnt: int) -> int:
    """How many of the rows after those that are learnt from are equal to one of them."""
    return int(np.isin(codes[learnt:], codes[:learnt]).sum())


def _by_chance(hashes: NDArray[np.uint64], whole: NDArray[np.uint64]) -> bool:
    """Whether rows may well be equal by chance: for some column, most pairs that agree in all others part in it.

    Where a table is told in few words, many rows are alike, and many more are alike but for one word. Copies are
    alike in everything, and next to no rows are alike in all but one thing.
    """
    equal = _pairs(whole)
    return any(equal < TWINS * _pairs(whole - hashes[:, column]) for column in range(hashes.shape[1]))


def _pairs(codes: NDArray[np.uint64]) -> float:
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())


def _hashes(frame: pl.DataFrame) -> NDArray[np.uint64]:
    """(n, k) a number for each value; their sum (mod 2^64) stands for the row, less one of them for the rest."""
    hashes = frame.select(pl.col(name).hash(seed=number) for number, name in enumerate(frame.columns))
    return np.column_stack([column.to_numpy() for column in hashes.iter_columns()])
