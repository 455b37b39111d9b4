"""Split: what is learnt from and what is tested keep apart."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asof.audit import Outcome, Verdict, groups, split
from asof.audit.split import Side
from asof.data import Finding, Severity
from tests.audit.evidence import DAYS, labelled
from tests.leaks.worlds import passenger_table


def told(verdict: Verdict) -> list[tuple[str, int | None]]:
    return [(finding.subject, finding.rows) for finding in verdict.findings]


def test_each_kind_of_overlap_is_found() -> None:
    """Labels known late, questions asked early, units on both sides and questions asked twice, each with its count."""
    asked = labelled()
    clean = Side("fold 1", DAYS[4], asked[:5], asked[5:])
    assert split.check([clean], ("place", "start")).outcome is Outcome.PASSED
    late = Side("fold 2", DAYS[3], asked[:5], asked[5:])
    early = Side("fold 3", DAYS[6], asked[:5], asked[5:])
    again = asked[4:5].with_columns(as_of=pl.lit(DAYS[5]))
    both = Side("fold 4", DAYS[4], asked[:5], pl.concat([again, asked[5:]]))
    twice = Side("fold 5", DAYS[4], pl.concat([asked[:5], asked[:2]]), asked[5:])
    empty = Side("fold 6", DAYS[4], asked[:5].with_columns(label=pl.lit(None, dtype=pl.Float64)), asked[5:])
    verdict = split.check([late, early, both, twice, empty], ("place", "start"))
    assert verdict.outcome is Outcome.FAILED
    assert told(verdict) == [("fold 2", 1), ("fold 3", 1), ("fold 4", 1), ("fold 5", 2), ("fold 6", 5)]
    assert split.check([], ("place",)).outcome is Outcome.UNTOLD


def test_places_that_were_not_yet_known_are_found() -> None:
    asked = labelled().with_columns(known_from=pl.lit(DAYS[5]))
    assert told(split.check([Side("fold 1", DAYS[4], asked[:5], asked[5:])], ("place", "start"))) == [("fold 1", 10)]


def test_under_a_cut_a_key_may_come_again_and_without_a_time_it_may_not() -> None:
    """The house that is sold twice: its first price was known by the second sale."""
    asked = labelled().with_columns(unit=pl.Series(["h1", "h2", "h3", "h4", "h5"] * 2))
    timed = Side("fold 1", DAYS[4], asked[:5], asked[5:])
    assert split.check([timed], ("unit", "start")).outcome is Outcome.PASSED
    timeless = Side("fold 1", None, asked[:5], asked[5:])
    assert told(split.check([timeless], ("unit",))) == [("fold 1", 5)]


def test_groups_stand_on_one_side() -> None:
    asked = labelled().with_columns(
        unit=pl.int_range(10).cast(pl.String), group=pl.Series([f"g{n // 3}" for n in range(10)])
    )
    whole = Side("fold 1", None, asked[:6], asked[6:])
    parted = Side("fold 2", None, asked[:7], asked[7:])
    verdict = split.check([whole, parted], ("unit",))
    assert told(verdict) == [("fold 2", 1)]
    assert verdict.findings[0].message == "1 groups stand on both sides of fold 2"
    assert "groups whole" in verdict.coverage


def houses(rows: int = 400, seed: int = 3) -> pl.DataFrame:
    """Houses told in few words and two sizes, with a price each."""
    draw = np.random.default_rng(seed)
    area = np.round(draw.normal(180, 40, rows), 1)
    return pl.DataFrame(
        {
            "rooms": draw.integers(1, 6, rows).astype(float),
            "kind": draw.choice(["flat", "house"], rows),
            "area": area,
            "price": np.round(2000 * area + draw.normal(0, 20_000, rows)),
        }
    )


def sides(table: pl.DataFrame, cut: int) -> Side:
    """Rows before and from ``cut`` on, each under a key of its own."""
    asked = pl.DataFrame({"unit": [f"k{n}" for n in range(table.height)], "label": table["price"]})
    features = table.drop("price")
    return Side("fold 1", None, asked[:cut], asked[cut:], (features[:cut], features[cut:]))


def test_a_copy_of_a_row_under_another_key_is_found() -> None:
    table = houses()
    assert split.check([sides(table, 300)], ("unit",)).outcome is Outcome.PASSED
    copied = pl.concat([table, table[:15]])
    verdict = split.check([sides(copied, 400)], ("unit",))
    assert told(verdict) == [("fold 1", 15)]
    assert "copies, label included, of rows that were learnt from" in verdict.findings[0].message


def test_rows_that_are_alike_by_chance_are_no_copies() -> None:
    """Told in few words, many rows are equal, and many more are equal but for one word."""
    few = houses(2000).with_columns(
        area=(pl.col("area") / 40).round(), price=(pl.col("price") > 360_000).cast(pl.Float64)
    )
    assert few.unique().height < 200
    assert split.check([sides(few, 1500)], ("unit",)).outcome is Outcome.PASSED


@pytest.mark.needs("shared data")
def test_passengers_of_the_titanic_are_no_copies_of_one_another(shared_data: Path) -> None:
    """Hundreds travel alike without name and ticket; a doubled list is seen all the same, with both."""
    people = pl.read_csv(shared_data / "titanic" / "train.csv").with_columns(price=pl.col("Survived").cast(pl.Float64))
    told_in_few = people.drop("PassengerId", "Survived", "Name", "Ticket", "Cabin")
    assert split.check([sides(told_in_few, 600)], ("unit",)).outcome is Outcome.PASSED
    whole = people.drop("PassengerId", "Survived")
    assert split.check([sides(whole, 600)], ("unit",)).outcome is Outcome.PASSED
    doubled = pl.concat([whole, whole[:30]])
    assert ("fold 1", 30) in told(split.check([sides(doubled, 891)], ("unit",)))


def test_copies_that_differ_in_one_column_are_found() -> None:
    """A join has repeated rows, each with another agent; agents alone make nobody alike."""
    draw = np.random.default_rng(4)
    table = houses()

    def joined(rows: pl.DataFrame) -> Side:
        return sides(rows.with_columns(agent=draw.integers(0, 300, rows.height).astype(float)), 400)

    assert split.check([joined(houses(520, seed=8))], ("unit",)).outcome is Outcome.PASSED
    verdict = split.check([joined(pl.concat([table, table[:120]]))], ("unit",))
    assert verdict.outcome is Outcome.FAILED
    assert told(verdict) == [("fold 1", 120)]
    assert "label included and agent excepted, of rows that were learnt from" in verdict.findings[0].message


def test_rows_of_a_few_plans_differ_in_one_column_by_right() -> None:
    """Every setting of an experiment was tried once: each row has another that differs in one setting only."""
    settings = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]})
    for name in ("b", "c", "d"):
        settings = settings.join(pl.DataFrame({name: [1.0, 2.0, 3.0, 4.0]}), how="cross")
    table = settings.with_columns(price=(pl.col("a") > 2).cast(pl.Float64)).sample(fraction=1.0, shuffle=True, seed=2)
    assert split.check([sides(table, 180)], ("unit",), classes=2).outcome is Outcome.PASSED


@pytest.mark.needs("shared data")
def test_a_group_that_is_not_named_is_told_of(shared_data: Path) -> None:
    """Those of one ticket shared their fate; once tickets stand on one side, nothing is left to tell."""
    people = pl.read_csv(shared_data / "titanic" / "train.csv").with_columns(price=pl.col("Survived").cast(pl.Float64))
    side = sides(people.drop("PassengerId", "Survived"), 600)
    verdict = split.check([side], ("unit",), classes=2)
    assert verdict.outcome is Outcome.PASSED
    warned = {one.subject: one for one in verdict.findings}
    assert warned["Ticket"].severity is Severity.WARNING
    assert "name it in judge.group" in warned["Ticket"].message
    assert "Name" not in warned


def test_small_groups_are_told_of_by_their_labels_alone() -> None:
    draw = np.random.default_rng(6)
    party = np.repeat(np.arange(200), 3)
    luck = draw.normal(0, 1, 200)
    label = pl.Series(luck[party] + draw.normal(0, 1, 600))
    features = pl.DataFrame({"party": [f"p{n}" for n in party], "chance": [f"c{n}" for n in draw.permutation(party)]})
    (found,) = groups.unnamed(features, label, None, classes=False)
    assert found.subject == "party"
    assert found.figure is not None
    assert 0.35 < found.figure < 0.65  # half of the variance is shared, less by ranks
    named = pl.Series([f"p{n}" for n in party])
    assert groups.unnamed(features, label, named, classes=False) == []
    assert groups.unnamed(features, pl.Series(draw.normal(0, 1, 600)), None, classes=False) == []


def test_what_neighbours_share_looks_like_what_a_party_shares() -> None:
    """It is told in full what the score gains by it; no figure can say whether new rows have such neighbours."""
    told = Finding("split", Severity.WARNING, "party", "rows share their labels")
    group = pl.Series(["a", "a", "b", "b"])
    more = groups.measured(told, np.array([1.0, 1.0, 2.0, 2.0]), np.array([2.0, 2.0, 2.0, 4.0]), group)
    assert more.severity is Severity.WARNING
    assert "is 40.0% lower (give or take 28.3%)" in more.message
    assert groups.measured(told, np.ones(4), np.ones(4), group) == told


@pytest.mark.needs("shared data")
def test_honest_places_share_more_than_parties_do(shared_data: Path) -> None:
    """Houses of one latitude, told as text: a place that comes again, and no group that was torn apart."""
    sales = pl.read_csv(
        shared_data / "king_county" / "kc_house_data_dirty.csv.gz",
        null_values=["?"],
        infer_schema_length=None,
        schema_overrides={"lat": pl.String},
    ).sample(2000, seed=1)
    (place,) = groups.unnamed(sales.select("lat"), sales["price"].cast(pl.Float64), None, classes=False)
    passengers = passenger_table()
    lost = pl.Series((passengers["survived"] == "no").cast(pl.Float64))
    (party,) = groups.unnamed(passengers.select("party"), lost, None, classes=True)
    assert place.figure is not None
    assert party.figure is not None
    assert place.figure > party.figure > groups.ALIKE


def oversampled(rows: int, copies: int, noise: float, seed: int = 3) -> Side:
    """People of two kinds, the rarer one multiplied with a little noise, by chance on either side."""
    draw = np.random.default_rng(seed)
    age, income = draw.normal(40, 12, rows), np.exp(draw.normal(3, 0.6, rows))
    odds = -1.2 + 0.05 * (age - 40) + 0.8 * np.log(income / 20)
    table = pl.DataFrame(
        {"age": age, "income": income, "price": (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)}
    )
    few = pl.concat([table.filter(pl.col("price") == 1)] * copies) if copies else table.clear()
    moved = few.with_columns(
        age=pl.col("age") + pl.Series(draw.normal(0, 12 * noise, few.height)),
        income=pl.col("income") * pl.Series(np.exp(draw.normal(0, 0.6 * noise, few.height))),
    )
    whole = pl.concat([table, moved]).sample(fraction=1.0, shuffle=True, seed=seed)
    return sides(whole, whole.height * 2 // 3)


def test_rows_multiplied_with_a_little_noise_are_found() -> None:
    for noise in (0.0005, 0.002, 0.005):
        verdict = split.check([oversampled(900, 2, noise)], ("unit",), classes=2)
        assert [finding.subject for finding in verdict.findings] == ["fold 1"], noise
        assert "small changes of several numbers excepted" in verdict.findings[0].message
    for seed in range(12):
        assert split.check([oversampled(900, 0, 0.0, seed)], ("unit",), classes=2).outcome is Outcome.PASSED
