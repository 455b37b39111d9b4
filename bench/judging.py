"""What is promised of a score and of intervals, held against the period that follows, on four real projects.

    python bench/judging.py [PROJECT ...]

Protocol: one cheap recipe a project, nothing is chosen. It is fitted anew at every cut and answers the 28 days that
follow. A repeat takes four such stretches as folds, the next as holdout, and states the interval of the score (95 %);
the score of the stretch after that, answered by a model fitted at its beginning, must lie within. Cuts lie a week or
two apart, so repeats overlap. Coverage: intervals of 90 % are calibrated on the four folds and held against the
holdout, at every cut, so that a label is judged as often as holdouts overlap. Goals: within at least 9 in 10 over all
projects; coverage 87 % to 93 %, for counts at least 87 %.
"""

import sys
import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl

import _worlds
from _worlds import FOLDS, World
from asof import evaluation, intervals
from asof.evaluation import Bootstrap, Outlook

SCORE = Bootstrap(draws=400)


@dataclass(frozen=True)
class Repeat:
    """What was stated at a cut, and what came."""

    holdout: pl.DataFrame
    follows: pl.DataFrame
    stated: Outlook
    own: evaluation.Estimate
    """The score of the holdout with the interval of its own chance."""
    came: float

    @property
    def held(self) -> bool:
        """Whether the score that came lies within what was stated."""
        return self.stated.expected.low <= self.came <= self.stated.expected.high


def repeats(world: World, stretches: list[pl.DataFrame]) -> list[Repeat]:
    """All that can be made of stretches in the order of their cuts."""
    step, made = world.ahead, []
    for number in range(FOLDS * step, len(stretches) - step):
        holdout, follows = stretches[number], stretches[number + step]
        folds = _folds(world, stretches, number)
        stated = evaluation.ahead(holdout, folds, world.metric, bootstrap=SCORE)
        own = evaluation.score(holdout, world.metric, SCORE)
        came = evaluation.score(follows, world.metric, Bootstrap(draws=2)).value
        made.append(Repeat(holdout, follows, stated, own, came))
    return made


def _folds(world: World, stretches: list[pl.DataFrame], number: int) -> pl.DataFrame:
    cut = stretches[number]["cut"][0]
    earlier = [stretches[number - back * world.ahead] for back in range(FOLDS, 0, -1)]
    return pl.concat(earlier).filter(pl.col("known_at") <= cut)


def say_scores(world: World, made: list[Repeat]) -> tuple[int, int]:
    """Print the line of a project, and a line for each miss; returns repeats and how many held."""
    held = sum(each.held for each in made)
    own = sum(each.own.low <= each.came <= each.own.high for each in made)
    factor = np.median([np.sqrt(each.stated.expected.high / each.stated.expected.low) for each in made])
    name = f"{world.name:<12} {world.metric:<17}"
    print(f"{name} {len(made):7} {own / len(made):12.0%} {held / len(made):12.0%} {factor:14.2f}")
    for each in made:
        if not each.held:
            told, cut = each.stated.expected, each.holdout["cut"][0]
            spread = each.follows["label"].std() / each.holdout["label"].std()  # type: ignore[operator]
            print(
                f"    missed at {cut:%Y-%m-%d}: {told.value:.4g} [{told.low:.4g} .. {told.high:.4g}], then "
                f"{each.came:.4g}; labels then spread {spread:.2f} times as much; {each.stated.why}"
            )
    return len(made), held


def covered(world: World, stretches: list[pl.DataFrame]) -> tuple[pl.DataFrame, np.ndarray]:
    """Judged answers of all holdouts with their intervals, and where labels fell (PIT)."""
    answers, places = [], []
    kind: intervals.Kind = "count" if world.recipe.task == "count" else "number"
    for number in range(FOLDS * world.ahead, len(stretches)):
        made = intervals.calibrate(_folds(world, stretches, number), kind)
        holdout = stretches[number]
        low, high = made.interval(holdout["prediction"])
        answers.append(holdout.with_columns(low=pl.Series(low), high=pl.Series(high)))
        places.append(intervals.pit(holdout["label"], holdout["prediction"], made, seed=number).values)
    return pl.concat(answers), np.concatenate(places)


def say_coverage(world: World, answers: pl.DataFrame, places: np.ndarray) -> None:
    """Print coverage whole and by quarters, and the histogram of the PIT."""
    told = intervals.coverages(answers)

    def quarters(by: str) -> str:
        return " ".join(f"{share:5.1%}" for share in told.filter(by=by)["coverage"]) or "one place"

    whole = told.filter(by="all").row(0, named=True)
    ordered = np.sort(places)
    distance = float(np.max(np.abs(ordered - (np.arange(len(ordered)) + 0.5) / len(ordered))))
    shares = np.histogram(places, bins=10, range=(0, 1))[0] / len(places)
    print(
        f"{world.name:<12} {whole['coverage']:.1%} of {whole['rows']:,} labels, missed below {whole['below']:.1%}, "
        f"above {whole['above']:.1%}, mean width {whole['width']:.4g}"
    )
    for by, words in (("place", "places, by level"), ("period", "periods, by time"), ("prediction", "predictions")):
        print(f"    quarters of {words:<17} {quarters(by)}")
    print(f"    PIT, tenths                   {' '.join(f'{share:.3f}' for share in shares)}   distance {distance:.3f}")


def main() -> int:
    """Measure and print; returns 1 if too few of the scores that came lay within."""
    warnings.filterwarnings("ignore", category=UserWarning)
    names = sys.argv[1:] or list(_worlds.WORLDS)
    print("score of the 28 days that follow, within       its own chance  as stated  factor up, down")
    print(f"{'project':<12} {'metric':<17} {'repeats':>7}")
    laid, counted, held = [], 0, 0
    for name in names:
        world = _worlds.WORLDS[name]()
        stretches = list(_worlds.answers(world, world.recipe))
        many, good = say_scores(world, repeats(world, stretches))
        counted, held = counted + many, held + good
        laid.append((world, *covered(world, stretches)))
    print(f"over all projects {held} of {counted}, {held / counted:.1%} (goal 90%)")
    print("coverage of intervals of 90%")
    for world, answers, places in laid:
        say_coverage(world, answers, places)
    return 0 if held >= 0.9 * counted else 1


if __name__ == "__main__":
    sys.exit(_worlds.kept("judging", main))
