"""A feature compares a question with those that are asked together with it: alone, it has nothing to compare with."""

from tests.leaks.worlds import panel

SUBJECT = "relative"
PLUGIN = '''
@asof.lookup
def relative(questions, past):
    """Last week's calls of the zone above those of the others."""
    ledger = past.ledger("calls")
    known = past.until("calls", Moments.of(questions["as_of"]))
    before = known.shift(asof.times.Step.parse("7d"), past.panel.zone, -1)
    week = pl.Series(ledger.count(past.keys(questions), before, known, known))
    return week - week.mean()
'''
LEAK = panel(PLUGIN)
TOWN = """
    town = past.ledger("calls", "all")
    whole = pl.Series(town.count(past.keys(questions, "all"), before, known, known))
    return week - whole / len(past.panel.places.ids)
"""
TWIN = panel(PLUGIN.replace("    return week - week.mean()\n", TOWN.removeprefix("\n")))
