"""Watching projects whose units are rows: what is looked at are the rows that were asked about."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.flows import predicting, watching
from tests.flows import houses

TREATED = """\
name: treated
sources:
  people: {files: people*.csv, key: id, time: {columns: [day], zone: UTC}}
predict:
  classes: people.survived
judge: {holdout: 28d, folds: 2, fold: 28d}
train: {budget: 0s, candidates: [logistic], threads: 1}
"""
BEGIN, END = "2021-08-29", "2021-10-01"
"""What is sold from then on is asked about; later rows only tell how far sales are known."""


def asked_about(folder: Path, source: str, late: pl.DataFrame, label: str) -> list[str]:
    """Ask about rows before their label is known, take them in with it, and look: what alarms."""
    unknown = late.with_columns(pl.lit(None, dtype=late[label].dtype).alias(label))
    unknown.write_csv(folder / f"{source}-2.csv")
    asof.ingest(asof.open_project(str(folder)))
    late.drop(label).write_csv(folder / "asked.csv")
    predicting.predict(
        asof.open_project(str(folder)), predicting.Asked(input=folder / "asked.csv"), folder / "answers.csv"
    )
    late.write_csv(folder / f"{source}-3.csv")
    asof.ingest(asof.open_project(str(folder)))
    told = watching.watch(asof.open_project(str(folder)), watching.Wish())
    assert told["known"] == told["served"] > 150
    return [one["test"] for one in told["alarms"]]


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, pl.DataFrame]]:
    """Houses that were learnt from up to ``BEGIN``, to be copied, and those that were sold after."""
    rows = houses.sales(count=2400, days=280).filter(pl.col("price").is_not_null() & (pl.col("sold") < END))
    project = houses.HOUSES.replace("files: sales.csv", "files: sales*.csv")
    folder = houses.make(tmp_path_factory.mktemp("sold") / "houses", project, sales=rows.filter(pl.col("sold") < BEGIN))
    asof.run(asof.open_project(str(folder)))
    return _copied(folder, rows.filter(pl.col("sold") >= BEGIN))


@pytest.fixture(scope="module")
def treated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, pl.DataFrame]]:
    """People of two classes, each of a day: those of nine months were learnt from."""
    rows = houses.people(count=2000).with_row_index("_at")
    day = pl.lit(date(2021, 1, 1)) + pl.duration(days=pl.col("_at") * 304 // 2000)
    rows = rows.with_columns(day.cast(pl.Date).cast(pl.String).alias("day")).drop("_at", "family")
    folder = houses.make(
        tmp_path_factory.mktemp("treated") / "people", TREATED, people=rows.filter(pl.col("day") < "2021-10-01")
    )
    asof.run(asof.open_project(str(folder)))
    return _copied(folder, rows.filter(pl.col("day") >= "2021-10-01"))


@pytest.fixture(scope="module")
def aboard(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, pl.DataFrame]]:
    """Passengers of two classes without a time, three in four of whom were learnt from."""
    rows = houses.people(count=800)
    project = houses.PASSENGERS.replace("people.csv", "people*.csv")
    folder = houses.make(tmp_path_factory.mktemp("aboard") / "people", project, people=rows.head(600))
    asof.run(asof.open_project(str(folder)))
    return _copied(folder, rows.tail(200))


def _copied(folder: Path, late: pl.DataFrame) -> Callable[[Path], tuple[Path, pl.DataFrame]]:
    return lambda path: (Path(shutil.copytree(folder, path / "copy")), late)


def test_sales_that_go_on_as_before_are_calm(sold: Any, tmp_path: Path) -> None:
    folder, late = sold(tmp_path)
    assert asked_about(folder, "sales", late, "price") == []


def test_prices_that_rose_by_half_alarm(sold: Any, tmp_path: Path) -> None:
    folder, late = sold(tmp_path)
    dearer = late.with_columns((pl.col("price") * 1.5).round(0))
    assert {"bias", "coverage"} <= set(asked_about(folder, "sales", dearer, "price"))


def test_a_column_that_stands_still_or_has_another_kind_alarms(sold: Any, tmp_path: Path) -> None:
    """All areas are the same, and two gardens in five are of a kind that was never met."""
    folder, late = sold(tmp_path)
    odd = late.with_columns(
        pl.lit(100.0).alias("area"),
        pl.when(pl.int_range(pl.len()) % 5 < 2).then(pl.lit("roof")).otherwise("garden").alias("garden"),
    )
    found = asked_about(folder, "sales", odd, "price")
    assert {"stuck area", "new garden"} <= set(found)


def test_passengers_without_a_time_are_watched(aboard: Any, tmp_path: Path) -> None:
    """Calm as they are; where who dies and who lives is the other way round, the error alarms."""
    folder, late = aboard(tmp_path)
    assert asked_about(folder, "people", late, "survived") == []
    folder, late = aboard(tmp_path / "again")
    turned = late.with_columns((1 - pl.col("survived")).alias("survived"))
    assert "error" in asked_about(folder, "people", turned, "survived")


def test_people_of_a_time_are_watched(treated: Any, tmp_path: Path) -> None:
    """Calm as they are; where nobody's sex is told, by which the model goes most, that alarms."""
    folder, late = treated(tmp_path)
    assert asked_about(folder, "people", late, "survived") == []
    folder, late = treated(tmp_path / "again")
    odd = late.with_columns(sex=pl.lit(None, dtype=pl.String))
    assert "missing sex" in asked_about(folder, "people", odd, "survived")
