"""Reasons over HTTP: they sum to the prediction, in its unit."""

import json

import httpx
import pytest

from tests.flows import houses


def test_reasons_sum_to_the_prediction(panel: httpx.Client) -> None:
    rows = [{"place": place, "start": "2021-07-20"} for place in ("z0", "z5", "no")]
    told = panel.post("/v1/explain", json={"rows": rows}).json()["explanations"]
    answers = panel.post("/v1/predict", json={"rows": rows}).json()["predictions"]
    for row, answer in zip(told, answers, strict=True):
        assert {name: row[name] for name in answer} == answer
    for row in told[:2]:
        assert row["base"] + sum(one["reason"] for one in row["reasons"]) == pytest.approx(row["prediction"])
        sizes = [abs(one["reason"]) for one in row["reasons"]]
        assert sizes == sorted(sizes, reverse=True)
    assert told[0]["base"] == told[1]["base"]
    assert (told[2]["base"], told[2]["reasons"]) == (None, None)
    assert "the place itself" in {one["feature"] for one in told[1]["reasons"]}


def test_reasons_of_a_class(classes: httpx.Client) -> None:
    rows = houses.people().drop("survived").head(3).to_dicts()
    for name in ("0", "1"):
        told = classes.post(f"/v1/explain?class={name}", content=json.dumps(rows)).json()["explanations"]
        for row in told:
            summed = row["base"] + sum(one["reason"] for one in row["reasons"])
            assert summed == pytest.approx(row["chances"][name])
    wrong = classes.post("/v1/explain?class=maybe", json=rows)
    assert (wrong.status_code, wrong.json()["error"]["reason"]) == (422, "no class 'maybe'; expected 0, 1")


def test_few_at_once(panel: httpx.Client) -> None:
    assert panel.post("/v1/explain", json=[{"place": "z1", "start": "2021-07-20"}] * 21).status_code == 413
    row = [{"place": "z1", "start": "2021-07-20"}]
    assert panel.post("/v1/explain", json=row, headers={"accept": "text/csv"}).status_code == 406
