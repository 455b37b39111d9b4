"""Watching: calm where nothing is wrong, alarms with words where something is, and where it is told."""

import json
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.flows import intake, oracles, preparation, records, watching
from tests.flows import world
from tests.flows.commands import Capture, project, refused, shown

Finished = tuple[Path, Mapping[str, Any]]
HISTORY = project(("  - calendar\n", ""), (", since: 2021-02-15", ""))
"""A project whose model goes by the history of each place."""
CUT = "2022-01-01"


def serve(folder: Path, days: int) -> None:
    """Answer the days that follow the release as runs of each day would have, and keep the answers."""
    workspace = asof.open_project(str(folder))
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    oracle = oracles.open_release(workspace, "champion")
    cut = datetime.fromisoformat(oracle.release.facts["cut"])
    asked = preparation.ask(prepared, cut, cut + timedelta(days=days + 3))
    asked = asked.filter(pl.col("as_of") >= cut, pl.col("as_of") < cut + timedelta(days=days))
    asked = asked.filter(pl.col("as_of") <= prepared.last)
    workspace.lake.write_predictions(oracles.answer(workspace, prepared, oracle, asked))


def follow(folder: Path, rows: pl.DataFrame) -> None:
    """Take in what came after the release, and serve three weeks of it."""
    rows.filter(pl.col("at") >= CUT).write_csv(folder / "calls-2.csv")
    asof.ingest(asof.open_project(str(folder)))
    serve(folder, 21)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    """A project that has been run on a year, and the rows of the next month as well."""
    rows = world.calls(days=396)
    folder = world.make(
        tmp_path_factory.mktemp("watching") / "world", project=HISTORY, rows=rows.filter(pl.col("at") < CUT)
    )
    (folder / "calls.csv").rename(folder / "calls-1.csv")
    asof.run(asof.open_project(str(folder)))
    return folder, rows


@pytest.fixture
def copy(learnt: tuple[Path, pl.DataFrame], tmp_path: Path) -> tuple[Path, pl.DataFrame]:
    return Path(shutil.copytree(learnt[0], tmp_path / "world")), learnt[1]


