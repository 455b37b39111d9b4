"""Questions answered while a server stands: a release and its history held open, and renewed as data come in."""

import functools
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from asof import times
from asof.data import UTC_TIME, Numbered
from asof.errors import AsofError, DataError
from asof.flows import asking, intake, oracles, predicting, preparation, reasoning
from asof.flows.oracles import Oracle
from asof.flows.preparation import Prepared
from asof.flows.walking import Walk
from asof.flows.workspace import Workspace
from asof.times import Step

LOG = logging.getLogger("asof.serving")
_ASKED = ("place", "start", "horizon")
"""What tells questions of a panel apart."""
MOST_PLACES = 300
"""So many places are answered about where one of them is asked about."""
MOST_PERIODS = 2
"""At so many periods of one table, somebody may be going from one to the next."""
MOST_ALONG = 2_200
"""Answers about other places, and about the periods that come next: made in the time of a few hundred."""


@dataclass(frozen=True)
class Standing:
    """A release and the data of one moment. It never changes: a newer one takes its place as a whole."""

    oracle: Oracle
    prepared: Prepared
    stamps: Mapping[str, str]
    """What was read: the version of each source."""
    ready: pl.DataFrame | None = None
    """Answers to the questions that come next, where units are places and periods."""
    usual: dict[str, pl.DataFrame] = field(default_factory=dict)
    """Rows that reasons are told against, by class; made at the first question for reasons."""
    numbers: Mapping[str, frozenset[float]] = field(default_factory=dict)
    """Columns that may be given as numbers: see ``asking.numbers``."""
    apart: bool = False
    """Whether what a row asks hangs on that row alone."""

    @functools.cached_property
    def places(self) -> pl.Series:
        """Places that are answered about where one of them is asked about; none where they are many."""
        known, panel = self.oracle.places, self.prepared.panel
        if self.ready is None or not self.apart or known.len() > MOST_PLACES:
            return known[:0]
        return known if panel.places.kind == "h3" else known.filter(known.is_in(panel.places.ids.implode()))

    @functools.cached_property
    def numbered(self) -> Numbered:
        """Number of each of these places."""
        return Numbered(self.places)

    @functools.cached_property
    def begun(self) -> npt.NDArray[np.int64]:
        """Starts of the periods that are ready, in microseconds."""
        return np.empty(0, dtype=np.int64) if self.ready is None else np.unique(_micros(self.ready["start"]))


def stand(workspace: Workspace, oracle: Oracle, prepared: Prepared, stamps: Mapping[str, str]) -> Standing:
    """Join a release and data; refuses a release of other features now, and not at the first request."""
    ready = None
    if not prepared.panel.rows:
        asked = predicting.next_questions(prepared, oracle.places)
        ready = predicting.answer_all(workspace, prepared, oracle, asked)
    else:
        oracles.answer(workspace, prepared, oracle, preparation.of_rows(prepared)[:1])
    numbers, apart = asking.numbers(workspace, prepared), asking.alone(workspace, prepared)
    return Standing(oracle, prepared, stamps, ready, numbers=numbers, apart=apart)


