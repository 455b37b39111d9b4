"""Valid rows of a source out of its raw ones, part by part: a part is some months, and no more is held at once.

What all rows show together (types, how times are written) is gathered first, part by part; then each part is checked
as the whole would be. A key whose versions lie in several parts is taken out of them into a part of its own. What was
found in each part is kept beside the tables, so that the next ingest checks only the parts with new rows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from asof import checks, coverage, times
from asof.checks import Facts, Known, Part, Validated
from asof.coverage import Timeline
from asof.data import UTC_TIME, Finding
from asof.flows import hindsight
from asof.ports import Draft, Lake
from asof.specs import PointSpec, SourceSpec

ROWS: Final = 500_000
"""Months are joined to parts of so many rows; a source with fewer is one part."""
MOVED: Final = "moved"
"""Name of the part of keys whose versions lie in several others."""
HELD: Final = 4
"""Of so many parts at either end the times are kept at hand: there the hours of single days matter."""


@dataclass(eq=False)
class Piece:
    """Some months of a source, and what was found in them."""

    name: str
    months: dict[str, int]
    """Raw rows of each."""
    facts: Facts = field(default_factory=Facts)
    found: Part | None = None
    days: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"day": pl.Date, "rows": pl.Int64}))
    """Valid rows of each local day, and of them those with a value in the columns that coverage looks at."""
    ended: datetime | None = None
    due: datetime | None = None
    history: tuple[int, int, int] = (0, 0, 0)
    """See ``hindsight.count``."""

    def is_due(self, now: datetime) -> bool:
        """Whether a row that was refused as a future one has happened since."""
        return self.due is not None and self.due <= now

    def plain(self) -> dict[str, Any]:
        """Write it as plain data."""
        return {
            "name": self.name,
            "months": self.months,
            "facts": self.facts.plain(),
            "found": None if self.found is None else self.found.plain(),
            "days": self.days.with_columns(pl.col("day").to_physical()).to_dict(as_series=False),
            "ended": _written(self.ended),
            "due": _written(self.due),
            "history": self.history,
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Piece":
        """Read what ``plain`` wrote."""
        days = pl.DataFrame(plain["days"], schema_overrides={"day": pl.Int32, "rows": pl.Int64})
        return cls(
            plain["name"],
            plain["months"],
            Facts.of_plain(plain["facts"]),
            None if plain["found"] is None else Part.of_plain(plain["found"]),
            days.with_columns(pl.col("day").cast(pl.Date)),
            _moment(plain["ended"]),
            _moment(plain["due"]),
            tuple(plain["history"]),
        )


@dataclass(frozen=True)
class Derived:
    """Checked rows, written and not yet committed."""

    draft: Draft
    notes: str
    versions: int
    """Raw rows."""
    valid: int
    quarantined: int
    findings: tuple[Finding, ...]
    due: datetime | None


@dataclass
class Work:
    """What is being done to one source."""

    name: str
    spec: SourceSpec
    lake: Lake
    version: int
    now: datetime
    tell: Callable[[float], None] = lambda _share: None

    def raw(self, piece: Piece, moved: pl.Series) -> pl.DataFrame:
        """Raw rows of a part, without those of keys that have moved; or those of these."""
        if piece.name == MOVED:
            return self.lake.raw(self.name, self.version, where=pl.col("_key").is_in(moved.implode()))
        rows = self.lake.raw(self.name, self.version, months=list(piece.months))
        return rows.filter(~pl.col("_key").is_in(moved.implode())) if len(moved) else rows


def derive(work: Work, last: str) -> Derived:
    """Check all rows, or where ``last`` (the notes of the last time) allows it those of the parts that have changed.

    Nothing is seen of it before the draft is committed.

    Raises:
        DataError: no rows.
        ProjectError: columns that the project names are not there.
    """
    months = dict(work.lake.months(work.name, work.version))
    if sum(months.values()) <= ROWS or _compared(work.spec):
        return _whole(work)
    pieces, seen, moved = _stored(last)
    pieces = [piece for piece in pieces if piece.name != MOVED]
    known = checks.together(piece.facts for piece in pieces)
    pieces, fresh = _layout(pieces, months)
    new = _Keys(work, pieces, fresh, seen)
    for number, piece in enumerate(fresh, start=1):
        piece.facts = new.look(piece)
        work.tell(0.4 * number / len(fresh))
    facts = checks.together(piece.facts for piece in pieces)
    wanderers = new.wanderers(moved)
    gone = new.homes(wanderers.filter(~wanderers.is_in(moved.implode())))
    same = bool(last) and facts.decides_as(known, work.spec)
    todo = [one for one in pieces if not same or one in fresh or gone.intersection(one.months) or one.is_due(work.now)]
    # A watermark that moved alone still has to be stamped: the last part is written again.
    todo = todo or pieces[-1:]
    if len(wanderers):
        todo.append(Piece(MOVED, {}))
    return _judged(work, (pieces, todo), Known(facts.kinds(work.spec), facts.witnesses), wanderers, new.seen)


def timeline(notes: str, lake: Lake, name: str, zone: str) -> Timeline | None:
    """The days of a source that was derived in parts; none for one that was derived at once."""
    pieces = _stored(notes)[0]
    if not pieces:
        return None

    def near(first: date, last: date) -> pl.DataFrame:
        return lake.valid(name, columns=("_event", "_ended"), where=_within(first, last, zone))

    return _line(pieces, near)


def _whole(work: Work) -> Derived:
    """Check all rows at once."""
    raw = work.lake.raw(work.name, work.version)
    validated = checks.validate(raw, work.spec, now=work.now, name=work.name)
    found = passed(work.name, work.spec, raw, validated)
    draft = work.lake.draft(work.name)
    draft.put("all", validated.valid, validated.quarantine)
    counts = (raw.height, validated.valid.height, validated.quarantine.height)
    return Derived(draft, "", *counts, found, validated.next_due)


def passed(name: str, spec: SourceSpec, raw: pl.DataFrame, validated: Validated) -> tuple[Finding, ...]:
    """All findings of a source that passes: of its rows, of what they cover, of how far back its history is known.

    Raises ``Refused`` where it does not.
    """
    checks.gate(validated.findings, name)
    covered = _coverage(name, spec, validated.valid)
    return (*validated.findings, *covered, *hindsight.findings(raw, validated.valid, _zone(spec), name))


def _zone(spec: SourceSpec) -> str:
    return spec.time.zone if spec.time else "UTC"


def _compared(spec: SourceSpec) -> bool:
    """Whether rows of different keys are held against each other, which needs all of them at once."""
    return any(rule.unique and (name,) != spec.key for name, rule in spec.checks.items())


def _judged(
    work: Work, plan: tuple[list[Piece], list[Piece]], known: Known, moved: pl.Series, seen: tuple[datetime, datetime]
) -> Derived:
    """Check the parts to do, and say what was found in all."""
    pieces, todo = plan
    kept = [piece.name for piece in pieces if piece not in todo]
    draft = work.lake.draft(work.name, kept=kept)
    held: dict[str, pl.DataFrame] = {}
    for number, piece in enumerate(todo, start=1):
        rows = work.raw(piece, moved)
        if rows.is_empty():  # all of its keys have moved
            vars(piece).update(vars(Piece(piece.name, piece.months, piece.facts, Part((), checks.Tally()))))
            continue
        validated = checks.validate(rows, work.spec, now=work.now, name=work.name, known=known)
        history = hindsight.count(rows, validated.valid, seen[0])
        del rows
        draft.put(piece.name, validated.valid, validated.quarantine)
        _note(piece, validated, work.spec)
        piece.history = history
        held[piece.name] = validated.valid.select("_event", "_ended")
        if len(held) > 2 * HELD:
            del held[list(held)[HELD]]
        work.tell(0.4 + 0.6 * number / len(todo))
    every = [*pieces, *(piece for piece in todo if piece.name == MOVED)]
    parts = [piece.found for piece in every if piece.found is not None]
    line = _line(every, _at_hand(work, (every, kept), held, known, moved))
    merged = checks.merged(parts, work.spec, work.name)
    checks.gate(merged, work.name)
    valid, old, since = (sum(piece.history[place] for piece in every) for place in range(3))
    past = hindsight.tell(seen[0], (valid, old, since), _zone(work.spec), work.name)
    found = (*merged, *_coverage(work.name, work.spec, line), *past)
    notes = {"seen": [one.isoformat() for one in seen], "moved": moved.to_list()}
    notes |= {"pieces": [piece.plain() for piece in every]}
    due = min((piece.due for piece in every if piece.due is not None), default=None)
    versions = sum(rows for piece in every for rows in piece.months.values())
    return Derived(draft, json.dumps(notes), versions, valid, sum(part.tally.refused for part in parts), found, due)


def _at_hand(
    work: Work, parts: tuple[list[Piece], list[str]], held: Mapping[str, pl.DataFrame], known: Known, moved: pl.Series
) -> Callable[[date, date], pl.DataFrame]:
    """What gives the times of a few days before anything is committed."""
    pieces, kept = parts
    zone = _zone(work.spec)

    def near(first: date, last: date) -> pl.DataFrame:
        found = [pl.DataFrame(schema={"_event": UTC_TIME, "_ended": UTC_TIME})]
        for piece in pieces:
            if piece.days.filter(pl.col("day").is_between(first, last)).is_empty():
                continue
            if piece.name in held:
                rows = held[piece.name]
            elif piece.name in kept:
                rows = work.lake.valid(work.name, columns=("_event", "_ended"), where=_within(first, last, zone))
            else:
                raw = work.raw(piece, moved)
                rows = checks.validate(raw, work.spec, now=work.now, name=work.name, known=known).valid
            found.append(rows.filter(_within(first, last, zone)).select("_event", "_ended"))
        return pl.concat(found)

    return near


def _note(piece: Piece, validated: Validated, spec: SourceSpec) -> None:
    """Keep what was found in a part."""
    piece.found = Part(validated.findings, validated.tally)
    piece.due = validated.next_due
    if spec.time is not None:
        piece.days = coverage.by_day(validated.valid, spec.time.zone, [*_needed(spec), *_others(spec)])
        ended = validated.valid["_ended"].max()
        piece.ended = ended if isinstance(ended, datetime) else None


def _coverage(name: str, spec: SourceSpec, rows: pl.DataFrame | Timeline) -> list[Finding]:
    """Holes and breaks of a source with a time."""
    if spec.time is None:
        return []
    others = _others(spec)
    return coverage.findings(rows, _needed(spec), spec.time.zone, name=name, others=others, covered=spec.covered)


def _needed(spec: SourceSpec) -> list[str]:
    needed = [spec.place.lat, spec.place.lon] if isinstance(spec.place, PointSpec) else []
    return needed + ([spec.place] if isinstance(spec.place, str) else [])


def _others(spec: SourceSpec) -> list[str]:
    needed = _needed(spec)
    return [column for column in spec.columns if column not in needed]


def _line(pieces: Sequence[Piece], near: Callable[[date, date], pl.DataFrame]) -> Timeline:
    return Timeline.joined([piece.days for piece in pieces], [piece.ended for piece in pieces], near)


def _within(first: date, last: date, zone: str) -> pl.Expr:
    low, high = (times.midnight(day, zone) for day in (first, last + timedelta(days=1)))
    return pl.col("_event").is_between(low, high, closed="left")


def _stored(notes: str) -> tuple[list[Piece], tuple[datetime, datetime] | None, pl.Series]:
    """Parts as they were noted, when the first and last of their rows were seen, and the keys that have moved."""
    if not notes:
        return [], None, pl.Series("_key", [], dtype=pl.String)
    plain = json.loads(notes)
    first, last = (datetime.fromisoformat(text).astimezone(UTC) for text in plain["seen"])
    moved = pl.Series("_key", plain["moved"], dtype=pl.String)
    return [Piece.of_plain(one) for one in plain["pieces"]], (first, last), moved


def _layout(pieces: list[Piece], months: Mapping[str, int]) -> tuple[list[Piece], list[Piece]]:
    """Parts with their rows of today, new months in parts of their own; and those parts that have changed."""
    known = {month for piece in pieces for month in piece.months}
    fresh: list[Piece] = []
    for piece in pieces:
        now = {month: months[month] for month in piece.months}
        if now != piece.months:
            piece.months = now
            fresh.append(piece)
    pieces = list(pieces)
    for month, rows in months.items():
        if month in known:
            continue
        if not pieces or sum(pieces[-1].months.values()) + rows > ROWS:
            pieces.append(Piece(f"p{len(pieces):04d}", {}))
        pieces[-1].months[month] = rows
        if pieces[-1] not in fresh:
            fresh.append(pieces[-1])
    return pieces, fresh


class _Keys:
    """Keys of the parts that are looked at, as hashes: 8 bytes each, of which only those in several parts matter."""

    def __init__(
        self, work: Work, pieces: list[Piece], fresh: list[Piece], seen: tuple[datetime, datetime] | None
    ) -> None:
        self._work, self._since = work, None if seen is None else seen[1]
        self._others = [month for piece in pieces if piece not in fresh for month in piece.months]
        self._hashes: list[np.ndarray] = []
        self._new: list[pl.Series] = []
        self._fresh = [month for piece in fresh for month in piece.months]
        self._seen = list(seen or ())

    def look(self, piece: Piece) -> Facts:
        """Gather the facts of a part, and take note of its keys."""
        rows = self._work.lake.raw(self._work.name, self._work.version, months=list(piece.months))
        seen = rows["_first_seen"]
        self._seen += [one for one in (seen.min(), seen.max()) if isinstance(one, datetime)]
        # Hashes of one process, never kept.
        self._hashes.append(np.unique(rows["_key"].hash(seed=0).to_numpy()))
        if self._others:
            later = rows if self._since is None else rows.filter(pl.col("_first_seen") >= self._since)
            self._new.append(later["_key"].unique())
        return checks.look(rows, self._work.spec, name=self._work.name)

    @property
    def seen(self) -> tuple[datetime, datetime]:
        """When the first and the last of all rows were seen."""
        return min(self._seen), max(self._seen)

    def wanderers(self, moved: pl.Series) -> pl.Series:
        """Keys that lie in more than one part: those known before, and new ones."""
        twice = _repeated(self._hashes)
        found = [moved]
        if len(twice):
            hashed = pl.col("_key").hash(seed=0).is_in(pl.Series(twice).implode())
            found.append(self._read(self._fresh, hashed)["_key"].unique())
        keys = pl.concat(self._new).unique() if self._new else moved.clear()
        if len(keys):
            within = pl.col("_key").is_between(pl.lit(keys.min()), pl.lit(keys.max()))
            found.append(self._read(self._others, within & pl.col("_key").is_in(keys.implode()))["_key"].unique())
        return pl.concat(found).unique().sort()

    def homes(self, keys: pl.Series) -> frozenset[str]:
        """Months in which rows of ``keys`` lie."""
        if not len(keys):
            return frozenset()
        return frozenset(self._read((), pl.col("_key").is_in(keys.implode()))["_month"].unique())

    def _read(self, months: Sequence[str], where: pl.Expr) -> pl.DataFrame:
        return self._work.lake.raw(
            self._work.name, self._work.version, months=months, columns=("_key", "_month"), where=where
        )


def _repeated(sorted_parts: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers that are in more than one of some ascending arrays; by stretches of their range, a few at a time."""
    edges = np.linspace(0, float(2**64), max(len(sorted_parts) // 8, 1) + 1)[1:-1].astype(np.uint64)
    cuts = [np.concatenate([[0], np.searchsorted(part, edges), [len(part)]]) for part in sorted_parts]
    found = []
    for number in range(len(edges) + 1):
        inside = [part[cut[number] : cut[number + 1]] for part, cut in zip(sorted_parts, cuts, strict=True)]
        every = np.sort(np.concatenate(inside)) if inside else np.zeros(0, np.uint64)
        found.append(np.unique(every[1:][every[1:] == every[:-1]]))
    return np.concatenate(found)


def _written(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
