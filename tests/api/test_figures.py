"""Figures of requests, counted as plain numbers, as Prometheus' own parts would tell them."""

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from asof.api.figures import EDGES, Figures


def lines(text: bytes, *names: str) -> list[str]:
    """Those about these figures; when each began is told by Prometheus' own parts alone."""
    written = text.decode().splitlines()
    return sorted(one for one in written if any(name in one for name in names) and "_created" not in one)


def test_requests_and_their_times_are_told_as_by_prometheus_itself() -> None:
    ours, registry = Figures(), CollectorRegistry()
    requests = Counter("asof_requests", "Requests by route and status.", ("route", "status"), registry=registry)
    seconds = Histogram("asof_request_seconds", "Time of a request.", ("route",), buckets=EDGES, registry=registry)
    draw = np.random.default_rng(7)
    for route in ("/ping", "/invocations"):
        # Times on an edge, between edges and beyond them all.
        for spent in [*EDGES[:3], 20.0, *draw.exponential(0.1, 50).tolist()]:
            status = int(draw.choice([200, 422]))
            ours.tell_request(route, status, spent)
            requests.labels(route, str(status)).inc()
            seconds.labels(route).observe(spent)
    names = ("asof_requests_total", "asof_request_seconds", "HELP asof_requests ", "TYPE asof_requests ")
    assert lines(ours.text()[0], *names) == lines(generate_latest(registry), *names)


def test_those_being_answered_are_told_as_they_are_now() -> None:
    figures = Figures()
    figures.running += 2
    assert b"asof_requests_running 2.0" in figures.text()[0]
    figures.running -= 1
    assert b"asof_requests_running 1.0" in figures.text()[0]
