"""Projects whose units are rows, with a time and without, numbers and classes: run, judged, predicted."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import asof
from asof import kfolds, probabilities, recipes
from asof.flows import intake, nesting, preparation, running
from asof.flows.workspace import Workspace
from asof.probabilities import Calibrated
from asof.recipes import Blend, Recipe
from tests.flows import houses

Ran = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = houses.make(tmp_path_factory.mktemp("houses"), houses.HOUSES, sales=houses.sales())
    return folder, asof.run(asof.open_project(str(folder)))


@pytest.fixture(scope="module")
def sailed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = houses.make(tmp_path_factory.mktemp("people"), houses.PASSENGERS, people=houses.people())
    return folder, asof.run(asof.open_project(str(folder)))


def prepared(folder: Path) -> tuple[Workspace, preparation.Prepared]:
    workspace = asof.open_project(str(folder))
    return workspace, preparation.prepare(workspace, intake.open_tables(workspace))


def test_rows_with_a_time_are_judged_on_later_ones(sold: Ran) -> None:
    _, result = sold
    assert result["audit"]["failed"] == []
    low, value, high = (result["holdout"]["rmsle"][name] for name in ("low", "value", "high"))
    assert 0.13 < value < 0.22, "the noise is 15 %"
    assert low < value < high
    assert result["baseline"]["value"] > 1.25 * value
    assert 0.8 < result["coverage"] <= 1
    expected = result["expected"]
    assert expected["low"] < low < high < expected["high"], "the next stretch has chance of its own"
    assert result["judged_by"] == "holdout"


def test_places_never_met_are_judged_apart(sold: Ran) -> None:
    new = sold[1]["new_places"]
    assert (new["places"], new["blocks"]) == (14, 3)
    assert new["score"]["value"] > 1.2 * sold[1]["holdout"]["rmsle"]["value"], "the level of the town is unknown there"


def test_a_row_sees_what_was_sold_before_its_own_day(sold: Ran) -> None:
    """Recounted by hand: the mean price of the town over the 56 days before the day of the sale."""
    workspace, ready = prepared(sold[0])
    asked = preparation.of_rows(ready)
    made = preparation.read(ready, asked, workspace.spec.leave_out)
    frame = houses.sales().with_columns(day=pl.col("sold").str.to_date())
    for row in (700, 900, 1100):
        unit = frame.filter(pl.col("id") == asked["unit"][row]).row(0, named=True)
        before = (pl.col("day") < unit["day"]) & (pl.col("day") >= unit["day"] - pl.duration(days=56))
        mean = frame.filter(before & (pl.col("town") == unit["town"]))["price"].mean()
        assert made["sales_price_mean_56d"][row] == pytest.approx(mean)
        assert made["area"][row] == unit["area"]
    assert "price" not in made.columns
    assert "id" not in made.columns


def test_rows_without_a_label_are_answered(sold: Ran) -> None:
    folder, result = sold
    answers = pl.read_parquet(result["files"]["predictions"])
    waiting = houses.sales().filter(pl.col("price").is_null())
    assert answers["unit"].sort().to_list() == waiting["id"].sort().to_list()
    assert (answers["low"] <= answers["prediction"]).all()
    assert (answers["prediction"] <= answers["high"]).all()
    del folder


def test_a_file_of_houses_is_answered_in_order(sold: Ran, tmp_path: Path) -> None:
    folder, _ = sold
    ask = pl.DataFrame(
        {
            "sold": ["2021-08-20", "2021-08-20", "never", "2031-01-01", "2021-08-20"],
            "town": ["t03", "t99", "t03", "t03", "t03"],
            "area": ["100", "100", "100", "100", "large"],
            "garden": ["yes"] * 5,
            "mine": ["a", "b", "c", "d", "e"],
        }
    )
    ask.write_csv(tmp_path / "ask.csv")
    asof.predict(asof.open_project(str(folder)), asof.Asked(input=tmp_path / "ask.csv"), tmp_path / "out.csv")
    told = pl.read_csv(tmp_path / "out.csv")
    assert told["mine"].to_list() == ["a", "b", "c", "d", "e"]
    assert told["prediction"].is_null().to_list() == [False, False, True, True, True]
    last = "2021-08-29 04:00 UTC"
    assert told["reason"].to_list()[2:] == [
        "its time is missing or cannot be read",
        f"asked after the last moment at which sales is known ({last}): ingest newer rows or ask further ahead",
        "area is not a number",
    ]
    assert told["outside"].to_list()[:2] == [False, True]
    width = (told["high"] - told["low"]).to_list()
    assert width[1] > 1.2 * width[0]


def test_days_are_read_as_the_source_writes_them(tmp_path: Path) -> None:
    """6/1/2021 alone could be either; the source's rows prove that the month comes first. ISO dates are read too."""
    american = pl.col("sold").str.to_date().dt.strftime("%-m/%-d/%Y")
    folder = houses.make(tmp_path / "x", houses.HOUSES, sales=houses.sales().with_columns(sold=american))
    asof.run(asof.open_project(str(folder)))
    ask = {"sold": ["6/1/2021", "2021-06-01"], "town": ["t03"] * 2, "area": [100] * 2, "garden": ["yes"] * 2}
    pl.DataFrame(ask).write_csv(tmp_path / "ask.csv")
    asof.predict(asof.open_project(str(folder)), asof.Asked(input=tmp_path / "ask.csv"), tmp_path / "out.parquet")
    answers = pl.read_parquet(tmp_path / "out.parquet")
    assert answers["start"].dt.convert_time_zone("America/New_York").dt.date().to_list() == [date(2021, 6, 1)] * 2
    assert answers["prediction"][0] == answers["prediction"][1]


