"""The report of a real run: what it says is what the run found, and reasons add up."""

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import asof
from asof import pages
from asof.flows import reporting
from tests.flows import houses

Finished = tuple[Path, Mapping[str, Any]]


def text(file: str) -> str:
    """Return the words of a page, tags and line ends taken out."""
    body = Path(file).read_text("utf-8").split("</style>", 1)[1]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def sections(file: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', Path(file).read_text("utf-8"))


def test_the_page_of_counts_says_what_was_found(finished: Finished) -> None:
    _, result = finished
    file = result["files"]["report"]
    assert sections(file) == [
        "meaning",
        "time",
        "horizons",
        "places",
        "calibration",
        "features",
        "candidates",
        "audit",
        "promotion",
        "data",
        "use",
        "record",
    ]
    page = text(file)
    assert "Predicting calls per place and day in 6 places, 1 to 2 days ahead" in page
    assert result["skill"]["low"] <= 0 <= result["skill"]["high"]
    assert "it cannot be told apart from the best simple rule (the mean of the place" in page
    assert f"Of 100 prediction intervals, {result['coverage'] * 100:.0f} held the truth; 90 were promised" in page
    assert "past calls here" in page
    assert "Periods further ahead than 2 days." in page
    assert "Places other than the 6 that it knows." in page
    assert result["fingerprint"] in page
    card = (Path(file).parent / "card.md").read_text()
    assert "Predicts calls per place and day in 6 places, 1 to 2 days ahead." in card
    assert "| holdout opened | once |" in card


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], pages.ReportFacts]:
    """A run of people who live or do not, and the facts of its page."""
    kept: list[pages.ReportFacts] = []

    def keep(*given: Any, **more: Any) -> pages.ReportFacts:
        kept.append(collect(*given, **more))
        return kept[-1]

    collect = reporting.collect
    folder = houses.make(tmp_path_factory.mktemp("people"), houses.PASSENGERS, people=houses.people(200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporting, "collect", keep)
        return asof.run(asof.open_project(str(folder))), kept[-1]


def test_the_page_of_classes_leaves_out_places_and_time(classes: tuple[dict[str, Any], pages.ReportFacts]) -> None:
    result, facts = classes
    file = result["files"]["report"]
    assert sections(file) == [
        "meaning",
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
    page = text(file)
    right = result["holdout"]["accuracy"]["value"]
    assert f"Of 100 people, {right * 100:.0f} are put into the right class" in page
    assert "No row was set aside for a last look" in page
    assert facts.classes == ("0", "1")
    assert facts.confusion is not None
    counted = facts.confusion.filter(facts.confusion["truth"] == facts.confusion["decided"])["rows"].sum()
    assert counted / facts.rows == pytest.approx(right)


def test_reasons_of_examples_add_up_to_what_was_told(classes: tuple[dict[str, Any], pages.ReportFacts]) -> None:
    _, facts = classes
    assert facts.examples is not None
    assert facts.reasons is not None
    assert facts.importance_of == "1"
    assert facts.examples["title"].to_list() == ["Highest", "In the middle", "Furthest off"]
    for row in facts.examples.to_dicts():
        moved = facts.reasons.filter(facts.reasons["example"] == row["example"])["reason"].sum()
        assert row["base"] + moved == pytest.approx(row["prediction"], abs=1e-6)
        assert 0 <= row["prediction"] <= 1
        assert row["label"] in {"0", "1"}
    assert facts.importance is not None
    assert facts.importance["feature"][0] == "sex", "in these made-up people it decides most"
    assert facts.importance["share"].sum() == pytest.approx(1.0)
