"""Columns that are not there, and projects at fault: file, line, setting and the nearest name."""

from pathlib import Path

import polars as pl
import pytest

from asof.cli import main
from tests.flows import world
from tests.flows.commands import Capture, few, line_of, nothing_kept, project, refused, shown

__all__ = ["few"]  # the fixture of a few months of calls


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
        (
            "predict.sum: calls.zone is text, for its value 'z0' in calls.csv:2; expected a column of numbers, "
            "or `type: number` in its checks"
        ),
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


@pytest.mark.parametrize("lost", ["zone", "amount"])
def test_a_file_that_lost_a_column(lost: str, few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """The place, or what is predicted: the file is named each time, also when nothing new is read."""
    rows = few.with_columns(amount=pl.int_range(pl.len()) % 7)
    folder = world.make(tmp_path / "world", project=project(("  count: calls", "  sum: calls.amount")), rows=rows)
    more = rows.tail(300).with_columns(id=pl.format("d{}", pl.int_range(pl.len())))
    more.drop(lost).write_csv(folder / "calls3.csv")
    rows.head(200).with_columns(id=pl.format("e{}", pl.int_range(pl.len()))).write_csv(folder / "calls4.csv")
    then = "lie in no place" if lost == "zone" else "have none"
    for _ in range(2):
        told = [one for one in shown(capsys, "check", folder)["findings"] if one["check"] == "columns"]
        assert [(one["severity"], one["subject"], one["rows"]) for one in told] == [("warning", f"calls.{lost}", 300)]
        assert told[0]["message"] == (
            f"calls3.csv has no column {lost!r}, or nothing in it, unlike the other files: its 300 rows {then}; bring "
            "it back"
        )


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
