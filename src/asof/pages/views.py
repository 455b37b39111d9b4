"""From facts to the page: which sections there are and what stands in them."""

import math
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import polars as pl

from asof.pages import charts, maps, words
from asof.pages.drawing import spread, tag
from asof.pages.facts import Figure, ReportFacts

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN = 12
"""Rows of a list that are shown at once; the rest folds away."""
_ANSWERS = {"passed": "good", "failed": "bad", "could not tell": "unsure", "not applicable": "quiet"}
_SEVERITIES = {"error": "bad", "warning": "unsure", "note": "quiet"}


def report(facts: ReportFacts) -> str:
    """Make the report: one self-contained HTML page, light or dark as the reader prefers, for desk and phone."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    return environment.get_template("report.html").render(
        facts=facts,
        style=style,
        words=words,
        headline=_headline(facts),
        verdict=_verdict(facts),
        tiles=_tiles(facts),
        scores=_scores(facts),
        charts=_charts(facts),
        maps=_maps(facts),
        leaderboard=_leaderboard(facts),
        importance=_importance(facts),
        audit=_audit(facts),
        findings=_findings(facts),
        quarantine=_rows(facts.shown("quarantine")),
        rules=_rows(facts.shown("rules")),
        sources=_rows(facts.shown("sources")),
        shown=SHOWN,
    )


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("asof.pages") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = Markup  # only for what charts and maps made: they escape their texts themselves
    environment.filters["number"] = words.number
    environment.filters["told"] = lambda value: (
        value if isinstance(value, str) else "" if value is None else words.number(value)
    )
    environment.filters["brief"] = words.brief
    environment.filters["percent"] = words.percent
    return environment


def _headline(facts: ReportFacts) -> str:
    """Say how good it is against the best simple rule, no more surely than the interval allows."""
    skill, low, high = facts.skill.value, facts.skill.low, facts.skill.high
    rule = f"the best simple rule ({facts.baseline_name})"
    between = ""
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        if low <= 0 <= high:
            return f"On periods it had not seen, it cannot be told apart from {rule}."
        first, second = sorted((abs(low), abs(high)))
        sure = words.percent(facts.level, 0)
        between = f", and with {sure} confidence between {words.percent(first)} and {words.percent(second)}"
    better = "better" if skill > 0 else "worse"
    return f"On periods it had not seen, it is {words.percent(abs(skill))} {better} than {rule}{between}."


def _verdict(facts: ReportFacts) -> Mapping[str, str]:
    if facts.promoted is None:
        return {"kind": "quiet", "label": "Not decided", "why": facts.why}
    if facts.promoted:
        return {"kind": "good", "label": "New champion", "why": facts.why}
    return {"kind": "unsure", "label": "Not promoted", "why": facts.why}


def _tiles(facts: ReportFacts) -> list[Mapping[str, str]]:
    """The figures that a reader wants first."""
    tiles = [
        _tile(words.title(facts.metric), facts.holdout, words.number, "on the holdout"),
        _tile("Best simple rule", facts.baseline, words.number, facts.baseline_name),
        _tile("Better by", facts.skill, words.percent, "skill: share of the rule's loss that is saved"),
    ]
    if facts.explained:
        tiles.append(
            _tile(
                "Of the explainable",
                facts.explained,
                words.percent,
                "share explained; the rest of the variation is chance",
            )
        )
    if facts.coverage:
        promised, found = facts.coverage
        tiles.append(_tile("Interval coverage", Figure(found), words.percent, f"{words.percent(promised, 0)} promised"))
    if facts.optimism:
        tiles.append(
            _tile("Optimism", facts.optimism, words.percent, "skill promised by the folds, less what was found")
        )
    return tiles


def _tile(label: str, figure: Figure, write: Any, note: str) -> Mapping[str, str]:
    return {"label": label, "value": write(figure.value), "within": words.within(figure, write), "note": note}


def _scores(facts: ReportFacts) -> list[Mapping[str, str]]:
    return [
        {
            "title": words.title(row["metric"]),
            "meaning": "" if row["metric"] == facts.metric else words.meaning(row["metric"], facts.unit),
            "value": words.number(row["value"]),
            "within": words.within(Figure(row["value"], row["low"], row["high"])),
            "baseline": words.number(row["baseline"]),
        }
        for row in _rows(facts.shown("scores"))
    ]


def _charts(facts: ReportFacts) -> Mapping[str, str]:
    periods, horizons = facts.shown("periods"), facts.shown("horizons")
    calibration, pit = facts.shown("calibration"), facts.shown("pit")
    return {
        "periods": "" if periods is None else charts.periods(periods, facts.zone, facts.unit),
        "horizons": "" if horizons is None or horizons.height < 2 else charts.horizons(horizons, facts.metric),
        "calibration": "" if calibration is None else charts.calibration(calibration, facts.unit),
        "pit": "" if pit is None else charts.pit(pit),
    }


def _maps(facts: ReportFacts) -> Mapping[str, Any]:
    places = facts.shown("places")
    if places is None:
        return {}
    places = places.with_columns(difference=pl.col("predicted") - pl.col("observed"))
    store = maps.shapes(places, facts.outlines)
    drawn = []
    if store:
        unit = f"{facts.unit} per period"
        for title, made in (
            ("Predicted, mean per period", maps.levels(places, "predicted", unit)),
            ("Predicted less observed", maps.differences(places, "difference", unit)),
        ):
            svg = tag("svg", made.svg, viewBox=maps.view_of(store), role="img", aria_label=title, class_="map")
            drawn.append({"title": title, "svg": svg, "map": made})
    most = places.filter(pl.col("predicted").is_finite()).sort("predicted", descending=True).head(5)
    missed = places.filter(pl.col("difference").is_finite()).sort(pl.col("difference").abs(), descending=True).head(5)
    return {"store": store, "drawn": drawn, "most": _rows(most), "missed": _rows(missed)}


def _leaderboard(facts: ReportFacts) -> list[Mapping[str, Any]]:
    board = facts.shown("leaderboard")
    if board is None:
        return []
    seconds = pl.col("seconds").sum() if "seconds" in board.columns else pl.lit(None, pl.Float64)
    means = board.group_by("candidate", "kind", maintain_order=True).agg(
        pl.col("value").mean().alias("mean"), pl.col("value").alias("folds"), seconds.alias("seconds")
    )
    means = means.sort("mean", descending=facts.greater_is_better, nulls_last=True, maintain_order=True)
    better = means.head(max(3, -(-means.height // 2)))
    bounds = spread(better["folds"].explode().drop_nulls().to_list())  # a hopeless one must not squeeze the others
    return [
        {**row, "chosen": row["candidate"] == facts.chosen, "strip": _strip(row, bounds, facts.chosen)}
        for row in means.iter_rows(named=True)
    ]


def _strip(row: Mapping[str, Any], bounds: tuple[float, float], chosen: str) -> str:
    values = [value for value in row["folds"] if value is not None]
    return charts.strip(values, bounds, chosen=row["candidate"] == chosen)


def _importance(facts: ReportFacts) -> list[Mapping[str, Any]]:
    frame = facts.shown("importance")
    if frame is None:
        return []
    top = frame.sort("importance", descending=True, nulls_last=True).head(SHOWN)
    weights = top["importance"].cast(pl.Float64).fill_null(0.0).to_list()
    largest = max(*weights, 1e-12)
    names = top["feature"].to_list()
    return [{"feature": name, "bar": charts.bar(each / largest)} for name, each in zip(names, weights, strict=True)]


def _audit(facts: ReportFacts) -> list[Mapping[str, str]]:
    return [
        {
            **row,
            "kind": _ANSWERS.get(row["answer"], "quiet"),
            "meaning": words.AUDIT.get(row["check"], ""),
            "accepted": facts.accepted.get(row["check"], ""),
        }
        for row in _rows(facts.shown("audit"))
    ]


def _findings(facts: ReportFacts) -> list[Mapping[str, str]]:
    """Errors first, then warnings, then notes; within each as they came."""
    order = list(_SEVERITIES)
    found = sorted(facts.findings, key=lambda finding: order.index(finding.severity.value))
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


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dicts()
