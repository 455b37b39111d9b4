"""Files come in whole: every value as text, every line accounted for."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.adapters import delimited
from asof.errors import DataError
from asof.ports import Batch
from asof.testing import readers
from tests.sourcefiles import batches, broken, lines, reader, rows, write


class TestText:
    def test_values_are_text_as_they_stand(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id,x\n007,1.50\n8,NaN\n9,\n")
        assert rows(reader(tmp_path)) == [("007", "1.50"), ("8", "NaN"), ("9", None)]

    def test_missing_values_become_null_only_where_asked(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "id,x\n1,?\n2,NA\n")
        assert rows(reader(tmp_path, missing_values=("?",))) == [("1", None), ("2", "NA")]

    @pytest.mark.parametrize(
        ("delimiter", "name"), [(",", "a.csv"), (";", "a.csv"), ("|", "a.txt"), ("\t", "a.csv"), (",", "a.tsv")]
    )
    def test_any_delimiter_and_tsv_by_its_name(self, tmp_path: Path, delimiter: str, name: str) -> None:
        mark = "\t" if name.endswith("tsv") else delimiter
        write(tmp_path, name, f'id{mark}x\n1{mark}"a{mark}b"\n')
        assert rows(reader(tmp_path, name, spec={"delimiter": delimiter})) == [("1", f"a{mark}b")]

    def test_quotes(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'id,x\n1,"say ""hi"", then go"\n2,""\n3,"""q"""\n')
        assert rows(reader(tmp_path)) == [("1", 'say "hi", then go'), ("2", None), ("3", '"q"')]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("last", ["{end}", ""])
    def test_line_ends(self, tmp_path: Path, end: str, last: str) -> None:
        write(tmp_path, "a.csv", f"id,x{end}1,a{end}{end}2,b{last.format(end=end)}")
        assert rows(reader(tmp_path)) == [("1", "a"), ("2", "b")]
        assert lines(reader(tmp_path)) == [2, 4]

    @pytest.mark.parametrize(
        ("data", "encoding"),
        [
            ("name,x\nÅsa,1\n".encode(), "utf-8"),
            (b"\xef\xbb\xbf" + "name,x\nÅsa,1\n".encode(), "utf-8"),
            (b"\xef\xbb\xbf" + "name,x\nÅsa,1\n".encode(), "latin-1"),
            ("name,x\nÅsa,1\n".encode("latin-1"), "latin-1"),
            ("name,x\nÅsa,1\n".encode("utf-16"), "utf-16"),
            ("name,x\nÅsa,1\n".encode("utf-16"), "utf-8"),
            ("name,x\nÅsa,1\n".encode("utf-16-be"), "utf-16-be"),
        ],
    )
    def test_encodings_and_byte_order_marks(self, tmp_path: Path, data: bytes, encoding: str) -> None:
        write(tmp_path, "a.csv", data)
        [batch] = batches(reader(tmp_path, spec={"encoding": encoding}))
        assert batch.rows.columns[0] == "name"
        assert batch.rows["name"].to_list() == ["Åsa"]

    def test_header_in_lower_case_and_a_name_for_the_column_without_one(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "ID,,Price (EUR)\n1,x,2\n")
        [batch] = batches(reader(tmp_path, header="lower"))
        assert batch.rows.columns == ["id", "column_2", "price (eur)", "_file", "_line"]

    def test_only_the_columns_asked_for(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "a,b,c\n1,2,3\n")
        [batch] = batches(reader(tmp_path, columns=("c", "a")))
        assert batch.rows.rows() == [("1", "3", "a.csv", 2)]

    def test_one_column(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "a\n1\n\n2\n")
        assert rows(reader(tmp_path)) == [("1",), ("2",)]
        assert lines(reader(tmp_path)) == [2, 4]


class TestLines:
    def test_a_field_of_several_lines_shifts_the_lines_after_it(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'id,x\n1,"a\nb\n\nc"\n2,d\n3,"e\nf","\n'[:-3] + "\n4,g\n")
        assert rows(reader(tmp_path)) == [("1", "a\nb\n\nc"), ("2", "d"), ("3", "e\nf"), ("4", "g")]
        assert lines(reader(tmp_path)) == [2, 6, 7, 9]

    def test_even_where_that_column_is_not_read_and_lines_look_like_records(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'id,x\n1,"a\n7,fake\nb"\n2,d\n')
        assert rows(reader(tmp_path, columns=("id",))) == [("1",), ("2",)]
        assert lines(reader(tmp_path, columns=("id",))) == [2, 5]

    def test_a_header_of_several_lines(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", '\nid,"x\n(m)"\n1,2\n')
        [batch] = batches(reader(tmp_path))
        assert batch.rows.columns[:2] == ["id", "x\n(m)"]
        assert batch.rows["_line"].to_list() == [4]

    def test_too_few_and_too_many_fields_are_set_aside_with_their_line(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", "a,b,c\n1,2,3\ntail of a record\n4,5,6\n7,8\n9,9,9,9\n1,1,1\n")
        asked = reader(tmp_path)
        assert rows(asked) == [("1", "2", "3"), ("4", "5", "6"), ("1", "1", "1")]
        assert lines(asked) == [2, 4, 7]
        assert broken(asked) == [
            ("a.csv", 3, "tail of a record", "1 field where the header has 3"),
            ("a.csv", 5, "7,8", "2 fields where the header has 3"),
            ("a.csv", 6, "9,9,9,9", "4 fields where the header has 3"),
        ]

    def test_the_tail_of_a_broken_record_as_first_line(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'a,b,c\n PARKING LOT).""",0\n1,2,3\n4,5,6\n')
        asked = reader(tmp_path)
        assert rows(asked) == [("1", "2", "3"), ("4", "5", "6")]
        assert broken(asked) == [("a.csv", 2, ' PARKING LOT).""",0', "2 fields where the header has 3")]

    def test_a_quote_left_open_loses_its_own_line_only(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'a,b\n1,"open\n2,x\n3,"y"\n4,z\n')
        asked = reader(tmp_path)
        assert rows(asked) == [("2", "x"), ("3", "y"), ("4", "z")]
        assert [row[1] for row in broken(asked)] == [2]

    def test_two_quotes_left_open(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'a,b\n1,"open\n2,x\n3,y"\n4,z\n')
        # Read as CSV is defined, lines 2 to 4 are one record.
        assert rows(reader(tmp_path)) == [("1", "open\n2,x\n3,y"), ("4", "z")]
        write(tmp_path, "a.csv", 'a,b\n1,"open\n2,x\n3,"open\n4,z\n')
        assert rows(reader(tmp_path)) == [("2", "x"), ("4", "z")]
        assert [row[1] for row in broken(reader(tmp_path))] == [2, 4]

    @pytest.mark.parametrize(
        ("line", "value"),
        [('1,5" pipe,c', '5" pipe'), ('1,5" x 6",c', '5" x 6"'), ('1,the "best" one,c', 'the "best" one')],
    )
    def test_quotes_inside_a_field_are_characters(self, tmp_path: Path, line: str, value: str) -> None:
        write(tmp_path, "a.csv", f"a,b,c\n0,0,0\n{line}\n2,2,2\n")
        assert rows(reader(tmp_path)) == [("0", "0", "0"), ("1", value, "c"), ("2", "2", "2")]

    def test_quotes_that_do_not_match_are_never_guessed_at(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'a,b\n1,"John "Jack" Smith"\n2,x\n')
        assert rows(reader(tmp_path)) == [("2", "x")]
        [found] = broken(reader(tmp_path))
        assert found[1:3] == (2, '1,"John "Jack" Smith"')
        assert str(found[3]).startswith("the quotes do not match")

    def test_delimiters_between_sloppy_quotes_are_delimiters(self, tmp_path: Path) -> None:
        write(tmp_path, "a.csv", 'a,b,c\n1,5",6" x\n2,2,2\n')
        assert rows(reader(tmp_path)) == [("1", '5"', '6" x'), ("2", "2", "2")]

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.lists(st.text(st.sampled_from('ab,"\n;é \t'), max_size=6), min_size=3, max_size=3),
            min_size=1,
            max_size=30,
        ),
        st.integers(8, 200),
    )
    def test_whatever_csv_can_say_is_read_at_any_size_of_block(self, records: list[list[str]], size: int) -> None:
        import csv
        import io

        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows(records)
        text = stream.getvalue().encode()
        got, found, rest, line = b"", [], b"", 1
        blocks = [*delimited.blocks([text[i : i + 7] for i in range(0, len(text), 7)], size), b""]
        for number, block in enumerate(blocks):
            part = delimited.split(rest + block, ",", 3, line=line, last=number == len(blocks) - 1)
            assert part.broken == []
            got, rest, line = got + part.text, part.rest, part.rest_line
            found += part.lines.tolist()
        assert list(csv.reader(io.StringIO(got.decode(), newline=""))) == records
        starts = np.cumsum([0] + [sum(value.count("\n") for value in record) + 1 for record in records])[:-1] + 1
        assert found == starts.tolist()


