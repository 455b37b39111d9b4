"""The exam of readers: whoever fills ``ports.Reader`` runs it, as the adapters here do.

    readers.check(lambda: MyReader(...), expected)

A reader passes when nothing is lost, nothing comes twice, a run that stops after any batch goes on from
that batch's watermark to the same result, and the order of what lies outside does not matter.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from asof.ports import Batch, Reader

OURS = ("_file", "_line")
"""Where a row came from; not part of what it says."""


@dataclass(frozen=True)
class ListReader:
    """The plainest reader: rows that are given, ``size`` to a batch; the watermark is the number of rows read."""

    rows: pl.DataFrame
    size: int = 3

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield the rows from number ``watermark`` on."""
        for start in range(int(watermark or 0), self.rows.height, self.size):
            part = self.rows.slice(start, self.size)
            lines = pl.Series("_line", range(start + 1, start + part.height + 1), pl.Int64)
            named = part.with_columns(pl.lit("list").alias("_file"), lines)
            yield Batch(named, str(start + part.height))


def check(make: Callable[[], Reader], expected: pl.DataFrame, others: Sequence[Callable[[], Reader]] = ()) -> None:
    """Put a reader to the exam.

    Args:
        make: opens the reader anew, as a new process would.
        expected: the rows that are there (String columns), in any order.
        others: open readers of the same rows that lie outside in another order, or come by another way.

    Raises:
        AssertionError: says which rows are missing or too many, and after which batch.
    """
    batches = list(make().batches(None))
    for number, batch in enumerate(batches):
        check_shape(batch, f"batch {number}")
    whole = [batch.rows for batch in batches]
    _equal(whole, expected, "read in one go")
    for number, batch in enumerate(batches):
        rest = [later.rows for later in make().batches(batch.watermark)]
        _equal(whole[: number + 1] + rest, expected, f"stopped after batch {number} and gone on")
    for number, other in enumerate(others):
        _equal([batch.rows for batch in other().batches(None)], expected, f"in another order ({number})")


def check_shape(batch: Batch, name: str = "the batch") -> None:
    """Check that a batch has the form that ``ports.Batch`` promises."""
    assert batch.watermark is not None, f"{name} has no watermark, so a run cannot go on from it"
    for column, kind in batch.rows.schema.items():
        wanted = pl.Int64 if column == "_line" else pl.String
        assert kind == wanted, f"{name}: column {column!r} is {kind}, expected {wanted}"
    for column in OURS:
        assert column in batch.rows.columns, f"{name} does not say where its rows came from: no {column}"
        assert batch.rows[column].null_count() == 0, (
            f"{name}: {column} is null in {batch.rows[column].null_count()} rows"
        )
    if batch.broken is not None:
        assert batch.broken.columns == ["_file", "_line", "text", "reason"], (
            f"{name}: broken has {batch.broken.columns}"
        )


def _equal(parts: Sequence[pl.DataFrame], expected: pl.DataFrame, how: str) -> None:
    """Compare as multisets; a column that is wholly absent is null throughout."""
    got = Counter[tuple[str | None, ...]]()
    for part in parts:
        rows = part.drop(OURS)
        extra = [name for name in rows.columns if name not in expected.columns]
        assert not extra, f"{how}: columns {extra} were not there"
        absent = [pl.lit(None, pl.String).alias(name) for name in expected.columns if name not in rows.columns]
        got.update(rows.with_columns(absent).select(expected.columns).rows())
    wanted = Counter(expected.rows())
    lost, twice = wanted - got, got - wanted
    assert not lost, f"{how}: {lost.total()} rows lost, such as {next(iter(lost))}"
    assert not twice, f"{how}: {twice.total()} rows too many, such as {next(iter(twice))}"
