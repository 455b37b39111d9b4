"""A released project with a map, the page that shows it on loopback, and a browser to look at it."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import asof
from tests.flows import world
from tests.flows.conftest import finished
from tests.ui import glances

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["finished"]  # the fixture of a project that has been run

NAMES = ("chromium", "chromium-browser", "google-chrome")
DRAWN = ("--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""Maps are drawn by WebGL, here in software; the rest of a page by what costs a third of an imitated graphics card."""
PATIENCE = 60_000
"""Milliseconds for whatever a page has to show."""
AREAS = ("z0", "z1", "z2")


def square(at: int) -> dict[str, Any]:
    """A square of one degree at this longitude, with its id and name."""
    ring = [[at, 0.0], [at + 1.0, 0.0], [at + 1.0, 1.0], [at, 1.0], [at, 0.0]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"id": AREAS[at], "name": f"Area {AREAS[at]}"}, "geometry": shape}


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world on three squares side by side, run once; read only."""
    project = world.PROJECT.replace("per: {place: zone, every: 1d}", "per: {place: areas.geojson#id, every: 1d}")
    rows = world.calls(days=120, places=len(AREAS))
    folder = world.make(tmp_path_factory.mktemp("squares") / "world", project=project, rows=rows)
    shapes = {"type": "FeatureCollection", "features": [square(at) for at in range(len(AREAS))]}
    (folder / "areas.geojson").write_text(json.dumps(shapes))
    asof.run(asof.open_project(str(folder)))
    return folder


@pytest.fixture(scope="session")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Houses, some not yet sold and two in quarantine, run once; read only."""
    folder = glances.make(tmp_path_factory.mktemp("sold") / "houses")
    asof.run(asof.open_project(str(folder)))
    return folder


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Start the page of a project as a user does; yields its address. It has to stop cleanly when it is told to."""
    command = [sys.executable, "-m", "asof", "ui", str(folder), "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = server.stdout.readline()
        try:
            assert told, server.stderr.read() if server.stderr is not None else ""
            yield str(json.loads(told)["address"])
        finally:
            server.terminate()
            _, said = server.communicate(timeout=30)
    assert server.returncode == 0, said
    assert "Traceback" not in said


@pytest.fixture(scope="package")
def address(squares: Path) -> Iterator[str]:
    """Address of the page of the squares."""
    with serving(squares) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"missing: a browser (one of {', '.join(NAMES)})")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)

    with sync_playwright() as running:
        made = running.chromium.launch(executable_path=found, args=list(DRAWN))
        yield made
        made.close()


@dataclass
class Screen:
    """A tab of the browser, with what it asked for elsewhere and what went wrong."""

    page: "Page"
    address: str
    away: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def show(self, view: str = "") -> "Screen":
        """Open a view by its address, and wait until it stands there whole."""
        for _ in range(20):  # what was told is where it will listen, a moment later
            with contextlib.suppress(Exception):
                self.page.goto(f"{self.address}/{view}")
                break
            self.page.wait_for_timeout(500)
        self.page.locator("h1").first.wait_for(timeout=PATIENCE)
        self.settle()
        return self

    def settle(self) -> None:
        """Wait until nothing more is drawn: what is drawn anew closes the lists of fields."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=PATIENCE)

    def until(self, seen: Callable[[], None], act: Callable[[], None]) -> None:
        """Act, as a person does again where a page still being made has swallowed it, until what follows is seen.

        ``seen`` waits by ``expect``, with the patience set for the time of this.
        """
        from playwright.sync_api import expect

        for patience in (PATIENCE // 6, PATIENCE // 6, PATIENCE // 3):
            self.settle()
            expect.set_options(timeout=patience)
            try:
                with contextlib.suppress(AssertionError):
                    act()
                    return seen()
            finally:
                expect.set_options(timeout=PATIENCE)
        self.settle()
        act()
        return seen()

    def choose(self, name: str, option: str, seen: Callable[[], None]) -> None:
        """Choose by the keyboard in the field of this name, until what follows from it is seen."""
        from playwright.sync_api import expect

        field = self.page.get_by_role("combobox", name=name)

        def act() -> None:
            field.press("ControlOrMeta+a")
            field.press_sequentially(option)
            expect(self.page.get_by_role("option", name=option)).to_be_visible()
            field.press("Enter")

        self.until(seen, act)

    def tile(self, name: str) -> "Locator":
        """The figure of a tile."""
        return self.page.locator(f'.asof-tile:has(> small:text-is("{name}")) > strong')

    def middle(self, part: "Locator") -> tuple[float, float]:
        """Half the width and half the height of a part of the page, in pixels."""
        box = part.bounding_box()
        assert box is not None
        return box["width"] / 2, box["height"] / 2

    def width(self) -> int:
        """How wide the page is, in pixels."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@pytest.fixture
def screen(browser: "Browser", address: str) -> Iterator[Screen]:
    """A tab of a desk's width on the page of the squares."""
    yield from opened(browser, address, width=1280)


@pytest.fixture
def phone(browser: "Browser", address: str) -> Iterator[Screen]:
    """A tab of a phone's width."""
    yield from opened(browser, address, width=390)


def opened(browser: "Browser", address: str, *, width: int, **settings: Any) -> Iterator[Screen]:
    """Open a tab that remembers what it asks for."""
    context = browser.new_context(viewport={"width": width, "height": 1000}, **settings)
    made = Screen(context.new_page(), address)
    made.page.set_default_timeout(PATIENCE)
    made.page.on("pageerror", lambda error: made.wrong.append(str(error)))
    made.page.on("request", lambda asked: made.away.update(elsewhere(asked.url, address)))
    yield made
    context.close()


def elsewhere(url: str, address: str) -> set[str]:
    """The address of a request that leaves this machine."""
    at_home = (address, address.replace("http://", "ws://"), "data:", "blob:")
    return set() if url.startswith(at_home) else {url}
