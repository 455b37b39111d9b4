"""Which answers a release gives from memory: it was fitted on the outcome of what is asked."""

from datetime import datetime

import polars as pl

from asof import times
from asof.data import UTC_TIME
from asof.flows import preparation
from asof.flows.preparation import Prepared
from asof.releases import Release
from asof.times import Step


def learnt(prepared: Prepared, release: Release, asked: pl.DataFrame, *, keyed: bool = True) -> pl.Series:
    """Whether the outcome of each question was among those that the release was fitted on: ``learnt``.

    Of places and periods those whose outcome was known at the release's last cut, from the first period that it
    learnt; of rows those with a label that had been loaded, or was known, by then. ``keyed``: whether ``unit`` is
    the key of a row of the source, and not its number in a file; without keys nobody can tell, so all are null.
    """
    if prepared.panel.rows and not keyed:
        return pl.Series("learnt", [None], dtype=pl.Boolean).new_from_index(0, asked.height)
    if prepared.panel.rows:
        told = asked["unit"].is_in(_rows(prepared, release).implode())
    else:
        told = asked.select(_periods(prepared, release, asked)).to_series()
    return told.fill_null(value=False).alias("learnt")


def _periods(prepared: Prepared, release: Release, asked: pl.DataFrame) -> pl.Expr:
    cut, since = (_moment(release.facts.get(name, "")) for name in ("cut", "since"))
    if cut is None or since is None:
        return pl.repeat(value=False, n=pl.len(), dtype=pl.Boolean)
    end = asked["end"].cast(UTC_TIME)
    known = times.shift(end, Step.of(prepared.counted.delay), prepared.panel.zone)
    return (pl.col("start") >= since) & (pl.lit(known) <= cut)


def _rows(prepared: Prepared, release: Release) -> pl.Series:
    """Units whose label the release has learnt."""
    cut = _moment(release.facts.get("cut", ""))
    rows = prepared.counted.rows.select("_key", "_first_seen")
    if cut is None:
        loaded = rows.filter(pl.col("_first_seen") <= release.created)
        units = preparation.of_rows(prepared).filter(pl.col("label").is_not_null())
        return units["unit"].filter(units["unit"].is_in(loaded["_key"].cast(pl.String).implode()))
    units = preparation.of_rows(prepared).filter(pl.col("label").is_not_null() & (pl.col("known_at") <= cut))
    return units["unit"]


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
