"""Why answers lie outside of what the training had seen: by which features, and how far, in words."""

import json
from collections.abc import Sequence

import polars as pl

from asof import releases
from asof.flows import asking, evidence, predicting, preparation
from asof.pages import words
from asof.releases import Odd
from asof.ui.sights import Sight

FEW = 3
"""So many features are named."""
MANY = 0.5
"""From this share of the questions on it is said why they lie outside."""
PLACE = "the place"


def judged(sight: Sight) -> list[Odd]:
    """By which features judged questions lay outside; nothing where a release of an earlier version did not keep it."""
    if not (sight.release.folder / evidence.OUTSIDE).is_file():
        return []
    return [Odd(**{**one, "texts": tuple(one["texts"])}) for one in json.loads(sight.release.text(evidence.OUTSIDE))]


def coming(sight: Sight) -> list[Odd]:
    """By which features the questions that come next lie outside."""
    standing = sight.standing
    return _of(sight, predicting.next_questions(standing.prepared, standing.oracle.places))


def of_rows(sight: Sight, rows: pl.DataFrame) -> list[Odd]:
    """By which features rows of text, as a form gives them, lie outside."""
    asked = asking.of_frame(sight.workspace, sight.standing.prepared, rows, "the form")
    return _of(sight, asked.filter(pl.col("reason").is_null()) if "reason" in asked.columns else asked)


def _of(sight: Sight, asked: pl.DataFrame) -> list[Odd]:
    standing = sight.standing
    if asked.is_empty():
        return []
    features = preparation.read(standing.prepared, asked, sight.workspace.spec.leave_out)
    found = releases.odd(features, standing.oracle.release.schema())
    known = standing.oracle.places
    new = asked["place"].is_not_null() & ~asked["place"].is_in(known.implode())
    told = asked["place"].filter(new).unique().sort().head(FEW).cast(pl.String)
    return [*([Odd(PLACE, int(new.sum()), texts=tuple(told))] if new.any() else []), *found]


def spoken(found: Sequence[Odd]) -> str:
    """Say why in a sentence; empty where nothing is known of it."""
    if not found:
        return ""
    rest = len(found) - FEW
    more = f"; and {rest} more {'feature' if rest == 1 else 'features'}" if rest > 0 else ""
    return f"Outside because of {'; '.join(map(_said, found[:FEW]))}{more}."


def _said(one: Odd) -> str:
    if one.texts:
        return f"{one.name}: {' or '.join(map(repr, one.texts))}, never met in training"
    if one.least is None or one.most is None:
        return f"{one.name}: unknown here, never in training"
    here = _range(one.least, one.most)
    if one.low is None or one.high is None:
        return f"{one.name}: {here} here, never known in training"
    return f"{one.name}: {here} here, {_range(one.low, one.high)} in training"


def _range(low: float, high: float) -> str:
    return _written(low) if low == high else f"{_written(low)} to {_written(high)}"


def _written(value: float) -> str:
    """Write a number; a whole one without a comma, for it may be a year."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 10_000 else words.number(value)
