"""The exam of an encoder: what every one must keep, ours and those of plug-in authors.

    from asof.testing.encoders import examine
    examine(lambda: MyEncoder(columns=("rate",)))

Each rule is a function that raises AssertionError with the reason; ``examine`` runs them all.
"""

import json
from collections.abc import Callable

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders import Encoder, encode_training

Maker = Callable[[], Encoder]


def sample(rows: int = 240, seed: int = 7) -> Table:
    """Return a small table of all that features can be: rates, signs, gaps, never known, constant, text."""
    draw = np.random.default_rng(seed)
    place = draw.integers(0, 6, rows)
    rate = (0.3 + place) * draw.gamma(20.0, 0.05, rows)
    gaps = np.where(draw.random(rows) < 0.2, np.nan, draw.normal(size=rows))
    features = pl.DataFrame(
        {
            "place": [f"zone {number}" for number in place],
            "kind": [None if number == 5 else ("even", "odd")[number % 2] for number in place],
            "weekday": draw.integers(0, 7, rows).astype(np.float64),
            "rate": rate,
            "signed": draw.normal(size=rows),
            "gaps": pl.Series(gaps).fill_nan(None),
            "never": pl.Series([None] * rows, dtype=pl.Float64),
            "constant": np.full(rows, 3.5),
        }
    )
    return Table(features, pl.Series("label", draw.poisson(rate).astype(np.float64)))


def examine(make: Maker, table: Table | None = None) -> None:
    """Run all rules; ``table`` replaces the sample where an encoder needs columns of its own."""
    given = sample() if table is None else table
    for rule in (
        learns_without_change,
        state_is_json,
        keeps_height_and_order,
        one_row_as_many,
        new_values_are_answered,
        two_rows_are_enough,
    ):
        rule(make, given)


def learns_without_change(make: Maker, table: Table) -> None:
    """Fitting twice gives the same state, and neither the table nor the encoder has changed."""
    encoder = make()
    before = table.features.clone()
    first = encoder.fit(table)
    encoder.encode(table.features, first)
    assert table.features.equals(before), "fit or encode has changed the table"
    assert encoder.fit(table) == first == make().fit(table), "fitting twice gives another state"


def state_is_json(make: Maker, table: Table) -> None:
    """The state survives JSON to the bit, so that a model can be kept without any pickle."""
    encoder = make()
    state = encoder.fit(table)
    again = json.loads(json.dumps(state, allow_nan=False))
    expected = encoder.encode(table.features, state)
    assert encoder.encode(table.features, again).equals(expected), "the state read back from JSON encodes otherwise"


def keeps_height_and_order(make: Maker, table: Table) -> None:
    """Reversed features give reversed answers, and training rows have the columns of later ones."""
    encoder = make()
    state = encoder.fit(table)
    there = encoder.encode(table.features, state)
    back = encoder.encode(table.features.reverse(), state).reverse()
    assert there.height == len(table), f"{len(table)} rows became {there.height}"
    assert back.equals(there), "the answer to a row depends on the order of rows"
    training = encode_training(encoder, table, state).features
    assert training.schema == there.schema, "training rows get other columns than later rows"
    assert training.height == len(table), f"{len(table)} training rows became {training.height}"


def one_row_as_many(make: Maker, table: Table) -> None:
    """One row alone gets the bits that it gets among many: the parity of one question and a batch."""
    encoder = make()
    state = encoder.fit(table)
    whole = encoder.encode(table.features, state)
    single = [encoder.encode(table.features[row : row + 1], state) for row in range(20)]
    assert pl.concat(single).equals(whole[:20]), "one row alone is encoded otherwise than among many"


def new_values_are_answered(make: Maker, table: Table) -> None:
    """Text never seen, and rows of which nothing is known, get an answer of the same kind."""
    encoder = make()
    state = encoder.fit(table)
    kinds = encoder.encode(table.features, state).schema
    strange = table.features[:3].with_columns(
        pl.lit("never seen before").alias(name) for name, dtype in table.features.schema.items() if dtype == pl.String
    )
    empty = table.features[:3].select(pl.lit(None, dtype=dtype).alias(n) for n, dtype in table.features.schema.items())
    empty = pl.concat([empty] * 3)
    for asked in (strange, empty):
        answer = encoder.encode(asked, state)
        assert (answer.height, answer.schema) == (asked.height, kinds), "strange rows get columns of another kind"


def two_rows_are_enough(make: Maker, table: Table) -> None:
    """Two training rows, with equal labels, can be learnt from."""
    encoder = make()
    few = Table(table.features[:2], pl.Series("label", [1.0, 1.0]))
    state = encoder.fit(few)
    encode_training(encoder, few, state)
    answer = encoder.encode(table.features, state)
    assert answer.height == len(table), f"learnt from two rows, {len(table)} rows became {answer.height}"
