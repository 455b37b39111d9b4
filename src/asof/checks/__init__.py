"""Validation of a source: raw text in, typed rows out, what is refused with its reason, and findings."""

from asof.checks.validation import Validated, gate, lacking, needed, validate

__all__ = ["Validated", "gate", "lacking", "needed", "validate"]
