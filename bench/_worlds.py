"""Real projects for the measurements of judging: what is asked in them, with features and labels.

Nothing is chosen here: each has one cheap recipe and one that differs from it, so that a repeat takes seconds.
"""

import contextlib
import gzip
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from asof import recipes, splits, times, verbs
from asof.data import UTC_TIME, Table
from asof.estimators.portfolio import portfolio
from asof.flows import intake, learning, preparation
from asof.recipes import Recipe
from asof.times import Step

FOLDER = Path(__file__).resolve().parent
DATA = FOLDER.parent.parent / "shared" / "data"
STRETCH = Step(28, "d")
"""Length of a fold, of a holdout and of what follows."""
FOLDS = 4
ROUNDS = 150
"""Boosting rounds, fixed so that a fit takes a second or two."""


@dataclass(frozen=True)
class World:
    """A project laid out: everything that can be asked, and how it is answered."""

    name: str
    questions: pl.DataFrame
    """n rows: place, start, end, as_of, horizon, label, known_at."""
    features: pl.DataFrame
    recipe: Recipe
    other: Recipe
    """A second recipe, about as good."""
    metric: str
    zone: str
    first_cut: datetime
    """No cut before it: there would be too little to learn from."""
    days: int = 7
    """Distance of the cuts; a stretch is a multiple of it."""

    @property
    def ahead(self) -> int:
        """Number of cuts from one stretch to the next."""
        return STRETCH.count // self.days


def collisions() -> World:
    """Crashes by taxi zone and day, one to seven days ahead, on the steady stretch."""
    world = _project("collisions", ("poisson_firm", "lightgbm"), "poisson_deviance", days=270)
    return replace(world, days=14)


def electricity() -> World:
    """Mean demand of a whole state by day, one day ahead: one place, level and season move."""
    table = pl.read_csv(DATA / "electricity" / "vic_elec.csv.gz", columns=["Time", "Demand"])
    return _project("electricity", ("linear", "lightgbm"), "rmse", table, days=364)


def bikes() -> World:
    """Hourly rentals of the whole of Seoul, one day ahead; hours in which the service did not run are left out."""
    with gzip.open(DATA / "demand" / "SeoulBikeData.csv.gz") as file:
        table = pl.read_csv(file.read().decode("latin1").encode(), infer_schema_length=None)
    rented = table.filter(pl.col("Functioning Day") == "Yes").select(
        time=pl.format(
            "{}T{}:00:00",
            pl.col("Date").str.to_date("%d/%m/%Y"),
            pl.col("Hour").cast(pl.String).str.zfill(2),
        ),
        rented="Rented Bike Count",
    )
    return _project("bikes", ("lightgbm", "linear"), "rmse", rented, days=60)


def _project(
    name: str, recipe_names: tuple[str, str], metric: str, table: pl.DataFrame | None = None, *, days: int
) -> World:
    """Ingest and prepare a project of the folder ``judging``; ``table`` is what its one file holds."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"store={folder}/store"]
        if table is not None:
            table.write_csv(f"{folder}/table.csv")
            overrides.append(f"sources.rows.files={folder}/table.csv")
        workspace = verbs.open_project(str(FOLDER / "judging" / f"{name}.yaml"), overrides=overrides)
        intake.take_in(workspace)
        prepared = preparation.prepare(workspace, intake.open_tables(workspace))
        first = preparation.learn_from(workspace, prepared)
        material = learning.gather(workspace, prepared, first, prepared.last)
    task = "count" if prepared.panel.measure == "count" else "number"
    one, other = (_recipe(task, each) for each in recipe_names)
    return World(
        name,
        material.questions,
        material.features,
        one,
        other,
        metric,
        prepared.panel.zone,
        first + timedelta(days=days),
    )


def houses() -> World:
    """Prices of sold houses by their own columns and earlier sales, each asked about on the day of its sale."""
    return _project("houses", ("lightgbm", "xgboost"), "rmse", days=56)


def _recipe(task: str, name: str) -> Recipe:
    known = {recipe.name: recipe for recipe in portfolio(task)}
    return replace(known[name], rounds=ROUNDS) if name in {"lightgbm", "xgboost"} else known[name]


WORLDS: Mapping[str, Callable[[], World]] = {each.__name__: each for each in (collisions, houses, electricity, bikes)}


def cuts(world: World) -> list[datetime]:
    """Moments at which a recipe is fitted, as long as a whole stretch follows."""
    last: datetime = world.questions["end"].sort()[-1]
    found = [_midnight(world.first_cut, world.zone)]
    while _later(found[-1], STRETCH, world.zone) <= last:
        found.append(_later(found[-1], Step(world.days, "d"), world.zone))
    return found[:-1]


def answers(world: World, *wanted: Recipe, step: int = 1) -> Iterator[pl.DataFrame]:
    """Fit at each cut (or every ``step``-th) on what was known, and answer the stretch that follows.

    Gives the questions with ``cut`` and, for each recipe, a column of its answers: ``prediction``, ``prediction_2``.
    """
    for cut in cuts(world)[::step]:
        split = splits.at_cut(world.questions, cut, _later(cut, STRETCH, world.zone))
        table = Table(world.features[split.train], world.questions["label"][split.train])
        told = []
        for number, recipe in enumerate(wanted, 1):
            model = recipes.fit(recipe, table, threads=1, seed=20)
            name = "prediction" if number == 1 else f"prediction_{number}"
            told.append(pl.Series(name, np.asarray(model.predict(world.features[split.test]))))
        yield world.questions[split.test].with_columns(told).with_columns(cut=pl.lit(cut).cast(UTC_TIME))


def _midnight(moment: datetime, zone: str) -> datetime:
    floored: datetime = times.floor(pl.Series([moment], dtype=UTC_TIME), Step(1, "d"), zone)[0]
    return floored


def _later(moment: datetime, step: Step, zone: str) -> datetime:
    later: datetime = times.shift(pl.Series([moment], dtype=UTC_TIME), step, zone)[0]
    return later


class _Both(io.StringIO):
    """Prints, and keeps what was printed."""

    def write(self, text: str) -> int:
        """Print and keep a text."""
        sys.__stdout__.write(text)  # type: ignore[union-attr]
        return super().write(text)

    def flush(self) -> None:
        """Show what was printed."""
        sys.__stdout__.flush()  # type: ignore[union-attr]


def kept(name: str, main: Callable[[], int]) -> int:
    """Run a measurement; what a whole one (without arguments) prints is kept beside it, in NAME.md."""
    if len(sys.argv) > 1:
        return main()
    with contextlib.redirect_stdout(_Both()) as printed:
        code = main()
    head = f"# What `python bench/{name}.py` printed\n\nWritten by that command.\n"
    lines = [head, "```text", printed.getvalue().rstrip("\n"), "```", ""]
    (FOLDER / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")
    return code
