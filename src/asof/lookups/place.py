"""Lookup ``place``: the place itself, its coarser place, and where it lies. Always on."""

from datetime import timedelta

import polars as pl

from asof.errors import Problem
from asof.ledgers import Past
from asof.ledgers.moments import Floats, Ints
from asof.lookups import coordinates
from asof.lookups.base import OWN, table_of


class Place:
    """``place`` and ``coarser`` (String), ``lat`` and ``lon`` (degrees); what a kind of place lacks is left out."""

    name = "place"

    def reads(self, source: str) -> timedelta:
        """Nothing of any source."""
        del source
        return timedelta(0)

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Tell where each question is about; a place that is not in the panel is known by its cell alone."""
        places = past.panel.places
        asked = questions["place"]
        if places.kind == "all":
            return pl.DataFrame(height=questions.height)
        columns: dict[str, pl.Series | Floats] = {"place": asked}
        if places.coarser is not None:
            columns["coarser"] = past.coarser(asked)
        listed: Ints | None = None
        for name, degrees in (("lat", places.lat), ("lon", places.lon)):
            if degrees is not None and f"{OWN}{name}" not in questions.columns:  # its own point is nearer the truth
                listed = past.listed(asked) if listed is None else listed
                columns[name] = coordinates.at(listed, degrees)
        return table_of(columns, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find nothing: there are no options."""
        del past
        return []
