"""Joins a project file to its adapters, so that the flows can run; used by the command line and from Python."""

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asof.errors import ProjectError, UserError

if TYPE_CHECKING:
    from asof.flows.serving import Desk
    from asof.flows.travelling import Guides
    from asof.flows.workspace import Ask, Progress, Workspace
    from asof.ports import AnswersTable, Reader, Registry
    from asof.project import Project

EXTRAS = {
    "places": ("shapely", "polars_h3"),
    "boosters": ("xgboost", "catboost"),
    "holidays": ("holidays",),
    "socrata": ("httpx", "stamina"),
    "s3": ("obstore",),
    "sql": ("psycopg",),
    "watch": ("watchfiles",),
    "drift": ("evidently",),
    "dagster": ("dagster",),
    "serve": ("fastapi", "uvicorn", "httptools", "prometheus_client", "msgspec"),
    "ui": ("streamlit", "pydeck", "plotly"),
}
RECORDED = (
    "asof",
    "polars",
    "numpy",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "xgboost",
    "catboost",
    "optuna",
    "holidays",
)
"""Packages whose versions a release records."""


def open_project(  # noqa: PLR0913 - an address, and options by keyword
    address: str = ".",
    *,
    environment: str | None = None,
    overrides: Sequence[str] = (),
    progress: "Progress | None" = None,
    force: bool = False,
    wait: float = 0.0,
    as_of: str | None = None,
) -> "Workspace":
    """Read the project file and join it to its lake, readers and registry; ``as_of`` looks at data as known then.

    Raises ``ProjectError`` with all faults of the file at once.
    """
    from asof import plugins, project
    from asof.adapters import credentials
    from asof.adapters.lake import DeltaLake
    from asof.flows.workspace import Quiet, Stages, Workspace

    read = project.read(address, environment=environment, overrides=overrides)
    spec = read.spec
    store = store_of(read)
    now = datetime.now(UTC)

    @contextmanager
    def hold(what: str) -> Iterator[None]:
        from asof.adapters import locks

        with locks.hold(store, wait=wait, what=what):
            try:
                yield
            except ProjectError as fault:  # one that only the data show: name the line of the setting
                raise project.locate(read, fault) from fault

    def publish(folder: Path) -> None:
        if "://" in store:
            from asof.adapters import mirrors

            mirrors.publish(folder, Path(local_part(store)), store)

    def fetch(release: str) -> Path:
        from asof.adapters import mirrors

        return mirrors.fetch(release, Path(local_part(store)) / "fetched")

    def registry() -> "Registry":
        from asof.adapters.registry import MlflowRegistry

        return MlflowRegistry(tracking_uri(spec.tracking, store), spec.name, Path(local_part(store)))

    def table(address: str, folder: Path) -> "AnswersTable":
        from asof.adapters import answers

        return answers.open_table(address, folder)

    workspace = Workspace(
        spec=spec,
        folder=read.folder,
        store=store,
        local=local_part(store),
        lake=DeltaLake(store, credentials.of_profile()) if "://" in store else DeltaLake(Path(store) / "lake"),
        readers=lambda name: open_reader(read, name),
        open_registry=registry,
        hold=hold,
        publish=publish,
        fetch=fetch,
        open_table=table,
        plugins=plugins.load([read.folder / path for path in spec.plugins]),
        now=now,
        resolved=project.resolved(read),
        environment=describe_environment(spec.train.threads),
        stages=Stages(progress or Quiet()),
        force=force,
        listen=listener(),
    )
    if as_of is None:
        return workspace
    from asof.flows import knowledge

    return knowledge.look_back(workspace, as_of)


def listener() -> "Callable[[Desk], AbstractContextManager[Ask]] | None":
    """What opens a server for the audit; none without the extra ``serve``."""
    if not all(map(_installed, EXTRAS["serve"])):
        return None

    def listen(desk: "Desk") -> "AbstractContextManager[Ask]":
        from asof.api import listening

        return listening.listen(desk)

    return listen


def store_of(project: "Project") -> str:
    """Return the store of a project: an address as it is, a folder as a whole path."""
    store = project.spec.store
    return store if "://" in store else str((project.folder / store).resolve())


def tracking_uri(tracking: str | None, store: str) -> str:
    """Address of the tracking server: as configured, else SQLite in the store."""
    return tracking or f"sqlite:///{Path(local_part(store)) / 'mlflow.db'}"


def local_part(store: str) -> str:
    """Local folder of a store; for ``s3://`` a folder of the user's cache that belongs to that address."""
    if "://" not in store:
        return store
    name = store.split("://", 1)[1].strip("/").replace("/", "_")
    return str(Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "asof" / name)


def open_reader(project: "Project", name: str) -> "Reader":
    """Open the reader of the source ``name``."""
    from asof import checks

    source = project.spec.sources[name]
    columns = checks.needed(source) if source.columns else ()
    if source.files is not None:
        from asof.adapters.files import FilesReader

        return FilesReader(source.files, project.folder, header=source.header, columns=columns)
    if source.sql is not None:
        from asof.adapters.sql import SqlReader

        return SqlReader(source.sql, project.folder, source.key, columns)
    if source.api is not None:
        from asof.adapters.jsonapi import ApiReader

        return ApiReader(source.api, source.key, columns)
    if source.adapter is not None:
        from asof.adapters import packages
        from asof.ports import Asked

        asked = Asked(project.folder, source.key, source.time, columns)
        return packages.open_reader(source.adapter, asked, os.environ)
    if source.socrata is None or source.time is None:
        message = f"sources.{name}: needs files:, sql:, api:, adapter:, or socrata: with time:"
        raise UserError(message)
    from asof.adapters.socrata import SocrataReader

    return SocrataReader(source.socrata, time=source.time, key=source.key, columns=columns)


