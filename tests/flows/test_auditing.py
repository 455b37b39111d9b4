"""The audit on a real project: ordinary plug-ins as users write them, some of which look ahead."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof import audit
from asof.cli import main
from asof.flows import elsewhere, rebuilding, running
from tests.flows import world

HEAD = "import asof\nimport numpy as np\nimport polars as pl\n\n\n"
WHOLE_TABLE_MEAN = """\
@asof.lookup
def busy(questions, past):
    rows = past.table("calls").rows
    means = rows.group_by("_place").agg(pl.len().cast(pl.Float64).alias("busy"))
    return questions.join(means, left_on="place", right_on="_place", how="left")["busy"]
"""
SAME_DAY = """\
@asof.lookup
def busy(questions, past):
    rows = past.table("calls").rows
    day = pl.col("_event").dt.convert_time_zone("America/New_York").dt.date().alias("day")
    counts = rows.group_by("_place", day).agg(pl.len().cast(pl.Float64).alias("busy"))
    asked = questions.with_columns(pl.col("as_of").dt.convert_time_zone("America/New_York").dt.date().alias("day"))
    return asked.join(counts, left_on=["place", "day"], right_on=["_place", "day"], how="left")["busy"]
"""
UNSTABLE = """\
@asof.lookup
def busy(questions, past):
    return pl.Series(np.random.default_rng().normal(size=questions.height))
"""
CLEAN = """\
@asof.lookup
def busy(questions, past):
    ledger = past.ledger("calls")
    rows = past.table("calls").rows.select("_place", "_available").sort("_available")
    asked = questions.with_row_index("row").sort("as_of")
    known = rows.with_columns(n=pl.int_range(1, pl.len() + 1).over("_place").cast(pl.Float64))
    found = asked.join_asof(known, left_on="as_of", right_on="_available", by_left="place", by_right="_place")
    assert len(ledger) > 0
    return found.sort("row")["n"].fill_null(0.0).alias("busy")
