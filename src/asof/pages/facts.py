"""What a report is made of: plain numbers, texts and tidy frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from asof.data import Finding
from asof.errors import DataError


@dataclass(frozen=True)
class Figure:
    """A number with its interval; both bounds are none where there is no interval. NaN counts as unknown."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ReportFacts:
    """The facts of one report. What is none or empty leaves its section out."""

    project: str
    release: str
    """Name of the release; empty where none was made."""
    created: datetime
    predicts: str
    """What is predicted, to follow "Predicts": ``collisions per zone and day, 1 to 7 days ahead``."""
    unit: str
    """What one counts or measures, plural: ``collisions``, ``minutes``."""
    model: str
    """The chosen recipe in words: ``LightGBM, Poisson loss``."""
    metric: str
    """Name of the metric that the choice was made by."""
    holdout: Figure
    """That metric on the holdout."""
    baseline: Figure
    baseline_name: str
    """The best of the baselines in words: ``mean of the place and weekday``."""
    skill: Figure
    """Share of the baseline's loss that the model saves."""
    since: datetime
    """Start of the holdout."""
    until: datetime
    """End of the holdout (exclusive)."""
    rows: int
    """Questions judged in the holdout."""
    zone: str = "UTC"
    """Zone in which times are shown."""
    greater_is_better: bool = False
    level: float = 0.95
    """Level of the intervals of scores."""
    cut: datetime | None = None
    """The released model has learnt what was known at this moment (after its refit)."""
    explained: Figure | None = None
    """Share of the explainable variance that is explained."""
    ceiling: float | None = None
    """Largest R2 that counting noise leaves possible."""
    optimism: Figure | None = None
    """Skill of the folds less skill of the holdout."""
    folds: Figure | None = None
    """The metric over the folds."""
    coverage: tuple[float, float] | None = None
    """Share of labels within the prediction intervals: as promised, as found on the holdout."""
    opened: int = 1
    """How often these periods have been opened, this time included."""
    promoted: bool | None = None
    """None: not decided."""
    why: str = ""
    """Why it was or was not promoted."""
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Findings of the audit that the owner accepted, with the reason."""
    findings: tuple[Finding, ...] = ()
    scores: pl.DataFrame | None = None
    """``metric``, ``value``, ``low``, ``high``, ``baseline``: all metrics on the holdout."""
    horizons: pl.DataFrame | None = None
    """``horizon``, ``value``, ``low``, ``high``, ``baseline``: the metric by horizon, nearest first."""
    periods: pl.DataFrame | None = None
    """``start`` (UTC), ``observed``, ``predicted``: totals over all places by period; perhaps ``low``, ``high``."""
    places: pl.DataFrame | None = None
    """``place``, ``name``, ``observed``, ``predicted``: means per period; perhaps ``lat``, ``lon``."""
    outlines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """GeoJSON geometry (Polygon, MultiPolygon) by place, degrees; without it places are drawn as points."""
    calibration: pl.DataFrame | None = None
    """``predicted``, ``observed``, perhaps ``low``, ``high`` and ``rows``: means by group of prediction."""
    pit: pl.DataFrame | None = None
    """``share``: shares of the randomised PIT in equal bins from 0 to 1."""
    leaderboard: pl.DataFrame | None = None
    """``candidate``, ``kind`` (``baseline``, ``candidate``, ``ensemble``), ``fold``, ``value``; perhaps ``seconds``."""
    chosen: str = ""
    """The candidate of the leaderboard that was chosen."""
    importance: pl.DataFrame | None = None
    """``feature``, ``importance`` (largest first): how much worse the score gets without it, or shares of gain."""
    audit: pl.DataFrame | None = None
    """``check``, ``answer``, ``coverage``, ``message``; answers are passed, failed, could not tell, not applicable."""
    rules: pl.DataFrame | None = None
    """``rule``, ``figure``, ``limit``, ``passed``: the promotion rules."""
    sources: pl.DataFrame | None = None
    """``source``, ``version``, ``read``, ``valid``, ``quarantined``; perhaps ``first``, ``last`` (text)."""
    quarantine: pl.DataFrame | None = None
    """``source``, ``reason``, ``rows``."""
    corrected: str = ""
    """Date by which a source's history has been corrected, where it was."""
    fingerprint: str = ""
    code: str = ""
    """Version of this program."""

    def __post_init__(self) -> None:
        """Refuse a frame that lacks a column: ``DataError`` naming it."""
        for name, needed in COLUMNS.items():
            frame = getattr(self, name)
            missing = [] if frame is None else [column for column in needed if column not in frame.columns]
            if missing:
                message = f"report: {name} lacks the column(s) {', '.join(missing)}; it has {', '.join(frame.columns)}"
                raise DataError(message)

    def shown(self, name: str) -> pl.DataFrame | None:
        """Return the frame ``name``, or none where it is none or has no rows."""
        frame: pl.DataFrame | None = getattr(self, name)
        return None if frame is None or frame.is_empty() else frame


COLUMNS = {
    "scores": ("metric", "value", "low", "high", "baseline"),
    "horizons": ("horizon", "value", "low", "high", "baseline"),
    "periods": ("start", "observed", "predicted"),
    "places": ("place", "name", "observed", "predicted"),
    "calibration": ("predicted", "observed"),
    "pit": ("share",),
    "leaderboard": ("candidate", "kind", "fold", "value"),
    "importance": ("feature", "importance"),
    "audit": ("check", "answer", "coverage", "message"),
    "rules": ("rule", "figure", "limit", "passed"),
    "sources": ("source", "version", "read", "valid", "quarantined"),
    "quarantine": ("source", "reason", "rows"),
}
"""The columns that each frame must have."""
