"""What the map shows: answers by place and period, with what came, the error, and whether it was to be expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from asof import times
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.flows import picturing, predicting, preparation
from asof.flows.oracles import CHANCE
from asof.flows.preparation import Prepared
from asof.lookups import OWN
from asof.pages import words
from asof.places.lines import Point
from asof.times import Step
from asof.ui.sights import Sight

FIGURES = {
    "prediction": "Prediction",
    "label": "What came",
    "error": "Error",
    "held": "Interval",
    "outside": "Outside",
}
"""What can be shown of each place, and its name."""
MOST_KNOWN = 4_000
"""Of more rows the latest can be clicked on."""
ROWS_PER = Step(1, "mo")
"""Single rows with a time are shown a month at a time."""


@dataclass(frozen=True)
class Atlas:
    """Answers on a map."""

    cases: pl.DataFrame
    """One a question: ``place`` (id of the place, or of the row), ``name``, ``lat``, ``lon`` (null where the place has
    an outline alone), ``start`` (of its period; null without a time), ``horizon``, ``prediction``, ``low``, ``high``,
    ``label``, ``error`` (prediction minus label), ``held`` (label within the interval), ``outside``."""
    outlines: Mapping[str, Mapping[str, Any]]
    """GeoJSON geometry by place; empty where places are points."""
    zone: str
    chances: bool = False
    """Whether predictions are probabilities of a class."""

    @property
    def periods(self) -> list[datetime]:
        """Starts of the periods, in order."""
        return [] if self.cases.is_empty() else self.cases["start"].drop_nulls().unique().sort().to_list()

    @property
    def horizons(self) -> list[str]:
        """Horizons, the nearest first."""
        return sorted(self.cases["horizon"].drop_nulls().unique().to_list(), key=lambda one: Step.parse(one).nominal)

    @property
    def figures(self) -> list[str]:
        """Names of the figures that are known of any question."""
        return [name for name in FIGURES if self.cases[name].null_count() < self.cases.height]


def judged(sight: Sight, of: str | None = None) -> Atlas | None:
    """Return the answers by which the release was judged; none where it kept none or nothing lies on a map.

    ``of``: the class whose probability is shown; of two the second where none is named.
    """
    kept = sight.release.judged()
    if kept is None:
        return None
    return _atlas(sight, kept, of)


def coming(sight: Sight, of: str | None = None) -> Atlas | None:
    """Return the answers about what comes next, or the rows that wait for their label; none where nothing waits."""
    standing = sight.standing
    ready = standing.ready
    if ready is None:
        asked = predicting.next_questions(standing.prepared, standing.oracle.places)
        if asked.is_empty():
            return None
        ready = predicting.answer_all(sight.workspace, standing.prepared, standing.oracle, asked)
    return _atlas(sight, ready.with_columns(label=pl.lit(None, dtype=pl.Float64)), of)


def known(sight: Sight) -> Atlas | None:
    """Places, or rows, that can be asked about, without any figure; none where nothing lies on a map."""
    prepared = sight.standing.prepared
    panel = prepared.panel
    if panel.rows:
        latest = preparation.of_rows(prepared).unique("unit", keep="last", maintain_order=True).tail(MOST_KNOWN)
        asked = latest.select("unit")
    else:
        asked = pl.DataFrame({"place": panel.places.ids})
    placed = _placed(prepared, asked)
    if placed is None or placed.is_empty():
        return None
    nothing = {name: pl.lit(None, dtype=pl.Float64) for name in ("prediction", "low", "high", "label", "error")}
    flags = {name: pl.lit(None, dtype=pl.Boolean) for name in ("held", "outside")}
    moment = {"start": pl.lit(None, dtype=UTC_TIME), "horizon": pl.lit(None, dtype=pl.String)}
    cases = placed.select("place", "name", "lat", "lon").with_columns(**moment, **nothing, **flags)
    return Atlas(cases, outlines(sight, prepared, cases["place"]), panel.zone)


def ends(atlas: Atlas) -> tuple[Point, Point]:
    """Two points to begin a line with: those of the places furthest to the south-west and to the north-east."""
    lying = atlas.cases.filter(pl.col("lat").is_not_null()).sort(pl.col("lat") + pl.col("lon"), "place")
    points = [(float(lat), float(lon)) for lat, lon in lying.select("lat", "lon").iter_rows()]
    return points[0], points[-1]


def at(atlas: Atlas, *, horizon: str | None = None, period: datetime | None = None) -> pl.DataFrame:
    """One row a place: of one period, or over all of them; of one horizon, or over all.

    Returns:
        ``place``, ``name``, ``lat``, ``lon``, the figures (means, and shares of what is true or false), ``low`` and
        ``high`` where there is one question a place, ``rows`` (questions), ``known`` (those with a label),
        ``size`` (mean absolute error).
    """
    cases = atlas.cases
    if horizon is not None:
        cases = cases.filter((pl.col("horizon") == horizon).fill_null(value=True))
    if period is not None:
        cases = cases.filter(pl.col("start") == period)
    alone = pl.len() == 1
    return (
        cases.group_by("place", maintain_order=True)
        .agg(
            pl.col("name", "lat", "lon").first(),
            pl.col("prediction", "label", "error").mean(),
            pl.col("held", "outside").cast(pl.Float64).mean(),
            pl.when(alone).then(pl.col("low").first()).alias("low"),
            pl.when(alone).then(pl.col("high").first()).alias("high"),
            pl.col("error").abs().mean().alias("size"),
            pl.len().alias("rows"),
            pl.col("label").count().alias("known"),
        )
        .sort("place")
    )


def summary(frame: pl.DataFrame, *, chances: bool = False) -> list[tuple[str, str, str]]:
    """Figures of all places of ``at`` together: name, figure and what it means."""
    write = words.percent if chances else words.brief
    weighted = frame.select(
        (pl.col(name) * pl.col(rows)).sum() / pl.col(rows).sum()
        for rows, names in (("rows", ("prediction", "outside")), ("known", ("label", "size", "held")))
        for name in names
    ).row(0, named=True)
    count = int(frame["rows"].sum())
    told = [("Predicted", write(weighted["prediction"]), f"mean of {count:,} questions, {frame.height:,} on the map")]
    if frame["label"].null_count() < frame.height:
        told += [
            ("Came", write(weighted["label"]), "mean of what came"),
            ("Typical error", write(weighted["size"]), "mean distance from what came"),
        ]
    if frame["held"].null_count() < frame.height:
        told.append(("Within the interval", words.percent(weighted["held"]), "made to be 90 %"))
    told.append(("Outside what was seen", words.percent(weighted["outside"]), "of the questions"))
    return told


def share_outside(frame: pl.DataFrame) -> float:
    """Share of the questions of ``at`` that lie outside of what was seen."""
    share = frame.select((pl.col("outside") * pl.col("rows")).sum() / pl.col("rows").sum()).item()
    return float(share or 0.0)


def of_place(atlas: Atlas, place: str, horizon: str | None = None) -> pl.DataFrame:
    """Questions about one place in order of their periods."""
    cases = atlas.cases.filter(pl.col("place") == place)
    if horizon is not None:
        cases = cases.filter(pl.col("horizon") == horizon)
    return cases.sort("start")


def _atlas(sight: Sight, answers: pl.DataFrame, of: str | None) -> Atlas | None:
    prepared = sight.standing.prepared
    placed = _placed(prepared, answers)
    if placed is None or placed.is_empty():
        return None
    classes = sight.standing.oracle.classes
    told = _plain(placed, classes, of) if classes else placed.with_columns(pl.col("label").cast(pl.Float64))
    if "start" not in told.columns:
        told = told.with_columns(start=pl.lit(None, dtype=UTC_TIME), horizon=pl.lit(None, pl.String))
    elif prepared.panel.rows:
        told = told.with_columns(times.floor(told["start"], ROWS_PER, prepared.panel.zone).alias("start"))
    cases = told.select(
        *("place", "name", "lat", "lon", "start", "horizon", "prediction", "low", "high", "label"),
        (pl.col("prediction") - pl.col("label")).alias("error"),
        pl.when(pl.col("low").is_not_null()).then(pl.col("label").is_between("low", "high")).alias("held"),
        "outside",
    )
    return Atlas(cases, outlines(sight, prepared, cases["place"]), prepared.panel.zone, bool(classes))


def outlines(sight: Sight, prepared: Prepared, ids: pl.Series) -> Mapping[str, Mapping[str, Any]]:
    """Outlines of places, where they have some; cells that the data no longer hold are drawn too."""
    if prepared.panel.rows:
        return {}
    if prepared.panel.places.kind == "h3":
        return picturing.cells(ids.unique().sort())
    return picturing.outlines(sight.workspace, prepared)


def _placed(prepared: Prepared, answers: pl.DataFrame) -> pl.DataFrame | None:
    """Answers with the name of their place and where it lies; none where that is not known."""
    if prepared.panel.rows:
        return _points(prepared, answers)
    known = prepared.panel.places
    if known.lat is None or known.lon is None:
        return None
    where = pl.DataFrame({"place": known.ids, "lat": known.lat, "lon": known.lon})
    where = where.join(names(prepared), on="place")
    named = answers.join(where, on="place", how="left", maintain_order="left")
    return named.with_columns(pl.col("name").fill_null(pl.col("place")))


def names(prepared: Prepared) -> pl.DataFrame:
    """``place`` and ``name`` of all places; of a cell, whose id tells nobody anything, with where it lies."""
    known = prepared.panel.places
    told = pl.DataFrame({"place": known.ids, "name": known.names if known.names is not None else known.ids})
    if known.kind != "h3" or known.lat is None or known.lon is None:
        return told
    where = told.with_columns(lat=known.lat.round(2), lon=known.lon.round(2))
    return where.select("place", name=pl.format("{}, {} ({})", "lat", "lon", "place"))


def _points(prepared: Prepared, answers: pl.DataFrame) -> pl.DataFrame | None:
    """Answers about rows, where these lie by their own columns."""
    point = prepared.counted.place
    if not isinstance(point, tuple):
        return None
    lat, lon = (OWN + name for name in point)
    rows = preparation.of_rows(prepared)
    if lat not in rows.columns or lon not in rows.columns:
        return None
    where = rows.select("unit", lat=pl.col(lat).cast(pl.Float64), lon=pl.col(lon).cast(pl.Float64)).unique("unit")
    told = answers.drop("place", strict=False).join(where, on="unit", how="inner", maintain_order="left")
    return told.filter(pl.col("lat").is_not_null() & pl.col("lon").is_not_null()).with_columns(
        place=pl.col("unit"), name=pl.col("unit")
    )


def _plain(answers: pl.DataFrame, classes: tuple[str, ...], of: str | None) -> pl.DataFrame:
    """Answers of classes as the probability of one of them, and whether it came."""
    chosen = of or classes[-1 if len(classes) == 2 else 0]
    if chosen not in classes:
        message = f"no class {chosen!r}; expected {', '.join(classes)}"
        raise DataError(message)
    nothing = pl.lit(None, dtype=pl.Float64)
    came = pl.lit(None, dtype=pl.Float64)
    if answers.schema["label"] == pl.String:
        came = (pl.col("label") == chosen).cast(pl.Float64)
    return answers.with_columns(prediction=pl.col(CHANCE + chosen), label=came, low=nothing, high=nothing)
