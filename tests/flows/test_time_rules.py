"""The rules of time on small whole projects: nothing that is learnt or judged knows more than a user would have."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import asof
from asof.audit import Outcome
from asof.audit import split as splitting
from asof.audit.split import Side
from asof.flows import intake, learning, preparation
from asof.flows.learning import Material
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.labels import labels
from asof.splits import at_cut
from asof.times import Step, midnight
from tests.flows import world

ZONE = "America/New_York"
H3 = world.PROJECT.replace("place: zone\n", "place: {lat: lat, lon: lon}\n").replace("{place: zone,", "{place: h3:7,")
POINTS = {"z0": (40.70, -74.0), "z1": (40.75, -73.95), "z2": (40.80, -73.90), "z3": (40.72, -73.85)}
FIRST_DAY = {"z0": "2021-01-01", "z1": "2021-01-01", "z2": "2021-04-01", "z3": "2021-06-15"}


PEEK = """\
import polars as pl

import asof


@asof.lookup
def peek(questions, past):
    return pl.repeat(",".join(questions.columns), questions.height, eager=True)
"""


def opened(folder: Path, project: str, rows: pl.DataFrame) -> tuple[Workspace, Prepared]:
    """A project on disk, ingested and prepared."""
    world.make(folder, project=project, rows=rows)
    workspace = asof.open_project(str(folder))
    asof.ingest(workspace)
    return workspace, preparation.prepare(workspace, intake.open_tables(workspace))


def material_of(workspace: Workspace, prepared: Prepared) -> Material:
    """All that would be learnt from."""
    return learning.gather(workspace, prepared, preparation.learn_from(workspace, prepared), prepared.last)


def appearing() -> pl.DataFrame:
    """Points of four cells, two of which have their first event in April and in June."""
    rows = world.calls(places=4)
    begun = pl.col("zone").replace_strict(FIRST_DAY)
    rows = rows.filter(pl.col("at").str.slice(0, 10) >= begun)
    lat, lon = (pl.col("zone").replace_strict({name: point[i] for name, point in POINTS.items()}) for i in (0, 1))
    return rows.select("id", "at", lat=lat, lon=lon)


def test_nothing_is_asked_of_a_cell_before_it_was_known(tmp_path: Path) -> None:
    """Training begins with the cell's first known event, and the test of a fold leaves out cells met after its cut."""
    workspace, prepared = opened(tmp_path / "world", H3, appearing())
    material = material_of(workspace, prepared)
    assert material.questions.filter(pl.col("as_of") < pl.col("known_from")).height == 0
    # z2 was first seen on 1 April, known a day later: its first question is asked at the next midnight.
    april = prepared.known_from.filter(pl.col("known_from").dt.month() == 4)["place"][0]
    first = material.questions.filter(pl.col("place") == april)["as_of"].min()
    assert isinstance(first, datetime)
    assert (first.month, first.day) == (4, 3)
    wanted = learning.terms(workspace, prepared, Step.parse("28d"))
    folds = learning.folds_before(material, midnight(datetime(2021, 6, 22, tzinfo=UTC).date(), ZONE), wanted)
    assert [fold.cut.strftime("%m-%d") for fold in folds] == ["05-25", "06-08"]
    for fold in folds:
        assert material.questions[fold.test]["place"].n_unique() == 3  # z3 was met on 15 June
        assert material.questions[fold.test].filter(pl.col("known_from") > fold.cut).height == 0


def test_the_audit_sees_questions_of_unknown_places(tmp_path: Path) -> None:
    """A split that asks about a cell met after its cut fails, however it came about."""
    workspace, prepared = opened(tmp_path / "world", H3, appearing())
    questions = material_of(workspace, prepared).questions
    cut = midnight(datetime(2021, 5, 25, tzinfo=UTC).date(), ZONE)
    right = at_cut(questions, cut)
    wrong = np.flatnonzero((questions["as_of"] >= cut).to_numpy())
    sides = [Side("fold 1", cut, questions[right.train], questions[rows]) for rows in (right.test, wrong)]
    assert splitting.check(sides[:1], ("place", "start")).outcome is Outcome.PASSED
    found = splitting.check(sides[1:], ("place", "start")).findings
    assert [one.message for one in found] == [
        f"{wrong.size - right.test.size} questions of fold 1 are about places that were not yet known"
    ]


