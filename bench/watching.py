"""Watching: false alarms asked for and got on real data without drift, and after how many days planted drift is found.

    python bench/watching.py [WORLD ...]

Protocol: real questions of one project at a time with the features that the engine made. A release is fitted at each
cut, serves the 28 days that follow, and is then watched with the tests, scales and shares of `asof watch`: inputs
(weighted by what the model of the first cut goes by), predictions, truth, of all and of each place; silence of each
place; error, coverage and bias against the four folds and the holdout before the cut. Only what came before a look is
known to it.

As it came: every cut is such a look, with its seasons and holidays. By a rule that no alarm has a say in, a look counts
as undrifted if its source lacks no period of the 28 days served, nor of the 28 before them, which features reach; looks
with such gaps are counted by themselves. Looks at the same days are alike, so the interval of 90 % (Clopper and
Pearson) counts those alone that do not overlap. Weeks resampled: the tests of drift on undrifted weeks in a random
order, so that nothing but chance tells today from before.

Planted: what is served is changed from a day on at which an undrifted release begins to serve, and watched after 1, 2,
3, 5, 7, 14 and 28 days; a number is the first of these at which it alarms and the right test says so, for each of
several such days. What is too small to be found after 28 days at 1 % is planted again in larger steps, up to the first
that every release finds.

Chance: how far 1, 7 and 28 days of answers miss what happens where nothing was planted, and how far from that of the
days before. A step of what happens that a test of the mean at 1 %, which has the whole rate to itself and knows the
spread, finds 4 times of 5 is (2.58 + 0.84) such spreads; the tests of `asof watch`, which share the rate, need more.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from _watched import FOLDS, SERVED_DAYS, Laid, Watched, every, judged, laid, lay, made, missed, promised, silent
from asof.flows import drifting
from asof.flows.drifting import DRIFT
from asof.flows.looking import SCALES
from asof.monitoring import promises

RATES = (0.01, 0.05)
RESAMPLES = 100
LEAST_WEEKS = 16
"""Weeks before a look: four stretches of 28 days that do not overlap, without which the tests say nothing."""
AFTER = (1, 2, 3, 5, 7, 14, 28)
NEVER = "never"
STARTS = 3
"""Releases, the latest, with whose service planted drift begins."""
VALUES = 50
"""A column that is changed has so many different values."""
ALL = ("input", "prediction", "truth")
HAPPENS = (1.2, 1.5, 2.0, 3.0, 5.0)
LEANS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
MOVED = (1.609, 2.5, 4.0, 8.0)
"""Factors of what is planted, until one is found."""


@dataclass(frozen=True)
class Looked:
    """A look at what one release has served."""

    alarmed: tuple[bool, ...]
    """For each rate."""
    kinds: tuple[str, ...]
    """Kinds of tests that alarm at the last of them."""
    steady: bool


def as_it_came(world: Watched) -> Iterator[Looked]:
    """Look at what each release has served that has a history of ``LEAST_WEEKS``."""
    numbers = range(FOLDS * world.ahead, len(world.served))
    ends = {number: world.served_days(number)[1] for number in numbers}
    offset = min(ends.values()) % 7
    scales = []
    for days in SCALES:
        each = lay(world, days, offset, -(-days // 7))
        scales.append((each, drifting.shared(made(world, each, ALL), days)))
    for number in numbers:
        today = (ends[number] - offset) // 7
        if today + LEAST_WEEKS > len(scales[-1][0].looks):
            continue
        told: list[bool] = []
        kinds: set[str] = set()
        for rate in RATES:
            alarms = [one.name for each, tests in scales for one in judged(tests, today, each, rate)]
            alarms += [one.name for one in silent(world, ends[number], SERVED_DAYS, rate)]
            kept = promised(world, number, SERVED_DAYS, world.served[number], rate)
            alarms += [one.name for one in kept if one.alarm]
            told.append(bool(alarms))
            kinds = {name.partition(" ")[0] for name in alarms}
        yield Looked(tuple(told), tuple(sorted(kinds)), world.steady(*world.served_days(number)))


def resampled(world: Watched) -> Iterator[tuple[bool, ...]]:
    """Alarms of the drift of a week at each rate, when undrifted weeks are put into a random order."""
    draw = np.random.default_rng(20)
    each = lay(world, 7, 0, 1)
    kept = [week for week in range(each.stretches.count) if world.steady(7 * week + 6, 7 * week)]
    inside = np.isin(each.stretches.number, kept)
    number, rows = np.searchsorted(kept, each.stretches.number[inside]), each.rows[inside]
    for _ in range(RESAMPLES):
        order = draw.permutation(len(kept))
        parts = replace(each.stretches, number=order[number], count=len(kept), day=world.day[rows])
        mixed = Laid(rows, parts, every(len(kept), 1), 1)
        tests = drifting.shared(made(world, mixed, ALL), 7)
        part = len(SCALES) / DRIFT  # all of the rate, for this is the only scale
        yield tuple(bool(judged(tests, 0, mixed, rate * part)) for rate in RATES)


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


Steps = tuple[Plant, ...]
"""One change in several sizes, the smallest first."""


def plants(world: Watched) -> Iterator[Steps]:
    """Changes that are planted, each where a world has what it changes."""
    yield from _of_truth(world)
    yield from _of_numbers(world)
    yield from _of_texts(world)
    yield from _of_places(world)


def _of_truth(world: Watched) -> Iterator[Steps]:
    says = ("truth", "bias", "error", "coverage")
    yield tuple(
        Plant(f"what happens x {by:g}", _truth(lambda told, by=by: by * told), says, ("truth",)) for by in HAPPENS
    )
    says = ("prediction", "bias", "error", "coverage")
    yield tuple(Plant(f"answers x {by:g}", _lean(by), says, ("prediction",)) for by in LEANS)
    if world.slot is not None:
        earlier = world.truth[np.maximum(world.before, 0)]
        says = ("clock", "error", "bias", "coverage")
        yield (Plant("a clock is an hour late", _truth(lambda _: earlier), says, ("truth",)),)


def _lean(by: float) -> Way:
    def lean(clean: Watched, late: NDArray[np.bool_]) -> Watched:
        return replace(clean, lean=by, told=np.where(late, by * clean.told, clean.told))

    return lean


def _of_numbers(world: Watched) -> Iterator[Steps]:
    """Changes of the column of numbers that the model goes by most."""
    numbers = [one for one in world.weights if _varies(world.features[one])]
    column = max(numbers, key=lambda one: world.weights[one])
    some = pl.Series(np.random.default_rng(3).random(world.features.height) < 0.3)

    def stuck(clean: Watched, late: NDArray[np.bool_]) -> Watched:
        """Each row of a place and horizon repeats the last value before the change; of rows all repeat one."""
        frame = pl.DataFrame({"value": clean.features[column], "late": late, "as_of": clean.questions["as_of"]})
        frame = frame.with_columns(clean.questions["place", "horizon"]).with_row_index("_at").sort("as_of", "_at")
        held = pl.when(~pl.col("late")).then("value").forward_fill()
        held = held if clean.rows else held.over("place", "horizon")
        kept = frame.with_columns(held.alias("value")).sort("_at")["value"].alias(column)
        return replace(clean, features=clean.features.with_columns(kept))

    inputs = ("input",)
    yield (Plant(f"{column} stands still", stuck, ("stuck", "input", "level"), inputs),)
    yield tuple(
        Plant(f"{column} x {by:g}", _values(column, lambda told, by=by: told * by), ("level", "input"), inputs)
        for by in MOVED
    )
    gone = _values(column, lambda told: told.set(told.is_not_null(), None))
    yield (Plant(f"{column} all missing", gone, ("missing",), inputs),)
    fewer = _values(column, lambda told: told.set(some, None))
    yield (Plant(f"30 % of {column} missing", fewer, ("missing",), inputs),)


def _of_texts(world: Watched) -> Iterator[Steps]:
    """Texts never met, in the column of texts that the model goes by most."""
    texts = [one for one in world.weights if not world.features[one].dtype.is_numeric()]
    if not texts:
        return
    name = max(texts, key=lambda one: world.weights[one])
    chance = np.random.default_rng(3).random(world.features.height)
    for share in (0.1, 0.01):
        way = _values(name, lambda told, share=share: told.cast(pl.String).set(pl.Series(chance < share), "never met"))
        yield (Plant(f"{share:.0%} of {name} in a new category", way, ("new", "input"), ("input",)),)


def _of_places(world: Watched) -> Iterator[Steps]:
    """The busiest place and that in the middle fall silent."""
    if world.counts is None or world.rows:
        return
    rows = world.counts.mean(axis=0)
    order = np.argsort(rows)
    for at in (int(order[-1]), int(order[len(order) // 2])):
        place = world.places[at]
        here = (world.questions["place"] == place).to_numpy()

        def way(clean: Watched, late: NDArray[np.bool_], at: int = at, here: NDArray[np.bool_] = here) -> Watched:
            assert clean.counts is not None
            counts = clean.counts.copy()
            counts[len(counts) - 1 - int(clean.day[late].max()) :, at] = 0.0
            return replace(clean, counts=counts, truth=np.where(late & here, 0.0, clean.truth))

        says = (f"truth at {place}", f"silent at {place}")
        yield (Plant(f"a place of {rows[at]:.1f} rows a day goes silent", way, says, ("truth",)),)


def _varies(column: pl.Series) -> bool:
    """Whether a column holds numbers of which most differ from one another by more than a little."""
    if not column.dtype.is_numeric() or column.null_count() == len(column):
        return False
    values = column.drop_nulls().cast(pl.Float64)
    return values.n_unique() >= VALUES and float(values.std() or 0) > 0.05 * abs(float(values.mean() or 0))  # type: ignore[arg-type]


def _values(name: str, change: Callable[[pl.Series], pl.Series]) -> Way:
    def way(clean: Watched, late: NDArray[np.bool_]) -> Watched:
        whole = clean.features[name]
        changed = change(whole).zip_with(pl.Series(late), whole)
        return replace(clean, features=clean.features.with_columns(changed.alias(name)))

    return way


def _truth(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Way:
    return lambda clean, late: replace(clean, truth=np.where(late, change(clean.truth), clean.truth))


def begins(world: Watched) -> list[int]:
    """Numbers of the latest undrifted releases whose service does not overlap."""
    found: list[int] = []
    for number in range(world.last, FOLDS * world.ahead - 1, -1):
        if world.steady(*world.served_days(number)) and (not found or found[-1] - number >= world.ahead):
            found.append(number)
    return found[:STARTS]


def delays(world: Watched) -> Iterator[tuple[str, list[list[str]]]]:
    """Each planted change, and the days after which it is found, for each rate, for each of ``begins``."""
    numbers = begins(world)
    all_steps = list(plants(world))
    found: dict[str, list[list[str]]] = {}
    left = all_steps
    while left:
        found |= _delays(world, numbers, [steps[0] for steps in left])
        left = [steps[1:] for steps in left if len(steps) > 1 and NEVER in found[steps[0].name][0]]
    for steps in all_steps:
        yield from ((one.name, found[one.name]) for one in steps if one.name in found)


def _delays(world: Watched, numbers: Sequence[int], each: Sequence[Plant]) -> dict[str, list[list[str]]]:
    found = {one.name: [[NEVER] * len(numbers) for _ in RATES] for one in each}
    for at, number in enumerate(numbers):
        begun, _ = world.served_days(number)
        late = world.day <= begun
        changed = [(one, one.way(world, late)) for one in each]
        for days in AFTER:
            missing = [one for one in changed if any(told[at] == NEVER for told in found[one[0].name])]
            for name, rate in _found(missing, number, days):
                told = found[name][rate]
                told[at] = str(days) if told[at] == NEVER else told[at]
    return found


def chance(world: Watched) -> Iterator[str]:
    """How far what happened differs from what was answered, and from that of the days before, undrifted."""
    on = [name for name in ("unit", "place", "start") if name in world.questions.columns]
    answers = missed(pl.concat(world.served).unique(on, keep="first", maintain_order=True))
    for days in SCALES:
        figures = np.log1p(promises.windows(answers, days, share=True)[0])
        apart = figures[days:] - figures[:-days]
        factors = [np.exp(np.sqrt(np.mean(each**2))) for each in (figures, apart)]
        least = factors[0] ** (norm.isf(RATES[0] / 2) + norm.isf(0.2))
        yield (
            f"{days} days miss by a factor of {factors[0]:.2f} (root mean square), by {factors[1]:.2f} more than those "
            f"before; a test of the mean tells x {least:.2f}"
        )


def _found(changed: Sequence[tuple[Plant, Watched]], number: int, days: int) -> Iterator[tuple[str, int]]:
    """Which changes are found ``days`` after a release began to serve, and at which of the rates."""
    for one, world in changed:
        begun, _ = world.served_days(number)
        end = begun - days + 1
        scales = [lay(world, span, end, -(-span // 7)) for span in (min(scale, days) for scale in SCALES)]
        tests = [
            drifting.shared(made(world, each, one.kinds), scale) for each, scale in zip(scales, SCALES, strict=True)
        ]
        answers = _served(world, number, begun - days)
        for at, rate in enumerate(RATES):
            names = [
                alarm.name for each, mine in zip(scales, tests, strict=True) for alarm in judged(mine, 0, each, rate)
            ]
            if "truth" in one.kinds:
                names += [alarm.name for alarm in silent(world, end, days, rate)]
            if "bias" in one.says:
                names += [kept.name for kept in promised(world, number, days, answers, rate) if kept.alarm]
            if any(name.startswith(one.says) for name in names):
                yield one.name, at


def _served(world: Watched, number: int, until: int) -> pl.DataFrame:
    """What a release has served later than ``until`` days before the last, with the truth and answers as changed."""
    on = [name for name in ("unit", "place", "start", "horizon") if name in world.questions.columns]
    truth = world.questions.select(on).with_columns(label=pl.Series(world.truth))
    served = world.served[number].filter(pl.col("day") > until).with_columns(pl.col("prediction") * world.lean)
    return served.drop("label").join(truth, on=on, how="left", maintain_order="left")


def main() -> int:
    """Print asked and got, and the delays."""
    warnings.filterwarnings("ignore", category=UserWarning)
    came: list[tuple[bool, ...]] = []
    mixed: list[tuple[bool, ...]] = []
    independent = 0.0
    for name in sys.argv[1:] or ["collisions", "electricity", "houses", "bikes"]:
        world = laid(name)
        print(f"{name}: {world.questions.height:,} questions, {len(world.weights)} columns")
        looked = list(as_it_came(world))
        for steady, words in ((True, "as it came, undrifted"), (False, "as it came, with gaps")):
            mine = [one for one in looked if one.steady is steady]
            if mine:
                kinds = Counter(kind for one in mine for kind in one.kinds)
                said = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
                print(
                    f"  {words:<24} {_rates([one.alarmed for one in mine], world.ahead)}{f'; by {said}' * bool(said)}"
                )
        steady_ones = [one.alarmed for one in looked if one.steady]
        came += steady_ones
        independent += -(-len(steady_ones) // world.ahead)
        weeks = list(resampled(world))
        mixed += weeks
        print(f"  {'weeks resampled':<24} {_rates(weeks, 1)}", flush=True)
        for line in chance(world):
            print(f"  {'chance':<24} {line}", flush=True)
        for what, found in delays(world):
            told = "; ".join(f"at {rate:.0%} after {', '.join(days)}" for rate, days in zip(RATES, found, strict=True))
            print(f"  {what:<44} found {told} days", flush=True)
    print("over all")
    print(f"  {'as it came, undrifted':<24} {_rates(came, len(came) / max(independent, 1))}")
    print(f"  {'weeks resampled':<24} {_rates(mixed, 1)}")
    return 0


def _rates(got: Sequence[tuple[bool, ...]], alike: float) -> str:
    """Asked and got; so many looks that follow one another overlap."""
    if not got:
        return "too little history"
    apart = -(-len(got) // alike)
    told = []
    for rate, hits in zip(RATES, np.sum(got, axis=0), strict=True):
        low, high = interval(hits / len(got) * apart, apart)
        told.append(f"asked {rate:.0%}, got {hits} = {hits / len(got):.1%} ({low:.1%} to {high:.1%})")
    return f"{'; '.join(told)} of {len(got)} looks{f', {apart:.0f} apart' if apart < len(got) else ''}"


def interval(hits: float, count: float) -> tuple[float, float]:
    """Interval of 90 % for a share (Clopper and Pearson 1934); hits may be a fraction."""
    from scipy.stats import beta

    low = float(beta.ppf(0.05, hits, count - hits + 1)) if hits > 0 else 0.0
    return low, float(beta.ppf(0.95, hits + 1, count - hits)) if hits < count else 1.0


if __name__ == "__main__":
    sys.exit(main())
