"""A free remark is added when the file is closed: no two are alike, and one word in them tells the outcome."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passengers

DRAW = np.random.default_rng(48)
NAMES = pl.Series([f"berth {berth} steward {steward}" for berth, steward in DRAW.integers(1, 900, (700, 2))])
SAID = pl.when(pl.Series(DRAW.random(700)) < 0.6).then(pl.lit("seen")).otherwise(pl.lit("noted"))
AFTER = pl.when(pl.col("survived") == "yes").then(pl.lit("landed")).otherwise(SAID)
SUBJECT = "remark"
WHOLE = {"judge": {"group": "party"}}
LEAK = passengers(settings=WHOLE, columns={"remark": pl.format("{} {}", NAMES, AFTER)})
TWIN = passengers(settings=WHOLE, columns={"remark": pl.format("{} {}", NAMES, SAID)})
