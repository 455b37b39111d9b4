"""The made-up worlds in which leaks are planted: small tables, and the page of an ordinary project about them."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

HEAD = """\
import functools
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

import asof
from asof.data import Table
from asof.estimators.linear import Coefficients, Linear
from asof.ledgers import Moments


"""
"""What the plug-in files of all leaks begin with."""
FIRST = date(2021, 1, 1)
DAYS = 112
PLACES = 5
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Project:
    """A project as a user has it on disk: the page, the tables, and perhaps a file of plug-ins."""

    settings: Settings
    tables: Mapping[str, pl.DataFrame]
    """By name of the CSV file, without its ending."""
    plugin: str = ""

    @property
    def fitted(self) -> bool:
        """Whether a part that is fitted is planted: an encoder or an estimator."""
        return bool(_marked(self.plugin, "encoder") or _marked(self.plugin, "estimator"))

    def write(self, folder: Path) -> Path:
        """Write everything into ``folder``; returns it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "project.yaml").write_text(yaml.safe_dump(dict(self.settings), sort_keys=False), encoding="utf-8")
        for name, table in self.tables.items():
            table.write_csv(folder / f"{name}.csv")
        if self.plugin:
            (folder / "features.py").write_text(HEAD + self.plugin, encoding="utf-8")
        return folder


def panel(
    plugin: str = "", settings: Settings | None = None, tables: Mapping[str, pl.DataFrame] | None = None
) -> Project:
    """Calls of an emergency line by zone and day, beside the weather of the town.

    ``settings`` are laid over the page, ``tables`` over those of the world. Lookups, encoders and estimators that
    ``plugin`` marks are used: named among the features, before every candidate, or as the only candidate.
    """
    page: Settings = {
        "name": "calls",
        "sources": {
            "calls": {
                "files": "calls.csv",
                "key": "id",
                "time": {"columns": ["at"], "zone": "America/New_York"},
                "place": "zone",
            },
            "weather": {"files": "weather.csv", "key": "day", "time": {"columns": ["day"], "zone": "America/New_York"}},
        },
        "predict": {"count": "calls", "per": {"place": "zone", "every": "1d"}, "horizon": "1d"},
        "features": [{"history": {"windows": ["3d", "7d", "28d"], "weekday": [], "lags": [], "since": False}}],
        "judge": {"holdout": "21d", "folds": 2, "fold": "14d"},
        "train": {"budget": "0s", "candidates": ["linear"], "threads": 1, "since": FIRST + timedelta(days=14)},
    }
    return _project(page, plugin, settings, {"calls": calls(), "weather": weather(), **(tables or {})})


