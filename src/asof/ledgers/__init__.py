"""Ledgers: what was known of a source at any moment, by binary search in sorted arrays.

A ledger answers, for any key, "how many rows, or what total, with ``low < _ended <= high`` among
those with ``_available <= as_of``". One code answers a million questions and one alike.
``Past`` holds the sources of a project and the ledgers made of them so far; it is all that a
feature may read.
"""

from asof.ledgers.beside import Beside
from asof.ledgers.ledger import Clock, Ledger, Reading
from asof.ledgers.moments import Moments, Pairs
from asof.ledgers.past import Distinct, Past
from asof.ledgers.periods import Periods

__all__ = ["Beside", "Clock", "Distinct", "Ledger", "Moments", "Pairs", "Past", "Periods", "Reading"]
