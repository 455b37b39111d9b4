"""The example `weather_outcome`: repaired stations, weather as history or declared to be known ahead, resolutions."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import asof
from asof.flows import intake, learning, preparation
from tests.examples import copies

LIGHT = (*copies.light("linear_firm_log"), "features.weather.windows=[7d]")
Ran = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = copies.copy("weather_outcome", tmp_path_factory.mktemp("examples"))
    return folder, asof.run(asof.open_project(str(folder), overrides=LIGHT))


def read(folder: Path, *overrides: str) -> tuple[preparation.Prepared, pl.DataFrame, pl.DataFrame]:
    """What is prepared, and the questions of 2021 with their features."""
    workspace = asof.open_project(str(folder), overrides=overrides)
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    first = datetime.fromisoformat("2021-01-01T08:00:00+00:00")
    material = learning.gather(workspace, prepared, first, prepared.last)
    return prepared, material.questions, material.features


def test_the_simulated_outcomes_are_what_the_script_draws(ran: Ran) -> None:
    folder, _ = ran
    written = (folder / "outcomes_simulated.csv").read_bytes()
    subprocess.run([sys.executable, str(folder / "make_outcomes.py")], check=True)
    assert (folder / "outcomes_simulated.csv").read_bytes() == written


def test_history_alone_is_judged_honestly(ran: Ran) -> None:
    _, result = ran
    assert result["metric"] == "rmsle"
    assert result["audit"]["failed"] == result["audit"]["accepted"] == []
    assert 2 < result["holdout"]["rmsle"]["value"] < 5
    assert 0.35 < result["holdout"]["auc_event"]["value"] < 0.85
    # The mean of logarithms knows no weather; a model that read the future would be far below it.
    assert -0.1 < result["skill"]["value"] < 0.15


def test_releases_and_answers_lie_where_the_location_says(ran: Ran) -> None:
    folder, result = ran
    release = next((folder / ".asof" / "models" / "oregon1").glob("*/model_type=*"))
    assert result["release"].endswith(release.parent.name)
    workspace = asof.open_project(str(folder), overrides=LIGHT)
    asked = asof.Asked(start="2021-12-01", end="2022-01-01", location="oregon1", release=result["release"])
    told = asof.predict(workspace, asked)
    assert Path(told["file"]) == release / "predictions" / "2021-12-01_to_2022-01-01" / "predictions.parquet"
    answers = pl.read_parquet(told["file"])
    assert len(answers) == told["answered"] == 31
    assert (answers["prediction"] >= 0).all()
    assert (answers["low"] <= answers["high"]).all()


def test_stations_are_repaired_and_read_as_of_midnight_in_oregon(ran: Ran) -> None:
    prepared, questions, features = read(ran[0])
    rows = prepared.past.table("gsod").rows.filter(pl.col("STATION") == "72698024229").sort("_ended")
    assert 960 < rows["STP"].min() < rows["STP"].max() < 1045  # type: ignore[operator]
    assert pl.Series(rows["STP"]).is_between(1000, 1045).mean() > 0.9  # type: ignore[operator]
    assert np.corrcoef(rows.drop_nulls(["STP", "SLP"]).select("STP", "SLP").to_numpy().T)[0, 1] > 0.99
    assert rows["TEMP"].max() < 130  # type: ignore[operator]
    assert set(rows["rain"].drop_nulls()) == {0, 1}
    for name in ("TEMP", "PRCP"):
        known = dict(zip(rows["_ended"], rows[name], strict=True))
        for number in (0, 100, 364):
            last = max(moment for moment in known if (questions["as_of"][number] - moment).total_seconds() >= 2 * 86400)
            assert features[f"weather_kpdx_{name}"][number] == pytest.approx(known[last])


def test_the_weather_of_the_day_is_read_only_where_it_is_declared_and_accepted(ran: Ran, tmp_path: Path) -> None:
    folder, _ = ran
    ahead = "features.weather.known_ahead=true"
    prepared, questions, features = read(folder, ahead)
    rows = prepared.past.table("gsod").rows.filter(pl.col("STATION") == "72694024232")
    known = dict(zip(rows["DATE"], rows["TEMP"], strict=True))
    days = questions["start"].dt.convert_time_zone("America/Los_Angeles").dt.strftime("%Y-%m-%d")
    told = features["weather_ksle_TEMP"].to_list()
    assert told[:200] == [pytest.approx(known[day]) for day in days[:200]]
    store = f"store={tmp_path / 'store'}"
    result = asof.run(asof.open_project(str(folder), environment="forecast", overrides=(*LIGHT, store)))
    assert result["audit"]["failed"] == []
    assert result["audit"]["accepted"] == ["future:weather_*"]
    refused = {
        one["subject"]
        for one in result["findings"]
        if one["check"] == "future" and "that is no forecast" in one["message"]
    }
    assert {f"weather_{station}_TEMP{window}" for station in ("kpdx", "ksle") for window in ("", "_7d")} <= refused
    assert result["skill"]["value"] > 0.02
    page = next((tmp_path / "store").glob(f"models/oregon1/{result['release'].split('-')[-1]}/*/report.html"))
    assert "a forecast stands in for it" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("every", "windows"), [("7d", ("14d", "91d")), ("30d", ("91d", "364d"))])
def test_longer_periods_average_weather_and_sum_events(
    ran: Ran, tmp_path: Path, every: str, windows: tuple[str, ...]
) -> None:
    folder, _ = ran
    per = f"predict.per.every={every}"
    prepared, questions, features = read(folder, per, "features.weather.known_ahead=true")
    assert {f"weather_kpdx_TEMP_{window}" for window in windows} <= set(features.columns)
    rows = prepared.past.table("gsod").rows.filter(pl.col("STATION") == "72698024229")
    events = prepared.past.table("outcomes").rows
    for number in (0, questions.height - 1):
        start, end = questions["start"][number], questions["end"][number]
        inside = (pl.col("_ended") > start) & (pl.col("_ended") <= end)
        assert features["weather_kpdx_TEMP"][number] == pytest.approx(rows.filter(inside)["TEMP"].mean())
        assert features["weather_kpdx_PRCP"][number] == pytest.approx(rows.filter(inside)["PRCP"].sum())
        assert questions["label"][number] == pytest.approx(events.filter(inside)["outcome_of_int"].sum())
    light = (*copies.light("linear_log"), "judge.folds=2", per)
    workspace = asof.open_project(str(folder), overrides=light)
    result = asof.backtest(workspace, asof.Span(cut="2021-01-01"), tmp_path / "answers.parquet")
    answers = pl.read_parquet(tmp_path / "answers.parquet")
    assert len(answers) == result["questions"]
    assert answers["label"].drop_nulls().to_list() == questions["label"].to_list()
    assert result["scores"]["rmsle"]["value"] < 5
