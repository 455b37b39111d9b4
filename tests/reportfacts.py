"""Made-up facts of reports: few, all of them, and those of classes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from asof import pages
from asof.data import Finding, Severity

NEW_YORK = ZoneInfo("America/New_York")
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
NEXT = {"type": "MultiPolygon", "coordinates": [[[[1, 0], [2, 0], [2, 1], [1, 1], [1, 0]]]]}


def facts(**changes: object) -> pages.ReportFacts:
    base = pages.ReportFacts(
        project="demo",
        release="demo-20260102T030405Z",
        created=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        predicts="rides per station and day, 1 day ahead",
        unit="rides",
        model="LightGBM with Poisson loss",
        metric="poisson_deviance",
        holdout=pages.Figure(1.0641, 1.049, 1.081),
        baseline=pages.Figure(1.0835, 1.067, 1.1),
        baseline_name="mean of the station",
        skill=pages.Figure(0.0179, 0.0142, 0.0221),
        since=datetime(2019, 9, 1, tzinfo=NEW_YORK),
        until=datetime(2019, 12, 1, tzinfo=NEW_YORK),
        rows=23933,
        zone="America/New_York",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def full(word: str = "word") -> pages.ReportFacts:
    """Every section filled, every text of a user's set to ``word``."""
    starts = [datetime(2019, 9, 1, 4, tzinfo=UTC) + timedelta(days=index) for index in range(30)]
    return facts(
        project=word,
        release=word,
        predicts=word,
        unit=word,
        model=word,
        baseline_name=word,
        cut=datetime(2019, 12, 1, 17, tzinfo=UTC),
        explained=pages.Figure(0.87, 0.84, 0.9),
        ceiling=0.49,
        chance=0.99,
        classes=(word, "other"),
        expected=pages.Figure(1.064, 1.0, 1.2),
        expected_why=word,
        new_places=pages.Figure(-0.02, -0.05, 0.01),
        threshold=0.4,
        limits=(word,),
        importance_of=word,
        optimism=pages.Figure(0.001, -0.003, 0.005),
        folds=pages.Figure(1.066),
        coverage=(0.9, 0.913),
        opened=3,
        promoted=True,
        why=word,
        accepted={"too good": word},
        findings=(Finding("coverage", Severity.NOTE, word, word), Finding("x", Severity.ERROR, word, word, rows=7312)),
        scores=pl.DataFrame(
            {
                "metric": ["rmse", word],
                "value": [1.5, 2.0],
                "low": [1.4, None],
                "high": [1.6, None],
                "baseline": [1.7, None],
            }
        ),
        horizons=pl.DataFrame(
            {
                "horizon": ["1d", word],
                "value": [1.06, 1.07],
                "low": [1.05, None],
                "high": [1.07, None],
                "baseline": [1.08, 1.08],
            }
        ),
        periods=pl.DataFrame(
            {
                "start": starts,
                "observed": [float(i % 7) for i in range(30)],
                "predicted": [3.0] * 30,
                "low": [1.0] * 30,
                "high": [5.0] * 30,
                "error": [1.5] * 30,
                "rule": [2.0] * 30,
            }
        ),
        places=pl.DataFrame(
            {
                "place": [word, "2"],
                "name": [word, word],
                "observed": [1.0, 2.0],
                "predicted": [1.5, None],
                "sure": [True, False],
                "skill": [0.1, -0.2],
                "skill_low": [0.05, None],
                "skill_high": [0.15, None],
            }
        ),
        outlines={word: SQUARE, "2": NEXT},
        calibration=pl.DataFrame(
            {"predicted": [1.0, 2.0], "observed": [1.1, 1.9], "low": [1.0, None], "high": [1.2, None]}
        ),
        pit=pl.DataFrame({"share": [0.25, 0.3, 0.2, 0.25]}),
        leaderboard=pl.DataFrame(
            {
                "candidate": [word, word, "mean"],
                "kind": ["candidate", "candidate", "baseline"],
                "fold": ["1", "2", "1"],
                "value": [1.0, 1.1, 1.2],
                "seconds": [2.0, 3.0, None],
            }
        ),
        chosen=word,
        ensemble={
            "members": 2,
            "single": 1.05,
            "blend": 1.04,
            "gain": 0.01,
            "limit": 0.02,
            "pays": False,
            "single_seconds": [1.0, 0.5],
            "blend_seconds": [2.0, 0.75],
        },
        importance=pl.DataFrame({"feature": [word, "other"], "importance": [0.6, 0.2], "members": [word, ""]}),
        examples=pl.DataFrame(
            {"example": [0], "title": [word], "what": [word], "base": [1.0], "prediction": [1.5], "label": [word]}
        ),
        reasons=pl.DataFrame(
            {"example": [0, 0], "feature": [word, "other"], "value": [word, None], "reason": [0.75, -0.25]}
        ),
        coverages=pl.DataFrame(
            {"by": [word, word], "group": [word, "last"], "rows": [10, 20], "coverage": [0.8, 0.95]}
        ),
        confusion=pl.DataFrame(
            {"truth": [word, word, "other"], "decided": [word, "other", "other"], "rows": [30, 10, 60]}
        ),
        roc=pl.DataFrame({"false": [0.0, 0.1, 1.0], "true": [0.0, 0.8, 1.0]}),
        thresholds=pl.DataFrame(
            {"threshold": [0.4, 0.9], "flagged": [0.7, 0.0], "precision": [0.86, None], "recall": [1.0, 0.0]}
        ),
        audit=pl.DataFrame(
            {
                "check": ["future", "too good", word],
                "answer": ["passed", "failed", word],
                "coverage": [word] * 3,
                "message": [word] * 3,
            }
        ),
        rules=pl.DataFrame({"rule": [word], "figure": [0.0179], "limit": [0.05], "passed": [False]}),
        sources=pl.DataFrame(
            {
                "source": [word],
                "version": [word],
                "read": [10],
                "valid": [9],
                "quarantined": [1],
                "first": [word],
                "last": [word],
                "history": [f"history as corrected by {word}"],
            }
        ),
        quarantine=pl.DataFrame({"source": [word], "reason": [word], "rows": [1]}),
        known_at=f"data as known at {word}",
        fingerprint=word,
        code=word,
    )


def classes(word: str = "word") -> pages.ReportFacts:
    """Rows without place and time that fall into two classes, as folds have judged them."""
    return replace(
        full(word),
        task="class",
        metric="log_loss",
        classes=(word, "other"),
        since=None,
        until=None,
        cut=None,
        opened=0,
        coverage=None,
        coverages=None,
        periods=None,
        horizons=None,
        places=None,
        pit=None,
        explained=None,
        ceiling=None,
        chance=None,
        new_places=None,
        calibration=pl.DataFrame(
            {"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "low": [0.1, 0.7], "high": [0.3, 0.9]}
        ),
        scores=pl.DataFrame(
            {
                "metric": ["log_loss", "accuracy", "auc"],
                "value": [0.45, 0.8, 0.85],
                "low": [0.4, 0.77, None],
                "high": [0.5, 0.83, None],
                "baseline": [0.6, 0.61, 0.5],
            }
        ),
    )
