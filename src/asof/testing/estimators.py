"""The exam of an estimator: what every one must keep, ours and those of plug-in authors.

    from asof.testing.estimators import examine
    examine(MyEstimator)

Each rule is a function that raises AssertionError with the reason; ``examine`` runs them all. Features
are numbers by then (Float64, null = unknown); ``filled=True`` gives none unknown, for estimators that say so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders import CODE
from asof.estimators import Estimator, Job
from asof.estimators.base import Choice, Floats

Maker = Callable[[], Estimator]


@dataclass(frozen=True)
class Paper:
    """What an estimator is examined on."""

    make: Maker
    task: str = "count"
    params: Mapping[str, Any] = field(default_factory=dict)
    """Smaller than the defaults, so that the exam is fast."""
    filled: bool = False
    """Whether the estimator may expect that no number is unknown."""
    rounds: int | None = None
    classes: int = 0
    """Number of classes, for the task ``class``."""

    def job(self, **changes: Any) -> Job:
        """Return the job given to ``fit``."""
        told = {"task": self.task, "params": self.params, "rounds": self.rounds, "seed": 3, "classes": self.classes}
        return Job(**{**told, **changes})

    def table(self, rows: int = 300, seed: int = 11) -> Table:
        """Return a table of counts with rates, gaps, a column never known, a constant and category codes.

        Classes are few and many: the counts, the last class being all that are higher.
        """
        draw = np.random.default_rng(seed)
        place = draw.integers(0, 6, rows)
        rate = (0.3 + place) * draw.gamma(20.0, 0.05, rows)
        gaps = np.where(draw.random(rows) < 0.2, np.nan, draw.normal(size=rows))
        features = pl.DataFrame(
            {
                "lag_7d": draw.poisson(rate).astype(np.float64),
                "rate": rate,
                "weekday": draw.integers(0, 7, rows).astype(np.float64),
                "gaps": pl.Series(gaps).fill_nan(None),
                "never": pl.Series([None] * rows, dtype=pl.Float64),
                "constant": np.full(rows, 3.5),
                "code": pl.Series(place, dtype=CODE),
            }
        )
        if self.filled:
            features = features.with_columns(pl.col(pl.Float64).fill_null(0.0))
        label = draw.poisson(rate).astype(np.float64)
        return Table(features, pl.Series("label", np.minimum(label, self.classes - 1) if self.classes else label))

    def shape(self, rows: int) -> tuple[int, ...]:
        """Shape of the predictions for so many rows."""
        return (rows, self.classes) if self.classes else (rows,)


def examine(
    make: Maker,
    *,
    task: str = "count",
    params: Mapping[str, Any] | None = None,
    filled: bool = False,
    rounds: int | None = None,
    classes: int = 0,
) -> None:
    """Run all rules on the estimator that ``make`` returns; ``classes`` is the number of them for ``task="class"``."""
    paper = Paper(make, task, params or {}, filled, rounds, classes)
    for rule in (
        says_what_it_is,
        deterministic,
        files_keep_every_bit,
        rows_do_not_know_each_other,
        strange_rows_are_answered,
        constant_labels,
        two_rows_are_enough,
        weights_count,
        stops_on_the_watched_table,
    ):
        rule(paper)


def says_what_it_is(paper: Paper) -> None:
    """The task is among its tasks, and each tuned parameter is one of its defaults."""
    estimator = paper.make()
    assert paper.task in estimator.tasks, f"{paper.task} is none of its tasks"
    unknown = set(estimator.space) - set(estimator.defaults)
    assert not unknown, f"tuned parameters without a default: {', '.join(sorted(unknown))}"
    for name, kind in estimator.space.items():
        some = bool(kind.values) if isinstance(kind, Choice) else kind.low < kind.high
        assert some, f"the space of {name} is empty"


def deterministic(paper: Paper) -> None:
    """The same table and seed give the same files and the same predictions, to the bit."""
    table = paper.table()
    first, second = (paper.make().fit(table, paper.job()) for _ in range(2))
    assert first.canonical() == second.canonical(), "fitting twice gives other contents"
    assert _same(first.predict(table.features), second.predict(table.features)), "fitting twice predicts otherwise"


def files_keep_every_bit(paper: Paper) -> None:
    """What is read back from files predicts the same bits, and is written the same."""
    table, later = paper.table(), paper.table(seed=12)
    fitted = paper.make().fit(table, paper.job())
    files = fitted.files()
    assert files, "no file: what was learnt cannot be kept"
    again = paper.make().read(files)
    assert _same(again.predict(later.features), fitted.predict(later.features)), "read back, it predicts otherwise"
    assert again.canonical() == fitted.canonical(), "read back, its contents differ"
    assert again.rounds == fitted.rounds, f"{fitted.rounds} rounds became {again.rounds}"


def rows_do_not_know_each_other(paper: Paper) -> None:
    """One row alone, and rows in another order, get the bits of the batch."""
    later = paper.table(seed=13).features
    fitted = paper.make().fit(paper.table(), paper.job())
    told = fitted.predict(later)
    assert told.shape == paper.shape(later.height), f"{later.height} rows got predictions of shape {told.shape}"
    assert told.dtype == np.float64, f"predictions are {told.dtype}; expected float64"
    assert np.isfinite(told).all(), "a prediction is not finite"
    if paper.classes:
        sums = told.sum(axis=1)
        assert told.min() >= 0, f"a probability is {told.min()}"
        assert np.allclose(sums, 1, rtol=0, atol=1e-5), f"probabilities of a row sum to {sums.min()} .. {sums.max()}"
    single = np.concatenate([fitted.predict(later[row : row + 1]) for row in range(20)])
    assert _same(single, told[:20]), "one row alone is answered otherwise than among many"
    assert _same(fitted.predict(later.reverse())[::-1], told), "the answer to a row depends on the order of rows"


def strange_rows_are_answered(paper: Paper) -> None:
    """A code never seen, and far-out numbers, get finite answers; so does a row of which nothing is known."""
    fitted = paper.make().fit(paper.table(), paper.job())
    rows = paper.table(seed=14).features[:4]
    strange = [rows.with_columns(pl.lit(6, dtype=CODE).alias("code"), pl.lit(1e6).alias("rate"))]
    if not paper.filled:
        strange.append(rows.select(pl.lit(None, dtype=dtype).alias(name) for name, dtype in rows.schema.items())[:1])
    for asked in strange:
        assert np.isfinite(fitted.predict(asked)).all(), "a strange row got an answer that is not finite"


def constant_labels(paper: Paper) -> None:
    """Labels that are all 2, or all 0, are learnt; of classes each occurs, so that there is nothing to ask."""
    if paper.classes:
        return
    features = paper.table().features
    for value in (2.0, 0.0):
        table = Table(features, pl.Series("label", np.full(features.height, value)))
        told = paper.make().fit(table, paper.job()).predict(features)
        assert np.isfinite(told).all(), f"labels that are all {value} give a prediction that is not finite"
        if paper.make().defaults.keys() & {"columns"}:
            continue  # it repeats a feature, whatever the labels
        assert np.allclose(told, value, atol=0.05), f"labels that are all {value} are predicted as {told[:3]}"


def two_rows_are_enough(paper: Paper) -> None:
    """Two rows can be learnt from: two of classes are one of each."""
    table = paper.table()
    label = pl.Series("label", [1.0, 0.0]) if paper.classes else table.label[:2]
    few = Table(table.features[:2], label)
    fitted = paper.make().fit(few, paper.job(classes=2 if paper.classes else 0))
    assert np.isfinite(fitted.predict(table.features)).all(), "two rows are not enough"


def weights_count(paper: Paper) -> None:
    """Where weights are respected, heavy rows pull the mean prediction (of classes: the mean code) to their labels."""
    if not paper.make().weighs or "columns" in paper.make().defaults:
        return
    table = paper.table()
    label = table.label.to_numpy()
    told = []
    for heavy in (label <= label.mean(), label > label.mean()):
        weight = pl.Series("weight", np.where(heavy, 20.0, 0.05))
        fitted = paper.make().fit(Table(table.features, table.label, weight), paper.job())
        answers = fitted.predict(table.features)
        told.append(float((answers @ np.arange(paper.classes) if paper.classes else answers).mean()))
    assert told[0] < told[1], f"weights are not respected: mean {told[0]:.3f} with low labels heavy, else {told[1]:.3f}"


def stops_on_the_watched_table(paper: Paper) -> None:
    """Boosting stops on the watched table; given rounds are kept, and given those found it is the same model."""
    table = paper.table()
    found = paper.make().fit(table, paper.job(rounds=None), paper.table(seed=15))
    if found.rounds is None:
        return
    again = paper.make().fit(table, paper.job(rounds=found.rounds))
    assert again.rounds == found.rounds, f"told {found.rounds} rounds, it kept {again.rounds}"
    assert np.allclose(again.predict(table.features), found.predict(table.features), rtol=1e-9), "rounds say not all"


def _same(left: Floats, right: Floats) -> bool:
    return np.array_equal(left, right)
