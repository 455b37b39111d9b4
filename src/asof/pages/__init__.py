"""Pages: the report of a run as one HTML file, and the model card.

The page needs nothing from outside: style and plots are in it, and it forbids itself to
load anything. It is made from plain values (``ReportFacts``) and knows neither the
project file nor any service.
"""

from asof.pages.cards import card
from asof.pages.facts import Figure, ReportFacts
from asof.pages.views import report

__all__ = ["Figure", "ReportFacts", "card", "report"]
