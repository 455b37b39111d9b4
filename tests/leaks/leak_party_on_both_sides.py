"""Members of one party, who share their luck, are drawn into training and test alike."""

from tests.leaks.worlds import passengers

SUBJECT = "party"
UNCAUGHT = "warned, not refused: rows of one text may share their labels without belonging together"
LEAK = passengers()
TWIN = passengers(settings={"judge": {"group": "party"}})
