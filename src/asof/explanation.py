"""Reasons of predictions: what each feature adds to or takes off what the model says on average.

Reasons are Shapley values in the unit of the prediction, one for each feature that the model is given (not for the
columns that its encoders make), and whatever the model is: only its ``predict`` is asked. They are additive: the
average prediction of the background and the reasons of a question sum to its prediction.

Found by antithetic walks (Castro et al. 2009; Mitchell et al. 2022): from a background row to the question, features
are changed over one by one in a random order, and in the reverse of it; a reason is the mean change of the prediction
as its feature was changed. Pairwise interactions are shared out without any error; see ``tests/test_explanation.py``
for exact values by all subsets.

The ``shap`` library (0.51) does the same walks and gives the same values. It is not used, because importing it and
compiling its loops takes 12 s in each process on two busy cores (5.9 s and 6.1 s; they are compiled anew each time),
against 0.5 to 2.2 s for all reasons of a report here; it brings 190 MB; and it knows no frame with text columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import DataError

Floats = NDArray[np.float64]
ROWS = 100_000
"""Predictions that the reasons of a report may ask for: 0.5 to 2.2 s for every recipe of the portfolio, on 86 features
of the collisions (two busy cores)."""
BACKGROUND = 12
"""Rows that stand for the usual case in a report."""
_POOL = 2_000
"""Rows among which the usual ones are looked for."""
_AT_ONCE = 40_000
"""Rows that are predicted at once, so that memory stays small."""


class Predicts(Protocol):
    """What is explained."""

    @property
    def columns(self) -> Mapping[str, str]:
        """Features that it reads."""
        ...

    def predict(self, features: pl.DataFrame) -> Floats:
        """Return n predictions, or n x k probabilities."""
        ...


@dataclass(frozen=True)
class Explanation:
    """Reasons of n predictions: ``base`` + the sum of a row of ``reasons`` = its prediction."""

    base: float
    """Mean prediction of the background."""
    reasons: pl.DataFrame
    """n rows, a Float64 column a feature (or a group of features), in the unit of the prediction."""
    predictions: Floats
    """n predictions; of a class, its probabilities."""


def explain(
    model: Predicts,
    features: pl.DataFrame,
    background: pl.DataFrame,
    *,
    seed: int = 0,
    walks: int = 1,
    label: int | None = None,
) -> Explanation:
    """Explain the predictions of n questions against the usual case.

    The reasons of a question do not depend on the other questions, and not on the number of threads.

    Args:
        model: a model, a blend, anything that predicts from a frame.
        features: n questions.
        background: m rows that stand for the usual case, each compared with each question: see ``usual``.
        seed: of the orders in which features are changed over; an order belongs to a background row.
        walks: orders for each pair of a question and a background row; each costs up to 2 x features predictions.
        label: which class, for a model that gives probabilities.

    Raises:
        DataError: nothing to explain, no background, a feature is missing, or ``label`` does not fit the model.
    """
    names = list(model.columns)
    lacking = [name for name in names if name not in features.columns or name not in background.columns]
    if lacking or not background.height or not features.height:
        what = f"without {', '.join(lacking)}" if lacking else "of no rows"
        raise DataError(f"explanation: features {what}; expected questions and a background with what the model reads")
    both = pl.concat([features.select(names), background.select(names)], how="vertical_relaxed")
    ends = _told(model, both, label)
    count, usual_count = features.height, background.height
    codes = np.stack([both[name].rank("dense").fill_null(0).to_numpy() for name in names], axis=1)
    reasons = np.zeros((count, len(names)))
    draw = np.random.default_rng(seed)
    for _ in range(walks):
        order = draw.random((usual_count, len(names))).argsort(axis=1).argsort(axis=1)
        for pairs in _portions(count, usual_count, len(names)):
            question, usual_row = pairs // usual_count, pairs % usual_count
            walked = _walk(model, both, label, _Pairs(question, count + usual_row, codes, order[usual_row], ends))
            np.add.at(reasons, question, walked)
    frame = pl.DataFrame(reasons / (usual_count * walks), schema=dict.fromkeys(names, pl.Float64), orient="row")
    return Explanation(float(ends[count:].mean()), frame, ends[:count])


@dataclass(frozen=True)
class _Pairs:
    """Questions and background rows to walk between, all q pairs at once."""

    question: NDArray[np.intp]
    usual: NDArray[np.intp]
    """q rows of the frame that holds both."""
    codes: NDArray[np.uint32]
    """Equal where values are equal, for all rows of that frame."""
    order: NDArray[np.intp]
    """q x p: when each feature is changed over."""
    ends: Floats
    """Predictions of all rows of that frame."""


def _walk(model: Predicts, both: pl.DataFrame, label: int | None, pairs: _Pairs) -> Floats:
    """Mean change of the prediction at the turn of each feature, there and back: q x p.

    A feature that is equal at both ends changes nothing, and costs nothing.
    """
    moved = pairs.codes[pairs.question] != pairs.codes[pairs.usual]
    length = moved.sum(axis=1)
    rank = np.where(moved, pairs.order, moved.shape[1]).argsort(axis=1).argsort(axis=1)
    # Between the ends: after k = 1 .. length - 1 turns, first in the order, then in its reverse.
    inner = np.maximum(length - 1, 0)
    row = np.repeat(np.arange(len(length)), inner)
    turns = np.arange(len(row)) - np.repeat(np.cumsum(inner) - inner, inner) + 1
    forth, back = rank[row] < turns[:, None], rank[row] >= (length[row] - turns)[:, None]
    taken = np.concatenate([forth, back]) & np.concatenate([moved[row]] * 2)
    question, usual_row = np.tile(pairs.question[row], 2), np.tile(pairs.usual[row], 2)
    told = np.empty((2, len(length), moved.shape[1] + 1))
    told[:, :, 0] = pairs.ends[pairs.usual]
    told[:, np.arange(len(length)), length] = pairs.ends[pairs.question]
    if len(row):
        mixed = pl.DataFrame(
            [both[name].gather(np.where(taken[:, at], question, usual_row)) for at, name in enumerate(both.columns)]
        )
        told[:, row, turns] = _told(model, mixed, label).reshape(2, -1)
    pair = np.arange(len(length))[:, None]
    first = np.where(moved, rank, 0)
    last = np.where(moved, length[:, None] - 1 - rank, 0)
    there = told[0, pair, first + 1] - told[0, pair, first]
    again = told[1, pair, last + 1] - told[1, pair, last]
    return np.where(moved, (there + again) / 2, 0.0)


def _portions(questions: int, usual_rows: int, features: int) -> Iterator[NDArray[np.intp]]:
    """Pairs in portions whose predictions fit into memory."""
    pairs = np.arange(questions * usual_rows)
    size = max(1, _AT_ONCE // (2 * features + 1))
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


def _told(model: Predicts, frame: pl.DataFrame, label: int | None) -> Floats:
    told = model.predict(frame)
    if told.ndim == 1 and label is None:
        return told
    if told.ndim == 1 or label is None or not 0 <= label < told.shape[1]:
        shape = "numbers" if told.ndim == 1 else f"the probabilities of {told.shape[1]} classes"
        raise DataError(f"explanation: the model gives {shape}, asked was for label {label}")
    return np.ascontiguousarray(told[:, label])


def usual(
    model: Predicts, features: pl.DataFrame, count: int = BACKGROUND, *, label: int | None = None
) -> pl.DataFrame:
    """Choose rows that stand for all, at even steps through the predictions: their mean is about that of all.

    Returns at most ``count`` rows of ``features``.
    """
    pool = features.gather_every(max(1, features.height // _POOL))
    order = np.argsort(_told(model, pool.select(list(model.columns)), label), kind="stable")
    steps = (np.arange(count) + 0.5) / count * len(order)
    return pool[np.unique(order[steps.astype(int)])] if len(order) > count else pool


def affordable(features: int, background: int = BACKGROUND, rows: int = ROWS) -> int:
    """How many questions can be explained with about ``rows`` predictions: at least 8, at most 200."""
    return int(np.clip(rows // max(2 * features * background, 1), 8, 200))


def grouped(explanation: Explanation, groups: Mapping[str, str]) -> Explanation:
    """Add up the reasons of features that belong together; a feature without a group stays alone."""
    members: dict[str, list[str]] = {}
    for name in explanation.reasons.columns:
        members.setdefault(groups.get(name, name), []).append(name)
    summed = [pl.sum_horizontal(names).alias(group) for group, names in members.items()]
    return Explanation(explanation.base, explanation.reasons.select(summed), explanation.predictions)


def importance(explanation: Explanation) -> pl.DataFrame:
    """How much each feature matters: ``feature``, ``importance`` (mean absolute reason) and ``share``, largest first.

    Importance is in the unit of the prediction; shares sum to 1, or are 0 where nothing matters.
    """
    means = [explanation.reasons[name].abs().mean() for name in explanation.reasons.columns]
    table = pl.DataFrame(
        {"feature": explanation.reasons.columns, "importance": means},
        schema={"feature": pl.String, "importance": pl.Float64},
    )
    total = table["importance"].sum()
    share = pl.col("importance") / total if total else pl.lit(0.0)
    return table.with_columns(share=share).sort("importance", descending=True, maintain_order=True)


_PLACE = {"place": "the place itself", "coarser": "the place itself", "lat": "where it lies", "lon": "where it lies"}
_CALENDAR = {
    **dict.fromkeys(("weekday", "weekend"), "day of the week"),
    **dict.fromkeys(("month", "day", "day_of_year", "day_of_year_sin", "day_of_year_cos"), "time of the year"),
    **dict.fromkeys(("hour", "hour_sin", "hour_cos"), "time of day"),
    **dict.fromkeys(("holiday", "days_to_holiday", "days_from_holiday"), "holidays"),
    "horizon_hours": "how far ahead",
}
_AROUND = {"coarser_": " in its area", "neighbours_": " next to it", "all_": " everywhere"}
_HISTORY = ("mean_", "same_weekday_", "same_hour_", "ratio_", "lag_", "days_since", "covered_")


def families(names: Sequence[str], sources: Sequence[str]) -> dict[str, str]:
    """Say for each feature, in words, what it belongs to: all windows over the past of a source belong together.

    ``crashes_mean_28d`` and ``crashes_lag_7d`` are ``past crashes here``, ``crashes_all_mean_28d`` is ``past crashes
    everywhere``, ``weather_prcp`` is ``weather``, a row's own column keeps its name, and so does all else.

    Args:
        names: of features.
        sources: names of sources and lookups, with which the features made of them begin.
    """
    return {name: _family(name, sorted(sources, key=len, reverse=True)) for name in names}


def _family(name: str, sources: Sequence[str]) -> str:
    if name.startswith("own."):
        return name.removeprefix("own.")
    known = {**_PLACE, **_CALENDAR}.get(name)
    if known:
        return known
    for source in sources:
        rest = name.removeprefix(f"{source}_")
        if rest == name:
            continue
        level = next((prefix for prefix in _AROUND if rest.startswith(prefix)), "")
        windowed = rest.removeprefix(level)
        if windowed.startswith(_HISTORY) or "_sum_" in windowed or "_mean_" in windowed:
            return f"past {source.replace('_', ' ')}{_AROUND.get(level, ' here')}"
        return source.replace("_", " ")
    return name
