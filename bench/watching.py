"""Watching: false alarms asked for and got on real data without drift, and after how many days planted drift is found.

    python bench/watching.py [WORLD ...]

Protocol: real questions of one project at a time with the features that the engine made, a model fitted on the first
cut. As it came: every week from the first with enough history on is watched as if it were today, by the weeks before it
alone, with its seasons and holidays. Weeks resampled: the same weeks in a random order, so that nothing but chance
tells today from before. Tests of inputs (weighted by what the model goes by), predictions and truth, of all and of each
place, as `asof watch` makes them; the last 28 days and 7 days. Planted: the last weeks are changed from a
day on, and watched after 1, 2, 3, 7, 14 and 28 days at 1 %; a number is the first of these at which it alarms and the
right test says so, for each of several days on which it begins.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

import _worlds
from asof import explanation, monitoring, recipes, splits
from asof.data import Table
from asof.flows.watching import SHARES, UNSEEN
from asof.monitoring import Judged, Look, Stretches, Test
from asof.recipes import Model

RATES = (0.01, 0.05)
LENGTHS = (7, 28)
LEARNT = 4
RESAMPLES = 60
LEAST_WEEKS = 26
"""Weeks before a look."""
PLACES = 25
"""Places looked at, the busiest."""
AFTER = (1, 2, 3, 7, 14, 28)
STARTS = 4
"""Weeks before the end at which planted drift begins, a week apart."""
NATURAL = ("horizon", "weekday", "weekend", "month", "day", "hour", "holiday", "place", "coarser", "lat", "lon")
WHAT = pl.DataFrame | NDArray[np.float64]


@dataclass(frozen=True)
class Watched:
    """A world with a model that was fitted at its first cut."""

    name: str
    questions: pl.DataFrame
    features: pl.DataFrame
    truth: NDArray[np.float64]
    day: NDArray[np.int64]
    """Days before the end, 0 is the last."""
    model: Model
    weights: Mapping[str, float]


def laid(name: str) -> Watched:
    """Lay out a world."""
    world = _worlds.WORLDS[name]()
    split = splits.at_cut(world.questions, world.first_cut)
    table = Table(world.features[split.train], world.questions["label"][split.train])
    model = recipes.fit(world.recipe, table, threads=1, seed=20)
    busiest = (
        world.questions.group_by("place").agg(pl.col("label").sum()).sort("label", "place", descending=True)["place"]
    )
    mine = world.questions["place"].is_in(busiest[:PLACES].implode())
    questions, features = world.questions.filter(mine), world.features.filter(mine)
    local = questions["start"].dt.convert_time_zone(world.zone).dt.date()
    day = (local.max() - local).dt.total_days().to_numpy()  # type: ignore[operator]
    asked = features.sample(40, seed=1)
    usual = explanation.usual(model, features)
    found = explanation.importance(explanation.explain(model, asked, usual)).iter_rows()
    weights = {one: share for one, _, share in found if not one.startswith(NATURAL)}
    return Watched(name, questions, features, questions["label"].to_numpy().astype(float), day, model, weights)


def stretches(world: Watched, length: int, end: int = 0) -> tuple[NDArray[np.intp], Stretches]:
    """Rows and their stretch: the ``length`` days up to ``end`` days before the last, and the same in earlier weeks."""
    most = int(world.day.max()) - end
    count = (most - length) // 7 + 1
    rows, number = [], []
    for back in range(count):
        first = end + 7 * back
        inside = np.flatnonzero((world.day >= first) & (world.day < first + length))
        rows.append(inside)
        number.append(np.full(inside.size, back))
    return np.concatenate(rows), Stretches(np.concatenate(number).astype(np.int64), count)


def tested(world: Watched, rows: NDArray[np.intp], parts: Stretches, looks: tuple[Look, ...]) -> list[Test]:
    """Make the tests that ``asof watch`` makes."""
    features = world.features[rows]
    told = np.asarray(world.model.predict(features))
    places = world.questions["place"][rows].to_list() if world.questions["place"].n_unique() > 1 else ()
    families = {
        "input": monitoring.columns(features, parts, looks, world.weights),
        "prediction": monitoring.means("prediction", told, places, parts, looks),
        "truth": monitoring.means("truth", world.truth[rows], places, parts, looks),
    }
    made = []
    for name, tests in families.items():
        total = sum(one.weight for one in tests)
        made += [replace(one, weight=one.weight * SHARES[name] / total) for one in tests]
    return made


def gap_of(length: int) -> int:
    """Weeks from what is served to what was learnt."""
    return -(-length // 7)


def unseen(at: NDArray[np.int64]) -> float:
    """As ``asof watch`` does with less than a year."""
    return UNSEEN if np.ptp(at) < 52 else 1.0


def judged(tests: list[Test], at: NDArray[np.int64], length: int, rate: float) -> Judged:
    """Judge the first look by the others, as ``asof watch`` does with the looks that it may make."""
    kept = np.array([0, *np.flatnonzero(at >= at[0] + gap_of(length))])
    chosen = [replace(one, figures=one.figures[kept]) for one in tests]
    return monitoring.judge(chosen, (at[kept] - at[0]).tolist(), gap_of(length), rate, unseen(at))


def as_it_came(world: Watched, length: int) -> Iterator[list[bool]]:
    """Alarms at each rate, for each week as if it were today."""
    rows, parts = stretches(world, length)
    gap = gap_of(length)
    looks = tuple(Look(at, tuple(range(at + gap, at + gap + LEARNT))) for at in range(parts.count - gap - LEARNT + 1))
    tests = tested(world, rows, parts, looks)
    at = np.arange(len(looks))
    for today in range(len(looks) - LEAST_WEEKS):
        later = [replace(one, figures=one.figures[today:]) for one in tests]
        yield [bool(judged(later, at[today:], length, rate).alarms) for rate in RATES]


def resampled(world: Watched) -> Iterator[list[bool]]:
    """Alarms at each rate when weeks are put into a random order."""
    rows, parts = stretches(world, 7)
    draw = np.random.default_rng(20)
    looks = monitoring.looks(parts.count, 1, LEARNT)
    for _ in range(RESAMPLES):
        order = draw.permutation(parts.count)
        tests = tested(world, rows, Stretches(order[parts.number], parts.count), looks)
        at = np.array([look.served for look in looks])
        yield [bool(judged(tests, at, 7, rate).alarms) for rate in RATES]


def planted(world: Watched) -> Mapping[str, tuple[Callable[[NDArray[np.bool_]], Watched], tuple[str, ...]]]:
    """Ways to change what comes after a day, and how the test that must say so begins."""
    numbers = [one for one in world.weights if world.features[one].dtype.is_numeric()]
    column = max(numbers, key=lambda one: world.weights[one])
    place = world.questions["place"].mode().sort()[0]

    def values(made: pl.Expr) -> Callable[[NDArray[np.bool_]], Watched]:
        return lambda late: replace(
            world,
            features=world.features.with_columns(
                pl.when(pl.Series(late)).then(made).otherwise(pl.col(column)).alias(column)
            ),
        )

    chance = pl.Series(np.random.default_rng(3).random(world.features.height))
    here = (world.questions["place"] == place).to_numpy()
    ways: dict[str, tuple[Callable[[NDArray[np.bool_]], Watched], tuple[str, ...]]] = {
        f"{column} in another unit (x 1.609)": (values(pl.col(column) * 1.609), ("input", "level")),
        f"{column} stuck at its median": (values(pl.col(column).median()), ("input", "level")),
        f"30 % of {column} missing": (
            values(pl.when(chance > 0.3).then(pl.col(column))),
            ("missing",),
        ),
        "level of what happens + 20 %": (
            lambda late: replace(world, truth=np.where(late, 1.2 * world.truth, world.truth)),
            ("truth",),
        ),
    }
    if world.questions["place"].n_unique() > 1:
        ways["the rows of a place stop"] = (
            lambda late: replace(world, truth=np.where(late & here, 0.0, world.truth)),
            (f"truth at {place}",),
        )
    return ways


def delays(world: Watched, way: Callable[[NDArray[np.bool_]], Watched], says: tuple[str, ...]) -> list[str]:
    """Days after which a drift that begins on each of some days is found."""
    found = []
    for start in range(STARTS):
        begun = 28 + 7 * start  # days before the end
        changed = way(world.day < begun)
        told = "never"
        for days in AFTER:
            rows, parts = stretches(changed, days, begun - days)
            looks = monitoring.looks(parts.count, gap_of(days), LEARNT)
            tests = tested(changed, rows, parts, looks)
            at = np.array([look.served for look in looks])
            alarms = monitoring.judge(tests, at.tolist(), gap_of(days), RATES[0], unseen(at)).alarms
            if any(one.name.startswith(says) for one in alarms):
                told = str(days)
                break
        found.append(told)
    return found


def main() -> int:
    """Print asked and got, and the delays."""
    for name in sys.argv[1:] or ["collisions", "electricity", "bikes"]:
        world = laid(name)
        print(f"{name}: {world.questions.height:,} questions, {len(world.weights)} columns")
        for length in LENGTHS:
            got = np.array(list(as_it_came(world, length))).reshape(-1, len(RATES))
            print(f"  as it came, {length:>2} days       {_rates(got)}")
        print(f"  weeks resampled, 7 days   {_rates(np.array(list(resampled(world))))}")
        for what, (way, says) in planted(world).items():
            print(f"  {what:<46} found after days: {', '.join(delays(world, way, says))}", flush=True)
    return 0


def _rates(got: NDArray[np.bool_]) -> str:
    if not len(got):
        return "too little history"
    told = [f"asked {rate:.0%}, got {share:.1%}" for rate, share in zip(RATES, got.mean(axis=0), strict=True)]
    return f"{'; '.join(told)} of {len(got)} looks"


if __name__ == "__main__":
    sys.exit(main())
