"""Answers of a server are kept in the store as questions, and never at the cost of an answer."""

import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic_core import to_json

import asof
from asof.api import Settings, answers
from asof.api.quick import Quick
from asof.errors import OutsideError
from asof.flows import logbook
from asof.flows.logbook import Logbook
from asof.flows.oracles import CHANCE
from asof.flows.serving import Desk
from tests.api.conftest import opened, standing

NEXT = 3
"""Questions of the next day that are asked."""


def kept(desk: Desk) -> pl.DataFrame:
    told = desk.workspace.lake.predictions()
    assert told is not None
    return told.filter(pl.col("door") == "server")


def asked(desk: Desk) -> list[dict[str, Any]]:
    """Questions that have their answers ready, and one of a past day that has not."""
    ready = desk.standing.ready
    assert ready is not None
    rows = ready.head(NEXT).select("place", pl.col("start").dt.convert_time_zone("America/New_York"), "horizon")
    return [
        *rows.with_columns(pl.col("start").dt.strftime("%Y-%m-%d")).to_dicts(),
        {"place": "z1", "start": "2021-06-01", "horizon": "1d"},
    ]


def test_answers_are_kept_once_whichever_way_they_were_made(own: Path) -> None:
    desk = opened(own)
    with standing(desk, Settings(renew=0, logbook=Logbook(desk.workspace, seconds=60))) as client:
        rows = asked(desk)
        first = client.post("/v1/predict", json={"rows": rows}).json()["predictions"]
        for _ in range(2):  # the second time they come from what was made ahead
            client.post("/v1/predict", json={"rows": rows[:NEXT]})
        client.post("/v1/predict", json={"rows": [{"place": "z1", "start": "no day"}]})
    told = kept(desk).sort("start", "place", "horizon")
    assert told.height == NEXT + 1
    wanted = sorted(first, key=lambda one: (one["start"], one["place"], one["horizon"]))
    assert told["prediction"].to_list() == pytest.approx([one["prediction"] for one in wanted])
    assert told["low"].null_count() == 0
    assert told["release"].unique().to_list() == [desk.standing.oracle.release.name]
    assert (told["as_of"] < told["start"]).all()
    assert (told["moment"] <= datetime.now(UTC)).all()


def test_what_was_answered_along_is_kept_once_it_is_asked_for(own: Path) -> None:
    """A question about one place answers the others of its day too; only those that somebody asks about are kept."""
    desk = opened(own)
    with standing(desk, Settings(renew=0, logbook=Logbook(desk.workspace, seconds=60))) as client:
        for place in ("z1", "z2", "z2"):
            row = {"place": place, "start": "2021-06-01", "horizon": "1d"}
            assert client.post("/invocations", json=[row]).status_code == 200
    assert kept(desk)["place"].sort().to_list() == ["z1", "z2"]


