"""Nothing comes twice, and a file at fault is told: what the watermark knows, and what is refused."""

import gzip
import os
from pathlib import Path

import polars as pl
import pytest

from asof.adapters import delimited, objects
from asof.errors import DataError
from asof.ports import Batch
from asof.testing import readers
from tests.sourcefiles import batches, keep, reader, rows, write


class TestRefused:
    @pytest.mark.parametrize("text", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
    def test_an_empty_file(self, tmp_path: Path, text: bytes) -> None:
        (tmp_path / "a.csv").write_bytes(text)
        with pytest.raises(DataError, match=r"a\.csv: is empty; expected a header line and rows"):
            batches(reader(tmp_path))

    def test_a_header_and_no_rows(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "a,b\n")
        with pytest.raises(DataError, match=r"a\.csv: has a header and no rows"):
            batches(reader(tmp_path))

    def test_a_header_and_no_rows_beside_a_file_with_rows_is_fine(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "a,b\n")
        write(tmp_path, "b.csv", "a,b\n1,2\n")
        assert rows(reader(tmp_path)) == [("1", "2")]

    @pytest.mark.parametrize(("mark", "shown"), [(";", '";"'), ("\t", r'"\\t"'), ("|", r'"\|"')])
    def test_a_wrong_delimiter_says_which_it_looks_like(self, tmp_path: Path, mark: str, shown: str) -> None:
        write(tmp_path, "a.csv", f"id{mark}x{mark}y\n1{mark}2{mark}3\n")
        with pytest.raises(DataError, match=f"the header is one column.*write delimiter: {shown}"):
            batches(reader(tmp_path))

    def test_two_columns_of_one_name(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id,ID,x\n1,2,3\n")
        assert rows(reader(tmp_path)) == [("1", "2", "3")]
        with pytest.raises(DataError, match=r"a\.csv: the header names 'id' more than once"):
            batches(reader(tmp_path, header="lower"))

    def test_a_name_of_ours(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "_line,x\n1,2\n")
        with pytest.raises(DataError, match="'_line' is reserved"):
            batches(reader(tmp_path))

    @pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
    def test_a_missing_column_with_the_nearest(self, tmp_path: Path, name: str) -> None:
        if name == "a.csv":
            write(tmp_path, name, "crash_date,x\n1,2\n")
        else:
            pl.DataFrame({"crash_date": [1]}).write_parquet(tmp_path / name)
        with pytest.raises(DataError, match=r"there is no column 'crashdate'; did you mean 'crash_date'\?"):
            batches(reader(tmp_path, name, columns=("crashdate",)))

    def test_a_column_that_differs_by_case_only(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "CRASH_DATE,x\n1,2\n")
        with pytest.raises(DataError, match="did you mean 'CRASH_DATE'"):
            batches(reader(tmp_path, columns=("crash_date",)))

    def test_another_encoding_with_its_line(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id,x\n1,a\n2,Åsa\n".encode("latin-1"))
        with pytest.raises(DataError, match=r"a\.csv:3: is not utf-8 text; .*latin-1"):
            batches(reader(tmp_path))

    def test_an_unknown_encoding(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id,x\n1,a\n")
        with pytest.raises(DataError, match="'utf-7b' is no known encoding"):
            batches(reader(tmp_path, spec={"encoding": "utf-7b"}))

    def test_utf_16_without_its_mark(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id,x\n1,a\n".encode("utf-16-le"))
        with pytest.raises(DataError, match=r"zero bytes.*utf-16"):
            batches(reader(tmp_path))

    @pytest.mark.parametrize("cut", [-1, -9, 15, 200])
    def test_a_half_written_gzip(self, tmp_path: Path, cut: int) -> None:
        whole = gzip.compress("\n".join(["id,x", *(f"{i},{i * i % 977}" for i in range(2000))]).encode(), mtime=0)
        (tmp_path / "a.csv.gz").write_bytes(whole[:cut])
        with pytest.raises(
            DataError, match=r"a\.csv\.gz: the gzip data end too early, .*half-written or still growing"
        ):
            batches(reader(tmp_path, "*.gz"))
        (tmp_path / "a.csv.gz").write_bytes(whole)
        assert len(rows(reader(tmp_path, "*.gz"))) == 2000

    def test_a_damaged_gzip(self, tmp_path: Path) -> None:
        whole = bytearray(gzip.compress(b"id,x\n" + b"1,2\n" * 999, mtime=0))
        whole[-6] ^= 255
        (tmp_path / "a.csv.gz").write_bytes(bytes(whole))
        with pytest.raises(DataError, match="the gzip data are damaged"):
            batches(reader(tmp_path, "*.gz"))

    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "PIECE", 64)
        monkeypatch.setattr(delimited.blocks, "__defaults__", (64,))
        path = write(tmp_path, "a.csv", "id,x\n" + "".join(f"{i},a\n" for i in range(200)))
        stream = reader(tmp_path, rows=50).batches(None)
        kept = [next(stream)]
        with path.open("a") as file:
            file.write("200,a\n")
        with pytest.raises(DataError, match=r"a\.csv: changed while it was read"):
            keep(stream, kept)
        rest = batches(reader(tmp_path), kept[-1].watermark)
        assert set(pl.concat([batch.rows for batch in [*kept, *rest]])["id"]) == {str(i) for i in range(201)}

    def test_no_file(self, tmp_path: Path) -> None:
        write(tmp_path, "crashes_2019.csv", "a,b\n1,2\n")
        with pytest.raises(
            DataError, match=r"no file matches crashes_2018\.csv in .*; did you mean 'crashes_2019\.csv'\?"
        ):
            batches(reader(tmp_path, "crashes_2018.csv"))

    def test_a_format_that_the_name_does_not_tell(self, tmp_path: Path) -> None:
        write(tmp_path, "a.zip", b"PK")
        with pytest.raises(DataError, match="cannot tell the format from the name; say format: csv, json or parquet"):
            batches(reader(tmp_path, "a.zip"))


class TestWatermark:
    def parts(self, folder: Path) -> pl.DataFrame:
        for number in range(4):
            text = "id,x\n" + "".join(f"{number}-{i},{i}\n" for i in range(number * 9))
            write(folder, f"sub/{number}.csv.gz", text)
        ids = [(f"{number}-{i}", str(i)) for number in range(4) for i in range(number * 9)]
        return pl.DataFrame(ids, schema={"id": pl.String, "x": pl.String}, orient="row")

    @pytest.mark.parametrize("size", [1, 10, 500_000])
    def test_it_passes_the_exam_of_readers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        monkeypatch.setattr(objects, "PIECE", 16)
        monkeypatch.setattr(delimited, "_INFLATE", 16)
        monkeypatch.setattr(delimited.blocks, "__defaults__", (32,))
        expected = self.parts(tmp_path)
        write(tmp_path / "other", "all.csv", "x,id\n" + "".join(f"{x},{i}\n" for i, x in reversed(expected.rows())))
        readers.check(
            lambda: reader(tmp_path, "sub/*.gz", rows=size),
            expected,
            [lambda: reader(tmp_path / "other"), lambda: reader(tmp_path, "**/*.gz")],
        )

    def test_new_and_changed_files_only(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id\n1\n")
        write(tmp_path, "b.csv", "id\n2\n")
        [*_, last] = batches(reader(tmp_path))
        assert batches(reader(tmp_path), last.watermark) == []
        write(tmp_path, "b.csv", "id\n2\n3\n")
        write(tmp_path, "c.csv", "id\n4\n")
        again = batches(reader(tmp_path), last.watermark)
        assert [batch.rows["_file"][0] for batch in again] == ["b.csv", "c.csv"]

    def test_a_file_that_is_touched_only_is_not_read_again(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a.csv", "id\n1\n")
        [last] = batches(reader(tmp_path))
        os.utime(path, (1, 1))
        assert batches(reader(tmp_path), last.watermark) == []

    def test_a_file_of_the_same_length_with_other_content_is(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a.csv", "id\n1\n")
        [last] = batches(reader(tmp_path))
        path.write_text("id\n2\n")
        os.utime(path, (1, 1))
        assert [batch.rows["id"].to_list() for batch in batches(reader(tmp_path), last.watermark)] == [["2"]]

    def test_a_file_that_vanished_is_no_fault(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a.csv", "id\n1\n")
        [last] = batches(reader(tmp_path))
        path.unlink()
        assert batches(reader(tmp_path), last.watermark) == []

    def test_a_file_at_fault_costs_those_before_it_nothing(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id\n1\n")
        write(tmp_path, "b.csv", "")
        kept: list[Batch] = []
        with pytest.raises(DataError, match=r"b\.csv: is empty"):
            keep(reader(tmp_path).batches(None), kept)
        write(tmp_path, "b.csv", "id\n2\n")
        [rest] = batches(reader(tmp_path), kept[-1].watermark)
        assert rest.rows["id"].to_list() == ["2"]

    def test_a_watermark_of_another_kind_of_source(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id\n1\n")
        with pytest.raises(DataError, match="is none of a source of files"):
            batches(reader(tmp_path), "2023-03-01")

    def test_files_outside_the_folder_and_hidden_ones(self, tmp_path: Path) -> None:
        write(tmp_path / "data", "a.csv", "id\n1\n")
        write(tmp_path / "data", ".b.csv", "id\n2\n")
        home = tmp_path / "project"
        home.mkdir()
        found = [reader(home, path).addresses() for path in ("../data/*.csv", str(tmp_path / "data" / "*.csv"))]
        assert [list(names) for names in found] == [["../data/a.csv"]] * 2

    def test_an_abandoned_run_leaves_no_thread_behind(self, tmp_path: Path) -> None:
        import threading

        self.parts(tmp_path)
        stream = reader(tmp_path, "sub/*.gz").batches(None)
        next(stream)
        stream.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("asof-read")]
