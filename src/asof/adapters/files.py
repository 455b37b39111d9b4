"""Files as a source: CSV and its kin, JSON, Parquet; on disk or under ``s3://``, compressed or not.

Every value is text as it stands in the file, with the file and the physical line it came from. A file is
read once: the watermark lists what was read, by size, time of change and content, so that the next
call yields new and changed files only.
"""

import glob
import itertools
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import polars as pl

from asof.adapters import objects, tables, watches
from asof.adapters.objects import Stamp
from asof.adapters.tables import Columns, Piece
from asof.errors import DataError
from asof.ports import Again, Batch
from asof.specs import FilesSpec

ROWS: Final = 500_000
"""A batch ends with the piece that reaches so many rows: a larger file comes in several batches."""
WAITS: Final = 60
"""Seconds after its last change in which a file that ends in the middle of a line may still be written."""
_MAGIC: Final = re.compile(r"[*?\[]")
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class FilesReader:
    """Reads the files of one source; fills ``ports.Reader``.

    A batch is a file, or a part of a large one. Its watermark is JSON: the files read, and how far.
    """

    spec: FilesSpec
    folder: Path
    """Patterns are relative to it."""
    header: Literal["as is", "lower"] = "as is"
    columns: tuple[str, ...] = ()
    """Columns to read, each of which every file must have; empty: all."""
    missing_values: tuple[str, ...] = ()
    """Texts that are read as null, besides the empty one; usually left to validation, so that nothing is lost."""
    rows: int = field(default=ROWS, repr=False)
    chosen: frozenset[str] | None = None
    """Names of the files to read; none: all that match."""

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield the rows of new and changed files, in the order of their names.

        Raises:
            DataError: no file matches, or a file is empty, damaged, half-written, in another encoding, with another
                delimiter, or without a needed column; files before it have been yielded.
            OutsideError: a file cannot be had now.
        """
        known = _Known.parse(watermark)
        found = {file: there for file, there in self._found().items() if self._is_chosen(file)}
        if not found and not known.files:
            raise DataError(f"no file matches {' or '.join(self.spec.paths)} in {self.folder}{self._near()}")
        count = 0
        for file, (address, listed) in found.items():
            stamp = listed or objects.stamp(address)
            if stamp is None or known.has(file, address, stamp):
                continue
            for batch in self._read(file, address, stamp, known):
                count += batch.rows.height + (0 if batch.broken is None else batch.broken.height)
                yield batch
        if count == 0 and watermark is None:
            only = next(iter(found), "")
            raise DataError(
                f"{only}: has a header and no rows" if len(found) == 1 else f"{len(found)} files, and no row"
            )

    def only(self, files: Sequence[str]) -> "FilesReader":
        """See ``ports.FolderReader``."""
        return replace(self, chosen=frozenset(files))

    def _is_chosen(self, file: str) -> bool:
        return self.chosen is None or file in self.chosen

    def folders(self) -> dict[Path, bool]:
        """See ``ports.FolderReader``."""
        found: dict[Path, bool] = {}
        for pattern in self.spec.paths:
            if not objects.is_remote(pattern):
                parts = Path(pattern).parent.parts
                plain = list(itertools.takewhile(lambda part: not _MAGIC.search(part), parts))
                folder = self.folder.joinpath(*plain)
                found[folder] = found.get(folder, False) or len(plain) < len(parts)
        return found

    def stamps(self) -> dict[str, str]:
        """See ``ports.FolderReader``."""
        local = {file: address for file, address in self.addresses().items() if not objects.is_remote(address)}
        marks = {file: objects.stamp(address) for file, address in local.items()}
        return {file: f"{stamp.size} {stamp.mark}" for file, stamp in marks.items() if stamp is not None}

    def unread(self, files: Sequence[str], watermark: str | None) -> list[str]:
        """See ``ports.FolderReader``."""
        known, there = _Known.parse(watermark), self.addresses()
        marks = {file: objects.stamp(there[file]) for file in files if file in there}
        return [file for file, stamp in marks.items() if stamp and not known.has(file, there[file], stamp)]

    def gone(self, watermark: str | None) -> list[str]:
        """See ``ports.FolderReader``."""
        there = self.addresses()
        return [file for file in sorted(_Known.parse(watermark).files) if file not in there]

    def growing(self, watermark: str | None) -> list[str]:
        """See ``ports.FolderReader``."""
        there, known = self.addresses(), _Known.parse(watermark).files
        return [file for file in sorted(known) if file in there and "sha" not in known[file]]

    def ending(self, file: str) -> Literal["whole", "open", "half"]:
        """See ``ports.FolderReader``."""
        address = self.addresses().get(file)
        try:
            form = tables.format_of(file, self.spec)
        except DataError:  # which is said when it is read
            return "whole"
        return "half" if address is None else watches.ending(Path(address), form, self.spec.delimiter)

    def addresses(self) -> dict[str, str]:
        """Files that match, by their name in ``_file``: relative to the folder, or the ``s3://`` address."""
        return {file: address for file, (address, _) in self._found().items()}

    def _found(self) -> dict[str, tuple[str, Stamp | None]]:
        """The same with their stamps, where a listing has told them."""
        found: dict[str, tuple[str, Stamp | None]] = {}
        for pattern in self.spec.paths:
            found |= _remote(pattern) if objects.is_remote(pattern) else self._local(pattern)
        return dict(sorted(found.items()))

    def _local(self, pattern: str) -> dict[str, tuple[str, Stamp | None]]:
        lone = self.folder / pattern
        paths = [lone] if lone.is_file() else [Path(self.folder, p) for p in _glob(pattern, self.folder)]
        return {
            Path(os.path.relpath(path, self.folder)).as_posix(): (str(path), None)
            for path in paths
            if path.is_file() and not path.name.startswith(".")
        }

    def _near(self) -> str:
        """A hint for a name that is slightly wrong."""
        for pattern in self.spec.paths:
            parent = (self.folder / pattern).parent
            if not objects.is_remote(pattern) and not _MAGIC.search(str(parent)) and parent.is_dir():
                near = get_close_matches(Path(pattern).name, [path.name for path in parent.iterdir()], 1)
                return f"; did you mean {near[0]!r}?" if near else ""
        return ""

    def _read(self, file: str, address: str, stamp: Stamp, known: "_Known") -> Iterator[Batch]:
        """Yield one file, and take note of it in ``known`` as it goes."""
        begun, again = known.reached(file, stamp), known.again(file)
        columns = Columns(self.columns, self.header, self.missing_values)
        held: list[Piece] = []
        for piece in _ahead(tables.read(address, file, self.spec, columns)):
            if held and sum(part.rows.height for part in held) >= self.rows:
                known.files[file] = _half_way(stamp, held[-1].last, again)
                yield self._batch(held, file, known, again)
                held = []
            if piece.last > begun:
                held.append(_after(piece, begun))
        sha = _checksum(address, stamp)
        if objects.stamp(address) != stamp:
            raise DataError(
                f"{file}: changed while it was read, so it may be half-written; read it again when it is complete"
            )
        known.files[file] = {"size": stamp.size, "mark": stamp.mark, "sha": sha}
        if held and self._is_growing(file, address, stamp, held[-1]):
            last = held[-1].last
            held[-1] = replace(held[-1], broken=held[-1].broken.filter(pl.col("_line") < last))
            known.files[file] = _half_way(stamp, last - 1, again)
        if any(piece.rows.height or piece.broken.height for piece in held):
            yield self._batch(held, file, known, again)

    def _is_growing(self, file: str, address: str, stamp: Stamp, piece: Piece) -> bool:
        """Whether the last line is none and may become one: what has just been written there is cut short.

        Under watch such a file has waited already.
        """
        if self.chosen is not None or objects.is_remote(address) or piece.broken.is_empty():
            return False
        fresh = time.time_ns() - int(stamp.mark) < WAITS * 1_000_000_000
        return fresh and piece.broken["_line"].max() == piece.last and self.ending(file) == "half"

    def _batch(self, pieces: list[Piece], file: str, known: "_Known", again: Again) -> Batch:
        rows = pl.concat([piece.rows for piece in pieces], how="diagonal")
        broken = pl.concat([piece.broken for piece in pieces])
        named = pl.lit(file).alias("_file")
        lines = rows.get_column("_line")
        return Batch(
            rows.drop("_line").with_columns(named, lines),
            known.dump(),
            broken.select(named, pl.all()) if broken.height else None,
            again=again,
        )


