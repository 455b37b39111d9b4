"""Rerun: choice, fingerprint and predictions come out again to the bit."""

import numpy as np

from asof.audit import Learnt, Outcome, rerun


def test_it_compares_to_the_bit() -> None:
    """Another choice, another fingerprint and a prediction off by one bit are each found."""
    first = Learnt("a", "f" * 64, np.array([1.0, 2.0]))
    again = Learnt("a", "f" * 64, np.array([1.0, 2.0]))
    assert rerun.check(first, again, "all").outcome is Outcome.PASSED
    bit = Learnt("a", "f" * 64, np.array([1.0, np.nextafter(2.0, 3.0)]))
    assert [f.subject for f in rerun.check(first, bit, "all").findings] == ["prediction"]
    other = Learnt("a", "e" * 64, np.array([1.0, 2.0]))
    assert "eeeeeeeeeeee, not ffffffffffff" in rerun.check(first, other, "all").findings[0].message
    choice = Learnt("b", "f" * 64, np.array([1.0, 2.0]))
    assert rerun.check(first, choice, "all").findings[0].message == "replaying the plan chose b, not a"


def test_what_cannot_be_learnt_again_fails() -> None:
    first = Learnt("a", "f" * 64, np.array([1.0, 2.0]))
    verdict = rerun.check(first, "KeyError: gone", "all")
    assert (verdict.outcome, verdict.findings[0].subject) == (Outcome.FAILED, "a")
    assert "cannot be learnt again: KeyError: gone" in verdict.findings[0].message
    shorter = rerun.check(first, Learnt("a", "f" * 64, np.array([1.0])), "all")
    assert [finding.subject for finding in shorter.findings] == ["prediction"]
