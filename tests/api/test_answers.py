"""What a server answers: the same as the batch, one answer a row, in the kind that is asked for."""

import io
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import polars as pl
import pytest

import asof
from asof.api import Settings
from asof.flows.predicting import Asked
from tests.api.conftest import opened, standing
from tests.flows import houses, world

JSON = {"content-type": "application/json"}


def asked(client: httpx.Client, rows: list[dict[str, object]], **headers: str) -> httpx.Response:
    """Send rows as instances."""
    return client.post("/invocations", content=json.dumps({"instances": rows}), headers=JSON | headers)


def batch(folder: Path, rows: pl.DataFrame, tmp_path: Path) -> pl.DataFrame:
    """What ``asof predict --input`` writes."""
    rows.write_csv(tmp_path / "rows.csv")
    asof.predict(asof.open_project(str(folder)), Asked(input=tmp_path / "rows.csv"), tmp_path / "told.parquet")
    return pl.read_parquet(tmp_path / "told.parquet")


def test_every_row_gets_its_answer_in_its_place(panel: httpx.Client, crashes: Path, tmp_path: Path) -> None:
    """Answers that were made ahead, answers that are made now, and reasons, mixed: equal to those of the batch."""
    rows = pl.DataFrame(
        {
            "place": ["z3", "nowhere", "z1", "z1", "z5", "z0", "z2"],
            "start": ["2021-07-20", "2021-07-20", "soon", "2021-07-20", "2021-05-01", "2022-01-01", "2021-07-19"],
            "horizon": ["2d", "1d", "1d", "1d", "2d", "1d", "9d"],
        }
    )
    told = asked(panel, rows.to_dicts()).json()["predictions"]
    expected = batch(crashes, rows, tmp_path)
    assert [row["reason"] for row in told] == expected["reason"].to_list()
    assert [row["place"] for row in told] == rows["place"].to_list()
    assert [row["reason"] is None for row in told] == [True, False, False, True, True, False, False]
    for row, want in zip(told, expected.iter_rows(named=True), strict=True):
        for name in ("prediction", "low", "high"):
            assert row[name] == (None if want[name] is None else pytest.approx(want[name], rel=1e-12))
    first = told[0]
    assert first["as_of"] == "2021-07-18T04:00:00Z"
    assert first["start"] == "2021-07-20T04:00:00Z"
    assert first["outside"] is False
    assert first["low"] <= first["prediction"] <= first["high"]
    release = panel.get("/v1/release").json()["release"]
    assert {row["release"] for row in told} == {release}


def test_ways_to_write_the_same_rows(panel: httpx.Client) -> None:
    """SageMaker's instances and CSV, MLflow's two forms, JSON lines, a plain list: the same answers."""
    rows = [{"place": "z1", "start": "2021-07-20"}, {"place": "z4", "start": "2021-07-20"}]
    expected = asked(panel, list(rows)).json()
    split = {"dataframe_split": {"columns": ["place", "start"], "data": [list(row.values()) for row in rows]}}
    for body in ({"dataframe_records": rows}, split, {"rows": rows}, rows):
        assert panel.post("/invocations", json=body).json() == expected
    lines = "\n".join(map(json.dumps, rows))
    told = panel.post("/invocations", content=lines, headers={"content-type": "application/x-ndjson"})
    assert told.json() == expected
    text = pl.DataFrame(rows).write_csv()
    told = panel.post("/invocations", content="\ufeff" + text, headers={"content-type": "text/csv; charset=utf-8"})
    assert told.json() == expected
    assert panel.post("/v1/predict", json={"rows": rows}).json() == expected


def test_ways_to_be_answered(panel: httpx.Client) -> None:
    rows: list[dict[str, object]] = [{"place": "z1", "start": "2021-07-20"}, {"place": "none", "start": "2021-07-20"}]
    expected = asked(panel, rows).json()["predictions"]
    as_csv = asked(panel, rows, accept="text/csv;q=0.9, text/html")
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    read = pl.read_csv(io.StringIO(as_csv.text))
    assert read["prediction"].to_list() == [expected[0]["prediction"], None]
    assert read["reason"].to_list() == [None, expected[1]["reason"]]
    lines = asked(panel, rows, accept="application/jsonlines").text
    assert [json.loads(line) for line in lines.splitlines()] == expected
    refused = asked(panel, rows, accept="image/png")
    assert refused.status_code == 406
    assert "text/csv" in refused.json()["error"]["reason"]