def _half_way(stamp: Stamp, line: int, again: Again) -> dict[str, Any]:
    """What is noted of a file that was read as far as a line."""
    return {"size": stamp.size, "mark": stamp.mark, "line": line} | ({"again": again} if again else {})


@dataclass
class _Known:
    """The files read so far: size and mark of each, its checksum when whole, the last line when not."""

    files: dict[str, dict[str, Any]]

    @classmethod
    def parse(cls, watermark: str | None) -> "_Known":
        if watermark is None:
            return cls({})
        try:
            files = json.loads(watermark)["files"]
        except (ValueError, KeyError, TypeError) as fault:
            raise DataError(
                f"the watermark {watermark[:60]!r} is none of a source of files; was the source renamed?"
            ) from fault
        return cls(dict(files))

    def dump(self) -> str:
        return json.dumps({"files": self.files}, sort_keys=True)

    def has(self, file: str, address: str, stamp: Stamp) -> bool:
        """Whether a file has been read as it now is: the same mark, or at least the same content."""
        entry = self.files.get(file)
        if entry is None or "sha" not in entry or entry["size"] != stamp.size:
            return False
        return bool(entry["mark"] == stamp.mark or entry["sha"] == _checksum(address, stamp))

    def again(self, file: str) -> Again:
        """Whether a file was once read to its end, whatever it held then."""
        entry = self.files.get(file, {})
        return "file" if "sha" in entry or "again" in entry else ""

    def reached(self, file: str, stamp: Stamp) -> int:
        """The last line read of a file that was left half-way and has not changed since, else 0."""
        entry = self.files.get(file, {})
        same = entry.get("size") == stamp.size and entry.get("mark") == stamp.mark
        return int(entry.get("line", 0)) if same else 0


