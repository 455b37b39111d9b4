"""The audit of a release in plain words: what each check did, what it covered, what it found and what is accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asof.flows import records
from asof.pages import words
from asof.ui.sights import Sight

LISTED = {"passed": "passed", "failed": "failed", "untold": "could not tell"}
"""Answers by the name under which a run lists its checks."""


@dataclass(frozen=True)
class Found:
    """One observation of a check."""

    severity: str
    subject: str
    message: str
    accepted: str = ""
    """Why the owner accepts it; empty where nobody does."""


@dataclass(frozen=True)
class Check:
    """What one check answered."""

    name: str
    outcome: str
    """``passed``, ``failed``, ``could not tell`` or ``not applicable``."""
    asks: str
    """What it asks, and how, in a sentence."""
    covered: str
    """What was tried, in words; empty where that was not kept."""
    found: tuple[Found, ...]


@dataclass(frozen=True)
class Audit:
    """All checks of a release."""

    checks: tuple[Check, ...]
    accepted: Mapping[str, str]
    """Findings that the owner accepts, with the reason."""
    whole: bool
    """Whether coverage and findings were kept by check; a release of an earlier version has names alone."""


def audit(sight: Sight) -> Audit:
    """Read the audit of the run that made a release."""
    kept = records.audited(sight.release)
    if kept is None:
        listed = sight.result["audit"]
        checks = [_check({"check": name, "outcome": word}, {}) for key, word in LISTED.items() for name in listed[key]]
        return Audit(tuple(checks), dict.fromkeys(listed.get("accepted", ()), ""), whole=False)
    accepted = kept["accepted"]
    return Audit(tuple(_check(one, accepted) for one in kept["verdicts"]), accepted, whole=True)


def _check(told: Mapping[str, Any], accepted: Mapping[str, str]) -> Check:
    name = told["check"]
    found = [
        Found(one["severity"], one["subject"], one["message"], _reason(name, one["subject"], accepted))
        for one in told.get("findings", ())
    ]
    return Check(name, told["outcome"], words.AUDIT.get(name, ""), told.get("coverage", ""), tuple(found))


def _reason(check: str, subject: str, accepted: Mapping[str, str]) -> str:
    """Why the owner accepts a finding: as ``asof.audit.accept`` reads names."""
    from asof.audit import excuse

    name = excuse(check, subject, accepted)
    return accepted[name] if name is not None else ""


def headline(checks: Sequence[Check]) -> str:
    """Say in a sentence how it went."""
    counts = {word: sum(one.outcome == word for one in checks) for word in (*LISTED.values(), "not applicable")}
    failed = [one.name for one in checks if one.outcome == "failed"]
    if failed:
        first = f"{_many(len(failed))} failed: {', '.join(failed)}. A failed check blocks promotion."
    else:
        first = f"Nothing failed: {_many(counts['passed'])} passed."
    untold = f" {_many(counts['could not tell'])} could not tell." if counts["could not tell"] else ""
    spared = f" {_many(counts['not applicable'])} did not apply." if counts["not applicable"] else ""
    return first + untold + spared


def _many(count: int) -> str:
    return f"{count} {'check' if count == 1 else 'checks'}"