class Hook:
    """A webhook on this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.got: list[Any] = []
        self.code = 200


@pytest.fixture
def webhook() -> Iterator[Hook]:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.code)
            self.end_headers()

        def log_message(self, *given: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    hook = Hook(f"http://127.0.0.1:{server.server_port}/T0/secret")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()
    thread.join()


def alarms(folder: Path) -> list[str]:
    told = watching.watch(asof.open_project(str(folder)), watching.Wish())
    assert told["refused"] is bool(told["alarms"])
    return [one["test"] for one in told["alarms"]]


def test_nothing_served_is_calm(tmp_path: Path, capsys: Capture) -> None:
    """Exit 0, and it says so: before the first run."""
    folder = world.make(tmp_path / "world")
    told = shown(capsys, "watch", folder)
    assert (told["served"], told["alarms"]) == (0, [])
    assert told["why"] == "there is no champion yet: `asof run` makes one"


def test_what_goes_on_as_before_is_calm(copy: tuple[Path, pl.DataFrame], capsys: Capture) -> None:
    folder, rows = copy
    follow(folder, rows)
    told = shown(capsys, "watch", folder)
    assert told["alarms"] == []
    assert (told["served"], told["known"]) == (21 * 6 * 2, 21 * 6 * 2)
    assert told["looks"] > watching.monitoring.alarms.LEAST_LOOKS
    assert [one["name"] for one in told["promises"]] == ["error", "coverage", "bias"]
    assert told["late"]["figure"] == 0
    workspace = asof.open_project(str(folder))
    (kept,) = watching.looks(workspace, told["release"])
    assert (kept["served"], kept["needed"], kept["alarms"]) == (told["served"], told["needed"], [])
    assert "watch" not in [one["kind"] for one in records.runs(workspace)["decisions"]]


def test_a_place_whose_rows_stop_alarms(copy: tuple[Path, pl.DataFrame]) -> None:
    folder, rows = copy
    follow(folder, rows.filter((pl.col("zone") != "z5") | (pl.col("at") < CUT)))
    assert {"silent at z5", "truth at z5", "coverage"} <= set(alarms(folder))
    newest = records.runs(asof.open_project(str(folder)))["decisions"][0]
    assert (newest["kind"], " alarms: " in newest["what"]) == ("watch", True)


def test_another_level_alarms(
    copy: tuple[Path, pl.DataFrame], capsys: Capture, webhook: "Hook", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many calls everywhere: exit 1, figures for Prometheus, and the webhook is told, once."""
    folder, rows = copy
    twice = pl.concat([rows, rows.with_columns(id=pl.format("d{}", "id"))])
    follow(folder, twice)
    with (folder / "project.yaml").open("a") as page:
        page.write("watch: {webhook: '${ALARMS_URL}'}\n")
    monkeypatch.setenv("ALARMS_URL", webhook.address)
    told = shown(capsys, "watch", folder, "--metrics", folder / "watch.prom", code=1)
    assert {"bias", "coverage"} <= {one["test"] for one in told["alarms"]}
    figures = (folder / "watch.prom").read_text()
    written = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in figures.splitlines() if line[0] != "#"
    }
    ids = f'project="world",release="{told["release"]}"'
    for one in [*told["tests"], *told["promises"]]:
        assert written[f'asof_watch_figure{{{ids},test="{one["name"]}"}}'] == pytest.approx(one["figure"])
        assert written[f'asof_watch_alarm{{{ids},test="{one["name"]}"}}'] == float(one["alarm"])
    assert written[f"asof_watch_served{{{ids}}}"] == told["served"] == 252
    assert written[f"asof_watch_known{{{ids}}}"] == told["known"]
    assert f'asof_watch_alarms{{project="world",release="{told["release"]}"}} {len(told["alarms"])}.0' in figures
    assert "# TYPE asof_watch_figure gauge" in figures
    assert told["webhook"] == "sent"
    assert len(webhook.got) == 1
    assert webhook.got[0]["alarms"] == told["alarms"]
    assert webhook.got[0]["text"].startswith(f"world: {len(told['alarms'])} alarms\n")
    assert webhook.address not in json.dumps(told)
    webhook.code = 500
    assert shown(capsys, "watch", folder, code=1)["webhook"] == "not sent: the webhook answered 500"


def test_a_webhook_that_hangs_ends_in_time_and_changes_no_exit_code(
    copy: tuple[Path, pl.DataFrame], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the notice and never answers; what is told, and the exit code, stay those of the alarm."""
    from asof.adapters import webhooks

    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.5)
    folder, rows = copy
    follow(folder, pl.concat([rows, rows.with_columns(id=pl.format("d{}", "id"))]))
    with (folder / "project.yaml").open("a") as page:
        page.write("watch: {webhook: '${ALARMS_URL}'}\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ALARMS_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/T0/secret")
        told = shown(capsys, "watch", folder, code=1)
    assert told["webhook"].startswith("not sent: no answer within 0.5 s")
    assert "secret" not in json.dumps(told)
    assert told["alarms"]


def test_rows_that_come_late_alarm(copy: tuple[Path, pl.DataFrame]) -> None:
    """Half of what happened came after the answers: remade, they differ, and that is told."""
    folder, rows = copy
    after = pl.col("at") >= CUT
    late = after & (pl.col("id").hash(1) % 2 == 0)
    follow(folder, rows.filter(~late))
    rows.filter(late).write_csv(folder / "calls-3.csv")
    asof.ingest(asof.open_project(str(folder)))
    assert "late" in alarms(folder)


def test_bad_wishes_are_refused(copy: tuple[Path, pl.DataFrame], capsys: Capture) -> None:
    folder, _ = copy
    assert "expected a share between 0 and 1" in refused(capsys, 2, "watch", folder, "--rate", "7")
    assert "no release 'nobody'" in refused(capsys, 2, "watch", folder, "--release", "nobody")
    (folder / "project.yaml").write_text(HISTORY + "watch: {webhook: 'https://hooks.example.org/T0/secret'}\n")
    told = refused(capsys, 2, "watch", folder)
    assert "put the address into a variable" in told
    assert "hooks.example.org" not in told
