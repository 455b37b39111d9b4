"""The registry: the MLflow adapter and the one in memory pass the same exam; what MLflow alone can get wrong."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asof.adapters import versions
from asof.adapters.registry import MlflowRegistry
from asof.errors import DataError, OutsideError
from asof.testing import registries


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once: MLflow's migrations take most of a second."""
    root = tmp_path_factory.mktemp("tables")
    with MlflowRegistry(None, "none", root).guarded():
        return root / "mlflow.db"


@pytest.fixture
def opened(tables: Path) -> registries.Make:
    def make(root: Path) -> MlflowRegistry:
        if not (root / "mlflow.db").exists():
            root.mkdir(parents=True, exist_ok=True)
            shutil.copy(tables, root / "mlflow.db")
        return MlflowRegistry(None, "demo", root)

    return make


@pytest.mark.parametrize("question", registries.EXAM, ids=lambda question: question.__name__)
def test_exam_of_the_registry_in_memory(question: Callable[[registries.Make, Path], None], tmp_path: Path) -> None:
    question(registries.MemoryRegistry, tmp_path)


@pytest.mark.parametrize("question", registries.EXAM, ids=lambda question: question.__name__)
def test_exam_of_mlflow(
    question: Callable[[registries.Make, Path], None], opened: registries.Make, tmp_path: Path
) -> None:
    question(opened, tmp_path)


def test_asking_before_the_first_run_makes_nothing(tmp_path: Path) -> None:
    registries.starts_empty(lambda root: MlflowRegistry(None, "demo", root), tmp_path / "store")
    assert MlflowRegistry(f"sqlite:///{tmp_path}/store/x.db", "demo", tmp_path / "store").candidates("x") == []
    assert list(tmp_path.iterdir()) == []


