"""Planted leaks kept aside from the making of the checks: each as it happens in practice, beside its clean twin."""
