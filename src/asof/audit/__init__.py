"""The audit: each check is executed on the real project, not argued. One file a check.

A check answers *passed*, *failed*, *could not tell* or *not applicable*, with what it covered. No check knows how a
feature or a model is made: it changes what must not matter, does the same work again, and compares bits; or it
measures, by a figure and its limit.
"""

from asof.audit import drift, fit, future, parity, rerun, split, too_good
from asof.audit.base import Audit, Learnt, Outcome, Rows, Verdict, accept, attempt, excuse, join, untold

__all__ = [
    "Audit",
    "Learnt",
    "Outcome",
    "Rows",
    "Verdict",
    "accept",
    "attempt",
    "drift",
    "excuse",
    "fit",
    "future",
    "join",
    "parity",
    "rerun",
    "split",
    "too_good",
    "untold",
]
