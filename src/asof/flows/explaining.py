"""Reasons of a judged model for its report: what it goes by, and some predictions explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from asof import explanation
from asof.explanation import Explanation, Floats
from asof.flows.judging import Judged
from asof.flows.learning import Bench
from asof.flows.preparation import Prepared
from asof.intervals import Calibration
from asof.recipes import Blend, Model

MEMBERS = 3
"""Features of a group that are named."""
REASONS = 6
"""Reasons of an example that are shown; the others are added up."""


@dataclass(frozen=True)
class Explained:
    """Reasons as tidy rows; see ``ReportFacts`` for their columns."""

    importance: pl.DataFrame
    examples: pl.DataFrame
    reasons: pl.DataFrame
    label: int | None
    """Code of the class whose probability is explained."""


@dataclass(frozen=True)
class _Told:
    """A model as it answers: probabilities as they are calibrated."""

    model: Model
    judged: Judged

    @property
    def columns(self) -> Any:
        """Features that it reads."""
        return self.model.columns

    def predict(self, features: pl.DataFrame) -> Floats:
        """Return what is told to a user."""
        told = self.model.predict(features)
        calibration = self.judged.calibration
        return told if isinstance(calibration, Calibration) else calibration.apply(told)


def explain(prepared: Prepared, bench: Bench, judged: Judged) -> Explained:
    """Explain the judged model on a sample of the judged questions, against usual training questions."""
    label = explained_class(bench, prepared)
    model = _Told(judged.model, judged)
    names = list(judged.model.columns)
    told = model.predict(judged.asked.features)
    came = judged.asked.questions["label"].to_numpy()
    chosen = _chosen(told, came) if label is None else _chosen(told[:, label], came == label)
    members = len(judged.model.recipe.recipes) if isinstance(judged.model.recipe, Blend) else 1
    # Each member of a blend costs its own time.
    size = explanation.affordable(len(names), rows=2 * explanation.ROWS // (1 + members))
    size = min(size, judged.asked.features.height)
    sample = np.random.default_rng(bench.wanted.seed).choice(judged.asked.features.height, size, replace=False)
    rows = np.array([*chosen.values(), *np.sort(sample)])
    background = explanation.usual(model, bench.material.features[bench.split.train], label=label)
    features = judged.asked.features[rows]
    whole = explanation.explain(model, features, background, seed=bench.wanted.seed, label=label)
    groups = explanation.families(names, _sources(prepared))
    shown = list(chosen)
    examples = _examples(prepared, judged, whole, shown, rows)
    return Explained(
        importance=_importance(whole, groups, len(shown)),
        examples=examples
        if label is None
        else examples.with_columns(label=_came(prepared, judged, rows[: len(shown)])),
        reasons=_reasons(whole, groups, features, len(shown)),
        label=label,
    )


def explained_class(bench: Bench, prepared: Prepared) -> int | None:
    """Of two classes the second, of more the most frequent one in training; none for numbers."""
    if bench.wanted.task != "class":
        return None
    if len(prepared.panel.classes) == 2:
        return 1
    return int(np.bincount(bench.material.questions["label"][bench.split.train].cast(pl.Int64).to_numpy()).argmax())


def _chosen(told: Floats, came: Floats) -> dict[str, int]:
    """Pick examples: the highest prediction, one in the middle, the one furthest from what came."""
    order = np.argsort(told, kind="stable")
    picked = {"Highest": order[-1], "In the middle": order[len(order) // 2]}
    picked["Furthest off"] = int(np.argmax(np.abs(told - came)))
    return {title: int(row) for title, row in picked.items()}


def _sources(prepared: Prepared) -> list[str]:
    return [*prepared.past.sources, *(lookup.name for lookup in prepared.lookups)]


def _importance(whole: Explanation, groups: dict[str, str], first: int) -> pl.DataFrame:
    """Importance of groups over the sample (the rows after the examples), each with its weightiest members."""
    sampled = Explanation(whole.base, whole.reasons[first:], whole.predictions[first:])
    single = explanation.importance(sampled).with_columns(group=pl.col("feature").replace(groups))
    members = single.group_by("group", maintain_order=True).agg(pl.col("feature"))
    named = {group: _named(group, names) for group, names in members.iter_rows()}
    told = explanation.importance(explanation.grouped(sampled, groups))
    return told.with_columns(members=pl.col("feature").replace_strict(named, default=""))


def _named(group: str, names: Sequence[str]) -> str:
    if list(names) == [group]:
        return ""
    rest = len(names) - MEMBERS
    return ", ".join(names[:MEMBERS]) + (f" and {rest} more" if rest > 0 else "")


def _examples(
    prepared: Prepared, judged: Judged, whole: Explanation, titles: Sequence[str], rows: np.ndarray
) -> pl.DataFrame:
    lines = []
    for example, title in enumerate(titles):
        asked = judged.asked.questions.row(int(rows[example]), named=True)
        came = asked.get("label")
        lines.append(
            {
                "example": example,
                "title": title,
                "what": _what(prepared, asked),
                "base": whole.base,
                "prediction": float(whole.predictions[example]),
                "label": "" if came is None else _written(came),
            }
        )
    return pl.DataFrame(lines)


def _came(prepared: Prepared, judged: Judged, rows: np.ndarray) -> pl.Series:
    names = pl.Series(prepared.panel.classes, dtype=pl.String)
    return names.gather(judged.asked.questions["label"][rows].cast(pl.Int64))


def _what(prepared: Prepared, asked: dict[str, Any]) -> str:
    """Say what a question is about: its unit or place, its period, how far ahead."""
    from asof.flows.reporting import moment

    places, parts = prepared.panel.places, []
    if asked.get("unit") is not None:
        parts.append(str(asked["unit"]))
    if places.kind not in {"all", "h3"} and asked.get("place") is not None:
        found = places.ids.index_of(asked["place"]) if places.names is not None else None
        parts.append(
            str(places.names[found]) if places.names is not None and found is not None else str(asked["place"])
        )
    if asked.get("start") is not None:
        parts.append(moment(asked["start"], prepared.panel.zone))
    if asked.get("horizon") and asked["start"] is not None and asked["start"] != asked["as_of"]:
        parts.append(f"asked {asked['horizon']} ahead")
    return ", ".join(parts)


def _reasons(whole: Explanation, groups: dict[str, str], features: pl.DataFrame, count: int) -> pl.DataFrame:
    """Reasons of the first ``count`` questions by group, the weightiest first, the rest added up."""
    lines: list[dict[str, Any]] = []
    members: dict[str, list[str]] = {}
    for name in whole.reasons.columns:
        members.setdefault(groups[name], []).append(name)
    for example in range(count):
        single = whole.reasons.row(example, named=True)
        summed = {group: sum(single[name] for name in names) for group, names in members.items()}
        order = sorted(summed, key=lambda group: -abs(summed[group]))
        for group in order[:REASONS]:
            first = max(members[group], key=lambda name: abs(single[name]))
            value = _value(first, features[first][example], alone=len(members[group]) == 1)
            lines.append({"example": example, "feature": group, "value": value, "reason": summed[group]})
        if len(order) > REASONS:
            rest = sum(summed[group] for group in order[REASONS:])
            lines.append({"example": example, "feature": "all else", "value": "", "reason": rest})
    schema = {"example": pl.Int64, "feature": pl.String, "value": pl.String, "reason": pl.Float64}
    return pl.DataFrame(lines, schema=schema)


def _value(name: str, value: Any, *, alone: bool) -> str:
    """Write what the weightiest feature of a group was."""
    told = "unknown" if value is None else _written(value) if isinstance(value, float) else str(value)
    return told if alone else f"{name.removeprefix('own.')}: {told}"


def _written(value: float) -> str:
    """Write a number with four figures, and large ones with their thousands apart: 2014 may be a year."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
