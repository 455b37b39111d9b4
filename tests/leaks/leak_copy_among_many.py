"""Many measurements of few patients: among hundreds of columns stands one that was written down with the diagnosis."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passengers

DRAW = np.random.default_rng(41)
ROWS = 120
ILL = DRAW.permutation(np.arange(ROWS) < 8)
MANY = {f"m{number}": DRAW.normal(0, 1, ROWS).round(3) for number in range(50)}
TABLE = pl.DataFrame({"id": [f"p{number}" for number in range(ROWS)], **MANY, "survived": np.where(ILL, "yes", "no")})
SUBJECT = "therapy"
LEAK = passengers(rows=TABLE.with_columns(therapy=pl.Series(np.where(ILL, 3.0, 1.0) + DRAW.random(ROWS).round(2))))
TWIN = passengers(rows=TABLE)
