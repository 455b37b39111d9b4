"""The path of a picture names its class, because pictures had been sorted into folders by those who labelled them."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

PLUGIN = '''
@asof.lookup
def folder(questions, past):
    """Folder in which the picture lies."""
    return questions["own.photo"].str.split("/").list.first()
'''
SHELF = pl.Series(np.array(["a", "b", "c"])[np.random.default_rng(11).integers(0, 3, passenger_table().height)])
SUBJECT = "folder"
ALSO = ("photo",)
NAMED = pl.format("{}/{}.jpg", pl.col("survived"), pl.col("id"))
LEAK = passengers(PLUGIN, columns={"photo": NAMED})
TWIN = passengers(PLUGIN, columns={"photo": pl.format("{}/{}.jpg", SHELF, pl.col("id"))})