class TestJson:
    def test_an_array(self, tmp_path: Path) -> None:
        write(tmp_path, "a.json", '[{"id": 1, "x": 1.50, "n": {"k": [1.0, null]}},\n {"id": "2", "y": true}]')
        asked = reader(tmp_path, "a.json")
        assert rows(asked) == [("1", "1.50", '{"k": [1.0, null]}', None), ("2", None, None, "true")]
        assert lines(asked) == [1, 2]

    @pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz", "a.json"])
    def test_an_object_a_line_and_the_broken_ones(self, tmp_path: Path, name: str) -> None:
        write(tmp_path, name, '{"id": 1}\n\n{"id": 2, "x"\n[3]\n{"id": 4, "x": "é"}\n')
        asked = reader(tmp_path, name)
        assert rows(asked) == [("1", None), ("4", "é")]
        assert lines(asked) == [1, 5]
        found = broken(asked)
        assert [row[1:3] for row in found] == [(3, '{"id": 2, "x"'), (4, "[3]")]
        assert found[1][3] == "not a JSON object"

    def test_a_half_written_array(self, tmp_path: Path) -> None:
        write(tmp_path, "a.json", '[{"id": 1},\n{"id": 2},\n{"id"')
        with pytest.raises(DataError, match=r"a\.json:3: the JSON array is broken .*half-written"):
            batches(reader(tmp_path, "a.json"))

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "is empty"),
            ("id,x\n1,2\n", "expected a JSON array of objects"),
            ("[1, 2]", "element 1 of the JSON array is no object"),
            ("[]", "has a header and no rows"),
        ],
    )
    def test_what_is_no_table(self, tmp_path: Path, text: str, told: str) -> None:
        write(tmp_path, "a.json", text)
        with pytest.raises(DataError, match=told):
            batches(reader(tmp_path, "a.json"))

    def test_columns_and_missing_values(self, tmp_path: Path) -> None:
        write(tmp_path, "a.jsonl", '{"ID": 1, "x": "NA", "z": 1}\n{"ID": 2}\n')
        assert rows(reader(tmp_path, "a.jsonl", columns=("id", "x"), header="lower", missing_values=("NA",))) == [
            ("1", None),
            ("2", None),
        ]


