"""Validation of a source: raw text in, typed rows out, what is refused with its reason, and findings."""

from asof.checks.cells import Known, first_text
from asof.checks.facts import Facts, together
from asof.checks.merging import Part, merged
from asof.checks.origins import lost
from asof.checks.validation import Tally, Validated, gate, lacking, look, needed, validate

__all__ = [
    "Facts",
    "Known",
    "Part",
    "Tally",
    "Validated",
    "first_text",
    "gate",
    "lacking",
    "look",
    "lost",
    "merged",
    "needed",
    "together",
    "validate",
]
