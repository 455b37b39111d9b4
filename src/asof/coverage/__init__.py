"""Which stretches of time a source covers, and where its rows or its columns break off."""

from asof.coverage.breaks import findings
from asof.coverage.stretches import daily, of

__all__ = ["daily", "findings", "of"]