def _after(piece: Piece, line: int) -> Piece:
    """What of a piece lies after ``line``."""
    if line == 0:
        return piece
    later = pl.col("_line") > line
    return replace(piece, rows=piece.rows.filter(later), broken=piece.broken.filter(later))


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield the same items, the next one being made in a thread while this one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="asof-read") as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item


def _glob(pattern: str, folder: Path) -> list[str]:
    return glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns


def _checksum(address: str, stamp: Stamp) -> str:
    """Content of a file as a hash; of an object its ETag, so that nothing is fetched twice."""
    return stamp.mark if objects.is_remote(address) else objects.checksum(address)


def _remote(pattern: str) -> dict[str, tuple[str, Stamp | None]]:
    """Objects that match, with their stamps; an address without a pattern is itself."""
    found = _MAGIC.search(pattern)
    if found is None:
        stamp = objects.stamp(pattern)
        return {pattern: (pattern, stamp)} if stamp is not None else {}
    prefix = pattern[: pattern.rfind("/", 0, found.start()) + 1]
    form = _translated(pattern)
    return {address: (address, stamp) for address, stamp in objects.listing(prefix).items() if form.fullmatch(address)}


def _translated(pattern: str) -> re.Pattern[str]:
    """Turn a glob into a regular expression: ``*`` stays within a folder, ``**/`` is any number of folders."""
    parts: Mapping[str, str] = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(parts.get(token) or (token if token[0] == "[" else re.escape(token)) for token in _tokens(pattern))
    )


def _tokens(pattern: str) -> list[str]:
    return re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|[^*?\[]+|\[", pattern)
