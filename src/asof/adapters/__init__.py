"""Adapters: each fills a port for one service, and is the only place that imports it."""
