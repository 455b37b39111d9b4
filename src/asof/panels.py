"""Panels: the units of a project, place x period or single rows, and the questions asked about place x period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from asof.data import UTC_TIME
from asof.errors import DataError
from asof.places import Places
from asof.specs import Measure
from asof.times import Step, shift, starts
from asof.times import end as period_end


@dataclass(frozen=True)
class Panel:
    """What one prediction is about: a place of ``places`` during a period of length ``every``."""

    places: Places
    every: Step
    zone: str
    """IANA zone in which the periods are cut."""
    source: str
    """Name of the source whose rows make the label."""
    measure: Measure = "count"
    column: str | None = None
    """Column that makes the label; none for a count of rows."""
    horizons: tuple[Step, ...] = (Step(0, "h"),)
    """How far ahead: ``as_of`` = start of the period - horizon."""
    classes: tuple[str, ...] = ()
    """Classes in order, where the label is one: label 0 is the first."""
    own: tuple[str, ...] = ()
    """Columns of its own that a row is known by when it is asked about, where each row is a unit."""
    timed: bool = True
    """Whether questions have a moment; rows without a time have none."""
    apart: bool = False
    """Whether places are answered as if never met: nothing of the label's source that lies in them is read."""

    @property
    def rows(self) -> bool:
        """Whether each row of the source is a unit, and not each place and period."""
        return self.measure in {"value", "classes"}


def questions(panel: Panel, first: datetime, until: datetime, horizons: Sequence[Step] | None = None) -> pl.DataFrame:
    """Ask about every place and every period that starts in [``first``, ``until``), at every horizon.

    Returns ``place`` (String), ``start``, ``end``, ``as_of`` (UTC, microseconds) and ``horizon`` (String), ordered by
    start, place and horizon as listed. ``end`` and ``as_of`` are steps of the local calendar for days, weeks and
    months, so the day on which summer time begins has 23 hours. 10 million questions take about 1 GB.

    Raises:
        DataError: a moment has no zone, or the panel has no places.
    """
    if first.tzinfo is None or until.tzinfo is None:
        raise DataError(f"questions: {first} and {until} must carry a zone, such as datetime(…, tzinfo=UTC)")
    if panel.places.ids.is_empty():
        raise DataError("questions: the panel has no places; load rows that lie in a place first")
    steps = tuple(horizons) if horizons is not None else panel.horizons
    begun = starts(first, until, panel.every, panel.zone)
    ended = period_end(begun, panel.every, panel.zone)
    asked = [shift(begun, step, panel.zone, -1) for step in steps]
    shape = (len(begun), len(panel.places.ids), len(steps))
    known = np.stack([_micros(times) for times in asked], axis=1)
    return pl.DataFrame(
        {
            "place": panel.places.ids.gather(_spread(np.arange(shape[1])[None, :, None], shape)),
            "start": _times(_spread(_micros(begun)[:, None, None], shape)),
            "end": _times(_spread(_micros(ended)[:, None, None], shape)),
            "as_of": _times(_spread(known[:, None, :], shape)),
            "horizon": pl.Series([str(step) for step in steps], dtype=pl.String).gather(
                _spread(np.arange(shape[2])[None, None, :], shape)
            ),
        }
    )


def _micros(times: pl.Series) -> np.ndarray:
    return times.cast(UTC_TIME).to_physical().to_numpy()


def _times(micros: np.ndarray) -> pl.Series:
    return pl.Series(micros, dtype=pl.Int64).cast(UTC_TIME)


def _spread(values: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(values, shape)).reshape(-1)