def test_a_file_that_lacks_a_column_is_refused(sold: Ran, tmp_path: Path) -> None:
    pl.DataFrame({"town": ["t03"], "area": [100]}).write_csv(tmp_path / "ask.csv")
    with pytest.raises(asof.DataError, match=r"ask.csv: no column garden; expected the columns that sales has"):
        asof.predict(asof.open_project(str(sold[0])), asof.Asked(input=tmp_path / "ask.csv"), tmp_path / "out.csv")


def test_few_rows_without_a_time_are_judged_by_nested_folds(sailed: Ran) -> None:
    _, result = sailed
    assert result["audit"]["failed"] == []
    assert (result["opened"], result["judged_by"]) == (0, "nested folds")
    assert result["new_places"] is None
    figures = {name: one["value"] for name, one in result["holdout"].items()}
    assert set(figures) == {"log_loss", "brier", "accuracy", "auc", "f1"}
    assert 0.68 < figures["accuracy"] < 0.82
    assert figures["auc"] > 0.7
    assert figures["log_loss"] < result["folds"]["log_loss"]["high"]


def test_nested_answers_meet_no_row_and_no_family(sailed: Ran) -> None:
    """Each row is answered once in each repeat, and its family is never learnt from."""
    workspace, ready = prepared(sailed[0])
    bench = running.lay_out(workspace, ready)
    answers = nesting.nested(workspace, bench)
    assert answers.height == 2 * bench.material.questions.height
    assert answers["unit"].value_counts()["count"].unique().to_list() == [2]
    for split in nesting.outer_folds(workspace, bench):
        met, asked = (set(bench.material.questions["group"].gather(side)) for side in (split.train, split.test))
        assert not met & asked
    again = nesting.again(workspace, bench, json_recipe(sailed[1]))
    assert again.shape == (answers.height, 2)
    # The same recipe in the same folds: all that differs is the calibration of the answers.
    assert np.corrcoef(again[:, 1], answers["prediction"].to_numpy()[:, 1])[0, 1] > 0.98


def json_recipe(result: dict[str, Any]) -> Recipe | Blend:
    told = json.loads((Path(result["files"]["release"]) / "recipe.json").read_text())
    return recipes.read_plan(told)


