"""Forms of one question: a field for each column, and an answer that is that of the desk."""

import socket
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import asof
from asof.errors import DataError, OutsideError, UserError
from asof.ui import forms, launching, oddities, replies, sights
from asof.ui.sights import Opening, Sight
from tests.flows import houses


def sight(folder: Path) -> Sight:
    """Open the champion of a project as the page does."""
    opening = Opening(str(folder))
    workspace = sights.open_workspace(opening)
    offered = sights.choices(workspace, opening.release)
    return sights.open_sight(workspace, offered[sights.first(workspace, offered, opening.release)])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Sight:
    folder = houses.make(tmp_path_factory.mktemp("people"), houses.PASSENGERS, people=houses.people())
    asof.run(asof.open_project(str(folder)))
    return sight(folder)


def test_a_row_has_a_field_for_each_column_with_what_was_seen(people: Sight) -> None:
    fields = {field.name: field for field in forms.of_rows(people).columns}
    rows = houses.people()
    assert fields["sex"].options == ("female", "male")
    assert fields["sex"].usual == "male"
    assert fields["age"].kind == "whole"
    ages = rows["age"].drop_nulls()
    assert fields["age"].usual == round(float(ages.median() or 0))  # type: ignore[arg-type]
    assert fields["age"].hint == f"seen from {ages.min()} to {ages.max()}"
    assert set(fields) == {"sex", "age"}, "neither the key, nor the group, nor the label"


def test_a_case_is_answered_with_chances_and_reasons_that_sum_to_it(people: Sight) -> None:
    asked = forms.texts({"sex": "female", "age": 30})
    assert asked.rows() == [("female", "30")]
    reply = replies.ask(people, asked)
    told = people.desk.answer(asked).row(0, named=True)
    assert reply.chances == {"0": told["chance_0"], "1": told["chance_1"]}
    assert reply.base is not None
    assert reply.base + sum(one["reason"] for one in reply.reasons) == pytest.approx(told["chance_1"])
    assert replies.tiles(people, reply)[0][:2] == ("survived", told["prediction"])
    unknown = replies.ask(people, forms.texts({"sex": " ", "age": None}))
    assert unknown.answer["outside"] is True, "nobody's sex was unknown in training"
    assert oddities.spoken(oddities.of_rows(people, forms.texts({"sex": " ", "age": None}))) == (
        "Outside because of sex: unknown here, never in training."
    )
    assert oddities.of_rows(people, asked) == []


def test_a_form_can_begin_with_a_row_of_the_source(people: Sight) -> None:
    row = houses.people().row(3, named=True)
    assert forms.of_row(people, "p3") == {"sex": row["sex"], "age": row["age"]}
    assert forms.of_row(people, "nobody") == {}


def test_a_value_that_cannot_be_read_is_told(people: Sight) -> None:
    assert replies.ask(people, forms.texts({"sex": "male", "age": "old"})).refused == "age is not a number"
    with pytest.raises(DataError, match="no column age"):
        replies.ask(people, forms.texts({"sex": "male"}))


def test_what_most_rows_do_not_tell_is_usually_unknown() -> None:
    told = forms._field("cabin", pl.Series(["B1", None, None]), None, used=True)
    assert (told.kind, told.usual) == ("text", None)
    days = pl.Series([date(2021, 3, 1), date(2021, 3, 3), None])
    assert forms._field("built", days, None, used=True).usual == date(2021, 3, 2)
    assert forms._field("garden", pl.Series([True, True, False]), None, used=True).usual == "true"
    share = forms._field("share", pl.Series([0.5, 0.25, 1.0]), None, used=False)
    assert (share.kind, share.usual, share.hint) == ("number", 0.5, "seen from 0.250 to 1")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutsideError, match=f"port {port} of 127.0.0.1 is in use"):
            launching._port(port)
    assert launching._port(0) > 0


def test_small_reasons_are_added_up() -> None:
    many: list[dict[str, Any]] = [{"feature": f"f{at}", "reason": 1.0 / at} for at in range(1, 13)]
    few = replies.fewest(many)
    assert len(few) == replies.FEW + 1
    assert few[-1]["feature"] == "4 others"
    assert sum(one["reason"] for one in few) == pytest.approx(sum(one["reason"] for one in many))
    assert replies.fewest(many[:9]) == tuple(many[:9]), "one alone is no others"


def test_periods_go_from_the_first_that_is_covered_to_the_furthest_ahead(
    finished: tuple[Path, Mapping[str, Any]],
) -> None:
    seen = sight(finished[0])
    told = forms.of_periods(seen.standing.prepared)
    ready = seen.standing.ready
    assert ready is not None
    latest = ready["start"].max()
    assert isinstance(latest, datetime)
    assert told.latest.date() == latest.astimezone(ZoneInfo("America/New_York")).date()
    assert told.earliest.date() == date(2021, 1, 4), "covered from the first, two days ahead"
    for day, answered in ((told.earliest, True), (told.latest, True)):
        rows = forms.period(seen.standing.prepared, "z1", day.date().isoformat())
        assert (replies.ask(seen, rows).refused == "") == answered
    beyond = forms.period(seen.standing.prepared, "z1", "2031-01-01")
    assert "ingest newer rows or ask further ahead" in replies.ask(seen, beyond).refused
    assert replies.busiest(seen, ["z0", "z5"]) == "z5"


def test_a_release_is_opened_by_its_folder_or_its_name(finished: tuple[Path, Mapping[str, Any]]) -> None:
    folder, result = finished
    opening = Opening(str(folder), overrides=("train.threads=1",), release=result["files"]["release"])
    assert Opening.read(opening.write()) == opening
    workspace = sights.open_workspace(opening)
    offered = sights.choices(workspace, opening.release)
    assert [choice.name for choice in offered] == [result["release"]]
    assert offered[0].label.startswith("v1 · champion · ")
    assert sights.first(workspace, offered, opening.release) == 0
    assert sights.open_sight(workspace, offered[0]).result["release"] == result["release"]
    with pytest.raises(DataError, match="no release 'nine' of world"):
        sights.first(workspace, offered, "nine")


def test_without_its_libraries_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching.importlib.util, "find_spec", lambda name: None if name == "pydeck" else object())
    with pytest.raises(UserError, match=r"the page needs pydeck: pip install 'asof\[ui\]'"):
        launching.need_libraries()


def test_the_page_is_for_this_machine_and_sends_nothing() -> None:
    told = launching.options(8501)
    assert told["server.address"] == "127.0.0.1"
    assert told["browser.gatherUsageStats"] is False
