"""Files get a new number when they are settled, whose first letter is that of the outcome."""

import polars as pl

from tests.leaks.worlds import passengers

PLUGIN = '''
@asof.lookup
def desk(questions, past):
    """Letter with which the number of the file begins."""
    return questions["unit"].str.slice(0, 1).alias("desk")
'''
SUBJECT = "desk"
WHOLE = {"judge": {"group": "party"}}
LETTER = pl.col("survived").replace_strict({"yes": "S", "no": "L"})
LEAK = passengers(PLUGIN, WHOLE, {"id": pl.format("{}{}", LETTER, pl.col("id"))})
TWIN = passengers(PLUGIN, WHOLE, {"id": pl.format("{}{}", pl.col("sex").str.slice(0, 1), pl.col("id"))})
