"""Recipes and blends: encoders, estimator and parameters as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asof.encoders import EncoderPlan
from asof.errors import DataError


@dataclass(frozen=True)
class Recipe:
    """One way to make a model, as plain data."""

    name: str
    encoders: tuple[EncoderPlan, ...] = ()
    estimator: str = "mean"
    params: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the estimator's defaults."""
    loss: str = ""
    """``poisson``, ``tweedie``, ``squared``, ``absolute``; empty: the estimator's own for the task.

    With any estimator of numbers ``log_squared`` (squared error of log(1 + label), told as exp of that: the middle
    of a skewed label) and ``log_mean`` (the same, told as a mean).
    """
    rounds: int | None = None
    """Boosting rounds; none: found on the watched table."""
    task: str = "number"
    """``count`` (never negative), ``number`` or ``class``."""
    seed: int = 0
    """Added to the seed of the run, so that twins of one recipe can be averaged."""
    classes: int = 0
    """Number of classes: labels are the codes 0..k-1; 0 for counts and numbers."""
    against: str = ""
    """A feature of numbers that is taken off the label (for ``log_`` losses the log of it off the log) before it is
    learnt, and put back on what is predicted; empty: the label itself is learnt."""


@dataclass(frozen=True)
class Blend:
    """A weighted mean of the predictions of several recipes; weights sum to 1."""

    name: str
    recipes: tuple[Recipe, ...]
    weights: tuple[float, ...]


def plan_of(recipe: Recipe | Blend) -> dict[str, Any]:
    """Return a recipe or blend as plain JSON values, names in one order whatever the order they were given in."""
    if isinstance(recipe, Blend):
        members = [plan_of(member) for member in recipe.recipes]
        return {"name": recipe.name, "recipes": members, "weights": list(recipe.weights)}
    return {
        "name": recipe.name,
        "encoders": [{"name": plan.name, "options": dict(sorted(plan.options.items()))} for plan in recipe.encoders],
        "estimator": recipe.estimator,
        "params": dict(sorted(recipe.params.items())),
        "loss": recipe.loss,
        "rounds": recipe.rounds,
        "task": recipe.task,
        "seed": recipe.seed,
        # only where there are some, so that plans written earlier are written as they were
        **({"classes": recipe.classes} if recipe.classes else {}),
        **({"against": recipe.against} if recipe.against else {}),
    }


def read_plan(told: Mapping[str, Any]) -> Recipe | Blend:
    """Return the recipe or blend that ``plan_of`` has told; raises DataError for anything else."""
    try:
        if "recipes" in told:
            members = tuple(read_plan(member) for member in told["recipes"])
            recipes = tuple(member for member in members if isinstance(member, Recipe))
            if not recipes or not len(recipes) == len(members) == len(told["weights"]):
                raise DataError("no recipe: a blend needs recipes, and a weight for each")
            return Blend(told["name"], recipes, tuple(told["weights"]))
        steps = tuple(EncoderPlan(plan["name"], plan["options"]) for plan in told["encoders"])
        return Recipe(**{**told, "encoders": steps})
    except (KeyError, TypeError) as error:
        raise DataError(f"no recipe: {error}; expected the keys of a recipe as plan_of writes them") from error
