"""Members of one party, who share their luck, are drawn into training and test alike."""

from tests.leaks.worlds import passengers

SUBJECT = "party"
UNCAUGHT = "a group that the project does not name is not looked for"
LEAK = passengers()
TWIN = passengers(settings={"judge": {"group": "party"}})
