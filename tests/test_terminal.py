"""How figures are written for people."""

import sys

import pytest

from asof import terminal
from asof.errors import DataError
from asof.flows.workspace import Stages


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.04, "1.040"),
        (0.98442, "0.9844"),
        (1234.0, "1234"),
        (77093.2, "77,093"),
        (0.0, "0"),
        (-0.02812, "-0.02812"),
        (None, "-"),
        (float("nan"), "-"),
    ],
)
def test_numbers_keep_their_digits(value: float | None, written: str) -> None:
    """Four significant digits, zeros at the end included, so that columns can be compared."""
    assert terminal.number(value) == written


def test_intervals_and_shares() -> None:
    """A figure with its bounds; without bounds alone; nothing as a dash."""
    assert terminal.interval({"value": 1.037, "low": 0.98, "high": 1.09}) == "1.037  [0.9800 .. 1.090]"
    assert terminal.interval({"value": 1.037, "low": None, "high": None}) == "1.037"
    assert terminal.percent({"value": 0.0585, "low": 0.0394, "high": 0.0803}) == "5.9 %  [3.9 .. 8.0]"
    assert terminal.percent(None) == terminal.interval({}) == "-"


def test_names_with_brackets_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's text is shown as it is."""
    terminal.show_promotion({"release": "[red]x[/red]", "promoted": False, "why": "[bold]"})
    assert "[red]x[/red]" in capsys.readouterr().out


def test_a_stage_that_breaks_off_gives_the_screen_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar is gone and the cursor is back before the error is told."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    stages = Stages(terminal.progress())

    def work() -> None:
        with stages("ingest"):
            stages.done(0.5)
        with stages("features"):
            message = "nothing to learn"
            raise DataError(message)

    with pytest.raises(DataError, match="nothing to learn"):
        work()
    told = capsys.readouterr().err
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 2
    assert list(stages.seconds) == ["ingest"]
