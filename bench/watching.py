"""Watching: false alarms asked for and got on real data without drift, and after how many days planted drift is found.

    python bench/watching.py [WORLD ...]

Protocol: real questions of one project at a time with the features that the engine made. A release is fitted at each
cut, serves the 28 days that follow, and is then watched with the tests, scales and shares of `asof watch`: inputs
(weighted by what the model of the first cut goes by), predictions, truth, of all and of each place; error, coverage
and bias against the four folds and the holdout before the cut. Only what came before a look is known to it. As it came:
every cut is such a look, with its seasons and holidays; weeks resampled: the tests of drift on the same weeks in a
random order, so that nothing but chance tells today from before. Planted: what is served is changed from a day on at
which a release begins to serve, and watched after 1, 2, 3, 5, 7, 14 and 28 days; a number is the first of these at
which it alarms and the right test says so, for each of several such days.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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

RATES = (0.01, 0.05)
RESAMPLES = 100
FOLDS = 5
"""Stretches before a cut that its release was judged on: folds and holdout."""
LEAST_WEEKS = 26
"""Weeks before a look."""
PLACES = 25
"""Places looked at, the busiest."""
HORIZONS = ("1d", "4d", "7d")
AFTER = (1, 2, 3, 5, 7, 14, 28)
STARTS = 3
"""Releases, the latest, with whose service planted drift begins."""
VALUES = 50
"""A column that is changed has so many different values."""
COLUMNS = 40
"""Columns looked at, those that the model goes by most."""
NATURAL = ("horizon", "weekday", "weekend", "month", "day", "hour", "holiday", "place", "coarser", "lat", "lon")
SCORE = Bootstrap(draws=200)
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


def fewer(world: _worlds.World) -> _worlds.World:
    """Of many places the busiest, of many horizons three."""
    asked = world.questions
    kept = pl.col("horizon").is_in(HORIZONS) | (pl.col("horizon").n_unique() == 1)
    if "unit" not in asked.columns:
        busy = asked.group_by("place").agg(pl.col("label").sum()).sort("label", "place", descending=True)["place"]
        kept &= pl.col("place").is_in(busy[:PLACES].implode())
    mine = asked.select(kept.alias("kept"))["kept"]
    return replace(world, questions=asked.filter(mine), features=world.features.filter(mine))


def laid(name: str) -> Watched:
    """Lay out a world."""
    world = fewer(_worlds.WORLDS[name]())
    split = splits.at_cut(world.questions, world.first_cut)
    table = Table(world.features[split.train], world.questions["label"][split.train])
    model = recipes.fit(world.recipe, table, threads=1, seed=20)
    local = world.questions["start"].dt.convert_time_zone(world.zone)
    last = local.dt.date().max()

    def days(starts: pl.Series) -> pl.Series:
        return (last - starts.dt.convert_time_zone(world.zone).dt.date()).dt.total_days()  # type: ignore[operator]

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
    )


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
        inside = np.flatnonzero((world.day >= first) & (world.day < first + days))
        rows.append(inside)
        number.append(np.full(inside.size, back))
    looks = tuple(Look(at, tuple(range(at + gap, at + gap + LEARNT))) for at in range(count - gap - LEARNT + 1))
    parts = Stretches(np.concatenate(number).astype(np.int64), count)
    return Laid(np.concatenate(rows), parts, looks, -(-days // 7))


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
    known = [replace(one, figures=one.figures[kept]) for one in tests]
    unseen = UNSEEN if at[-1] - today < 52 else 1.0
    part = rate * DRIFT / len(SCALES)
    return monitoring.judge(known, (kept - today).tolist(), laid.steps, part, unseen).alarms


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
        share = min(1.0, periods / 28)
        found.append(monitoring.score_kept(figure, expected, share=share, rate=rate * SHARES["error"], loss=True))
    calibration = intervals.calibrate(judged_on, "count" if world.count else "number")
    low, high = calibration.interval(served["prediction"])
    answers = served.with_columns(low=pl.Series(low), high=pl.Series(high), start=-pl.col("day"))
    found.append(monitoring.coverage_kept(answers, 0.9, rate * SHARES["coverage"]))
    past, now = (_missed(each) for each in (judged_on, served))
    scales = [scale for scale in SCALES if scale <= days] or [days]
    part = rate * SHARES["bias"] / len(SCALES)
    found += [monitoring.bias_kept(now, past, scale, part) for scale in scales]
    return [one for one in found if one is not None]


def _missed(answers: pl.DataFrame) -> monitoring.Missed:
    day = pl.Series(-answers["day"].to_numpy()).cast(pl.Int32).cast(pl.Date)
    return monitoring.missed(day, answers["label"].to_numpy().astype(float), answers["prediction"].to_numpy())


def as_it_came(world: Watched) -> Iterator[tuple[list[bool], list[str]]]:
    """Whether a look at what each cut served alarms at each rate, and by which kinds of tests at the last of them."""
    numbers = range(FOLDS * world.ahead, len(world.served))
    ends = {number: int(world.served[number]["day"].min()) for number in numbers}  # type: ignore[arg-type]
    offset = min(ends.values()) % 7
    scales = []
    for days in SCALES:
        laid = lay(world, days, offset, -(-days // 7))
        scales.append((laid, drifting.shared(made(world, laid, ("input", "prediction", "truth")), days)))
    for number in numbers:
        today = (ends[number] - offset) // 7
        if today + LEAST_WEEKS > len(scales[-1][0].looks):
            continue
        told, kinds = [], set()
        for rate in RATES:
            alarms = [one.name for laid, tests in scales for one in judged(tests, today, laid, rate)]
            served = world.served[number]
            alarms += [one.name for one in promised(world, number, 28, served, rate) if one.alarm]
            told.append(bool(alarms))
            kinds = {name.partition(" ")[0] for name in alarms}
        yield told, sorted(kinds)


def resampled(world: Watched) -> Iterator[list[bool]]:
    """Alarms of the drift of a week at each rate, when weeks are put into a random order."""
    draw = np.random.default_rng(20)
    laid = lay(world, 7, 0, 1)
    for _ in range(RESAMPLES):
        order = draw.permutation(laid.stretches.count)
        mixed = replace(laid, stretches=Stretches(order[laid.stretches.number], laid.stretches.count))
        tests = drifting.shared(made(world, mixed, ("input", "prediction", "truth")), 7)
        part = len(SCALES) / DRIFT  # all of the rate, for this is the only scale
        yield [bool(judged(tests, 0, mixed, rate * part)) for rate in RATES]


def _varies(column: pl.Series) -> bool:
    """Whether a column holds numbers of which most differ from one another by more than a little."""
    if not column.dtype.is_numeric() or column.null_count() == len(column):
        return False
    values = column.drop_nulls().cast(pl.Float64)
    return values.n_unique() >= VALUES and float(values.std() or 0) > 0.05 * abs(float(values.mean() or 0))  # type: ignore[arg-type]


Way = Callable[[Watched, NDArray[np.bool_]], Watched]


@dataclass(frozen=True)
class Plant:
    """A change of what is served."""

    name: str
    way: Way
    says: tuple[str, ...]
    """How the name of a test begins that says so."""
    kinds: tuple[str, ...]
    """Families of tests that see it."""


def plants(world: Watched) -> Iterator[Plant]:
    """Changes that are planted, each where a world has what it changes."""
    numbers = [one for one in world.weights if _varies(world.features[one])]
    column = max(numbers, key=lambda one: world.weights[one])
    chance = np.random.default_rng(3).random(world.features.height)

    def values(name: str, change: Callable[[pl.Series], pl.Series]) -> Way:
        def way(clean: Watched, late: NDArray[np.bool_]) -> Watched:
            whole = clean.features[name]
            changed = change(whole).zip_with(pl.Series(late), whole)
            return replace(clean, features=clean.features.with_columns(changed.alias(name)))

        return way

    def stuck(clean: Watched, late: NDArray[np.bool_]) -> Watched:
        """Each row of a place and horizon repeats the last value before the change; of rows all repeat one."""
        frame = pl.DataFrame({"value": clean.features[column], "late": late, "as_of": clean.questions["as_of"]})
        frame = frame.with_columns(clean.questions["place", "horizon"]).with_row_index("_at").sort("as_of", "_at")
        held = pl.when(~pl.col("late")).then("value").forward_fill()
        held = held if clean.rows else held.over("place", "horizon")
        kept = frame.with_columns(held.alias("value")).sort("_at")["value"].alias(column)
        return replace(clean, features=clean.features.with_columns(kept))

    def truth(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Way:
        return lambda clean, late: replace(clean, truth=np.where(late, change(clean.truth), clean.truth))

    inputs, labels = ("input",), ("truth",)
    yield Plant("what happens + 20 %", truth(lambda told: 1.2 * told), ("truth", "bias", "error", "coverage"), labels)
    yield Plant(f"{column} stands still", stuck, ("stuck", "input", "level"), inputs)
    yield Plant(f"{column} x 1.609", values(column, lambda told: told * 1.609), ("level", "input"), inputs)
    yield Plant(
        f"{column} all missing", values(column, lambda told: told.set(told.is_not_null(), None)), ("missing",), inputs
    )
    some = pl.Series(chance < 0.3)
    yield Plant(f"30 % of {column} missing", values(column, lambda told: told.set(some, None)), ("missing",), inputs)
    if not world.rows and world.questions["place"].n_unique() > 1:
        place = world.questions["place"].mode().sort()[0]
        here = (world.questions["place"] == place).to_numpy()
        silent = truth(lambda told: np.where(here, 0.0, told))
        yield Plant("a place goes silent", silent, (f"truth at {place}",), labels)
    texts = [one for one in world.weights if not world.features[one].dtype.is_numeric()]
    if texts:
        name = max(texts, key=lambda one: world.weights[one])
        way = values(name, lambda told: told.cast(pl.String).set(pl.Series(chance < 0.1), "never met"))
        yield Plant(f"10 % of {name} in a new category", way, ("new", "input"), inputs)
    if world.slot is not None:
        late = world.truth[np.maximum(world.before, 0)]
        yield Plant("a clock is an hour late", truth(lambda _: late), ("clock", "error", "bias", "coverage"), labels)


def delays(world: Watched) -> dict[str, list[list[str]]]:
    """Days after which each planted change is found, for each rate, for the latest releases."""
    every = list(plants(world))
    found = {one.name: [["never"] * STARTS for _ in RATES] for one in every}
    latest = [len(world.served) - 1 - back * world.ahead for back in range(STARTS)]
    for at, number in enumerate(latest):
        begun = int(world.served[number]["day"].max())  # type: ignore[arg-type]
        late = world.day <= begun
        changed = {one.name: one.way(world, late) for one in every}
        for days in AFTER:
            missing = [one for one in every if any(told[at] == "never" for told in found[one.name])]
            scales = [(min(scale, days), scale) for scale in SCALES]
            for span, scale in dict(scales).items():
                laid = lay(world, span, begun - days + 1, -(-span // 7))
                for one in missing:
                    tests = drifting.shared(made(changed[one.name], laid, one.kinds), scale)
                    for told, rate in zip(found[one.name], RATES, strict=True):
                        if any(alarm.name.startswith(one.says) for alarm in judged(tests, 0, laid, rate)):
                            told[at] = min(told[at], str(days), key=_order)
            for one in missing:
                if "error" not in one.says and "bias" not in one.says:
                    continue
                served = _served(world, changed[one.name], number, begun - days)
                for told, rate in zip(found[one.name], RATES, strict=True):
                    if any(kept.alarm for kept in promised(world, number, days, served, rate)):
                        told[at] = min(told[at], str(days), key=_order)
    return found


def _order(told: str) -> int:
    return 999 if told == "never" else int(told)


def _served(world: Watched, changed: Watched, number: int, until: int) -> pl.DataFrame:
    """What a release has served later than ``until`` days before the last, with the truth as it was changed."""
    on = [name for name in ("unit", "place", "start", "horizon") if name in world.questions.columns]
    truth = world.questions.select(on).with_columns(label=pl.Series(changed.truth))
    served = world.served[number].filter(pl.col("day") > until)
    return served.drop("label").join(truth, on=on, how="left", maintain_order="left")


def main() -> int:
    """Print asked and got, and the delays."""
    warnings.filterwarnings("ignore", category=UserWarning)
    totals = np.zeros(len(RATES) + 1)
    for name in sys.argv[1:] or ["collisions", "electricity", "houses", "bikes"]:
        world = laid(name)
        print(f"{name}: {world.questions.height:,} questions, {len(world.weights)} columns")
        looked = list(as_it_came(world))
        got = np.array([told for told, _ in looked], dtype=bool).reshape(-1, len(RATES))
        kinds = Counter(kind for _, found in looked for kind in found)
        said = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        totals += [*got.sum(axis=0), len(got)]
        print(f"  as it came                {_rates(got)}{f'; by {said}' if said else ''}")
        print(f"  weeks resampled           {_rates(np.array(list(resampled(world))))}", flush=True)
        for what, found in delays(world).items():
            told = "; ".join(f"at {rate:.0%} after {', '.join(days)}" for rate, days in zip(RATES, found, strict=True))
            print(f"  {what:<44} found {told} days", flush=True)
    shares = ", ".join(
        f"asked {rate:.0%}, got {hits / totals[-1]:.1%}" for rate, hits in zip(RATES, totals, strict=False)
    )
    print(f"as it came, over all: {shares} of {totals[-1]:.0f} looks")
    return 0


def _rates(got: NDArray[np.bool_]) -> str:
    if not len(got):
        return "too little history"
    told = [f"asked {rate:.0%}, got {share:.1%}" for rate, share in zip(RATES, got.mean(axis=0), strict=True)]
    return f"{'; '.join(told)} of {len(got)} looks"


if __name__ == "__main__":
    sys.exit(main())