def test_a_label_with_a_late_row_is_not_learnt_before_the_row_came(tmp_path: Path) -> None:
    """One row in ten comes 30 days late: no label that is learnt at a cut moves when later rows are taken away."""
    rows = world.calls()
    event = pl.col("at").str.to_datetime()
    prompt = event.dt.truncate("1d").dt.offset_by("2d")
    late = pl.int_range(pl.len()) % 10 == 0
    available = pl.when(late).then(prompt.dt.offset_by("30d")).otherwise(prompt)
    rows = rows.with_columns(known=available.dt.strftime("%Y-%m-%d %H:%M"))
    project = world.PROJECT.replace(f"zone: {ZONE}}}", f"zone: {ZONE}, available: known}}").replace("1d\n", "2d\n", 1)
    workspace, prepared = opened(tmp_path / "world", project, rows)
    questions = material_of(workspace, prepared).questions
    cut = midnight(datetime(2021, 6, 22, tzinfo=UTC).date(), ZONE)
    train = questions[at_cut(questions, cut).train]
    assert 0 < train.height < at_cut(questions.with_columns(known_at="end"), cut).train.size
    again = labels(train.select("place", "start", "end", "as_of", "horizon"), prepared.past.known(cut))
    assert again["label"].equals(train["label"])


def test_what_is_left_out_is_seen_by_no_lookup(tmp_path: Path) -> None:
    """A column of a source gives no feature, a feature is dropped, and any other name is refused with its line."""
    days = pl.date_range(date(2020, 12, 1), date(2021, 6, 1), eager=True).cast(pl.String)
    weather = pl.DataFrame({"day": days, "rain": range(len(days)), "wind": 1.5})
    project = world.PROJECT.replace(
        "predict:\n", "  weather:\n    files: weather.csv\n    time: {columns: [day], zone: UTC}\npredict:\n"
    ).replace("  - calendar\n", "  - calendar\n  - weather: {nearest: weather}\n")
    (tmp_path / "world").mkdir()
    weather.write_csv(tmp_path / "world" / "weather.csv")
    leave_out = "leave_out: {wind: it comes too late, month: for a test}\n"
    workspace, prepared = opened(tmp_path / "world", project + leave_out, world.calls())
    read = material_of(workspace, prepared).features.columns
    assert [name for name in read if name.startswith("weather_")] == ["weather_rain", "weather_age_hours"]
    assert "month" not in read
    assert [one.message for one in prepared.findings if one.check == "coverage"] == [
        "its rows end on 2021-06-02, 48 days before those of calls: its features are old or unknown from then on"
    ]
    wrong = {"mnth": "neither a feature nor a column of a source is called 'mnth'; did you mean 'month'?"}
    wrong["zone"] = "the unit or the label is made of it, so it cannot be left out"
    for name, message in wrong.items():
        world.make(tmp_path / "world", project=project + f"leave_out: {{{name}: for a test}}\n")
        with pytest.raises(asof.ProjectError, match=message) as fault:
            asof.run(asof.open_project(str(tmp_path / "world")))
        assert f"project.yaml:23: leave_out.{name}: " in str(fault.value)


def test_no_lookup_is_handed_a_label(tmp_path: Path) -> None:
    """A plug-in gets what asks a question: neither its label nor when that was known."""
    project = world.PROJECT.replace("  - calendar\n", "  - calendar\n  - peek\n") + "plugins: features.py\n"
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "features.py").write_text(PEEK)
    workspace, prepared = opened(folder, project, world.calls())
    told = material_of(workspace, prepared).features["peek"].unique().to_list()
    assert told == ["place,start,end,as_of,horizon"]
