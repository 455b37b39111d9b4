"""Rows that lie on a map as points, in a real browser: judged ones, a form begun by a click, and a look."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from playwright.sync_api import expect

import asof
from asof.pages import words
from asof.ui import drifts
from tests.flows import houses
from tests.ui import glances
from tests.ui.conftest import Screen, opened, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.needs("a browser")
SIDE = 3
"""Towns lie on a square of so many times so many points; all houses of a town on one of them."""
MIDDLE = "t04"
PROJECT = houses.HOUSES.replace("    place: town\n", "    place: {lat: lat, lon: lon}\n").replace(
    "place: town}", 'place: "h3:7"}'
)


def sales() -> pl.DataFrame:
    town = pl.col("town").str.slice(1).cast(pl.Int64)
    made = houses.sales(count=400, days=200, towns=SIDE**2)
    return made.with_columns(lat=47 + 0.1 * (town // SIDE), lon=-122 + 0.1 * (town % SIDE))


@pytest.fixture(scope="module")
def plotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Houses with coordinates, run once."""
    folder = houses.make(tmp_path_factory.mktemp("plotted") / "houses", PROJECT, sales=sales())
    asof.run(asof.open_project(str(folder)))
    return folder


@pytest.fixture(scope="module")
def shown(plotted: Path) -> Iterator[str]:
    with serving(plotted) as found:
        yield found


@pytest.fixture
def tab(browser: "Browser", shown: str) -> Iterator[Screen]:
    yield from opened(browser, shown, width=1280)


def test_judged_rows_are_points_and_one_is_told_of(tab: Screen, plotted: Path) -> None:
    told = glances.of(plotted).release.judged()
    assert told is not None
    page = tab.show("map").page
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(tab.tile("Predicted")).to_have_text(words.brief(told["prediction"].mean()))
    outside = told["outside"].mean()
    expect(tab.tile("Outside what was seen")).to_have_text(words.percent(outside))
    chosen = told.row(0, named=True)
    heading = page.get_by_role("heading", name=chosen["unit"])
    tab.choose("Tell of one", chosen["unit"], lambda: expect(heading).to_be_visible())
    expect(page.get_by_text(f"came {words.brief(chosen['label'])}")).to_be_visible()
    page.get_by_role("radio", name="Outside").click()
    expect(page.locator(".asof-scale")).to_contain_text("as seen in training")


def test_a_click_on_a_point_begins_the_form_with_that_row(tab: Screen) -> None:
    page = tab.show("case").page
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    canvas = page.locator("[data-testid=stDeckGlJsonChart] canvas").first
    expect(canvas).to_be_visible()
    page.wait_for_timeout(3000)  # until software has drawn it
    unit = page.get_by_label("Begin with a row of sales, by its id")
    expect(unit).to_have_value("")
    across, down = tab.middle(canvas)
    tab.until(lambda: expect(unit).not_to_have_value(""), lambda: canvas.click(position={"x": across, "y": down}))
    (row,) = sales().filter(id=unit.input_value()).to_dicts()
    assert row["town"] == MIDDLE
    expect(page.get_by_role("spinbutton", name="area").first).to_have_value(f"{row['area']:.0f}")
    expect(page.get_by_role("combobox", name="garden").first).to_have_value(row["garden"])


def test_a_look_is_taken_by_a_click_and_kept(tab: Screen, plotted: Path) -> None:
    page = tab.show("drift").page
    expect(tab.tile("Answers kept")).to_have_text("20")
    page.get_by_role("button", name="Look now").click()
    expect(page.get_by_text("Looked at")).to_be_visible()
    (kept,) = drifts.looks(glances.of(plotted))
    assert kept["served"] == 20
    page = tab.show("drift").page
    expect(tab.tile("Last look")).to_have_text("Calm" if not kept["alarms"] else f"{len(kept['alarms'])} alarms")


def test_fields_stand_in_the_order_of_the_table_for_the_keyboard(tab: Screen) -> None:
    page = tab.show("case").page
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    form = page.get_by_test_id("stForm").locator("input")
    told = [
        name for name in form.evaluate_all("all => all.map(one => one.ariaLabel)") if name in {"area", "lat", "lon"}
    ]
    assert told == ["area", "lat", "lon"]
