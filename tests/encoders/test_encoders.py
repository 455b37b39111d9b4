"""Every encoder passes the exam; what each learns is stated with values."""

import math

import numpy as np
import polars as pl
import pytest

from asof import encoders, recipes
from asof.data import FEW, Table
from asof.encoders import CODE, ENCODERS, EncoderPlan
from asof.errors import DataError
from asof.testing import encoders as exam

OPTIONS: dict[str, dict[str, object]] = {
    "clusters": {"columns": ("signed", "rate"), "count": 3},
    "onehot": {"numbers": ("weekday",)},
}


def table(**columns: object) -> Table:
    features = pl.DataFrame({name: values for name, values in columns.items() if name != "label"}, strict=False)
    label = columns.get("label", [1.0] * features.height)
    return Table(features, pl.Series("label", label, dtype=pl.Float64))


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_encoder_passes_the_exam(name: str) -> None:
    exam.examine(lambda: encoders.make(EncoderPlan(name, OPTIONS.get(name, {}))))


def test_median_fills_and_a_mark_says_where() -> None:
    given = table(a=[1.0, None, 5.0, 3.0], b=[1.0, 2.0, 3.0, 4.0], c=pl.Series([None] * 4, dtype=pl.Float64))
    step = encoders.make(EncoderPlan("impute"))
    state = step.fit(given)
    assert state == {"medians": {"a": 3.0, "b": 2.5, "c": 0.0}, "marked": ["a"]}
    out = step.encode(given.features, state)
    assert out["a"].to_list() == [1.0, 3.0, 5.0, 3.0]
    assert out["a__unknown"].to_list() == [0.0, 1.0, 0.0, 0.0]
    assert out["c"].to_list() == [0.0] * 4


def test_a_code_never_seen_is_its_own_and_unknown_stays_unknown() -> None:
    step = encoders.make(EncoderPlan("categories"))
    state = step.fit(table(place=["b", "a", None, "c"]))
    assert state == {"levels": {"place": ["a", "b", "c"]}}
    out = step.encode(pl.DataFrame({"place": ["a", "c", "new", None]}), state)
    assert out["place"].to_list() == [0, 2, 3, None]
    assert out["place"].dtype == CODE


def test_mean_label_is_smoothed_and_no_row_reads_its_own() -> None:
    given = table(place=["a", "a", "b", "b"], label=[4.0, 2.0, 0.0, 2.0])
    step = encoders.make(EncoderPlan("target_mean", {"smoothing": 2.0, "blocks": 4}))
    state = step.fit(given)
    # overall 2; a: (6 + 2 * 2) / (2 + 2), b: (2 + 4) / 4
    assert state == {"overall": 2.0, "means": {"place": {"a": 2.5, "b": 1.5}}}
    training = encoders.encode_training(step, given, state).features["place__mean_label"].to_list()
    # row 0 sees 2, 0, 2: overall 4/3, a: (2 + 2 * 4/3) / 3
    assert training[0] == pytest.approx((2 + 8 / 3) / 3)
    other = table(place=["a", "a", "b", "b"], label=[400.0, 2.0, 0.0, 2.0])
    moved = encoders.encode_training(step, other, step.fit(other)).features["place__mean_label"].to_list()
    assert moved[0] == training[0]
    assert moved[1] != training[1]
    later = step.encode(pl.DataFrame({"place": ["a", "new", None]}), state)
    assert later.to_dict(as_series=False) == {"place__mean_label": [2.5, 2.0, 2.0]}


def test_weights_enter_the_mean_label() -> None:
    features = pl.DataFrame({"place": ["a", "a"]})
    given = Table(features, pl.Series([0.0, 4.0]), pl.Series([3.0, 1.0]))
    assert encoders.make(EncoderPlan("target_mean")).fit(given)["overall"] == 1.0
    with pytest.raises(DataError, match="no training question has weight"):
        encoders.make(EncoderPlan("target_mean")).fit(Table(features, given.label, pl.Series([0.0, 0.0])))


