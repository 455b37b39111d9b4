"""What was found in the parts of a source, told of the whole: counts add up, and limits are held against the sums."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from asof.checks import origins
from asof.checks.validation import Tally, limits, too_faulty
from asof.data import Finding, Severity
from asof.specs import SourceSpec

ORDER: Final = (
    "duplicates",
    "doubled time",
    "repair",
    "type change",
    "type",
    "revised",
    "corrected",
    "faulty",
    "quarantine",
)
"""Checks in the order in which they are told; others come after them."""
_LEAD: Final = re.compile(r"^(?P<count>[\d,]+)(?: of (?P<total>[\d,]+))?(?P<unit> rows?\b)?(?: \([\d.]+%\))?")
"""A finding that counts begins with its count."""
_EXAMPLE: Final = re.compile(r" \(such as .*\)$|, (?:the first|such as) '.*?'(?: in \S+?:\d+)?(?=$|[;:])", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """What was found in one part of a source."""

    findings: tuple[Finding, ...]
    tally: Tally

    def plain(self) -> dict[str, Any]:
        """Write it as plain data."""
        return {"findings": [asdict(one) for one in self.findings], "tally": asdict(self.tally)}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Part":
        """Read what ``plain`` wrote."""
        found = (Finding(**{**entry, "severity": Severity(entry["severity"])}) for entry in plain["findings"])
        return cls(tuple(found), Tally(**plain["tally"]))


def merged(parts: Sequence[Part], spec: SourceSpec, name: str) -> tuple[Finding, ...]:
    """Findings of the whole of which ``parts`` are the parts, its limits among them."""
    groups: dict[tuple[str, str, str, str], dict[int, Finding]] = {}
    for number, part in enumerate(parts):
        for finding in part.findings:
            said = finding.message if finding.check == "type change" else _words(finding.message)
            key = (finding.check, finding.severity.value, finding.subject, said)
            groups.setdefault(key, {})[number] = finding
    found = [_added(alike, parts, name) for alike in groups.values()]
    known = {check: place for place, check in enumerate(ORDER)}
    found.sort(key=lambda one: (known.get(one.check, len(ORDER)), -(one.rows or 0) * (one.check == "quarantine")))
    whole = total(part.tally for part in parts)
    refusals = [one for one in found if one.check == "quarantine"]
    found += too_faulty(whole.given, whole.faulty, spec, name)
    return (*found, *origins.findings(whole.filed, spec, name), *limits(whole, refusals, spec, name))


def total(tallies: Iterable[Tally]) -> Tally:
    """Add them up."""
    read = valid = refused = 0
    by_column: dict[str, dict[str, int]] = {"missing": {}, "given": {}, "faulty": {}, "values": {}}
    every = list(tallies)
    for one in every:
        read, valid, refused = read + one.read, valid + one.valid, refused + one.refused
        for what, sums in by_column.items():
            for column, count in getattr(one, what).items():
                sums[column] = sums.get(column, 0) + count
    return Tally(read, valid, refused, **by_column, filed=origins.total([one.filed for one in every]))


def _words(message: str) -> str:
    """What a message says besides its counts and its example."""
    lead = _LEAD.match(message)
    return _EXAMPLE.sub("", message[lead.end() :] if lead else message)


def _added(alike: Mapping[int, Finding], parts: Sequence[Part], name: str) -> Finding:
    """One finding for the same finding of some parts; the example is that of the first."""
    first = next(iter(alike.values()))
    lead = _LEAD.match(first.message)
    rows = None if first.rows is None else sum(one.rows or 0 for one in alike.values())
    if lead is None:  # words alone, such as those of a repair
        totals = sum(round((one.rows or 0) / one.figure) for one in alike.values() if one.figure)
        share = (rows or 0) / totals if totals and first.figure is not None else first.figure
        return replace(first, rows=rows, figure=share)
    counts = {number: _number(_LEAD.match(one.message)["count"]) for number, one in alike.items()}  # type: ignore[index]
    count = sum(counts.values())
    whole = sum(_of(parts[number], alike.get(number), first, name) for number in range(len(parts)))
    if first.check == "type" and first.severity is Severity.NOTE:  # a part that holds numbers alone says nothing
        count = whole - (rows or 0)
    told = f"{count:,}" + (f" of {whole:,}" if lead["total"] else "")
    told += "" if lead["unit"] is None else " row" if count == 1 and not lead["total"] else " rows"
    told += f" ({count / whole:.1%})" if lead[0].endswith("%)") else ""
    share = None if first.figure is None else count / max(whole, 1)
    return replace(first, message=told + first.message[lead.end() :], rows=rows, figure=share)


def _of(part: Part, finding: Finding | None, like: Finding, name: str) -> int:
    """Of how many a part's count is one: as it says, else all values of the column, or all rows."""
    if finding is not None:
        lead = _LEAD.match(finding.message)
        if lead is not None and lead["total"]:
            return _number(lead["total"])
    column = like.subject.removeprefix(f"{name}.")
    if like.check in {"faulty", "type", "repair"}:
        return (part.tally.given if like.check == "faulty" else part.tally.values).get(column, 0)
    own = 0 if finding is None else finding.rows or 0
    if like.check in {"place", "revised"}:
        return part.tally.valid + (own if like.check == "revised" else 0)
    return part.tally.read + (own if like.check == "duplicates" else 0)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
