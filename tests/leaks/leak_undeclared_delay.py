"""The page says that rows are known at once, though the table shows that they were entered days later."""

from tests.leaks.worlds import panel

SUBJECT = "calls.reported"
UNCAUGHT = "a time column beside the declared one, later by days, is not held against it"
LEAK = panel()
TIME = {"available": "reported"}
TWIN = panel(settings={"sources": {"calls": {"time": TIME, "covered": [["2021-01-01", "2021-04-23"]]}}})
