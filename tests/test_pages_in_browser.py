"""The report in a browser, on a phone and a desk, light and dark: nothing overflows, fails or is asked for."""

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asof import pages
from asof.pages.views import SECTIONS
from tests.reportfacts import classes, full

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.needs("a browser")
NAMES = ("chromium", "chromium-browser", "google-chrome")
LONG = "an_unbroken_name_that_is_longer_than_a_phone_is_wide_and_goes_on"
HARSH = """
() => {
  const curve = c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => .2126 * curve(r / 255) + .7152 * curve(g / 255) + .0722 * curve(b / 255);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const ground = element => {
    for (let each = element; each; each = each.parentElement) {
      const found = colour(getComputedStyle(each).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const texts = 'h1, h2, h3, h4, p, li, dt, dd, th, td, small, strong, caption, figcaption, summary, a, .chip';
  return [...document.querySelectorAll(texts)].filter(element => {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) return false;
    const both = [colour(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => b - a);
    return (both[0] + .05) / (both[1] + .05) < 4.5;
  }).map(element => element.tagName + ' ' + element.className + ': ' + element.textContent.slice(0, 30));
}
"""
"""Texts with a contrast below 4.5 to 1 (WCAG 2.2, level AA)."""


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"missing: a browser (one of {', '.join(NAMES)})")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        made = running.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


PAGES: dict[str, Callable[[], pages.ReportFacts]] = {
    "places": lambda: full("word"),
    "long names": lambda: full(LONG),
    "classes": lambda: classes("word"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name, facts in PAGES.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(pages.report(facts()), "utf-8")
    return made


def opened(browser: "Browser", file: Path, **settings: Any) -> tuple["Page", list[str]]:
    """Open a page; returns it with all that went wrong or was asked for."""
    page = browser.new_context(**settings).new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("request", lambda asked: wrong.extend({asked.url} - {file.as_uri()}))
    page.goto(file.as_uri())
    return page, wrong


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows_fails_or_is_asked_for(
    browser: "Browser", files: dict[str, Path], name: str, width: int
) -> None:
    page, wrong = opened(browser, files[name], viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert wrong == []
    drawn = page.locator("svg.plot:visible")
    boxes = [drawn.nth(index).bounding_box() for index in range(drawn.count())]
    assert boxes, "plots are drawn at every width"
    assert all(box is not None and box["width"] > 250 and box["x"] + box["width"] <= width for box in boxes)
    page.context.close()


def test_every_heading_is_there_and_can_be_reached(browser: "Browser", files: dict[str, Path]) -> None:
    page, _ = opened(browser, files["places"])
    wanted = [section.title for section in SECTIONS]
    assert page.locator("section h2").all_inner_texts() == wanted
    assert page.get_by_role("navigation").get_by_role("link").all_inner_texts() == wanted
    for section in SECTIONS:
        assert page.get_by_role("region", name=section.title, exact=True).count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(later <= level + 1 for level, later in pairwise(levels)), "no level is left out"
    unnamed = page.evaluate("[...document.querySelectorAll('svg[role=img]')].filter(e => !e.ariaLabel).length")
    assert unnamed == 0
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["places", "classes"])
def test_every_text_can_be_read(browser: "Browser", files: dict[str, Path], name: str, scheme: str) -> None:
    page, _ = opened(browser, files[name], color_scheme=scheme)
    assert page.evaluate(HARSH) == []
    page.context.close()


def test_paper_is_white_whatever_the_screen(browser: "Browser", files: dict[str, Path]) -> None:
    page, _ = opened(browser, files["places"], color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(HARSH) == []
    assert not page.get_by_role("navigation").is_visible()
    page.context.close()
