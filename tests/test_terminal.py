"""How figures are written for people, and how what is shown fits the screen."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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


Shown = Callable[..., list[str]]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Lines that a view prints on a screen of 80 columns, blanks at their ends left out."""
    monkeypatch.setenv("COLUMNS", "80")

    def show(view: Callable[[Mapping[str, Any]], None], result: Mapping[str, Any]) -> list[str]:
        capsys.readouterr()
        view(result)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


RUN: dict[str, Any] = {
    "project": "crashes",
    "about": "crashes per place and day",
    "recipe": "poisson",
    "release": "crashes-1",
    "promoted": True,
    "why": "all rules are kept",
    "metric": "mae",
    "holdout": {"mae": {"value": 1.0, "low": 0.9, "high": 1.1}},
    "baseline": {"name": "mean", "value": 1.2},
    "skill": {"value": 0.1, "low": None, "high": None},
    "optimism": {"value": -0.021, "low": -0.05, "high": 0.008},
    "coverage": 0.9,
    "audit": {"passed": ["future"], "failed": [], "untold": []},
    "rows": {"read": 3, "valid": 2, "quarantined": 1},
    "files": {"release": "/a path/" + 12 * "with-long/names" + "/end"},
    "seconds": {"ingest": 1.0},
}


@pytest.mark.parametrize(
    ("optimism", "words"),
    [
        ((-0.021, -0.05, 0.008), "2.1 points of skill less than the holdout kept  [-0.8 .. 5.0], within chance"),
        ((0.028, 0.012, 0.05), "2.8 points of skill more than the holdout kept  [1.2 .. 5.0]"),
        ((-0.03, -0.05, -0.01), "3.0 points of skill less than the holdout kept  [1.0 .. 5.0]"),
        ((0.0, 0.0, 0.0), "as much skill as the holdout kept  [0.0 .. 0.0], within chance"),
        ((0.02, None, None), "2.0 points of skill more than the holdout kept"),
        ((None, None, None), "-"),
    ],
)
def test_optimism_is_told_without_a_sign(
    optimism: tuple[float | None, ...], words: str, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the folds promised is more or less than what the holdout kept; the interval is seen the same way."""
    monkeypatch.setenv("COLUMNS", "120")
    result = RUN | {"optimism": dict(zip(("value", "low", "high"), optimism, strict=True))}
    [line] = [line for line in shown(terminal.show_run, result) if "folds promised" in line]
    assert line.split("folds promised")[1].strip() == words


def test_where_nothing_was_set_aside_no_holdout_is_named(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows without a time are judged by nested folds, and what follows are other rows."""
    monkeypatch.setenv("COLUMNS", "120")
    told = {"judged_by": "nested folds", "expected": {"value": 0.45, "low": 0.40, "high": 0.51}}
    promised = {"optimism": {"value": 0.02, "low": -0.01, "high": 0.05}}
    lines = shown(terminal.show_run, RUN | told | promised)
    assert not [line for line in lines if "holdout" in line or "stretch" in line]
    assert next(line.strip() for line in lines if "to expect next" in line).endswith("of as many other rows")
    assert any("2.0 points of skill more than nested folds kept" in line for line in lines)


def test_a_failed_audit_names_what_failed(shown: Shown) -> None:
    """Beside the name of the check its findings; those of other checks are in the report."""
    findings = [
        {"severity": "error", "check": "future", "subject": "leak", "message": "moves with later rows"},
        {"severity": "note", "check": "outliers", "subject": "s.x", "message": "far"},
    ]
    audit = {"passed": [], "failed": ["future"], "untold": []}
    lines = shown(terminal.show_run, RUN | {"audit": audit, "findings": findings})
    assert "  audit           0 passed; FAILED: future" in lines
    assert "  error    leak: moves with later rows (future)" in lines
    assert not [line for line in lines if "s.x" in line]


def test_what_makes_a_score_worth_less_is_shown_beside_it(shown: Shown) -> None:
    """A candidate that failed, and that a baseline is the model; not what the audit only warns of."""
    findings = [
        {"severity": "warning", "check": "candidates", "subject": "Mine", "message": "Mine is no candidate: it broke"},
        {"severity": "note", "check": "candidates", "subject": "forest", "message": "the budget was used up"},
        {"severity": "warning", "check": "drift", "subject": "s.x", "message": "moved"},
    ]
    lines = shown(terminal.show_run, RUN | {"findings": findings})
    assert "  warning  Mine: Mine is no candidate: it broke (candidates)" in lines
    assert not [line for line in lines if "s.x" in line or "forest" in line]


def test_a_path_stays_whole_and_text_breaks_at_blanks(shown: Shown) -> None:
    """A path is one line whatever its length, blanks in it included; other lines fit the screen."""
    lines = shown(terminal.show_run, RUN | {"why": "because " * 20})
    paths = [line for line in lines if line.endswith("/end")]
    assert paths == [f"  release  {RUN['files']['release']}"]
    assert all(len(line) <= 80 for line in lines if line not in paths)
    assert not [line for line in lines if line.lstrip().startswith(("ecause", "cause"))]


def test_a_path_below_the_current_folder_is_told_from_there(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shorter, and it works as it stands; others and addresses are told in full."""
    monkeypatch.chdir(tmp_path)
    for page, told in [
        (tmp_path / "a" / "b.html", "a/b.html"),
        ("/elsewhere/b.html", "/elsewhere/b.html"),
        ("s3://bucket/b.html", "s3://bucket/b.html"),
    ]:
        assert shown(terminal.show_report, {"release": "r", "page": str(page)})[-1] == f"  page     {told}"


def test_long_reasons_do_not_hide_the_answer(shown: Shown) -> None:
    """A reason goes on beneath itself; release, counts and file stay to be read."""
    reason = "asked after the last moment at which crashes is known (2020-03-02 05:00 UTC): ingest newer rows"
    result = {
        "release": "crashes-1",
        "answered": 1,
        "unanswered": 7,
        "reasons": [{"rows": 7, "reason": reason}],
        "learnt": 0,
        "file": "a.csv",
    }
    assert shown(terminal.show_predict, result) == [
        "  release       crashes-1",
        "  answered      1",
        "  not answered  7",
        "                7: asked after the last moment at which crashes is known",
        "                (2020-03-02 05:00 UTC): ingest newer rows",
        "  file          a.csv",
    ]


def column(name: str, kind: str, **figures: object) -> dict[str, object]:
    plain = {"missing": 0.0, "distinct": 5, "low": None, "median": None, "high": None, "top": None}
    return {"column": name, "type": kind} | plain | figures


def test_the_profile_of_a_wide_table_is_calm(shown: Shown) -> None:
    """A hundred columns: findings first, a line a column, grouped; the rest by name; nothing beyond the screen."""
    numbers = [column(f"figure_{n}", "number", low="1", median="2", high="3", missing=0.25) for n in range(60)]
    texts = [column(f"text_{n}", "text", top="word (3), " * 9) for n in range(30)]
    bare = [column(f"bare_{n}", "text", distinct=0, missing=1.0) for n in range(8)]
    alike = [column("one", "text", distinct=1, top="always (7)"), column("two", "integer", distinct=1, low="9")]
    columns = [*bare, *numbers, *texts, *alike]
    findings = [
        {"severity": "note", "check": "outliers", "subject": f"s.figure_{n}", "message": "far"} for n in range(40)
    ]
    findings.append({"severity": "warning", "check": "place", "subject": "s", "message": "no place"})
    profiles = {"s": {"rows": 7, "covered": "2020-01-01 to 2020-02-01", "columns": columns}}
    lines = shown(terminal.show_check, {"findings": findings, "profiles": profiles})
    assert lines[1:5] == [
        "Findings",
        "  warning  s: no place (place)",
        "  note     s.figure_0: far (outliers)",
        "  note     s.figure_1: far (outliers)",
    ]
    assert "and 37 more of outliers: s.figure_3," in " ".join(line.strip() for line in lines)
    assert "s: 7 rows, 100 columns, covered 2020-01-01 to 2020-02-01" in lines
    at = lines.index("  numbers    missing  distinct  low  median  high")
    assert lines[at + 1] == "  figure_0    25.0 %         5    1       2     3"
    assert "one value  one always, two 9" in " ".join(line.strip() for line in lines)
    assert "no value   bare_0, bare_1," in " ".join(line.strip() for line in lines)
    assert max(len(line) for line in lines) <= 80
    assert len(lines) < 90


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


def test_looks_are_whole(shown: Shown) -> None:
    """Those that do not overlap are counted down: half a look is none."""
    none: dict[str, Any] = {"release": None, "why": "calm", "served": 1, "known": 0, "alarms": [], "promises": []}
    lines = shown(terminal.show_watch, {**none, "project": "w", "tests": [], "looks": 18.96, "rate": 0.01})
    assert [line.strip() for line in lines if "looks" in line] == [
        "looks    18 earlier ones that do not overlap; false alarms 0.01"
    ]
