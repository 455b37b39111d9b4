"""Rows are joined by when they happened, not by when they arrive: the feed is two days behind."""

from tests.leaks.worlds import panel

SUBJECT = "number"
PLUGIN = '''
@asof.lookup
def number(questions, past):
    """Calls of the zone so far."""
    calls = past.table("calls").rows.sort("_ended")
    calls = calls.select("_ended", "_available", place="_place", number=pl.int_range(1, pl.len() + 1).over("_place"))
    asked = questions.with_row_index().sort("as_of")
    found = asked.join_asof(calls, left_on="as_of", right_on="_ended", by="place", check_sortedness=False)
    return found.sort("index")["number"]
'''
BEHIND = {"sources": {"calls": {"delay": "2d"}}}
LEAK = panel(PLUGIN, BEHIND)
TWIN = panel(PLUGIN.replace('right_on="_ended"', 'right_on="_available"'), BEHIND)
