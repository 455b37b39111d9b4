"""Drift: the tests of inputs, predictions and truth of what is served, at each scale, at one rate of false alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from asof import explanation, monitoring, times
from asof.flows import preparation, reasoning
from asof.flows.looking import MOST_STRETCHES, SCALES, Laid, Scale
from asof.flows.oracles import Oracle
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.ledgers import Moments
from asof.monitoring import SUDDEN, Judged, Test
from asof.times import Step

SHARES = {
    "input": 0.3,
    "prediction": 0.1,
    "truth": 0.15,
    "clock": 0.05,
    "silent": 0.05,
    "bias": 0.15,
    "error": 0.1,
    "coverage": 0.1,
}
"""How the rate is shared out."""
SCALED = ("input", "prediction", "truth", "clock")
"""What is tested at each scale; silence is tested once."""
DRIFT = sum(SHARES[name] for name in SCALED)
YEAR_DAYS = 364
UNSEEN = 2.0
"""With less than a year of history stretches are taken to move so many times as far as was seen: the rest of the year
is not in it."""
BY_TIME = ("calendar", "place")
"""Lookups whose features tell when and where is asked, not what is known: they differ by nature."""
COVERED = "_covered_"
"""Within the name of a feature that tells how much of a window the source covers: it comes to rest by nature."""
MOST_COLUMNS = 60
"""Columns that are tested, those that the model goes by most."""
MOST_DAYS = 7 * MOST_STRETCHES
"""Days, or longer periods, that say how long places are silent by nature: three years."""
MOST_PLACES = 2_000
"""Places, the busiest, of which silence is told."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Drift:
    """What the tests of one scale say."""

    days: int
    judged: Judged


def judge(workspace: Workspace, prepared: Prepared, oracle: Oracle, laid: Laid, rate: float) -> list[Drift]:
    """Put all tests of drift at every scale; each scale has the same part of the rate."""
    weights = _weights(workspace, prepared, oracle, laid)
    each = rate * DRIFT / (len(SCALES) if prepared.panel.timed else 1)
    found = []
    for scale in laid.scales:
        steps = [look.served for look in scale.looks]
        unseen = UNSEEN if prepared.panel.timed and _days(laid, scale) < YEAR_DAYS else 1.0
        made = tests(prepared, oracle, laid, scale, weights)
        found.append(Drift(scale.days, monitoring.judge(made, steps, scale.length, each, unseen)))
    return found


def silent(prepared: Prepared, oracle: Oracle, answered: pl.DataFrame, rate: float) -> list[Drift]:
    """Whether a place that was asked about has fallen silent, by the rows of its source, each day or longer period."""
    panel, table = prepared.panel, prepared.counted
    if not panel.timed or panel.places.kind == "all":
        return []
    step = Step(1, "d") if panel.rows or panel.every.nominal < DAY else panel.every
    begun = times.starts(table.coverage.start, table.coverage.end, step, panel.zone).tail(MOST_DAYS)
    ended = times.end(begun, step, panel.zone)
    whole = prepared.past.covered(panel.source, Moments.of(begun), Moments.of(ended))
    covered = whole >= (ended - begun).dt.total_microseconds().to_numpy()
    rows = table.rows
    if panel.measure == "sum" and panel.column is not None:  # rows that add nothing are as if there were none
        rows = rows.filter(pl.col(panel.column).cast(pl.Float64, strict=False).fill_null(0.0) != 0)
    mine = rows.filter(pl.col("_place").is_in(answered["place"].drop_nulls().unique().implode()))
    busiest = mine.group_by("_place").len().sort("len", "_place", descending=[True, False])
    asked = busiest["_place"].head(MOST_PLACES).to_list()
    counts = np.where(covered[:, None], monitoring.counted(mine, (begun, ended), asked), np.nan)
    counts = counts[: int(np.flatnonzero(covered).max(initial=-1)) + 1]
    made = monitoring.silences(counts, asked, monitoring.SEASON if step.nominal == DAY else 1)
    if not made:
        return []
    # Only what was over at the cut says how long places are silent by nature.
    late = int((ended[: len(counts)] > datetime.fromisoformat(oracle.release.facts["cut"])).sum())
    at = np.array([0, *range(max(late, 1), len(made[0].figures))])
    kept = [one.at(at) for one in made]
    return [Drift(0, monitoring.judge(kept, at.tolist(), 1, rate * SHARES["silent"]))]


