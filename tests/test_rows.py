"""Single rows as units: what is asked of each, with which label, and what belongs together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from asof import rows
from asof.data import UTC_TIME, Coverage, SourceTable
from asof.errors import DataError
from asof.panels import Panel
from asof.places import Places
from asof.times import Step

DAY = datetime(2021, 3, 1, tzinfo=UTC)
ALL = Places(ids=pl.Series("place", ["all"]), kind="all")


def table(*, timed: bool = True, **columns: list[object]) -> SourceTable:
    height = len(next(iter(columns.values())))
    begun = [DAY + timedelta(days=day) if timed else None for day in range(height)]
    ended = [moment + timedelta(days=1) if moment else None for moment in begun]
    ours = pl.DataFrame(
        {
            "_key": [f"k{row}" for row in range(height)],
            "_event": pl.Series(begun, dtype=UTC_TIME),
            "_ended": pl.Series(ended, dtype=UTC_TIME),
            "_available": pl.Series(ended, dtype=UTC_TIME),
            "_place": pl.Series(["all"] * height, dtype=pl.String),
        }
    )
    return SourceTable("sales", ours.hstack(pl.DataFrame(columns)), "UTC", timedelta(0), Coverage((), ()))


def panel(**facts: object) -> Panel:
    told = {
        "places": ALL,
        "every": Step(1, "d"),
        "zone": "UTC",
        "source": "sales",
        "measure": "value",
        "column": "price",
    }
    return Panel(**{**told, **facts})  # type: ignore[arg-type]


def test_a_row_is_asked_about_before_it_happens() -> None:
    sold = table(price=[10, None], size=[3, 4])
    told = rows.questions(sold, panel(own=("size",), horizons=(Step(1, "d"), Step(2, "d"))))
    assert told["unit"].to_list() == ["k0", "k0", "k1", "k1"]
    assert told["horizon"].to_list() == ["1d", "2d", "1d", "2d"]
    assert told["as_of"].to_list() == [DAY - timedelta(days=1), DAY - timedelta(days=2), DAY, DAY - timedelta(days=1)]
    assert told["known_at"].to_list()[:2] == [DAY + timedelta(days=1)] * 2
    assert told["label"].to_list() == [10.0, 10.0, None, None]
    assert told["own.size"].to_list() == [3.0, 3.0, 4.0, 4.0]
    assert "group" not in told.columns


def test_without_a_time_equal_rows_belong_together() -> None:
    same = table(timed=False, price=[1.0, 2.0, 3.0, 4.0], size=[5, 6, 5, None], kind=["a", "a", "a", None])
    told = rows.questions(same, panel(own=("size", "kind"), timed=False))
    first, second, third, fourth = told["group"].to_list()
    assert first == third
    assert len({first, second, fourth}) == 3
    assert told["as_of"].null_count() == 4


def test_without_a_time_rows_of_one_place_belong_together() -> None:
    towns = Places(ids=pl.Series("place", ["t1", "t2"]))
    sold = table(timed=False, price=[1.0, 2.0, 3.0], size=[1, 1, 1])
    placed = sold.rows.with_columns(_place=pl.Series(["t1", None, "t1"]))
    told = rows.questions(replace(sold, rows=placed), panel(places=towns, own=("size",), timed=False))
    assert told["group"].to_list() == ["t1", "k1", "t1"]


def test_the_project_says_what_belongs_together() -> None:
    told = rows.questions(
        table(timed=False, price=[1.0, 2.0, 3.0], ticket=["x", None, "x"]), panel(timed=False), ["ticket"]
    )
    assert told["group"].to_list() == ["x", "k1", "x"]
    with pytest.raises(DataError, match=r"judge.group: no column 'tiket'; did you mean 'ticket'"):
        rows.questions(table(price=[1.0], ticket=["x"]), panel(), ["tiket"])


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([0, 1, 1, None], ("0", "1")),
        ([1.0, 0.0, 10.0, 2.0], ("0", "1", "2", "10")),
        (["yes", "no", None, "yes"], ("no", "yes")),
        ([True, False, None, True], ("false", "true")),
    ],
)
def test_classes_are_listed_in_order(held: list[object], expected: tuple[str, ...]) -> None:
    source = table(price=held)
    assert rows.classes(source, "price") == expected
    told = rows.label(source, panel(measure="classes", classes=expected))
    names = rows.written(source.rows["price"]).to_list()
    assert told.to_list() == [None if name is None else float(expected.index(name)) for name in names]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (["a", "a"], "holds only the class 'a': there is nothing to tell apart"),
        ([None, None], "holds no class at all"),
        ([f"c{n}" for n in range(101)], "holds 101 different values, at most 100 can be classes"),
    ],
)
def test_what_is_no_classes_is_refused(held: list[object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        rows.classes(table(price=held), "price")


def test_a_text_is_no_value() -> None:
    with pytest.raises(DataError, match=r"sales.price is String, not a number; state its type in checks:, or predict"):
        rows.label(table(price=["a", "b"]), panel())
    with pytest.raises(DataError, match="sales: no column 'prize'; did you mean 'price'"):
        rows.label(table(price=[1.0]), panel(column="prize"))


def test_dates_of_a_row_are_days() -> None:
    built = pl.Series([DAY.date(), None])
    assert rows.own(built).to_list() == [18687.0, None]
    assert rows.own(pl.Series([True, None])).to_list() == [1.0, None]
