"""As it was known: each statement about ``--as-of T`` on a small source whose rows come late, are corrected, and go."""

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
import asof.cli
from asof.errors import DataError, UserError
from asof.flows import checking, hindsight, ingestion, intake
from asof.flows.knowledge import KnownAt
from asof.flows.workspace import Workspace
from tests.flows import world
from tests.flows.commands import Capture, refused, shown

Finished = tuple[Path, Mapping[str, Any]]
FIRST = datetime(2021, 7, 20, 16, tzinfo=UTC)
"""When the small world was first loaded: noon in New York, the day after its last."""
TWO = world.PROJECT.replace(
    "predict:",
    "  weather:\n    files: weather*.csv\n    key: day\n    time: {columns: [day], zone: America/New_York}\npredict:",
)


def load(folder: Path, at: datetime) -> Workspace:
    """Take in what lies there, at a moment of one's choice."""
    workspace = asof.open_project(str(folder))
    workspace.now = at
    with workspace.hold("ingest"):
        intake.take_in(workspace)
    return workspace


def known(folder: Path, at: datetime) -> KnownAt:
    lake = asof.open_project(str(folder), as_of=at.isoformat()).lake
    assert isinstance(lake, KnownAt)
    return lake


def kept(folder: Path) -> dict[str, float]:
    """Every file below the store, with its time of change."""
    return {str(path): path.stat().st_mtime for path in (folder / ".asof" / "lake").rglob("*") if path.is_file()}


