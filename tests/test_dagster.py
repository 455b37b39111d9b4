"""A project in Dagster, really run: assets, checks, the schedule, the sensor, and what the docs show."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import asof
from asof import schedules
from asof.cli import main
from asof.errors import DataError
from tests.flows import world

dg = pytest.importorskip("dagster", reason="missing: dagster")

from asof import dagster as door  # noqa: E402 - it needs the extra

KEYS = ["calls", "release", "predictions"]


def key(name: str) -> "dg.AssetKey":
    return dg.AssetKey(["world", name])


def run(defs: "dg.Definitions", instance: "dg.DagsterInstance", *, fine: bool = True) -> "dg.ExecuteInProcessResult":
    result = defs.resolve_job_def("world_retrain").execute_in_process(instance=instance, raise_on_error=False)
    assert result.success is fine, [event.message for event in result.all_events if event.is_failure]
    return result


def checked(result: "dg.ExecuteInProcessResult") -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def made(result: "dg.ExecuteInProcessResult") -> list[str]:
    return [event.asset_key.path[-1] for event in result.get_asset_materialization_events()]


def tick(defs: "dg.Definitions", instance: "dg.DagsterInstance") -> "dg.RunRequest | dg.SkipReason":
    return defs.resolve_sensor_def("world_new_data")(dg.build_sensor_context(instance=instance))


def test_the_job_does_what_retrain_does(tmp_path: Path) -> None:
    """The first time there is something new; then not; new rows ask for a run, and refused ones stop it."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=160))
    defs = door.definitions(folder)
    with dg.DagsterInstance.ephemeral() as instance:
        asked = tick(defs, instance)
        assert isinstance(asked, dg.RunRequest)
        again = tick(defs, instance)
        assert isinstance(again, dg.RunRequest)
        assert again.run_key == asked.run_key

        result = run(defs, instance)
        assert made(result) == KEYS
        assert checked(result) == {"validation": True, "audit": True, "promotion": True}
        champion = asof.open_project(str(folder)).registry.find("champion")
        assert champion is not None
        told = {
            event.asset_key.path[-1]: event.materialization.metadata
            for event in result.get_asset_materialization_events()
        }
        assert told["release"]["release"].value == told["predictions"]["release"].value == champion.name
        assert told["calls"]["valid"].value == world.calls(days=160).height
        answers = pl.read_parquet(told["predictions"]["file"].value)
        assert answers.height == told["predictions"]["answered"].value > 0
        skipped = tick(defs, instance)
        assert isinstance(skipped, dg.SkipReason)
        assert skipped.skip_message == f"nothing is new since {champion.name}"

        with asof.open_project(str(folder)).hold("a long run"):
            busy = tick(defs, instance)
        assert isinstance(busy, dg.SkipReason)
        assert "a long run" in str(busy.skip_message)
        assert str(busy.skip_message).endswith("the next look is in 300 s")

        (folder / "calls-2.csv").write_text("id,at,zone\nn1,2021-06-09 08:00,z1\n")
        news = tick(defs, instance)
        assert isinstance(news, dg.RunRequest)
        assert news.run_key != asked.run_key

        before = asof.open_project(str(folder)).lake.valid("calls").height
        lines = "\n".join(f"b{number},never,z1" for number in range(3000))
        (folder / "calls-3.csv").write_text(f"id,at,zone\n{lines}\n")
        result = run(defs, instance, fine=False)
        assert made(result) == []
        assert checked(result) == {"validation": False}
        assert asof.open_project(str(folder)).lake.valid("calls").height == before


def test_a_step_waits_for_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again as often as stated, and the next time that the project is free it is done."""
    monkeypatch.setattr(door, "PAUSE", 0)
    monkeypatch.setattr(door, "TRIES", 1)
    folder = world.make(tmp_path / "world", rows=world.calls(days=20))
    source = [one for one in door.definitions(folder).assets if one.keys == {key("calls")}]
    with dg.DagsterInstance.ephemeral() as instance:
        with asof.open_project(str(folder)).hold("a long run"):
            result = dg.materialize(source, instance=instance, raise_on_error=False)
        assert not result.success
        assert sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.all_events) == 1
        assert dg.materialize(source, instance=instance).success


def test_bad_input_is_a_failure_in_one_line(tmp_path: Path) -> None:
    folder = world.make(tmp_path / "world", rows=world.calls(days=20))
    source = [one for one in door.definitions(folder).assets if one.keys == {key("calls")}]
    (folder / "calls.csv").write_text("")
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(source, instance=instance, raise_on_error=False)
    [failed] = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    said = failed.step_failure_data.user_failure_data.description
    assert said.startswith("calls.csv: ")
    assert "\n" not in said


def test_the_definitions_are_those_of_the_page(tmp_path: Path) -> None:
    """Sources before the release before predictions; the cron of `asof init --cron`; settings laid over the page."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=20))
    defs = door.definitions(folder)
    graph = defs.resolve_asset_graph()
    assert graph.get(key("release")).parent_keys == {key("calls")}
    assert graph.get(key("predictions")).parent_keys == {key("release")}
    assert {one.name for one in graph.asset_check_keys} == {"validation", "audit", "promotion"}
    assert defs.resolve_schedule_def("world_schedule").cron_schedule == schedules.CRON
    assert defs.resolve_sensor_def("world_new_data").minimum_interval_seconds == door.LOOK
    other = door.definitions(folder, settings=["name=other"], cron="0 1 * * *", look=30)
    assert other.resolve_schedule_def("other_schedule").cron_schedule == "0 1 * * *"
    assert other.resolve_sensor_def("other_new_data").minimum_interval_seconds == 30


HEAVY = """
import sys
from asof.dagster import definitions
definitions(sys.argv[1])
print(*[name for name in ("lightgbm", "sklearn", "mlflow", "deltalake", "scipy", "optuna") if name in sys.modules])
"""


def test_loading_imports_nothing_heavy(tmp_path: Path) -> None:
    folder = world.make(tmp_path / "world", rows=world.calls(days=20))
    done = subprocess.run([sys.executable, "-c", HEAVY, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_init_writes_the_file_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = world.make(tmp_path / "world", rows=world.calls(days=20))
    assert main(["init", str(folder), "--dagster"]) == 0
    file = folder / "definitions.py"
    assert capsys.readouterr().err == f"wrote {file}\n"
    assert main(["init", str(folder), "--dagster"]) == 0
    assert capsys.readouterr().err == f"{file} is as it should be\n"
    found: dict[str, object] = {"__file__": str(file)}
    exec(compile(file.read_text(), str(file), "exec"), found)  # noqa: S102 - as Dagster does
    assert isinstance(found["defs"], dg.Definitions)
    assert found["defs"].resolve_job_def("world_retrain").name == "world_retrain"
    file.write_text("# mine\n")
    with pytest.raises(DataError, match=r"definitions\.py is there already and differs"):
        schedules.write_definitions(folder)


def test_the_code_of_the_page_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (root / "docs" / "watching.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page.split("### Dagster")[1], re.DOTALL)
    monkeypatch.chdir(world.make(tmp_path / "world", rows=world.calls(days=20)))
    found: dict[str, object] = {}
    exec(compile(code, "watching.md", "exec"), found)  # noqa: S102 - the page of the docs
    defs = found["defs"]
    assert isinstance(defs, dg.Definitions)
    assert defs.resolve_schedule_def("world_schedule").cron_schedule == "30 5 * * *"