class Desk:
    """Answers questions with a release of a project, by the features of training and batch.

    One standing is replaced by the next in one step, so that every request is answered by one release and the data of
    one moment, also while a newer one is being opened.
    """

    def __init__(self, workspace: Workspace, which: str = "champion") -> None:
        """Store what shall be opened; ``open`` does it."""
        self._workspace = workspace
        self._which = which
        self._standing: Standing | None = None
        self._renewing = threading.Lock()
        self.trouble = ""
        """Why the latest attempt to renew failed; empty when it did not."""

    @classmethod
    def of(cls, workspace: Workspace, standing: Standing) -> "Desk":
        """Return a desk that is open with what stands already; it is not renewed."""
        desk = cls(workspace, standing.oracle.release.name)
        desk._standing = standing
        return desk

    @property
    def standing(self) -> Standing:
        """What answers now; raises DataError before ``open``."""
        if self._standing is None:
            message = "nothing is open yet"
            raise DataError(message)
        return self._standing

    def open(self) -> Standing:
        """Read release and data; whatever is wrong is raised."""
        stale = [name for name in self._workspace.spec.sources if self._workspace.lake.stamp(name) is None]
        if stale:
            with self._workspace.hold("serve"):
                intake.take_in(self._workspace, stale)
        self._standing = self._read(oracles.open_release(self._workspace, self._which))
        return self._standing

    def renew(self) -> bool:
        """Take up a new champion or new data, if there are; says whether. What stands stays wherever that fails."""
        with self._renewing:
            try:
                return self._renew()
            except AsofError as fault:
                self.trouble = " ".join(str(fault).split())
                LOG.warning("what is served stays as it is: %s", self.trouble)
            except (Exception, pl.exceptions.PanicException) as fault:
                self.trouble = f"a fault of this program ({type(fault).__name__}), which its log describes"
                LOG.exception("what is served stays as it is")
            return False

    def _renew(self) -> bool:
        now = self.standing
        found = self._workspace.registry.find(self._which) if not self._fixed(now) else None
        newer = found is not None and found.name != now.oracle.release.name
        stamps = self._stamps()
        # While an ingest is between its commits there is no stamp: what stands is whole, so it stays.
        fresh = bool(stamps) and stamps != now.stamps
        if newer or fresh:
            oracle = oracles.open_release(self._workspace, self._which) if newer else now.oracle
            self._standing = self._read(oracle)
        self.trouble = ""
        return newer or fresh

    def _fixed(self, now: Standing) -> bool:
        """Whether one release was asked for by its folder or address."""
        return "/" in self._which or now.oracle.release.name == self._which

    def _stamps(self) -> dict[str, str]:
        told = {}
        for name in self._workspace.spec.sources:
            stamp = self._workspace.lake.stamp(name)
            if stamp is None:
                return {}
            told[name] = str(sorted(stamp.items()))
        return told

    def _read(self, oracle: Oracle) -> Standing:
        stamps = self._stamps()
        prepared = preparation.prepare(self._workspace, intake.open_tables(self._workspace))
        # In which file and line a row stood is no answer's business.
        prepared = replace(prepared, past=prepared.past.without("_file", "_line"))
        return stand(self._workspace, oracle, prepared, stamps)

    def answer(self, rows: pl.DataFrame, called: str = "the request") -> pl.DataFrame:
        """Answer each row in its place: a prediction, or the reason why there is none.

        Args:
            rows: n rows of text, as a file of questions holds them: see ``asking.of_frame``.
            called: what messages call them.

        Raises:
            DataError: a column is missing that every question needs.
        """
        return answered(self._workspace, self.standing, rows, called)

    def explain(
        self, rows: pl.DataFrame, label: str | None = None, called: str = "the request"
    ) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
        """Answer each row, and tell what each group of features adds to the usual prediction or takes off it.

        Args:
            rows: as for ``answer``; few of them, each takes a fraction of a second.
            label: the class whose probability is explained; of two the second where none is named.
            called: what messages call them.

        Returns:
            The answers to n rows, and n mappings: ``base``, and ``reasons`` (``feature``, ``reason``; largest first) in
            the unit of the prediction, which sum to it; both none where there is no prediction.

        Raises:
            DataError: as ``answer``, or there is no such class.
        """
        now = self.standing
        asked = asking.of_frame(self._workspace, now.prepared, rows, called)
        answers = predicting.answer_all(self._workspace, now.prepared, now.oracle, asked)
        there = answers["reason"].is_null()
        told = reasoning.tell(self._workspace, now.prepared, now.oracle, asked.filter(there), label, now.usual)
        nothing = {"base": None, "reasons": None}
        return answers, [next(told) if answered else nothing for answered in there]

    @property
    def workspace(self) -> Workspace:
        """The project that is served."""
        return self._workspace


def answered(workspace: Workspace, now: Standing, rows: pl.DataFrame, called: str) -> pl.DataFrame:
    """Answer rows by what stands ``now``; as ``Desk.answer``."""
    return _answers(workspace, now, asking.of_frame(workspace, now.prepared, rows, called))


