"""Baselines: what a model must beat to be worth anything."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import weighted_mean, weights_of
from asof.errors import DataError
from asof.estimators.base import Files, Floats, Job, Space, dump_json, first_match, settings
from asof.estimators.classes import Shares, key, read_shares, share, shares_by

TASKS = frozenset({"count", "number"})


@dataclass(frozen=True)
class Learnt:
    """A constant, the value of a column, or a table of means, each falling back on the one before."""

    mean: float
    column: str | None = None
    levels: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Finest first: ``{"columns": [...], "means": {key: mean}}``."""
    factor: Mapping[str, Any] | None = None
    """Ratios by key that the value is multiplied with: ``{"columns": [...], "means": {key: ratio}}``."""
    rounds: int | None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions; ``threads`` has no effect."""
        del threads
        found = [pl.lit(None, dtype=pl.Float64)] if self.column is None else [pl.col(self.column).cast(pl.Float64)]
        for level in self.levels:
            keys = pl.Series(list(level["means"]), dtype=pl.String)
            means = pl.Series(list(level["means"].values()), dtype=pl.Float64)
            found.append(key(level["columns"]).replace_strict(keys, means, default=None, return_dtype=pl.Float64))
        frame = features.select(pl.coalesce(*found, pl.repeat(self.mean, pl.len(), dtype=pl.Float64)).alias("_"))
        out: Floats = frame["_"].to_numpy()
        return out if self.factor is None else out * self._ratios(features, self.factor)

    def _ratios(self, features: pl.DataFrame, factor: Mapping[str, Any]) -> Floats:
        keys, ratios = pl.Series(list(factor["means"]), dtype=pl.String), list(factor["means"].values())
        found = key(factor["columns"]).replace_strict(keys, ratios, default=None, return_dtype=pl.Float64)
        told: Floats = features.select(found.fill_null(1.0).alias("_"))["_"].to_numpy()
        return told

    def files(self) -> Files:
        """One JSON file."""
        levels = [dict(level) for level in self.levels]
        told = {"mean": self.mean, "column": self.column, "levels": levels}
        # Only where there is one, so that models kept earlier are written as they were.
        more = {} if self.factor is None else {"factor": dict(self.factor)}
        return {"baseline.json": dump_json({**told, **more})}

    canonical = files


class _Baseline:
    tasks: ClassVar[frozenset[str]] = TASKS | {"class"}
    defaults: ClassVar[Mapping[str, Any]] = {}
    space: ClassVar[Space] = {}
    weighs: ClassVar[bool] = True

    def read(self, files: Mapping[str, bytes]) -> Learnt | Shares:
        """Make what was learnt from its file again."""
        shares = read_shares(files)
        return Learnt(**json.loads(files["baseline.json"])) if shares is None else shares


class Mean(_Baseline):
    """The mean label of training; of classes their shares, so that the most frequent one is decided on."""

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Learnt | Shares:
        """Learn the weighted mean, or the shares."""
        del watch
        settings(self.defaults, job, "mean")
        if job.task == "class":
            return Shares(tuple(share(table, job.classes).tolist()))
        return Learnt(weighted_mean(table))


class Last(_Baseline):
    """The last value known: the first feature that matches one of ``columns``; the mean where it is unknown."""

    tasks: ClassVar[frozenset[str]] = TASKS
    defaults: ClassVar[Mapping[str, Any]] = {"columns": ("*last*", "*lag*")}

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Learnt:
        """Find the column, and learn the mean that stands in for it."""
        del watch
        wanted = settings(self.defaults, job, type(self).__name__.lower())["columns"]
        numbers = [name for name, dtype in table.features.schema.items() if dtype.is_numeric()]
        column = first_match(numbers, wanted)
        if column is None:
            message = f"no feature matches {', '.join(wanted)}; add a lag to history, or leave this baseline out"
            raise DataError(message)
        return Learnt(weighted_mean(table), column)


class Seasonal(Last):
    """The same period last week, as a feature tells it."""

    defaults: ClassVar[Mapping[str, Any]] = {"columns": ("*lag_7d*", "*lag_1w*", "*lag_168h*", "*lag_14d*")}


class PlaceCalendar(_Baseline):
    """Mean label, or shares of classes, of place x weekday x hour.

    A place never seen falls back on the coarser place and the whole. ``columns`` are patterns for place, weekday and
    hour, in that order; those not found are left out. Means of a cell are drawn towards the mean of all with the
    weight of ``smoothing`` rows.
    """

    defaults: ClassVar[Mapping[str, Any]] = {
        "place": ("place",),
        "coarser": ("coarser", "borough"),
        "calendar": ("*weekday", "*hour"),
        "smoothing": 0.0,
    }

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Learnt | Shares:
        """Learn means or shares at each level, finest first."""
        del watch
        chosen: dict[str, Any] = settings(self.defaults, job, "place_calendar")
        found = self._levels(table.features.columns, chosen)
        if job.task == "class":
            if not found:
                raise DataError("no feature tells place, weekday or hour: this baseline would be the shares of all")
            smoothing = chosen["smoothing"]
            shares = [{"columns": each, "shares": shares_by(table, each, job.classes, smoothing)} for each in found]
            return Shares(tuple(share(table, job.classes).tolist()), tuple(shares))
        overall = weighted_mean(table)
        levels = [{"columns": each, "means": self._means(table, each, chosen["smoothing"], overall)} for each in found]
        return Learnt(overall, None, tuple(levels))

    def _levels(self, names: Sequence[str], chosen: Mapping[str, Any]) -> list[list[str]]:
        """Columns of each level, finest first."""
        place, coarser = first_match(names, chosen["place"]), first_match(names, chosen["coarser"])
        calendar = [first_match(names, [pattern]) for pattern in chosen["calendar"]]
        calendar = [name for name in calendar if name is not None]
        sets: list[list[str | None]] = [[place, *calendar], [place], [coarser, *calendar], [coarser], calendar]
        seen: list[list[str]] = []
        for columns in sets:
            known = [name for name in columns if name is not None]
            if known and len(known) == len(columns) and known not in seen:
                seen.append(known)
        return seen

    def _means(self, table: Table, columns: list[str], smoothing: float, overall: float) -> dict[str, float]:
        frame = table.features.select(key(columns).alias("key")).with_columns(
            table.label.alias("label"), weights_of(table).alias("weight")
        )
        total, weight = (pl.col("label") * pl.col("weight")).sum(), pl.col("weight").sum()
        mean = ((total + smoothing * overall) / (weight + smoothing)).alias("mean")
        groups = frame.drop_nulls("key").group_by("key", maintain_order=True).agg(mean).sort("key")
        kept = groups.filter(pl.col("mean").is_finite())
        return dict(zip(kept["key"].to_list(), np.asarray(kept["mean"]).tolist(), strict=True))


class PlaceRhythm(PlaceCalendar):
    """Mean label of the place, times how its weekday and hour compare with the mean of all.

    Where places are many and events few, a mean of its own for each place x weekday x hour is mostly chance; the
    product of the two needs far fewer rows, so it is the stronger rule to be held against.
    """

    tasks: ClassVar[frozenset[str]] = TASKS

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Learnt:
        """Learn the means of places, and the ratios of the calendar."""
        del watch
        chosen: dict[str, Any] = settings(self.defaults, job, "place_rhythm")
        names = table.features.columns
        overall = weighted_mean(table)
        levels: list[dict[str, Any]] = []
        for patterns in (chosen["place"], chosen["coarser"]):
            name = first_match(names, patterns)
            if name is not None and all(name not in level["columns"] for level in levels):
                levels.append({"columns": [name], "means": self._means(table, [name], chosen["smoothing"], overall)})
        found = [first_match(names, [pattern]) for pattern in chosen["calendar"]]
        calendar = [name for name in found if name is not None]
        if not calendar or overall == 0:
            return Learnt(overall, None, tuple(levels))
        means = self._means(table, calendar, chosen["smoothing"], overall)
        ratios = {key: mean / overall for key, mean in means.items()}
        return Learnt(overall, None, tuple(levels), {"columns": calendar, "means": ratios})
