"""The page says that rows are known at once, though the table shows that they were entered days later."""

from tests.leaks.worlds import panel

SUBJECT = "reported"
UNCAUGHT = "warned, not refused: one row in ten is entered late, and what a row tells later may be told of it"
LEAK = panel()
TIME = {"available": "reported"}
TWIN = panel(settings={"sources": {"calls": {"time": TIME, "covered": [["2021-01-01", "2021-04-23"]]}}})
