"""Each zone comes with its share of all calls, worked out once in a spreadsheet from the finished year."""

import polars as pl

from tests.leaks.worlds import calls, panel

SHARES = calls().group_by("zone").agg(share=(pl.len() / calls().height).round(6)).sort("zone")
PEOPLE = pl.Series("share", [0.154, 0.246, 0.187, 0.201, 0.212])
SUBJECT = "share"
PLUGIN = '''
@asof.lookup
def share(questions, past):
    """What the file says of the zone."""
    told = pl.read_csv(Path(__file__).parent / "zones.csv")
    return questions.join(told, left_on="place", right_on="zone", how="left", maintain_order="left")["share"]
'''
LEAK = panel(PLUGIN, tables={"zones": SHARES})
TWIN = panel(PLUGIN, tables={"zones": SHARES.with_columns(PEOPLE)})
