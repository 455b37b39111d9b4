"""Servers on loopback that answer with a finished project; stopped when the tests are over."""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

import asof
from asof.api import Settings, create, heads
from asof.flows.serving import Desk
from tests.api.flats import FLATS, flats
from tests.flows import houses, world

Start = Callable[..., httpx.Client]


@contextlib.contextmanager
def standing(desk: Desk, settings: Settings) -> Iterator[httpx.Client]:
    """A server that answers from ``desk`` on a free port, and a client of it."""
    config = uvicorn.Config(
        create(desk, settings), port=0, http=heads.Bounded, ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(30)


def opened(folder: Path) -> Desk:
    """Open the champion of the project in ``folder``."""
    desk = Desk(asof.open_project(str(folder)))
    desk.open()
    return desk


@pytest.fixture(scope="session")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world of calls by zone and day, run once."""
    folder = world.make(tmp_path_factory.mktemp("served") / "world")
    asof.run(asof.open_project(str(folder)))
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Passengers without place or time, two classes, run once."""
    folder = houses.make(tmp_path_factory.mktemp("served") / "people", houses.PASSENGERS, people=houses.people())
    asof.run(asof.open_project(str(folder)))
    return folder


@pytest.fixture(scope="session")
def flats_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flats without place or time, learnt by LightGBM once."""
    folder = houses.make(tmp_path_factory.mktemp("served") / "flats", FLATS, flats=flats())
    asof.train(asof.open_project(str(folder)))
    return folder


@pytest.fixture(scope="session")
def flat_desk(flats_folder: Path) -> Desk:
    """The flats, open with what was trained last."""
    desk = Desk(asof.open_project(str(flats_folder)), "challenger")
    desk.open()
    return desk


@pytest.fixture(scope="session")
def panel(crashes: Path) -> Iterator[httpx.Client]:
    """A server of a panel."""
    with standing(opened(crashes), Settings(renew=0)) as client:
        yield client


@pytest.fixture(scope="session")
def classes(people: Path) -> Iterator[httpx.Client]:
    """A server of classes of rows."""
    with standing(opened(people), Settings(renew=0)) as client:
        yield client


@pytest.fixture
def own(crashes: Path, tmp_path: Path) -> Path:
    """A copy of the world that a test may change."""
    return Path(shutil.copytree(crashes, tmp_path / "world"))
