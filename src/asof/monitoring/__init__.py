"""Monitoring: whether what is served still looks like what was learnt, told at a stated rate of false alarms."""

from asof.monitoring.alarms import SUDDEN, Alarm, Judged, Test, judge
from asof.monitoring.figures import exposition, notice
from asof.monitoring.promises import Missed, Promise, bias_kept, coverage_kept, missed, read_missed, score_kept
from asof.monitoring.silences import SEASON, counted, silences
from asof.monitoring.stretches import Look, Stretches, clock, columns, looks, means

__all__ = [
    "SEASON",
    "SUDDEN",
    "Alarm",
    "Judged",
    "Look",
    "Missed",
    "Promise",
    "Stretches",
    "Test",
    "bias_kept",
    "clock",
    "columns",
    "counted",
    "coverage_kept",
    "exposition",
    "judge",
    "looks",
    "means",
    "missed",
    "notice",
    "read_missed",
    "score_kept",
    "silences",
]