class TestParquet:
    def test_typed_values_become_text_that_reads_back_the_same(self, tmp_path: Path) -> None:
        from datetime import UTC, date, datetime

        frame = pl.DataFrame(
            {
                "i": [1, None],
                "f": [0.1, 1e300],
                "t": ["a", None],
                "b": [True, False],
                "d": [date(2020, 1, 2), None],
                "m": [datetime(2020, 1, 2, 3, 4, 5, 600_000), None],  # noqa: DTZ001
                "z": [datetime(2020, 1, 2, 3, tzinfo=UTC), None],
                "l": [[1, 2], None],
                "s": [{"k": "v"}, None],
            }
        )
        frame.write_parquet(tmp_path / "a.parquet")
        first, second = rows(reader(tmp_path, "a.parquet"))
        assert first[:4] == ("1", "0.1", "a", "true")
        assert first[4:7] == ("2020-01-02", "2020-01-02T03:04:05.600", "2020-01-02T03:00:00Z")
        assert [json.loads(str(value)) for value in first[7:]] == [[1, 2], {"k": "v"}]
        assert second == (None, "1e+300", None, "false", None, None, None, None, None)

    def test_in_parts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("asof.adapters.tables.ROWS", 10)
        frame = pl.DataFrame({"i": list(range(35))})
        frame.write_parquet(tmp_path / "a.parquet", row_group_size=7)
        readers.check(lambda: reader(tmp_path, "a.parquet", rows=10), frame.cast(pl.String))
        assert lines(reader(tmp_path, "a.parquet", rows=10)) == list(range(1, 36))

    def test_no_parquet(self, tmp_path: Path) -> None:
        write(tmp_path, "a.parquet", b"PAR1 half")
        with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet .*half-written"):
            batches(reader(tmp_path, "a.parquet"))