def tests(prepared: Prepared, oracle: Oracle, laid: Laid, scale: Scale, weights: Mapping[str, float]) -> list[Test]:
    """Tests of one scale, with their shares as weights."""
    rows, panel = scale.rows, prepared.panel
    questions = laid.questions[rows]
    groups: Sequence[str] = () if panel.places.kind == "all" else questions["place"].fill_null("").to_list()
    said = (scale.stretches, scale.looks)
    families = {
        "input": monitoring.columns(laid.features[rows], *said, weights, came_before(laid.features, laid.before[rows]))
    }
    told = (laid.told if laid.told.ndim == 2 else laid.told[:, None])[rows]
    names = [f"prediction {name}" for name in oracle.classes] if oracle.classes else ["prediction"]
    families["prediction"] = [
        one for at, name in enumerate(names) for one in monitoring.means(name, told[:, at], groups, *said)
    ]
    truth = _truth(questions["label"], scale)
    if np.isfinite(truth[scale.stretches.number == 0]).any():
        families["truth"] = monitoring.means("truth", truth, groups, *said)
        if panel.timed and not panel.rows and panel.every.nominal <= HOUR:
            families["clock"] = _clock(prepared, questions, truth, scale)
    return shared(families, scale.days)


def shared(families: Mapping[str, Sequence[Test]], days: int) -> list[Test]:
    """Tests with the share of their family as weight; a single day tells of what is ``SUDDEN`` alone."""
    found = []
    for name, made in families.items():
        total = sum(one.weight for one in made)
        found += [replace(one, weight=one.weight * SHARES[name] / total) for one in made]
    return [one for one in found if days != 1 or one.kind in SUDDEN]


def came_before(features: pl.DataFrame, before: np.ndarray) -> pl.DataFrame:
    """Features of the rows at ``before``, null for -1."""
    at = pl.Series(before).set(pl.Series(before < 0), None)
    return features.select(pl.all().gather(at))


def _clock(prepared: Prepared, questions: pl.DataFrame, truth: np.ndarray, scale: Scale) -> list[Test]:
    """Whether the day of what happened fits better an hour earlier or later."""
    every = prepared.panel.every.nominal
    local = questions["start"].dt.convert_time_zone(prepared.panel.zone)
    slot = (local - local.dt.truncate("1d")).dt.total_seconds() // every.total_seconds()
    hour = round(HOUR / every)
    slots = slot.cast(pl.Int64).to_numpy().clip(0, round(DAY / every) - 1)
    return monitoring.clock(truth, slots, (hour, -hour), scale.stretches, scale.looks)


def _days(laid: Laid, scale: Scale) -> float:
    """Days that the earlier looks span."""
    begun = laid.questions["start"][scale.rows[scale.stretches.number > 0]]
    first, last = begun.min(), begun.max()
    return (last - first) / DAY if isinstance(first, datetime) and isinstance(last, datetime) else 0.0


def _truth(label: pl.Series, scale: Scale) -> np.ndarray:
    """Labels; of earlier stretches those only whose counterpart among what was served is known."""
    truth = label.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    rows = np.bincount(scale.stretches.number)
    if (rows == rows[0]).all():  # stretches are the same questions at other times
        unknown = ~np.isfinite(truth[: rows[0]])
        truth[np.tile(unknown, len(rows))] = np.nan
    return truth


def _weights(workspace: Workspace, prepared: Prepared, oracle: Oracle, laid: Laid) -> dict[str, float]:
    """How much the model goes by each feature that does not tell the time by nature."""
    scale = laid.scales[0]
    learnt = laid.features[np.unique(scale.rows[scale.stretches.number > 0])]
    if learnt.height == 0:
        return {}
    model, label = reasoning.Told(oracle), 1 if oracle.classes else None
    usual = explanation.usual(model, learnt, label=label)
    count = explanation.affordable(len(list(model.columns)))
    seed = workspace.spec.train.seed
    asked = learnt.sample(min(count, learnt.height), seed=seed)
    table = explanation.importance(explanation.explain(model, asked, usual, seed=seed, label=label))
    one = laid.questions[:1].select(preparation.asked_columns(laid.questions))
    natural = {
        name
        for lookup in prepared.lookups
        if lookup.name in BY_TIME
        for name in lookup.read(one, prepared.past).columns
    }
    told = table.select("feature", "share").iter_rows()
    found = {name: share for name, share in told if name not in natural and COVERED not in name}
    return dict(sorted(found.items(), key=lambda one: -one[1])[:MOST_COLUMNS])
