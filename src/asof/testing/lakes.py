"""The exam of a lake, and a lake in memory that passes it.

An author of a lake runs every function of ``EXAM`` against it::

    @pytest.mark.parametrize("question", lakes.EXAM, ids=lambda question: question.__name__)
    def test_exam(question, tmp_path):
        question(lambda root: MyLake(root), tmp_path)

``make(root)`` opens the lake kept under ``root``; opened twice it is the same lake.
"""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import polars as pl

from asof.adapters import fingerprints
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.ports import Again, Batch, Draft, Lake

Make = Callable[[Path], Lake]
SEEN = datetime(2024, 5, 1, tzinfo=UTC)


@dataclass
class _Kept:
    """What one lake in memory holds: every version of every table, and their stamps."""

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    tables: dict[tuple[str, str], list[pl.DataFrame]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    parts: dict[tuple[str, str], dict[str, pl.DataFrame]] = field(default_factory=dict)


class _MemoryDraft:
    """Parts of derived tables that nobody sees before they are committed."""

    def __init__(self, lake: _Kept, source: str, kept: Collection[str]) -> None:
        self._lake, self._source = lake, source
        self._parts: dict[str, dict[str, pl.DataFrame]] = {
            table: {part: rows for part, rows in lake.parts.get((source, table), {}).items() if part in kept}
            for table in ("valid", "quarantine")
        }

    def put(self, part: str, valid: pl.DataFrame, quarantine: pl.DataFrame) -> None:
        """Keep the rows of one part."""
        self._parts["valid"][part], self._parts["quarantine"][part] = valid, quarantine

    def commit(self, stamp: Mapping[str, str], notes: str = "") -> None:
        """Make the parts the tables."""
        for table, parts in self._parts.items():
            self._lake.parts[self._source, table] = parts
            self._lake.tables.setdefault((self._source, table), []).append(pl.concat(parts.values()))
        self._lake.stamps[self._source] = dict(stamp)
        self._lake.notes[self._source] = notes


class MemoryLake:
    """A lake for tests: the same contract, gone with the process."""

    _all: ClassVar[dict[Path, _Kept]] = {}

    def __init__(self, root: Path) -> None:
        """Open the lake of ``root``."""
        self._kept = self._all.setdefault(root.resolve(), _Kept())

    def append(
        self, source: str, batch: Batch, key: Sequence[str], month: pl.Series, *, seen: datetime | None = None
    ) -> int:
        """Add the rows not yet there, and the watermark."""
        rows = fingerprints.marked(batch, key, month, seen or datetime.now(UTC))
        versions = self._kept.tables.setdefault((source, "raw"), [])
        fresh = rows
        if versions and batch.again == "all":
            fresh = rows.join(versions[-1], on=["_key", "_hash"], how="anti", maintain_order="left")
        elif versions:
            fresh = fingerprints.news(rows, versions[-1], again=batch.again == "file")
        if versions and fresh.is_empty() and batch.watermark in (None, self.watermark(source)):
            return 0
        versions.append(pl.concat([versions[-1], fresh], how="diagonal") if versions else fresh)
        if batch.watermark is not None:
            self._kept.marks[source] = batch.watermark
        return fresh.height

    def raw(
        self,
        source: str,
        version: int | None = None,
        *,
        months: Sequence[str] = (),
        columns: Sequence[str] = (),
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """All versions of all rows, as of a version of the table, or some of them."""
        rows = self._table(source, "raw")[-1 if version is None else version]
        rows = rows.filter(pl.col("_month").is_in(list(months))) if months else rows
        rows = rows if where is None else rows.filter(where)
        return rows.select(columns or pl.all())

    def months(self, source: str, version: int | None = None) -> dict[str, int]:
        """Rows of each month of raw."""
        if (source, "raw") not in self._kept.tables:
            return {}
        rows = self._table(source, "raw")[-1 if version is None else version]
        return dict(rows.group_by("_month").len().sort("_month").iter_rows())

    def version(self, source: str, table: str = "raw") -> int | None:
        """Version of a table, or none when it does not exist."""
        versions = self._kept.tables.get((source, table))
        return None if versions is None else len(versions) - 1

    def identity(self, source: str) -> str:
        """A mark of this lake, or nothing before the first row."""
        return self._kept.mark if (source, "raw") in self._kept.tables else ""

    def watermark(self, source: str) -> str | None:
        """The last watermark."""
        return self._kept.marks.get(source)

    def draft(self, source: str, kept: Collection[str] = ()) -> Draft:
        """Begin to replace the derived tables part by part."""
        return _MemoryDraft(self._kept, source, kept)

    def notes(self, source: str) -> str:
        """What the last commit says of the parts."""
        return self._kept.notes.get(source, "")

    def stamp(self, source: str) -> Mapping[str, str] | None:
        """Return the stamp of the derived tables."""
        return self._kept.stamps.get(source)

    def valid(self, source: str, *, columns: Sequence[str] = (), where: pl.Expr | None = None) -> pl.DataFrame:
        """The derived valid rows, or some of them."""
        order = ("_ended", "_available", "_key")
        rows = self._table(source, "valid")[-1]
        rows = rows if where is None else rows.filter(where)
        return rows.select(list(dict.fromkeys([*columns, *order])) if columns else pl.all()).sort(
            *order, nulls_last=True
        )

    def quarantine(self, source: str) -> pl.DataFrame:
        """The refused rows, by file, line and reason."""
        return self._table(source, "quarantine")[-1].sort("_file", "_line", "_reason", nulls_last=True)

    def write_predictions(self, rows: pl.DataFrame) -> None:
        """Append answered questions."""
        self._kept.tables.setdefault(("", "predictions"), []).append(rows)

    def predictions(self) -> pl.DataFrame | None:
        """All answered questions."""
        parts = self._kept.tables.get(("", "predictions"))
        return pl.concat(parts, how="diagonal") if parts else None

    def _table(self, source: str, table: str) -> list[pl.DataFrame]:
        if (source, table) not in self._kept.tables:
            raise DataError(f"{source}/{table}: not there yet: run `asof ingest` first")
        return self._kept.tables[source, table]


def batch(rows: Mapping[str, Sequence[str | None]], watermark: str | None = None, first_line: int = 2) -> Batch:
    """A batch of text columns, as from a file ``a.csv``."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))
    lines = pl.Series("_line", range(first_line, first_line + frame.height), pl.Int64)
    return Batch(frame.with_columns(lines, _file=pl.lit("a.csv")), watermark)


def appends(make: Make, root: Path) -> None:
    """Rows come back as text, with our columns; what is not there is said so."""
    lake = make(root)
    assert lake.version("a") is None
    assert lake.watermark("a") is None
    assert lake.stamp("a") is None
    months = pl.Series(["2024-01", None])
    assert lake.append("a", batch({"id": ["1", "2"], "x": ["0.5", None]}, "w1"), ["id"], months, seen=SEEN) == 2
    raw = make(root).raw("a").sort("_key")
    assert raw["_key"].to_list() == ["1", "2"]
    assert raw["x"].to_list() == ["0.5", None]
    assert raw["_month"].to_list() == ["2024-01", "unknown"]
    assert raw["_line"].to_list() == [2, 3]
    assert raw["_first_seen"].to_list() == [SEEN, SEEN]
    assert raw.schema["_first_seen"] == UTC_TIME
    assert lake.watermark("a") == "w1"


def repeats(make: Make, root: Path) -> None:
    """The same rows again change nothing, in whatever order of rows and columns; neither does a batch that repeats."""
    lake = make(root)
    months = pl.Series(["2024-01", "2024-02"])
    assert lake.append("a", batch({"id": ["1", "2"], "x": ["a", "b"]}, "w1"), ["id"], months) == 2
    version = lake.version("a")
    assert lake.append("a", batch({"x": ["b", "a"], "id": ["2", "1"]}, "w1"), ["id"], months.reverse()) == 0
    assert lake.version("a") == version
    twice = batch({"id": ["3", "3", "3"], "x": ["c", "c", "d"]}, "w1")
    assert lake.append("a", twice, ["id"], pl.Series(["2024-01"] * 3)) == 2
    assert lake.raw("a").height == 4


def corrects(make: Make, root: Path) -> None:
    """A key with other content is another version of the row; both are kept."""
    lake = make(root)
    month = pl.Series(["2024-01"])
    assert lake.append("a", batch({"id": ["1"], "x": ["a"]}), ["id"], month) == 1
    assert lake.append("a", batch({"id": ["1"], "x": ["b"]}), ["id"], month) == 1
    assert sorted(lake.raw("a")["x"].to_list()) == ["a", "b"]


def takes_back(make: Make, root: Path) -> None:
    """A row that returns to a former content is a new version, in another month too; what is only repeated is none."""
    lake = make(root)
    at = [SEEN + timedelta(days=day) for day in range(6)]
    first, other = pl.Series(["2024-01"]), pl.Series(["2024-02"])
    told = [({"id": ["1"], "x": [x]}, month) for x, month in (("a", first), ("b", other), ("a", first))]
    for day, (rows, month) in enumerate(told):
        assert lake.append("a", batch(rows), ["id"], month, seen=at[day]) == 1
        assert make(root).append("a", batch(rows), ["id"], month, seen=at[day]) == 0
    assert make(root).raw("a").sort("_first_seen")["x"].to_list() == ["a", "b", "a"]
    both = batch({"id": ["1", "1", "1"], "x": ["a", "b", "a"]})
    assert make(root).append("a", both, ["id"], pl.Series(["2024-01", "2024-02", "2024-01"]), seen=at[4]) == 0
    grown = batch({"id": ["1", "1", "1"], "x": ["a", "c", "a"]})
    assert make(root).append("a", grown, ["id"], pl.Series(["2024-01"] * 3), seen=at[5]) == 2
    assert make(root).raw("a").sort("_first_seen", "_line")["x"].to_list() == ["a", "b", "a", "c", "a"]


def keeps_corrections(make: Make, root: Path) -> None:
    """A file that is read again does not undo what another file has corrected since; what it takes back itself does."""
    lake = make(root)
    month = pl.Series(["2024-01"])

    def say(file: str, x: str, day: int, again: Again = "") -> int:
        given = batch({"id": ["1"], "x": [x]})
        said = Batch(given.rows.with_columns(_file=pl.lit(file)), again=again)
        return make(root).append("a", said, ["id"], month, seen=SEEN + timedelta(days=day))

    assert say("jan", "a", 0) == 1
    assert say("feb", "a", 1) == 0
    assert say("mar", "b", 2) == 1
    assert say("jan", "a", 3, "file") == 0
    assert say("feb", "a", 4, "file") == 0
    assert say("feb", "a", 4, "all") == 0
    assert say("apr", "a", 5) == 1
    assert say("mar", "c", 6, "file") == 1
    assert say("mar", "b", 7, "file") == 1
    assert lake.raw("a").sort("_first_seen").select("_file", "x").rows() == [
        ("jan", "a"),
        ("mar", "b"),
        ("apr", "a"),
        ("mar", "c"),
        ("mar", "b"),
    ]


def moves_the_watermark(make: Make, root: Path) -> None:
    """The watermark moves with the rows, or alone; a batch without one leaves it."""
    lake = make(root)
    month = pl.Series(["2024-01"])
    lake.append("a", batch({"id": ["1"]}, "w1"), ["id"], month)
    assert lake.append("a", batch({"id": ["1"]}, "w2"), ["id"], month) == 0
    assert make(root).watermark("a") == "w2"
    assert lake.append("a", batch({"id": ["2"]}), ["id"], month) == 1
    assert make(root).watermark("a") == "w2"


def grows(make: Make, root: Path) -> None:
    """A new column is taken up; a row without a value in it is the same row as before."""
    lake = make(root)
    month = pl.Series(["2024-01"])
    lake.append("a", batch({"id": ["1"]}), ["id"], month)
    both = batch({"id": ["1", "2"], "new": [None, "x"]})
    assert lake.append("a", both, ["id"], pl.Series(["2024-01"] * 2)) == 1
    assert lake.raw("a").sort("_key")["new"].to_list() == [None, "x"]


def keeps_broken_lines(make: Make, root: Path) -> None:
    """Lines that could not be split are kept with their text and reason, once."""
    lake = make(root)
    broken = pl.DataFrame({"_file": ["a.csv"], "_line": [7], "text": ["x,y,z"], "reason": ["3 fields, not 2"]})
    good = batch({"id": ["1"]})
    for expected in (2, 0):
        assert lake.append("a", Batch(good.rows, None, broken), ["id"], pl.Series(["2024-01"])) == expected
    line = lake.raw("a").filter(pl.col("_broken").is_not_null())
    assert line.select("_text", "_broken", "_line").rows() == [("x,y,z", "3 fields, not 2", 7)]


def remembers(make: Make, root: Path) -> None:
    """An older version of raw can be read."""
    lake = make(root)
    lake.append("a", batch({"id": ["1"]}), ["id"], pl.Series(["2024-01"]))
    version = lake.version("a")
    lake.append("a", batch({"id": ["2"]}), ["id"], pl.Series(["2024-01"]))
    assert lake.raw("a", version)["_key"].to_list() == ["1"]
    assert lake.raw("a").height == 2


def replace(lake: Lake, source: str, valid: pl.DataFrame, quarantine: pl.DataFrame, stamp: Mapping[str, str]) -> None:
    """Replace the derived tables by one part."""
    draft = lake.draft(source)
    draft.put("all", valid, quarantine)
    draft.commit(stamp)


def derives(make: Make, root: Path) -> None:
    """Derived tables are replaced whole, with their stamp, whatever columns they had."""
    lake = make(root)
    clock = {name: pl.Series([SEEN], dtype=UTC_TIME) for name in ("_ended", "_available")}
    valid = pl.DataFrame({"_key": ["1"], **clock, "x": [1.5]})
    refused = pl.DataFrame({"_file": ["a"], "_line": [1], "_reason": ["r"]}, schema_overrides={"_line": pl.Int64})
    replace(lake, "a", valid, refused, {"raw": "0", "code": "c"})
    assert dict(make(root).stamp("a") or {}) == {"raw": "0", "code": "c"}
    assert lake.valid("a")["x"].to_list() == [1.5]
    replace(lake, "a", valid.with_columns(x=pl.lit("text")), refused.clear(), {"raw": "1"})
    assert lake.valid("a")["x"].to_list() == ["text"]
    assert lake.quarantine("a").height == 0
    assert dict(lake.stamp("a") or {}) == {"raw": "1"}


def derives_in_parts(make: Make, root: Path) -> None:
    """Parts are seen when all are there; those that are kept stay, with what is said of them."""
    lake = make(root)

    def rows(key: str, day: int) -> pl.DataFrame:
        moment = pl.Series([SEEN + timedelta(days=day)], dtype=UTC_TIME)
        return pl.DataFrame({"_key": [key], "_ended": moment, "_available": moment})

    refused = pl.DataFrame({"_file": ["a"], "_line": [1], "_reason": ["r"]}, schema_overrides={"_line": pl.Int64})
    draft = lake.draft("a")
    draft.put("p1", rows("1", 1), refused)
    draft.put("p2", rows("0", 0), refused.clear())
    assert lake.version("a", "valid") is None
    draft.commit({"raw": "0"}, "first")
    assert lake.valid("a")["_key"].to_list() == ["0", "1"]
    assert lake.valid("a", columns=["_key"], where=pl.col("_ended") > SEEN)["_key"].to_list() == ["1"]
    assert lake.notes("a") == "first"
    again = lake.draft("a", kept=("p1",))
    again.put("p3", rows("2", 2), refused.clear())
    again.commit({"raw": "1"}, "second")
    assert make(root).valid("a")["_key"].to_list() == ["1", "2"]
    assert lake.quarantine("a").height == 1
    assert (dict(lake.stamp("a") or {}), lake.notes("a")) == ({"raw": "1"}, "second")


def reads_parts_of_raw(make: Make, root: Path) -> None:
    """Months are counted, and read alone."""
    lake = make(root)
    assert lake.months("a") == {}
    lake.append("a", batch({"id": ["1", "2", "3"]}), ["id"], pl.Series(["2024-02", "2024-01", "2024-02"]))
    lake.append("a", batch({"id": ["4"]}), ["id"], pl.Series(["2024-02"]))
    assert lake.months("a") == {"2024-01": 1, "2024-02": 3}
    assert lake.months("a", 0) == {"2024-01": 1, "2024-02": 2}
    assert sorted(lake.raw("a", months=["2024-02"], columns=["id"])["id"]) == ["1", "3", "4"]
    assert lake.raw("a", where=pl.col("_key") == "2")["_month"].to_list() == ["2024-01"]


def keeps_predictions(make: Make, root: Path) -> None:
    """Predictions are added to those there."""
    lake = make(root)
    assert lake.predictions() is None
    for place in ("a", "b"):
        lake.write_predictions(pl.DataFrame({"place": [place], "prediction": [1.0]}))
    kept = lake.predictions()
    assert kept is not None
    assert sorted(kept["place"]) == ["a", "b"]


EXAM: tuple[Callable[[Make, Path], None], ...] = (
    appends,
    repeats,
    corrects,
    takes_back,
    keeps_corrections,
    moves_the_watermark,
    grows,
    keeps_broken_lines,
    remembers,
    derives,
    derives_in_parts,
    reads_parts_of_raw,
    keeps_predictions,
)
"""All questions, each on a fresh root."""
