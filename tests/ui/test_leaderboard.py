"""Who was tried for a release, what a blend gains, and which release answered when."""

import json
import shutil
from pathlib import Path

import pytest

from asof import releases
from asof.flows import history, records
from asof.ui import boards
from asof.ui.sights import Sight
from tests.ui import glances

EARLIER = Path(__file__).parents[1] / "data" / "release-1"


@pytest.fixture(scope="module")
def sight(squares: Path) -> Sight:
    return glances.of(squares)


def test_candidates_stand_with_their_figures_and_what_they_took(sight: Sight) -> None:
    told = boards.board(sight)
    trials = sight.release.json("plan")["trials"]
    judged = [trial for trial in trials if not trial["why"] and None not in trial["scores"]]
    means = sorted(sum(trial["scores"]) / len(trial["scores"]) for trial in judged)
    assert [one.score for one in told.candidates] == pytest.approx(means)
    assert (told.metric, told.greater_is_better, told.folds) == ("poisson_deviance", False, 2)
    (chosen,) = [one for one in told.candidates if one.chosen]
    assert (chosen.score, chosen.behind) == (told.candidates[0].score, "")
    assert [one.name for one in told.candidates if one.kind == "candidate"] == ["Poisson"]
    assert all(one.behind for one in told.candidates if not one.chosen)
    rules = {one.name for one in told.candidates if one.kind == "simple rule"}
    assert {"the overall mean", "the last known value"} <= rules
    assert all(seconds is not None and seconds >= 0 for one in told.candidates for seconds in one.seconds)
    assert len(told.candidates) + len(told.left_out) == len(trials)


def test_an_earlier_release_has_no_costs_and_no_coverage_of_its_audit() -> None:
    release = releases.read(EARLIER)
    assert records.costs(release) == {}
    assert records.audited(release) is None


def test_the_figures_that_decide_are_those_of_the_run(sight: Sight) -> None:
    told = {name: (figure, note) for name, figure, note in boards.summary(sight)}
    score = sight.result["holdout"]["poisson_deviance"]
    assert told["Poisson deviance"][0] == f"{score['value']:.3f}"
    assert told["Poisson deviance"][1] == f"{score['low']:.3f} to {score['high']:.3f}; on the holdout"
    assert told["Better by"][0] == f"{100 * sight.result['skill']['value']:.1f} %"


def test_champions_follow_one_another_and_every_decision_is_told(squares: Path, tmp_path: Path) -> None:
    sight = glances.of(Path(shutil.copytree(squares, tmp_path / "world")))
    registry, name = sight.workspace.registry, sight.release.name
    (first,) = boards.champions(sight)
    assert (first.release, first.version, first.until) == (name, 1, None)
    later = sight.workspace.clock()
    back = {"kind": history.ROLLBACK, "release": "another", "from": name, "why": "rolled back", "at": later.isoformat()}
    registry.decide(back)
    newest, before = boards.champions(sight)
    assert (newest.release, newest.version, newest.since, newest.until) == ("another", None, later, None)
    assert (before.release, before.until) == (name, later)
    told = boards.decisions(sight)
    assert told["kind"].to_list() == ["rollback", "promotion", "holdout"]
    assert told["version"].to_list() == [None, 1, None]
    decided = boards.decision(sight)
    assert decided is not None
    assert decided["promoted"] is True
    assert [rule["rule"] for rule in decided["rules"]] == ["audit"]
    assert json.dumps(decided["rules"][0]["message"]) == '"no check of the audit failed"'


def test_a_project_without_a_champion_has_no_history(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sight.workspace.registry), "decisions", lambda _self: [])
    assert boards.champions(sight) == []
    assert boards.decisions(sight).height == 0