"""


def _project(folder: Path, plugin: str) -> Path:
    text = world.PROJECT.replace("  - calendar\n", "  - calendar\n  - busy\n") + "plugins: features.py\n"
    world.make(folder, project=text, rows=world.calls(days=150))
    (folder / "features.py").write_text(HEAD + plugin)
    return folder


@pytest.mark.parametrize("plugin", [WHOLE_TABLE_MEAN, SAME_DAY, UNSTABLE], ids=["whole table", "same day", "unstable"])
def test_a_plugin_that_looks_ahead_is_caught(plugin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check names the feature, the run is refused with exit code 1, and there is no champion."""
    folder = _project(tmp_path / "world", plugin)
    assert main(["run", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["audit"]["failed"] == ["future"] or "future" in told["audit"]["failed"]
    named = {one["subject"] for one in told["findings"] if one["check"] == "future"}
    assert "busy" in named
    assert not any(name.startswith("calls_") for name in named)
    assert told["promoted"] is False
    assert asof.open_project(str(folder)).registry.find("champion") is None


def test_its_clean_twin_passes(tmp_path: Path) -> None:
    """What was known at the moment of prediction may be read in any way."""
    result = asof.run(asof.open_project(str(_project(tmp_path / "world", CLEAN))))
    assert result["audit"]["failed"] == []
    assert result["promoted"] is True


def test_an_accepted_finding_no_longer_fails(tmp_path: Path) -> None:
    """The owner accepts one feature with a reason; the reason is kept with the release."""
    folder = _project(tmp_path / "world", WHOLE_TABLE_MEAN)
    text = (folder / "project.yaml").read_text()
    known = "known to look ahead, kept for a demonstration"
    reasons = {"future:busy": known, "future:prediction": "the same", "too good:busy": known}
    accepted = "audit: " + json.dumps({"accept": reasons}) + "\n"
    (folder / "project.yaml").write_text(text + accepted)
    result = asof.run(asof.open_project(str(folder)))
    assert result["audit"]["failed"] == []
    assert result["audit"]["accepted"] == ["future:busy", "future:prediction", "too good:busy"]


def test_the_whole_audit_repeats_the_selection(copied: tuple[Path, object], capsys: pytest.CaptureFixture[str]) -> None:
    """``asof audit --full`` tries more cuts than the quick form, and passes on an honest project."""
    folder, _ = copied
    assert main(["audit", str(folder), "--full", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    verdicts = {one["check"]: one for one in told["verdicts"]}
    passed = ("future", "fit", "parity", "split", "drift", "rerun")
    assert {name: one["outcome"] for name, one in verdicts.items()} == {
        **dict.fromkeys(passed, "passed"),
        "too good": "not applicable",
    }
    assert "12 cuts" in verdicts["future"]["coverage"]
    assert "the whole selection" in verdicts["rerun"]["coverage"]


@pytest.mark.parametrize(("steady", "learnt"), [(True, 1), (False, 3)])
def test_the_quick_form_learns_once_where_nothing_is_wrong(
    copied: tuple[Path, object], monkeypatch: pytest.MonkeyPatch, *, steady: bool, learnt: int
) -> None:
    """Where what was learnt comes out again from scrambled questions that is all; else each question has its answer."""
    calls: list[int] = []
    learn = rebuilding.Learner.__call__

    def count(self: rebuilding.Learner, *given: pl.DataFrame) -> audit.Learnt:
        calls.append(1)
        told = learn(self, *given)
        return told if steady else replace(told, fingerprint=f"another each time {len(calls)}")

    monkeypatch.setattr(rebuilding.Learner, "__call__", count)
    told = running.audit_project(asof.open_project(str(copied[0])))
    outcomes = {one["check"]: one["outcome"] for one in told["verdicts"]}
    assert len(calls) == learnt
    assert {outcomes["fit"], outcomes["rerun"]} == {"passed" if steady else "failed"}
    assert outcomes["future"] == "passed"


RARE = """\
@asof.encoder(name="rare")
class Rare:
    def fit(self, table):
        counts = table.features["place"].value_counts().filter(pl.col("count") >= 100)
        return {"place": sorted(counts["place"])}

    def encode(self, features, state):
        kept = pl.col("place").is_in(state["place"])
        return features.with_columns(pl.when(kept).then("place").otherwise(pl.lit("rare")).alias("place"))
"""


def test_an_encoder_of_a_plug_in_is_part_of_every_candidate(tmp_path: Path) -> None:
    """It stands first in the chosen recipe, is audited with it, and the release answers through it."""
    text = world.PROJECT.replace("train: {", "train: {encoders: [rare], ") + "plugins: features.py\n"
    folder = world.make(tmp_path / "world", project=text, rows=world.calls(days=150))
    (folder / "features.py").write_text(HEAD + RARE)
    result = asof.run(asof.open_project(str(folder)))
    assert result["audit"]["failed"] == []
    release = Path(result["files"]["release"])
    plan = json.loads((release / "plan.json").read_text())
    tried = [trial["recipe"]["encoders"] for trial in plan["trials"] if trial["stage"] == "portfolio"]
    assert tried
    assert all(encoders[0] == {"name": "rare", "options": {}} for encoders in tried)
    command = ["predict", str(folder), "--start", "2021-05-01", "--end", "2021-05-03", "--out", str(folder / "a.csv")]
    assert main(command) == 0


def test_a_champion_is_audited_on_data_that_have_moved_on(copied: tuple[Path, Mapping[str, Any]]) -> None:
    """Another recipe does best on the new rows; that the stored plan chose the old one then is no fault."""
    folder, result = copied
    assert result["recipe"] == "place_rhythm"
    turned = {f"z{place}": f"z{5 - place}" for place in range(6)}
    later = world.calls(days=90, first=date(2021, 7, 20), seed=8).with_columns(
        id=pl.lit("later ") + pl.col("id"), zone=pl.col("zone").replace_strict(turned)
    )
    later.write_csv(folder / "calls2.csv")
    asof.ingest(asof.open_project(str(folder)))
    told = asof.audit_project(asof.open_project(str(folder)), full=True)
    assert told["release"] == result["release"]
    assert told["audit"]["failed"] == []
    assert told["audit"]["passed"] == ["future", "fit", "parity", "split", "drift", "rerun"]


HASHED = """\
@asof.lookup
def busy(questions, past):
    return pl.Series([float(hash(place) % 1000) for place in questions["place"]])
"""
READS_A_SOURCE = """\
from pathlib import Path


@asof.lookup
def busy(questions, past):
    rows = pl.read_csv(Path(__file__).parent / "calls.csv")
    counts = rows.group_by("zone").agg(busy=pl.len().cast(pl.Float64))
    return questions.join(counts, left_on="place", right_on="zone", how="left")["busy"]
"""


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (HASHED, "busy differs in another process, where text is hashed otherwise"),
        (READS_A_SOURCE, "busy reads a file that is no source"),
    ],
    ids=["hashed", "reads a file"],
)
def test_what_a_plug_in_answers_does_not_depend_on_process_and_files(
    plugin: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing later is read, no answer moves here; elsewhere it does: in a Python begun anew, as for a user."""
    monkeypatch.setattr(elsewhere, "subprocess", subprocess)
    result = asof.run(asof.open_project(str(_project(tmp_path / "world", plugin))))
    made = ["too good"] if plugin is READS_A_SOURCE else []  # the number of rows of each zone, later ones included
    assert result["audit"]["failed"] == ["parity", *made]
    (told,) = [one["message"] for one in result["findings"] if one["check"] == "parity"]
    assert told.startswith(said)


REORDERS = """\
@asof.lookup
def busy(questions, past):
    return pl.Series([float(place[1:]) for place in questions["place"]]).sort()
"""
RAISES_WITHOUT_LATER_ROWS = """\
@asof.lookup
def busy(questions, past):
    if past.table("calls").rows["_available"].max().month < 5:
        raise RuntimeError("no row of May")
    return pl.Series([1.0] * questions.height)
"""
WRONG_LENGTH_ALONE = """\
@asof.lookup
def busy(questions, past):
    return pl.Series([1.0] * max(questions.height, 2))
"""


@pytest.mark.parametrize(
    ("plugin", "subject", "said"),
    [
        (REORDERS, "busy", "busy depends on the order in which questions are asked"),
        (RAISES_WITHOUT_LATER_ROWS, "busy", "are dropped, as it had to be then: "),
        (WRONG_LENGTH_ALONE, "busy", "busy cannot be made for one question alone: DataError: plug-in busy"),
    ],
    ids=["reorders", "raises", "wrong length"],
)
def test_a_plug_in_that_breaks_is_a_finding_and_breaks_nothing(
    plugin: str, subject: str, said: str, tmp_path: Path
) -> None:
    """The run ends in order, is refused, and says what broke."""
    result = asof.run(asof.open_project(str(_project(tmp_path / "world", plugin))))
    assert "future" in result["audit"]["failed"]
    assert result["promoted"] is False
    told = {one["subject"]: one["message"] for one in result["findings"] if one["check"] == "future"}
    assert said in told[subject]


def test_values_published_long_after_are_no_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An index of each month, published weeks later and read only when published: its coverage decides nothing."""
    months = [date(2020, month, 1) for month in range(9, 13)] + [date(2021, month, 1) for month in range(1, 7)]
    told = pl.DataFrame({"month": months, "level": [float(number) for number in range(10)]})
    published = told.with_columns(published=pl.col("month").dt.offset_by("49d"))
    page = world.PROJECT.replace(
        "predict:",
        "  index:\n    files: index.csv\n    key: month\n"
        "    time: {columns: [month], zone: America/New_York, available: published}\npredict:",
    ).replace("  - calendar\n", "  - calendar\n  - index: {nearest: index, columns: [level]}\n")
    folder = world.make(tmp_path / "index", project=page, rows=world.calls(days=150))
    published.write_csv(folder / "index.csv")
    assert main(["train", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["audit"]["failed"] == []
    assert "future" in result["audit"]["passed"]
