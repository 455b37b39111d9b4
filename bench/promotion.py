"""How often a truly better recipe is promoted, and a truly equal one, by resampling real questions of three projects.

    python bench/promotion.py [PROJECT ...]

Protocol: two recipes a project answer the same questions, each fitted every four weeks on what was known. A repeat
draws whole weeks of questions, with replacement, and compares as `promote` does. Truly equal: in each week drawn, the
two recipes change places by the toss of a coin. Truly better: the same, with a constant taken off the challenger's
losses, so that its gain is that many standard errors of such a comparison (measured over all repeats). Rates with 95 %
intervals (Wilson). Goals: equal at most 1 in 20; better by 2 standard errors at least 8 in 10.

What can be had: of all tests that promote an equal one once in 20, none finds a gain of 2 standard errors more often
than 64 % where the gain is normal (Neyman and Pearson); 80 % takes 2.49. The error of a comparison shrinks as fresh
questions come in, so the last column shows the gain of 2 standard errors of *four* weeks, judged on that many weeks.
"""

import sys
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

import _worlds
from asof import promotion
from asof.metrics import Metric, find

NAMES = ("collisions", "houses", "bikes")
REPEATS = 600
WEEKS = (4, 8, 13)
GAINS = (0.0, 2.0, 2.5, 3.0)
FIRST = datetime(2019, 1, 7, tzinfo=UTC)
LOSS = Metric("loss", lambda _, told: (told,), lambda mean: mean)
"""Where predictions are losses already: what `compare` is given here."""
Z = 1.96


@dataclass(frozen=True)
class Week:
    """All questions of a week, summed by day: what a comparison of mean losses reads."""

    days: np.ndarray
    """7 counts of questions."""
    losses: np.ndarray
    """2 x 7 sums of losses, one row a recipe."""


def weeks(world: _worlds.World) -> list[Week]:
    """Whole weeks of questions, by the day on which they start, with the losses of both recipes."""
    found = list(_worlds.answers(world, world.recipe, world.other, step=world.ahead))
    answers = pl.concat(found).unique(["place", "start", "horizon", "label"], keep="last", maintain_order=True)
    metric = find(world.metric)
    label = answers["label"].to_numpy()
    for name, column in (("one", "prediction"), ("two", "prediction_2")):
        answers = answers.with_columns(pl.Series(name, metric.parts(label, answers[column].to_numpy())[0]))
    day = pl.col("start").dt.convert_time_zone(world.zone).dt.date()
    days = answers.group_by(day=day).agg(pl.len(), pl.col("one", "two").sum()).sort("day")
    days = days.upsample("day", every="1d").with_columns(pl.col("len", "one", "two").fill_null(0))
    whole = days.height // 7 * 7
    parts = [days[first : first + 7] for first in range(0, whole, 7)]
    return [
        Week(part["len"].to_numpy(), np.stack([part["one"].to_numpy(), part["two"].to_numpy()]))
        for part in parts
        if (part["len"] > 0).all()
    ]


def drawn(known: list[Week], count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``count`` weeks: questions of each day, and losses of champion and challenger, equal by a coin a week."""
    chosen = [known[index] for index in random.integers(0, len(known), count)]
    coins = random.integers(0, 2, count)
    losses = [week.losses[::-1] if coin else week.losses for week, coin in zip(chosen, coins, strict=True)]
    return np.concatenate([week.days for week in chosen]), np.concatenate(losses, axis=1)


def promoted(days: np.ndarray, losses: np.ndarray, better: float) -> bool:
    """Compare as `promote` does, one row a day weighed by its questions; ``better`` is taken off each loss."""
    start = [FIRST + timedelta(days=day) for day in range(len(days))]
    champion, challenger = losses / days
    frame = {"start": start, "weight": days, "label": champion, "champion": champion, "challenger": challenger - better}
    return promotion.compare(pl.DataFrame(frame), LOSS).verdict == "better"


def rate(good: int, of: int) -> str:
    """Return a share with its interval (Wilson 1927)."""
    share, many = good / of, of + Z**2
    middle = (good + Z**2 / 2) / many
    reach = Z * np.sqrt(share * (1 - share) * of + Z**2 / 4) / many
    return f"{share:5.1%} [{middle - reach:4.0%} ..{middle + reach:4.0%}]"


def main() -> int:
    """Measure and print; returns 1 if equal ones are promoted more often than 1 in 20, beyond doubt."""
    warnings.filterwarnings("ignore", category=UserWarning)
    heads = ["equal", *(f"better by {gain:g} SE" for gain in GAINS[1:]), "by 2 SE of 4 weeks"]
    print(f"{'project':<11} {'weeks':>5}  " + "  ".join(f"{head:<20}" for head in heads))
    equal = 0
    for name in sys.argv[1:] or NAMES:
        world = _worlds.WORLDS[name]()
        known = weeks(world)
        first_error = 0.0
        for count in WEEKS:
            random = np.random.default_rng(20)
            sets = [drawn(known, count, random) for _ in range(REPEATS)]
            gains = [(losses[0].sum() - losses[1].sum()) / days.sum() for days, losses in sets]
            error = float(np.sqrt(np.mean(np.square(gains))))
            first_error = first_error or error
            shifts = [*(gain * error for gain in GAINS), 2 * first_error]
            good = [sum(promoted(*one, shift) for one in sets) for shift in shifts]
            equal = max(equal, good[0])
            print(f"{name:<11} {count:5}  " + "  ".join(f"{rate(each, REPEATS):<20}" for each in good))
        print(f"            {len(known)} weeks, {world.recipe.name} against {world.other.name}, {world.metric}")
    limit = 0.05 * REPEATS + Z * np.sqrt(0.05 * 0.95 * REPEATS)
    return 0 if equal <= limit else 1


if __name__ == "__main__":
    sys.exit(_worlds.kept("promotion", main))
