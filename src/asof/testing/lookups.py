"""The exam of a lookup: what every author of one can run, and what ours pass.

from asof.testing.lookups import exam

exam(lookup, questions, past)
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from asof import panels
from asof.data import UTC_TIME, Coverage, SourceTable
from asof.ledgers import Past
from asof.lookups import Lookup, ahead, features
from asof.panels import Panel
from asof.places import Places
from asof.times import Step

FIRST = datetime(2018, 10, 20, 4, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """What a small world is made of."""

    seed: int = 0
    zone: str = "America/New_York"
    every: str = "1d"
    horizons: tuple[str, ...] = ("0h",)
    delay: timedelta = timedelta(0)
    late: float = 0.2
    """Share of rows that come later than their delay."""
    rows: int = 400
    first: datetime = FIRST
    days: int = 30
    """Length of the stretch with rows; its last third is asked about."""
    hole: tuple[int, int] | None = (8, 10)
    """Days, from the first on, that are not covered."""

    def past(self) -> Past:
        """Make ``crashes`` with places (``injured``, ``cost``, ``kind``), and ``weather`` (``wind``) without."""
        random = np.random.default_rng(self.seed)
        panel = Panel(
            _places(), Step.parse(self.every), self.zone, "crashes", horizons=tuple(map(Step.parse, self.horizons))
        )
        return Past({"crashes": self._crashes(random), "weather": self._weather(random)}, panel)

    def questions(self, past: Past) -> pl.DataFrame:
        """Every place and period of the last third."""
        first, until = self.first + timedelta(days=self.days * 2 // 3), self.first + timedelta(days=self.days)
        return panels.questions(past.panel, first, until)

    def _crashes(self, random: np.random.Generator) -> SourceTable:
        # Few different minutes, so that ties are common.
        minutes = random.integers(0, self.days * 24 * 60, self.rows) // 30 * 30
        late = np.where(random.random(self.rows) < self.late, random.integers(0, 15 * 24 * 60, self.rows), 0)
        rows = pl.DataFrame(
            {
                "_key": [f"{number:06d}" for number in range(self.rows)],
                "_ended": self._moments(minutes),
                "_available": self._moments(minutes + late) + self.delay,
                "_place": [("a", "b", "c", "d", None)[number] for number in random.integers(0, 5, self.rows)],
                "injured": random.integers(0, 4, self.rows).tolist(),
                "cost": random.normal(1000, 300, self.rows),
                "kind": random.choice(["car", "bike"], self.rows).tolist(),
            },
            schema_overrides={"_place": pl.String},
        )
        low, high = self.hole or (0, 0)
        begun, over = (self.first + timedelta(days=day) for day in (low, high))
        end = self.first + timedelta(days=self.days)
        coverage = Coverage((self.first, over), (begun, end)) if self.hole else Coverage((self.first,), (end,))
        return self._table("crashes", rows, coverage, self.delay)

    def _weather(self, random: np.random.Generator) -> SourceTable:
        ended = np.arange(1, self.days + 1) * 24 * 60
        rows = pl.DataFrame(
            {
                "_key": [f"{number:06d}" for number in range(self.days)],
                "_ended": self._moments(ended),
                "_available": self._moments(ended) + timedelta(hours=6),
                "wind": random.normal(10, 3, self.days),
            }
        )
        rows = rows.with_columns(wind=pl.when(pl.int_range(pl.len()) % 4 != 2).then("wind"))
        return self._table(
            "weather", rows, Coverage((self.first,), (self.first + timedelta(days=self.days),)), timedelta(hours=6)
        )

    def _table(self, name: str, rows: pl.DataFrame, coverage: Coverage, delay: timedelta) -> SourceTable:
        rows = rows.with_columns(_event=pl.col("_ended") - timedelta(minutes=1), _first_seen=pl.col("_available"))
        return SourceTable(name, rows.sort("_ended", "_available", "_key"), self.zone, delay, coverage)

    def _moments(self, minutes: np.ndarray) -> pl.Series:
        begun = round(self.first.timestamp()) * 1_000_000
        return pl.Series(begun + minutes * 60_000_000, dtype=pl.Int64).cast(UTC_TIME)


def _places() -> Places:
    return Places(
        ids=pl.Series("place", ["a", "b", "c", "d"]),
        coarser=pl.Series("coarser", ["north", "north", "south", "south"]),
        lat=pl.Series("lat", [40.0, 40.1, 40.2, 40.3]),
        lon=pl.Series("lon", [-74.0, -74.1, -74.2, -74.3]),
        neighbours={"a": ("b", "c"), "b": ("a",), "c": ("a",), "d": ()},
    )


def exam(lookup: Lookup, questions: pl.DataFrame, past: Past, *, cuts: int = 3, seed: int = 0) -> None:
    """Hold a lookup to its contract; raises AssertionError that names the first feature in breach.

    Args:
        lookup: who is examined.
        questions: a few hundred are enough; at least two moments of prediction.
        past: sources with rows before and after these moments.
        cuts: how many moments are tried as the present.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    answers = features(questions, [lookup], past)
    check_form(answers, questions)
    check_others_do_not_matter(lookup, questions, past, answers, random)
    moments = questions["as_of"].unique().sort()
    for position in np.unique(np.linspace(0, len(moments) - 1, cuts + 2).astype(int)[1:-1]):
        check_future_does_not_matter(lookup, questions, past, answers, moments[int(position)])


def check_form(answers: pl.DataFrame, questions: pl.DataFrame) -> None:
    """One row a question; finite numbers as Float64 with null for unknown, or text."""
    assert answers.height == questions.height, f"{answers.height} rows for {questions.height} questions"
    for column in answers.get_columns():
        assert column.dtype in {pl.Float64, pl.String}, f"{column.name} is {column.dtype}; expected Float64 or String"
        if column.dtype == pl.Float64:
            assert column.drop_nulls().is_finite().all(), f"{column.name} is not finite; null stands for unknown"


def check_others_do_not_matter(
    lookup: Lookup, questions: pl.DataFrame, past: Past, answers: pl.DataFrame, random: np.random.Generator
) -> None:
    """The answer to a question is the same to the bit in any order, in any part, and alone."""
    order = random.permutation(questions.height)
    parts = [order, order[: max(len(order) // 3, 1)], *(order[position : position + 1] for position in range(3))]
    for part in parts:
        again = features(questions[part], [lookup], past)
        _same(answers[part], again, f"asked in a part of {len(part)} questions")


def check_future_does_not_matter(
    lookup: Lookup, questions: pl.DataFrame, past: Past, answers: pl.DataFrame, cut: datetime
) -> None:
    """What became known after a cut, dropped or put at random, moves no answer as of the cut or before by one bit."""
    early = (questions["as_of"].cast(UTC_TIME) <= cut).arg_true()
    exempt = ahead([lookup], answers.columns)
    before = answers[early].drop(exempt)
    for how, other in (("dropped", past.known(cut)), ("put at random", past.scrambled(cut, seed=1))):
        again = features(questions[early], [lookup], other).drop(exempt)
        _same(before, again, f"rows known after {cut} {how}")


def _same(one: pl.DataFrame, other: pl.DataFrame, when: str) -> None:
    assert one.columns == other.columns, f"{when}: features {one.columns} became {other.columns}"
    for name in one.columns:
        moved = one[name].ne_missing(other[name]).arg_true()
        assert not len(moved), (
            f"{when}: {name} of question {moved[0]} was {one[name][moved[0]]}, is {other[name][moved[0]]}"
        )
