"""Where the rows of a source lie, and from where a question asks, in degrees."""

import numpy as np
import polars as pl

from asof.ledgers import Past
from asof.ledgers.moments import Floats, Ints
from asof.lookups.base import OWN


def of(past: Past, source: str) -> tuple[str, str] | None:
    """Columns of latitude and longitude of a source, where it has both."""
    table = past.table(source)
    if not isinstance(table.place, tuple) or not set(table.place) <= set(table.rows.columns):
        return None
    return table.place


def own(past: Past) -> tuple[str, str] | None:
    """Columns of latitude and longitude that each question about a row carries."""
    pair = of(past, past.panel.source) if past.panel.rows else None
    return pair if pair is not None and set(pair) <= set(past.panel.own) else None


def told(past: Past) -> bool:
    """Whether questions have a point: that of the row they are about, or of their place."""
    return own(past) is not None or past.panel.places.lat is not None


def asked(questions: pl.DataFrame, past: Past) -> list[pl.Series]:
    """``_lat`` and ``_lon`` of each question: of the row itself, else of its place; null = unknown."""
    pair, places = own(past), past.panel.places
    if pair is not None:
        return degrees(*(questions[OWN + name] for name in pair))
    listed = past.listed(questions["place"])
    found = (
        pl.Series([None], dtype=pl.Float64).new_from_index(0, questions.height)
        if column is None
        else pl.Series(at(listed, column))
        for column in (places.lat, places.lon)
    )
    return degrees(*found)


def at(listed: Ints, column: pl.Series) -> Floats:
    """Degrees of n places by their positions in the panel, of those of all its places; NaN where one has none (-1)."""
    return np.where(listed < 0, np.nan, column.to_numpy()[listed]) if len(column) else np.full(len(listed), np.nan)


def degrees(lat: pl.Series, lon: pl.Series) -> list[pl.Series]:
    """``_lat`` and ``_lon`` as Float64; both null where they are nowhere on earth."""
    lat, lon = (column.cast(pl.Float64, strict=False).fill_nan(None) for column in (lat, lon))
    inside = lat.is_between(-90, 90) & lon.is_between(-180, 180)
    return [lat.set(~inside, None).alias("_lat"), lon.set(~inside, None).alias("_lon")]
