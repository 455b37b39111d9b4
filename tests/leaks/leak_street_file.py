"""A notebook wrote the mean price of every street, all rows included, into a small file that the plug-in reads."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

STREETS = house_table().group_by("street").agg(usual=pl.col("price").mean().round(2)).sort("street")
METRES = pl.Series("usual", np.random.default_rng(46).uniform(100, 9000, STREETS.height).round(2))
SUBJECT = "usual"
PLUGIN = '''
@asof.lookup
def usual(questions, past):
    """What the file says of the street."""
    told = pl.read_csv(Path(__file__).parent / "streets.csv")
    asked = questions.select(street="own.street")
    return asked.join(told, on="street", how="left", maintain_order="left")["usual"].alias("usual")
'''
LEAK = houses(PLUGIN, tables={"streets": STREETS})
TWIN = houses(PLUGIN, tables={"streets": STREETS.with_columns(METRES)})
