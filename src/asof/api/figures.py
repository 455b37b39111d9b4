"""What a server counts about itself, for Prometheus: one set a server, so that several may stand in one process."""

from typing import Any


class Figures:
    """Requests, rows and times; see ``text`` for how they are told."""

    def __init__(self) -> None:
        """Make them, all zero."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        edges = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
        self._requests = Counter(
            "asof_requests", "Requests by route and status.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "asof_request_seconds", "Time of a request.", ("route",), buckets=edges, registry=self._registry
        )
        rows = Counter("asof_rows", "Rows by what became of them.", ("outcome",), registry=self._registry)
        self.answered, self.refused = rows.labels("answered"), rows.labels("refused")
        self.running = Gauge("asof_requests_running", "Requests being answered.", registry=self._registry)
        self.renewals = Counter("asof_renewals", "Newer releases or data taken up.", registry=self._registry)
        self.troubled = Gauge(
            "asof_renewal_failing", "1 while newer data or a newer release cannot be taken up.", registry=self._registry
        )
        self._kept = Counter(
            "asof_answers_kept", "Answers by what became of them in the store.", ("outcome",), registry=self._registry
        )
        self._counted = {"written": 0, "lost": 0}
        self._ways: dict[tuple[str, int], tuple[Any, Any]] = {}
        """Counter and histogram by route and status: there are few of either."""
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
        way = self._ways.get((route, status))
        if way is None:
            way = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._ways[route, status] = way
        way[0].inc()
        way[1].observe(seconds)

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
