"""Tests of the audit, one file a check."""
