"""Categories are numbered in the order in which ``unique`` gives them, and that order is another every time."""

from tests.leaks.worlds import panel

SUBJECT = "code"
PLUGIN = '''
@asof.lookup
def code(questions, past):
    """Number of the kind of the last call of the zone."""
    calls = past.table("calls").rows.sort("_available", maintain_order=True)
    kinds = calls["kind"].unique()
    codes = {kind: number for number, kind in enumerate(kinds)}
    asked = questions.with_row_index().sort("as_of")
    calls = calls.select("_available", "kind", place="_place")
    found = asked.join_asof(calls, left_on="as_of", right_on="_available", by="place", check_sortedness=False)
    return found.sort("index")["kind"].replace_strict(codes, default=None, return_dtype=pl.Float64)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('calls["kind"].unique()', 'calls["kind"].unique().sort()'))