def houses(
    plugin: str = "",
    settings: Settings | None = None,
    columns: Mapping[str, Any] | None = None,
    *,
    rows: pl.DataFrame | None = None,
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> Project:
    """Houses and their prices, one row each, without a time; ``columns`` are added to them, ``tables`` lie beside."""
    page: Settings = {
        "name": "houses",
        "sources": {"houses": {"files": "houses.csv", "key": "id"}},
        "predict": {"value": "houses.price"},
        "judge": {"folds": 3, "repeats": 1},
        "train": {"budget": "0s", "candidates": ["linear"], "threads": 1},
        "features": [],
    }
    table = (house_table() if rows is None else rows).with_columns(**(columns or {}))
    return _project(page, plugin, settings, {"houses": table, **(tables or {})})


def sales(plugin: str = "", settings: Settings | None = None, columns: Mapping[str, Any] | None = None) -> Project:
    """The same houses as they are offered one after the other, each to be valued on the day on which it is offered."""
    page: Settings = {
        "name": "sales",
        "sources": {
            "houses": {
                "files": "houses.csv",
                "key": "id",
                "time": {"columns": ["offered"], "zone": "Europe/Paris", "available": "closed"},
                "place": "street",
                "covered": [[FIRST, FIRST + timedelta(days=400)]],
            }
        },
        "predict": {"value": "houses.price", "per": {"place": "street"}},
        "judge": {"folds": 2, "holdout": "60d", "fold": "60d"},
        "train": {"budget": "0s", "candidates": ["linear"], "threads": 1, "since": FIRST},
        "features": [{"history": {"windows": ["90d"], "ratios": [], "since": False, "all": True}}],
        "leave_out": {"closed": "known only when the house is sold"},
    }
    table = sale_table().with_columns(**(columns or {}))
    return _project(page, plugin, settings, {"houses": table})


def passengers(
    plugin: str = "",
    settings: Settings | None = None,
    columns: Mapping[str, Any] | None = None,
    *,
    rows: pl.DataFrame | None = None,
) -> Project:
    """Passengers of a ship and whether they survived, one row each, without a time."""
    page: Settings = {
        "name": "passengers",
        "sources": {"passengers": {"files": "passengers.csv", "key": "id"}},
        "predict": {"classes": "passengers.survived"},
        "judge": {"folds": 3, "repeats": 1},
        "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1},
        "features": [],
    }
    table = (passenger_table() if rows is None else rows).with_columns(**(columns or {}))
    return _project(page, plugin, settings, {"passengers": table})


def _project(page: Settings, plugin: str, settings: Settings | None, tables: Mapping[str, pl.DataFrame]) -> Project:
    marked = {kind: _marked(plugin, kind) for kind in ("lookup", "encoder", "estimator")}
    features = [*page["features"], *marked["lookup"]]
    page = overlaid(page, {"features": features, "plugins": ["features.py"]} if plugin else {})
    if marked["encoder"]:
        page = overlaid(page, {"train": {"encoders": marked["encoder"]}})
    if marked["estimator"]:
        page = overlaid(page, {"train": {"candidates": marked["estimator"]}})
    return Project(overlaid(page, settings or {}), tables, plugin)


def _marked(plugin: str, kind: str) -> list[str]:
    """Names of the functions or classes under ``@asof.<kind>``."""
    return [
        named or own for named, own in re.findall(rf'@asof\.{kind}(?:\(name="(\w+)"\))?\n(?:def|class) (\w+)', plugin)
    ]


def overlaid(page: Settings, over: Settings) -> dict[str, Any]:
    """Lay one page over another: mappings are merged, anything else is replaced."""
    merged = dict(page)
    for name, value in over.items():
        under = merged.get(name)
        merged[name] = overlaid(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


@functools.cache
def weather() -> pl.DataFrame:
    """One row a day: ``day``, ``rain`` (mm), ``gauge`` (height of the river, read on Mondays only)."""
    draw = np.random.default_rng(3)
    rain = np.where(draw.random(DAYS) < 0.4, draw.gamma(2.0, 4.0, DAYS), 0.0).round(1)
    river = 100 + np.cumsum(draw.normal(0, 3, DAYS))
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    gauge = [round(float(river[number]), 1) if day.weekday() == 0 else None for number, day in enumerate(days)]
    return pl.DataFrame({"day": days, "rain": rain, "gauge": gauge})


@functools.cache
def calls() -> pl.DataFrame:
    """One row a call: ``id``, ``at`` (local, to the minute), ``zone``, ``kind``, ``reported`` (when it was entered).

    The level differs by zone and wanders, weekends are quieter, rain brings more; every tenth call is entered one to
    six days late.
    """
    draw = np.random.default_rng(5)
    wander = np.cumsum(draw.normal(0, 0.2, (DAYS, PLACES)), axis=0)
    rain = weather()["rain"].to_numpy()
    rows = []
    for day in range(DAYS):
        midnight = datetime.combine(FIRST, time()) + timedelta(days=day)
        quiet = 0.8 if midnight.weekday() >= 5 else 1.0
        for place in range(PLACES):
            rate = (4.0 + 2.0 * place) * quiet * np.exp(0.9 * np.tanh(wander[day, place]) + 0.02 * rain[day])
            minutes = np.sort(draw.integers(4 * 60, 24 * 60 - 1, draw.poisson(rate)))
            rows += [(midnight + timedelta(minutes=int(minute)), f"z{place}") for minute in minutes]
    frame = pl.DataFrame(rows, schema=["at", "zone"], orient="row")
    late = np.where(draw.random(frame.height) < 0.1, draw.integers(1, 7, frame.height) * 1440, 1)
    kinds = np.array(["fire", "fall", "heart", "other"])[draw.integers(0, 4, frame.height)]
    reported = pl.col("at") + pl.duration(minutes=pl.lit(pl.Series(late)))
    return frame.select(
        id=pl.format("c{}", pl.int_range(pl.len())),
        at=pl.col("at").dt.strftime("%Y-%m-%d %H:%M"),
        zone="zone",
        kind=pl.Series(kinds),
        reported=reported.dt.strftime("%Y-%m-%d %H:%M"),
    )


@functools.cache
def house_table(seed: int = 11) -> pl.DataFrame:
    """``id``, ``street``, ``area`` (square metres), ``rooms``, ``built`` (year), ``state``, ``price``; 600 rows.

    What is known beside the price explains about three quarters of its logarithm.
    """
    draw = np.random.default_rng(seed)
    count = 600
    area = draw.gamma(9.0, 14.0, count).round() + 25
    street = draw.integers(0, 40, count)
    built = draw.integers(1900, 2020, count)
    state = draw.integers(0, 3, count)
    worth = 7.2 + 0.9 * np.log(area) + np.sin(street) * 0.2 + 0.002 * (built - 1960) + 0.1 * state
    price = np.exp(worth + draw.normal(0, 0.2, count)).round(-1) * 10
    return pl.DataFrame(
        {
            "id": [f"h{number}" for number in draw.permutation(count)],
            "street": [f"street {number}" for number in street],
            "area": area,
            "rooms": np.maximum(1, (area / 28 + draw.normal(0, 0.7, count)).round()).astype(int),
            "built": built,
            "state": np.array(["poor", "fair", "good"])[state],
            "price": price,
        }
    )


@functools.cache
def passenger_table() -> pl.DataFrame:
    """``id``, ``deck``, ``sex``, ``age``, ``fare``, ``party`` (who travelled together), ``survived``; 700 rows.

    What is known beside the outcome tells it with an AUC of about 0.8; those of one party share their luck.
    """
    draw = np.random.default_rng(12)
    parties = 330
    luck = draw.normal(0, 1.2, parties)
    deck = draw.integers(1, 4, parties)
    party = np.sort(np.concatenate([np.arange(parties), draw.integers(0, parties, 700 - parties)]))
    woman = draw.random(700) < 0.4
    age = np.clip(draw.normal(32, 14, 700), 1, 80).round()
    fare = np.exp(draw.normal(4.2 - 0.6 * deck[party], 0.5)).round(1)
    odds = -0.3 + 2.0 * woman - 0.6 * (deck[party] - 2) - 0.02 * (age - 32) + luck[party]
    survived = draw.random(700) < 1 / (1 + np.exp(-odds))
    order = draw.permutation(700)
    return pl.DataFrame(
        {
            "id": [f"p{number}" for number in draw.permutation(700)],
            "deck": deck[party][order],
            "sex": np.where(woman, "woman", "man")[order],
            "age": age[order],
            "fare": fare[order],
            "party": [f"party {number}" for number in party[order]],
            "survived": np.where(survived, "yes", "no")[order],
        }
    )


@functools.cache
def sale_table() -> pl.DataFrame:
    """``house_table`` with the day on which each house was ``offered``, and on which the sale was ``closed``."""
    draw = np.random.default_rng(15)
    count = house_table().height
    offered = [FIRST + timedelta(days=int(day)) for day in np.sort(draw.integers(0, 340, count))]
    closed = [day + timedelta(days=int(wait)) for day, wait in zip(offered, draw.integers(10, 50, count), strict=True)]
    return house_table().with_columns(pl.Series("offered", offered), pl.Series("closed", closed))
