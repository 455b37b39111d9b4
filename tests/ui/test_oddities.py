"""Why answers lie outside of what was seen, in words, as a release keeps it and as it is found for what comes next."""

import json
from pathlib import Path

import pytest

from asof.flows import evidence
from asof.releases import Odd
from asof.ui import oddities
from asof.ui.sights import Sight
from tests.ui import glances


@pytest.fixture(scope="module")
def sight(squares: Path) -> Sight:
    return glances.of(squares)


def test_each_kind_of_reason_is_said_with_its_range() -> None:
    found = [
        Odd("year", 9, 2018.0, 2019.0, 2020.0, 2020.0),
        Odd("lag", 4, 0.5, 20_000.0, -1.25, 30_000.5),
        Odd("kind", 3, texts=("c", "d")),
        Odd("full", 2, 1.0, 3.0),
        Odd("never", 1, None, None, 0.0, 1.0),
    ]
    assert oddities.spoken(found[:3]) == (
        "Outside because of year: 2020 here, 2018 to 2019 in training; lag: −1.250 to 30,000 here, 0.500 to 20,000 in "
        "training; kind: 'c' or 'd', never met in training."
    )
    assert oddities.spoken(found[3:]) == (
        "Outside because of full: unknown here, never in training; never: 0 to 1 here, never known in training."
    )
    assert oddities.spoken(found[:4]).endswith("; and 1 more feature.")
    assert oddities.spoken([]) == ""


def test_what_was_judged_is_told_as_it_was_kept(sight: Sight) -> None:
    kept = sight.release.judged()
    assert kept is not None
    found = oddities.judged(sight)
    assert [one.name for one in found] == [one["name"] for one in json.loads(sight.release.text(evidence.OUTSIDE))]
    assert max((one.rows for one in found), default=0) <= kept["outside"].sum() <= sum(one.rows for one in found)


def test_what_comes_next_is_outside_by_a_feature_or_not_at_all(sight: Sight) -> None:
    ready = sight.standing.ready
    assert ready is not None
    found = oddities.coming(sight)
    assert bool(found) == bool(ready["outside"].any())
    assert all(one.rows <= ready.height for one in found)


def test_a_place_that_nobody_has_met_is_named(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    known = sight.standing.oracle.places
    monkeypatch.setitem(vars(sight.standing.oracle), "places", known.filter(known != "z1"))
    asked = glances.of(sight.workspace.folder).standing.ready
    assert asked is not None
    first = oddities._of(sight, asked.select("place", "start", "end", "as_of", "horizon"))[0]
    assert (first.name, first.rows, first.texts) == ("the place", 2, ("z1",))
