"""Delimited text in records: which physical lines make up each, and which cannot be split.

A fast parser of CSV refuses or bends a line with a wrong number of fields, and knows rows, not lines. So
each block of text is first looked over in a few vectorised passes: where lines end, where delimiters
outside quotes stand, whether quotes are where they may be. What is in order, nearly all, goes on
untouched; the few other lines are read one by one, joined, written anew, or set aside with a reason.
"""

import codecs
import csv
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from asof.errors import DataError

BLOCK: Final = 2 << 20
"""Bytes of text looked over at once."""
_SPAN: Final = 2_000
"""Most lines that one record may span; a quote left open longer is a stray one."""
_CARRY: Final = 4 << 20
"""Most bytes held back for a record that goes on in the next block."""
_INFLATE: Final = 2 << 20
_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Records:
    """A block in records of the right width."""

    text: bytes
    """UTF-8; a fast parser reads it without surprise."""
    lines: _Indices
    """Physical line at which each record begins, from 1."""
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """Line, text and reason of what cannot be split."""
    rest: bytes = b""
    """Start of a record that the block does not end."""
    rest_line: int = 0
    """Physical line at which the rest, or else the next block, begins."""


def inflate(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Undo gzip, where the first bytes say so; raises DataError when the file is damaged or ends too early."""
    source = iter(pieces)
    first = next(source, b"")
    if not first.startswith(b"\x1f\x8b"):
        yield first
        yield from source
        return
    reader = zlib.decompressobj(31)
    try:
        for piece in _chain(first, source):
            left = piece
            while left:
                yield reader.decompress(left, _INFLATE)
                left = reader.unconsumed_tail
                if reader.eof:
                    left = reader.unused_data.lstrip(b"\0")
                    if left:  # a second member: files that were joined with cat
                        reader = zlib.decompressobj(31)
    except zlib.error as fault:
        raise DataError(f"{name}: the gzip data are damaged ({fault}); fetch or write the file again") from fault
    if not reader.eof:
        raise DataError(
            f"{name}: the gzip data end too early, so the file is half-written or still growing; "
            "read it again when it is complete",
        )


def decode(pieces: Iterable[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """Turn text of any encoding to UTF-8 without a byte-order mark, lines ending in a newline."""
    source = iter(pieces)
    head = b""
    for piece in source:
        head += piece
        if len(head) >= 4:
            break
    found = next(((mark, known) for mark, known in _MARKS if head.startswith(mark)), (b"", encoding))
    head, encoding = head[len(found[0]) :], found[1]
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as fault:
        raise DataError(f"{name}: {encoding!r} is no known encoding; try utf-8, latin-1 or utf-16") from fault
    plain = codecs.lookup(encoding).name in {"utf-8", "ascii"}
    lone = b"\r" in head and b"\n" not in head
    for piece in _chain(head, source):
        text = piece if plain else _decoded(decoder, piece, name, encoding)
        yield text.replace(b"\r", b"\n") if lone else text
    if not plain:
        yield _decoded(decoder, b"", name, encoding, final=True)


def blocks(pieces: Iterable[bytes], size: int = BLOCK) -> Iterator[bytes]:
    """Gather pieces into blocks of whole lines of about ``size`` bytes; the last may lack its newline."""
    held: list[bytes] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= size:
            joined = b"".join(held)
            end = joined.rfind(b"\n") + 1
            if end:
                yield joined[:end]
            held, length = [joined[end:]], len(joined) - end
    if length:
        yield b"".join(held)


def header(block: bytes, delimiter: str) -> tuple[list[str], int, int]:
    """Names in the first record that is not blank, the bytes and the physical lines that it takes up."""
    start = len(block) - len(block.lstrip(b"\r\n"))
    stream = io.StringIO(block[start : start + _CARRY].decode("utf-8", errors="replace"), newline="")
    reader = csv.reader(stream, delimiter=delimiter)
    try:
        names = next(reader, [])
    except csv.Error:
        names = []
    end = start
    for _ in range(reader.line_num):
        end = block.find(b"\n", end) + 1 or len(block)
    return names, end, block[:end].count(b"\n")


def split(block: bytes, delimiter: str, width: int, *, line: int, last: bool) -> Records:
    """Look over one block.

    Args:
        block: whole lines, UTF-8.
        delimiter: one ASCII character.
        width: number of fields of a record.
        line: physical line at which the block begins, from 1.
        last: whether nothing follows, so that a record left open is a broken one.
    """
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == _NEWLINE)
    if block and not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    if not len(ends):
        return Records(b"", np.zeros(0, np.int64), rest_line=line)
    starts = np.concatenate(([0], ends[:-1] + 1))
    odd, fine = _judge(data, ends, ord(delimiter), width)
    blank = (ends == starts) | ((ends == starts + 1) & (data[np.minimum(starts, len(data) - 1)] == _RETURN))
    repair = _Repair(block, delimiter, width, line, last, starts, ends, np.flatnonzero(odd))
    repair.walk(np.flatnonzero(~fine & ~blank))
    return repair.records(fine & ~blank)


def _judge(
    data: npt.NDArray[np.uint8], ends: _Indices, mark: int, width: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Lines with an odd number of quotes, and lines that are a record of ``width`` fields as they stand."""
    marks = np.flatnonzero(data == mark)
    quotes = np.flatnonzero(data == _QUOTE)
    odd = np.zeros(len(ends), bool)
    proper = np.ones(len(ends), bool)
    if len(quotes):
        of_line = np.searchsorted(ends, quotes)
        per_line = np.bincount(of_line, minlength=len(ends))
        odd = (per_line & 1).astype(bool)
        before = np.cumsum(per_line) - per_line
        closing = ((np.arange(len(quotes)) - before[of_line]) & 1).astype(bool)
        # An opening quote follows a delimiter, the start of the line or the quote that it escapes.
        padded = np.concatenate(([_NEWLINE], data, [_NEWLINE]))
        beside = np.where(closing, padded[quotes + 2], padded[quotes])
        allowed = np.isin(beside, (mark, _NEWLINE, _QUOTE)) | (closing & (beside == _RETURN))
        proper[of_line[~allowed]] = False
        nearest = np.searchsorted(quotes, marks)
        line_of_mark = np.searchsorted(ends, marks)
        marks = marks[((nearest - before[line_of_mark]) & 1) == 0]
    found = np.searchsorted(marks, ends)
    counts = np.diff(found, prepend=0)
    return odd, ~odd & proper & (counts == width - 1)


@dataclass
class _Repair:
    """Reads the few lines of a block that are not in order, one by one."""

    block: bytes
    delimiter: str
    width: int
    line: int
    last: bool
    starts: _Indices
    ends: _Indices
    odd: _Indices
    """Lines with an odd number of quotes: there a record over several lines begins or ends."""
    replaced: dict[int, bytes] = field(default_factory=dict)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    cut: int = -1
    """First line that belongs to the next block, or -1."""

    def walk(self, strange: _Indices) -> None:
        """Judge each strange line: part of a record over several lines, sloppily quoted, or broken."""
        done = -1
        for index in strange.tolist():
            if index <= done:
                continue
            place = int(np.searchsorted(self.odd, index))
            if place < len(self.odd) and self.odd[place] == index:
                partner = int(self.odd[place + 1]) if place + 1 < len(self.odd) else None
                if partner is None and not self.last and len(self.block) - int(self.starts[index]) < _CARRY:
                    self.cut = index
                    return
                if partner is not None and partner - index < _SPAN and self._join(index, partner):
                    done = partner
                    continue
            self._alone(index)

    def records(self, keep: npt.NDArray[np.bool_]) -> Records:
        """Put the block together again, without what was set aside."""
        for first, final in self.dropped:
            keep[first : final + 1] = False
        keep[list(self.replaced)] = True
        cut = self.cut if self.cut >= 0 else len(self.ends)
        keep[cut:] = False
        lines = np.flatnonzero(keep) + self.line
        rest = self.block[int(self.starts[cut]) :] if cut < len(self.starts) else b""
        text = self.block if keep.all() and not self.replaced else self._rebuilt(keep)
        return Records(text, lines, self.broken, rest, self.line + cut)

    def _rebuilt(self, keep: npt.NDArray[np.bool_]) -> bytes:
        plain = keep.copy()
        plain[list(self.replaced)] = False
        edges = np.flatnonzero(np.diff(plain.astype(np.int8), prepend=0, append=0))
        parts = {
            first: self.block[int(self.starts[first]) : int(self.ends[final - 1]) + 1]
            for first, final in edges.reshape(-1, 2).tolist()
        }
        parts |= self.replaced
        return b"".join(
            parts[first] if parts[first].endswith(b"\n") else parts[first] + b"\n" for first in sorted(parts)
        )

    def _join(self, first: int, final: int) -> bool:
        """Whether lines ``first`` to ``final`` are one record of the right width."""
        fields, _ = _fields(self._text(first, final), self.delimiter)
        if len(fields) != self.width:
            return False
        self.dropped.append((first, final))
        self.replaced[first] = _written(fields, self.delimiter)
        return True

    def _alone(self, index: int) -> None:
        """Read one line: a quote within a field that does not begin with one is a character like any other."""
        text = self._text(index, index)
        fields, reason = _fields(text, self.delimiter)
        if len(fields) == self.width:
            self.replaced[index] = _written(fields, self.delimiter)
            return
        count = f"{len(fields)} field{'s' if len(fields) > 1 else ''} where the header has {self.width}"
        self.broken.append((self.line + index, text, reason or count))

    def _text(self, first: int, final: int) -> str:
        return self.block[int(self.starts[first]) : int(self.ends[final])].decode("utf-8").removesuffix("\r")


def _fields(text: str, delimiter: str) -> tuple[list[str], str]:
    """Fields of one record; or none, and why."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as fault:
        return [], f"the quotes do not match ({fault})"
    return (rows[0], "") if len(rows) == 1 else ([], "a line end within the line")


def _written(fields: list[str], delimiter: str) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerow(fields)
    return stream.getvalue().encode()


def _decoded(
    decoder: codecs.IncrementalDecoder, piece: bytes, name: str, encoding: str, *, final: bool = False
) -> bytes:
    try:
        return decoder.decode(piece, final).encode()
    except UnicodeDecodeError as fault:
        raise DataError(f"{name}: not {encoding} text ({fault.reason}); declare the right encoding:") from fault


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
