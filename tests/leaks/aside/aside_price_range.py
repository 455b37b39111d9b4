"""Outliers are removed by a rule on the price itself, so the houses that are hard to value are in no test fold."""

from tests.leaks.worlds import houses

SUBJECT = "price"

LEAK = houses(settings={"sources": {"houses": {"checks": {"price": {"between": [700_000, 2_400_000]}}}}})
TWIN = houses(settings={"sources": {"houses": {"checks": {"area": {"between": [88, 230]}}}}})