def answered_with_others(
    workspace: Workspace, now: Standing, rows: pl.DataFrame, called: str, walk: Walk | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(answers to rows as ``answered`` gives them, answers about the other places at the same periods).

    A table about all places of a day costs hardly more than one about a single place, and who asks about one asks
    about others. There are no others where places or periods are many, or where answers might hang on each other;
    ``walk`` is told which periods are worth to be answered later, by ``ahead``, while nobody waits.
    """
    asked = asking.of_frame(workspace, now.prepared, rows, called)
    told = _answers(workspace, now, pl.concat([asked, _others(now, asked, walk)]))
    return told[: asked.height], told[asked.height :]


def ahead(workspace: Workspace, now: Standing, walk: Walk) -> pl.DataFrame:
    """Answers about all places at some of the periods that wait in ``walk``; no row where none does."""
    count = max(now.places.len(), 1)
    if walk.reached:
        walk.go(now.prepared.panel, MOST_ALONG // count)
    starts = walk.take(max(1, MOST_ALONG // count))
    return _answers(workspace, now, _everywhere(_periods(now, starts, walk.horizon), now.places))


def _others(now: Standing, asked: pl.DataFrame, walk: Walk | None) -> pl.DataFrame:
    known = now.places
    if known.is_empty():
        return asked[:0]
    told = list(zip(asked["start"].cast(pl.Int64).to_list(), asked["horizon"].to_list(), strict=True))
    first: dict[tuple[int, str], int] = {}
    for row, (period, reason) in enumerate(zip(told, asked["reason"].to_list(), strict=True)):
        if reason is None:
            first.setdefault(period, row)
    if not 0 < len(first) * known.len() <= MOST_ALONG:
        return asked[:0]
    periods = asked[list(first.values())]
    horizons = {horizon for _, horizon in first}
    if walk is not None and len(first) <= MOST_PERIODS and len(horizons) == 1:
        walk.meet(now.prepared.panel, [start for start, _ in first], horizons.pop(), MOST_ALONG // known.len())
    number = {period: at for at, period in enumerate(first)}
    place, at = now.numbered.of(asked["place"]), np.array([number.get(period, -1) for period in told])
    there = (place >= 0) & (at >= 0)
    rest = np.ones(known.len() * periods.height, dtype=bool)
    rest[place[there] * periods.height + at[there]] = False
    return _everywhere(periods, known)[np.flatnonzero(rest)]


def _everywhere(periods: pl.DataFrame, known: pl.Series) -> pl.DataFrame:
    """Questions about all places at all periods, one place after the other."""
    everywhere = periods[np.tile(np.arange(periods.height), known.len())]
    places = known.gather(np.repeat(np.arange(known.len()), periods.height))
    return everywhere.replace_column(everywhere.columns.index("place"), places.alias("place"))


def _periods(now: Standing, starts: Sequence[int], horizon: str) -> pl.DataFrame:
    """Questions about periods by their starts (microseconds), without places."""
    panel = now.prepared.panel
    begun = pl.Series("start", starts, dtype=pl.Int64).cast(UTC_TIME)
    ended = times.end(begun, panel.every, panel.zone).alias("end")
    as_of = times.shift(begun, Step.parse(horizon), panel.zone, -1).alias("as_of") if starts else begun.alias("as_of")
    place, told, reason = (
        pl.Series(name, [text], dtype=pl.String).new_from_index(0, len(starts))
        for name, text in (("place", None), ("horizon", horizon), ("reason", None))
    )
    return pl.DataFrame([place, begun, ended, as_of, told, reason])


def _micros(moments: pl.Series) -> npt.NDArray[np.int64]:
    return moments.cast(pl.Int64).to_numpy()


def _answers(workspace: Workspace, now: Standing, asked: pl.DataFrame) -> pl.DataFrame:
    if now.ready is None:
        return predicting.answer_all(workspace, now.prepared, now.oracle, asked)
    return _with_ready(workspace, now, now.ready, asked)


def _with_ready(workspace: Workspace, now: Standing, ready: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Take the answers that are there, and make the others."""
    if asked.height and not np.isin(_micros(asked["start"]), now.begun).any():
        return predicting.answer_all(workspace, now.prepared, now.oracle, asked)
    known = ready.with_row_index("_at").select(*_ASKED, "_at")
    found = asked.join(known, on=list(_ASKED), how="left", maintain_order="left")["_at"]
    found = found.set(asked["reason"].is_not_null(), None) if "reason" in asked.columns else found
    there = found.is_not_null()
    if there.all():
        return ready[found]
    made = predicting.answer_all(workspace, now.prepared, now.oracle, asked.filter(~there))
    both = pl.concat([ready[found.drop_nulls()].select(made.columns), made])
    order = pl.concat([there.arg_true(), (~there).arg_true()]).arg_sort()
    return both[order]
