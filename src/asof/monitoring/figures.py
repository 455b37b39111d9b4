"""Figures of a look, as other programs read them: the text format of Prometheus, and a notice of an alarm."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_HELP = {
    "asof_watch_alarms": "Alarms of the last look.",
    "asof_watch_served": "Answers looked at.",
    "asof_watch_known": "Answers whose truth is known.",
    "asof_watch_rate": "False alarms asked for, a look.",
    "asof_watch_timestamp_seconds": "When the last look was made.",
    "asof_watch_figure": "Figure of a test.",
    "asof_watch_limit": "Limit beyond which the test alarms.",
    "asof_watch_alarm": "Whether the test alarms.",
}


def exposition(told: Mapping[str, Any], now: datetime) -> str:
    """Write what a look told in the text format of Prometheus (version 0.0.4), gauges alone."""
    project = {"project": told["project"], "release": told["release"] or ""}
    lines: dict[str, list[str]] = {name: [] for name in _HELP}
    for name, value in (
        ("alarms", len(told["alarms"])),
        ("served", told["served"]),
        ("known", told["known"]),
        ("rate", told["rate"]),
        ("timestamp_seconds", now.timestamp()),
    ):
        lines[f"asof_watch_{name}"].append(_line(f"asof_watch_{name}", project, value))
    late = told.get("late")
    single = [{"name": "late", "alarm": late["figure"] > late["limit"], **late}] if late else []
    for one in [*told["tests"], *told["promises"], *single]:
        for name in ("figure", "limit", "alarm"):
            if one[name] is not None:
                lines[f"asof_watch_{name}"].append(
                    _line(f"asof_watch_{name}", {**project, "test": one["name"]}, float(one[name]))
                )
    parts = [
        "\n".join([f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge", *found])
        for name, found in lines.items()
        if found
    ]
    return "\n".join(parts) + "\n"


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {float(value)!r}"


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def notice(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of an alarm: words and figures, no row of the data."""
    names = ("project", "release", "rate", "served", "known", "why", "alarms")
    text = "\n".join([f"{told['project']}: {len(told['alarms'])} alarms", *(one["message"] for one in told["alarms"])])
    return {"text": text, **{name: told[name] for name in names}}
