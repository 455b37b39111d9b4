"""The trend is taken out by one straight line, fitted through all days of the table."""

from tests.leaks.worlds import panel

SUBJECT = "trend"
LEAK = panel('''
@asof.lookup
def trend(questions, past):
    """Calls that the trend of the town leads one to expect."""
    calls = past.table("calls").rows
    hours = (calls["_ended"] - calls["_ended"].min()).dt.total_hours().to_numpy()
    days, counts = np.unique(hours // 24, return_counts=True)
    line = np.polyfit(days, counts, 1)
    asked = (questions["as_of"] - calls["_ended"].min()).dt.total_hours().to_numpy() // 24
    return pl.Series(np.polyval(line, asked))
''')
TWIN = panel('''
@asof.lookup
def trend(questions, past):
    """Calls that the trend of the town leads one to expect, by the line through the days before."""
    calls = past.table("calls").rows
    hours = (calls["_ended"] - calls["_ended"].min()).dt.total_hours().to_numpy()
    told = np.zeros(questions.height)
    asked = (questions["as_of"] - calls["_ended"].min()).dt.total_hours().to_numpy() // 24
    for as_of in questions["as_of"].unique():
        rows = (questions["as_of"] == as_of).to_numpy()
        days, counts = np.unique(hours[(calls["_available"] <= as_of).to_numpy()] // 24, return_counts=True)
        line = np.polyfit(days, counts, 1)
        told[rows] = np.polyval(line, asked[rows])
    return pl.Series(told)
''')
