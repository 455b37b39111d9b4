"""The page does not say that labels come late: the model learns prices of sales that were still weeks away."""

from tests.leaks.worlds import sales

SUBJECT = "closed"
LEAK = sales(settings={"sources": {"houses": {"time": {"available": None}}}})
TWIN = sales()
