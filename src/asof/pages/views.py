"""From facts to the page: which sections there are and what stands in them."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import polars as pl

from asof.pages import boards, charts, decisions, maps, reasons, sentences, words
from asof.pages.drawing import tag
from asof.pages.facts import Figure, ReportFacts

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN = 12
"""Rows of a list that are shown at once; the rest folds away."""
_ANSWERS = {"passed": "good", "failed": "bad", "could not tell": "unsure", "not applicable": "quiet"}
_SEVERITIES = {"error": "bad", "warning": "unsure", "note": "quiet"}
Content = Mapping[str, Any]


def report(facts: ReportFacts) -> str:
    """Make the report: one self-contained HTML page, light or dark as the reader prefers, for desk, phone and paper."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    filled = [(section, section.fill(facts)) for section in SECTIONS]
    page = environment.get_template("report.html").render(
        facts=facts,
        style=style,
        words=words,
        measured_in=sentences.measured_in(facts),
        headline=sentences.headline(facts),
        judged=sentences.judged_on(facts),
        everyday=sentences.everyday(facts),
        verdict=_verdict(facts),
        tiles=_tiles(facts),
        sections=[(section, content) for section, content in filled if content],
        shown=SHOWN,
    )
    return re.sub(r"(?<=\d) (?=%|pp\b)", "\u00a0", page)  # a number and its unit stay on one line


