"""The lake: Delta tables of one project, in a local folder or under ``s3://``.

Each source has three tables, and the project has one more::

    <root>/<source>/raw          append-only, one row a version of a row as it was read, in parts by ``_month``
    <root>/<source>/valid        derived: typed rows that passed validation
    <root>/<source>/quarantine   derived: refused rows, as text, with the reason
    <root>/predictions           answered questions

A commit of Delta Lake is one file that appears or does not, so a crash leaves the old version or the new one.
The watermark of a source lies in the metadata of the commit that brought its rows; the stamp of the derived tables
lies in both of their commits, so that a crash between the two shows and they are built again.
"""

import contextlib
import random
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from asof.adapters import drafts, fingerprints
from asof.adapters.drafts import DeltaDraft, outside
from asof.errors import DataError, OutsideError
from asof.ports import Again, Batch

TRIES = 30
"""How often an append is tried while others append to the same table."""
VERSION = ("_key", "_hash", "_first_seen", "_file", "_line")
"""Columns that tell versions of rows apart, and their order."""
KEEP_LOG = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": "interval 36500 days"}
"""Old versions of ``raw`` stay readable: a run names the version that it used."""
KEPT_HOURS = 7 * 24
"""Files of replaced derived tables are kept this long, for readers that have just opened them."""
MOST_FILES = 64
"""Of more files of answers one is made."""


