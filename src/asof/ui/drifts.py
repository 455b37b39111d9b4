"""What a release answers in use: its error as truth arrives, and what looks at it (`asof watch`) have found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from asof.flows import outcomes, reporting, watching
from asof.intervals import Calibration
from asof.ui.sights import Sight

KINDS = {
    "input": "Values of",
    "level": "Mean of",
    "missing": "Missing values of",
    "new": "Days (rows, without a time) with values never met of",
    "silent": "Rows missed",
    "stuck": "Standing still:",
    "clock": "Clock",
    "bias": "Bias, on the whole",
    "prediction": "Predictions",
    "truth": "What came",
    "error": "Error",
    "coverage": "Truths within their interval",
    "late": "Answers made anew",
}
"""What tests are about, by how their names begin."""


@dataclass(frozen=True)
class Errors:
    """How far off a release was, by period."""

    judged: pl.DataFrame | None
    """When it was judged: see ``outcomes.by_period``; none where it has no time, or its answers were not kept."""
    served: pl.DataFrame | None
    """Since it answers; none where no truth is known yet."""
    answers: int
    """That it has given."""
    known: int
    """Of these, whose truth is known."""
    level: float | None
    """Share of truths that intervals promise to hold; none for classes."""
    measure: str
    """What an error is, in words."""


@dataclass(frozen=True)
class Test:
    """A test of a look, in words."""

    __test__ = False  # no test of pytest
    about: str
    subject: str
    """A feature, as the project calls it; else empty."""
    figure: float
    usual: float | None
    limit: float
    alarm: bool


def errors(sight: Sight) -> Errors:
    """Join what was answered with what came of it."""
    standing = sight.standing
    prepared, oracle = standing.prepared, standing.oracle
    served = outcomes.served(sight.workspace, prepared, sight.release.name)
    known = 0 if served is None else served.height - served["label"].null_count()
    interval = isinstance(oracle.calibration, Calibration)
    unit = reporting.unit(prepared)
    return Errors(
        outcomes.judged(prepared, sight.release),
        None if served is None else outcomes.by_period(prepared, served),
        0 if served is None else served.height,
        known,
        oracle.calibration.level if isinstance(oracle.calibration, Calibration) else None,
        f"mean miss, {unit}" if interval else "share put into the wrong class",
    )


def looks(sight: Sight) -> list[dict[str, Any]]:
    """Looks at what this release has answered, newest first, each as ``asof watch`` told it."""
    return watching.looks(sight.workspace, sight.release.name)[::-1]


def look(sight: Sight) -> Mapping[str, Any]:
    """Look now, as ``asof watch`` does; what is found is kept.

    Raises ``AsofError`` where another command holds the project, or the release needs other features.
    """
    return watching.watch(sight.workspace, watching.Wish(sight.which))


def tests(sight: Sight, told: Mapping[str, Any]) -> list[Test]:
    """List what was promised, then the tests of a look, the strangest first."""
    called = sight.standing.prepared.panel.places.called
    return [_test(one, called) for one in [*told["promises"], *told["tests"]]]


def _test(one: Mapping[str, Any], called: Mapping[str, str]) -> Test:
    kind, _, subject = str(one["name"]).partition(" ")
    about = KINDS.get(kind, kind)
    if subject.startswith("at "):
        place = subject.removeprefix("at ")
        about, subject = f"{about} at {called.get(place, place)}", ""
    elif kind in {"prediction", "truth"} and subject:
        about, subject = f"{about}: {subject}", ""
    usual = one.get("promised", one.get("usual"))
    return Test(about, subject, one["figure"], usual, one["limit"], bool(one["alarm"]))


def rate(told: Mapping[str, Any]) -> str:
    """Say how often a look alarms though nothing is wrong."""
    share = float(told["rate"])
    return f"one look in {1 / share:,.0f} alarms though nothing is wrong, all its tests together"
