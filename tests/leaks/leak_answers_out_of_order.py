"""Questions are sorted for a join and the answers are not sorted back: each is told what was known at another time."""

from tests.leaks.worlds import panel

SUBJECT = "number"
PLUGIN = '''
@asof.lookup
def number(questions, past):
    """Calls of the zone so far."""
    calls = past.table("calls").rows.sort("_available")
    calls = calls.select("_available", place="_place", number=pl.int_range(1, pl.len() + 1).over("_place"))
    asked = questions.with_row_index().sort("as_of", maintain_order=True)
    found = asked.join_asof(calls, left_on="as_of", right_on="_available", by="place", check_sortedness=False)
    return found["number"]
'''
AHEAD = {"predict": {"horizon": "1d..4d"}}
LEAK = panel(PLUGIN, AHEAD)
TWIN = panel(PLUGIN.replace('return found["number"]', 'return found.sort("index")["number"]'), AHEAD)