def test_people_are_told_their_class_with_its_chance(sailed: Ran, tmp_path: Path) -> None:
    folder, _ = sailed
    ask = pl.DataFrame({"sex": ["female", "male", "robot"], "age": ["30", "", "30"]})
    ask.write_csv(tmp_path / "ask.csv")
    asof.predict(asof.open_project(str(folder)), asof.Asked(input=tmp_path / "ask.csv"), tmp_path / "out.parquet")
    told = pl.read_parquet(tmp_path / "out.parquet")
    assert told["prediction"].to_list()[:2] == ["1", "0"]
    assert (told["chance_0"] + told["chance_1"]).to_list() == pytest.approx([1.0] * 3)
    chosen = [row[f"chance_{row['prediction']}"] for row in told.iter_rows(named=True)]
    assert told["probability"].to_list() == pytest.approx(chosen)
    assert told["outside"].to_list() == [False, False, True]
    with pytest.raises(asof.DataError, match=r"rows of people have no time: give --input"):
        asof.predict(asof.open_project(str(folder)), asof.Asked(start="2021-01-01", end="2021-01-02"))


def test_running_again_keeps_the_release(sailed: Ran) -> None:
    folder, result = sailed
    again = asof.run(asof.open_project(str(folder)))
    assert again["release"] == result["release"]
    forced = asof.run(asof.open_project(str(folder), force=True))
    assert forced["fingerprint"] == result["fingerprint"]
    assert forced["promoted"] is False, "the same recipe is no better than itself"
    assert "on the same folds" in forced["decision"]["on"]


def test_many_rows_have_a_holdout(tmp_path: Path) -> None:
    project = houses.PASSENGERS.replace(", group: family", "")
    folder = houses.make(tmp_path / "many", project, people=houses.people(kfolds.FEW_ROWS))
    result = asof.run(asof.open_project(str(folder)))
    assert result["opened"] == 1
    assert result["audit"]["failed"] == []
    assert asof.run(asof.open_project(str(folder), force=True))["opened"] == 2
    workspace, ready = prepared(folder)
    bench = running.lay_out(workspace, ready)
    assert bench.split.test.size == pytest.approx(kfolds.FEW_ROWS / 5, abs=20), "equal rows stay together"
    assert not set(bench.split.test) & {row for fold in bench.folds for row in [*fold.train, *fold.test]}