def test_the_plainest_reader_passes_the_exam() -> None:
    frame = pl.DataFrame({"a": [str(i) for i in range(10)]})
    readers.check(lambda: readers.ListReader(frame), frame, [lambda: readers.ListReader(frame.reverse(), 4)])


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("lost", "1 rows lost"),
        ("twice", "1 rows too many"),
        ("resume", "stopped after batch 0"),
        ("type", "expected String"),
    ],
)
def test_the_exam_finds_a_reader_at_fault(fault: str, told: str) -> None:
    frame = pl.DataFrame({"a": [str(i) for i in range(10)]})

    class Faulty(readers.ListReader):
        def batches(self, watermark: str | None) -> object:
            for batch in super().batches(None if fault == "resume" else watermark):
                part = batch.rows
                if fault == "lost" and batch.watermark == "6":
                    part = part.head(2)
                if fault == "twice" and batch.watermark == "6":
                    part = pl.concat([part, part.head(1)])
                if fault == "type":
                    part = part.with_columns(pl.col("a").cast(pl.Int64))
                yield Batch(part, batch.watermark)

    with pytest.raises(AssertionError, match=told):
        readers.check(lambda: Faulty(frame), frame)


@pytest.mark.needs("shared data")
def test_real_collisions_come_in_with_the_tail_of_a_broken_record(shared_data: Path) -> None:
    columns = ("crash_date", "crash_time", "latitude", "longitude", "collision_id")
    folder = shared_data / "nyc_collisions"
    got = batches(reader(folder, "nyc_collisions_2012-2014.csv.gz", header="lower", columns=columns))
    frame = pl.concat([batch.rows for batch in got])
    assert frame.height == 493_899
    assert frame.row(0) == (' PARKING LOT)."', "0", "0.0", "0.0", None, "nyc_collisions_2012-2014.csv.gz", 2)
    assert frame.row(1)[:4] == ("07/01/2012", "0:05", "40.7621266", "-73.9973865")
    assert frame["_line"][-1] == frame.height + 1
    expected = pl.read_csv(folder / "nyc_collisions_2012-2014.csv.gz", infer_schema=False, columns=[0, 1, 3, 4, 22])
    assert frame.drop("_file", "_line").equals(expected.rename(str.lower))


@pytest.mark.needs("shared data")
@pytest.mark.parametrize(
    ("path", "spec", "height"),
    [
        ("demand/SeoulBikeData.csv.gz", {"encoding": "latin-1"}, 8_760),
        ("demand/wolt*.csv.gz", {}, 18_706),
        ("demand/JC-2019*.csv.gz", {}, 81_575),
        ("station_weather/*.csv.gz", {}, 5_845),
        ("station_weather/*.parquet", {}, 2_000),
        ("homevision/*.csv.gz", {}, 653),
        ("titanic/train.csv", {}, 891),
        ("nyc_collisions/*2023*", {}, 77_866),
    ],
)
def test_real_files(shared_data: Path, path: str, spec: dict[str, str], height: int) -> None:
    got: Sequence[Batch] = batches(reader(shared_data, path, spec=spec))
    assert sum(batch.rows.height for batch in got) == height
    assert [batch.broken for batch in got if batch.broken is not None] == []
