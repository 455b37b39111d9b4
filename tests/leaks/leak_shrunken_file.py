"""Street levels were learnt from all rows, drawn towards the mean as one should, and kept in a file."""

import polars as pl

from tests.leaks.worlds import house_table, houses


def levels(sales: pl.DataFrame) -> pl.DataFrame:
    """Mean logarithm of the price of each street, drawn towards that of all by three sales."""
    price = pl.col("price").log()
    overall = sales.select(price.mean()).item()
    return sales.group_by("street").agg(usual=((price.sum() + 3 * overall) / (pl.len() + 3)).round(5)).sort("street")


SUBJECT = "usual"
PLUGIN = '''
@asof.lookup
def usual(questions, past):
    """What the file says of the street."""
    told = pl.read_csv(Path(__file__).parent / "streets.csv")
    asked = questions.select(street="own.street")
    return asked.join(told, on="street", how="left", maintain_order="left")["usual"].alias("usual")
'''
LEAK = houses(PLUGIN, tables={"streets": levels(house_table())})
TWIN = houses(PLUGIN, tables={"streets": levels(house_table(seed=21))})
