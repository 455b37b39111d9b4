"""Derived tables being written part by part: nobody sees them before all parts are there."""

import io
import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from asof.adapters import objects
from asof.errors import OutsideError

GROUP_ROWS = 100_000
"""Rows in a group of a file, each with the range of its times: a reader of few days skips the others."""
Commit = Callable[[str, list[Any], Any, Mapping[str, str]], None]
"""Commits the files of one table: its name, what is added, the schema, the metadata."""


class DeltaDraft:
    """The parts of ``valid`` and ``quarantine`` of one source, each written as a file when it comes.

    The files belong to no table until ``commit``, which is one commit a table: a crash before it leaves only files
    that the next cleaning removes.
    """

    def __init__(self, address: str, options: Mapping[str, str], commit: Commit) -> None:
        """Begin below ``address``, the folder or prefix of the source."""
        self._address, self._options, self._commit = address, dict(options), commit
        self._files: dict[str, list[Any]] = {"quarantine": [], "valid": []}
        self._schemas: dict[str, Any] = {}

    def put(self, part: str, valid: pl.DataFrame, quarantine: pl.DataFrame) -> None:
        """Write the rows of one part; all parts have the same columns."""
        for table, rows in (("quarantine", quarantine), ("valid", valid)):
            if rows.height or not self._files[table]:
                with outside(f"{self._address}/{table}"):
                    self._files[table].append(self._write(table, part, rows))
            self._schemas.setdefault(table, rows.schema)
            if rows.schema != self._schemas[table]:
                message = f"part {part} of {table} has other columns than the first: {rows.schema}"
                raise AssertionError(message)  # a fault of ours: nothing is committed

    def commit(self, stamp: Mapping[str, str], notes: str = "") -> None:
        """Make the parts the tables; ``notes`` is kept beside them."""
        from deltalake import Schema

        told = {f"stamp.{name}": value for name, value in stamp.items()}
        for table in ("quarantine", "valid"):
            kept = told | ({"notes": notes} if notes and table == "valid" else {})
            self._commit(table, self._files[table], Schema.from_arrow(self._schemas[table]), kept)

    def _write(self, table: str, part: str, rows: pl.DataFrame) -> Any:
        from deltalake.transaction import AddAction

        name = f"{part}-{uuid.uuid4().hex}.zstd.parquet"
        held = io.BytesIO()
        rows.write_parquet(held, compression="zstd", compression_level=3, row_group_size=GROUP_ROWS)
        data, address = held.getvalue(), f"{self._address}/{table}/{name}"
        if "://" in address:
            # The same bytes: what is committed says how many there are.
            rows.write_parquet(
                address,
                compression="zstd",
                compression_level=3,
                row_group_size=GROUP_ROWS,
                storage_options=self._options,
            )
        else:
            Path(address).parent.mkdir(parents=True, exist_ok=True)
            Path(address).write_bytes(data)
        return AddAction(name, len(data), {}, int(time.time() * 1000), True, json.dumps({"numRecords": rows.height}))


def removals(paths: Collection[str], kept: Collection[str]) -> list[Any]:
    """Files of a table that do not hold one of the parts ``kept``, as what a commit removes."""
    from deltalake.transaction import RemoveAction

    now = int(time.time() * 1000)
    return [RemoveAction(path, True, now) for path in paths if path.partition("-")[0] not in kept]


@contextmanager
def outside(address: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn failures of the disk or the store into ``OutsideError``, one line, with the address."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except passing:
        raise
    except (DeltaError, OSError, pl.exceptions.ComputeError) as error:
        remote = objects.is_remote(address)
        told = objects.advice(error) if remote else ""
        if told:
            raise OutsideError(f"{address}: {told}; what was there is unchanged") from error
        see = "the address can be reached" if remote else "the disk has room"
        raise OutsideError(
            f"{address}: the store could not be read or written ({objects.line(error)}): what was there is unchanged; "
            f"see that {see}, then run again"
        ) from error
