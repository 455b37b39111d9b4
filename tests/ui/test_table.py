"""A file of rows answered by the page as by `asof predict`, and what still waits for its truth."""

import io
from pathlib import Path

import polars as pl
import pytest

import asof
from asof.errors import DataError
from asof.flows import predicting
from asof.flows.predicting import Asked
from asof.ui import tables
from asof.ui.sights import Sight
from tests.flows import houses
from tests.ui import glances


@pytest.fixture(scope="module")
def sight(sold: Path) -> Sight:
    return glances.of(sold)


def rows() -> pl.DataFrame:
    """Four houses to answer; the second has an area that is no number, the third a place that nobody has met."""
    asked = houses.sales().tail(4).drop("price").cast(pl.String)
    area, town = asked["area"].to_list(), asked["town"].to_list()
    return asked.with_columns(
        area=pl.Series([area[0], "large", *area[2:]]), town=pl.Series([*town[:2], "elsewhere", town[3]])
    )


def csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()


def test_a_file_is_answered_as_the_command_answers_it(sight: Sight, tmp_path: Path) -> None:
    file, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    file.write_bytes(csv(rows()))
    told = tables.answer(sight, "rows.csv", file.read_bytes())
    result = predicting.predict(asof.open_project(str(sight.workspace.folder)), Asked(input=file), out)
    assert tables.download(told, "csv") == out.read_bytes()
    assert pl.read_parquet(io.BytesIO(tables.download(told, "parquet"))).equals(told.frame)
    assert told.counts == {name: result[name] for name in ("answered", "unanswered", "learnt", "reasons")}


def test_rows_keep_their_order_and_one_that_cannot_be_answered_says_why(sight: Sight) -> None:
    told = tables.answer(sight, "rows.csv", csv(rows()))
    assert told.frame["id"].to_list() == rows()["id"].to_list()
    assert told.own == ("id", "sold", "town", "area", "garden")
    assert told.frame["prediction"].is_null().to_list() == [False, True, False, False]
    assert told.counts["reasons"] == [{"reason": "area is not a number", "rows": 1}]
    assert told.frame["outside"].to_list()[2] is True, "nobody has met this place"


def test_parquet_with_types_is_answered_as_text_is(sight: Sight) -> None:
    typed = houses.sales().tail(6).drop("price")
    buffer = io.BytesIO()
    typed.write_parquet(buffer)
    names = ["prediction", "low", "high"]
    told = tables.answer(sight, "rows.parquet", buffer.getvalue()).frame
    assert told.select(names).equals(tables.answer(sight, "rows.csv", csv(typed)).frame.select(names))
    assert told["prediction"].null_count() == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.xlsx", b"PK", "rows.xlsx: expected a file whose name ends in one of .csv, .parquet"),
        ("rows.parquet", b"id,sold\n", "rows.parquet: "),
        ("rows.csv", b"id,sold,town,area,garden\n", "rows.csv: there is no row to answer"),
        (
            "rows.csv",
            b"id,sold\n1,2021-05-01\n",
            "rows.csv: no column area, garden; expected the columns that sales has",
        ),
        ("rows.csv", b"x" * (tables.MOST_MEGABYTES * 1024**2 + 1), "rows.csv: larger than 50 MB"),
    ],
)
def test_a_file_that_cannot_be_answered_is_refused_by_its_own_name(
    sight: Sight, name: str, content: bytes, said: str
) -> None:
    with pytest.raises(DataError) as refused:
        tables.answer(sight, name, content)
    assert str(refused.value).startswith(said)
    assert "/tmp" not in str(refused.value)  # noqa: S108 - the file of the page itself is nobody's business


def test_very_many_rows_are_refused_before_they_are_read(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    with pytest.raises(DataError, match=r"^rows\.csv: 4 rows, at most 3 are answered here"):
        tables.answer(sight, "rows.csv", csv(rows()))


def test_rows_without_a_label_wait_with_their_answers(sight: Sight) -> None:
    told = tables.waiting(sight)
    assert told is not None
    assert sorted(told.frame["unit"]) == sorted(houses.sales().filter(pl.col("price").is_null())["id"])
    assert told.counts["answered"] == 20
    shown = tables.shown(sight, told)
    assert shown.columns[:2] == ["Row", "Place"]
    assert {"Prediction", "Low", "High"} <= set(shown.columns)
    assert "Why there is no answer" not in shown.columns, "all are answered"


def test_places_and_periods_that_come_next_wait(squares: Path) -> None:
    sight = glances.of(squares)
    told = tables.waiting(sight)
    assert told is not None
    assert sight.standing.ready is not None
    assert told.frame["prediction"].to_list() == sight.standing.ready["prediction"].to_list()
    assert tables.shown(sight, told)["Place"].unique().sort().to_list() == ["Area z0", "Area z1", "Area z2"]


def test_the_file_to_begin_with_is_answered(sight: Sight, squares: Path) -> None:
    for each in (sight, glances.of(squares)):
        begun = tables.example(each)
        told = tables.answer(each, "rows.csv", csv(begun))
        assert told.counts["answered"] == begun.height > 0
