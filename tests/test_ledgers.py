"""Ledgers against the slow oracle: what was known, by key, between two moments."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.data import UTC_TIME, Coverage
from asof.errors import DataError
from asof.ledgers import Beside, Clock, Ledger, Moments, Pairs, Past, Periods
from asof.ledgers.moments import EVER
from asof.panels import Panel
from asof.places import Places
from asof.testing.lookups import World
from asof.testing.oracle import windows_sql
from asof.times import Step

few = st.integers(0, 12)


def rows_frame(ended: list[int], available: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"_ended": ended, "_available": available}, schema=dict.fromkeys(("_ended", "_available"), pl.Int64)
    ).cast(UTC_TIME)


@st.composite
def sources(draw: st.DrawFn) -> dict[str, list]:
    """Rows with ties, some in time and some late, now and then known before they end."""
    count = draw(st.integers(0, 40))
    delay = draw(st.integers(0, 3))
    late = draw(st.sampled_from([0, 0, 5, 12]))
    ended = sorted(draw(st.lists(few, min_size=count, max_size=count)))
    extra = draw(st.lists(st.integers(-1 if late == 12 else 0, late), min_size=count, max_size=count))
    available = [end + delay + more for end, more in zip(ended, extra, strict=True)]
    pairs = sorted(zip(ended, available, strict=True))
    return {
        "ended": [end for end, _ in pairs],
        "available": [known for _, known in pairs],
        "key": draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)),
        "value": draw(st.lists(st.floats(-1e6, 1e6), min_size=count, max_size=count)),
    }


asked = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-1, 14), st.integers(-1, 14), st.integers(-1, 30)),
    min_size=1,
    max_size=30,
)


@given(sources(), asked)
@settings(deadline=None)
def test_counts_totals_and_last_rows_are_those_of_the_definition(source: dict[str, list], questions: list) -> None:
    clock = Clock.of(rows_frame(source["ended"], source["available"]))
    ledger = Ledger.build(
        clock, np.array(source["key"], dtype=np.int64), value=np.array(source["value"], dtype=np.float64)
    )
    keys = np.array([question[0] for question in questions])
    low, high, as_of = (Moments.of(np.array([question[part] for question in questions])) for part in (1, 2, 3))
    counts, totals = ledger.count(keys, low, high, as_of), ledger.total(keys, low, high, as_of)
    last = ledger.last(keys, as_of)
    largest = max((abs(value) for value in source["value"]), default=0) * len(source["value"]) + 1
    rows = list(zip(source["key"], source["ended"], source["available"], source["value"], strict=True))
    for number, (key, after, until, now) in enumerate(questions):
        inside = [row for row in rows if row[0] == key and after < row[1] <= until and row[2] <= now]
        assert counts[number] == len(inside)
        assert totals[number] == pytest.approx(sum(row[3] for row in inside), abs=1e-9 * largest)
        known = [position for position, row in enumerate(rows) if row[0] == key and row[2] <= now]
        assert last[number] == (known[-1] if known else -1)


@given(sources(), asked)
@settings(deadline=None)
def test_one_question_is_answered_as_in_a_batch_and_whatever_comes_later(
    source: dict[str, list], questions: list
) -> None:
    clock = Clock.of(rows_frame(source["ended"], source["available"]))
    key, value = np.array(source["key"], dtype=np.int64), np.array(source["value"], dtype=np.float64)
    ledger = Ledger.build(clock, key, value=value)
    keys = np.array([question[0] for question in questions])
    edges = [np.array([question[part] for question in questions]) for part in (1, 2, 3)]
    totals = ledger.total(keys, *(Moments.of(edge) for edge in edges))
    for number in range(len(questions)):
        one = slice(number, number + 1)
        alone = ledger.total(keys[one], *(Moments.of(edge[one]) for edge in edges))
        assert alone.tobytes() == totals[one].tobytes()
        known = np.flatnonzero(np.array(source["available"], dtype=np.int64) <= edges[2][number])
        dropped = Ledger.build(clock, key[known], rows=known, value=value)
        then = dropped.total(keys[one], *(Moments.of(edge[one]) for edge in edges))
        assert then.tobytes() == totals[one].tobytes()


@given(sources(), asked, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), unique=True), st.integers(1, 50))
@settings(deadline=None)
def test_beside_a_place_lies_what_a_ledger_with_each_row_under_every_neighbour_tells(
    source: dict[str, list], questions: list, touching: list[tuple[int, int]], at_once: int
) -> None:
    clock = Clock.of(rows_frame(source["ended"], source["available"]))
    key = np.array(source["key"], dtype=np.int64)
    under = [(row, near) for row, place in enumerate(source["key"]) for one, near in touching if one == place]
    rows, near = np.array(under, dtype=np.int64).reshape(-1, 2).T
    whole = Ledger.build(clock, near, rows=rows)
    pairs = sorted((near, one) for one, near in touching)
    begun = np.searchsorted(np.array([near for near, _ in pairs]), np.arange(5))
    beside = Beside(Ledger.build(clock, key), begun, np.array([one for _, one in pairs], dtype=np.int64), 1)
    keys = np.array([place for place, *_ in questions], dtype=np.int64)
    low, high, as_of = (Moments.of(np.array(column)) for column in list(zip(*questions, strict=True))[1:])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("asof.ledgers.beside._AT_ONCE", at_once)
        assert beside.count(keys, low, high, as_of).tolist() == whole.count(keys, low, high, as_of).tolist()
        assert beside.last(keys, as_of).tolist() == whole.last(keys, as_of).tolist()


@given(sources())
@settings(deadline=None)
def test_squares_are_distances_from_the_mean(source: dict[str, list]) -> None:
    clock = Clock.of(rows_frame(source["ended"], source["available"]))
    value = np.array(source["value"], dtype=np.float64)
    ledger = Ledger.build(clock, np.array(source["key"], dtype=np.int64), value=value)
    keys, ever = np.arange(3), Moments.ever(3)
    low = Moments.of(np.full(3, -1))
    squares = ledger.read(keys, ever, ever, [low]).squares(low)
    for key in range(3):
        mine = value[np.array(source["key"], dtype=np.int64) == key]
        expected = ((mine - mine.mean()) ** 2).sum() if len(mine) else 0
        assert squares[key] == pytest.approx(expected, rel=1e-6, abs=1e-3)


def test_thousands_of_late_rows_agree_with_a_join_in_duckdb() -> None:
    random = np.random.default_rng(7)
    ended = np.sort(random.integers(0, 5000, 3000))
    available = ended + 50 + np.where(random.random(3000) < 0.3, random.exponential(400, 3000).astype(int), 0)
    order = np.lexsort((available, ended))
    key, value = random.integers(0, 12, 3000), random.normal(5, 2, 3000)
    clock = Clock.of(rows_frame(ended[order].tolist(), available[order].tolist()))
    ledger = Ledger.build(clock, key, value=value)
    assert len(ledger.late.rows) > 300
    now = random.integers(0, 6000, 2000)
    asked = pl.DataFrame(
        {
            "key": random.integers(0, 13, 2000),
            "low": now - 50 - random.integers(1, 900, 2000),
            "high": now - 50,
            "as_of": now,
        }
    )
    rows = pl.DataFrame({"key": key, "ended": ended[order], "available": available[order], "value": value})
    expected = windows_sql(rows, asked)
    edges = [Moments.of(asked[name].to_numpy()) for name in ("low", "high", "as_of")]
    assert ledger.count(asked["key"].to_numpy(), *edges).tolist() == expected["count"].to_list()
    total = ledger.total(asked["key"].to_numpy(), *edges)
    assert np.abs(total - expected["total"].to_numpy()).max() < 1e-9 * np.abs(value).sum()


def test_integers_are_summed_exactly_whatever_their_size() -> None:
    clock = Clock.of(rows_frame([1, 2, 3], [1, 2, 9]))
    ledger = Ledger.build(clock, np.zeros(3, dtype=np.int64), value=np.array([2.0**50, 1.0, 3.0]))
    low, ever = Moments.of(np.array([1])), Moments.ever(1)
    assert ledger.total(np.array([0]), low, ever, ever).tolist() == [4.0]
    assert ledger.total(np.array([0]), low, ever, Moments.of(np.array([8]))).tolist() == [1.0]


def test_keys_beyond_sixteen_bits_are_sorted_too() -> None:
    key = np.array([200_000, 3, 200_000, 70_000])
    ledger = Ledger.build(Clock.of(rows_frame([1, 2, 3, 4], [1, 2, 3, 4])), key)
    ever = Moments.ever(4)
    counts = ledger.count(np.array([200_000, 70_000, 3, 5]), Moments.of(np.zeros(4, dtype=np.int64)), ever, ever)
    assert counts.tolist() == [2, 1, 1, 0]


def test_rows_that_come_in_time_take_twelve_bytes_each() -> None:
    """A server holds a dozen ledgers of each source: ends and available times that rise together are kept once."""
    key = np.arange(1_000, dtype=np.int64) % 7
    ended = list(range(1_000))
    alike = Ledger.build(Clock.of(rows_frame(ended, [end // 100 * 100 + 150 for end in ended])), key)
    apart = Ledger.build(Clock.of(rows_frame(ended, [end + 50 + end % 3 for end in ended])), key)
    assert alike.prompt.by_known is alike.prompt.by_end
    assert alike.prompt.rows is None
    assert alike.source.nbytes + alike.prompt.by_end.nbytes == 12 * 1_000
    assert apart.prompt.by_known is not apart.prompt.by_end


def test_a_ledger_without_values_has_no_totals() -> None:
    ledger = Ledger.build(Clock.of(rows_frame([1], [1])), np.zeros(1, dtype=np.int64))
    with pytest.raises(ValueError, match="build it with a value"):
        ledger.total(np.array([0]), Moments.of(np.array([0])), Moments.ever(1), Moments.ever(1))


def test_pairs_are_the_same_from_a_table_and_from_sorting() -> None:
    keys = np.array([3, -1, 3, 0, 3])
    dense = Pairs.of(keys, Moments.of(np.array([5, 5, 5, 9, 9])))
    assert dense.first[dense.inverse].tolist() != []
    assert [(int(keys[row]), row) for row in dense.first] == [(-1, 1), (0, 3), (3, 2), (3, 4)]
    wide = keys * 10**9
    sparse = Pairs.of(wide, Moments.of(np.array([5, 5, 5, 9, 9])))
    assert [int(wide[row]) // 10**9 for row in sparse.first] == [-1, 0, 3, 3]
    assert sparse.inverse.tolist() == dense.inverse.tolist() == [2, 0, 2, 1, 3]


def test_moments_keep_each_different_one_once() -> None:
    times = pl.Series(
        [datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)]
    )
    moments = Moments.of(times)
    assert (len(moments.values), moments.index.tolist()) == (2, [1, 0, 1])
    assert (
        moments.shift(Step.parse("1d"), "UTC", -1).micros()[1] == datetime(2019, 12, 31, tzinfo=UTC).timestamp() * 1e6
    )
    assert Moments.ever(2).micros().tolist() == [EVER, EVER]


def test_covered_periods_count_whole_ones_as_one_whatever_the_clocks_do() -> None:
    first, until = datetime(2019, 3, 8, 5, tzinfo=UTC), datetime(2019, 3, 13, 4, tzinfo=UTC)
    hole = (datetime(2019, 3, 9, 5, tzinfo=UTC), datetime(2019, 3, 9, 17, tzinfo=UTC))
    periods = Periods.of(Coverage((first, hole[1]), (hole[0], until)), Step.parse("1d"), "America/New_York")

    def covered(low: datetime, high: datetime) -> float:
        edges = [Moments.of(pl.Series([edge])) for edge in (low, high)]
        return float(periods.within(*edges)[0])

    assert covered(first, until) == 4.5
    assert covered(datetime(2019, 3, 10, 5, tzinfo=UTC), datetime(2019, 3, 11, 4, tzinfo=UTC)) == 1.0
    assert covered(datetime(2018, 1, 1, tzinfo=UTC), first) == 0.0
    assert covered(datetime(2018, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)) == 4.5
    assert covered(datetime(2019, 3, 9, 11, tzinfo=UTC), datetime(2019, 3, 9, 23, tzinfo=UTC)) == 0.25


def test_no_coverage_is_no_period() -> None:
    assert Periods.of(Coverage((), ()), Step.parse("1d"), "UTC").until(np.array([0, EVER])).tolist() == [0.0, 0.0]


def test_past_names_the_nearest_source_and_column() -> None:
    past = World().past()
    with pytest.raises(DataError, match="no source 'crash'; did you mean 'crashes'"):
        past.table("crash")
    with pytest.raises(DataError, match="no column 'injurd'; did you mean 'injured'"):
        past.ledger("crashes", value="injurd")
    with pytest.raises(DataError, match=r"crashes\.kind is String, not a number"):
        past.ledger("crashes", value="kind")
    with pytest.raises(DataError, match="weather has no places"):
        past.ledger("weather")


def test_past_counts_rows_under_every_key_of_a_relation() -> None:
    past = World(late=0, hole=None).past()
    rows = past.table("crashes").rows.filter(pl.col("_place").is_not_null())
    per_place = dict(rows.group_by("_place").len().iter_rows())
    questions = pl.DataFrame({"place": ["a", "b", "nowhere"], "start": [datetime(2018, 11, 1, tzinfo=UTC)] * 3})
    ever, never = Moments.ever(3), Moments.of(np.zeros(3, dtype=np.int64))

    def counts(by: str) -> list[int]:
        return past.ledger("crashes", by).count(past.keys(questions, by), never, ever, ever).tolist()

    assert counts("place") == [per_place["a"], per_place["b"], 0]
    assert counts("coarser") == [per_place["a"] + per_place["b"]] * 2 + [0]
    assert counts("neighbours") == [per_place["b"] + per_place["c"], per_place["a"], 0]
    assert counts("all") == [rows.height] * 3
    bikes = past.ledger("crashes", where=pl.col("kind") == "bike").count(past.keys(questions), never, ever, ever)
    assert bikes[0] == rows.filter((pl.col("_place") == "a") & (pl.col("kind") == "bike")).height
    assert past.ledger("crashes") is past.ledger("crashes")


def test_known_drops_what_came_later_and_cuts_the_coverage() -> None:
    world = World(delay=timedelta(days=1))
    past, cut = world.past(), world.first + timedelta(days=20)
    then = past.known(cut)
    assert then.table("crashes").rows["_available"].max() <= cut
    assert then.table("crashes").coverage.end == cut - timedelta(days=1)
    assert then.table("weather").coverage.end == cut - timedelta(hours=6)
    assert past.known(datetime(2000, 1, 1, tzinfo=UTC)).table("crashes").coverage.starts == ()


def test_scrambled_moves_only_what_came_later() -> None:
    world = World()
    past, cut = world.past(), world.first + timedelta(days=20)
    before, after = past.table("crashes").rows, past.scrambled(cut, seed=3).table("crashes").rows
    assert after.filter(pl.col("_available") <= cut).equals(before.filter(pl.col("_available") <= cut))
    moved, were = (rows.filter(pl.col("_available") > cut) for rows in (after, before))
    assert moved.height == were.height + were.height // 2
    assert sorted(moved["_ended"].unique()) == sorted(were["_ended"].unique())
    told = moved.join(were, on=["_ended", "_place"], how="semi").height
    assert told < moved.height
    assert past.scrambled(cut, seed=3).table("crashes").rows.equals(after)


def test_covered_counts_microseconds_of_a_stretch() -> None:
    past = World().past()
    first = round(World().first.timestamp()) * 1_000_000
    day = 86_400_000_000
    low, high = np.array([first - day, first + 7 * day, first]), np.array([first + day, first + 11 * day, first + day])
    assert past.covered("crashes", low, high).tolist() == [day, 2 * day, day]
    gone = past.known(datetime(2000, 1, 1, tzinfo=UTC))
    assert gone.covered("crashes", low, high).tolist() == [0, 0, 0]


def test_h3_cells_know_their_coarser_cell_and_ring_even_where_they_were_never_seen() -> None:
    pytest.importorskip("polars_h3")
    from asof import places
    from asof.specs import PlaceSpec

    centre, beside = "882a100d63fffff", "882a100d67fffff"
    cells = places.of_rows(pl.Series([centre]), PlaceSpec(h3=8))
    world = World(late=0, hole=None)
    table = world.past().table("crashes")
    rows = table.rows.with_columns(_place=pl.lit(centre))
    from dataclasses import replace

    past = Past({"crashes": replace(table, rows=rows)}, Panel(cells, Step.parse("1d"), world.zone, "crashes"))
    questions = pl.DataFrame({"place": [centre, beside], "start": [world.first] * 2})
    ever, never = Moments.ever(2), Moments.of(np.zeros(2, dtype=np.int64))

    def counts(by: str) -> list[int]:
        return past.ledger("crashes", by).count(past.keys(questions, by), never, ever, ever).tolist()

    near = beside in cells.neighbours[centre]
    assert counts("place") == [rows.height, 0]
    assert counts("neighbours") == [0, rows.height if near else 0]
    assert counts("coarser")[0] == rows.height


def test_places_without_coarser_ones_have_no_rows_there() -> None:
    world = World()
    table = world.past().table("crashes")
    past = Past({"crashes": table}, Panel(Places(pl.Series(["a"])), Step.parse("1d"), world.zone, "crashes"))
    assert past.keys(pl.DataFrame({"place": ["a"], "start": [world.first]}), "coarser").tolist() == [-1]
    assert past.coarser(pl.Series(["a"])).to_list() == [None]
