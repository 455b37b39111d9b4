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


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """The facts of one report. What is none or empty leaves its section out."""

    project: str
    release: str
    """Name of the release; empty where none was made."""
    created: datetime
    predicts: str
    """What is predicted, to follow "Predicting": ``collisions per zone and day, 1 to 7 days ahead``."""
    unit: str
    """What one counts or measures, plural: ``collisions``, ``minutes``; for classes what one asks about."""
    task: str = "number"
    """``count``, ``number`` or ``class``."""
    classes: tuple[str, ...] = ()
    """Classes in the order of their codes, where the label is one."""
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
    rows: int
    """Questions judged in the holdout, or in folds where nothing was set aside."""
    repeats: int = 1
    """How often each of them was predicted, where folds were drawn several times."""
    since: datetime | None = None
    """Start of the holdout; none where questions have no time."""
    until: datetime | None = None
    """End of the holdout (exclusive)."""
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
    """How often the holdout has been opened, this time included; 0: nothing was set aside, folds gave the score."""
    apart: bool = False
    """Whether whole places were held out, as if never met, and not periods or rows."""
    chance: float | None = None
    """For counts: what the metric would be if every predicted rate were right, because chance remains."""
    expected: Figure | None = None
    """The metric to expect in the stretch that follows, with the interval that is stated for it."""
    expected_why: str = ""
    """What moves the score from one stretch to the next, in words."""
    new_places: Figure | None = None
    """Skill in places that the model has not learnt from."""
    threshold: float | None = None
    """For two classes: the probability from which the second one is decided on."""
    limits: tuple[str, ...] = ()
    """What the model is not for, beyond what holds for every model: a sentence each."""
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
    """``start`` (UTC), ``observed``, ``predicted``: totals (means where nothing is counted) by period; perhaps ``low``,
    ``high``, and ``error`` with ``rule``: the mean absolute error of the model and of the baseline."""
    places: pl.DataFrame | None = None
    """``place``, ``name``, ``observed``, ``predicted``: means per period; perhaps ``lat``, ``lon``, and ``skill`` with
    ``skill_low`` and ``skill_high``, and ``sure``: whether the difference is more than chance would make."""
    outlines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """GeoJSON geometry (Polygon, MultiPolygon) by place, degrees; without it places are drawn as points."""
    calibration: pl.DataFrame | None = None
    """``predicted``, ``observed``, perhaps ``low``, ``high`` and ``rows``: means by group of prediction; for classes
    probability and share: of two, of the second one; of more, of the one decided on."""
    pit: pl.DataFrame | None = None
    """``share``: shares of the randomised PIT in equal bins from 0 to 1."""
    coverages: pl.DataFrame | None = None
    """``by`` (``places``, ``periods``, ...), ``group``, ``rows``, ``coverage``: labels within their intervals."""
    confusion: pl.DataFrame | None = None
    """``truth``, ``decided`` (names of classes), ``rows``."""
    roc: pl.DataFrame | None = None
    """``false``, ``true``: shares of either class decided to be the second one, at every threshold, rising."""
    thresholds: pl.DataFrame | None = None
    """``threshold``, ``flagged``, ``precision``, ``recall``: what each probability to decide from would mean."""
    leaderboard: pl.DataFrame | None = None
    """``candidate``, ``kind`` (``baseline``, ``candidate``, ``ensemble``), ``fold``, ``value``; perhaps ``seconds``."""
    chosen: str = ""
    """The candidate of the leaderboard that was chosen."""
    ensemble: Mapping[str, Any] | None = None
    """What a blend gains over the best single recipe and what it costs: ``tuning.Offer`` as plain data."""
    importance: pl.DataFrame | None = None
    """``feature``, ``importance``: mean absolute reason in the unit of the prediction; perhaps ``members``, the names
    of the features in it."""
    importance_of: str = ""
    """Of what the importance is told, where it needs saying: the class whose probability is explained."""
    examples: pl.DataFrame | None = None
    """``example`` (number), ``title``, ``what``, ``base``, ``prediction``, ``label``: explained predictions."""
    reasons: pl.DataFrame | None = None
    """``example``, ``feature``, ``value`` (text), ``reason``: what each feature added to or took off the base."""
    audit: pl.DataFrame | None = None
    """``check``, ``answer``, ``coverage``, ``message``; answers are passed, failed, could not tell, not applicable."""
    rules: pl.DataFrame | None = None
    """``rule``, ``figure``, ``limit``, ``passed``: the promotion rules."""
    sources: pl.DataFrame | None = None
    """``source``, ``version``, ``read``, ``valid``, ``quarantined``; perhaps ``first``, ``last`` and ``history``
    (text): by when it was corrected."""
    quarantine: pl.DataFrame | None = None
    """``source``, ``reason``, ``rows``."""
    known_at: str = ""
    """``data as known at T``, where they were looked at as of a moment of the past."""
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
    "coverages": ("by", "group", "rows", "coverage"),
    "confusion": ("truth", "decided", "rows"),
    "roc": ("false", "true"),
    "thresholds": ("threshold", "flagged", "precision", "recall"),
    "examples": ("example", "title", "what", "base", "prediction", "label"),
    "reasons": ("example", "feature", "value", "reason"),
    "leaderboard": ("candidate", "kind", "fold", "value"),
    "importance": ("feature", "importance"),
    "audit": ("check", "answer", "coverage", "message"),
    "rules": ("rule", "figure", "limit", "passed"),
    "sources": ("source", "version", "read", "valid", "quarantined"),
    "quarantine": ("source", "reason", "rows"),
}
"""The columns that each frame must have."""
