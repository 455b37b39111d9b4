"""Watching: what is served against what was learnt, and against what the release promised as truth arrives."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import metrics, monitoring
from asof.errors import DataError
from asof.flows import asking, drifting, evidence, looking, oracles, outcomes, recording, running
from asof.flows.drifting import SHARES, Drift
from asof.flows.history import WATCH
from asof.flows.looking import SCALES, Laid
from asof.flows.oracles import CHANCE, Oracle
from asof.flows.preparation import Prepared
from asof.flows.recording import RESULT
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.metrics import Metric
from asof.monitoring import Judged, Promise

RATE = 0.01
"""False alarms a look, of all tests together."""
WINDOW_DAYS = 28
"""Looked at are the questions of so many days, the latest, where nothing else is asked for."""
LATE = 0.1
"""Answers remade with the data as they are now differ by less than this part of their spread, or data came late."""
SHOWN = 12


@dataclass(frozen=True)
class Wish:
    """What shall be looked at."""

    release: str = "champion"
    since: str | None = None
    rate: float = RATE


def watch(
    workspace: Workspace,
    wish: Wish,
    draw: Callable[[pl.DataFrame, pl.DataFrame], None] | None = None,
) -> dict[str, Any]:
    """Look once; ``refused`` says that something alarms.

    Args:
        workspace: the project, its data as they have been taken in.
        wish: which release, since when, at which rate of false alarms.
        draw: draws a report of features served and features learnt from.

    Raises:
        DataError: no such release, a rate that is none, or features that the project no longer makes.
    """
    if not 0 < wish.rate < 1:
        message = f"--rate {wish.rate:g}: expected a share between 0 and 1, such as 0.01"
        raise DataError(message)
    with workspace.hold("watch"):
        if wish.release == "champion" and workspace.registry.find("champion") is None:
            return _calm(workspace, wish, None, "there is no champion yet: `asof run` makes one")
        oracle = oracles.open_release(workspace, wish.release)
        kept = workspace.lake.predictions()
        name = oracle.release.name
        mine = kept.filter(pl.col("release") == name, pl.col("reason").is_null()) if kept is not None else None
        mine = _foresaid(oracle, mine) if mine is not None else None
        if mine is None or mine.height == 0:
            return _calm(workspace, wish, name, f"nothing has been served by {name} yet")
        _, prepared = running.take_in(workspace, fresh=False)
        served = _since(prepared, mine, wish.since)
        if served.height == 0:
            return _calm(workspace, wish, name, f"nothing has been served by {name} since {wish.since}")
        if outcomes.with_truth(prepared, served).height == 0:
            return _calm(workspace, wish, name, "none of the rows that were asked about is in its source yet")
        with workspace.stages("look") as stage:
            told = _look(workspace, prepared, oracle, (served, wish), draw)
            stage.note = told["why"]
        workspace.registry.decide({"kind": WATCH, "at": workspace.clock().isoformat(), **told})
    return {**told, "seconds": dict(workspace.stages.seconds)}


def looks(workspace: Workspace, release: str) -> list[dict[str, Any]]:
    """What earlier looks at what ``release`` served told, oldest first: each as ``watch`` gave it, with ``at``."""
    kept = workspace.registry.decisions()
    return [one for one in kept if one.get("kind") == WATCH and one.get("release") == release]


def write_figures(told: Mapping[str, Any], file: Path, now: datetime) -> None:
    """Write the figures of a look as Prometheus reads them, whole or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(monitoring.exposition(told, now), encoding="utf-8")
    draft.replace(file)


def _calm(workspace: Workspace, wish: Wish, release: str | None, why: str) -> dict[str, Any]:
    told = {"project": workspace.spec.name, "release": release, "rate": wish.rate, "served": 0, "known": 0}
    return {**told, "alarms": [], "tests": [], "promises": [], "why": why, "refused": False}


def _foresaid(oracle: Oracle, kept: pl.DataFrame) -> pl.DataFrame:
    """Answers that the release did not give from memory, in the order in which they were given."""
    if "learnt" in kept.columns:
        kept = kept.filter(~pl.col("learnt").fill_null(value=False))
    if "end" in kept.columns and "unit" not in kept.columns:
        kept = kept.filter(pl.col("end") > datetime.fromisoformat(oracle.release.facts["cut"]))
    return kept.sort("moment", nulls_last=False, maintain_order=True) if "moment" in kept.columns else kept


def _since(prepared: Prepared, served: pl.DataFrame, since: str | None) -> pl.DataFrame:
    served = served.unique(oracles.identity(prepared.panel), keep="first", maintain_order=True)
    if not prepared.panel.timed:
        if since is not None:
            message = f"rows of {prepared.panel.source} have no time: leave out --since"
            raise DataError(message)
        return served
    latest = served["as_of"].max()
    assert isinstance(latest, datetime)  # noqa: S101 - a timed question has a moment
    begun = asking.moment(since, prepared.panel.zone) if since else latest - timedelta(days=WINDOW_DAYS)
    return served.filter(pl.col("as_of") >= begun)


