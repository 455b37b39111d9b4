"""A table, the leaderboard, the data, errors and the audit in a real browser, on a desk and on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from asof.ui import boards, qualities, tables
from asof.ui.sights import Sight
from tests.ui import glances
from tests.ui.conftest import Screen

pytestmark = pytest.mark.needs("a browser")
ROWS = "place,start\nz1,2021-04-20\nnowhere,2021-04-20\nz0,2021-04-21\n"


@pytest.fixture(scope="module")
def sight(squares: Path) -> Sight:
    return glances.of(squares)


def test_a_file_is_answered_beside_its_rows_and_taken_away(screen: Screen, sight: Sight, tmp_path: Path) -> None:
    page = screen.show("table").page
    file = tmp_path / "asked.csv"
    file.write_text(ROWS)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("2 of 3 rows are answered.")).to_be_visible()
    expect(page.locator(".sheet").first).to_contain_text("the place is missing or outside every place")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Take as CSV").first.click()
    told = tables.answer(sight, "asked.csv", ROWS.encode())
    assert taken.value.suggested_filename == "asked_answered.csv"
    assert Path(taken.value.path()).read_bytes() == tables.download(told, "csv")


def test_a_file_of_nothing_known_is_refused_in_words(screen: Screen, tmp_path: Path) -> None:
    page = screen.show("table").page
    file = tmp_path / "asked.csv"
    file.write_text("a,b\n1,2\n")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("no column tells the time")
    expect(page.get_by_role("alert")).not_to_contain_text("/")


def test_the_leaderboard_stands_and_the_champion_answers_now(screen: Screen, sight: Sight) -> None:
    page = screen.show("leaderboard").page
    board = boards.board(sight)
    heads = page.locator(".sheet").first.locator("tbody th")
    expect(heads).to_have_count(len(board.candidates))
    expect(page.locator("tr.chosen th").first).to_contain_text(board.candidates[0].name[1:])
    for name, figure, _ in boards.summary(sight):
        expect(screen.tile(name)).to_have_text(figure)
    expect(page.locator("tr.chosen").last).to_contain_text("Version 1")
    expect(page.locator("tr.chosen").last).to_contain_text("now")


def test_the_data_and_the_audit_are_told(screen: Screen, sight: Sight) -> None:
    page = screen.show("quality").page
    (source,) = qualities.quality(sight).sources
    first = page.locator(".sheet").first.locator("tbody tr")
    expect(first).to_contain_text(source.covered)
    expect(first.locator("td").first).to_have_text(f"{source.rows:,}")
    page = screen.show("audit").page
    expect(page.locator(".sheet").first.locator("tbody tr")).to_have_count(7)
    expect(page.get_by_text("Nothing failed")).to_be_visible()


def test_errors_are_drawn_and_what_to_run_is_said(screen: Screen) -> None:
    page = screen.show("drift").page
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.locator(".js-plotly-plot").first.get_by_text("when it was judged")).to_be_visible()
    expect(screen.tile("Answers kept")).to_have_text("6")
    expect(page.get_by_text("Nobody has looked yet.")).to_be_visible()


def test_a_phone_shows_them_without_scrolling_aside(phone: Screen) -> None:
    signs = {"table": "[data-testid=stFileUploader]", "drift": ".js-plotly-plot"}
    for view in ("table", "leaderboard", "quality", "drift", "audit"):
        expect(phone.show(view).page.locator(signs.get(view, ".sheet")).first).to_be_visible()
        assert phone.width() == 390, view


def test_a_file_can_be_chosen_without_a_mouse(screen: Screen) -> None:
    page = screen.show("table").page
    expect(page.locator("[data-testid=stFileUploader]")).to_be_visible()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || ''"))
    assert any("Upload" in text for text in reached), reached
