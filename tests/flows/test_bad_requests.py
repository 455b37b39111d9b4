"""Bad questions and bad labels: one clear line, or one answer or reason a row, in its place.

A class seen only in the part that judges: ``test_rows.test_a_release_tells_the_classes_that_it_has_learnt``, and one of
two rows ``test_rows.test_a_class_that_only_few_rows_have_does_not_stop_a_run``. A text column that becomes numbers, or
the other way: ``test_bad_values.test_a_column_that_changes_type_half_way``. What is refused of the folder of a release:
``tests/test_releases.py``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from tests.flows import world
from tests.flows.commands import Capture, Finished, refused, shown
from tests.flows.flowers import flowers

Ran = tuple[Path, Mapping[str, Any]]


def answers_to(folder: Path, capsys: Capture, rows: pl.DataFrame) -> pl.DataFrame:
    """What a file of rows is answered."""
    rows.write_csv(folder / "asked.csv")
    shown(capsys, "predict", folder, "--input", folder / "asked.csv", "--out", folder / "told.parquet")
    return pl.read_parquet(folder / "told.parquet")


# rows


def test_a_label_missing_in_some_rows(grown: Ran) -> None:
    """They are not learnt from but answered, each with a class and its chance."""
    _, result = grown
    assert result["rows"] == {"read": 180, "valid": 180, "quarantined": 0, "repeated": 0}
    waiting = pl.read_parquet(result["files"]["predictions"])
    assert waiting["unit"].to_list() == [f"f{row}" for row in range(174, 180)]
    assert waiting["reason"].null_count() == 6
    assert set(waiting["prediction"]) <= {"aster", "bluebell", "clover"}
    assert waiting["learnt"].any() is False


def test_a_category_never_seen_is_answered_and_flagged(grown: Ran, capsys: Capture) -> None:
    """Beside rows that are as before: the chances of each still sum to one."""
    folder, _ = grown
    rows = flowers()[:3].drop("species").with_columns(pl.Series("colour", ["red", "ultraviolet", None]))
    told = answers_to(folder, capsys, rows)
    assert told["reason"].null_count() == 3
    assert told["outside"].to_list() == [False, True, True], "no colour was missing in training"
    chances = told.select(pl.sum_horizontal("chance_aster", "chance_bluebell", "chance_clover")).to_series()
    assert chances.to_list() == pytest.approx([1.0] * 3)
    assert told["colour"].to_list() == ["red", "ultraviolet", None]


def test_a_text_column_full_of_numbers_stays_text(grown: Ran, capsys: Capture) -> None:
    """The code 00501 keeps its zeros in the file of answers, and 501 is another one, never seen."""
    folder, _ = grown
    rows = flowers()[:2].drop("species").with_columns(pl.Series("code", ["00501", "501"]))
    told = answers_to(folder, capsys, rows)
    assert told["code"].to_list() == ["00501", "501"]
    assert told["outside"].to_list() == [False, True]
    assert told["reason"].null_count() == 2


def test_text_in_a_column_of_numbers_costs_its_own_row(grown: Ran, capsys: Capture) -> None:
    """The others are answered in their place."""
    folder, _ = grown
    rows = flowers()[:3].drop("species").with_columns(pl.Series("leaf", ["2.5", "long", ""]))
    told = answers_to(folder, capsys, rows)
    assert told["reason"].to_list() == [None, "leaf is not a number", None]
    assert told["prediction"].is_null().to_list() == [False, True, False]


def test_a_batch_with_extra_and_reordered_columns(grown: Ran, capsys: Capture) -> None:
    """The same answers as in the usual order; what is extra comes along."""
    folder, _ = grown
    rows = flowers()[:5].drop("species")
    usual = answers_to(folder, capsys, rows)
    other = rows.select("code", "stem", pl.lit("mine").alias("note"), "colour", "leaf", "id")
    told = answers_to(folder, capsys, other)
    assert told["note"].to_list() == ["mine"] * 5
    assert told.select(usual.columns).equals(usual)


def test_a_batch_with_missing_columns(grown: Ran, capsys: Capture) -> None:
    """Both are named, and nothing is written."""
    folder, _ = grown
    flowers()[:5].drop("species", "stem", "colour").write_csv(folder / "asked.csv")
    out = folder / "nothing.parquet"
    said = refused(capsys, 2, "predict", folder, "--input", folder / "asked.csv", "--out", out)
    assert said == f"{folder / 'asked.csv'}: no column stem, colour; expected the columns that found has"
    assert not out.exists()


def test_a_batch_with_columns_in_other_letters(grown: Ran, capsys: Capture) -> None:
    """A column that is there in large letters is the one that was meant, and is said."""
    folder, _ = grown
    flowers()[:5].drop("species").rename({"stem": "Stem", "colour": "COLOUR"}).write_csv(folder / "asked.csv")
    said = refused(capsys, 2, "predict", folder, "--input", folder / "asked.csv")
    expected = "no column stem, colour; expected the columns that found has; did you mean 'Stem', 'COLOUR'?"
    assert said == f"{folder / 'asked.csv'}: {expected}"


@pytest.mark.parametrize(
    ("content", "said"),
    [("id,leaf,stem,colour,code\n", "there is no row to answer"), ("", "empty CSV")],
    ids=["a header alone", "nothing"],
)
def test_an_empty_batch(content: str, said: str, grown: Ran, capsys: Capture) -> None:
    folder, _ = grown
    (folder / "asked.csv").write_text(content)
    out = folder / "nothing.parquet"
    told = refused(capsys, 2, "predict", folder, "--input", folder / "asked.csv", "--out", out)
    assert told.startswith(f"{folder / 'asked.csv'}: {said}")
    assert not out.exists()


# places and periods


def test_a_row_outside_of_the_world(tmp_path: Path, capsys: Capture) -> None:
    """Latitude 95 in the source is refused with its reason; in a batch it costs its own row."""
    rows = world.calls(days=150).with_columns(lat=40.7 + 0.03 * pl.col("zone").str.slice(1).cast(pl.Int64), lon=-73.9)
    rows = rows.with_columns(lat=pl.when(pl.col("id") == "c7").then(95.0).otherwise("lat"))
    text = world.PROJECT.replace("    place: zone\n", "    place: {lat: lat, lon: lon}\n")
    folder = world.make(tmp_path / "world", project=text.replace("{place: zone,", "{place: h3:7,"), rows=rows)
    told = shown(capsys, "run", folder)
    assert told["rows"]["quarantined"] == 1
    refusals = asof.open_project(str(folder)).lake.quarantine("calls").select("id", "_column", "_reason").rows()
    assert refusals == [("c7", "lat", "outside -90..90 degrees")]
    (folder / "asked.csv").write_text("lat,lon,date\n40.7,-73.9,2021-05-20\n95,-73.9,2021-05-20\n,,2021-05-20\n")
    shown(capsys, "predict", folder, "--input", folder / "asked.csv", "--out", folder / "told.parquet")
    answers = pl.read_parquet(folder / "told.parquet")
    outside = "the place is missing or outside every place"
    assert answers["reason"].to_list() == [None, outside, outside]
    assert answers["lat"].to_list() == [40.7, 95.0, None]


def test_a_batch_of_periods_without_a_place_or_a_time(copied: Finished, capsys: Capture) -> None:
    folder, _ = copied
    for content, said in (
        ("place\nz1\n", "no column tells the time; expected one of start, time, date"),
        ("date\n2021-07-10\n", "no column tells the place; expected place, or lat and lon; there are date"),
    ):
        (folder / "asked.csv").write_text(content)
        assert said in refused(capsys, 2, "predict", folder, "--input", folder / "asked.csv")


def test_a_batch_of_periods_in_another_order_with_more_columns(copied: Finished, capsys: Capture) -> None:
    folder, _ = copied
    told = answers_to(folder, capsys, pl.DataFrame({"place": ["z1", "z2"], "date": ["2021-07-10", "2021-07-11"]}))
    other = pl.DataFrame({"mine": [1, 2], "date": ["2021-07-10", "2021-07-11"], "place": ["z1", "z2"]})
    assert answers_to(folder, capsys, other).drop("mine").select(told.columns).equals(told)


def test_a_date_beyond_the_horizon(copied: Finished, capsys: Capture) -> None:
    """Rows are known until the 20th and the longest horizon is two days: the reason says until when one may ask."""
    folder, _ = copied
    rows = pl.DataFrame({"place": ["z1"] * 3, "date": ["2021-07-22", "2030-01-01", "2021-07-10"]})
    told = answers_to(folder, capsys, rows)
    assert told["prediction"].is_null().to_list() == [False, True, False]
    assert told["reason"][1] == (
        "asked after the last moment at which calls is known (2021-07-21 04:00 UTC): ingest newer rows or ask further "
        "ahead"
    )
    assert told["start"][1] == datetime(2030, 1, 1, 5, tzinfo=UTC)
    told = pl.read_parquet(
        shown(capsys, "predict", folder, "--start", "2030-01-01", "--end", "2030-01-02", "--location", "z1")["file"]
    )
    assert told["reason"].null_count() == 0
    assert told["prediction"].null_count() == told.height == 2


# releases


def test_a_release_that_does_not_exist(copied: Finished, capsys: Capture) -> None:
    """By number, by name, by folder; none at all in a project that has not been run."""
    folder, _ = copied
    for which in ("7", "world-20200101T000000Z", str(folder / "nowhere"), "challenger"):
        said = refused(capsys, 2, "predict", folder, "--release", which)
        assert said == f"no release {which!r} of world: `asof runs` lists them, `asof run` makes one"
    fresh = world.make(folder / "fresh")
    assert refused(capsys, 2, "predict", fresh).startswith("no release 'champion' of world: ")


def test_a_release_that_was_changed_by_one_byte(copied: Finished, capsys: Capture) -> None:
    """Any file of it, the manifest too: its name is told, and nothing is answered; put back, it answers again."""
    folder, _ = copied
    [manifest] = folder.rglob("manifest.json")
    out = folder / "told.parquet"
    for file in (path for path in sorted(manifest.parent.rglob("*")) if path.is_file()):
        if "predictions" in file.relative_to(manifest.parent).parts:
            continue
        whole = file.read_bytes()
        at = whole.rfind(b"0") if file == manifest else len(whole) // 2
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        said = refused(capsys, 2, "predict", folder, "--out", out)
        assert file.relative_to(manifest.parent).as_posix() in said
        assert "restore it or make the release anew" in said
        assert not out.exists()
        file.write_bytes(whole)
    assert shown(capsys, "predict", folder, "--out", out)["answered"] == 12