def _look(
    workspace: Workspace,
    prepared: Prepared,
    oracle: Oracle,
    what: tuple[pl.DataFrame, Wish],
    draw: Callable[[pl.DataFrame, pl.DataFrame], None] | None,
) -> dict[str, Any]:
    served, wish = what
    answered = outcomes.with_truth(prepared, served)
    known = answered.filter(pl.col("label").is_not_null())
    laid = looking.lay(workspace, prepared, oracle, answered)
    drifts = drifting.judge(workspace, prepared, oracle, laid, wish.rate)
    silent = drifting.silent(prepared, oracle, answered, wish.rate)
    promises = _promises(workspace, prepared, oracle, known, wish.rate)
    if draw is not None:
        _draw(laid, draw)
    tests = _every([*drifts, *silent])
    alarms = [_said(one["name"], one) for one in [*tests, *promises] if one["alarm"]]
    late = _late(oracle, answered, laid)
    if late is not None and late["figure"] > LATE:
        alarms.append(_said("late", late))
    nearest = max((drift.judged for drift in drifts), key=lambda one: one.strength - one.needed)
    untold = [] if np.isfinite(nearest.needed) else [_too_little(nearest)]
    untold += [] if promises else ["too little truth is known yet to judge error and coverage"]
    made: dict[str, Any] = recording.finite(
        {
            "project": workspace.spec.name,
            "release": oracle.release.name,
            "rate": wish.rate,
            "drift_rate": wish.rate * drifting.DRIFT,
            "served": served.height,
            "known": known.height,
            "since": served["as_of"].min() if prepared.panel.timed else None,
            "until": served["as_of"].max() if prepared.panel.timed else None,
            "looks": nearest.looks,
            "strength": nearest.strength,
            "needed": nearest.needed,
            "tests": tests[: max(SHOWN, sum(one["alarm"] for one in tests))],
            "promises": promises,
            "late": late,
            "untold": untold,
            "alarms": alarms,
            "why": f"{len(alarms)} alarms: {alarms[0]['message']}" if alarms else "calm",
            "refused": bool(alarms),
        }
    )
    return made


def _every(drifts: Sequence[Drift]) -> list[dict[str, Any]]:
    """Tests of all scales, alarms first, then the strangest; each once, at the scale at which it is strangest."""
    found = [{**asdict(one), "days": drift.days} for drift in drifts for one in drift.judged.tests]
    found.sort(key=lambda one: (not one["alarm"], one["p"]))
    return list({one["name"]: one for one in reversed(found)}.values())[::-1]


def _draw(laid: Laid, draw: Callable[[pl.DataFrame, pl.DataFrame], None]) -> None:
    """Draw the features of what was served beside those that were learnt from last."""
    scale = laid.scales[0]
    first = scale.looks[0].learnt if scale.looks else ()
    sides = (scale.stretches.number == 0, np.isin(scale.stretches.number, first))
    served, learnt = (laid.features[scale.rows[side]] for side in sides)
    draw(served, learnt)


def _too_little(judged: Judged) -> str:
    return (
        f"what was learnt from holds {math.floor(judged.looks)} earlier looks that do not overlap, too few to know "
        f"how far stretches usually differ; expected at least {monitoring.alarms.LEAST_LOOKS}"
    )


def _promises(
    workspace: Workspace, prepared: Prepared, oracle: Oracle, known: pl.DataFrame, rate: float
) -> list[dict[str, Any]]:
    """Score, coverage and bias of what was served, beside what the release promised."""
    if known.height == 0:
        return []
    result: Mapping[str, Any] = json.loads(oracle.release.text(RESULT))
    found: list[Promise | None] = []
    measure = _measure(workspace, oracle)
    label = known["label"].cast(pl.Float64).to_numpy()
    told = _chances(oracle, known)
    figure = measure(label, told)
    timed = prepared.panel.timed
    periods = known["start"].n_unique() if timed else known.height
    share = min(1.0, periods / max(_judged_periods(oracle), 1)) if timed else 1.0
    expected = result.get("expected") or {}
    if periods >= monitoring.promises.LEAST_PERIODS:
        found.append(
            monitoring.score_kept(
                figure,
                {name: expected.get(name) for name in ("value", "low", "high")},
                share=share,
                rate=rate * SHARES["error"],
                loss=not measure.greater_is_better,
            )
        )
    if isinstance(oracle.calibration, Calibration):
        promised = min(oracle.calibration.level, result.get("coverage") or 1.0)
        judged = known.with_columns(_days(prepared, known).alias("start")) if timed else known.with_row_index("start")
        found.append(monitoring.coverage_kept(judged, promised, rate * SHARES["coverage"]))
    whole = [{**asdict(one), "days": 0} for one in found if one is not None]
    return whole + _biases(prepared, oracle, (known, label, told), rate)


