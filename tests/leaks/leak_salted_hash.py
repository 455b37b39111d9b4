"""Names become numbers by Python's ``hash``, which is another in every process: the model in service reads noise."""

from tests.leaks.worlds import panel

SUBJECT = "bucket"
PLUGIN = '''
@asof.lookup
def bucket(questions, past):
    """The zone as one of a thousand buckets."""
    numbers = {place: hash(place) % 1000 for place in questions["place"].unique()}
    return questions["place"].replace_strict(numbers, return_dtype=pl.Float64)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("hash(place) % 1000", 'int.from_bytes(place.encode(), "big") % 1000'))
