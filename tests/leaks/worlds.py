"""The made-up worlds in which leaks are planted: small tables, and the page of an ordinary project about them."""

import functools
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
from asof.estimators.linear import Linear
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
        "features": ["calendar", {"history": {"windows": ["7d", "28d"], "lags": [], "since": False}}],
        "judge": {"holdout": "21d", "folds": 2, "fold": "14d"},
        "train": {"budget": "0s", "candidates": ["linear"], "threads": 1, "since": FIRST + timedelta(days=14)},
    }
    return _project(page, plugin, settings, {"calls": calls(), "weather": weather(), **(tables or {})})


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
    parts = plugin.split(f"@asof.{kind}\n")[1:]
    return [part.split("(")[0].split(":")[0].split()[-1] for part in parts]


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
    wander = np.cumsum(draw.normal(0, 0.12, (DAYS, PLACES)), axis=0)
    rain = weather()["rain"].to_numpy()
    rows = []
    for day in range(DAYS):
        midnight = datetime.combine(FIRST, time()) + timedelta(days=day)
        quiet = 0.6 if midnight.weekday() >= 5 else 1.0
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
