"""One pass over all rows of a source: cells, clock, rules, versions of a key, shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Final

import polars as pl

from asof import clocks, repairs
from asof.checks import cells, facts, origins, rules, shapes
from asof.checks.cells import FAULTS, Known, fault_table, place, short
from asof.checks.facts import Facts
from asof.data import UTC_TIME, Finding, Severity
from asof.errors import DataError, Problem, ProjectError, Refused
from asof.specs import PointSpec, SourceSpec
from asof.times import Step

OURS: Final = ("_key", "_event", "_ended", "_available", "_first_seen", "_file", "_line")
"""Columns of valid rows besides the user's."""
RAW: Final = ("_key", "_hash", "_file", "_line", "_first_seen", "_month", "_broken", "_text")


@dataclass(frozen=True)
class Tally:
    """What the limits of a source are held against; numbers that add up over its parts."""

    read: int = 0
    """Different versions of rows, and lines that could not be split."""
    valid: int = 0
    refused: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    """Valid rows without a value, by checked column."""
    given: Mapping[str, int] = field(default_factory=dict)
    """Values of the newest versions, by checked column."""
    faulty: Mapping[str, int] = field(default_factory=dict)
    """Of these, values that break a rule."""
    values: Mapping[str, int] = field(default_factory=dict)
    """Values of all versions, by column."""
    filed: origins.Filed = field(default_factory=dict)
    """Valid rows, and their values in the columns that are named, by file."""


@dataclass(frozen=True)
class Validated:
    """What a source's rows are once checked."""

    valid: pl.DataFrame
    """User's columns, typed, and ``OURS``; by ``_ended``, ``_available``, ``_key``."""
    quarantine: pl.DataFrame
    """Refused rows as text, with ``_reason`` and ``_column`` (several: divided by ``; ``), ``_file``, ``_line``."""
    findings: tuple[Finding, ...]
    """A finding of severity ``error`` refuses the source (see ``gate``)."""
    next_due: datetime | None = None
    """When the first of the rows refused as future ones will have happened: time to validate again."""
    tally: Tally = Tally()


def needed(spec: SourceSpec) -> tuple[str, ...]:
    """Columns that a source must have, by name: all that the project file names in it, and no repair makes."""
    return tuple(dict.fromkeys([*_read_by(spec), *repairs.read(spec.repairs)]))


def _read_by(spec: SourceSpec) -> list[str]:
    """Columns of the source that are named besides its repairs."""
    compared = [name for rule in spec.checks.values() for name in (rule.above, rule.below) if name]
    names = [*spec.key, *spec.checks, *compared, *spec.columns]
    names += [*spec.time.columns, *([spec.time.available] if spec.time.available else [])] if spec.time else []
    names += [spec.place] if isinstance(spec.place, str) else []
    names += [spec.place.lat, spec.place.lon] if isinstance(spec.place, PointSpec) else []
    new = repairs.made(spec.repairs)
    return [name for name in names if name not in new]


def look(raw: pl.DataFrame, spec: SourceSpec, *, name: str = "source") -> Facts:
    """Gather what a part of a source's raw rows shows of its types and times; raises as ``validate`` does."""
    rows, user = _ordered(raw, spec, name)
    written = rows.filter(rows["_broken"].is_null())
    as_read = cells.clean(written.select(user), spec.missing_values)
    return facts.look(repairs.apply(as_read, spec.repairs, name, kept=spec.key).text, spec)