def test_a_place_is_found_by_its_coordinates(tmp_path: Path) -> None:
    """Latitude and longitude stand for the cell."""
    rows = world.calls(days=120, places=3)
    at = rows["zone"].str.slice(1).cast(pl.Int64)
    rows = rows.with_columns(lat=40.0 + at * 0.2, lon=-74.0 + at * 0.2)
    project = world.PROJECT.replace("place: zone\npredict", "place: {lat: lat, lon: lon}\npredict")
    project = project.replace("{place: zone, every: 1d}", "{place: h3:6, every: 1d}")
    folder = world.make(tmp_path / "cells", project=project, rows=rows)
    asof.run(asof.open_project(str(folder)))
    with standing(opened(folder), Settings(renew=0)) as client:
        told = asked(client, [{"lat": 40.2, "lon": -73.8, "start": "2021-05-01"}, {"lat": 99, "lon": 0, "start": "x"}])
        found, lost = told.json()["predictions"]
        again = asked(client, [{"place": found["place"], "start": "2021-05-01"}]).json()["predictions"][0]
    assert found["prediction"] > 0
    assert again == found
    assert lost["prediction"] is None
    assert lost["reason"]


def test_classes_are_told_with_their_chances(classes: httpx.Client, people: Path, tmp_path: Path) -> None:
    rows = houses.people().drop("survived").head(20)
    told = asked(classes, rows.to_dicts()).json()["predictions"]
    expected = batch(people, rows, tmp_path)
    assert [row["prediction"] for row in told] == expected["prediction"].to_list()
    assert [row["unit"] for row in told] == rows["id"].to_list()
    for row, want in zip(told, expected.iter_rows(named=True), strict=True):
        assert row["chances"] == pytest.approx({"0": want["chance_0"], "1": want["chance_1"]})
        assert row["probability"] == pytest.approx(row["chances"][row["prediction"]])
        assert sum(row["chances"].values()) == pytest.approx(1)


def test_newer_rows_and_a_new_champion_are_taken_up(own: Path) -> None:
    """Between two requests: what could not be known before is answered after, by the release of that moment."""
    desk = opened(own)
    with standing(desk, Settings(renew=0)) as client:
        later: dict[str, object] = {"place": "z2", "start": "2021-07-25", "horizon": "1d"}
        before = asked(client, [later]).json()["predictions"][0]
        assert "asked after the last moment" in before["reason"]
        assert not desk.renew()
        more = world.calls(days=206).filter(pl.col("at") >= "2021-07-20")
        more.with_columns(id=pl.format("n{}", pl.int_range(pl.len()))).write_csv(own / "calls-2.csv")
        asof.ingest(asof.open_project(str(own)))
        assert desk.renew()
        after = asked(client, [later]).json()["predictions"][0]
        assert after["reason"] is None
        assert datetime.fromisoformat(after["as_of"]) == datetime(2021, 7, 24, 4, tzinfo=UTC)
        assert after["release"] == before["release"]
        other = asof.open_project(str(own), overrides=["train.seed=5", "train.candidates=[linear]"])
        made = asof.train(other)["release"]
        registry = asof.open_project(str(own)).registry
        found = registry.find(str(made))
        assert found is not None
        registry.set_alias("champion", found.version)
        assert desk.renew()
        assert asked(client, [later]).json()["predictions"][0]["release"] == found.name
        assert client.get("/v1/release").json()["release"] == found.name


def test_what_stands_stays_where_renewing_fails(own: Path) -> None:
    """A release that cannot be read is told of, and the one that stands goes on answering."""
    desk = opened(own)
    made = asof.train(asof.open_project(str(own), overrides=["train.seed=5"]))["release"]
    registry = asof.open_project(str(own)).registry
    found = registry.find(str(made))
    assert found is not None
    registry.set_alias("champion", found.version)
    (found.folder / "card.md").write_text("changed by someone")
    name = desk.standing.oracle.release.name
    with standing(desk, Settings(renew=0.05)) as client:
        until = time.monotonic() + 20
        while "asof_renewal_failing 1.0" not in client.get("/metrics").text and time.monotonic() < until:
            time.sleep(0.01)
        assert "trouble" in client.get("/ping").json()
        row: dict[str, object] = {"place": "z2", "start": "2021-07-20"}
        assert asked(client, [row]).json()["predictions"][0]["release"] == name
        assert "card.md" in desk.trouble
        assert "asof_renewal_failing 1.0" in client.get("/metrics").text
