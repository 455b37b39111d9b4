"""Declared repairs of cells: sentinels, trailing flags, lost digits, units, a text of flags; each one counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from asof.data import Finding, Severity
from asof.errors import Problem, ProjectError
from asof.specs import RepairSpec

MAGIC: Final = frozenset("*?[")
"""A name with one of these is a pattern."""
DIGITS: Final = 14
"""Significant digits kept of what is computed: 17.1 + 1000 is written 1017.1."""


@dataclass
class Repaired:
    """The text of n rows after the repairs."""

    text: pl.DataFrame
    """n rows of String columns: those of flags replaced by one a flag, those left out gone."""
    findings: list[Finding] = field(default_factory=list)
    """One of check ``repair`` for each column and rule: its words, the share and the number of cells."""


def is_pattern(name: str) -> bool:
    """Whether a name stands for all columns that it matches."""
    return not MAGIC.isdisjoint(name)


def matched(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Those of ``columns`` that are named or matched, in their own order."""
    return [
        one for one in columns if any(fnmatchcase(one, name) if is_pattern(name) else one == name for name in names)
    ]


def read(repairs: Sequence[RepairSpec]) -> tuple[str, ...]:
    """Columns that the repairs name, patterns aside; those that an earlier repair makes need not be in the source."""
    seen: dict[str, None] = {}
    new: set[str] = set()
    for repair in repairs:
        seen |= dict.fromkeys(name for name in repair.columns if not is_pattern(name) and name not in new)
        new |= set(repair.flags)
    return tuple(seen)


def made(repairs: Sequence[RepairSpec]) -> tuple[str, ...]:
    """Columns that are not in the source: the flags."""
    return tuple(dict.fromkeys(name for repair in repairs for name in repair.flags))


def apply(text: pl.DataFrame, repairs: Sequence[RepairSpec], name: str, *, kept: Sequence[str] = ()) -> Repaired:
    """Repair n rows of clean text (String columns, null = missing), one repair after the other.

    Args:
        text: the rows; columns of ours do not belong here.
        repairs: what the project says, in its order.
        name: name of the source, for findings.
        kept: columns that no pattern means, such as those of the key.

    Raises:
        ProjectError: a pattern matches no column, or a flag has the name of a column that is there.
    """
    done = Repaired(text)
    for position, repair in enumerate(repairs):
        where = f"sources.{name}.repairs.{position}"
        columns = _columns(done.text.drop(kept), repair, where)
        if repair.drop:
            done.text = done.text.drop(columns)
            count = len(columns) * text.height
            done.findings.append(_told(f"{name}.{', '.join(columns)}", "left out", count, count))
            continue
        for column in columns:
            cells, findings = _cells(done.text[column], repair, f"{name}.{column}")
            done.text = done.text.with_columns(cells)
            done.findings += findings
            if repair.flags:
                _split(done, column, repair.flags, name)
    return done


def _columns(text: pl.DataFrame, repair: RepairSpec, where: str) -> list[str]:
    wrong = []
    for pattern in repair.columns:
        if not matched([pattern], text.columns):
            near = get_close_matches(pattern, text.columns, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(text.columns[:12])}"
            wrong.append(Problem(f"no column is {pattern!r}: {hint}", where=f"{where}.columns"))
    wrong += [
        Problem(f"the flag {flag!r} has the name of a column that is there: call it otherwise", where=f"{where}.flags")
        for flag in repair.flags
        if flag in text.columns
    ]
    if wrong:
        raise ProjectError(wrong)
    return matched(repair.columns, text.columns)


def _cells(cells: pl.Series, repair: RepairSpec, subject: str) -> tuple[pl.Series, list[Finding]]:
    """Repair the cells of one column; a finding for each rule that changed one, or could have."""
    steps = []
    if repair.strip is not None:
        steps.append((f"{repair.strip!r} taken off the end", _stripped(cells, repair.strip)))
    if repair.missing:
        before = steps[-1][1] if steps else cells
        steps.append((f"{', '.join(repair.missing)} means missing", _without(before, repair.missing)))
    if repair.times is not None or repair.add is not None:
        before = steps[-1][1] if steps else cells
        steps.append((_rule(repair), _computed(before, repair)))
    findings, given = [], cells.len() - cells.null_count()
    for words, after in steps:
        findings.append(_told(subject, words, int(cells.ne_missing(after).sum()), given))
        cells = after
    return cells, findings


def _stripped(cells: pl.Series, characters: str) -> pl.Series:
    bare = cells.str.strip_chars_end(f"{characters} ")
    return bare.set(bare == "", None)


def _without(cells: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Cells that are one of ``missing``, as a text or as a number, become null."""
    texts = pl.Series(missing, dtype=pl.String)
    numbers = texts.cast(pl.Float64, strict=False).drop_nulls()
    stands = cells.is_in(texts.implode()) | cells.cast(pl.Float64, strict=False).is_in(numbers.implode()).fill_null(
        value=False
    )
    return cells.set(stands, None)


def _rule(repair: RepairSpec) -> str:
    under = "" if repair.under is None else f" below {repair.under:g}"
    times = "" if repair.times is None else f" times {repair.times:g}"
    add = "" if repair.add is None else f" {'plus' if repair.add >= 0 else 'minus'} {abs(repair.add):g}"
    return f"numbers{under}{times}{add}"


def _computed(cells: pl.Series, repair: RepairSpec) -> pl.Series:
    """Numbers (under the limit) multiplied and added to, as text; what is no number stays."""
    numbers = cells.cast(pl.Float64, strict=False)
    concerned = numbers.is_finite() if repair.under is None else numbers < repair.under
    new = numbers * (1.0 if repair.times is None else repair.times) + (0.0 if repair.add is None else repair.add)
    written = new.round_sig_figs(DIGITS).cast(pl.String)
    return written.zip_with(concerned.fill_null(value=False), cells)


def _split(done: Repaired, column: str, flags: Sequence[str], name: str) -> None:
    """Replace a column of digits by one column a flag, where it stood; leading zeros that were lost are put back."""
    cells = done.text[column]
    padded = cells.str.zfill(len(flags))
    good = padded.str.contains(rf"^[01]{{{len(flags)}}}$").fill_null(value=False)
    whole = padded.set(~good, None)
    columns = [whole.str.slice(place, 1).alias(flag) for place, flag in enumerate(flags)]
    at = done.text.get_column_index(column)
    names = done.text.columns
    done.text = done.text.hstack(columns).select(*names[:at], *flags, *names[at + 1 :])
    given = cells.len() - cells.null_count()
    done.findings.append(_told(f"{name}.{column}", f"split into {', '.join(flags)}", int(good.sum()), given))
    lost = given - int(good.sum())
    if lost:
        first = cells.filter(~good & cells.is_not_null())[0]
        message = (
            f"{lost:,} of {given:,} values are not {len(flags)} digits 0 or 1, such as {first!r}: they are missing"
        )
        done.findings.append(Finding("repair", Severity.WARNING, f"{name}.{column}", message, lost / given, None, lost))


def _told(subject: str, words: str, count: int, given: int) -> Finding:
    """How many cells a rule changed; a rule that changed none is told as well."""
    return Finding("repair", Severity.NOTE, subject, words, count / given if given else 0.0, None, count)
