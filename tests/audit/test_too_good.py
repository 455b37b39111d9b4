"""Too good: columns that hold the label under another name, on made-up and on real tables."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asof.audit import Outcome, Verdict, columns, too_good
from asof.audit.columns import Target
from asof.audit.too_good import Columns
from asof.data import UTC_TIME, Severity
from tests.audit.evidence import NOON


def given(table: pl.DataFrame, label: str, *, classes: int = 0, waiting: pl.DataFrame | None = None) -> Columns:
    """A table of rows without a time, all of whose other columns are its own."""
    features = table.drop(label)
    asked = pl.DataFrame(
        {"label": table[label].cast(pl.Float64), "as_of": pl.Series([None] * table.height, dtype=UTC_TIME)}
    )
    return Columns(asked, features, own=features.columns, classes=classes, waiting=waiting)


def failed(verdict: Verdict) -> list[str]:
    return sorted(finding.subject for finding in verdict.findings if finding.severity is Severity.ERROR)


def warned(verdict: Verdict) -> list[str]:
    return sorted(finding.subject for finding in verdict.findings if finding.severity is Severity.WARNING)


def houses(rows: int = 2000, seed: int = 5) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    area = draw.gamma(9, 20, rows)
    price = 2000 * area * np.exp(draw.normal(0, 0.25, rows))
    return pl.DataFrame({"area": area, "age": draw.uniform(0, 90, rows), "price": price})


def test_an_honest_table_passes() -> None:
    verdict = too_good.check(given(houses(), "price"))
    assert (verdict.outcome, verdict.findings) == (Outcome.PASSED, ())
    assert verdict.coverage == "2 columns of 2, 2,000 training questions"


LEAKS = {
    "the label": pl.col("price"),
    "its logarithm, falling": -pl.col("price").log(),
    "above the median turned over": pl.when(pl.col("price") > pl.col("price").median())
    .then(-pl.col("price"))
    .otherwise("price"),
    "with a tax of about a fifth": pl.col("price") * (1.2 + 0.002 * pl.col("age") / 90),
    "as text": pl.format("EUR {}", pl.col("price").round(2)),
    "known for most rows": pl.when(pl.col("age") < 60).then(pl.col("price")),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_label_under_another_name_is_found(leak: str) -> None:
    table = houses().with_columns(LEAKS[leak].alias("x"))
    verdict = too_good.check(given(table, "price"))
    assert failed(verdict) == ["x"]
    assert verdict.findings[0].figure is not None
    assert verdict.findings[0].figure >= 0.995
    assert "leave it out, or accept it" in verdict.findings[0].message


def test_two_of_them_do_not_hide_each_other() -> None:
    table = houses().with_columns(fee=pl.col("price") * 0.03, paid=pl.col("price") * 1.03)
    assert failed(too_good.check(given(table, "price"))) == ["fee", "paid"]


def test_columns_that_make_the_label_together_are_found() -> None:
    """A price per area, and a discount that was granted: none is near the price alone, with another one it is."""
    per_area = houses().with_columns(per_area=pl.col("price") / pl.col("area"))
    verdict = too_good.check(given(per_area, "price"))
    assert failed(verdict) == ["per_area"]
    assert verdict.findings[0].message.startswith("the product of area, per_area is the label")
    noise = np.random.default_rng(2).normal(0, 0.1, 2000)
    asked = houses().with_columns(asked=pl.col("price") * np.exp(noise))
    granted = asked.with_columns(granted=pl.col("asked") - pl.col("price"))
    assert failed(too_good.check(given(asked, "price"))) == []
    assert failed(too_good.check(given(granted, "price"))) == ["granted"]


def test_a_mean_of_labels_that_was_stored_with_the_rows_is_found() -> None:
    """It follows even the chance in the prices of its street; the income of a street and a rounded age do not."""
    draw = np.random.default_rng(8)
    level = draw.normal(0, 0.2, 150)
    street = draw.integers(0, 150, 1500)
    price = 300_000 * np.exp(level[street] + draw.normal(0, 0.3, 1500))
    table = pl.DataFrame(
        {
            "income": np.round(level, 4)[street],
            "age": draw.integers(0, 60, 1500).astype(float),
            "street": [f"s{number}" for number in street],
            "price": price,
        }
    )
    assert too_good.check(given(table, "price")).findings == ()
    stored = table.with_columns(usual=pl.col("price").mean().over("street"))
    assert failed(too_good.check(given(stored, "price"))) == ["usual"]
    dear = stored.with_columns(price=(pl.col("price") > 300_000).cast(pl.Float64)).drop("usual")
    assert failed(too_good.check(given(dear, "price", classes=2))) == []
    share = dear.with_columns(usual=pl.col("price").mean().over("street"))
    assert failed(too_good.check(given(share, "price", classes=2))) == ["usual"]


def test_a_column_that_is_much_better_than_all_others_is_told_of() -> None:
    """An asking price may be known in time: it is asked about, and does not fail."""
    noise = np.random.default_rng(1).normal(0, 0.05, 2000)
    table = houses().with_columns(asked=pl.col("price") * np.exp(noise))
    verdict = too_good.check(given(table, "price"))
    assert (failed(verdict), warned(verdict)) == ([], ["asked"])
    assert "is it known at the moment of prediction?" in verdict.findings[0].message


def people(rows: int = 1200, seed: int = 2) -> pl.DataFrame:
    """Survivors, with the number of a boat for nearly all of them and of a body for few of the others."""
    draw = np.random.default_rng(seed)
    woman = draw.random(rows) < 0.35
    survived = draw.random(rows) < np.where(woman, 0.74, 0.19)
    boat = np.where(survived & (draw.random(rows) < 0.95), draw.integers(1, 17, rows), 0)
    body = np.where(~survived & (draw.random(rows) < 0.15), draw.integers(1, 320, rows), 0)
    return pl.DataFrame(
        {"sex": np.where(woman, "w", "m"), "boat": boat, "body": body, "survived": survived}
    ).with_columns(
        pl.col("survived").cast(pl.Float64),
        boat=pl.when(pl.col("boat") > 0).then(pl.col("boat").cast(pl.String)),
        body=pl.when(pl.col("body") > 0).then(pl.col("body").cast(pl.Float64)),
    )


def test_columns_whose_presence_tells_the_label_are_found() -> None:
    """Whoever has a boat survived, whoever has the number of a body did not; sex tells much and is honest."""
    verdict = too_good.check(given(people(), "survived", classes=2))
    assert failed(verdict) == ["boat", "body"]
    assert "where body is known, the label is class 0 in" in verdict.findings[-1].message


def test_a_status_that_is_set_after_the_outcome_is_found() -> None:
    table = people().with_columns(
        status=pl.when(pl.col("survived") > 0).then(pl.lit("saved")).otherwise(pl.lit("lost"))
    )
    assert "status" in failed(too_good.check(given(table, "survived", classes=2)))


def test_a_value_that_comes_with_one_class_alone_is_found() -> None:
    """One reason of many is given to the lost only; and those whose age was unknown got the mean of their class."""
    table = (
        people()
        .drop("boat", "body")
        .with_columns(
            reason=pl.when((pl.col("survived") == 0) & (pl.int_range(pl.len()) % 4 == 0))
            .then(pl.lit("estate"))
            .otherwise(pl.lit("work")),
            age=pl.when(pl.int_range(pl.len()) % 5 == 0)
            .then(30.0 + pl.col("survived") / 10)
            .otherwise(pl.int_range(pl.len()) % 70 + 0.5),
        )
    )
    verdict = too_good.check(given(table, "survived", classes=2))
    assert failed(verdict) == ["age", "reason"]
    assert "where reason is estate, all but 0 of" in verdict.findings[-2].message + verdict.findings[-1].message
    assert failed(too_good.check(given(table.drop("age", "reason"), "survived", classes=2))) == []


def test_what_is_filled_only_once_the_label_is_known_is_found() -> None:
    """Closing dates of houses that are sold, and of none that is still for sale."""
    table = houses(300).with_columns(closed=pl.col("age") * 3, asked=pl.col("age") * 2)
    waiting = houses(80, seed=9).with_columns(closed=pl.lit(None, dtype=pl.Float64), asked=pl.col("age") * 2)
    verdict = too_good.check(given(table, "price", waiting=waiting.drop("price")))
    assert failed(verdict) == ["closed"]
    assert "filled in 100% of the rows whose label is known, and in 0% of the 80" in verdict.findings[0].message


def test_the_order_of_rows_that_tells_the_label_is_told_of() -> None:
    table = houses(400).sort("price")
    asked = given(table, "price")
    keyed = Columns(
        asked.questions.with_columns(unit=pl.format("h{}", pl.int_range(400) + 1000)), asked.features, asked.own
    )
    verdict = too_good.check(keyed)
    assert (failed(verdict), warned(verdict)) == ([], ["the key of rows", "the order of rows"])


def timed(label: np.ndarray, features: pl.DataFrame, own: Sequence[str] = (), brought: Sequence[str] = ()) -> Columns:
    """One question an hour in one place, whose label is known an hour later."""
    hours = pl.Series([NOON + timedelta(hours=hour) for hour in range(len(label))], dtype=UTC_TIME)
    asked = pl.DataFrame(
        {"place": ["a"] * len(label), "as_of": hours, "known_at": hours.dt.offset_by("1h"), "label": label}
    )
    return Columns(asked, features, own=own, brought=brought)


def test_a_lag_of_the_label_may_be_as_good_as_it_likes() -> None:
    """What `future` has tried is not held; a plug-in is held against the last label known."""
    label = np.cumsum(np.random.default_rng(4).normal(0, 1, 3000)) / 30 + 5 * np.sin(np.arange(3000) / 400)
    lag = pl.Series("lag", label).shift(1)
    smooth = pl.DataFrame({"lag": lag, "own": lag})
    assert too_good.check(timed(label, smooth)).outcome is Outcome.NOT_APPLICABLE
    assert too_good.check(timed(label, smooth, brought=["lag"])).outcome is Outcome.PASSED
    now = smooth.with_columns(pl.Series("now", label))
    assert failed(too_good.check(timed(label, now, brought=["now"]))) == ["now"]


def test_few_rows_tell_nothing() -> None:
    assert too_good.check(given(houses(50), "price")).outcome is Outcome.UNTOLD


@pytest.mark.needs("shared data")
def test_the_real_tables_are_told_apart(shared_data: Path) -> None:
    """King County and the Titanic pass; the price of a listing that is set at its sale fails, the asking price not."""
    sales = pl.read_csv(
        shared_data / "king_county" / "kc_house_data_dirty.csv.gz", null_values=["?"], infer_schema_length=None
    )
    assert too_good.check(given(sales.drop("id"), "price")).findings == ()
    crew = pl.read_csv(shared_data / "titanic" / "train.csv").drop("PassengerId")
    assert too_good.check(given(crew, "Survived", classes=2)).findings == ()
    listings = pl.read_csv(shared_data / "homevision" / "listings.csv.gz", infer_schema_length=None)
    sold, open_ones = (
        listings.filter(condition) for condition in (pl.col("ClosePrice").is_not_null(), pl.col("ClosePrice").is_null())
    )
    verdict = too_good.check(given(sold, "ClosePrice", waiting=open_ones.drop("ClosePrice")))
    assert failed(verdict) == ["CloseDate", "CurrentPrice"]
    price = next(finding for finding in verdict.findings if finding.subject == "CurrentPrice")
    assert price.figure == pytest.approx(1.0, abs=1e-4)


@pytest.mark.needs("shared data")
def test_the_demand_of_half_an_hour_before_is_honest(shared_data: Path) -> None:
    """Its last label leaves three hundredths untold: a lag that is brought by a plug-in passes beside it."""
    demand = pl.read_csv(shared_data / "electricity" / "vic_elec.csv.gz")["Demand"].head(20_000).to_numpy()
    features = pl.DataFrame({"lag": pl.Series(demand).shift(1), "now": demand})
    assert too_good.check(timed(demand, features, brought=["lag"])).outcome is Outcome.PASSED
    assert failed(too_good.check(timed(demand, features, brought=["lag", "now"]))) == ["now"]


def test_of_many_columns_one_is_near_by_chance() -> None:
    """Two rare cases among sixty rows: of four hundred columns of chance the best give them exactly."""
    draw = np.random.default_rng(12)
    rare = np.zeros(60)
    rare[[5, 23]] = 1.0
    table = pl.DataFrame({f"x{number}": draw.normal(0, 1, 60) for number in range(400)} | {"rare": rare})
    parts = columns.parts(60, seed=0, blocks=False)
    target = Target.of(table["rare"], 2)
    best = max(columns.told(table[name], target, parts) for name in table.columns[:-1])
    assert best > 1 - too_good.CLASSES.exact
    assert too_good.check(given(table, "rare", classes=2)).findings == ()
    often = table.with_columns(rare=pl.Series(draw.random(60) < 0.4).cast(pl.Float64)).with_columns(
        copy=-pl.col("rare")
    )
    assert failed(too_good.check(given(often, "rare", classes=2))) == ["copy"]


def test_what_no_waiting_row_has_is_asked_for_more_strictly() -> None:
    """An asking price stands in the rows that wait for theirs; without any such row it could be the price itself."""
    near = pl.col("price") * pl.Series(np.exp(np.random.default_rng(3).normal(0, 0.036, 2000)))
    table = houses().with_columns(asked=near)
    assert failed(too_good.check(given(table, "price"))) == ["asked"]
    waiting = table[:60].drop("price")
    verdict = too_good.check(given(table, "price", waiting=waiting))
    assert (failed(verdict), warned(verdict)) == ([], ["asked"])


def test_a_column_that_was_given_up_does_not_come_with_the_outcome() -> None:
    """Empty in the rows that wait, and in the newest that have a label as well."""
    table = houses(400).with_columns(old=pl.when(pl.int_range(400) < 300).then(pl.col("age") * 2))
    features = table.drop("price")
    asked = timed(table["price"].to_numpy(), features).questions
    waiting = features[380:].with_columns(old=pl.lit(None, dtype=pl.Float64))
    told = Columns(asked, features, own=features.columns, waiting=waiting, newest=features[340:])
    assert failed(too_good.check(told)) == []
    assert failed(too_good.check(replace(told, newest=None))) == ["old"]


def test_what_the_others_of_a_group_came_to_gives_the_rest() -> None:
    """The fate of companions, or their mean: with the total of the group it is one's own; their number is honest."""
    draw = np.random.default_rng(5)
    table = pl.DataFrame({"party": [f"p{n}" for n in draw.integers(0, 150, 500)], "saved": draw.random(500) < 0.4})
    table = table.with_columns(pl.col("saved").cast(pl.Float64))
    total = pl.col("saved").sum().over("party") - pl.col("saved")
    size = pl.len().over("party")
    assert failed(too_good.check(given(table.with_columns(x=total), "saved", classes=2))) == ["x"]
    mean = table.with_columns(x=pl.when(size > 1).then(total / (size - 1)))
    assert failed(too_good.check(given(mean, "saved", classes=2))) == ["x"]
    assert failed(too_good.check(given(table.with_columns(x=size - 1), "saved", classes=2))) == []