def test_the_released_calibration_is_made_of_what_the_model_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of answers that a first calibration has corrected already: the model in service gives what it gives."""
    seen: list[pl.DataFrame] = []

    def calibrate(answers: pl.DataFrame, classes: int, **_: object) -> Calibrated:
        seen.append(answers)
        return Calibrated(classes, "temperature", temperature=2.0)

    monkeypatch.setattr(probabilities, "calibrate", calibrate)
    project = houses.PASSENGERS.replace(", group: family", "")
    asof.run(asof.open_project(str(houses.make(tmp_path / "x", project, people=houses.people(kfolds.FEW_ROWS)))))
    folds, released = seen
    told = [answers["prediction"].to_numpy() for answers in (folds, released)]
    assert np.array_equal(told[0], told[1][: folds.height])
    held = released[folds.height :]
    bench = running.lay_out(*prepared(tmp_path / "x"))
    assert held["unit"].to_list() == bench.material.questions["unit"][bench.split.test].to_list()


def test_numbers_of_rows_without_a_time_have_intervals_too(tmp_path: Path) -> None:
    page = houses.HOUSES.replace("    time: {columns: [sold], zone: America/New_York}\n", "")
    page = page.replace("features: [calendar, history: {windows: [56d]}]\n", "").replace(
        "holdout: 28d, folds: 2, fold: 28d, metric: rmsle", "folds: 3, metric: rmsle"
    )
    folder = houses.make(tmp_path / "x", page, sales=houses.sales(500).drop("sold"))
    result = asof.run(asof.open_project(str(folder)))
    assert result["audit"]["failed"] == []
    # Without a time the town of a house is never learnt from: its level of some 25 % is part of the error.
    assert 0.2 < result["holdout"]["rmsle"]["value"] < 0.7
    assert 0.8 < result["coverage"] < 0.97
    answers = pl.read_parquet(result["files"]["predictions"])
    assert answers.height == 20
    assert answers.columns[:3] == ["unit", "place", "prediction"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"survived": pl.lit(1)}, "people.survived holds only the class '1': there is nothing to tell apart"),
        ({"survived": pl.col("id")}, "people.survived holds 400 different values, at most 100 can be classes"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path: Path, change: dict[str, pl.Expr], said: str) -> None:
    folder = houses.make(tmp_path / "x", houses.PASSENGERS, people=houses.people().with_columns(**change))
    with pytest.raises(asof.DataError, match=said):
        asof.run(asof.open_project(str(folder)))


def test_two_rows_are_too_few(tmp_path: Path) -> None:
    two = pl.concat([houses.people().filter(pl.col("survived") == code).head(1) for code in (0, 1)])
    folder = houses.make(tmp_path / "x", houses.PASSENGERS, people=two)
    with pytest.raises(asof.DataError, match=r"2 rows with a label; 3 folds need at least as many: lower judge.folds"):
        asof.run(asof.open_project(str(folder)))


def test_a_class_that_only_few_rows_have_does_not_stop_a_run(tmp_path: Path) -> None:
    """A third class held by two rows is missing from the training part of some folds."""
    rare = pl.when(pl.col("id").is_in(["p3", "p9"])).then(pl.lit("2")).otherwise(pl.col("survived").cast(pl.String))
    project = houses.PASSENGERS.replace("repeats: 2", "repeats: 1")
    folder = houses.make(tmp_path / "x", project, people=houses.people().with_columns(survived=rare))
    result = asof.run(asof.open_project(str(folder)))
    assert result["audit"]["failed"] == []
    assert np.isfinite(result["holdout"]["log_loss"]["value"])


DEAR = houses.HOUSES.replace("value: sales.price", "classes: sales.kind").replace("metric: rmsle", "metric: log_loss")


def kinds(*, renamed: bool = False, late: bool = False) -> pl.DataFrame:
    """Houses by kind instead of price: cheap or dear; perhaps with a kind that comes up in the last weeks only."""
    dear = pl.when(pl.col("price") > 400_000).then(pl.lit("dear")).otherwise(pl.lit("cheap"))
    kind = pl.when(pl.col("sold") > "2021-08-10").then(pl.lit("new")).otherwise(dear) if late else dear
    kind = kind.replace({"cheap": "affordable"}) if renamed else kind
    return houses.sales().with_columns(kind=pl.when(pl.col("price").is_not_null()).then(kind)).drop("price")


def test_a_release_tells_the_classes_that_it_has_learnt(tmp_path: Path) -> None:
    """Whatever the data are called by now; a champion of other classes is compared by its recipe."""
    page = DEAR.replace("linear", "logistic")
    folder = houses.make(tmp_path / "x", page, sales=kinds())
    first = asof.run(asof.open_project(str(folder)))
    ask = pl.DataFrame({"sold": ["2021-08-20"], "town": ["t03"], "area": ["900"], "garden": ["yes"]})
    ask.write_csv(tmp_path / "ask.csv")
    houses.make(folder, page, sales=kinds(renamed=True))
    workspace = asof.open_project(str(folder))
    asof.predict(workspace, asof.Asked(input=tmp_path / "ask.csv"), tmp_path / "out.csv")
    told = pl.read_csv(tmp_path / "out.csv")
    assert told["prediction"].to_list() == ["dear"]
    assert {"chance_cheap", "chance_dear"} <= set(told.columns)
    again = asof.run(asof.open_project(str(folder)))
    assert again["decision"]["on"].endswith("(the champion was made for other classes)")
    houses.make(folder, page, sales=kinds(late=True))
    third = asof.run(asof.open_project(str(folder)))
    said = [one["message"] for one in third["findings"] if one["check"] == "unseen class"]
    assert len(said) == 1
    assert "judged rows have the class 'new', which no row had that was learnt from" in said[0]
    assert first["release"] != third["release"]


def test_a_metric_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    project = houses.PASSENGERS.replace("judge: {", "judge: {metric: rmse, ")
    folder = houses.make(tmp_path / "x", project, people=houses.people())
    with pytest.raises(asof.ProjectError, match=r"judge.metric: rmse does not judge classes; .* log_loss"):
        asof.open_project(str(folder))


def test_one_place_needs_no_name(tmp_path: Path) -> None:
    """A panel without places: how many people a day in all."""
    page = """\
name: visits
sources:
  visits: {files: visits.csv, key: id, time: {columns: [day], zone: UTC}}
