"""Folds by chance: groups whole, shares of labels kept, the same seed the same folds."""

import numpy as np
import polars as pl
import pytest

from asof import kfolds
from asof.errors import DataError


def asked(count: int = 300, *, groups: int | None = None, seed: int = 3) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pl.DataFrame({"label": (draw.random(count) < 0.2).astype(float)})
    return (
        frame
        if groups is None
        else frame.with_columns(group=pl.Series(draw.integers(groups, size=count)).cast(pl.String))
    )


def test_every_row_is_tested_once_in_each_repeat() -> None:
    questions = asked()
    made = kfolds.folds(questions, 5, seed=1, classes=2, repeats=2)
    assert len(made) == 10
    for repeat in (made[:5], made[5:]):
        assert sorted(np.concatenate([fold.test for fold in repeat]).tolist()) == list(range(300))
        assert all(not set(fold.train) & set(fold.test) for fold in repeat)
    assert made[0].test.tolist() != made[5].test.tolist()
    assert all(fold.cut is None for fold in made)


def test_the_share_of_a_class_is_kept() -> None:
    questions = asked()
    share = questions["label"].mean()
    for fold in kfolds.folds(questions, 5, seed=1, classes=2):
        assert questions["label"].gather(fold.test).mean() == pytest.approx(share, abs=0.02)


def test_levels_of_a_number_are_kept() -> None:
    questions = pl.DataFrame({"label": np.random.default_rng(0).lognormal(size=500)})
    top = questions["label"].quantile(0.8)
    for fold in kfolds.folds(questions, 5, seed=1):
        assert (questions["label"].gather(fold.test) > top).sum() == pytest.approx(20, abs=2)


def test_groups_stand_on_one_side() -> None:
    questions = asked(groups=60)
    for fold in kfolds.folds(questions, 4, seed=1, classes=2):
        train, test = (set(questions["group"].gather(side)) for side in (fold.train, fold.test))
        assert not train & test


def test_many_rows_keep_their_groups_whole_too() -> None:
    questions = asked(60_000, groups=900)
    made = kfolds.folds(questions, 4, seed=1, classes=2)
    for fold in made:
        assert not set(questions["group"].gather(fold.train)) & set(questions["group"].gather(fold.test))
        assert len(fold.test) == pytest.approx(15_000, rel=0.15)


def test_one_seed_one_set_of_folds() -> None:
    first, again, other = (kfolds.folds(asked(), 4, seed=seed)[0].test.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_rows_without_a_label_are_on_neither_side() -> None:
    questions = asked().with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise("label").alias("label")
    )
    fold = kfolds.folds(questions, 4, seed=1, classes=2)[0]
    assert len(fold.train) + len(fold.test) == 200
    assert not any(row % 3 == 0 for row in [*fold.train, *fold.test])


def test_the_holdout_is_a_fifth() -> None:
    split = kfolds.holdout(asked(3000), seed=1, classes=2)
    assert (len(split.train), len(split.test), split.cut) == (2400, 600, None)


@pytest.mark.parametrize(
    ("rows", "groups", "said"),
    [
        (2, None, "2 rows with a label; 4 folds need at least as many: lower judge.folds"),
        (30, None, "22 rows with a label are left to learn from, at least 30 are needed"),
        (300, 3, "3 groups of rows that belong together with a label; 4 folds need at least as many"),
    ],
)
def test_too_few_rows_are_refused(rows: int, groups: int | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        kfolds.folds(asked(rows, groups=groups), 4, seed=1)
