"""What a person sees of a look at what is served."""

import math
from collections.abc import Mapping
from typing import Any

from asof.terminal.printing import number, pairs, table


def show_watch(result: Mapping[str, Any]) -> None:
    """Show alarms first, then the strangest tests and what was promised."""
    head = [("release", result["release"] or "none"), ("", result["why"])]
    if result["served"]:
        head.insert(1, ("served", f"{result['served']:,} answers, the truth of {result['known']:,} is known"))
        looks = result["looks"]
        head.append(("looks", f"{math.floor(looks)} earlier ones that do not overlap; false alarms {result['rate']:g}"))
    head += [("not told", one) for one in result.get("untold", ())]
    head += [("ALARM", one["message"]) for one in result["alarms"]]
    if result.get("webhook"):
        head.append(("webhook", result["webhook"]))
    pairs(result["project"], head)
    rows = [
        ("ALARM" if one["alarm"] else "", one["name"], number(one["figure"], 3), _usual(one), number(one["limit"], 3))
        for one in [*result["promises"], *result["tests"]]
    ]
    if rows:
        table("Tests, the strangest first", ("", "test", "figure", "usual", "limit"), rows)


def _usual(one: Mapping[str, Any]) -> str:
    return number(one["promised"] if "promised" in one else one["usual"], 3)