def test_a_new_champion_answers_anew_and_a_fault_ends_no_book(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = opened(own)
    book = Logbook(desk.workspace, seconds=60)
    quick = Quick(desk.workspace, desk.standing)
    quick.learn(asked(desk))
    line = quick.find(asked(desk)[:1])
    assert line is not None
    old, new = desk.standing, replace(desk.standing)
    for standing_now in (old, old, new, new):
        book.keep_ready(standing_now, line)
    assert [sum(map(len, (one for *_, one in book._waiting.ready))), book.lost] == [2, 0]
    book.flush()
    assert book.kept == 1, "the same release is asked by both"

    def broken(_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(desk.workspace.lake, "write_predictions", broken)
    monkeypatch.setattr(book, "_written", book._written.clear())
    book.keep_ready(replace(new), line)
    book.flush()
    assert (book.lost, book.trouble) == (1, "no such thing")


def test_the_columns_of_a_row_are_never_kept(people: Path, tmp_path: Path) -> None:
    """Only the key, with the answer; a row without its key is not kept at all."""
    folder = Path(shutil.copytree(people, tmp_path / "people"))
    desk = opened(folder)
    row = {"id": "p_new", "sex": "female", "age": "31", "family": "f_secret"}
    with standing(desk, Settings(renew=0, logbook=Logbook(desk.workspace))) as client:
        assert client.post("/v1/predict", json={"rows": [row]}).status_code == 200
        nameless = {name: value for name, value in row.items() if name != "id"}
        assert client.post("/v1/predict", json={"rows": [nameless]}).status_code == 200
    told = kept(desk)
    assert told["unit"].to_list() == ["p_new"]
    assert not {"sex", "age", "family"} & set(told.columns)
    assert "f_secret" not in str(told.to_dicts())


class Broken:
    """A store that refuses, or that hangs until it is let go."""

    def __init__(self, lake: Any) -> None:
        self.lake = lake
        self.go = threading.Event()
        self.fail = True

    def __getattr__(self, name: str) -> Any:  # noqa: D105 - of a fake
        return getattr(self.lake, name)

    def write_predictions(self, rows: pl.DataFrame) -> None:
        if self.fail:
            raise OutsideError("the disk is full")
        self.go.wait(20)
        self.lake.write_predictions(rows)


def test_a_store_that_fails_or_hangs_fails_no_answer_and_is_counted(own: Path) -> None:
    desk = opened(own)
    lake = Broken(desk.workspace.lake)
    desk.workspace.lake = lake  # type: ignore[assignment]
    book = Logbook(desk.workspace, seconds=60, most=NEXT)
    with standing(desk, Settings(renew=0, logbook=book)) as client:
        rows = asked(desk)
        assert client.post("/v1/predict", json={"rows": rows[:NEXT]}).status_code == 200
        book.flush()
        assert (book.kept, book.lost, book.trouble) == (0, NEXT, "the disk is full")
        lake.fail = False
        assert client.post("/v1/predict", json={"rows": rows[1:]}).status_code == 200
        writing = threading.Thread(target=book.flush)
        writing.start()
        # While the store hangs answers go on, and as many wait as may.
        for day in range(1, 6):
            answer = client.post("/v1/predict", json={"rows": [{"place": "z1", "start": f"2021-05-0{day}"}]})
            assert answer.json()["predictions"][0]["reason"] is None
        assert book.lost == NEXT + 2
        lake.go.set()
        writing.join(20)
        told = client.get("/metrics").text
    assert 'asof_answers_kept_total{outcome="lost"} 5.0' in told
    assert 'asof_answers_kept_total{outcome="written"} 3.0' in told
    assert kept(desk).height == NEXT + NEXT


def test_answers_of_a_file_and_a_range_are_kept_unless_the_page_says_no(own: Path) -> None:
    """With as_of and moment; asked again nothing is added."""
    from asof.flows import predicting

    def ask(**settings: Any) -> pl.DataFrame:
        workspace = asof.open_project(str(own), overrides=settings.get("overrides", ()))
        wish = predicting.Asked(start="2021-07-01", end="2021-07-03", location=settings.get("place"))
        predicting.predict(workspace, wish, own / "out.parquet")
        told = workspace.lake.predictions()
        return pl.DataFrame() if told is None else told.filter(pl.col("door") == "predict")

    shutil.rmtree(own / ".asof" / "lake" / "predictions")  # what others asked of the world of this copy
    assert ask(overrides=["watch.keep=false"]).height == 0
    first = ask(place="z2")
    assert first.height == 2 * 2
    again = ask()
    assert again.height == 2 * 2 * 6
    assert again.select("place", "start", "horizon").is_duplicated().sum() == 0
    assert again["as_of"].null_count() == again["moment"].null_count() == 0


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is looked up in /proc")
def test_what_waits_to_be_written_keeps_no_table_in_memory(own: Path) -> None:
    """Of a table about all places, the few answers that were asked for wait; the others are given back."""
    desk = opened(own)
    book = Logbook(desk.workspace, seconds=60)
    numbers = np.random.default_rng(1).random((2_000, 40))

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    before = resident()
    for number in range(200):
        book.keep(desk.standing, pl.DataFrame(numbers + number)[:1], ["place", "start", "horizon"])
    assert book._waiting.rows == 200
    assert resident() - before < 60, "all of the tables are 128 MB"


def test_answers_are_read_back_to_the_bit(own: Path) -> None:
    """What was ready is kept as it was written out: numbers, moments, what is unknown, and chances of classes."""
    standing_now = opened(own).standing
    assert standing_now.ready is not None
    draw = np.random.default_rng(4)
    some = pl.concat([standing_now.ready] * 30).head(300)
    wild = np.ldexp(draw.random(300), draw.integers(-1_000, 1_000, 300))
    odd = some.with_columns(
        prediction=pl.Series(wild),
        low=pl.when(pl.int_range(300) % 3 > 0).then(pl.col("low") / 7),
        high=pl.lit(5e-324),
        place=pl.lit('say "Ä\\n'),
    )
    classes = odd.with_columns(pl.lit("no").alias("prediction"), **{f"{CHANCE}no": wild, f"{CHANCE}a b": 1 / wild})
    for told in (some, odd, classes):
        lines = [to_json(one) for one in answers.records(told)]
        read = logbook._read(replace(standing_now, ready=told), lines)
        assert read.select(told.columns).equals(told)
        assert read.select(told.columns).schema == told.schema