def test_rates_become_logarithms_and_signs_stay() -> None:
    given = table(rate=[0.0, 1.0, 5.0], signed=[-1.0, 0.0, 1.0], flag=[0.0, 1.0, 1.0])
    step = encoders.make(EncoderPlan("log", {"share": 0.5}))
    state = step.fit(given)
    assert state == {"offsets": {"rate": 1.0}}
    out = step.encode(given.features, state)
    assert out["rate"].to_list() == pytest.approx([0.0, math.log(2), math.log(6)])
    assert out["signed"].to_list() == [-1.0, 0.0, 1.0]
    assert step.encode(pl.DataFrame({"rate": [-3.0]}), state)["rate"].to_list() == [0.0]
    assert encoders.make(EncoderPlan("log", {"skew": 2.0})).fit(given) == {"offsets": {}}


def test_scale_centres_clips_and_keeps_small_columns_small() -> None:
    given = table(wide=[0.0, 10.0], narrow=[0.0, 0.2], flat=[3.0, 3.0])
    step = encoders.make(EncoderPlan("scale", {"least": 1.0}))
    state = step.fit(given)
    assert state["columns"]["wide"] == [0.0, 10.0, 5.0, 5.0]
    out = step.encode(pl.DataFrame({"wide": [10.0, 99.0], "narrow": [0.2, None], "flat": [3.0, 8.0]}), state)
    assert out["wide"].to_list() == [1.0, 1.0]
    assert out["narrow"].to_list() == [pytest.approx(0.1), None]
    assert out["flat"].to_list() == [0.0, 0.0]


