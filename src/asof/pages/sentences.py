"""What a reader without figures wants to know, in whole sentences."""

import math
from typing import Any

import polars as pl

from asof.pages import words
from asof.pages.facts import Figure, ReportFacts

_NARROW = 0.03
"""Intervals that hold this much less of the truth than promised are called too narrow."""
ALWAYS = (
    "Cases unlike those it has learnt from: an answer with the flag “outside what was seen” rests on little.",
    "Finding causes: a reason is what the model goes by, not what makes things happen.",
    "A world that has changed, or is recorded otherwise: train and judge it again first.",
)
"""What no model of this kind is for."""


def headline(facts: ReportFacts) -> str:
    """Say how good it is against the best simple rule, no more surely than the interval allows."""
    skill, low, high = facts.skill.value, facts.skill.low, facts.skill.high
    rule = f"the best simple rule ({words.rule(facts.baseline_name, facts.task)})"
    unseen = f"{'In places' if facts.apart else 'On periods' if facts.since else 'On rows'} it had not seen"
    between = ""
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        if low <= 0 <= high:
            return f"{unseen}, it cannot be told apart from {rule}."
        first, second = sorted((abs(low), abs(high)))
        sure = words.percent(facts.level, 0)
        between = f", and with {sure} confidence between {words.percent(first)} and {words.percent(second)}"
    better = "better" if skill > 0 else "worse"
    return f"{unseen}, it is {words.percent(abs(skill))} {better} than {rule}{between}."


def judged_on(facts: ReportFacts) -> str:
    """Say on what it was judged."""
    if facts.since is not None and facts.until is not None:
        when = words.stretch(facts.since, facts.until, facts.zone)
        return f"Judged on {when}: {facts.rows:,} predictions, each made with what was known at its own moment."
    if facts.apart:
        told = "each by a model that was chosen and fitted without its place, none of whose rows it could read"
        return f"Judged on {_asked(facts)}, {told}."
    if facts.opened == 0:
        return f"Judged on {_asked(facts)}, each by a model that was chosen and fitted without its row."
    return f"Judged on {facts.rows:,} rows that were set aside before anything was learnt."


def _asked(facts: ReportFacts) -> str:
    """How many rows were predicted, and how often."""
    if facts.repeats == 1:
        return f"{facts.rows:,} predictions"
    times = "twice" if facts.repeats == 2 else f"{facts.repeats} times"
    return f"{facts.rows:,} rows, predicted {times} in folds drawn anew"


def everyday(facts: ReportFacts) -> list[str]:
    """Say what the figures mean in everyday units, a sentence each; what is not known is left out."""
    return [said for said in (_miss(facts), _intervals(facts), _explained(facts), *_elsewhere(facts)) if said]


def _miss(facts: ReportFacts) -> str:
    scores: dict[str, dict[str, Any]] = {row["metric"]: row for row in _rows(facts.shown("scores"))}
    if facts.task == "class" and "accuracy" in scores:
        right, rule = scores["accuracy"]["value"], scores["accuracy"]["baseline"]
        return (
            f"Of 100 {facts.unit}, {_hundred(right)} are put into the right class; "
            f"{words.rule(facts.baseline_name, facts.task)} gets {_hundred(rule)} right."
        )
    if "mae" not in scores or facts.task == "class":
        return ""
    ours, rule = scores["mae"]["value"], scores["mae"]["baseline"]
    against = f"; the simple rule misses by {words.brief(rule)}" if rule is not None and math.isfinite(rule) else ""
    if facts.task == "count":
        return f"On average a prediction misses by {words.brief(ours)} {facts.unit}{against}."
    return f"On average the predicted {facts.unit} is off by {words.brief(ours)}{against}."


def _intervals(facts: ReportFacts) -> str:
    if facts.coverage is None:
        return ""
    promised, found = facts.coverage
    said = f"Of 100 prediction intervals, {_hundred(found)} held the truth; {_hundred(promised)} were promised"
    return f"{said}: they are too narrow here." if found < promised - _NARROW else f"{said}."


def _explained(facts: ReportFacts) -> str:
    if facts.explained is None or not math.isfinite(facts.explained.value):
        return ""
    share = words.percent(min(facts.explained.value, 1.0), 0)
    return f"Of what can be foreseen at all, it foresees about {share}; the rest of the ups and downs is chance."


def _elsewhere(facts: ReportFacts) -> list[str]:
    said = []
    if facts.new_places is not None:
        said.append(f"In places it has not learnt from, {_against(facts.new_places.value)}.")
    if facts.optimism is not None and facts.optimism.low is not None and facts.optimism.low > 0:
        said.append(
            f"The earlier folds promised {words.percent(facts.optimism.value)} more than was kept: "
            "something has changed, or the choice was lucky."
        )
    return said


def _against(skill: float) -> str:
    """Say how good it is against the rule; much worse is told by how many times."""
    if skill < -1:
        return f"its error is {1 - skill:.1f} times that of the simple rule: do not use it there"
    return f"it is {words.percent(abs(skill))} {'better' if skill > 0 else 'worse'} than the simple rule"


def measured_in(facts: ReportFacts) -> str:
    """Say in what labels are measured: ``crashes``, ``the unit of price``."""
    return facts.unit if facts.task == "count" else f"the unit of {facts.unit}"


def standing(facts: ReportFacts) -> str:
    """Say in how many places it is surely better or worse than the rule; empty where that is not known."""
    places = facts.shown("places")
    if places is None or not {"skill_low", "skill_high"} <= set(places.columns):
        return ""
    better = places.filter(pl.col("skill_low") > 0).height
    worse = places.filter(pl.col("skill_high") < 0).height
    rest = places.height - better - worse
    by_chance = max(round(0.025 * places.height), 1)
    return (
        f"Of {places.height:,} places it is better than the simple rule in {better:,} and worse in {worse:,} "
        f"(by chance alone about {by_chance:,} would look better, and as many worse); in the other {rest:,} too little "
        "happened to tell. Those are drawn pale."
    )


def uses(facts: ReportFacts) -> list[str]:
    """Say what it is for."""
    each = "a probability for each class" if facts.task == "class" else "an interval for each"
    said = [f"Predicting {facts.predicts}, with {each}."]
    if facts.cut is not None:
        said.append(f"It has learnt what was known at {words.minute(facts.cut, facts.zone)}; the fresher, the better.")
    return said


def limits(facts: ReportFacts) -> list[str]:
    """Say what it is not for: what is particular to it first."""
    return [*facts.limits, *ALWAYS]


def score_with_interval(figure: Figure | None) -> str:
    """Write a figure and its interval: ``1.064 (1.049 to 1.081)``."""
    if figure is None:
        return words.UNKNOWN
    within = words.within(figure)
    return f"{words.number(figure.value)} ({within})" if within else words.number(figure.value)


def _hundred(share: float | None) -> str:
    return words.UNKNOWN if share is None or not math.isfinite(share) else f"{share * 100:.0f}"


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dicts()
