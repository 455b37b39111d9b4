"""The map, one case and a line in a real browser: right figures, nothing fetched from outside, no mouse needed."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from playwright.sync_api import expect

import asof
from asof import releases
from asof.flows.serving import Desk
from asof.pages import words
from asof.ui import decks, sights
from asof.ui.sights import Opening
from tests.test_pages_in_browser import HARSH
from tests.ui.conftest import Screen, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.needs("a browser")
ZONE = ZoneInfo("America/New_York")
VIEWS = ("", "case", "line", "table", "leaderboard", "quality", "drift", "audit")


@pytest.fixture(scope="module")
def desk(squares: Path) -> Desk:
    made = Desk(asof.open_project(str(squares)))
    made.open()
    return made


def judged(folder: Path) -> pl.DataFrame:
    """Judged answers of the champion, one day ahead."""
    workspace = sights.open_workspace(Opening(str(folder)))
    record = workspace.registry.find("champion")
    assert record is not None
    told = releases.read(record.folder).judged()
    assert told is not None
    return told.filter(horizon="1d")


def test_the_map_tells_what_was_judged_over_all_and_of_one_day(screen: Screen, squares: Path) -> None:
    told = judged(squares)
    page = screen.show().page
    expect(screen.tile("Predicted")).to_have_text(words.brief(told["prediction"].mean()))
    expect(screen.tile("Came")).to_have_text(words.brief(told["label"].mean()))
    size = (told["prediction"] - told["label"]).abs().mean()
    expect(screen.tile("Typical error")).to_have_text(words.brief(size))
    held = told.select(pl.col("label").is_between("low", "high").mean()).item()
    expect(screen.tile("Within the interval")).to_have_text(words.percent(held))
    page.get_by_role("radio", name="One at a time").click()
    days: list[datetime] = told["start"].unique().sort().to_list()
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", words.day(days[-1], "America/New_York"))
    slider.press("ArrowLeft")  # by the keyboard, a day back
    before = told.filter(start=days[-2])
    expect(screen.tile("Predicted")).to_have_text(words.brief(before["prediction"].mean()))
    expect(screen.tile("Came")).to_have_text(words.brief(before["label"].mean()))
    page.get_by_role("radio", name="Interval").click()
    expect(page.locator(".asof-scale")).to_contain_text("within the interval")


def press(screen: Screen, seen: Callable[[], None], *, third: int) -> None:
    """Click on one of the three squares of the map, each a third of what is fitted, until what follows is seen."""
    canvas = screen.page.locator("[data-testid=stDeckGlJsonChart] canvas").first
    expect(canvas).to_be_visible()
    screen.page.wait_for_timeout(3000)  # until software has drawn it
    across, down = screen.middle(canvas)
    at = {"x": across + (third - 2) * decks.ACROSS / 3, "y": down}
    screen.until(seen, lambda: canvas.click(position=at))


def test_a_click_on_the_map_tells_of_the_place(screen: Screen) -> None:
    page = screen.show().page
    press(screen, lambda: expect(page.get_by_role("heading", name="Area z2")).to_be_visible(), third=3)
    expect(page.get_by_text("came", exact=True)).to_be_visible()


def test_a_place_of_the_map_is_chosen_without_a_mouse(screen: Screen) -> None:
    page = screen.show("map").page
    heading = page.get_by_role("heading", name="Area z1")
    screen.choose("Tell of one", "Area z1", lambda: expect(heading).to_be_visible())


def test_a_click_on_the_map_of_a_case_asks_about_the_place(screen: Screen, desk: Desk) -> None:
    page = screen.show("case").page
    place = page.get_by_role("combobox", name="Place")
    expect(screen.tile("calls")).to_be_visible()
    press(screen, lambda: expect(place).to_have_value("Area z0"), third=1)
    day = page.get_by_test_id("stDateInput").locator("input").first.input_value().replace("/", "-")
    answer = desk.answer(pl.DataFrame({"place": ["z0"], "start": [day]}))
    expect(screen.tile("calls")).to_have_text(words.brief(answer["prediction"][0]))
    press(screen, lambda: expect(place).to_have_value("Area z2"), third=3)


def test_a_case_is_answered_as_the_desk_answers(screen: Screen, desk: Desk) -> None:
    page = screen.show("case").page
    ready = desk.standing.ready
    assert ready is not None
    latest = ready["start"].max()
    assert isinstance(latest, datetime)
    day = latest.astimezone(ZONE).date().isoformat()

    def asked(place: str) -> tuple[str, str]:
        answers, reasons = desk.explain(pl.DataFrame({"place": [place], "start": [day]}))
        return words.brief(answers["prediction"][0]), str(reasons[0]["reasons"][0]["feature"])

    busiest = ready.sort("prediction", descending=True)["place"][0]
    told, why = asked(busiest)
    expect(screen.tile("calls")).to_have_text(told)
    expect(page.locator(".js-plotly-plot").get_by_text(why)).to_be_visible()
    place = page.get_by_role("combobox", name="Place")
    screen.choose("Place", "Area z0", lambda: expect(place).to_have_value("Area z0"))
    page.get_by_role("button", name="Answer").click()
    expect(screen.tile("calls")).to_have_text(asked("z0")[0])
    expect(page.get_by_text(f"Answered by {desk.standing.oracle.release.name}.")).to_be_visible()


def test_a_line_tells_the_places_above_the_cutoff_and_a_bad_one_why(screen: Screen) -> None:
    page = screen.show("line").page
    expect(screen.tile("Places along it")).to_have_text("3")
    cutoff = page.get_by_label("Cutoff: calls of at least")
    cutoff.fill("3")
    page.get_by_role("button", name="Show the places along it").press("Enter")
    expect(screen.tile("At least 3")).to_have_text("2")
    page.get_by_label("Latitude of the start").fill("60")
    page.get_by_label("Latitude of the end").fill("61")
    page.get_by_role("button", name="Show the places along it").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("the line crosses no place of this project")


def test_nothing_leaves_this_machine_and_nothing_fails(screen: Screen) -> None:
    """Whatever the browser asks for on any view: scripts, fonts, tiles, usage statistics."""
    for view in VIEWS:
        screen.show(view).page.wait_for_load_state("networkidle")
    expect(screen.show().page.locator(".asof-scale")).to_be_visible()
    assert screen.away == set()
    assert screen.wrong == []


def test_a_phone_shows_every_view_without_scrolling_aside(phone: Screen) -> None:
    for view, sign in (("", ".asof-scale"), ("case", ".js-plotly-plot"), ("line", ".asof-scale")):
        expect(phone.show(view).page.locator(sign).first).to_be_visible()
        assert phone.width() == 390, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_a_case_can_be_read(browser: "Browser", address: str, scheme: Literal["light", "dark"]) -> None:
    for screen in opened(browser, address, width=1280, color_scheme=scheme):
        page = screen.show("case").page
        expect(page.locator(".js-plotly-plot").first).to_be_visible()
        # The entry that is chosen stands on a veil, which the measure takes for a wall.
        faint = [one for one in page.evaluate(HARSH) if one != "P : One case"]
        assert faint == []


def test_every_control_is_reached_by_the_keyboard(screen: Screen) -> None:
    page = screen.show("case").page
    expect(screen.tile("calls")).to_be_visible()
    reached = []
    wanted = ("Map", "Along a line", "Audit", "Release", "Place", "Answer")
    # A page that is still being made lets go of the focus, and the way begins anew.
    while len(reached) < 120 and not all(name in " | ".join(reached) for name in wanted):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(e => e.ariaLabel || e.innerText || e.getAttribute('placeholder') || '')(document.activeElement)"
            )
        )
    together = " | ".join(reached)
    for name in wanted:
        assert name in together, f"{name} is not reached: {together}"