def test_onehot_has_a_column_for_each_value_and_none_for_a_new_one() -> None:
    given = table(kind=["b", "a", None], weekday=[0.0, 6.0, 0.0], rate=[0.5, 1.0, 2.0])
    step = encoders.make(EncoderPlan("onehot", {"numbers": ["week*", "rate"]}))
    state = step.fit(given)
    assert state == {"levels": {"kind": ["a", "b"], "weekday": [0.0, 6.0]}}  # rates are not whole numbers
    out = step.encode(pl.DataFrame({"kind": ["b", "new"], "weekday": [6.0, None], "rate": [1.0, 1.0]}), state)
    assert out.columns == ["rate", "kind=a", "kind=b", "weekday=0.0", "weekday=6.0"]
    assert out.rows() == [(1.0, 0.0, 1.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("name", ["scale", "onehot", "impute", "log", "target_mean"])
def test_few_rows_get_the_bits_that_many_get(name: str, gaps: bool) -> None:  # noqa: FBT001 - a parameter
    """Few are worked out in another way: values outside of what was seen, signed zeros and unknown ones alike."""
    draw = np.random.default_rng(3)
    size = FEW + 100
    given = table(
        a=draw.normal(1e3, 1e-2, size),
        zero=np.where(draw.random(size) < 0.5, -0.0, draw.random(size)),
        same=np.full(size, 7.0),
        held=[None if gaps and row % 7 == 0 else float(row) for row in range(size)],
        weekday=draw.integers(0, 7, size).astype(float),
        kind=[None if row % 5 == 0 else "abc"[row % 3] for row in range(size)],
    )
    step = encoders.make(EncoderPlan(name, OPTIONS.get(name, {})))
    state = step.fit(Table(given.features[: size // 2], given.label[: size // 2]))
    asked = given.features.with_columns(pl.col("a") * 1.001, weekday=pl.col("weekday") + 1.0)
    whole = step.encode(asked, state)
    for rows in (slice(0, 1), slice(7, 8), slice(size - FEW, size)):
        part = step.encode(asked[rows], state)
        assert part.schema == whole.schema
        for column in part:
            among = whole[column.name][rows]
            assert repr(column.to_list()) == repr(among.to_list())


@pytest.mark.parametrize("name", ["scale", "onehot", "target_mean"])
@pytest.mark.parametrize("kind", [pl.Int64, pl.Float32, pl.Boolean])
def test_columns_of_another_type_are_treated_alike(name: str, kind: type[pl.DataType]) -> None:
    """Few rows or many: where another encoder before has changed a type, both are answered so, or neither."""
    size = FEW + 100
    given = table(weekday=[float(row % 7) for row in range(size)], kind=["abc"[row % 3] for row in range(size)])
    step = encoders.make(EncoderPlan(name, OPTIONS.get(name, {})))
    state = step.fit(given)
    asked = pl.DataFrame({"weekday": [1.0, 9.0, 0.0] * size, "kind": [1, 0, 1] * size}).cast({"weekday": kind})

    def told(rows: pl.DataFrame) -> object:
        try:
            made = step.encode(rows, state)
        except pl.exceptions.PolarsError as fault:
            return type(fault)
        return made.schema, made[:3].rows()

    assert told(asked[:3]) == told(asked)


def test_a_level_that_is_no_number_is_met_by_few_rows_as_by_many() -> None:
    given = table(weekday=[1.0, math.nan, 2.0, math.nan] * FEW)
    step = encoders.make(EncoderPlan("onehot", OPTIONS["onehot"]))
    state = {"levels": {"weekday": [1.0, 2.0, math.nan]}}
    whole = step.encode(given.features, state)
    assert step.encode(given.features[:4], state).equals(whole[:4])
    assert whole["weekday=nan"][:4].to_list() == [0.0, 1.0, 0.0, 1.0]


def test_onehot_leaves_columns_with_many_values() -> None:
    given = table(place=[f"p{number}" for number in range(30)])
    step = encoders.make(EncoderPlan("onehot"))
    assert step.fit(given) == {"levels": {}}


def test_clusters_are_sorted_centres() -> None:
    given = table(x=[0.0, 0.1, 9.0, 9.1, None], y=[0.0, 0.1, 9.0, 9.1, 1.0])
    step = encoders.make(EncoderPlan("clusters", {"columns": ["x", "y"], "count": 2}))
    state = step.fit(given)
    assert np.allclose(state["centres"], [[0.05, 0.05], [9.05, 9.05]])
    assert step.encode(given.features, state)["cluster"].to_list() == ["0", "0", "1", "1", None]
    with pytest.raises(DataError, match="no feature z"):
        encoders.make(EncoderPlan("clusters", {"columns": ["z"]})).fit(given)


def test_unknown_encoders_and_options_are_named() -> None:
    with pytest.raises(DataError, match=r"no encoder 'imput'; expected one of categories, clusters, impute"):
        encoders.make(EncoderPlan("imput"))
    with pytest.raises(DataError, match=r"encoder impute: .*'fill'"):
        encoders.make(EncoderPlan("impute", {"fill": 1}))


class Doubled:
    """An encoder as a user would write it."""

    def fit(self, table: Table) -> encoders.State:
        return {"columns": [name for name, dtype in table.features.schema.items() if dtype == pl.Float64]}

    def encode(self, features: pl.DataFrame, state: encoders.State) -> pl.DataFrame:
        return features.with_columns(pl.col(name) * 2 for name in state["columns"])


class Ranked(Doubled):
    """One that looks at the other rows."""

    def encode(self, features: pl.DataFrame, state: encoders.State) -> pl.DataFrame:
        return features.with_columns(pl.col("rate").rank().cast(pl.Float64))


def test_a_plug_in_takes_the_same_exam() -> None:
    assert isinstance(encoders.make(EncoderPlan("doubled"), {"doubled": Doubled}), Doubled)
    exam.examine(Doubled)
    with pytest.raises(AssertionError, match="one row alone is encoded otherwise"):
        exam.examine(Ranked)


def test_near_mean_is_that_of_the_nearest_other_points() -> None:
    north, east = [47.0, 47.0, 47.1, 47.25, 48.0], [-122.0, -122.0, -122.0, -122.0, None]
    features = pl.DataFrame({"own.lat": north, "own.long": east})
    given = Table(features, pl.Series([1.0, 3.0, 5.0, 7.0, 100.0]))
    encoder = encoders.make(EncoderPlan("near_mean", {"count": 2}))
    state = encoder.fit(given)
    told = encoder.encode(features, state)["near__mean_label"].to_list()
    # the second row at the first one's point is not asked; what is nowhere is no neighbour and has none
    assert told[:3] == [6.0, 6.0, 2.0]
    assert told[3] in {3.0, 4.0}  # the nearest, and one of the two at one point
    assert told[4] is None
    assert encoders.encode_training(encoder, given, state).features["near__mean_label"].to_list() == told
    asked = pl.DataFrame({"own.lat": [47.19, None], "own.long": [-122.0, -122.0]})
    assert encoder.encode(asked, state)["near__mean_label"].to_list() == [6.0, None]
    plain = pl.DataFrame({"lat": [47.0, 47.1]})
    assert encoder.encode(plain, encoder.fit(Table(plain, pl.Series([1.0, 2.0])))).equals(plain)


def test_near_mean_passes_the_exam_where_there_are_coordinates() -> None:
    table = exam.sample()
    draw = np.random.default_rng(1)
    place = pl.DataFrame({"latitude": draw.normal(47, 0.1, len(table)), "longitude": draw.normal(8, 0.1, len(table))})
    exam.examine(lambda: encoders.make(EncoderPlan("near_mean")), Table(table.features.hstack(place), table.label))


def test_words_are_those_that_many_rows_share() -> None:
    names = [f"Number{row}, {('Mr', 'Mrs')[row % 2]}. {'Owen' if row < 3 else 'x' * row}" for row in range(100)]
    features = pl.DataFrame({"name": names, "cabin": [None if row % 2 else f"C{row}" for row in range(100)]})
    given = Table(features.with_columns(port=pl.lit("S")), pl.Series(np.zeros(100)))
    encoder = encoders.make(EncoderPlan("words"))
    state = encoder.fit(given)
    assert state == {"words": {"name": ["Mr", "Mrs", "Owen"], "cabin": ["C"]}}
    asked = pl.DataFrame({"name": ["Doe, Mrs. John", None], "cabin": ["C85 D3", "B5"], "port": ["S", "S"]})
    told = encoder.encode(asked, state)
    assert told.columns == ["name", "cabin", "port", "name~Mr", "name~Mrs", "name~Owen", "cabin~C"]
    assert told.rows()[0][3:] == (0.0, 1.0, 0.0, 1.0)
    assert told.rows()[1][3:] == (0.0, 0.0, 0.0, 0.0)


def test_what_rises_with_time_alone_is_left_out_and_what_comes_again_is_kept() -> None:
    days = np.arange(210.0)  # May to November: less than a year
    given = table(
        month=5 + days // 31,
        filling=[None] * 120 + days[120:].tolist(),  # a window that is not covered at first
        weekday=days % 7,
        size=np.random.default_rng(0).normal(size=210),
        year_round=np.cos(days * 2 * math.pi / 105),
    )
    step = encoders.make(EncoderPlan("steady"))
    state = step.fit(given)
    assert state == {"left_out": ["month", "filling"]}
    assert step.encode(given.features, state).columns == ["weekday", "size", "year_round"]
    # two whole years: each half has seen every month
    years = np.arange(730.0)
    assert step.fit(table(month=1 + years % 365 // 31)) == {"left_out": []}
    assert step.fit(table(month=[1.0, 2.0, 3.0])) == {"left_out": []}
    only = encoders.make(EncoderPlan("steady", {"columns": ("fill*",)}))
    assert only.fit(given) == {"left_out": ["filling"]}


def test_columns_are_left_out_by_their_names_whatever_their_kind() -> None:
    given = table(holiday=["none", "new year"], days_to=[1.0, 0.0], size=[3.0, 4.0])
    step = encoders.make(EncoderPlan("without", {"columns": ("days*", "holiday")}))
    state = step.fit(given)
    assert step.encode(given.features, state).columns == ["size"]
    nothing = encoders.make(EncoderPlan("without"))
    assert nothing.fit(given) == {"left_out": []}


def test_a_line_holds_numbers_within_what_it_has_seen() -> None:
    given = table(size=[1.0, 2.0, 3.0, 4.0], label=[1.0, 2.0, 3.0, 4.0])
    recipe = recipes.Recipe("line", (EncoderPlan("scale"),), "linear", {"alpha": 1e-6})
    told = recipes.fit(recipe, given).predict(pl.DataFrame({"size": [-50.0, 1.0, 2.5, 4.0, 1000.0]}))
    assert told == pytest.approx([1.0, 1.0, 2.5, 4.0, 4.0], abs=1e-5)


def test_each_column_has_a_state_of_its_own() -> None:
    """One encoder for two columns: what one was fitted on does not become the codes of the other."""
    given = table(cell=["x", "y", "z"], kind=["z", "b", "a"])
    step = encoders.make(EncoderPlan("categories"))
    told = step.encode(given.features, step.fit(given))
    assert told["cell"].to_list() == [0, 1, 2]
    assert told["kind"].to_list() == [2, 1, 0]
