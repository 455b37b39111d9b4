"""Which families of features serve: the row's own columns alone, or with what lookups add to them, by forward folds.

A family that brings nothing is not harmless: what it tells of the time at which a row was asked about is learnt as if
it would come again, and a fold of four weeks forgives more than a quarter of a year does. So families are added to the
row's own columns one after the other, and only those that pay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape

import numpy as np

from asof.data import Table
from asof.encoders.steady import Steady
from asof.recipes import EncoderPlan, Recipe

LEAST_GAIN = 0.002
"""A family must bring this share of the loss, or it is left out."""

OPPOSED = frozenset({"kernel", "linear_boosted", "catboost"})
"""Estimators that are also learnt against what a lookup says. On King County's sales, at three cuts before March 2015,
the smooth ones and CatBoost brought a blend nearer the middle; the other trees lost by it and cost as much time."""

Form = frozenset[str]
"""Names of the families that are used."""


@dataclass(frozen=True)
class Forms:
    """Families of features, and how a recipe leaves some out."""

    families: Mapping[str, Sequence[str]]
    """Names of the features of each; those in none are the row's own."""
    moving: frozenset[str] = frozenset()
    """Features that tell when rather than what; a recipe that uses their family finds them again in its own rows."""

    @classmethod
    def of(cls, families: Mapping[str, Sequence[str]], table: Table) -> "Forms":
        """Look which of the features tell when; ``table`` holds training rows in the order of time."""
        names = tuple(escape(name) for members in families.values() for name in members)
        moving = Steady(names).fit(table)["left_out"] if names else []
        return cls({name: members for name, members in families.items() if members}, frozenset(moving))

    def applied(self, recipe: Recipe, form: Form) -> Recipe:
        """Return the recipe with only the families of ``form``, and of them only what is steady."""
        out = [name for name in self.families if name not in form]
        left = [escape(name) for family in out for name in self.families[family]]
        kept = [name for family in form for name in self.families[family]]
        first = [EncoderPlan("without", {"columns": left})] if left else []
        if not self.moving.isdisjoint(kept):
            first.append(EncoderPlan("steady", {"columns": sorted(escape(name) for name in kept)}))
        name = f"{recipe.name} without {', '.join(out)}" if out else recipe.name
        return replace(recipe, name=name, encoders=(*first, *recipe.encoders))

    def found(self, probes: Sequence[Recipe], judged: Callable[[Recipe], float | None]) -> Form:
        """Return the families that pay; ``judged`` gives the loss of a recipe, or none when the time is over."""
        every = frozenset(self.families)
        scale: list[float] = []

        def loss(form: Form) -> float:
            told = [judged(self.applied(probe, form)) for probe in probes]
            losses = [np.nan if each is None else each for each in told]
            if not scale:
                scale.extend(losses)
            return float(np.mean([each - base for each, base in zip(losses, scale, strict=True)]))

        if not every or loss(frozenset()) != 0.0:  # nothing to tell apart, or no time for it
            return every
        step = LEAST_GAIN * float(np.mean(np.abs(scale)))
        best, least = frozenset[str](), 0.0
        while best != every:
            tried = {name: loss(best | {name}) for name in self.families if name not in best}
            gains = {name: value for name, value in tried.items() if value < least - step}
            if not gains:
                break
            name = min(gains, key=lambda each: (gains[each], each))
            best, least = best | {name}, gains[name]
        return best


def opposed(recipe: Recipe, columns: Sequence[str]) -> tuple[Recipe, ...]:
    """Return the recipe as it is, and where that has paid learnt against each of the columns."""
    columns = columns if recipe.estimator in OPPOSED else ()
    return (recipe, *(replace(recipe, name=f"{recipe.name} against {name}", against=name) for name in columns))


def probes(recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the first recipe, and the first that reads features in another way: a line and trees."""

    def way(recipe: Recipe) -> list[str]:
        return [plan.name for plan in recipe.encoders]

    others = [recipe for recipe in recipes if way(recipe) != way(recipes[0])]
    return (*recipes[:1], *others[:1])
