"""Bad input through the command line: one clear line, or quarantine; nothing lost, nothing half-written."""

import gzip
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof import releases
from asof.cli import main
from tests.flows import world

Finished = tuple[Path, Mapping[str, Any]]
Capture = pytest.CaptureFixture[str]


def project(*pairs: tuple[str, str], more: str = "") -> str:
    """The project of the small world with parts replaced, and lines added at the end."""
    text = world.PROJECT
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text + more


@pytest.fixture(scope="module")
def few() -> pl.DataFrame:
    """A few months of calls."""
    return world.calls(days=120)


def refused(capsys: Capture, code: int, *command: object) -> str:
    """The one line that a refused command says, without ``asof: ``; stages that had ended come before it."""
    capsys.readouterr()
    assert main([str(part) for part in command]) == code
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if not re.match(r"  \w+ +\d+\.\d s", line)]
    assert len(lines) == 1, told.err
    assert lines[0].startswith("asof: ")
    return lines[0].removeprefix("asof: ")


def shown(capsys: Capture, *command: object, code: int = 0) -> dict[str, Any]:
    """What a command that ends with ``--json`` prints."""
    capsys.readouterr()
    assert main([*(str(part) for part in command), "--json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def line_of(folder: Path, part: str) -> str:
    """``FILE:LINE`` of the first line of the project file that holds ``part``."""
    lines = (folder / "project.yaml").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if part in line)
    return f"{folder / 'project.yaml'}:{number}"


def nothing_kept(folder: Path) -> bool:
    """No row, no release and no draft has been written."""
    return not [path for path in folder.rglob(".asof/**/*") if path.is_file() and not path.name.startswith(".lock")]


# files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "calls.csv: is empty; expected a header line and rows"),
        ("id,at,zone\n", "calls.csv: has a header and no rows"),
        (
            "id;at;zone\nc0;2021-01-01 05:00;z1\n",
            (
                "calls.csv: split at ',' the header is one column, 'id;at;zone'; "
                "it looks delimited by ';': write delimiter: \";\""
            ),
        ),
    ],
    ids=["empty", "header only", "wrong delimiter"],
)
def test_a_file_without_rows(content: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    """Each is told by the name of the file, and nothing is kept; corrected, the same command works."""
    folder = world.make(tmp_path / "world")
    (folder / "calls.csv").write_text(content)
    assert refused(capsys, 2, "run", folder) == message
    assert nothing_kept(folder)
    world.calls(days=20).write_csv(folder / "calls.csv")
    assert shown(capsys, "ingest", folder)["rows"]["quarantined"] == 0


def test_a_bad_file_among_good_ones_leaves_the_store_as_it_was(copied: Finished, capsys: Capture) -> None:
    """The new file is refused; rows, release and champion stay, and answers can be had."""
    folder, result = copied
    (folder / "calls2.csv").write_text("key,when\n1,2021-07-20 10:00\n")
    has = "it has key, when (calls2.csv)"
    said = [
        f"{line_of(folder, 'key: id')}: sources.calls.key: source calls has no column 'id': {has}",
        f"{line_of(folder, '[at]')}: sources.calls.time.columns: source calls has no column 'at': {has}",
    ]
    assert main(["run", str(folder)]) == 2
    told = capsys.readouterr()
    assert [line.removeprefix("asof: ") for line in told.err.splitlines()] == said
    workspace = asof.open_project(str(folder))
    assert workspace.lake.valid("calls").height == workspace.lake.raw("calls").height == result["rows"]["valid"]
    assert shown(capsys, "predict", folder)["release"] == result["release"]
    (folder / "calls2.csv").unlink()
    assert shown(capsys, "run", folder)["release"] == result["release"]


def test_the_tail_of_a_broken_record_is_set_aside(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """The first line under the header is the end of a record whose beginning is lost: whole, in quarantine."""
    folder = world.make(tmp_path / "world", rows=few)
    header, rows = (folder / "calls.csv").read_text().split("\n", 1)
    (folder / "calls.csv").write_text(f'{header}\n" PARKING LOT).""",0,0\n{rows}')
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height + 1, "valid": few.height, "quarantined": 1}
    assert told["sources"][0]["reasons"] == [{"reason": "at: no date", "rows": 1}]
    kept = asof.open_project(str(folder)).lake.quarantine("calls")
    assert kept.select("id", "at", "zone", "_file", "_line").rows() == [(' PARKING LOT)."', "0", "0", "calls.csv", 2)]
    assert shown(capsys, "ingest", folder)["rows"] == {"read": 0, "valid": few.height, "quarantined": 1}


@pytest.mark.needs("shared data")
def test_the_tail_of_a_real_broken_record_is_set_aside(shared_data: Path, tmp_path: Path, capsys: Capture) -> None:
    """The first 200 lines of the collisions of 2012, as they are published."""
    source = shared_data / "nyc_collisions" / "nyc_collisions_2012-2014.csv.gz"
    with gzip.open(source, "rt") as lines:
        (tmp_path / "crashes.csv").write_text("".join(itertools.islice(lines, 200)))
    (tmp_path / "project.yaml").write_text(
        "name: collisions\nsources:\n  crashes:\n    files: crashes.csv\n    header: lower\n    key: collision_id\n"
        "    time: {columns: [crash_date, crash_time], zone: America/New_York, formats: ['%m/%d/%Y']}\n"
        "    place: {lat: latitude, lon: longitude}\n"
        "predict:\n  count: crashes\n  per: {place: h3:7, every: 1d}\n"
    )
    told = shown(capsys, "ingest", tmp_path)
    assert told["rows"] == {"read": 199, "valid": 198, "quarantined": 1}
    kept = asof.open_project(str(tmp_path)).lake.quarantine("crashes")
    assert kept.select("crash_date", "crash_time", "_file", "_line").rows() == [
        (' PARKING LOT)."', "0", "crashes.csv", 2)
    ]
    assert "collision_id" in kept["_column"][0]


@pytest.mark.parametrize("cut", [0, 0.5], ids=["no Parquet at all", "half of it"])
def test_an_unreadable_parquet(cut: float, few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Half-written or of another format: told, nothing kept."""
    folder = world.make(tmp_path / "world", project=project(("calls*.csv", "calls.parquet")))
    buffer = io.BytesIO()
    few.write_parquet(buffer)
    whole = buffer.getvalue()
    (folder / "calls.parquet").write_bytes(whole[: int(len(whole) * cut)] or b"PAR1, or so it says")
    message = refused(capsys, 2, "run", folder)
    assert message.startswith("calls.parquet: cannot be read as Parquet (")
    assert message.endswith("it may be half-written, or of another format")
    assert nothing_kept(folder)


def test_no_file_matches(tmp_path: Path, capsys: Capture) -> None:
    """The pattern, the folder, and a name that is near."""
    folder = world.make(tmp_path / "world", project=project(("calls*.csv", "call.csv")))
    assert refused(capsys, 2, "check", folder) == (f"no file matches call.csv in {folder}; did you mean 'calls.csv'?")


# columns that are not there


COLUMNS: dict[str, tuple[tuple[tuple[str, str], ...], str, str]] = {
    "key": (
        (("key: id", "key: ident"),),
        "key: ident",
        "sources.calls.key: source calls has no column 'ident': it has id, at, zone (calls.csv)",
    ),
    "time": (
        (("[at]", "[att]"),),
        "[att]",
        "sources.calls.time.columns: source calls has no column 'att': did you mean 'at'? (calls.csv)",
    ),
    "place": (
        (("place: zone\npredict", "place: zona\npredict"),),
        "place: zona",
        "sources.calls.place: source calls has no column 'zona': did you mean 'zone'?",
    ),
    "coordinates": (
        (("    place: zone\n", "    place: {lat: lat, lon: at}\n"), ("per: {place: zone", "per: {place: h3:8")),
        "lat: lat",
        "sources.calls.place.lat: source calls has no column 'lat': did you mean 'at'?",
    ),
    "place of the unit": (
        (("per: {place: zone", "per: {place: zona"),),
        "per: {place",
        "predict.per.place.column: places are the column 'zona', but calls has 'zone': name one column in both",
    ),
    "coarser": (
        (("place: zone, every", "place: {column: zone, coarser: borough}, every"),),
        "coarser",
        "predict.per.place.coarser: no column 'borough'; there are: id, at, zone",
    ),
    "checks": (
        (("    place: zone\n", "    place: zone\n    checks: {zones: {required: true}}\n"),),
        "checks",
        "sources.calls.checks.zones: source calls has no column 'zones': did you mean 'zone'?",
    ),
    "sum": (
        (("  count: calls", "  sum: calls.amount"),),
        "sum:",
        "predict.sum: calls has no column 'amount': it has id, at, zone",
    ),
    "sum of text": (
        (("  count: calls", "  sum: calls.zone"),),
        "sum:",
        "predict.sum: calls.zone holds no numbers; expected a column of numbers, or `type: number` in its checks",
    ),
    "nearest": (
        (("  - calendar\n", "  - calendar\n  - calls: {nearest: calls, columns: [temp]}\n"),),
        "nearest",
        "features.calls.columns: no column 'temp'; there are: id, at, zone",
    ),
    "history": (
        (("lags: [7d]", "lags: [7d], of: [amount]"),),
        "history",
        "features.history.of: calls has no column 'amount'",
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_that_is_not_there(name: str, few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """File and line of the setting, the setting, and the nearest column or all there are; exit code 2."""
    pairs, part, message = COLUMNS[name]
    folder = world.make(tmp_path / "world", project=project(*pairs), rows=few)
    assert refused(capsys, 2, "check", folder) == f"{line_of(folder, part)}: {message}"


def test_a_column_to_read_that_is_not_there(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """``columns:`` are looked for in every file."""
    text = project(("    place: zone\n", "    place: zone\n    columns: [zones]\n"))
    folder = world.make(tmp_path / "world", project=text, rows=few)
    assert refused(capsys, 2, "run", folder) == "calls.csv: there is no column 'zones'; did you mean 'zone'?"
    assert nothing_kept(folder)


# values


def test_a_column_that_changes_type_half_way(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Undeclared it is text and a warning names the line; declared, its rows are refused, and with them the source."""
    rows = few.with_columns(n=pl.when(pl.int_range(pl.len()) < 2000).then(pl.lit("5")).otherwise(pl.lit("many")))
    folder = world.make(tmp_path / "world", rows=rows)
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height, "valid": few.height, "quarantined": 0}
    assert [(one["subject"], one["message"]) for one in told["findings"] if one["check"] == "type change"] == [
        ("calls.n", "the column holds numbers up to here and text from calls.csv:2002 on ('many')")
    ]
    declared = project(("    place: zone\n", "    place: zone\n    checks: {n: {type: number}}\n"))
    (folder / "project.yaml").write_text(declared)
    lost = few.height - 2000
    assert refused(capsys, 1, "ingest", folder) == (
        f"source calls: {lost:,} of {few.height:,} rows are refused ({lost / few.height:.1%}, at most 20.0%): "
        f"{lost:,} rows refused: n: not a number (such as calls.csv:2002, 'many')"
    )
    lake = asof.open_project(str(folder)).lake
    assert lake.valid("calls").height == lake.raw("calls").height == few.height  # the tables of before stand


def test_a_third_of_the_rows_has_no_coordinates(tmp_path: Path, capsys: Capture) -> None:
    """Warned, counted, and the whole job still runs on the others."""
    rows = (
        world.calls()
        .with_row_index("row")
        .with_columns(lat=40.7 + 0.03 * pl.col("zone").str.slice(1).cast(pl.Int64), lon=-73.9)
    )
    lost = pl.col("row") * 7919 % 10 < 3
    rows = rows.with_columns(pl.when(lost).then(None).otherwise(name).alias(name) for name in ("lat", "lon")).drop(
        "row"
    )
    text = project(
        ("    place: zone\n", "    place: {lat: lat, lon: lon}\n"), ("per: {place: zone", "per: {place: h3:7")
    )
    folder = world.make(tmp_path / "world", project=text, rows=rows)
    told = shown(capsys, "run", folder)
    missing = rows["lat"].null_count()
    assert told["promoted"] is True
    assert told["rows"] == {"read": rows.height, "valid": rows.height, "quarantined": 0}
    found = {one["check"]: one for one in told["findings"] if one["check"] in {"place", "places"}}
    assert found["place"]["severity"] == found["places"]["severity"] == "warning"
    assert found["place"]["rows"] == found["places"]["rows"] == missing
    assert found["places"]["message"] == (
        f"{missing:,} rows ({missing / rows.height:.1%}) have no coordinates or lie outside every place; "
        "they are not counted"
    )


def test_keys_that_come_again_with_different_content(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """All versions are kept, the last seen is used, and they are counted."""
    revised = few.head(5).with_columns(zone=pl.lit("z9"))
    folder = world.make(tmp_path / "world", rows=pl.concat([few, revised]))
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height + 5, "valid": few.height, "quarantined": 0}
    [found] = [one for one in told["findings"] if one["check"] == "revised"]
    assert found["rows"] == 5
    assert "5 rows whose key comes again with different content; the last seen is used" in found["message"]
    lake = asof.open_project(str(folder)).lake
    assert lake.raw("calls").height == few.height + 5
    assert lake.valid("calls").filter(pl.col("zone") == "z9")["id"].sort().to_list() == revised["id"].sort().to_list()


def test_times_that_do_not_exist_or_exist_twice(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """In New York 02:30 was skipped on 2021-03-14, and 01:30 came twice on 2020-11-01: read as the later."""
    rows = few.with_columns(
        at=pl.when(id="c5")
        .then(pl.lit("2021-03-14 02:30"))
        .when(id="c6")
        .then(pl.lit("2020-11-01 01:30"))
        .otherwise("at")
    )
    folder = world.make(tmp_path / "world", rows=rows)
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height, "valid": few.height - 1, "quarantined": 1}
    assert told["sources"][0]["reasons"] == [{"reason": "at: time does not exist in America/New_York", "rows": 1}]
    [found] = [one for one in told["findings"] if one["check"] == "doubled time"]
    assert found["rows"] == 1
    assert "exists twice (end of summer time), read as the later" in found["message"]
    lake = asof.open_project(str(folder)).lake
    assert lake.quarantine("calls").select("id", "at").rows() == [("c5", "2021-03-14 02:30")]
    [event] = lake.valid("calls").filter(pl.col("id") == "c6")["_event"]
    assert f"{event:%F %R}" == "2020-11-01 06:30"


# time


def test_a_lag_that_cannot_be_known_in_time(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Refused before anything is fitted: the line of the feature, and the shortest legal lag, which is taken."""
    folder = world.make(tmp_path / "world", project=project(("lags: [7d]", "lags: [3d]")), rows=few)
    message = (
        f"{line_of(folder, 'history')}: features.history.lags: a lag of 3d is not known in time: "
        "one period of 1d + horizon 2d + delay 1d; the shortest legal lag is 4d"
    )
    for verb in ("check", "run", "train"):
        assert refused(capsys, 2, verb, folder) == message
    assert shown(capsys, "check", folder, "--set", "features.history.lags=[4d]")["refused"] is False


def test_no_rows_after_the_cut(copied: Finished, capsys: Capture) -> None:
    """Until when the source is known is said; no file is written."""
    folder, _ = copied
    out = folder / "answers.parquet"
    said = refused(capsys, 2, "backtest", folder, "--cut", "2022-01-01", "--out", out)
    assert said == "no rows of calls after the cut 2022-01-01: it is known until 2021-07-21"
    assert not out.exists()


COVERED = ("    place: zone\n", "    place: zone\n    covered: [[2021-01-01, 2021-07-20]]\n")


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2021-05-20", "2021-06-10", "test questions of the cut 2021-05-25"),
        ("2021-06-18", "2021-07-25", "test questions of the cut 2021-06-22"),
    ],
    ids=["in a fold", "in the holdout"],
)
def test_a_label_that_is_constant_in_a_fold(first: str, last: str, said: str, tmp_path: Path, capsys: Capture) -> None:
    """No call at all in days that are declared to be complete: judged, and said; an R2 is null."""
    day = pl.col("at").str.slice(0, 10)
    rows = world.calls().filter(~day.is_between(pl.lit(first), pl.lit(last)))
    folder = world.make(tmp_path / "world", project=project(COVERED), rows=rows)
    told = shown(capsys, "run", folder)
    found = [one["message"] for one in told["findings"] if one["check"] == "constant label"]
    assert any(message.startswith("the label is 0 in all") and said in message for message in found)
    assert not any("declare covered" in one["message"] for one in told["findings"])
    if "holdout" in said:
        assert told["holdout"]["r2"]["value"] is None


def test_a_label_that_is_constant_everywhere(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """There is nothing to learn."""
    text = project(("  count: calls", "  mean: calls.n"), ("[poisson]", "[linear]"))
    folder = world.make(tmp_path / "world", project=text, rows=few.with_columns(n=3))
    assert re.fullmatch(
        r"the label is 3 in all \d+ questions from 2021-02-15 on: there is nothing to learn; "
        "look at predict: and at the rows of calls",
        refused(capsys, 2, "run", folder),
    )
    assert asof.open_project(str(folder)).registry.releases() == []


# the project file


def test_a_metric_that_does_not_exist(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """File, line, the nearest name, and all there are."""
    folder = world.make(tmp_path / "world", project=project(("judge: {", "judge: {metric: rmsle2, ")), rows=few)
    said = refused(capsys, 2, "run", folder)
    where = f"{line_of(folder, 'rmsle2')}: judge.metric: "
    assert said.startswith(f"{where}there is no metric 'rmsle2'; did you mean rmsle? known are poisson_deviance, ")
    assert nothing_kept(folder)


def test_an_unknown_setting(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """The nearest valid name of a key is told, of every fault at once, each in a line of its own."""
    text = project(("judge: {holdout", "judge: {holdoot"), ("  horizon:", "  horizons:"))
    folder = world.make(tmp_path / "world", project=text, rows=few)
    assert main(["run", str(folder)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"asof: {line_of(folder, 'horizons')}: predict.horizons: ")
    assert "'horizon'" in told[0] or "did you mean horizon" in told[0]
    assert told[1].startswith(f"asof: {line_of(folder, 'holdoot')}: judge.holdoot: ")
    assert nothing_kept(folder)


def test_a_variable_that_is_not_set(
    few: pl.DataFrame, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, line and variable; with it set, the same command works."""
    folder = world.make(tmp_path / "world", project=project(("name: world", "name: ${WORLD}")), rows=few)
    monkeypatch.delenv("WORLD", raising=False)
    assert refused(capsys, 2, "ingest", folder) == (
        f"{folder / 'project.yaml'}:1: name: the variable WORLD is not set: set it, or write ${{WORLD:-default}}"
    )
    monkeypatch.setenv("WORLD", "mars")
    assert shown(capsys, "ingest", folder)["project"] == "mars"


def test_an_environment_that_does_not_exist(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Without the section it is said so; with it, the names there are."""
    folder = world.make(tmp_path / "world", rows=few)
    said = refused(capsys, 2, "run", folder, "--env", "prod")
    assert said == (
        f"{folder / 'project.yaml'}: environments: there is no environment 'prod': the file has no section environments"
    )
    (folder / "project.yaml").write_text(project(more="environments: {test: {}, live: {}}\n"))
    said = refused(capsys, 2, "run", folder, "--env", "prod")
    assert "there is no environment 'prod'" in said
    assert "live" in said
    assert "test" in said
    assert nothing_kept(folder)


def test_no_project_file(tmp_path: Path, capsys: Capture) -> None:
    """What was looked for, and how to get one."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert refused(capsys, 2, "run", folder) == (
            f"{folder / 'project.yaml' if folder.is_dir() else folder}: no such file: expected a folder with a "
            "project.yaml, a file or s3://…; `asof init TABLE` proposes one"
        )
    assert list(tmp_path.iterdir()) == []


# plug-ins


HEAD = "import asof\nimport polars as pl\n\n\n@asof.lookup\ndef busy(questions, past):\n    "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no calls today')", "FILE:7: plug-in busy: ValueError: no calls today"),
        ("return questions['nothing']", "FILE:7: plug-in busy: ColumnNotFoundError: "),
        (
            "return pl.Series([1.0])",
            "plug-in busy: answered 1 rows to 900 questions; expected a Series or DataFrame with one row a question",
        ),
        ("return 7", "plug-in busy: answered a int; expected a Series or DataFrame"),
        ("return (", "FILE:7: '(' was never closed"),
    ],
    ids=["raises", "wrong column", "wrong length", "wrong type", "syntax"],
)
def test_a_plugin_at_fault(body: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    """File and line of the user's own code, what it said, what was expected; no release."""
    text = project(("  - calendar\n", "  - calendar\n  - busy\n"), more="plugins: features.py\n")
    folder = world.make(tmp_path / "world", project=text)
    (folder / "features.py").write_text(HEAD + body + "\n")
    said = refused(capsys, 2, "train", folder)
    assert said.replace(str(folder / "features.py"), "FILE").startswith(message[: message.find("900")])
    assert not (folder / ".asof" / "models").exists()
    (folder / "features.py").write_text(HEAD + "return questions.select(busy=pl.lit(1.0))\n")
    assert shown(capsys, "check", folder)["refused"] is False


# the store


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_store_that_cannot_be_written(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Nobody may make a folder in /proc: exit code 3, which file, what to do."""
    folder = world.make(tmp_path / "world", project=project(more="store: /proc/asof\n"), rows=few)
    for verb in ("run", "ingest", "check"):
        said = refused(capsys, 3, verb, folder)
        assert said.startswith("/proc/asof/.lock: cannot be locked (")
        assert said.endswith("see that the folder can be written")


@contextmanager
def read_only(store: Path) -> Iterator[None]:
    """Take the right to write from all folders and the lock of a store; skip where that stops nobody."""
    folders = [store, *(path for path in store.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o500)
    (store / ".lock").chmod(0o400)
    try:
        if os.access(store, os.W_OK):
            pytest.skip("this user may write everywhere")
        yield
    finally:
        for path in folders:
            path.chmod(0o700)
        (store / ".lock").chmod(0o600)


def test_a_store_that_may_only_be_read(copied: Finished, capsys: Capture) -> None:
    """Exit code 3; champion and rows stay as they are."""
    folder, result = copied
    with read_only(folder / ".asof"):
        for verb in ("run", "ingest", "predict"):
            said = refused(capsys, 3, verb, folder)
            assert said.startswith(f"{folder / '.asof' / '.lock'}: cannot be locked (")
            assert said.endswith("see that the folder can be written")
    champion = asof.open_project(str(folder)).registry.find("champion")
    assert champion is not None
    assert releases.read(champion.folder).name == result["release"]


def test_a_store_that_is_a_file(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Nothing is written over it."""
    folder = world.make(tmp_path / "world", project=project(more="store: notes.txt\n"), rows=few)
    (folder / "notes.txt").write_text("mine")
    assert refused(capsys, 3, "run", folder).startswith(f"{folder / 'notes.txt' / '.lock'}: cannot be locked (")
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_damaged_release_answers_nothing(copied: Finished, capsys: Capture) -> None:
    """A file of the champion has changed: it is named, and no answer is written."""
    folder, _ = copied
    recipe = next((folder / ".asof" / "models").rglob("recipe.json"))
    recipe.write_text(recipe.read_text() + " ")
    said = refused(capsys, 2, "predict", folder, "--out", folder / "answers.csv")
    assert "file 'recipe.json' has changed since it was written: restore it or make the release anew" in said
    assert not (folder / "answers.csv").exists()
