"""The audit of a release in plain words."""

from pathlib import Path
from typing import Any

import pytest

from asof.flows import records
from asof.ui import audits
from asof.ui.audits import Check
from asof.ui.sights import Sight
from tests.ui import glances


@pytest.fixture(scope="module")
def sight(squares: Path) -> Sight:
    return glances.of(squares)


def test_each_check_says_what_it_asked_covered_and_found(sight: Sight) -> None:
    told = audits.audit(sight)
    assert told.whole
    assert [one.name for one in told.checks] == ["future", "fit", "parity", "split", "too good", "drift", "rerun"]
    assert [one.name for one in told.checks if one.outcome == "passed"] == sight.result["audit"]["passed"]
    assert all(one.asks.endswith((".", "?")) and one.covered for one in told.checks)
    assert "2 cuts" in told.checks[0].covered


def test_an_accepted_finding_carries_the_reason_of_the_owner(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    def finding(subject: str) -> dict[str, Any]:
        return {"check": "too good", "severity": "error", "subject": subject, "message": "nearly gives the label"}

    verdict = {"check": "too good", "outcome": "failed", "coverage": "3 columns of 3"}
    kept = {
        "verdicts": [{**verdict, "findings": [finding("tax_2020"), finding("status")]}],
        "accepted": {"too good:tax_*": "known before the sale"},
    }
    monkeypatch.setattr(records, "audited", lambda _release: kept)
    (check,) = audits.audit(sight).checks
    assert [(one.subject, one.accepted) for one in check.found] == [
        ("tax_2020", "known before the sale"),
        ("status", ""),
    ]
    assert audits.headline([check]) == "1 check failed: too good. A failed check blocks promotion."


def test_a_release_of_an_earlier_version_has_names_alone(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "audited", lambda _release: None)
    told = audits.audit(sight)
    assert not told.whole
    assert [one.name for one in told.checks] == [*sight.result["audit"]["passed"], *sight.result["audit"]["untold"]]
    assert {one.covered for one in told.checks} == {""}


def test_the_headline_counts_what_was_answered() -> None:
    outcomes = ["passed", "passed", "could not tell", "not applicable"]
    checks = [Check(f"c{at}", outcome, "", "", ()) for at, outcome in enumerate(outcomes)]
    assert audits.headline(checks) == (
        "Nothing failed: 2 checks passed. 1 check could not tell. 1 check did not apply."
    )