def _days(prepared: Prepared, answers: pl.DataFrame) -> pl.Series:
    """Local day of each answer's period."""
    return answers["start"].dt.convert_time_zone(prepared.panel.zone).dt.date()


def _chances(oracle: Oracle, known: pl.DataFrame) -> np.ndarray:
    """What was told: numbers, or the chances of all classes."""
    chances = [f"{CHANCE}{name}" for name in oracle.classes]
    return known.select(chances).to_numpy() if chances else known["prediction"].cast(pl.Float64).to_numpy()


def _biases(
    prepared: Prepared, oracle: Oracle, known: tuple[pl.DataFrame, np.ndarray, np.ndarray], rate: float
) -> list[dict[str, Any]]:
    """What answers missed on the whole in the last day, week and four weeks; none where the release keeps nothing."""
    answers, label, told = known
    try:
        past = monitoring.read_missed(json.loads(oracle.release.text(evidence.MISSED)))
    except (DataError, FileNotFoundError, KeyError):  # of an earlier version, without times, or of many classes
        return []
    if told.ndim == 2:
        told = told[:, 1]
    served = monitoring.missed(_days(prepared, answers), label, told)
    found: dict[float, dict[str, Any]] = {}
    for scale in SCALES:
        one = monitoring.bias_kept(served, past, scale, rate * SHARES["bias"] / len(SCALES))
        if one is not None:
            found[one.p] = {**asdict(one), "days": scale}
    alarming = [one for one in found.values() if one["alarm"]]
    return alarming[:1] or ([found[min(found)]] if found else [])


def _measure(workspace: Workspace, oracle: Oracle) -> Metric:
    measure = metrics.find(oracle.release.facts["metric"], metrics.owned(workspace.plugins.metrics))
    if measure.decides and not isinstance(oracle.calibration, Calibration):
        return metrics.deciding(measure, oracle.calibration.decide)
    return measure


def _judged_periods(oracle: Oracle) -> int:
    """Days of the holdout, for want of its periods."""
    begun, ended = (oracle.release.facts.get(name) for name in ("holdout_cut", "cut"))
    if not begun or not ended:
        return 1
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).days


def _late(oracle: Oracle, answered: pl.DataFrame, laid: Laid) -> dict[str, Any] | None:
    """How far answers remade with the data as they are now are from those that were given."""
    if oracle.classes or laid.told.ndim > 1:
        return None
    on = [name for name in ("unit", "place", "start", "as_of", "horizon") if name in laid.questions.columns]
    on = [name for name in on if name in answered.columns]
    scale = laid.scales[0]
    now = laid.questions.with_columns(_now=pl.Series(laid.told))[scale.rows[scale.stretches.number == 0]]
    both = answered.join(now.select([*on, "_now"]), on=on, nulls_equal=True)
    if both.height == 0:
        return None
    given, remade = both["prediction"].to_numpy(), both["_now"].to_numpy()
    spread = float(np.std(laid.told)) or 1.0
    figure = float(np.mean(np.abs(given - remade))) / spread
    return {
        "figure": figure,
        "usual": 0.0,
        "limit": LATE,
        "changed": int((np.abs(given - remade) > 1e-6 * spread).sum()),
    }


def _said(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm in words and figures."""
    kind, _, subject = name.partition(" ")
    figure, limit = figures["figure"], figures["limit"]
    words = {
        "input": f"{subject} takes other values than what was learnt from: distance {figure:.2f}",
        "level": f"{subject} moved by {figure:+.2f} of its spread",
        "new": f"{subject} held a text that had never been met, on {figure:.0f} days (or rows without a time)",
        "silent": f"no row came {subject} while {figure:.0f} were to be expected",
        "stuck": f"{subject} stands still: the share of its values that repeat the one before rose by {figure:.1%}",
        "clock": "the day of what happened fits better when it is moved by an hour: a clock is wrong",
        "bias": f"on the whole what happened differs from what was predicted by {figure:+.2g}",
        "missing": f"the share of missing values of {subject} rose by {figure:.1%}",
        "prediction": f"predictions{' ' + subject if subject else ''} moved by {figure:+.2f} of their spread",
        "truth": f"what happened{' ' + subject if subject else ''} moved by {figure:+.2f} of its spread",
        "error": f"the error is {figure:.4g}",
        "coverage": f"{figure:.1%} of what happened lies within its interval",
        "late": f"answers remade with the data of now differ by {figure:.0%} of their spread: data came late, or "
        "were corrected",
    }[kind]
    return {"test": name, "message": f"{words} (alarms beyond {limit:.4g})", **figures}
