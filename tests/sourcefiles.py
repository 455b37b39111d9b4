"""Files of a source as tests write them, and what a reader makes of them."""

import gzip
from pathlib import Path

import polars as pl

from asof.adapters.files import FilesReader
from asof.ports import Batch
from asof.specs import FilesSpec
from asof.testing import readers


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def reader(folder: Path, *paths: str, spec: dict[str, str] | None = None, **options: object) -> FilesReader:
    return FilesReader(FilesSpec(paths=paths or ("*.csv",), **(spec or {})), folder, **options)


def batches(asked: FilesReader, watermark: str | None = None) -> list[Batch]:
    got = list(asked.batches(watermark))
    for batch in got:
        readers.check_shape(batch)
    return got


def rows(asked: FilesReader) -> list[tuple[object, ...]]:
    """Values of all rows, without where they came from."""
    return pl.concat([batch.rows for batch in batches(asked)], how="diagonal").drop("_file", "_line").rows()


def lines(asked: FilesReader) -> list[int]:
    return [line for batch in batches(asked) for line in batch.rows["_line"]]


def broken(asked: FilesReader) -> list[tuple[object, ...]]:
    return [row for batch in batches(asked) if batch.broken is not None for row in batch.broken.rows()]


def keep(stream: object, kept: list[Batch]) -> None:
    """Keep each batch as it comes, as an ingest does."""
    for batch in stream:  # type: ignore[attr-defined]
        kept.append(batch)  # noqa: PERF402 - extend would keep none of them when a later one fails
