"""Worlds as they are watched: what was served after each cut, and the tests that `asof watch` puts to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

import _worlds
from asof import evaluation, explanation, intervals, monitoring, recipes, splits
from asof.data import Table
from asof.evaluation import Bootstrap
from asof.flows import drifting, looking
from asof.flows.drifting import DRIFT, SHARES, UNSEEN
from asof.flows.looking import LEARNT, SCALES
from asof.monitoring import Alarm, Look, Promise, Stretches, Test
from asof.recipes import Model

FOLDS = 5
"""Stretches before a cut that its release was judged on: folds and holdout."""
PLACES = 100
"""Places that are asked about, the busiest; whether one has fallen silent is looked at in all."""
TESTED = 25
"""Places of these whose inputs, predictions and truth are tested, as `asof watch` tests some questions of many."""
COLUMNS = 40
"""Columns looked at, those that the model goes by most."""
NATURAL = ("horizon", "weekday", "weekend", "month", "day", "hour", "holiday", "place", "coarser", "lat", "lon")
SCORE = Bootstrap(draws=200)
SERVED_DAYS = 28
Days = NDArray[np.int64]
"""n: days before the last day of the world."""


@dataclass(frozen=True)
class Watched:
    """A world with a model that was fitted at its first cut, and the answers of the models of all cuts."""

    name: str
    rows: bool
    """Whether single rows are the units."""
    questions: pl.DataFrame
    features: pl.DataFrame
    truth: NDArray[np.float64]
    told: NDArray[np.float64]
    day: Days
    slot: NDArray[np.int64] | None
    """Hour of the day, where periods are hours."""
    before: NDArray[np.int64]
    weights: Mapping[str, float]
    metric: str
    count: bool
    """Whether the label is a count."""
    served: Sequence[pl.DataFrame]
    """Answers in the 28 days after each cut, with ``day``."""
    ahead: int
    """Cuts from one stretch to the next."""
    counts: NDArray[np.float64] | None
    """Rows of each day (oldest first) and place; none where there is one place alone."""
    places: tuple[str, ...]
    """Places of ``counts``."""
    tested: NDArray[np.bool_]
    """n: whether a question is one of those whose inputs, predictions and truth are tested."""
    lean: float = 1.0
    """By so much answers are multiplied as they are served."""

    @property
    def last(self) -> int:
        """Number of the last release."""
        return len(self.served) - 1

    def served_days(self, number: int) -> tuple[int, int]:
        """First and last day that a release served, in days before the last of the world."""
        day = self.served[number]["day"].to_numpy()
        return int(day.max()), int(day.min())

    def steady(self, first: int, last: int) -> bool:
        """Whether the source lacks no period from the first to the last of some days, nor in the 28 days before."""
        if self.rows:
            return True
        starts = self.questions.select("start", day=pl.Series(self.day)).unique("start")
        there = np.bincount(starts["day"].to_numpy(), minlength=first + SERVED_DAYS + 1)
        return bool((there[last : first + SERVED_DAYS + 1] >= np.median(there[there > 0])).all())


def fewer(world: _worlds.World) -> _worlds.World:
    """Of many places the busiest."""
    mine = busiest(world.questions, PLACES)
    return replace(world, questions=world.questions.filter(mine), features=world.features.filter(mine))


def busiest(questions: pl.DataFrame, count: int) -> pl.Series:
    """Whether questions are about one of the busiest places; of single rows all are kept."""
    if "unit" in questions.columns:
        return pl.Series([True] * questions.height)
    rows = questions.group_by("place").agg(pl.col("label").sum()).sort("label", "place", descending=True)
    return questions["place"].is_in(rows["place"][:count].implode())


def laid(name: str) -> Watched:
    """Lay out a world."""
    whole = _worlds.WORLDS[name]()
    world = fewer(whole)
    split = splits.at_cut(world.questions, world.first_cut)
    table = Table(world.features[split.train], world.questions["label"][split.train])
    model = recipes.fit(world.recipe, table, threads=1, seed=20)
    local = world.questions["start"].dt.convert_time_zone(world.zone)
    last = local.dt.date().max()

    def days(starts: pl.Series) -> pl.Series:
        return (last - starts.dt.convert_time_zone(world.zone).dt.date()).dt.total_days()  # type: ignore[operator]

    counts, places = counted(whole)
    hourly = world.questions["end"] - world.questions["start"] == pl.duration(hours=1)
    return Watched(
        name,
        "unit" in world.questions.columns,
        world.questions,
        world.features,
        world.questions["label"].to_numpy().astype(float),
        np.asarray(model.predict(world.features)),
        days(world.questions["start"]).to_numpy(),
        local.dt.hour().to_numpy().astype(np.int64) if pl.select(hourly.all()).item() else None,
        looking.before(world.questions),
        weighted(world, model),
        world.metric,
        world.recipe.task == "count",
        [part.with_columns(days(part["start"]).alias("day")) for part in _worlds.answers(world, world.recipe)],
        world.ahead,
        counts,
        places,
        busiest(world.questions, TESTED).to_numpy(),
    )


def counted(world: _worlds.World) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Rows of each local day (up to the last that is asked about) and place, and the places."""
    asked = world.questions.unique([name for name in ("unit", "place", "start") if name in world.questions.columns])
    if asked["place"].n_unique() == 1:
        return None, ()
    each = asked.select(
        "place",
        day=pl.col("start").dt.convert_time_zone(world.zone).dt.date(),
        rows=pl.lit(1.0) if "unit" in asked.columns else pl.col("label"),
    )
    first, last = each["day"].min(), each["day"].max()
    at = (each["day"] - first).dt.total_days().to_numpy()  # type: ignore[operator]
    places = each["place"].unique().sort()
    code = each["place"].replace_strict(places, np.arange(len(places))).to_numpy()
    size = ((last - first) // timedelta(days=1) + 1, len(places))  # type: ignore[operator]
    flat = np.bincount(at * size[1] + code, each["rows"].to_numpy(), size[0] * size[1])
    return flat.reshape(size), tuple(places)


def weighted(world: _worlds.World, model: Model) -> dict[str, float]:
    """How much a model goes by each feature, but those that differ by nature."""
    some = world.features.sample(min(2_000, world.features.height), seed=1)
    found = explanation.importance(explanation.explain(model, some[:40], explanation.usual(model, some))).iter_rows()
    told = [(one, share) for one, _, share in found if not one.startswith(NATURAL) and drifting.COVERED not in one]
    return dict(sorted(told, key=lambda one: -one[1])[:COLUMNS])


@dataclass(frozen=True)
class Laid:
    """Questions of a scale, and how they are looked at."""

    rows: NDArray[np.int64]
    stretches: Stretches
    looks: tuple[Look, ...]
    steps: int
    """Below so many weeks two looks overlap."""


def lay(world: Watched, days: int, end: int, gap: int) -> Laid:
    """Lay out the ``days`` up to ``end`` days before the last of a world, and the same in all earlier weeks."""
    count = (int(world.day.max()) - end - days) // 7 + 1
    rows, number = [], []
    for back in range(count):
        first = end + 7 * back
        inside = np.flatnonzero((world.day >= first) & (world.day < first + days) & world.tested)
        rows.append(inside)
        number.append(np.full(inside.size, back))
    at, steps = np.concatenate(rows), -(-days // 7)
    parts = Stretches(np.concatenate(number).astype(np.int64), count, steps, world.day[at])
    return Laid(at, parts, every(count, gap), steps)


def every(count: int, gap: int) -> tuple[Look, ...]:
    """Each stretch, held against those that lie so many steps and more before it."""
    return tuple(Look(at, tuple(range(at + gap, at + gap + LEARNT))) for at in range(count - gap - LEARNT + 1))


def made(world: Watched, laid: Laid, kinds: Sequence[str]) -> dict[str, list[Test]]:
    """Tests by family, as `asof watch` makes them."""
    rows, said = laid.rows, (laid.stretches, laid.looks)
    places = world.questions["place"][rows]
    groups = places.to_list() if not world.rows and places.n_unique() > 1 else ()
    found = {}
    if "input" in kinds:
        earlier = drifting.came_before(world.features, world.before[rows])
        found["input"] = monitoring.columns(world.features[rows], *said, world.weights, earlier)
    if "prediction" in kinds:
        found["prediction"] = monitoring.means("prediction", world.told[rows], groups, *said)
    if "truth" in kinds:
        found["truth"] = monitoring.means("truth", world.truth[rows], groups, *said)
        if world.slot is not None:
            found["clock"] = monitoring.clock(world.truth[rows], world.slot[rows], (1, -1), *said)
    return found


def judged(tests: Sequence[Test], today: int, laid: Laid, rate: float) -> tuple[Alarm, ...]:
    """Alarms of a look, judged by those before it alone."""
    at = np.arange(len(laid.looks))
    kept = np.array([today, *at[at >= today + laid.looks[0].learnt[0]]])
    known = [one.at(kept) for one in tests]
    unseen = UNSEEN if at[-1] - today < 52 else 1.0
    part = rate * DRIFT / len(SCALES)
    return monitoring.judge(known, (kept - today).tolist(), laid.steps, part, unseen).alarms


def silent(world: Watched, today: int, served: int, rate: float) -> tuple[Alarm, ...]:
    """Places that have fallen silent by a day, of a release that has served so many days by then."""
    if world.counts is None:
        return ()
    tests = monitoring.silences(world.counts[: len(world.counts) - today], world.places)
    if not tests:
        return ()
    at = np.array([0, *range(served, len(tests[0].figures))])
    return monitoring.judge([one.at(at) for one in tests], at.tolist(), 1, rate * SHARES["silent"]).alarms


def promised(world: Watched, number: int, days: int, served: pl.DataFrame, rate: float) -> list[Promise]:
    """Error, coverage and bias of ``days`` of what the release of a cut has served."""
    earlier = [world.served[number - back * world.ahead] for back in range(FOLDS, 0, -1)]
    judged_on = pl.concat(earlier).filter(pl.col("known_at") <= served["cut"][0])
    folds, holdout = pl.concat(earlier[:-1]), earlier[-1]
    found: list[Promise | None] = []
    periods = served["day"].n_unique()
    if periods >= monitoring.promises.LEAST_PERIODS:
        expected = evaluation.ahead(holdout, folds, world.metric, bootstrap=SCORE).expected.plain()
        figure = evaluation.score(served, world.metric, Bootstrap(draws=2)).value
        share = min(1.0, periods / SERVED_DAYS)
        found.append(monitoring.score_kept(figure, expected, share=share, rate=rate * SHARES["error"], loss=True))
    calibration = intervals.calibrate(judged_on, "count" if world.count else "number")
    low, high = calibration.interval(served["prediction"])
    answers = served.with_columns(low=pl.Series(low), high=pl.Series(high), start=-pl.col("day"))
    found.append(monitoring.coverage_kept(answers, 0.9, rate * SHARES["coverage"]))
    past, now = (missed(each) for each in (judged_on, served))
    scales = [scale for scale in SCALES if scale <= days] or [days]
    part = rate * SHARES["bias"] / len(SCALES)
    found += [monitoring.bias_kept(now, past, scale, part) for scale in scales]
    return [one for one in found if one is not None]


def missed(answers: pl.DataFrame) -> monitoring.Missed:
    day = pl.Series(-answers["day"].to_numpy()).cast(pl.Int32).cast(pl.Date)
    return monitoring.missed(day, answers["label"].to_numpy().astype(float), answers["prediction"].to_numpy())
