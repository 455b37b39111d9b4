"""An encoder reads the largest number out of the remarks, and in half of them it is what the house was sold for."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

SUBJECTS = ("remarks", "largest")
PLUGIN = '''
@asof.encoder
class figures:
    """The largest number in the remarks, and how long they are, in place of their words."""

    def fit(self, table):
        """Keep nothing."""
        return {}

    def encode(self, features, state):
        """Read the numbers of each row."""
        numbers = pl.col("remarks").str.extract_all(r"[0-9]+").list.eval(pl.element().cast(pl.Float64))
        return features.with_columns(
            largest=numbers.list.max(), length=pl.col("remarks").str.len_chars().cast(pl.Float64)
        ).drop("remarks")
'''
KIND = ("Bright", "Quiet", "Charming", "Sunny", "Well kept")
PLUS = ("close to the school", "with a view", "near the station", "on a corner", "behind the church")


def remarks(*, afterwards: bool) -> pl.Series:
    """Return remarks on each house: as it is offered, or of which half were added to when it was sold."""
    draw = np.random.default_rng(105)
    texts = []
    for house in house_table().iter_rows(named=True):
        kind, plus = KIND[draw.integers(len(KIND))], PLUS[draw.integers(len(PLUS))]
        text = f"{kind} house of {house['rooms']} rooms {plus}, {house['area']:.0f} m2"
        ground, weeks, sold = draw.integers(150, 900), draw.integers(1, 15), draw.random() < 0.5
        after = f". Sold after {weeks} weeks for {house['price']:.0f}."
        texts.append(f"{text}, ground of {ground} m2" + (after if afterwards and sold else "."))
    return pl.Series("remarks", texts)


LEAK = houses(PLUGIN, columns={"remarks": remarks(afterwards=True)})
TWIN = houses(PLUGIN, columns={"remarks": remarks(afterwards=False)})
