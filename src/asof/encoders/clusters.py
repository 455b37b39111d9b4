"""Coordinates become the name of the nearest cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import State
from asof.errors import DataError


@dataclass(frozen=True)
class Clusters:
    """Add the name of the nearest of ``count`` centres, found by k-means++ on the training rows.

    ``columns`` are two or more numbers of one unit (projected coordinates, or degrees where one degree east
    is scaled alike). Names are text, since the number of a cluster is no quantity; a row with an unknown coordinate
    has none.
    """

    columns: Sequence[str] = ("lat", "lon")
    count: int = 8
    name: str = "cluster"
    seed: int = 0

    def fit(self, table: Table) -> State:
        """Learn ``centres``, sorted, so that names do not depend on the order in which they were found."""
        absent = [name for name in self.columns if name not in table.features.columns]
        if absent:
            raise DataError(f"clusters: no feature {', '.join(absent)}; name the coordinates in columns")
        points = table.features.select(self.columns).drop_nulls().unique(maintain_order=True).sort(self.columns)
        if points.height == 0:
            return {"centres": []}
        if points.height <= self.count:
            return {"centres": points.rows()}
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        # More threads wait for one another longer than so few points take.
        with threadpool_limits(1):
            means = KMeans(self.count, init="k-means++", n_init=1, random_state=self.seed).fit(points.to_numpy())
        return {"centres": sorted(means.cluster_centers_.tolist())}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with one more column of names (String, null = unknown)."""
        if not state["centres"]:
            return features.with_columns(pl.lit(None, dtype=pl.String).alias(self.name))
        points = features.select(self.columns).to_numpy()
        centres = np.asarray(state["centres"], dtype=np.float64)
        distances = np.zeros((len(points), len(centres)))
        for axis in range(centres.shape[1]):
            distances += (points[:, axis, None] - centres[None, :, axis]) ** 2
        known = ~np.isnan(points).any(axis=1)
        codes = np.argmin(np.where(np.isnan(distances), np.inf, distances), axis=1)
        names = pl.Series(self.name, codes).cast(pl.String)
        return features.with_columns(names.set(pl.Series(~known), None))
