"""Monitoring: whether what is served still looks like what was learnt, told at a stated rate of false alarms."""

from asof.monitoring.alarms import Alarm, Judged, Test, judge
from asof.monitoring.figures import exposition, notice
from asof.monitoring.promises import Promise, coverage_kept, score_kept
from asof.monitoring.stretches import Look, Stretches, columns, looks, means

__all__ = [
    "Alarm",
    "Judged",
    "Look",
    "Promise",
    "Stretches",
    "Test",
    "columns",
    "coverage_kept",
    "exposition",
    "judge",
    "looks",
    "means",
    "notice",
    "score_kept",
]