class DeltaLake:
    """The tables of one project as Delta Lake; fills the port ``Lake``.

    Errors: ``OutsideError`` where the disk or the store fails (full, not writable, not reachable).
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        """Open the lake under ``root``: a folder, or ``s3://bucket/prefix`` with the options of its client."""
        self.root = str(root).rstrip("/")
        self.options = dict(storage_options or {})

    # raw

    def append(
        self, source: str, batch: Batch, key: Sequence[str], month: pl.Series, *, seen: datetime | None = None
    ) -> int:
        """Add the rows not yet there in one commit and return how many were new.

        A row is known by its key and the hash of its content; one without a declared key by its hash alone. One that
        returns to a former content is new: see ``fingerprints.news``. ``month`` names the part of each row
        (``2016-03``, or ``unknown``). ``seen`` is noted as ``_first_seen`` (default: now).
        Rows that are there already change nothing; a moved watermark alone is a commit without rows.
        """
        rows = fingerprints.marked(batch, key, month, seen or datetime.now(UTC))
        for attempt in range(TRIES):
            table = self._table(source, "raw")
            fresh = rows if table is None else self._news(table, rows, batch.again)
            if fresh.is_empty() and table is not None and batch.watermark in (None, _watermark(table)):
                return 0
            if self._append_once(source, fresh, batch.watermark, table):
                return fresh.height
            time.sleep(random.uniform(0, 0.05) * (attempt + 1))  # noqa: S311 - apart from one another, not secret
        raise OutsideError(
            f"{self._address(source, 'raw')}: other writers came first {TRIES} times: run again when they have finished"
        )

    def raw(
        self,
        source: str,
        version: int | None = None,
        *,
        months: Sequence[str] = (),
        columns: Sequence[str] = (),
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """All versions of all rows, in no order, as of ``version`` of the table (default: the latest).

        Or only those of some ``months`` that meet ``where``, with some ``columns``: the other parts are not read.
        """
        address = self._address(source, "raw")
        table = self._table(source, "raw", version)
        if table is None:
            raise DataError(f"{address}: no rows have been loaded yet: run `asof ingest` first")
        return self._read(table, address, columns, months, where)

    def months(self, source: str, version: int | None = None) -> dict[str, int]:
        """Rows of each month that ``raw`` holds, in the order of months."""
        table = self._table(source, "raw", version)
        if table is None:
            return {}
        files = pl.DataFrame(table.get_add_actions(flatten=True))
        counted = files.group_by(pl.col("partition._month")).agg(pl.col("num_records").sum())
        return dict(counted.sort("partition._month").iter_rows())

    def watermark(self, source: str) -> str | None:
        """The watermark of the last commit of ``raw`` that carried one."""
        table = self._table(source, "raw")
        return None if table is None else _watermark(table)

    def version(self, source: str, table: str = "raw") -> int | None:
        """Version of a table, or none when it does not exist."""
        found = self._table(source, table)
        return None if found is None else int(found.version())

    def identity(self, source: str) -> str:
        """The mark that the table of raw rows was given when it was made, or nothing."""
        found = self._table(source, "raw")
        return "" if found is None else str(found.metadata().id)

    # derived

    def draft(self, source: str, kept: Collection[str] = ()) -> DeltaDraft:
        """Begin to replace the derived tables part by part, all but the parts ``kept``."""

        def commit(table: str, files: list[Any], schema: Any, told: Mapping[str, str]) -> None:
            self._replace(source, table, files, schema, told, kept)

        return DeltaDraft(f"{self.root}/{source}", self.options, commit)

    def notes(self, source: str) -> str:
        """What the last commit of the derived tables says of their parts, or nothing."""
        table = self._table(source, "valid")
        for commit in [] if table is None else table.history(5):  # a cleaning writes commits of its own
            if any(name.startswith("stamp.") for name in commit):
                return str(commit.get("notes", ""))
        return ""

    def stamp(self, source: str) -> Mapping[str, str] | None:
        """Return the stamp of the derived tables if both carry the same one, else none."""
        found = [self._stamp(source, table) for table in ("valid", "quarantine")]
        return found[0] if found[0] == found[1] else None

    def valid(self, source: str, *, columns: Sequence[str] = (), where: pl.Expr | None = None) -> pl.DataFrame:
        """The derived valid rows (those that meet ``where``, with some ``columns``), by time and key."""
        order = ("_ended", "_available", "_key")
        found = self._derived(source, "valid", tuple(dict.fromkeys([*columns, *order])) if columns else (), where)
        return found if _is_sorted(found, order) else found.sort(*order, nulls_last=True)

    def quarantine(self, source: str) -> pl.DataFrame:
        """The refused rows, whole, as text, with ``_reason``, ``_column``, ``_file``, ``_line``."""
        return self._derived(source, "quarantine").sort("_file", "_line", "_reason", nulls_last=True)

    # predictions

    def write_predictions(self, rows: pl.DataFrame) -> None:
        """Append answered questions; of many small files one is made."""
        from deltalake import write_deltalake

        address = f"{self.root}/predictions"
        with outside(address):
            write_deltalake(address, rows, mode="append", schema_mode="merge", **self._settings())
        self._pack(address)

    def predictions(self) -> pl.DataFrame | None:
        """All answered questions kept so far, or none."""
        address = f"{self.root}/predictions"
        table = self._open(address)
        return None if table is None else self._read(table, address)

    # below: one door to deltalake each

    def _pack(self, address: str) -> None:
        """Make one file of many small ones; those that made it stay for a week, for who is reading them."""
        from deltalake.exceptions import DeltaError

        # The answers are written: what fails here, such as because another program packs, the next write does.
        with contextlib.suppress(DeltaError, OSError, OutsideError):
            table = self._open(address)
            if len(table.file_uris()) > MOST_FILES:
                table.optimize.compact(writer_properties=self._settings()["writer_properties"])
                table.vacuum(KEPT_HOURS, dry_run=False)

    def _address(self, source: str, table: str) -> str:
        return f"{self.root}/{source}/{table}"

    def _table(self, source: str, table: str, version: int | None = None) -> Any:
        return self._open(self._address(source, table), version)

    def _open(self, address: str, version: int | None = None) -> Any:
        from deltalake import DeltaTable

        with outside(address):
            if not DeltaTable.is_deltatable(address, storage_options=self.options or None):
                return None
            return DeltaTable(address, version=version, storage_options=self.options or None)

    def _settings(self) -> dict[str, Any]:
        from deltalake import WriterProperties

        return {
            "storage_options": self.options or None,
            "writer_properties": WriterProperties(compression="ZSTD", compression_level=3),
        }

    def _read(
        self,
        table: Any,
        address: str,
        columns: Sequence[str] = (),
        months: Sequence[str] = (),
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        with outside(address):
            lazy = pl.scan_delta(table, storage_options=self.options or None)
            if months:
                lazy = lazy.filter(pl.col("_month").is_in(list(months)))
            if where is not None:
                lazy = lazy.filter(where)
            return lazy.select(columns or pl.all()).collect()

    def _news(self, table: Any, rows: pl.DataFrame, again: Again) -> pl.DataFrame:
        """Rows whose key and hash are not in the parts of the table that they would go to, and those that came back."""
        months = rows["_month"].unique().to_list()
        known = {part["_month"] for part in table.partitions()}
        touched = [month for month in months if month in known]
        if not touched:
            return rows
        there = self._read(table, str(table.table_uri), ("_key", "_hash"), touched)
        fresh = rows.join(there, on=["_key", "_hash"], how="anti", maintain_order="left")
        told = rows.filter(pl.col("_key") != pl.col("_hash")) if fresh.height < rows.height else rows.clear()
        told = told.join(there, on=["_key", "_hash"], how="semi")
        if told.is_empty() or again == "all":
            return fresh
        asked = rows.join(self._several(table, rows, told["_key"].unique(), there), on="_key", how="semi")
        if asked.is_empty():
            return fresh
        of = pl.col("_key").is_in(asked["_key"].unique().implode())
        versions = self._read(table, str(table.table_uri), VERSION, where=of)
        returned = fingerprints.news(asked, versions, again=again == "file")
        kept = pl.concat([fresh, returned]).select("_file", "_line", "_key", "_hash")
        return rows.join(kept, on=kept.columns, how="semi", maintain_order="left", nulls_equal=True)

    def _several(self, table: Any, rows: pl.DataFrame, keys: pl.Series, there: pl.DataFrame) -> pl.DataFrame:
        """Those of ``keys`` with two contents or more: no other row can return to a former one.

        A time that was corrected has moved its row to another part; by the range of its keys most of a part is skipped.
        """
        touched = pl.col("_month").is_in(rows["_month"].unique().implode())
        within = pl.col("_key").is_between(pl.lit(keys.min()), pl.lit(keys.max())) & pl.col("_key").is_in(
            keys.implode()
        )
        moved = self._read(table, str(table.table_uri), ("_key", "_hash"), where=within & ~touched)
        wanted = keys.to_frame("_key")
        parts = [part.join(wanted, on="_key", how="semi") for part in (there, rows.select("_key", "_hash"))]
        counted = pl.concat([*parts, moved]).group_by("_key").agg(pl.col("_hash").n_unique())
        return counted.filter(pl.col("_hash") > 1).select("_key")

    def _append_once(self, source: str, rows: pl.DataFrame, watermark: str | None, table: Any) -> bool:
        """Append in one commit; False when another writer's commit came first."""
        from deltalake import CommitProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError

        address = self._address(source, "raw")
        if watermark is None and table is not None:
            watermark = _watermark(table)
        # No retries within deltalake: it would add the rows beside those of the other writer without comparing them.
        commit = CommitProperties(
            custom_metadata={} if watermark is None else {"watermark": watermark}, max_commit_retries=0
        )
        try:
            with outside(address, passing=(CommitFailedError,)):
                write_deltalake(
                    address if table is None else table,
                    rows,
                    mode="append" if table is not None else "error",
                    partition_by=["_month"],
                    schema_mode="merge" if table is not None else None,
                    configuration=KEEP_LOG if table is None else None,
                    commit_properties=commit,
                    **self._settings(),
                )
        except CommitFailedError:
            return False
        except OutsideError:
            if table is None and self._open(address) is not None:
                return False  # another writer has made the table meanwhile
            raise
        return True

    def _replace(
        self, source: str, table: str, files: list[Any], schema: Any, told: Mapping[str, str], kept: Collection[str]
    ) -> None:
        """Make ``files``, and those of the parts ``kept``, the table in one commit that says ``told``."""
        from deltalake import CommitProperties
        from deltalake.transaction import create_table_with_add_actions

        address = self._address(source, table)
        commit = CommitProperties(custom_metadata=dict(told))
        with outside(address):
            found = self._open(address)
            if found is None:
                create_table_with_add_actions(
                    address, schema, files, storage_options=self.options or None, commit_properties=commit
                )
                return
            if kept:
                old = pl.DataFrame(found.get_add_actions())["path"].to_list()
                files = [*files, *drafts.removals(old, kept)]
            mode = "append" if kept else "overwrite"
            found.create_write_transaction(files, mode, schema, commit_properties=commit)
            found.update_incremental()
            found.vacuum(retention_hours=KEPT_HOURS, dry_run=False, full=True)

    def _stamp(self, source: str, table: str) -> dict[str, str] | None:
        found = self._table(source, table)
        if found is None:
            return None
        for commit in found.history(5):
            stamp = {k.removeprefix("stamp."): str(v) for k, v in commit.items() if k.startswith("stamp.")}
            if stamp:
                return stamp
        return None

    def _derived(
        self, source: str, table: str, columns: Sequence[str] = (), where: pl.Expr | None = None
    ) -> pl.DataFrame:
        address = self._address(source, table)
        found = self._table(source, table)
        if found is None:
            raise DataError(f"{address}: the source has not been validated yet: run `asof ingest` first")
        return self._read(found, address, columns, where=where)


def _is_sorted(rows: pl.DataFrame, by: Sequence[str]) -> bool:
    """Whether rows stand in the order of these columns already, as parts that were sorted and follow each other do."""
    if rows.height < 2 or not rows[by[0]].is_sorted(nulls_last=True):
        return rows.height < 2
    now, before = rows.select(by)[1:], rows.select(by)[:-1]
    after = pl.Series([True]).new_from_index(0, rows.height - 1)
    for name in reversed(by):
        after = (now[name] > before[name]) | ((now[name] == before[name]) & after)
    return bool((after.fill_null(value=False)).all())


def _watermark(table: Any) -> str | None:
    """Watermark of the last commit that carries one: nearly always the last commit, so that is asked first."""
    for limit in (1, None):
        for commit in table.history(limit):
            if "watermark" in commit:
                return str(commit["watermark"])
    return None