def validate(
    raw: pl.DataFrame, spec: SourceSpec, *, now: datetime, name: str = "source", known: Known | None = None
) -> Validated:
    """Check all rows of a source, or a part of them that holds all versions of its keys.

    Args:
        raw: versions of rows as text, with the columns of ``Lake.raw``.
        spec: what the project says about the source.
        now: moment of the check (UTC); an event later than this is refused.
        name: name of the source, for findings.
        known: what all rows show, where these are a part: then nothing is said of all (their limits, their shape).

    Returns:
        Every row once: valid, refused, or an earlier version of a row (counted in a finding).

    Raises:
        DataError: no rows.
        ProjectError: columns that the project names are not there, all of them.
    """
    rows, user = _ordered(raw, spec, name)
    findings = _duplicates(raw, rows, name)
    broken = rows["_broken"].is_not_null()
    written, lost = rows.filter(~broken), rows.filter(broken)
    as_read = cells.clean(written.select(user), spec.missing_values)
    repaired = repairs.apply(as_read, spec.repairs, name, kept=spec.key)
    text = repaired.text
    where = written.select("_file", "_line")
    shown = known or Known()
    read = cells.typed(text, where, name, spec, shown)
    frame, clock = _clocked(read.frame, text, written, spec, name, shown)
    findings += repaired.findings + read.findings + _doubled(clock, name)
    judged = rules.judge(frame, text, [*read.faults, _unreadable(clock, text, spec)], spec, now=now, name=name)
    frame, wrong = judged.frame, judged.refused
    due = _due(wrong, frame)
    frame = frame.with_row_index("_row").with_columns(_ok=~pl.int_range(pl.len()).is_in(wrong["index"].implode()))
    current = frame.filter("_ok")
    if current["_key"].n_unique() < current.height:
        current = current.unique("_key", keep="last", maintain_order=True)
    findings += _superseded(frame, current, name)
    newest = _newest(frame, text, spec)
    findings += _corrected(wrong, newest, name)
    wrong = _of(wrong, newest)
    given, faulty = _broken_rules(judged, text, newest, spec)
    findings += _faulty(judged, where, newest, given, name)
    findings += [] if known else too_faulty(given, faulty, spec, name)
    again = rules.repeated(current, text[current["_row"]], spec)
    again = again.with_columns(index=current["_row"].gather(again["index"]).cast(pl.UInt32))
    wrong = pl.concat([wrong, again])
    valid = current.filter(~pl.col("_row").is_in(again["index"].implode())).select(*text.columns, *OURS)
    valid = valid.sort("_ended", "_available", "_key", nulls_last=True)
    quarantine = _quarantine(written, lost, wrong, user)
    refusals = _refusals(wrong, where, lost, name)
    missing = {column: valid[column].null_count() for column in spec.checks}
    values = {column.name: column.count() for column in text.iter_columns()}
    filed = origins.count(valid, needed(spec))
    tally = Tally(rows.height, valid.height, quarantine.height, missing, given, faulty, values, filed)
    findings += refusals + shapes.findings(valid, spec, name, whole=known is None)
    findings += [] if known else [*origins.findings(filed, spec, name), *limits(tally, refusals, spec, name)]
    return Validated(valid, quarantine, tuple(findings), due, tally)


