"""Frames in memory become a project like any other, and nothing that somebody else has written is touched."""

from datetime import date
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import asof
from asof.python import making

PAGE = {"sources": {"sales": {"key": "id"}}, "predict": {"value": "sales.price"}, "train": {"since": "2021-02-15"}}
SALES = pl.DataFrame({"id": [1, 2, 3], "price": [10.0, 20.5, 30.0], "kind": ["a", None, "c, d"]})


def test_the_folder_is_a_project_that_reads_as_it_was_given(tmp_path: Path) -> None:
    project = asof.Project.of_frames(tmp_path / "shop", PAGE, {"sales": SALES})
    spec = project.workspace().spec
    assert spec.name == "shop"
    assert spec.sources["sales"].files is not None
    assert spec.sources["sales"].files.paths == ("data/sales.parquet",)
    assert str(spec.train.since) == "2021-02-15"
    again = asof.Project.open(tmp_path / "shop")
    assert again.workspace().spec == spec
    assert again.valid("sales").select("id", "price", "kind").equals(SALES.with_columns(pl.col("id").cast(pl.String)))
    assert again.quarantine("sales").height == 0


def test_frames_of_pandas_and_lazy_frames_are_taken(tmp_path: Path) -> None:
    for number, frame in enumerate((SALES.to_pandas(), SALES.lazy(), SALES.to_arrow())):
        file = making.write(tmp_path / f"p{number}", PAGE, {"sales": frame})
        assert pl.read_parquet(file.parent / "data" / "sales.parquet").equals(SALES)
    indexed = pd.DataFrame({"id": [1], "price": [2.0]}, index=pd.Index([7], name="other"))
    file = making.write(tmp_path / "indexed", PAGE, {"sales": indexed})
    assert pl.read_parquet(file.parent / "data" / "sales.parquet").columns == ["id", "price"]


def test_what_has_not_changed_is_not_touched(tmp_path: Path) -> None:
    file = making.write(tmp_path, PAGE, {"sales": SALES})
    data = tmp_path / "data" / "sales.parquet"
    before = (file.stat().st_mtime_ns, data.stat().st_mtime_ns)
    making.write(tmp_path, PAGE, {"sales": SALES})
    assert (file.stat().st_mtime_ns, data.stat().st_mtime_ns) == before
    making.write(tmp_path, PAGE, {"sales": SALES.head(2)})
    assert file.stat().st_mtime_ns == before[0]
    assert pl.read_parquet(data).height == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["data", "project.yaml", "sales.parquet"]


def test_rows_that_come_later_are_added_and_none_is_forgotten(tmp_path: Path) -> None:
    project = asof.Project.of_frames(tmp_path, PAGE, {"sales": SALES})
    assert project.ingest().sources["new"].to_list() == [3]
    later = pl.DataFrame({"id": [3, 4], "price": [33.0, 40.0], "kind": ["c, d", "e"]})
    project = asof.Project.of_frames(tmp_path, PAGE, {"sales": later})
    assert project.ingest().sources["new"].to_list() == [2]
    assert project.valid("sales").sort("id")["price"].to_list() == [10.0, 20.5, 33.0, 40.0]


def test_a_page_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("name: mine\n")
    with pytest.raises(asof.UserError, match="written by somebody else"):
        asof.Project.of_frames(tmp_path, PAGE, {"sales": SALES})
    assert [path.name for path in tmp_path.iterdir()] == ["project.yaml"]
    assert (tmp_path / "project.yaml").read_text() == "name: mine\n"


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(asof.UserError, match="no name for a source"):
        asof.Project.of_frames(tmp_path / "new", PAGE, {"../sales": SALES})
    assert not (tmp_path / "new").exists()


def test_all_faults_of_a_page_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(asof.ProjectError) as refused:
        asof.Project.of_frames(tmp_path, {**PAGE, "judge": {"folds": 1}, "train": {"budgte": "5s"}}, {"sales": SALES})
    assert "judge.folds" in str(refused.value)
    assert "budgte" in str(refused.value)


def test_settings_are_laid_over_the_page(tmp_path: Path) -> None:
    project = asof.Project.of_frames(tmp_path, PAGE, {"sales": SALES})
    changed = project.with_settings({"train.candidates": ["linear"], "judge.folds": 3})
    assert changed.workspace().spec.train.candidates == ("linear",)
    told = changed.page().filter(pl.col("path") == "judge.folds")
    assert told["value"].to_list() == ["3"]
    assert "--set" in told["from"][0]
    with pytest.raises(asof.ProjectError, match="foldz"):
        project.with_settings({"judge.foldz": 3})


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    project = asof.Project.of_frames(tmp_path, PAGE, {"sales": SALES})
    for ask in (project.valid, project.quarantine):
        with pytest.raises(asof.DataError, match="no source is called sale; the project has sales"):
            ask("sale")
    with pytest.raises(asof.DataError, match="no release 'champion'"):
        project.release()


def test_bars_and_lines_show_the_values_of_a_frame() -> None:
    drawn = asof.bars(pl.DataFrame({"what": ["a<b", "c"], "share": [0.5, -0.25]}), "what", "share").html
    assert "a&lt;b" in drawn
    assert "width:100.0%" in drawn
    assert "width:50.0%" in drawn
    frame = pl.DataFrame({"day": [date(2021, 3, 1), date(2021, 1, 1)], "x": [2.0, None], "y": [1.0, 3.0]})
    line = asof.lines(frame, "day", ["x", "y"]).html
    assert line.count("<path") == 2
    assert ">1 Jan<" in line
    with pytest.raises(asof.DataError, match="no column z; it has day, x, y"):
        asof.lines(frame, "day", "z")
    with pytest.raises(asof.DataError, match="needs two rows"):
        asof.lines(frame.head(1), "day", "x")
