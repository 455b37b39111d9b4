"""A small file beside the plug-in holds the zones' levels, worked out once over the whole history."""

from datetime import timedelta

import polars as pl

from tests.leaks.worlds import DAYS, FIRST, calls, panel


def levels(days: int) -> pl.DataFrame:
    """Calls of each zone in the first ``days``, and the day on which they were ``counted``."""
    until = FIRST + timedelta(days=days)
    counts = calls().filter(pl.col("at") < f"{until:%Y-%m-%d}").group_by("zone").agg(pl.len().alias("level"))
    return counts.sort("zone").with_columns(counted=pl.lit(until))


SUBJECT = "level"
LEAK = panel(
    '''
LEVELS = pl.read_csv(Path(__file__).parent / "levels.csv")


@asof.lookup
def level(questions, past):
    """Usual number of calls of the zone."""
    return questions.join(LEVELS, left_on="place", right_on="zone", how="left", maintain_order="left")["level"]
''',
    tables={"levels": levels(DAYS)},
)
SOURCE = {"files": "levels.csv", "key": "zone", "time": {"columns": ["counted"]}, "place": "zone", "delay": "1d"}
TWIN = panel(
    '''
@asof.lookup
def level(questions, past):
    """Usual number of calls of the zone."""
    rows = past.ledger("levels").last(past.keys(questions), Moments.of(questions["as_of"]))
    return past.rows("levels")["level"].gather(pl.Series(rows).replace(-1, None))
''',
    {"sources": {"levels": SOURCE}},
    {"levels": levels(9)},
)
