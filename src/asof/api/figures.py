"""What a server counts about itself, for Prometheus: one set a server, so that several may stand in one process."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Of times of requests, in seconds."""


@dataclass
class _Route:
    """Requests to one route: plain numbers, since they are counted at every request and told at few."""

    statuses: dict[int, int] = field(default_factory=dict)
    times: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    """Requests that took up to each edge and more than the one before; behind them the longer ones."""
    seconds: float = 0.0


class _Requests:
    """Requests and their times, as Prometheus collects them."""

    def __init__(self) -> None:
        self.routes: dict[str, _Route] = {}

    def collect(self) -> Iterator[Any]:
        """Tell what has been counted."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily("asof_requests", "Requests by route and status.", labels=("route", "status"))
        seconds = HistogramMetricFamily("asof_request_seconds", "Time of a request.", labels=("route",))
        for name, route in self.routes.items():
            for status, count in route.statuses.items():
                requests.add_metric((name, str(status)), count)
            ends = [*(str(float(edge)) for edge in EDGES), "+Inf"]
            seconds.add_metric((name,), list(zip(ends, accumulate(route.times), strict=True)), route.seconds)
        yield from (requests, seconds)


class Figures:
    """Requests, rows and times; see ``text`` for how they are told."""

    def __init__(self) -> None:
        """Make them, all zero."""
        from prometheus_client import CollectorRegistry, Counter, Gauge

        self._registry = CollectorRegistry()
        self._requests = _Requests()
        self._registry.register(self._requests)
        rows = Counter("asof_rows", "Rows by what became of them.", ("outcome",), registry=self._registry)
        self.answered, self.refused = rows.labels("answered"), rows.labels("refused")
        self.running = 0
        """Requests being answered."""
        now = Gauge("asof_requests_running", "Requests being answered.", registry=self._registry)
        now.set_function(lambda: self.running)
        self.renewals = Counter("asof_renewals", "Newer releases or data taken up.", registry=self._registry)
        self.troubled = Gauge(
            "asof_renewal_failing", "1 while newer data or a newer release cannot be taken up.", registry=self._registry
        )
        self._kept = Counter(
            "asof_answers_kept", "Answers by what became of them in the store.", ("outcome",), registry=self._registry
        )
        self._counted = {"written": 0, "lost": 0}
        self._release = Gauge(
            "asof_release_info", "The release that answers.", ("release", "fingerprint"), registry=self._registry
        )
        self._known_until = Gauge(
            "asof_known_until_seconds",
            "Last moment of prediction that is answered (Unix time).",
            registry=self._registry,
        )

    def tell_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered with ``status``, within so many seconds."""
        told = self._requests.routes.get(route)
        if told is None:
            told = self._requests.routes[route] = _Route()
        told.statuses[status] = told.statuses.get(status, 0) + 1
        told.times[bisect.bisect_left(EDGES, seconds)] += 1
        told.seconds += seconds

    def tell(self, standing: Any) -> None:
        """Say which release answers, and up to when."""
        self._release.clear()
        release = standing.oracle.release
        self._release.labels(release.name, release.fingerprint[:16]).set(1)
        if standing.prepared.panel.timed:
            self._known_until.set(standing.prepared.last.timestamp())

    def count(self, logbook: Any) -> None:
        """Say how many answers have been kept, and how many were lost; nothing where none is kept."""
        if logbook is None:
            return
        for outcome, now in (("written", logbook.kept), ("lost", logbook.lost)):
            self._kept.labels(outcome).inc(now - self._counted[outcome])
            self._counted[outcome] = now

    def text(self) -> tuple[bytes, str]:
        """Figures in Prometheus' text format, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST
