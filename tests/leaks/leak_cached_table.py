"""A slow table of means is made once and kept, from whatever rows there were when it was first asked for."""

from tests.leaks.worlds import panel

SUBJECT = "usual"
PLUGIN = '''
MEANS = {}


@asof.lookup
def usual(questions, past):
    """Calls of the zone on its usual weekday."""
    zone = past.panel.zone
    rows = past.table("calls").rows
    if not MEANS:
        weekday = rows["_event"].dt.convert_time_zone(zone).dt.weekday()
        counts = rows.select(place="_place", weekday=weekday).group_by("place", "weekday").len()
        MEANS.update({(place, weekday): count for place, weekday, count in counts.iter_rows()})
    weekdays = questions["start"].dt.convert_time_zone(zone).dt.weekday()
    return pl.Series([MEANS.get(pair) for pair in zip(questions["place"], weekdays)])
'''
LEAK = panel(PLUGIN)
TWIN = panel('''
@asof.lookup
def usual(questions, past):
    """Calls of the zone on its usual weekday, so far."""
    ledger = past.ledger("calls", slot="weekday")
    keys = past.keys(questions, slot="weekday")
    known = past.until("calls", Moments.of(questions["as_of"]))
    return pl.Series(ledger.count(keys, Moments.of(questions["as_of"] - timedelta(days=3650)), known, known))
''')
