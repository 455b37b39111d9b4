"""Tests of the examples, each run as it lies in the repository."""