predict: {count: visits, per: {every: 1d}}
features: [calendar, history: {windows: [28d]}]
judge: {holdout: 28d, folds: 2, fold: 28d}
train: {budget: 0s, candidates: [poisson], threads: 1}
"""
    draw = np.random.default_rng(1)
    days = pl.date_range(pl.date(2021, 1, 1), pl.date(2021, 10, 31), eager=True)
    counts = draw.poisson([30 if day.weekday() < 5 else 10 for day in days])
    visits = pl.DataFrame({"day": days}).select(pl.col("day").repeat_by(pl.Series(counts)).explode())
    folder = houses.make(tmp_path / "x", page, visits=visits.with_row_index("id"))
    result = asof.run(asof.open_project(str(folder)))
    assert result["audit"]["failed"] == []
    assert 0.7 < result["holdout"]["poisson_deviance"]["value"] < 1.5
    answers = pl.read_parquet(result["files"]["predictions"])
    assert answers["place"].to_list() == ["all"]


def test_rows_with_a_time_are_backtested(sold: Ran, tmp_path: Path) -> None:
    folder, _ = sold
    span = asof.Span(cut="2021-07-01", until="2021-08-01")
    page = (folder / "project.yaml").read_text()
    short = houses.make(tmp_path / "short", page.replace("folds: 2, fold: 28d", "folds: 4"), sales=houses.sales())
    # Four folds of the 59 days that are answered would leave nothing to learn from: they are shorter.
    asof.backtest(asof.open_project(str(short)), asof.Span(cut="2021-07-01", until="2021-08-29"), tmp_path / "o.csv")
    told = asof.backtest(asof.open_project(str(folder)), span, tmp_path / "out.parquet")
    answers = pl.read_parquet(tmp_path / "out.parquet")
    sold_then = houses.sales().filter(pl.col("sold").is_between(pl.lit("2021-07-01"), pl.lit("2021-07-31")))
    assert answers["unit"].sort().to_list() == sold_then["id"].sort().to_list()
    assert (
        answers["label"].to_list()
        == answers.join(sold_then, left_on="unit", right_on="id", how="left")["price"].to_list()
    )
    assert 0.13 < told["scores"]["rmsle"]["value"] < 0.22


def test_classes_with_a_time_are_backtested(tmp_path: Path) -> None:
    page = houses.HOUSES.replace("value: sales.price", "classes: sales.dear").replace(
        "metric: rmsle", "metric: log_loss"
    )
    table = houses.sales().with_columns(
        dear=pl.when(pl.col("price") > 400_000).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    folder = houses.make(tmp_path / "x", page.replace("linear", "logistic"), sales=table.drop("price"))
    told = asof.backtest(asof.open_project(str(folder)), asof.Span(cut="2021-07-01"), tmp_path / "out.csv")
    answers = pl.read_csv(tmp_path / "out.csv")
    assert set(answers["prediction"]) == set(answers["label"]) == {"yes", "no"}
    assert (answers["prediction"] == answers["label"]).mean() == pytest.approx(
        told["scores"]["accuracy"]["value"], abs=0.02
    )
    assert told["scores"]["accuracy"]["value"] > 0.85


def test_without_a_time_there_is_no_backtest(sailed: Ran, tmp_path: Path) -> None:
    with pytest.raises(asof.DataError, match="rows of people have no time, so there is no cut"):
        asof.backtest(asof.open_project(str(sailed[0])), asof.Span(cut="2021-07-01"), tmp_path / "out.csv")


def test_groups_of_rows_with_a_time_stand_on_one_side(tmp_path: Path) -> None:
    project = houses.HOUSES.replace("metric: rmsle", "metric: rmsle, group: garden")
    table = houses.sales().with_columns(garden=pl.format("g{}", pl.int_range(pl.len()) % 300))
    folder = houses.make(tmp_path / "x", project, sales=table)
    workspace = asof.open_project(str(folder))
    intake.take_in(workspace)
    _, ready = prepared(folder)
    bench = running.lay_out(workspace, ready)
    assert "garden" not in bench.material.features.columns
    for split in (*bench.folds, bench.split):
        sides = [set(bench.material.questions["group"].gather(side)) for side in (split.train, split.test)]
        assert not sides[0] & sides[1]
    assert bench.split.cut is not None
