"""Which stretches of time a source covers, and where its rows or its columns break off."""

from asof.coverage.breaks import findings
from asof.coverage.stretches import of
from asof.coverage.timelines import Timeline, by_day

__all__ = ["Timeline", "by_day", "findings", "of"]
