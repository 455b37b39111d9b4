"""Who was tried for a release and by how much it won; which release was champion when, and every decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from asof import metrics
from asof.flows import history, records
from asof.pages import boards, words
from asof.pages.facts import Figure
from asof.python import frames
from asof.tuning import Plan
from asof.ui.sheets import Tile
from asof.ui.sights import Sight

PROPER = {"lightgbm": "LightGBM", "catboost": "CatBoost", "xgboost": "XGBoost", "poisson": "Poisson"}
"""Names of libraries as their authors write them."""


@dataclass(frozen=True)
class Candidate:
    """A recipe as it was judged on the folds."""

    name: str
    kind: str
    """``simple rule``, ``candidate`` or ``blend``."""
    score: float | None
    """Mean over the folds; none for one that is no candidate."""
    behind: str
    """How far it is behind the chosen one, in words; empty for that one."""
    seconds: tuple[float | None, float | None]
    """To fit and to predict a fold; none where nobody measured."""
    chosen: bool
    members: str = ""
    """Of a blend: its members with their weights."""
    why: str = ""
    """Why it is no candidate."""


@dataclass(frozen=True)
class Board:
    """The candidates of a release."""

    metric: str
    greater_is_better: bool
    folds: int
    candidates: tuple[Candidate, ...]
    """The best first."""
    left_out: tuple[Candidate, ...]
    """Those that are no candidates: they failed, or were stopped."""
    offer: Mapping[str, Any] | None
    """What a blend gains and costs: see ``tuning.Offer``; none where nothing was blended."""


@dataclass(frozen=True)
class Reign:
    """A stretch in which one release answered."""

    release: str
    version: int | None
    since: datetime
    until: datetime | None
    """None: it still does."""
    why: str


def board(sight: Sight) -> Board:
    """Read the leaderboard of a release: what was tried, on which folds, and what it took."""
    plan = Plan.from_json(sight.release.json("plan"))
    own = metrics.owned(sight.workspace.plugins.metrics)
    better = metrics.find(plan.metric, own).greater_is_better
    costs = records.costs(sight.release)
    frame = frames.candidates(plan, greater_is_better=better, seconds=costs.get("seconds", ()))
    width = max((len(trial.scores) for trial in plan.trials), default=0)
    rows = [{**row, "folds": [row[f"fold_{at}"] for at in range(1, width + 1)]} for row in frame.to_dicts()]
    first: Sequence[float | None] = next((row["folds"] for row in rows if row["chosen"]), [])
    told = [_candidate(row, first, plan.task) for row in rows]
    offer = costs.get("offer")
    return Board(
        plan.metric,
        better,
        width,
        tuple(_with_cost(one, offer) for one in told if one.score is not None),
        tuple(one for one in told if one.score is None),
        offer,
    )


def _candidate(row: Mapping[str, Any], first: Sequence[float | None], task: str) -> Candidate:
    rule, blend = row["stage"] == "baseline", row["stage"] == "blend"
    return Candidate(
        "a blend" if blend else words.rule(row["name"], task) if rule else named(row["name"]),
        "simple rule" if rule else "blend" if blend else "candidate",
        row["score"],
        "" if row["chosen"] or row["score"] is None else boards.behind(row["folds"], first),
        (row.get("fit_seconds"), row.get("predict_seconds")),
        row["chosen"],
        named(row["params"]) if blend else "",
        row["why"],
    )


def _with_cost(one: Candidate, offer: Mapping[str, Any] | None) -> Candidate:
    """Give a blend what its members take together."""
    if one.kind != "blend" or offer is None:
        return one
    fit, predict = offer["blend_seconds"]
    return Candidate(one.name, one.kind, one.score, one.behind, (fit, predict), one.chosen, one.members, one.why)


def named(recipe: str) -> str:
    """Write the name of a recipe, or of several, for people: ``lightgbm_poisson`` is ``LightGBM poisson``."""
    text = recipe.replace("_", " ")
    for name, proper in PROPER.items():
        text = text.replace(name, proper)
    return text


def summary(sight: Sight) -> list[Tile]:
    """Return the figures that decide: what each is called, the figure, and its interval with what it is."""
    told = sight.result
    by = told.get("judged_by", "holdout")
    judge = by if by.startswith(("nested", "places")) else f"the {by}"
    rule = words.rule(told["baseline"]["name"].replace(" x ", "_").replace(" ", "_"), sight.release.facts["task"])
    skill, expected = "share of that rule's loss that is saved", "in the stretch that follows"
    shown = [
        _tile(words.title(told["metric"]), told["holdout"].get(told["metric"]), words.number, f"on {judge}"),
        _tile("Best simple rule", told["baseline"], words.number, rule),
        _tile("Better by", told["skill"], words.percent, skill),
        _tile("To expect next", told.get("expected"), words.number, expected),
    ]
    return [tile for tile in shown if tile is not None]


def _tile(title: str, figure: Mapping[str, Any] | None, write: Any, note: str) -> Tile | None:
    if not figure or figure.get("value") is None:
        return None
    within = words.within(Figure(figure["value"], figure.get("low"), figure.get("high")), write)
    return title, write(figure["value"]), f"{within}; {note}" if within else note


def champions(sight: Sight) -> list[Reign]:
    """List which release answered when, newest first."""
    registry = sight.workspace.registry
    versions = {record.name: record.version for record in registry.releases()}
    found = history.reigns(registry.decisions())
    ends: list[datetime | None] = [*(later.since for later in found[1:]), None]
    told = [
        Reign(one.release, versions.get(one.release), one.since, until, one.why)
        for one, until in zip(found, ends, strict=False)  # of no champion there is an end without a beginning
    ]
    return told[::-1]


def decisions(sight: Sight) -> pl.DataFrame:
    """Every decision and opening of a holdout, newest first: at (text), kind, release, version, what."""
    told = records.runs(sight.workspace)["decisions"]
    schema = dict.fromkeys(("at", "kind", "release", "what"), pl.String) | {"version": pl.Int64}
    return pl.DataFrame([{name: one[name] for name in schema} for one in told], schema=schema)


def decision(sight: Sight) -> Mapping[str, Any] | None:
    """Return the last decision about this release, with its rules and its comparison; none where there was none."""
    about = [
        one
        for one in sight.workspace.registry.decisions()
        if one.get("kind") == "promotion" and one.get("release") == sight.release.name
    ]
    return about[-1] if about else sight.result.get("decision")
