"""Rerun: the same plan on the same questions gives the same model, to the bit."""

import numpy as np

from asof.audit import base
from asof.audit.base import Learnt, Verdict
from asof.data import Finding, Severity


def check(first: Learnt, second: Learnt | str, what: str) -> Verdict:
    """Compare what a run learnt with what the same plan gives once more; all must be equal to the bit.

    Args:
        first: what the run left behind.
        second: what learning again gave, or how it failed.
        what: how much was done again, in words.
    """
    if isinstance(second, str):
        message = f"what was learnt cannot be learnt again: {second}"
        return base.settle("rerun", what, [Finding("rerun", Severity.ERROR, first.choice, message)])
    findings = []
    if first.choice != second.choice:
        message = f"replaying the plan chose {second.choice}, not {first.choice}"
        findings.append(Finding("rerun", Severity.ERROR, "choice", message))
    elif first.fingerprint != second.fingerprint:
        message = f"replaying the plan gave fingerprint {second.fingerprint[:12]}, not {first.fingerprint[:12]}"
        findings.append(Finding("rerun", Severity.ERROR, first.choice, message))
    if not base.same(first.predictions, second.predictions):
        alike = first.predictions.shape == second.predictions.shape
        gap = float(np.max(np.abs(first.predictions - second.predictions))) if alike else np.nan
        message = f"predictions differ by up to {gap:.3g}"
        findings.append(Finding("rerun", Severity.ERROR, "prediction", message, figure=gap, limit=0.0))
    return base.settle("rerun", what, findings)
