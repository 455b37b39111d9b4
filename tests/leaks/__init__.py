"""Planted leaks: each as it happens in practice, beside its clean twin."""
