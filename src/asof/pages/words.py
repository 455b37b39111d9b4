"""Numbers, times and metrics in words."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from asof.pages.drawing import FAR, SUFFIXES
from asof.pages.facts import Figure

UNKNOWN = "–"


@dataclass(frozen=True)
class MetricWords:
    """A metric for people who do not know it."""

    title: str
    meaning: str


METRICS = {
    "poisson_deviance": MetricWords(
        "Poisson deviance",
        "How far the predicted counts are from the counts that came, weighing a miss by how much chance "
        "alone would explain; 0 would be perfect, and for small counts even perfect knowledge stays near 1, because "
        "chance remains.",
    ),
    "rmse": MetricWords("RMSE", "The typical size of a miss, in {unit}; large misses weigh more. 0 would be perfect."),
    "mae": MetricWords("Mean absolute error", "The average size of a miss, in {unit}. 0 would be perfect."),
    "r2": MetricWords("R²", "The share of the ups and downs that is explained; 1 would be perfect, 0 is a flat guess."),
    "rmsle": MetricWords("RMSLE", "The typical relative miss, on a logarithmic scale; 0 would be perfect."),
    "mape": MetricWords("Mean relative error", "The average miss as a share of the true value; 0 would be perfect."),
    "median_ape": MetricWords("Median relative error", "Half of all misses are smaller than this share."),
    "bias": MetricWords("Bias", "The average of prediction less truth, in {unit}; 0 is best, above 0 is too high."),
    "coverage": MetricWords("Coverage", "The share of true values inside their prediction interval."),
    "log_loss": MetricWords(
        "Log loss",
        "How surprised one would be by what came after hearing its probability; a confident miss weighs most. "
        "0 would be perfect.",
    ),
    "brier": MetricWords(
        "Brier score", "The squared distance of the probabilities from what came; 0 would be perfect."
    ),
    "accuracy": MetricWords("Accuracy", "The share put into the right class; 1 would be perfect."),
    "auc": MetricWords(
        "AUC", "How often a case of the class is ranked above a case of another; 1 is always, 0.5 is a coin."
    ),
    "auc_event": MetricWords(
        "AUC of an event",
        "How often a period with something in it is ranked above one with nothing; 1 is always, 0.5 is a coin.",
    ),
    "f1": MetricWords("F1", "The balance of finding a class and being right when naming it; 1 would be perfect."),
}

RULES = {
    "mean": "the overall mean",
    "last": "the last known value",
    "seasonal": "the same period a week before",
    "place_calendar": "the mean of the place on such days",
    "place_rhythm": "the mean of the place times the rhythm of all",
    "best_column": "the best single column",
}
"""The simple rules that every model is held against, for people."""

AUDIT = {
    "future": "Can anything from after a prediction's moment reach it? Later rows are removed, and scrambled.",
    "fit": "Is anything learnt from what is tested on? The test part is scrambled.",
    "split": "Do training and test keep apart? No label known too late, no unit on both sides.",
    "parity": "Does one question asked alone get the answer that it gets in a batch?",
    "rerun": "Does doing it all again give the same model and the same predictions?",
    "too good": "Does a column simply give the answer away?",
    "drift": "Do training and test look alike?",
}
"""What each check of the audit asks, in one sentence."""


def title(metric: str) -> str:
    """Name of a metric for people."""
    words = METRICS.get(metric)
    return words.title if words else metric.replace("_", " ")


def meaning(metric: str, unit: str) -> str:
    """What a metric says, in one or two sentences; empty for one that is not ours."""
    words = METRICS.get(metric)
    return words.meaning.format(unit=unit) if words else ""


def rule(name: str, task: str = "number") -> str:
    """Name of a simple rule for people."""
    if task == "class" and name == "mean":
        return "the most frequent class"
    return RULES.get(name.replace(" x ", "_"), name.replace("_", " "))


def signed(value: Any, write: Any = None) -> str:
    """Write a number with its sign, ``+0.31``."""
    text: str = (write or brief)(value)
    return text if text in {UNKNOWN, "0"} or text.startswith("−") else f"+{text}"


def number(value: Any) -> str:
    """Write a number as people read it: four figures, thousands apart, a real minus."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    if float(value).is_integer() or size >= 1000:
        text = f"{size:,.0f}"
    elif size >= 100:
        text = f"{size:.1f}"
    elif size >= 10:
        text = f"{size:.2f}"
    elif size >= 0.1:
        text = f"{size:.3f}"
    else:
        text = f"{size:.2g}"
    return f"−{text}" if value < 0 and float(text.replace(",", "")) != 0 else text


def brief(value: Any) -> str:
    """Write a number with two or three figures, where more would only tire."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    text = (
        f"{size:,.0f}"
        if size >= 100
        else f"{size:.1f}"
        if size >= 10
        else f"{size:.2f}"
        if size >= 0.1
        else f"{size:.2g}"
    )
    return f"−{text}" if value < 0 and float(text.replace(",", "")) != 0 else text


def compact(value: Any) -> str:
    """Write a number for a legend, as short as can be: ``2.3M``, ``430k``."""
    if value is None or not math.isfinite(value) or abs(value) < FAR:
        return brief(value)
    size, suffix = next((size, suffix) for size, suffix in SUFFIXES if abs(value) >= size)
    text = f"{abs(value) / size:.3g}"
    return f"{'−' if value < 0 else ''}{text}{suffix}"


def points(value: Any) -> str:
    """Write a difference of probabilities in percentage points: 0.031 -> ``3.1 pp``."""
    return percent(value).replace("%", "pp")


def percent(value: Any, digits: int = 1) -> str:
    """Write a share as a percentage: 0.031 -> ``3.1 %``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value) * 100:,.{digits}f}"
    return f"−{text} %" if value < 0 and float(text.replace(",", "")) != 0 else f"{text} %"


def within(figure: Figure | None, write: Any = number) -> str:
    """Write the interval of a figure, ``1.060 to 1.068``; empty where there is none."""
    if figure is None or figure.low is None or figure.high is None:
        return ""
    if not (math.isfinite(figure.low) and math.isfinite(figure.high)):
        return ""
    return f"{write(figure.low)} to {write(figure.high)}"


def date(moment: datetime, zone: str) -> str:
    """Write the day of a moment: ``1 Sep 2019``."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y}"


def day(moment: datetime, zone: str) -> str:
    """Write a day: ``1 Sep 2019``; a moment that is no local midnight carries its time."""
    local = moment.astimezone(ZoneInfo(zone))
    text = date(moment, zone)
    return text if (local.hour, local.minute) == (0, 0) else f"{text} {local:%H:%M}"


def stretch(since: datetime, until: datetime, zone: str) -> str:
    """Write [since, until): ``1 Sep 2019 to 30 Nov 2019``, the last day included."""
    local = until.astimezone(ZoneInfo(zone))
    last = until - timedelta(minutes=1) if (local.hour, local.minute) == (0, 0) else until
    return f"{day(since, zone)} to {day(until, zone) if last is until else date(last, zone)}"


def minute(moment: datetime, zone: str) -> str:
    """Write a moment with its zone: ``1 Sep 2019 14:05 (Europe/London)``."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{date(moment, zone)} {local:%H:%M} ({zone})"
