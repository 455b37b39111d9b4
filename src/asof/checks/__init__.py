"""Validation of a source: raw text in, typed rows out, what is refused with its reason, and findings."""

from asof.checks.cells import first_text
from asof.checks.validation import Validated, gate, lacking, needed, validate

__all__ = ["Validated", "first_text", "gate", "lacking", "needed", "validate"]