def notify(workspace: "Workspace", notice: Mapping[str, Any]) -> str:
    """Tell the webhook of the project of an alarm; returns how that went, or nothing where there is none."""
    if workspace.spec.watch.webhook is None:
        return ""
    from asof.adapters import webhooks

    return webhooks.send(workspace.spec.watch.webhook, notice, os.environ)


def drift_page(file: Path) -> Callable[[Any, Any], None]:
    """Return what draws a page of drift into ``file``: features served, features learnt from; extra ``drift``."""
    from asof.adapters import drift_pages

    return lambda served, learnt: drift_pages.draw(file, served, learnt)


def guides(workspace: "Workspace") -> "Guides":
    """Open what finds ways and addresses, as far as the project file names it."""
    from asof.flows.travelling import Guides

    spec, routes, geocoder = workspace.spec.serve, None, None
    if spec.roads is not None:
        from asof.adapters.roads import RoadGraph

        routes = RoadGraph(workspace.folder / spec.roads)
    if spec.addresses is not None:
        from asof.adapters import geocoding

        geocoder = geocoding.open_addresses(spec.addresses, workspace.folder)
    return Guides(routes, geocoder)


def describe_environment(threads: int) -> dict[str, str]:
    """Python, platform, threads and versions of the packages that make numbers."""
    facts = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": str(threads or os.cpu_count()),
    }
    return facts | _versions()


@functools.cache
def _versions() -> dict[str, str]:
    """Versions of these packages, looked up once."""
    found = {}
    for package in RECORDED:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def schema() -> dict[str, Any]:
    """JSON Schema of project files, for editors."""
    from asof import project

    return project.schema()


def settings(address: str, *, environment: str | None = None, overrides: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    """Every setting with its value and where it came from."""
    from asof import project

    return list(project.show(project.read(address, environment=environment, overrides=overrides)))


def example_folder(name: str) -> Path:
    """Folder of a bundled example: inside the installed package, or in the source tree."""
    here = Path(__file__).resolve().parent
    for folder in (here / "examples" / name, here.parents[1] / "examples" / name):
        if (folder / "project.yaml").is_file():
            return folder
    message = f"the example {name} is not part of this installation"
    raise UserError(message)


def copy_example(name: str, target: Path) -> None:
    """Copy a bundled example to ``target``; files that are there already stay as they are."""
    source = example_folder(name)
    if target.is_file():
        message = f"{target} is a file; expected a folder to put the example into"
        raise UserError(message)
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.is_file() and not relative.parts[0].startswith(".") and not (target / relative).exists():
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / relative)


def show_tracking(address: str, port: int, *, environment: str | None = None, overrides: Sequence[str] = ()) -> None:
    """Show MLflow's page of a project's runs until interrupted; it needs the extra ``mlflow-ui``."""
    from asof import project
    from asof.adapters import tracking

    read = project.read(address, environment=environment, overrides=overrides)
    tracking.show(tracking_uri(read.spec.tracking, store_of(read)), port)


def examine(address: str = "") -> dict[str, Any]:
    """Say what works on this machine, and for a project whether it can be read and written."""
    from asof.adapters import tracking

    rows: list[dict[str, Any]] = [
        {"ok": sys.version_info >= (3, 11), "what": "Python", "note": platform.python_version()},
        {"ok": True, "what": "cores", "note": str(os.cpu_count())},
    ]
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if not _installed(module)]
        note = f"missing {', '.join(missing)}: pip install 'asof[{extra}]'" if missing else "installed"
        rows.append({"ok": not missing, "what": f"extra {extra}", "note": note})
    absent = tracking.missing()
    note = f"missing {absent}: pip install 'asof[mlflow-ui]'" if absent else "installed"
    rows.append({"ok": not absent, "what": "extra mlflow-ui", "note": note})
    rows += [
        {"ok": bool(os.environ.get(name)), "what": name, "note": "set" if os.environ.get(name) else "not set"}
        for name in ("SOCRATA_APP_TOKEN", "AWS_ACCESS_KEY_ID")
    ]
    if address:
        rows += _examine_project(address)
    return {"rows": rows}


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None  # of a package's part this would import the package


def _examine_project(address: str) -> list[dict[str, Any]]:
    workspace = open_project(address)
    rows = [{"ok": True, "what": "project file", "note": workspace.spec.name}]
    folder = Path(local_part(workspace.store))
    free = shutil.disk_usage(folder if folder.exists() else workspace.folder).free
    rows.append(
        {
            "ok": os.access(workspace.folder, os.W_OK),
            "what": "store",
            "note": f"{workspace.store}, {free / 2**30:,.1f} GiB free",
        }
    )
    try:
        with workspace.hold("doctor"):
            rows.append({"ok": True, "what": "lock", "note": "free"})
    except UserError:
        raise
    except OSError as error:
        rows.append({"ok": False, "what": "lock", "note": str(error)})
    for name in workspace.spec.sources:
        version = workspace.lake.version(name)
        rows.append(
            {
                "ok": version is not None,
                "what": f"source {name}",
                "note": "not yet read" if version is None else f"raw version {version}",
            }
        )
    return rows