@functools.cache
def _environment() -> "Environment":
    """Templates as they are filled; each is compiled once a process."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup, escape

    folder = resources.files("asof.pages") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = Markup  # only for what charts and maps made: they escape their texts themselves
    environment.filters["breakable"] = lambda name: Markup("_<wbr>").join(map(escape, name.split("_")))
    environment.filters["number"] = words.number
    environment.filters["told"] = lambda value: (
        value if isinstance(value, str) else "" if value is None else words.number(value)
    )
    environment.filters["brief"] = words.brief
    environment.filters["whole"] = _whole_percent
    return environment


def _verdict(facts: ReportFacts) -> Mapping[str, str]:
    if facts.promoted is None:
        return {"kind": "quiet", "label": "Not decided", "why": facts.why}
    if facts.promoted:
        return {"kind": "good", "label": "New champion", "why": facts.why}
    return {"kind": "unsure", "label": "Not promoted", "why": facts.why}


def _tiles(facts: ReportFacts) -> list[Mapping[str, str]]:
    """The figures that a reader wants first."""
    where = "over the folds" if facts.opened == 0 else "on the holdout"
    rule = words.rule(facts.baseline_name, facts.task)
    tiles = [
        _tile(words.title(facts.metric), facts.holdout, words.number, where),
        _tile("Best simple rule", facts.baseline, words.number, rule),
        _tile("Better by", facts.skill, words.percent, "skill: share of the rule's loss that is saved"),
    ]
    if facts.explained:
        note = "share explained; the rest of the variation is chance"
        tiles.append(_tile("Of the explainable", facts.explained, words.percent, note))
    if facts.coverage:
        promised, found = facts.coverage
        tiles.append(_tile("Interval coverage", Figure(found), words.percent, f"{words.percent(promised, 0)} promised"))
    if facts.new_places:
        tiles.append(_tile("In new places", facts.new_places, words.percent, "skill where it has learnt nothing"))
    if facts.optimism and facts.opened:
        note = "skill promised by the folds, less what was found"
        tiles.append(_tile("Optimism", facts.optimism, words.percent, note))
    return tiles


def _tile(label: str, figure: Figure, write: Any, note: str) -> Mapping[str, str]:
    return {"label": label, "value": write(figure.value), "within": words.within(figure, write), "note": note}


def _meaning(facts: ReportFacts) -> Content:
    scores = [
        {
            "title": words.title(row["metric"]),
            "meaning": ""
            if row["metric"] == facts.metric
            else words.meaning(row["metric"], sentences.measured_in(facts)),
            "value": words.number(row["value"]),
            "within": words.within(Figure(row["value"], row["low"], row["high"])),
            "baseline": words.number(row["baseline"]),
        }
        for row in _rows(facts.shown("scores"))
    ]
    expected = sentences.score_with_interval(facts.expected) if facts.expected else ""
    return {"scores": scores, "expected": expected}


def _time(facts: ReportFacts) -> Content | None:
    frame = facts.shown("periods")
    drawn = "" if frame is None else charts.periods(frame, facts.zone, facts.unit)
    if frame is None or not drawn:
        return None
    return {"periods": drawn, "errors": charts.errors(frame, facts.zone, facts.unit)}


def _horizons(facts: ReportFacts) -> Content | None:
    frame = facts.shown("horizons")
    if frame is None or frame.height < 2:
        return None
    return {"drawn": charts.horizons(frame, facts.metric)}


def _places(facts: ReportFacts) -> Content | None:
    places = facts.shown("places")
    if places is None:
        return None
    places = places.with_columns(difference=pl.col("predicted") - pl.col("observed"))
    if "skill_low" in places.columns:
        places = places.with_columns(told=(pl.col("skill_low") > 0) | (pl.col("skill_high") < 0))
    store = maps.shapes(places, facts.outlines)
    drawn = []
    for title, made in _maps(facts, places) if store else ():
        svg = tag("svg", made.svg, viewBox=maps.view_of(store), role="img", aria_label=title, class_="map")
        drawn.append({"title": title, "svg": svg, "map": made})
    most = places.filter(pl.col("predicted").is_finite()).sort("predicted", descending=True).head(5)
    missed = places.filter(pl.col("difference").is_finite())
    missed = missed.filter(pl.col("sure").fill_null(value=False)) if "sure" in places.columns else missed
    missed = missed.sort(pl.col("difference").abs(), descending=True).head(5)
    return {
        "store": store,
        "drawn": drawn,
        "standing": sentences.standing(facts),
        "lists": [("Most expected", _rows(most)), ("Furthest off, beyond chance", _rows(missed))],
        "unsure": "sure" in places.columns,
    }


def _maps(facts: ReportFacts, places: pl.DataFrame) -> list[tuple[str, maps.Map]]:
    unit = f"{facts.unit} per period" if facts.task == "count" else ""
    sure = "sure" if "sure" in places.columns else ""
    made = [
        ("Predicted, on average", maps.levels(places, "predicted", unit)),
        ("Predicted less observed", maps.differences(places, "difference", unit, sure=sure)),
    ]
    if "skill" in places.columns and "told" in places.columns:
        drawn = maps.differences(places, "skill", "better than the rule", write=_whole_percent, sure="told")
        made.append(("Better than the simple rule by", drawn))
    return [(title, drawn) for title, drawn in made if drawn.svg]


def _whole_percent(value: Any) -> str:
    return words.percent(value, 0)


def _calibration(facts: ReportFacts) -> Content | None:
    groups, pit, coverages = facts.shown("calibration"), facts.shown("pit"), facts.shown("coverages")
    if groups is None and pit is None and coverages is None:
        return None
    percent = facts.task == "class"
    return {
        "groups": "" if groups is None else charts.calibration(groups, facts.unit, percent=percent),
        "pit": "" if pit is None else charts.pit(pit),
        "coverages": _coverages(facts),
    }


def _coverages(facts: ReportFacts) -> list[tuple[str, list[Mapping[str, Any]]]]:
    frame = facts.shown("coverages")
    if frame is None or facts.coverage is None:
        return []
    promised = facts.coverage[0]
    found = [value for value in frame["coverage"].to_list() if value is not None]
    lowest = min([*found, promised]) - 0.03
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in frame.to_dicts():
        drawn = "" if row["coverage"] is None else charts.held(row["coverage"], promised, lowest)
        line = {**row, "drawn": drawn, "coverage": words.percent(row["coverage"])}
        lines.setdefault(row["by"], []).append(line)
    return list(lines.items())


def _reasons(facts: ReportFacts) -> Content | None:
    weights, told = reasons.importance(facts), reasons.examples(facts)
    return {"weights": weights, "examples": told} if weights or told else None


def _candidates(facts: ReportFacts) -> Content | None:
    rows = boards.leaderboard(facts)
    if not rows:
        return None
    return {"rows": rows, "timed": any(row["seconds"] for row in rows), "blend": boards.gain(facts.ensemble)}


def _audit(facts: ReportFacts) -> Content | None:
    rows = [
        {
            **row,
            "kind": _ANSWERS.get(row["answer"], "quiet"),
            "meaning": words.AUDIT.get(row["check"], ""),
            "accepted": _accepted(facts, row["check"]),
        }
        for row in _rows(facts.shown("audit"))
    ]
    return {"rows": rows} if rows else None


def _accepted(facts: ReportFacts, check: str) -> str:
    """Why the owner accepts findings of a check, whole or by subject."""
    return "; ".join(reason for name, reason in facts.accepted.items() if name.partition(":")[0] == check)


def _promotion(facts: ReportFacts) -> Content | None:
    rules = _rows(facts.shown("rules"))
    return {"rules": rules, "verdict": _verdict(facts)} if rules or facts.why else None


def _data(facts: ReportFacts) -> Content | None:
    sources, quarantine = _rows(facts.shown("sources")), _rows(facts.shown("quarantine"))
    findings = _findings(facts)
    if not (sources or quarantine or findings):
        return None
    return {"sources": sources, "quarantine": quarantine, "findings": findings}


def _findings(facts: ReportFacts) -> list[Mapping[str, str]]:
    """Errors first, then warnings, then notes; within each as they came."""
    order = list(_SEVERITIES)
    told = [finding for finding in facts.findings if finding.check != "history"]  # which stands beside its source
    found = sorted(told, key=lambda finding: order.index(finding.severity.value))
    return [
        {
            "kind": _SEVERITIES[finding.severity.value],
            "severity": finding.severity.value,
            "subject": finding.subject,
            "check": finding.check,
            "message": finding.message,
            "rows": "" if finding.rows is None else f"{finding.rows:,}",
        }
        for finding in found
    ]


def _use(facts: ReportFacts) -> Content:
    return {"uses": sentences.uses(facts), "limits": sentences.limits(facts)}


def _record(facts: ReportFacts) -> Content:
    opened = "never: folds gave the score" if facts.opened == 0 else f"{facts.opened} times"
    lines = [
        ("Release", facts.release),
        ("Made", words.minute(facts.created, facts.zone)),
        ("Model", facts.model),
        ("Learnt what was known at", words.minute(facts.cut, facts.zone) if facts.cut else ""),
        ("Holdout opened", "once" if facts.opened == 1 else opened),
        ("Made by", f"asof {facts.code}" if facts.code else ""),
    ]
    return {"lines": [(name, value) for name, value in lines if value], "fingerprint": facts.fingerprint}


@dataclass(frozen=True)
class Section:
    """A part of the page; its template is ``section_NAME.html``."""

    name: str
    title: str
    fill: Callable[[ReportFacts], Content | None]
    """What stands in it; none or empty leaves it out."""


SECTIONS = (
    Section("meaning", "What the score means", _meaning),
    Section("time", "Over time", _time),
    Section("horizons", "How far ahead", _horizons),
    Section("places", "Where", _places),
    Section("calibration", "Can it be taken at its word?", _calibration),
    Section("classes", "Which class", decisions.decisions),
    Section("features", "What it goes by", _reasons),
    Section("candidates", "Who else was tried", _candidates),
    Section("audit", "Audit", _audit),
    Section("promotion", "Promotion", _promotion),
    Section("data", "Data", _data),
    Section("use", "What it is for, and what not", _use),
    Section("record", "Record", _record),
)
"""The sections in the order of the page."""


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dicts()