def test_a_rank_within_its_group_is_found() -> None:
    draw = np.random.default_rng(7)
    table = houses(600).with_columns(street=pl.Series([f"s{n}" for n in draw.integers(0, 60, 600)]))
    assert failed(too_good.check(given(table, "price"))) == []
    rank = table.with_columns(x=pl.col("price").rank().over("street"))
    assert failed(too_good.check(given(rank, "price"))) == ["x"]
    falling = table.with_columns(x=pl.col("price").rank(descending=True).over("street"))
    assert failed(too_good.check(given(falling, "price"))) == ["x"]
    by_area = table.with_columns(x=pl.col("area").rank().over("street"))
    assert failed(too_good.check(given(by_area, "price"))) == []


def test_a_word_that_comes_with_one_class_alone_is_found() -> None:
    draw = np.random.default_rng(6)
    saved = draw.random(400) < 0.4
    names = [f"berth {number}" for number in draw.integers(1, 999, 400)]
    words = np.where(saved, "landed", np.where(draw.random(400) < 0.5, "seen", "noted"))
    table = pl.DataFrame({"remark": [f"{a} {b}" for a, b in zip(names, words, strict=True)], "saved": saved})
    table = table.with_columns(pl.col("saved").cast(pl.Float64))
    verdict = too_good.check(given(table, "saved", classes=2))
    assert failed(verdict) == ["remark"]
    assert "holds the word 'landed', all but 0 of" in verdict.findings[0].message
    honest = table.with_columns(remark=pl.Series(names))
    assert failed(too_good.check(given(honest, "saved", classes=2))) == []
