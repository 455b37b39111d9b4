"""The prices of houses that were offered earlier are averaged, though most of these sales were not yet closed."""

from tests.leaks.worlds import sales

SUBJECT = "earlier_prices"
PLUGIN = '''
@asof.lookup
def earlier_prices(questions, past):
    """Mean price of the last hundred houses."""
    houses = past.table("houses").rows.drop_nulls("price").sort("_ended", "_key")
    told = {}
    for as_of in questions["as_of"].unique():
        before = houses.filter(pl.col("_ended") <= as_of)
        told[as_of] = before["price"].tail(100).mean()
    return questions["as_of"].replace_strict(told, return_dtype=pl.Float64)
'''
LEAK = sales(PLUGIN)
TWIN = sales(PLUGIN.replace('pl.col("_ended") <= as_of', 'pl.col("_available") <= as_of'))
