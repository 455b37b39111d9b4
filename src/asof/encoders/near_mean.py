"""The mean label of the nearest training rows on the map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.data import Table
from asof.encoders.base import State, chosen

ENDING = "near__mean_label"
KEPT = 50_000
"""Training rows that are remembered, evenly spaced."""
FURTHEST_NORTH = 85.0
"""Degrees beyond which a degree east is read as one there: it never is nothing."""
MORE = 3
"""Times as many rows are looked at as are wanted, because those at the very same point are left out."""


@dataclass(frozen=True)
class NearMean:
    """Add the mean label of the ``count`` nearest training rows, where there is a latitude and a longitude.

    A row at the very same point is no neighbour: it is the row itself, or the same thing once more, and a training row
    would know more of it than a later one can. A row with an unknown coordinate has an unknown mean. Without
    coordinates nothing is added.
    """

    latitude: Sequence[str] = ("*lat", "*latitude")
    longitude: Sequence[str] = ("*lon", "*long", "*lng", "*longitude")
    count: int = 30

    def fit(self, table: Table) -> State:
        """Learn ``columns`` (latitude and longitude), and the points with their ``labels``."""
        found = [chosen(table.features, patterns, pl.Float64)[:1] for patterns in (self.latitude, self.longitude)]
        columns = [name for names in found for name in names]
        if len(columns) < 2:
            return {"columns": []}
        points = table.features.select(columns).with_columns(table.label.cast(pl.Float64).alias("_label")).drop_nulls()
        if points.height == 0:
            return {"columns": []}
        if points.height > KEPT:
            points = points[np.arange(KEPT) * points.height // KEPT]
        north = min(float(np.abs(points[columns[0]].to_numpy()).mean()), FURTHEST_NORTH)
        return {
            "columns": columns,
            "scale": float(np.cos(np.radians(north))),
            "lat": points[columns[0]].to_list(),
            "lon": points[columns[1]].to_list(),
            "labels": points["_label"].to_list(),
        }

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with one more column (Float64)."""
        if not state["columns"]:
            return features
        at = features.select(state["columns"]).to_numpy().astype(np.float64) * np.array([1.0, state["scale"]])
        known = ~np.isnan(at).any(axis=1)
        told = np.full(features.height, np.nan)
        if known.any():
            told[known] = self._means(at[known], state)
        return features.with_columns(pl.Series(ENDING, told).fill_nan(None))

    def _means(self, at: NDArray[np.float64], state: Mapping[str, Any]) -> NDArray[np.float64]:
        from scipy.spatial import cKDTree

        points = np.column_stack([np.asarray(state["lat"]), np.asarray(state["lon"]) * state["scale"]])
        labels = np.asarray(state["labels"], dtype=np.float64)
        wanted = min(MORE * self.count, len(points))
        away, rows = cKDTree(points).query(at, k=np.arange(1, wanted + 1))
        use = away > 0
        use &= np.cumsum(use, axis=1) <= self.count
        total, number = np.zeros(len(at)), np.zeros(len(at))
        for place in range(wanted):  # one after the other, so that one row gets the bits that it gets among many
            total += np.where(use[:, place], labels[rows[:, place]], 0.0)
            number += use[:, place]
        out: NDArray[np.float64] = np.divide(total, number, out=np.full(len(at), np.nan), where=number > 0)
        return out