def say(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(["id,at,zone", *lines]) + "\n")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source that says other things each day: five loads, a day apart; read only."""
    folder = world.make(tmp_path_factory.mktemp("known") / "told", rows=world.calls(days=40, first=date(2021, 6, 10)))
    load(folder, FIRST)
    say(folder, "calls-1.csv", "c1,2021-06-10 05:00,z5", "late,2021-06-20 08:00,z1")
    load(folder, FIRST + timedelta(days=1))
    say(folder, "calls-2.csv", "bad,yesterday,z1", "c1,2021-06-10 05:00,z4")
    load(folder, FIRST + timedelta(days=2))
    (folder / "calls-1.csv").unlink()
    say(folder, "calls-3.csv", "bad,2021-06-21 08:00,z2")
    load(folder, FIRST + timedelta(days=3))
    say(folder, "calls-4.csv", "c1,2021-06-10 05:00,z5")
    load(folder, FIRST + timedelta(days=4))
    return folder


@pytest.fixture
def own(told: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(told, tmp_path / "own"))


def of(lake: Any, key: str) -> list[str]:
    found: list[str] = lake.valid("calls").filter(pl.col("_key") == key)["zone"].to_list()
    return found


def test_a_row_says_what_it_said_then(told: Path) -> None:
    """Corrected twice, and back to a former content (A, B, C, B)."""
    rows = pl.read_csv(told / "calls.csv")
    first = rows.filter(pl.col("id") == "c1")["zone"].to_list()
    days = [of(known(told, FIRST + timedelta(days=day)), "c1") for day in range(5)]
    assert days == [first, ["z5"], ["z4"], ["z4"], ["z5"]]
    assert of(asof.open_project(str(told)).lake, "c1") == ["z5"]


def test_the_moment_itself_counts(told: Path) -> None:
    at = FIRST + timedelta(days=1)
    assert of(known(told, at), "c1") == ["z5"]
    assert of(known(told, at - timedelta(microseconds=1)), "c1") != ["z5"]


def test_a_late_row_is_not_known_before_it_came(told: Path) -> None:
    assert of(known(told, FIRST), "late") == []
    assert of(known(told, FIRST + timedelta(days=1)), "late") == ["z1"]


def test_rows_of_a_removed_file_stay_known(told: Path) -> None:
    assert not (told / "calls-1.csv").exists()
    assert of(known(told, FIRST + timedelta(days=3)), "late") == ["z1"]


def test_a_row_is_judged_as_it_was_then(told: Path) -> None:
    """In quarantine until it came again corrected."""
    lakes = [known(told, FIRST + timedelta(days=day)) for day in (1, 2, 3)]
    assert [lake.quarantine("calls")["id"].to_list() for lake in lakes] == [[], ["bad"], []]
    assert [of(lake, "bad") for lake in lakes] == [[], [], ["z2"]]


def test_the_tables_are_those_that_an_ingest_made_then(tmp_path: Path) -> None:
    """Valid rows, what they cover and all findings, to the row."""
    rows = world.calls(days=40, first=date(2021, 6, 10))
    folder = world.make(tmp_path / "then", rows=rows)
    before = load(folder, FIRST)
    spec, lake = before.spec.sources["calls"], before.lake
    was = (ingestion.load("calls", spec, lake), json.loads((lake.stamp("calls") or {})["findings"]))
    say(folder, "calls-1.csv", "c1,2021-06-10 05:00,z5", "late,2021-07-20 08:00,z1")
    load(folder, FIRST + timedelta(days=1))
    then = known(folder, FIRST)
    now = ingestion.load("calls", spec, then)
    assert now.rows.equals(was[0].rows)
    assert now.coverage == was[0].coverage
    assert json.loads(then.then("calls").stamp["findings"]) == was[1]


def test_nothing_is_read_and_nothing_written(own: Path, capsys: Capture) -> None:
    (own / "calls-9.csv").write_text("id,at,zone\nnew,2021-07-19 08:00,z1\n")
    before = kept(own)
    at = FIRST + timedelta(days=2)
    result = shown(capsys, "check", own, "--as-of", at.isoformat())
    assert result["known_at"] == at.isoformat()
    assert result["rows"]["read"] == 0
    assert result["rows"]["quarantined"] == 1
    assert kept(own) == before
    assert asof.cli.main(["check", str(own), "--as-of", at.isoformat()]) == 0
    assert f"as known at {at.isoformat()}" in capsys.readouterr().out
    lake, nothing = known(own, at), pl.DataFrame()
    for write in (lambda: lake.draft("calls"), lambda: lake.write_predictions(nothing)):
        with pytest.raises(UserError, match="leave out --as-of"):
            write()


def test_a_moment_before_the_first_load_names_it(told: Path, capsys: Capture) -> None:
    said = refused(capsys, 2, "check", told, "--as-of", "2021-07-20")
    assert said == (
        "nothing of calls was known at 2021-07-20 00:00:00 (America/New_York): "
        "it was first loaded at 2021-07-20 12:00:00 (America/New_York); name a later moment"
    )


def test_a_moment_to_come_is_refused(told: Path, capsys: Capture) -> None:
    said = refused(capsys, 2, "backtest", told, "--cut", "2021-07-01", "--out", told / "x.csv", "--as-of", "2999-01-01")
    assert said.startswith("--as-of 2999-01-01: it is only ")
    assert not (told / "x.csv").exists()


def test_a_day_and_a_moment_are_local_to_what_is_predicted(told: Path) -> None:
    day = asof.open_project(str(told), as_of="2021-07-22").known_at
    assert day == datetime(2021, 7, 22, 4, tzinfo=UTC)
    assert asof.open_project(str(told), as_of="2021-07-22T06:30").known_at == day + timedelta(hours=6.5)
    with pytest.raises(DataError, match="'last week' is no day or moment"):
        asof.open_project(str(told), as_of="last week")


def test_of_two_sources_each_is_known_since_its_own_load(tmp_path: Path) -> None:
    folder = world.make(tmp_path / "two", rows=world.calls(days=40, first=date(2021, 6, 10)), project=TWO)
    days = [f"2021-07-{day:02},{day}" for day in range(1, 20)]
    (folder / "weather.csv").write_text("day,rain\n" + "\n".join(days) + "\n")
    load(folder, FIRST)
    (folder / "weather-2.csv").write_text("day,rain\n2021-07-19,99\n")
    load(folder, FIRST + timedelta(days=1))
    rain = [known(folder, FIRST + timedelta(days=day)).valid("weather")["rain"].sum() for day in (0, 1)]
    assert rain == [sum(range(1, 20)), sum(range(1, 19)) + 99]
    with pytest.raises(DataError) as fault:
        checking.check(asof.open_project(str(folder), as_of=(FIRST - timedelta(hours=1)).isoformat()))
    assert [line.split()[:3] for line in str(fault.value).splitlines()] == [
        ["nothing", "of", name] for name in ("calls", "weather")
    ]


def test_coverage_that_is_declared_today_does_not_reach_beyond_then(own: Path) -> None:
    page = own / "project.yaml"
    declared = "    delay: 1d\n    covered: [[2021-06-10, 2021-09-01]]\n"
    page.write_text(page.read_text().replace("    delay: 1d\n", declared))
    workspace = asof.open_project(str(own), as_of=FIRST.isoformat())
    assert ingestion.load("calls", workspace.spec.sources["calls"], workspace.lake).coverage.end == FIRST


def test_the_history_says_by_when_it_was_corrected(told: Path, capsys: Capture) -> None:
    """Once a source, in findings; not on the terminal. Of a source that came in time nothing is said."""
    workspace = asof.open_project(str(told))
    [note] = hindsight.told(workspace)
    valid = workspace.lake.valid("calls")
    old = valid.filter(pl.col("_available") < FIRST - hindsight.LONG).height
    assert note.message == (
        f"history as corrected by 2021-07-20, when it was first loaded: what {old:,} of {valid.height:,} rows said "
        "before is not known; 2 corrected since"
    )
    assert (note.severity, note.rows) == ("note", 2)
    [then] = hindsight.told(asof.open_project(str(told), as_of=FIRST.isoformat()))
    assert then.message.endswith("; none corrected since")
    result = shown(capsys, "check", told)
    assert [one["message"] for one in result["findings"] if one["check"] == hindsight.CHECK] == [note.message]
    asof.cli.main(["check", str(told)])
    assert "history as corrected" not in capsys.readouterr().out
    fresh = valid.with_columns(_first_seen=pl.col("_available") + timedelta(days=1))
    raw = fresh.select("_key", _first_seen=pl.lit(valid["_available"].min()))
    assert hindsight.findings(raw, fresh, "America/New_York", "calls") == []


def test_python_looks_back_too(own: Path) -> None:
    at = FIRST + timedelta(days=2)
    project = asof.Project.open(own, as_of=at.isoformat())
    assert project.valid("calls").filter(pl.col("id") == "c1")["zone"].to_list() == ["z4"]
    assert project.quarantine("calls")["id"].to_list() == ["bad"]
    assert project.with_settings({"train.seed": 3}).as_of == at.isoformat()
    for verb in (project.ingest, project.promote):
        with pytest.raises(UserError, match=f"{verb.__name__} is about the data as they are"):
            verb()


def test_the_code_of_the_page_runs(root: Path, told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (root / "docs" / "data-as-known.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copytree(told, tmp_path / "PROJECT")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(compile(code, "data-as-known.md", "exec"), found)  # noqa: S102 - the page of the docs
    assert found["then"].as_of == "2024-05-01"
    assert found["then"].valid("calls").height == asof.open_project(str(told)).lake.valid("calls").height


def test_what_is_made_as_of_a_moment_is_what_was_made_then(copied: Finished, capsys: Capture) -> None:
    """Rows are corrected after a run and a backtest; as of before, both come out again, and take nobody's place."""
    folder, result = copied
    lake = asof.open_project(str(folder)).lake
    at = lake.raw("calls")["_first_seen"].max()
    assert isinstance(at, datetime)
    said, span = ("--as-of", at.isoformat()), ("--cut", "2021-06-20", "--until", "2021-07-01")
    shown(capsys, "backtest", folder, *span, "--out", folder / "then.parquet")
    rows = pl.read_csv(folder / "calls.csv")[:2000]
    rows.with_columns(zone=pl.lit("z0")).write_csv(folder / "calls-2.csv")
    shown(capsys, "ingest", folder)
    kept_back = lake.predictions()
    told = shown(capsys, "backtest", folder, *span, *said, "--out", folder / "again.parquet")
    assert told["known_at"] == at.isoformat()
    now = shown(capsys, "backtest", folder, *span, "--out", folder / "now.parquet")
    assert now["known_at"] is None
    corrected = rows.filter(pl.col("zone") != "z0").height
    assert now["history"]["calls"].endswith(f"; {corrected:,} corrected since")
    then, again, other = (pl.read_parquet(folder / f"{name}.parquet") for name in ("then", "again", "now"))
    assert again.equals(then)
    assert not other.equals(then)
    told = shown(capsys, "run", folder, *said)
    assert told["known_at"] == at.isoformat()
    assert told["fingerprint"] == result["fingerprint"]
    assert (told["promoted"], told["refused"], told["rows"]["read"]) == (False, False, 0)
    assert told["why"].startswith(f"made of data as known at {at:%Y-%m-%d %H:%M:%S} UTC")
    registry = asof.open_project(str(folder)).registry
    made, champion = registry.find(told["release"]), registry.find("champion")
    assert made is not None
    assert champion is not None
    assert (made.aliases, champion.name, registry.find("challenger")) == ((), result["release"], None)
    assert made.facts["known_at"] == at.isoformat()
    assert (lake.predictions() is None) == (kept_back is None)
    assert shown(capsys, "run", folder, *said)["release"] == told["release"]
    page, card = ((made.folder / name).read_text() for name in ("report.html", "card.md"))
    assert page.count("history as corrected by") + page.count("History as corrected by") == 1
    assert "Data as known at" in page
    assert "data | calls, as known at" in card
    listed = shown(capsys, "runs", folder)["releases"][0]
    assert (listed["known_at"], list(listed["history"])) == (at.isoformat(), ["calls"])