HALF_WRITTEN = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("pragma cache_size = 1")  # so that pages are written before the end
database.execute("begin")
database.execute("update registered_model_aliases set alias = 'torn'")
rows = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)"
database.execute(f"create table filler as {rows} select i, hex(randomblob(50)) from n")
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_half_done_is_taken_back(opened: registries.Make, tmp_path: Path) -> None:
    """The journal of its transaction lies beside the database, and a reader must not fail of it."""
    registry = opened(tmp_path)
    tracker = registry.begin("first")
    registry.register(registries.release(tmp_path / "models" / "r1"), tracker, {}, {})
    registry.set_alias("champion", 1)
    file = tmp_path / "mlflow.db"
    done = subprocess.run(
        [sys.executable, "-c", HALF_WRITTEN, str(file)], check=False, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == -9, done.stderr
    assert file.with_name("mlflow.db-journal").stat().st_size > 0, "nothing was left half done"
    assert [one.aliases for one in versions.read(file, "demo")] == [("champion",)]
    assert [one.aliases for one in opened(tmp_path).releases()] == [("champion",)]
    assert not file.with_name("mlflow.db-journal").exists()


def test_a_hundred_candidates_take_seconds(opened: registries.Make, tmp_path: Path) -> None:
    registry = opened(tmp_path)
    tracker = registry.begin("run")
    began = time.process_time()
    for number in range(100):
        tracker.candidate(f"trial {number}", {"leaves": number, "rate": 0.1}, {"score": 1.0, "fold.1": 1.1})
    taken = time.process_time() - began
    assert len(registry.candidates(tracker.run)) == 100
    assert taken < 5, f"{taken:.1f} s"  # of the processor, about 1 s: a busy machine does not count


def test_names_and_values_that_mlflow_would_refuse(opened: registries.Make, tmp_path: Path) -> None:
    registry = opened(tmp_path)
    tracker = registry.begin("run")
    many = {f"p{number}": number for number in range(250)}
    tracker.record(params={"größe (cm)": "x" * 7000, "list": [1, 2]}, figures={"skill@7d": 0.5, "nan": float("nan")})
    tracker.record(params=many)
    run = registry.runs()[0]
    assert run.params["gr__e _cm_"] == "x" * 6000
    assert run.params["list"] == "[1, 2]"
    assert run.figures["skill_7d"] == 0.5
    assert len(run.params) == 252


def test_a_parameter_does_not_change(opened: registries.Make, tmp_path: Path) -> None:
    tracker = opened(tmp_path).begin("run")
    tracker.record(params={"seed": 1})
    with pytest.raises(OutsideError, match="seed"):
        tracker.record(params={"seed": 2})


def test_projects_in_one_registry_do_not_meet(opened: registries.Make, tmp_path: Path) -> None:
    registry = opened(tmp_path)
    registry.register(registries.release(tmp_path / "a"), registry.begin("run"), {}, {})
    other = MlflowRegistry(None, "other", tmp_path)
    assert (other.releases(), other.runs(), other.decisions()) == ([], [], [])


def test_a_store_may_be_moved(opened: registries.Make, tmp_path: Path) -> None:
    registry = opened(tmp_path / "old")
    registry.register(registries.release(tmp_path / "old/models/a"), registry.begin("run"), {}, {})
    registry.register(registries.release(tmp_path / "far"), registry.begin("run"), {}, {})
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    folders = [record.folder for record in MlflowRegistry(None, "demo", tmp_path / "new").releases()]
    assert folders == [tmp_path / "far", tmp_path / "new/models/a"]


def test_attached_files_lie_in_the_store(opened: registries.Make, tmp_path: Path) -> None:
    tracker = opened(tmp_path / "store").begin("run")
    tracker.attach(registries.release(tmp_path / "files"))
    found = list((tmp_path / "store/artifacts").rglob("manifest.json"))
    assert [file.read_text("utf-8") for file in found] == ["{}"]


def test_what_is_no_database_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database" * 100, "utf-8")
    with pytest.raises(OutsideError, match=r"registry sqlite:///.*mlflow\.db: .*: check that it is there") as told:
        MlflowRegistry(None, "demo", tmp_path).begin("run")
    assert "\n" not in str(told.value)


def test_an_absent_server_is_said_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = MlflowRegistry("http://user:s3cr3t@127.0.0.1:9", "demo", tmp_path)
    with pytest.raises(OutsideError, match=r"registry http://127\.0\.0\.1:9: ") as told:
        registry.begin("run")
    assert "s3cr3t" not in str(told.value)


def test_a_deleted_experiment_is_not_used(opened: registries.Make, tmp_path: Path) -> None:
    opened(tmp_path).begin("run")
    registry = MlflowRegistry(None, "demo", tmp_path)
    with registry.guarded() as client:
        found = client.get_experiment_by_name("demo")
        assert found is not None
        client.delete_experiment(found.experiment_id)
    with pytest.raises(OutsideError, match="experiment 'demo' was deleted: restore it"):
        registry.begin("run")


STEPS = ("register", "alias", "decide")
"""Where a run is killed; ``nowhere`` follows, which runs through."""

KILLED = """
import os, signal, sys, warnings
from pathlib import Path
with warnings.catch_warnings(action="ignore"):
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store
from asof.adapters import versions
from asof.adapters.registry import MlflowRegistry

def run(root, fatal):
    def reached(step):
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
    registry = MlflowRegistry(None, "demo", root)
    tracker = registry.begin("run")
    tracker.candidate("mean", {}, {"score": 1.0})
    record = registry.register(root / "models/a", tracker, {"name": "demo-a"}, {})
    reached("register")
    registry.set_alias("champion", record.version)
    reached("alias")
    if not registry.decisions():
        registry.decide({"promoted": True})
    reached("decide")
    registry.end(tracker, status="finished")

for step in sys.argv[2:]:
    for fatal in (step, "nowhere"):
        child = os.fork()
        if child == 0:
            run(Path(sys.argv[1]) / step, fatal)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == (signal.SIGKILL if fatal == step else 0), (step, fatal, status)
"""
"""One process that imports MLflow once, and a child of it for each run."""


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be killed that way there")
def test_after_a_kill_the_same_calls_give_the_same_end(opened: registries.Make, tmp_path: Path) -> None:
    for step in STEPS:
        opened(tmp_path / step)
        registries.release(tmp_path / step / "models/a")
    quiet = ["-W", "error", "-W", "ignore:.*fork.*:DeprecationWarning"]
    command = [sys.executable, *quiet, "-c", KILLED, str(tmp_path), *STEPS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for step in STEPS:
        registry = opened(tmp_path / step)
        known = [(record.version, record.aliases, record.name) for record in registry.releases()]
        assert known == [(1, ("champion",), "demo-a")], step
        assert registry.decisions() == [{"promoted": True}]
        assert [run.status for run in registry.runs()] == ["finished", "killed"]


def test_a_release_that_only_the_server_has_is_fetched_whole(
    opened: registries.Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = opened(tmp_path / "store")
    folder = registries.release(tmp_path / "store/models/nyc/a")
    record = registry.register(folder, registry.begin("run"), {"name": "demo-a"}, {})
    shutil.rmtree(tmp_path / "store/models")
    served = MlflowRegistry(None, "demo", tmp_path / "store")
    served._served = True
    with served.guarded() as client:
        monkeypatch.setattr(
            client, "download_artifacts", lambda _run, part, to: str(registries.release(Path(to) / part))
        )
    found = served.find("demo-a")
    assert found is not None
    assert (found.folder, found.run) == (folder, record.run)
    assert [path.name for path in folder.parent.iterdir()] == ["a"]
    assert (folder / "manifest.json").is_file()


def test_a_release_goes_to_the_server_as_files_of_its_run(
    opened: registries.Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = opened(tmp_path / "store")
    assert isinstance(registry, MlflowRegistry)
    monkeypatch.setattr(registry, "_served", True)
    tracker = registry.begin("run")
    record = registry.register(registries.release(tmp_path / "store/models/a"), tracker, {}, {})
    with registry.guarded() as client:
        source = client.get_model_version("demo", str(record.version)).source
    assert source.endswith(f"/{tracker.run}/artifacts/release")
    uploaded = list((tmp_path / "store/artifacts").rglob("release/manifest.json"))
    assert [file.read_text("utf-8") for file in uploaded] == ["{}"]


def test_a_fetched_folder_stays_in_the_store(opened: registries.Make, tmp_path: Path) -> None:
    registry = opened(tmp_path / "store")
    record = registry.register(registries.release(tmp_path / "elsewhere"), registry.begin("run"), {}, {})
    shutil.rmtree(tmp_path / "elsewhere")
    served = MlflowRegistry(None, "demo", tmp_path / "store")
    served._served = True
    with pytest.raises(DataError, match="lies outside the store and is not on this machine"):
        served.find(str(record.version))


@pytest.mark.skipif(sys.platform == "win32", reason="there, a run that was cut off stays open")
def test_runs_of_dead_processes_are_closed(
    opened: registries.Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: 2**22 + 1)  # above the largest process number of Linux
        opened(tmp_path).begin("cut off")
    living = opened(tmp_path).begin("living")
    assert [(run.label, run.status) for run in opened(tmp_path).runs()] == [
        ("living", "running"),
        ("cut off", "killed"),
    ]
    opened(tmp_path).begin("third")
    assert {run.label: run.status for run in opened(tmp_path).runs()}["living"] == "running"
    opened(tmp_path).end(living, status="finished")


def test_long_lists_are_read_to_the_end(
    opened: registries.Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = opened(tmp_path)
    assert isinstance(registry, MlflowRegistry)
    for number in range(5):
        registry.begin(f"run {number}")
    with registry.guarded() as client:
        whole = client.search_runs
        monkeypatch.setattr(client, "search_runs", lambda *args, **more: whole(*args, **more, max_results=2))
    assert [run.label for run in registry.runs()] == ["run 4", "run 3", "run 2", "run 1", "run 0"]


def test_versions_are_read_as_mlflow_tells_them(opened: registries.Make, tmp_path: Path) -> None:
    """Straight from the tables, without MLflow: numbers, moments, tags and aliases, and none that was deleted."""
    registry = opened(tmp_path)
    tracker = registry.begin("run")
    for name in ("a", "b", "c"):
        registry.register(registries.release(tmp_path / name), tracker, {"name": f"demo-{name}"}, {"skill": 0.1})
    registry.set_alias("champion", 3)
    registry.set_alias("challenger", 1)
    assert isinstance(registry, MlflowRegistry)
    with registry.guarded() as client:
        client.delete_model_version("demo", "2")
        told = {int(version.version): version for version in client.search_model_versions("name = 'demo'")}
        aliases = dict(client.get_registered_model("demo").aliases)
    read = versions.read(tmp_path / "mlflow.db", "demo")
    assert [version.number for version in read] == [3, 1]
    assert {alias: version.number for version in read for alias in version.aliases} == {
        alias: int(number) for alias, number in aliases.items()
    }
    for version in read:
        assert version.created_ms == told[version.number].creation_timestamp
        assert version.run == told[version.number].run_id == tracker.run
        assert version.tags == dict(told[version.number].tags)


def test_decisions_are_read_as_mlflow_tells_them(opened: registries.Make, tmp_path: Path) -> None:
    """Straight from the tables: of this project alone, long ones whole, and none that was deleted."""
    registry = opened(tmp_path)
    assert isinstance(registry, MlflowRegistry)
    tracker = registry.begin("run")
    registry.decide({"kind": "promotion", "run": tracker.run, "why": "x" * 9000})
    registry.decide({"kind": "rollback"})
    registry.decide({"kind": "retrain"})
    other = MlflowRegistry(None, "other", tmp_path)
    other.decide({"kind": "watch"})
    with registry.guarded() as client:
        place = [client.get_experiment_by_name("demo").experiment_id]
        (gone,) = client.search_runs(place, "tags.`asof.number` = '2'")
        client.delete_run(gone.info.run_id)
        told = client.search_runs(place, "tags.`asof.kind` = 'decision'", order_by=["attributes.start_time ASC"])
    read = versions.tags_of_runs(tmp_path / "mlflow.db", "demo", ("asof.kind", "decision"))
    assert read == [dict(run.data.tags) for run in told]
    assert [(one["kind"], len(one.get("why", ""))) for one in registry.decisions()] == [
        ("promotion", 9000),
        ("retrain", 0),
    ]
    assert other.decisions() == [{"kind": "watch"}]


def test_finding_the_champion_and_its_history_imports_no_mlflow(opened: registries.Make, tmp_path: Path) -> None:
    """Who only answers questions, or shows a release, does not wait for it."""
    registry = opened(tmp_path)
    registry.register(registries.release(tmp_path / "a"), registry.begin("run"), {}, {})
    registry.set_alias("champion", 1)
    registry.decide({"kind": "promotion"})
    script = (
        "import sys; from pathlib import Path; from asof.adapters.registry import MlflowRegistry; "
        "registry = MlflowRegistry(None, 'demo', Path(sys.argv[1])); "
        "print(registry.find('champion').name, registry.decisions()[0]['kind'], "
        "'mlflow' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["demo-1", "promotion", "False", "False"]


def test_a_file_that_is_no_registry_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, but long enough to be read as one by mistake " * 20)
    with pytest.raises(OutsideError, match=r"mlflow\.db: file is not a database"):
        MlflowRegistry(None, "demo", tmp_path).releases()