def gate(findings: tuple[Finding, ...], name: str) -> None:
    """Refuse a source with a finding of severity ``error``.

    Raises:
        Refused: with all such findings in one line.
    """
    errors = [finding.message for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise Refused(f"source {name}: {'; '.join(errors)}")


def _ordered(raw: pl.DataFrame, spec: SourceSpec, name: str) -> tuple[pl.DataFrame, list[str]]:
    """Versions of rows as they were seen, none that says the same as that of its key before it; the user's columns."""
    if raw.is_empty():
        raise DataError(f"source {name} has no rows: the files are empty or have only a header; see files: or socrata:")
    have = [column for column in raw.columns if column not in RAW]
    wrong = lacking(have, needed(spec), spec, name)
    if wrong:
        raise ProjectError(wrong)
    for column in ("_broken", "_text"):
        if column not in raw.columns:
            raw = raw.with_columns(pl.lit(None, pl.String).alias(column))
    ordered = raw.sort("_first_seen", "_file", "_line", "_hash", nulls_last=True)
    kept = [column for column in have if not spec.columns or column in needed(spec)]
    if ordered["_hash"].n_unique() < ordered.height:
        ordered = ordered.filter(pl.col("_hash").ne_missing(pl.col("_hash").shift().over("_key")))
    return ordered, kept


def lacking(have: Sequence[str], wanted: Sequence[str], spec: SourceSpec, name: str) -> list[Problem]:
    """One fault of the project file for each column in ``wanted`` that the source does not have."""
    there = [column for column in have if column not in RAW]
    found = []
    for column in wanted:
        if column not in there:
            near = get_close_matches(column, there, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(there[:12])}"
            only = "; is the delimiter right?" if len(there) == 1 else ""
            message = f"source {name} has no column {column!r}: {hint}{only}"
            found.append(Problem(message, where=f"sources.{name}.{_named(column, spec)}"))
    return found


def _named(column: str, spec: SourceSpec) -> str:
    """Setting of the source that names the column."""
    if column in spec.key:
        return "key"
    if spec.time is not None and column in spec.time.columns:
        return "time.columns"
    if spec.time is not None and column == spec.time.available:
        return "time.available"
    if isinstance(spec.place, PointSpec) and column in {spec.place.lat, spec.place.lon}:
        return "place.lat" if column == spec.place.lat else "place.lon"
    if column == spec.place:
        return "place"
    return "columns" if column in spec.columns else _in_rule(column, spec)


def _in_rule(column: str, spec: SourceSpec) -> str:
    """Setting of the check or the repair that names the column."""
    named = [f"repairs.{index}.columns" for index, repair in enumerate(spec.repairs) if column in repair.columns]
    named += [f"checks.{column}"] * (column in spec.checks)
    for checked, rule in spec.checks.items():
        named += [f"checks.{checked}.{side}" for side in ("above", "below") if getattr(rule, side) == column]
    return named[0]


def _clocked(
    typed: pl.DataFrame, text: pl.DataFrame, written: pl.DataFrame, spec: SourceSpec, name: str, known: Known
) -> tuple[pl.DataFrame, "clocks.TimesRead | None"]:
    """Typed rows with their key, origin and the three moments of each (null without a time)."""
    frame = typed.hstack(written.select("_key", "_first_seen", "_file", "_line"))
    if spec.time is None:
        nothing = pl.lit(None, UTC_TIME)
        return frame.with_columns(_event=nothing, _ended=nothing, _available=nothing), None
    try:
        clock = clocks.read(text, spec.time, Step.parse(spec.delay), beside=known.beside.get(facts.TIME))
    except DataError as error:
        raise DataError(f"source {name}: {error}") from error
    return frame.hstack(clock.times.select("_event", "_ended", "_available")), clock


def _unreadable(clock: "clocks.TimesRead | None", text: pl.DataFrame, spec: SourceSpec) -> pl.DataFrame:
    if clock is None or spec.time is None:
        return fault_table([])
    reason = clock.times["_reason"]
    index = reason.is_not_null().arg_true()
    names = list(spec.time.columns)
    value = text[index].select(pl.concat_str(names, separator=" ", ignore_nulls=True).alias("value")).to_series()
    # The text stands in ``value``: without it, equal reasons count together.
    kind = reason.gather(index).str.replace(r"(?s)^.*: '.*' is (no .*)$", "$1")
    found = pl.DataFrame({"index": index, "kind": kind, "value": value})
    return found.with_columns(column=pl.lit(", ".join(names))).select(FAULTS.names()).cast(FAULTS)


def _due(wrong: pl.DataFrame, frame: pl.DataFrame) -> datetime | None:
    late = wrong.filter(pl.col("kind").str.starts_with("in the future"))["index"]
    first = frame["_event"].gather(late).min()
    return first if isinstance(first, datetime) else None


def _quarantine(written: pl.DataFrame, lost: pl.DataFrame, wrong: pl.DataFrame, user: list[str]) -> pl.DataFrame:
    """Refused rows, one each, with all reasons and their columns in the same order; then lines that were not split."""
    parts = wrong.group_by("index", maintain_order=True)
    reasons = parts.agg(_reason=pl.col("kind").str.join("; "), _column=pl.col("column").str.join("; "))
    reasons = reasons.sort("index")
    refused = written[reasons["index"]].hstack(reasons.select("_reason", "_column"))
    broken = lost.with_columns(_reason=pl.col("_broken"), _column=pl.lit(""))
    both = pl.concat([refused.drop("_month", "_broken"), broken.drop("_month", "_broken")])
    return both.select(*user, "_reason", "_column", "_file", "_line", "_key", "_hash", "_first_seen", "_text")


def _duplicates(raw: pl.DataFrame, rows: pl.DataFrame, name: str) -> list[Finding]:
    count = raw.height - rows.height
    if count == 0:
        return []
    message = f"{_rows(count)} the same as another, key and content; each is used once"
    return [Finding("duplicates", Severity.NOTE, name, message, count / raw.height, None, count)]


def _doubled(clock: "clocks.TimesRead | None", name: str) -> list[Finding]:
    if clock is None or clock.doubled == 0:
        return []
    message = f"{_rows(clock.doubled)} with a local time that exists twice (end of summer time), read as the later"
    return [Finding("doubled time", Severity.NOTE, name, message, None, None, clock.doubled)]


def _superseded(frame: pl.DataFrame, current: pl.DataFrame, name: str) -> list[Finding]:
    fine = frame.filter("_ok")
    count = fine.height - current.height
    if count == 0:
        return []
    key = fine.filter(pl.col("_key").is_duplicated())["_key"][0]
    versions = fine.filter(pl.col("_key") == key)
    first, last = (place(versions.select("_file", "_line"), index) for index in (0, -1))
    message = (
        f"{_rows(count)} whose key comes again with different content; the last seen is used "
        f"(such as key {short(key)}: {first}, then {last})"
    )
    return [Finding("revised", Severity.WARNING, name, message, count / fine.height, None, count)]


def _newest(frame: pl.DataFrame, text: pl.DataFrame, spec: SourceSpec) -> pl.Series:
    """Whether no version of the key of each of n rows was seen later; a row without a whole key stands alone."""
    if not spec.key:
        return pl.repeat(value=True, n=frame.height, eager=True)
    alone = text.select(pl.any_horizontal(pl.col(spec.key).is_null())).to_series()
    seen = pl.col("_first_seen")
    return frame.select((seen == seen.max().over("_key")).fill_null(value=True)).to_series() | alone


def _of(faults: pl.DataFrame, newest: pl.Series) -> pl.DataFrame:
    """Faults of the newest versions alone."""
    return faults.filter(newest.gather(faults["index"]))


def _corrected(wrong: pl.DataFrame, newest: pl.Series, name: str) -> list[Finding]:
    """Refused rows that have come again since: they are no longer in quarantine."""
    count = wrong["index"].n_unique() - _of(wrong, newest)["index"].n_unique()
    if count == 0:
        return []
    message = f"{_rows(count)} refused, and come again since with the same key: the version seen last counts"
    return [Finding("corrected", Severity.NOTE, name, message, None, None, count)]


def _refusals(wrong: pl.DataFrame, where: pl.DataFrame, lost: pl.DataFrame, name: str) -> list[Finding]:
    """One finding for each column and reason of refusal, the most frequent first."""
    total = max(where.height + lost.height, 1)
    groups = wrong.sort("index").group_by("column", "kind", maintain_order=True)
    result = []
    for column, kind, count, index, value in groups.agg(pl.len(), pl.first("index"), pl.first("value")).iter_rows():
        example = place(where, index) + ("" if value is None else f", {short(value)}")
        message = f"{_rows(count)} refused: {column}: {kind} (such as {example})"
        result.append(Finding("quarantine", Severity.WARNING, f"{name}.{column}", message, count / total, None, count))
    if lost.height:
        example = f"{place(lost.select('_file', '_line'), 0)}: {lost['_broken'][0]}"
        message = f"{_rows(lost.height)} refused: not to be split into columns (such as {example})"
        result.append(Finding("quarantine", Severity.WARNING, name, message, lost.height / total, None, lost.height))
    return sorted(result, key=lambda finding: -(finding.rows or 0))


def _broken_rules(
    judged: rules.Judged, text: pl.DataFrame, newest: pl.Series, spec: SourceSpec
) -> tuple[dict[str, int], dict[str, int]]:
    """Values of the newest versions, and those of them that break a rule, by checked column."""
    every = _of(pl.concat([judged.lost, judged.refused]), newest).filter(pl.col("value").is_not_null())
    given = {column: int((text[column].is_not_null() & newest).sum()) for column in spec.checks}
    counted = every.group_by("column").agg(pl.col("index").n_unique())
    wrong = dict(counted.iter_rows())
    return given, {column: int(wrong.get(column, 0)) for column in spec.checks}


def _faulty(
    judged: rules.Judged, where: pl.DataFrame, newest: pl.Series, given: Mapping[str, int], name: str
) -> list[Finding]:
    """Values that break a rule and count as missing, by reason."""
    found = []
    groups = _of(judged.lost, newest).sort("index").group_by("column", "kind", maintain_order=True)
    for column, kind, count, index, value in groups.agg(pl.len(), pl.first("index"), pl.first("value")).iter_rows():
        of = given[column]
        message = f"{count:,} of {of:,} values count as missing: {kind} (such as {place(where, index)}, {short(value)})"
        found.append(Finding("faulty", Severity.WARNING, f"{name}.{column}", message, count / of, None, count))
    return found


def too_faulty(given: Mapping[str, int], faulty: Mapping[str, int], spec: SourceSpec, name: str) -> list[Finding]:
    """Columns of which more than their share breaks a rule."""
    found = []
    for column, rule in spec.checks.items():
        if rule.faulty is not None and faulty[column] > rule.faulty * given[column]:
            count, share = faulty[column], faulty[column] / given[column]
            message = f"{column}: {share:.1%} of the values break a rule (at most {rule.faulty:.1%})"
            found.append(Finding("faulty", Severity.ERROR, f"{name}.{column}", message, share, rule.faulty, count))
    return found


def limits(tally: Tally, refusals: Sequence[Finding], spec: SourceSpec, name: str) -> list[Finding]:
    """Findings that refuse the source: nothing left, too much refused, too much missing."""
    refused, total = tally.refused, tally.valid + tally.refused
    said = "; ".join(finding.message for finding in refusals[:3])
    if tally.valid == 0:
        message = f"no valid row is left of {total:,}: {said}"
        return [Finding("quarantine", Severity.ERROR, name, message, 1.0, spec.quarantine, refused)]
    found = []
    if refused > spec.quarantine * total:
        message = (
            f"{refused:,} of {total:,} rows are refused ({refused / total:.1%}, at most {spec.quarantine:.1%}): {said}"
        )
        found.append(Finding("quarantine", Severity.ERROR, name, message, refused / total, spec.quarantine, refused))
    for column, rule in spec.checks.items():
        missing = tally.missing[column]
        if rule.missing is not None and missing > rule.missing * tally.valid:
            share = missing / tally.valid
            message = f"{column} is missing in {share:.1%} of the rows (at most {rule.missing:.1%})"
            found.append(Finding("missing", Severity.ERROR, f"{name}.{column}", message, share, rule.missing, missing))
    return found


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
