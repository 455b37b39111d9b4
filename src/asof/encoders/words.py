"""Text that is nearly different in every row becomes the words that many rows share."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen, known

PATTERN = r"\pL+|\pN+"
"""A word is a run of letters or of digits, so that the deck of cabin C85 is a word of its own."""


@dataclass(frozen=True)
class Words:
    """Add a 0/1 column for each word that at least ``share`` of the rows have, ``count`` a column at most.

    Only of text columns of which more than ``different`` of the known values differ: names, tickets, notes. Others are
    categories, and served better as such. The text itself stays; an unknown text has no word.
    """

    columns: Sequence[str] = ()
    share: float = 0.02
    different: float = 0.2
    count: int = 20

    def fit(self, table: Table) -> State:
        """Learn ``words``: those of each column, the most frequent first."""
        words: dict[str, list[str]] = {}
        for name in chosen(table.features, self.columns, pl.String):
            told = known(table.features[name])
            if told.len() and told.n_unique() > self.different * told.len():
                found = self._shared(told, len(table))
                if found:
                    words[name] = found
        return {"words": words}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with a Float64 column ``column~word`` for each word learnt."""
        if not state["words"]:
            return features
        return features.with_columns(
            pl.col(name)
            .str.extract_all(PATTERN)
            .list.contains(word)
            .fill_null(value=False)
            .cast(pl.Float64)
            .alias(f"{name}~{word}")
            for name, words in state["words"].items()
            for word in words
        )

    def _shared(self, known: pl.Series, rows: int) -> list[str]:
        """Words of enough rows, but not of nearly all, in a fixed order."""
        each = known.str.extract_all(PATTERN).list.unique().explode().drop_nulls()
        counted = each.to_frame("word").group_by("word").agg(rows=pl.len())
        least, most = max(2.0, self.share * rows), (1 - self.share) * rows
        kept = counted.filter(pl.col("rows").is_between(least, most))
        return kept.sort("rows", "word", descending=[True, False])["word"].head(self.count).to_list()
