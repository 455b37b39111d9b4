"""The report: what stands on the page, that nothing leaves it, and that no text of a user becomes a tag."""

import math
import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from asof import pages
from asof.data import Finding, Severity
from asof.errors import DataError
from asof.pages import boards, charts, decisions, drawing, maps, reasons, sentences, words
from asof.pages.facts import COLUMNS

NEW_YORK = ZoneInfo("America/New_York")
ATTACK = '<script>alert("x")</script><img src=x onerror=y>\'"&</svg>'
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
NEXT = {"type": "MultiPolygon", "coordinates": [[[[1, 0], [2, 0], [2, 1], [1, 1], [1, 0]]]]}
VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


def facts(**changes: object) -> pages.ReportFacts:
    base = pages.ReportFacts(
        project="demo",
        release="demo-20260102T030405Z",
        created=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        predicts="rides per station and day, 1 day ahead",
        unit="rides",
        model="LightGBM with Poisson loss",
        metric="poisson_deviance",
        holdout=pages.Figure(1.0641, 1.049, 1.081),
        baseline=pages.Figure(1.0835, 1.067, 1.1),
        baseline_name="mean of the station",
        skill=pages.Figure(0.0179, 0.0142, 0.0221),
        since=datetime(2019, 9, 1, tzinfo=NEW_YORK),
        until=datetime(2019, 12, 1, tzinfo=NEW_YORK),
        rows=23933,
        zone="America/New_York",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def full(word: str = "word") -> pages.ReportFacts:
    """Every section filled, every text of a user's set to ``word``."""
    starts = [datetime(2019, 9, 1, 4, tzinfo=UTC) + timedelta(days=index) for index in range(30)]
    return facts(
        project=word,
        release=word,
        predicts=word,
        unit=word,
        model=word,
        baseline_name=word,
        cut=datetime(2019, 12, 1, 17, tzinfo=UTC),
        explained=pages.Figure(0.87, 0.84, 0.9),
        ceiling=0.49,
        chance=0.99,
        classes=(word, "other"),
        expected=pages.Figure(1.064, 1.0, 1.2),
        expected_why=word,
        new_places=pages.Figure(-0.02, -0.05, 0.01),
        threshold=0.4,
        limits=(word,),
        importance_of=word,
        optimism=pages.Figure(0.001, -0.003, 0.005),
        folds=pages.Figure(1.066),
        coverage=(0.9, 0.913),
        opened=3,
        promoted=True,
        why=word,
        accepted={"too good": word},
        findings=(Finding("coverage", Severity.NOTE, word, word), Finding("x", Severity.ERROR, word, word, rows=7312)),
        scores=pl.DataFrame(
            {
                "metric": ["rmse", word],
                "value": [1.5, 2.0],
                "low": [1.4, None],
                "high": [1.6, None],
                "baseline": [1.7, None],
            }
        ),
        horizons=pl.DataFrame(
            {
                "horizon": ["1d", word],
                "value": [1.06, 1.07],
                "low": [1.05, None],
                "high": [1.07, None],
                "baseline": [1.08, 1.08],
            }
        ),
        periods=pl.DataFrame(
            {
                "start": starts,
                "observed": [float(i % 7) for i in range(30)],
                "predicted": [3.0] * 30,
                "low": [1.0] * 30,
                "high": [5.0] * 30,
                "error": [1.5] * 30,
                "rule": [2.0] * 30,
            }
        ),
        places=pl.DataFrame(
            {
                "place": [word, "2"],
                "name": [word, word],
                "observed": [1.0, 2.0],
                "predicted": [1.5, None],
                "sure": [True, False],
                "skill": [0.1, -0.2],
                "skill_low": [0.05, None],
                "skill_high": [0.15, None],
            }
        ),
        outlines={word: SQUARE, "2": NEXT},
        calibration=pl.DataFrame(
            {"predicted": [1.0, 2.0], "observed": [1.1, 1.9], "low": [1.0, None], "high": [1.2, None]}
        ),
        pit=pl.DataFrame({"share": [0.25, 0.3, 0.2, 0.25]}),
        leaderboard=pl.DataFrame(
            {
                "candidate": [word, word, "mean"],
                "kind": ["candidate", "candidate", "baseline"],
                "fold": ["1", "2", "1"],
                "value": [1.0, 1.1, 1.2],
                "seconds": [2.0, 3.0, None],
            }
        ),
        chosen=word,
        importance=pl.DataFrame({"feature": [word, "other"], "importance": [0.6, 0.2], "members": [word, ""]}),
        examples=pl.DataFrame(
            {"example": [0], "title": [word], "what": [word], "base": [1.0], "prediction": [1.5], "label": [word]}
        ),
        reasons=pl.DataFrame(
            {"example": [0, 0], "feature": [word, "other"], "value": [word, None], "reason": [0.75, -0.25]}
        ),
        coverages=pl.DataFrame(
            {"by": [word, word], "group": [word, "last"], "rows": [10, 20], "coverage": [0.8, 0.95]}
        ),
        confusion=pl.DataFrame(
            {"truth": [word, word, "other"], "decided": [word, "other", "other"], "rows": [30, 10, 60]}
        ),
        roc=pl.DataFrame({"false": [0.0, 0.1, 1.0], "true": [0.0, 0.8, 1.0]}),
        thresholds=pl.DataFrame(
            {"threshold": [0.4, 0.9], "flagged": [0.7, 0.0], "precision": [0.86, None], "recall": [1.0, 0.0]}
        ),
        audit=pl.DataFrame(
            {
                "check": ["future", "too good", word],
                "answer": ["passed", "failed", word],
                "coverage": [word] * 3,
                "message": [word] * 3,
            }
        ),
        rules=pl.DataFrame({"rule": [word], "figure": [0.0179], "limit": [0.05], "passed": [False]}),
        sources=pl.DataFrame(
            {
                "source": [word],
                "version": [word],
                "read": [10],
                "valid": [9],
                "quarantined": [1],
                "first": [word],
                "last": [word],
            }
        ),
        quarantine=pl.DataFrame({"source": [word], "reason": [word], "rows": [1]}),
        corrected=word,
        fingerprint=word,
        code=word,
    )


def classes(word: str = "word") -> pages.ReportFacts:
    """Rows without place and time that fall into two classes, as folds have judged them."""
    return replace(
        full(word),
        task="class",
        metric="log_loss",
        classes=(word, "other"),
        since=None,
        until=None,
        cut=None,
        opened=0,
        coverage=None,
        coverages=None,
        periods=None,
        horizons=None,
        places=None,
        pit=None,
        explained=None,
        ceiling=None,
        chance=None,
        new_places=None,
        calibration=pl.DataFrame(
            {"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "low": [0.1, 0.7], "high": [0.3, 0.9]}
        ),
        scores=pl.DataFrame(
            {
                "metric": ["log_loss", "accuracy", "auc"],
                "value": [0.45, 0.8, 0.85],
                "low": [0.4, 0.77, None],
                "high": [0.5, 0.83, None],
                "baseline": [0.6, 0.61, 0.5],
            }
        ),
    )


class Page(HTMLParser):
    """Collects the tags of a page and whether they nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\u00a0", " ")


def test_the_page_says_what_matters_first() -> None:
    page = Page(pages.report(facts()))
    assert "Predicting rides per station and day, 1 day ahead" in page.text
    assert (
        "On periods it had not seen, it is 1.8 % better than the best simple rule (mean of the station), "
        "and with 95 % confidence between 1.4 % and 2.2 %." in page.text
    )
    assert "Judged on 1 Sep 2019 to 30 Nov 2019: 23,933 predictions" in page.text
    assert "1.049 to 1.081" in page.text
    assert page.open == []


@pytest.mark.parametrize(
    ("skill", "said"),
    [
        (pages.Figure(0.002, -0.001, 0.004), "cannot be told apart from the best simple rule"),
        (
            pages.Figure(-0.05, -0.08, -0.02),
            "5.0 % worse than the best simple rule (mean of the station), and with 95 % confidence between 2.0 % and",
        ),
        (pages.Figure(0.3), "it is 30.0 % better than the best simple rule (mean of the station)."),
        (pages.Figure(0.3, math.nan, math.nan), "it is 30.0 % better than the best simple rule (mean of the station)."),
    ],
)
def test_the_headline_is_as_sure_as_the_interval(skill: pages.Figure, said: str) -> None:
    assert said in Page(pages.report(facts(skill=skill))).text


def test_empty_sections_are_left_out() -> None:
    small = pages.report(facts())
    sections = re.findall(r'<section id="(\w+)"', small)
    assert sections == ["meaning", "use", "record"]
    empty = {name: pl.DataFrame(schema=list(columns)) for name, columns in COLUMNS.items()}
    assert re.findall(r'<section id="(\w+)"', pages.report(facts(**empty))) == sections


def test_every_section_is_there_when_filled() -> None:
    html = pages.report(full())
    assert re.findall(r'<section id="(\w+)"', html) == [
        "meaning",
        "time",
        "horizons",
        "places",
        "calibration",
        "classes",
        "features",
        "candidates",
        "audit",
        "promotion",
        "data",
        "use",
        "record",
    ]
    page = Page(html)
    assert page.open == []
    for said in (
        "opened 3 times",
        "7,312",
        "not held",
        "History as corrected by word",
        "R² of about 0.490",
    ):
        assert said in page.text, said
    assert html.index(">error<") < html.index(">note<")


def test_no_text_becomes_a_tag() -> None:
    html = pages.report(full(ATTACK))
    page = Page(html)
    assert not {"script", "img", "iframe", "link", "object", "form"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert 'alert("x")' in page.text
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in Page(pages.report(full())).tags}
    assert page.open == []


def test_nothing_is_asked_of_the_network() -> None:
    html = pages.report(full())
    page = Page(html)
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert "url(" not in html
    assert "@import" not in html
    policy = next(a for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_same_facts_make_the_same_page() -> None:
    assert pages.report(full()).startswith("<!doctype html>")
    assert pages.report(full()) == pages.report(full())


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"places lacks the column\(s\) predicted; it has place, name, observed"):
        facts(places=pl.DataFrame({"place": ["1"], "name": ["a"], "observed": [1.0]}))
    assert set(COLUMNS) == {f.name for f in fields(pages.ReportFacts) if "DataFrame" in str(f.type)}


def test_places_without_outlines_are_points() -> None:
    frame = pl.DataFrame(
        {"place": ["a", "b", "c"], "name": ["A", "B", "C"], "observed": [1.0, 2.0, 3.0], "predicted": [1.0, 2.0, 2.5]}
    )
    assert "<figure>" not in pages.report(facts(places=frame))
    html = pages.report(
        facts(places=frame.with_columns(lat=pl.Series([40.0, 41.0, None]), lon=pl.Series([-74.0, -73.0, None])))
    )
    circles = [attributes for tag, attributes in Page(html).tags if tag == "circle"]
    assert [(c["id"], c["r"]) for c in circles] == [("p0", "9"), ("p1", "9"), ("p2", "0")]


def test_outlines_keep_their_shape_and_side() -> None:
    frame = pl.DataFrame({"place": ["1", "2"], "name": ["one", "two"]})
    store = maps.shapes(frame, {"1": SQUARE, "2": NEXT})
    paths = re.findall(r'd="(M[^"]+)"', store)
    assert paths[0].startswith(
        "M10 240l230 0 0 -230 -230 0 0 230z"
    )  # north is up: y falls by 230 pixels over one degree
    assert paths[1].startswith("M240 240l230 0")
    assert maps.view_of(store) == "0 0 480 250"


def test_a_map_has_classes_that_hold_all_values() -> None:
    values = [float(v) for v in range(70)] + [None]
    frame = pl.DataFrame(
        {"place": [str(i) for i in range(71)], "name": ["n"] * 71, "predicted": values, "difference": values}
    )
    made = maps.levels(frame, "predicted", "rides")
    assert [kind for kind, _ in made.ramp] == ["s0", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert (made.start, made.ramp[-1][1]) == ("0", "69.0")
    counts = [made.svg.count(f'class="s{index}"') for index in range(7)]
    assert sum(counts) == 70
    assert min(counts) >= 9
    assert made.svg.count('class="none"') == 1
    signed = maps.differences(frame.with_columns(pl.col("difference") - 35), "difference", "rides")
    assert [kind for kind, _ in signed.ramp] == [f"d{index}" for index in range(7)]
    assert sum(signed.svg.count(f'class="d{index}"') for index in range(7)) == 70
    same = maps.levels(frame.with_columns(predicted=pl.lit(2.0)), "predicted", "rides")
    assert [kind for kind, _ in same.ramp] == ["s0"]
    none = maps.levels(frame.with_columns(predicted=pl.lit(None, pl.Float64)), "predicted", "rides")
    assert none.svg == ""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.0641, "1.064"),
        (0.0179, "0.018"),
        (12345.6, "12,346"),
        (-0.5, "−0.500"),
        (7.0, "7"),
        (123.46, "123.5"),
        (0.0, "0"),
        (math.nan, "–"),
        (None, "–"),
        (math.inf, "–"),
    ],
)
def test_numbers_in_words(value: float | None, told: str) -> None:
    assert words.number(value) == told


def test_times_in_words() -> None:
    first, last = datetime(2019, 9, 1, 4, tzinfo=UTC), datetime(2019, 12, 1, 5, tzinfo=UTC)
    assert words.stretch(first, last, "America/New_York") == "1 Sep 2019 to 30 Nov 2019"
    assert words.stretch(first, last, "UTC") == "1 Sep 2019 04:00 to 1 Dec 2019 05:00"
    assert words.minute(first, "America/New_York") == "1 Sep 2019 00:00 (America/New_York)"
    assert words.percent(-0.0001) == "0.0 %"
    assert words.brief(-0.004) == "−0.004"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (1.05, 1.085, [1.05, 1.06, 1.07, 1.08]), (3, 3, [3]), (math.nan, 1, [])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert drawing.ticks(low, high, 5) == pytest.approx(expected)


def test_an_axis_has_one_number_of_decimals() -> None:
    assert drawing.tick_labels([0.95, 1.0, 1.05]) == ["0.95", "1.00", "1.05"]
    assert drawing.tick_labels([-1000, 0, 1000]) == ["−1,000", "0", "1,000"]
    assert drawing.tick_labels([0.2]) == ["0.2"]
    assert drawing.tick_labels([]) == []


def test_a_hopeless_candidate_does_not_squeeze_the_others() -> None:
    names = ["a", "b", "c", "rule", "worse rule"]
    board = pl.DataFrame(
        {"candidate": names, "kind": ["candidate"] * 5, "fold": ["1"] * 5, "value": [1.0, 1.1, 1.2, 9.0, 9.5]}
    )
    html = pages.report(facts(leaderboard=board))
    assert html.count('class="beyond"') == 2
    assert html.count('class="mean"') == 3
    assert "Seconds" not in html


@pytest.mark.parametrize(
    ("hours", "labels"),
    [
        (12, ["1 Feb", "02:00", "04:00", "06:00", "08:00", "10:00", "12:00"]),
        (24 * 5, ["1 Feb", "2 Feb", "3 Feb", "4 Feb", "5 Feb", "6 Feb"]),
        (24 * 100, ["1 Feb", "15 Feb", "29 Feb", "14 Mar", "28 Mar", "11 Apr", "25 Apr", "9 May"]),
        (24 * 300, ["Mar", "May", "Jul", "Sep", "Nov"]),
    ],
)
def test_time_axes_know_the_calendar(hours: int, labels: list[str]) -> None:
    first = datetime(2020, 2, 1)  # noqa: DTZ001 - axes are drawn in local time
    assert [tick.label for tick in drawing.time_ticks(first, first + timedelta(hours=hours), 8)] == labels


def test_plots_survive_what_is_unknown() -> None:
    gaps = pl.DataFrame(
        {
            "start": [datetime(2020, 1, d, tzinfo=UTC) for d in (1, 2, 3)],
            "observed": [None, 1.0, 2.0],
            "predicted": [1.0, None, 2.0],
        }
    )
    assert "nan" not in charts.periods(gaps, "UTC", "rides")
    assert charts.periods(gaps.head(1), "UTC", "rides") == ""
    assert "nan" not in charts.strip([math.nan, 1.0], (0, 2), chosen=True)
    assert charts.strip([math.nan], (0, 2), chosen=True) == ""
    unknown = pl.DataFrame(
        {
            "horizon": ["1d", "2d"],
            "value": [None, 1.0],
            "low": [None, None],
            "high": [None, None],
            "baseline": [None, 1.0],
        }
    )
    assert "nan" not in charts.horizons(unknown, "rmse")


def test_a_page_of_a_whole_city_stays_light() -> None:
    side = 16
    ids = [str(index) for index in range(side * side)]
    ring = [[math.cos(t / 200 * math.tau) / 2, math.sin(t / 200 * math.tau) / 2] for t in range(201)]
    shapes = {
        place: {"type": "Polygon", "coordinates": [[[x + index % side, y + index // side] for x, y in ring]]}
        for index, place in enumerate(ids)
    }
    frame = pl.DataFrame(
        {"place": ids, "name": ids, "observed": [1.0] * len(ids), "predicted": [float(i) for i in range(len(ids))]}
    )
    assert len(pages.report(facts(places=frame, outlines=shapes))) < 400_000


def test_the_card_fits_its_table() -> None:
    made = pages.card(full("a | b\n<c>"))
    assert made.startswith("# a \\| b &lt;c>\n")
    assert "| Poisson deviance | 1.064 (1.049 to 1.081) |" in made
    assert "| intervals | 90 % promised, 91.3 % found |" in made
    assert "\n\n\n" not in made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "count"}, "On average a prediction misses by 0.81 rides; the simple rule misses by 0.85."),
        ({"task": "number"}, "On average the predicted rides is off by 0.81; the simple rule misses by 0.85."),
        ({"coverage": (0.9, 0.884)}, "Of 100 prediction intervals, 88 held the truth; 90 were promised."),
        (
            {"coverage": (0.9, 0.81)},
            "Of 100 prediction intervals, 81 held the truth; 90 were promised: they are too narrow here.",
        ),
        (
            {"explained": pages.Figure(0.878)},
            "Of what can be foreseen at all, it foresees about 88 %; the rest of the ups and downs is chance.",
        ),
        (
            {"new_places": pages.Figure(-0.02)},
            "In places it has not learnt from, it is 2.0 % worse than the simple rule.",
        ),
        (
            {"new_places": pages.Figure(-5.34)},
            "In places it has not learnt from, its error is 6.3 times that of the simple rule: do not use it there.",
        ),
        (
            {"optimism": pages.Figure(0.05, 0.01, 0.09)},
            "The earlier folds promised 5.0 % more than was kept: something has changed, or the choice was lucky.",
        ),
    ],
)
def test_figures_are_told_in_everyday_terms(changes: dict[str, object], said: str) -> None:
    scores = pl.DataFrame({"metric": ["mae"], "value": [0.81], "low": [0.7], "high": [0.9], "baseline": [0.85]})
    assert said in sentences.everyday(facts(scores=scores, **changes))


def test_what_is_not_known_is_not_told() -> None:
    assert sentences.everyday(facts(optimism=pages.Figure(0.05, -0.01, 0.09))) == []
    assert sentences.standing(facts()) == ""


def test_classes_are_told_by_how_many_are_right() -> None:
    assert sentences.everyday(classes("people"))[0] == (
        "Of 100 people, 80 are put into the right class; people gets 61 right."
    )
    assert sentences.judged_on(classes()).startswith("Judged on 23,933 predictions, each by a model that was chosen")
    assert "set aside before anything was learnt" in sentences.judged_on(facts(since=None, until=None))
    assert words.rule("mean", "class") == "the most frequent class"


def test_places_are_counted_by_what_is_sure() -> None:
    places = pl.DataFrame(
        {
            "place": list("abcd"),
            "name": list("abcd"),
            "observed": [1.0] * 4,
            "predicted": [1.0] * 4,
            "skill": [0.1, 0.2, -0.3, 0.4],
            "skill_low": [0.05, -0.1, -0.5, None],
            "skill_high": [0.15, 0.5, -0.1, None],
        }
    )
    said = sentences.standing(facts(places=places))
    assert said.startswith("Of 4 places it is better than the simple rule in 1 and worse in 1 ")
    assert "in the other 2 too little happened" in said


def test_what_is_uncertain_is_drawn_pale() -> None:
    frame = pl.DataFrame({"place": ["1", "2"], "name": ["one", "two"], "off": [1.0, -2.0], "sure": [True, None]})
    drawn = maps.differences(frame, "off", "rides", sure="sure").svg
    assert 'class="d4"' in drawn
    assert 'class="d0 pale"' in drawn
    assert "two: −2.00 rides (too little to tell)" in drawn


def test_the_second_best_is_told_apart_or_not() -> None:
    # Differences 0.1, 0.2, 0.3: mean 0.2, standard error 0.0577, t(2) = 4.303.
    assert boards.behind([1.1, 1.2, 1.3], [1.0, 1.0, 1.0]) == "+0.20 (−0.048 to +0.45): not told apart"
    assert boards.behind([1.2, 1.21, 1.19], [1.0, 1.0, 1.0]) == "+0.20 (+0.18 to +0.22)"
    assert boards.behind([1.2], [1.0]) == ""
    assert boards.behind([1.2, 1.3], [1.0]) == ""


def test_many_classes_are_told_by_their_mix_ups() -> None:
    names = [f"c{index:02d}" for index in range(12)]
    square = pl.DataFrame({"truth": names, "decided": names, "rows": [10] * 12})
    mixed = pl.DataFrame({"truth": ["c01", "c02"], "decided": ["c05", "c05"], "rows": [30, 2]})
    told = replace(classes(), classes=tuple(names), confusion=pl.concat([square, mixed]))
    made = decisions.decisions(told)
    assert made is not None
    assert made["square"] == []
    assert [(row["truth"], row["decided"], row["rows"], row["share"]) for row in made["mixed"]] == [
        ("c01", "c05", 30, "75 %"),
        ("c02", "c05", 2, "17 %"),
    ]
    assert "Commonest mix-ups" in pages.report(told)


def test_a_square_of_classes_has_shares_of_what_came() -> None:
    made = decisions.decisions(classes())
    assert made is not None
    rows = [[(cell["share"], cell["rows"], cell["kind"]) for cell in line["cells"]] for line in made["square"]]
    assert rows == [[("75 %", "30", "hit3"), ("25 %", "10", "mix2")], [("0 %", "0", "mix0"), ("100 %", "60", "hit4")]]
    assert [(row["threshold"], row["precision"], row["chosen"]) for row in made["thresholds"]] == [
        ("40 %", "86 %", True),
        ("90 %", "–", False),
    ]
    assert made["auc"] == "0.850"


def test_reasons_are_told_with_their_sign_and_unit() -> None:
    (example,) = reasons.examples(full())
    assert [(line["feature"], line["said"]) for line in example["lines"]] == [("word", "+0.75"), ("other", "−0.25")]
    (chance,) = reasons.examples(classes())
    assert [line["said"] for line in chance["lines"]] == ["+75.0 pp", "−25.0 pp"]
    assert [(row["feature"], row["share"]) for row in reasons.importance(full())] == [
        ("word", "75 %"),
        ("other", "25 %"),
    ]


@pytest.mark.parametrize(
    ("value", "told"), [(2_279_572.0, "2.28M"), (-430_000.0, "−430k"), (99_999.0, "99,999"), (4.5e9, "4.5bn")]
)
def test_a_legend_is_short(value: float, told: str) -> None:
    assert words.compact(value) == told


def test_long_numbers_on_an_axis_are_cut_short() -> None:
    assert drawing.tick_labels([0, 500_000, 1_000_000]) == ["0", "0.5M", "1.0M"]
    assert drawing.tick_labels([100_000, 200_000]) == ["100k", "200k"]
