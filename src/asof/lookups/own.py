"""Lookup ``own``: what a row says of itself when it is asked about. Always on where each row is a unit."""

import polars as pl

from asof.errors import Problem
from asof.ledgers import Past
from asof.lookups.base import OWN, table_of


class Own:
    """The columns of the row that the question carries, under their own names.

    They are taken as known at ``as_of``: no source is read. Whether a column was filled in only after the outcome
    cannot be seen from the row itself; the audit looks for it (``too good``).
    """

    name = "own"

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Tell what each row says of itself."""
        columns = {name: questions[OWN + name] for name in past.panel.own}
        return table_of(columns, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find nothing: there are no options."""
        del past
        return []
