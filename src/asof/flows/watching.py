"""Watching: what is served against what was learnt, and against what the release promised as truth arrives."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import explanation, metrics, monitoring
from asof.errors import DataError
from asof.flows import asking, looking, outcomes, predicting, preparation, reasoning, recording, running
from asof.flows.history import WATCH
from asof.flows.looking import Laid
from asof.flows.predicting import CHANCE, Oracle
from asof.flows.preparation import Prepared
from asof.flows.recording import RESULT
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.metrics import Metric
from asof.monitoring import Judged, Promise, Test

RATE = 0.01
"""False alarms a look, of all tests together."""
WINDOW_DAYS = 28
"""Looked at are the questions of so many days, the latest, where nothing else is asked for."""
SHARES = {"input": 0.35, "prediction": 0.25, "truth": 0.2, "error": 0.1, "coverage": 0.1}
"""How the rate is shared out."""
YEAR_DAYS = 364
UNSEEN = 2.0
"""With less than a year of history stretches are taken to move so many times as far as was seen: the rest of the year
is not in it."""
LATE = 0.1
"""Answers remade with the data as they are now differ by less than this part of their spread, or data came late."""
BY_TIME = ("calendar", "place")
"""Lookups whose features tell when and where is asked, not what is known: they differ by nature."""
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
        oracle = predicting.open_release(workspace, wish.release)
        kept = workspace.lake.predictions()
        name = oracle.release.name
        mine = kept.filter(pl.col("release") == name, pl.col("reason").is_null()) if kept is not None else None
        if mine is None or mine.height == 0:
            return _calm(workspace, wish, name, f"nothing has been served by {name} yet")
        _, prepared = running.take_in(workspace, fresh=False)
        served = _since(prepared, mine, wish.since)
        if served.height == 0:
            return _calm(workspace, wish, name, f"nothing has been served by {name} since {wish.since}")
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


def _since(prepared: Prepared, served: pl.DataFrame, since: str | None) -> pl.DataFrame:
    served = served.unique(predicting.identity(prepared.panel), keep="first", maintain_order=True)
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
    judged, rate = _judge(workspace, prepared, oracle, laid, wish.rate)
    promises = _promises(workspace, oracle, known, wish.rate)
    if draw is not None:
        new = laid.stretches.number == 0
        first = laid.looks[0].learnt if laid.looks else ()
        draw(laid.features.filter(new), laid.features.filter(np.isin(laid.stretches.number, first)))
    alarms = [_said(one.name, asdict(one)) for one in judged.alarms]
    alarms += [_said(one.name, asdict(one)) for one in promises if one.alarm]
    late = _late(oracle, answered, laid)
    if late is not None and late["figure"] > LATE:
        alarms.append(_said("late", late))
    untold = [] if np.isfinite(judged.needed) else [_too_little(judged)]
    untold += [] if promises else ["too little truth is known yet to judge error and coverage"]
    made: dict[str, Any] = recording.finite(
        {
            "project": workspace.spec.name,
            "release": oracle.release.name,
            "rate": wish.rate,
            "drift_rate": rate,
            "served": served.height,
            "known": known.height,
            "since": served["as_of"].min() if prepared.panel.timed else None,
            "until": served["as_of"].max() if prepared.panel.timed else None,
            "looks": judged.looks,
            "strength": judged.strength,
            "needed": judged.needed,
            "tests": [asdict(one) for one in judged.tests[:SHOWN]],
            "promises": [asdict(one) for one in promises],
            "late": late,
            "untold": untold,
            "alarms": alarms,
            "why": f"{len(alarms)} alarms: {alarms[0]['message']}" if alarms else "calm",
            "refused": bool(alarms),
        }
    )
    return made


def _too_little(judged: Judged) -> str:
    return (
        f"what was learnt from holds {judged.looks:.1f} earlier looks that do not overlap, too few to know how far "
        f"stretches usually differ; expected at least {monitoring.alarms.LEAST_LOOKS}"
    )


def _judge(workspace: Workspace, prepared: Prepared, oracle: Oracle, laid: Laid, rate: float) -> tuple[Judged, float]:
    """All tests of drift together, at their part of the rate."""
    groups: Sequence[str] = () if prepared.panel.places.kind == "all" else laid.questions["place"].to_list()
    found: list[Test] = []
    weights = _weights(workspace, prepared, oracle, laid)
    found += _shared(monitoring.columns(laid.features, laid.stretches, laid.looks, weights), SHARES["input"])
    told = laid.told if laid.told.ndim == 2 else laid.told[:, None]
    names = [f"prediction {name}" for name in oracle.classes] if oracle.classes else ["prediction"]
    for at, name in enumerate(names):
        made = monitoring.means(name, told[:, at], groups, laid.stretches, laid.looks)
        found += _shared(made, SHARES["prediction"] / len(names))
    truth = _truth(laid)
    if np.isfinite(truth[laid.stretches.number == 0]).any():
        made = monitoring.means("truth", truth, groups, laid.stretches, laid.looks)
        found += _shared(made, SHARES["truth"])
    part = SHARES["input"] + SHARES["prediction"] + SHARES["truth"]
    steps = [look.served for look in laid.looks]
    unseen = UNSEEN if prepared.panel.timed and _days(laid) < YEAR_DAYS else 1.0
    return monitoring.judge(found, steps, laid.length, rate * part, unseen), rate * part


def _days(laid: Laid) -> float:
    """Days that the earlier looks span."""
    begun = laid.questions.filter(laid.stretches.number > 0)["start"]
    first, last = begun.min(), begun.max()
    return (last - first) / timedelta(days=1) if isinstance(first, datetime) and isinstance(last, datetime) else 0.0


def _shared(tests: Sequence[Test], share: float) -> list[Test]:
    total = sum(one.weight for one in tests)
    return [replace(one, weight=one.weight * share / total) for one in tests]


def _truth(laid: Laid) -> np.ndarray:
    """Labels; of earlier stretches those only whose counterpart among what was served is known."""
    truth = laid.questions["label"].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    rows = np.bincount(laid.stretches.number)
    if (rows == rows[0]).all():  # stretches are the same questions at other times
        unknown = ~np.isfinite(truth[: rows[0]])
        truth[np.tile(unknown, len(rows))] = np.nan
    return truth


def _weights(workspace: Workspace, prepared: Prepared, oracle: Oracle, laid: Laid) -> dict[str, float]:
    """How much the model goes by each feature that does not tell the time by nature."""
    learnt = laid.features.filter(laid.stretches.number > 0)
    if learnt.height == 0:
        return {}
    model, label = reasoning.Told(oracle), 1 if oracle.classes else None
    usual = explanation.usual(model, learnt, label=label)
    count = explanation.affordable(len(list(model.columns)))
    asked = learnt.sample(min(count, learnt.height), seed=workspace.spec.train.seed)
    seed = workspace.spec.train.seed
    table = explanation.importance(explanation.explain(model, asked, usual, seed=seed, label=label))
    one = laid.questions[:1].select(preparation.asked_columns(laid.questions))
    natural = {
        name
        for lookup in prepared.lookups
        if lookup.name in BY_TIME
        for name in lookup.read(one, prepared.past).columns
    }
    return {name: share for name, share in table.select("feature", "share").iter_rows() if name not in natural}


def _promises(workspace: Workspace, oracle: Oracle, known: pl.DataFrame, rate: float) -> list[Promise]:
    """Score and coverage of what was served, beside what the release promised."""
    if known.height == 0:
        return []
    result: Mapping[str, Any] = json.loads(oracle.release.text(RESULT))
    found: list[Promise | None] = []
    measure = _measure(workspace, oracle)
    chances = [f"{CHANCE}{name}" for name in oracle.classes]
    told = known.select(chances).to_numpy() if chances else known["prediction"].cast(pl.Float64).to_numpy()
    figure = measure(known["label"].cast(pl.Float64).to_numpy(), told)
    timed = known["start"].null_count() == 0 if "start" in known.columns else False
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
        judged = known if timed else known.with_row_index("start")
        found.append(monitoring.coverage_kept(judged, promised, rate * SHARES["coverage"]))
    return [one for one in found if one is not None]


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
    now = laid.questions.with_columns(_now=pl.Series(laid.told)).filter(laid.stretches.number == 0)
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
        "missing": f"the share of missing values of {subject} changed by {figure:+.1%}",
        "prediction": f"predictions{' ' + subject if subject else ''} moved by {figure:+.2f} of their spread",
        "truth": f"what happened{' ' + subject if subject else ''} moved by {figure:+.2f} of its spread",
        "error": f"the error is {figure:.4g}",
        "coverage": f"{figure:.1%} of what happened lies within its interval",
        "late": f"answers remade with the data of now differ by {figure:.0%} of their spread: data came late, or "
        "were corrected",
    }[kind]
    return {"test": name, "message": f"{words} (alarms beyond {limit:.4g})", **figures}
