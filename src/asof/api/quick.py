"""Answers that were made ahead or before, told from a dictionary: no table is built where every row asks for one.

An answer does not change as long as neither release nor data do, so what was answered once is kept for that long.
"""

import datetime as dt
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from pydantic_core import to_json

from asof.api import answers
from asof.flows import asking
from asof.flows.inputs import PLACE_NAME
from asof.flows.serving import Standing
from asof.flows.walking import Walk
from asof.flows.workspace import Workspace

Record = Mapping[str, Any]
Key = tuple[str, dt.datetime, str]
"""Place, start and horizon."""
Period = tuple[dt.datetime, str]
"""Start and horizon."""
NOTHING: Mapping[str, bytes] = {}
NAMES = frozenset({PLACE_NAME, "start", "horizon"})
MOST_READY = 200_000
"""Answers made ahead that are kept written out; where there are more, tables answer."""
MOST_KEPT = 12_000_000
"""Bytes of answers given before that are remembered; the periods asked about first are forgotten."""
ENTRY = 150
"""Bytes that an answer takes beside its own."""
MOST_STARTS = 4_096
"""Texts of starts that are remembered."""
LONGEST_START = 40
NEW_STARTS = 8
"""Texts that are learnt from one request."""


class Quick:
    """The answers of a standing that were made ahead or before, as JSON by place, start and horizon.

    What a text of a start means is learnt from ``asking``, which reads it for every other request as well.
    """

    def __init__(self, workspace: Workspace, standing: Standing) -> None:
        """Write the answers out; a standing of rows, or of too many answers, has none."""
        self.standing = standing
        self._told: dict[Key, bytes] = {}
        self._kept: dict[Period, dict[str, bytes]] = {}
        """Answers by period and place: most periods are asked about for all places."""
        self._size = 0
        self._learning = threading.Lock()
        self.walk = Walk()
        """What will be asked next."""
        self._starts: dict[str, tuple[dt.datetime, str] | None] = {}
        ready = standing.ready
        if ready is not None and 0 < ready.height <= MOST_READY and workspace.spec.predict.per.place is not None:
            lines = [to_json(one) for one in answers.records(ready)]
            keys = zip(ready["place"], ready["start"], ready["horizon"], strict=True)
            self._told = dict(zip(keys, lines, strict=True))

    def find(self, rows: Sequence[Record]) -> list[bytes] | None:
        """Find the answers to all rows, an object of JSON each; none where one of them needs a table.

        Joined they are what ``answers.write`` makes of them.
        """
        if not self._told:
            return None
        found = []
        for row in rows:
            key = self._key(row)
            if key is None:
                return None
            line = self._told.get(key)
            if line is None:
                period = key[1:]
                if period == self.walk.mark:
                    self.walk.mark, self.walk.reached = None, True
                line = self._kept.get(period, NOTHING).get(key[0])
                if line is None:
                    return None
            found.append(line)
        return found

    def keep(self, told: pl.DataFrame) -> None:
        """Remember answers as JSON; what was refused is refused anew."""
        if not self._told:
            return
        made = told.filter(told["reason"].is_null()) if told["reason"].null_count() < told.height else told
        # Of each moment one object: periods are few, and to make them takes longer than all else.
        micros = made["start"].cast(pl.Int64).to_list()
        moments = {moment: asking.EPOCH + dt.timedelta(microseconds=moment) for moment in set(micros)}
        keys = zip(made["place"].to_list(), map(moments.__getitem__, micros), made["horizon"].to_list(), strict=True)
        for (place, start, horizon), one in zip(keys, answers.records(made), strict=True):
            lines = self._kept.setdefault((start, horizon), {})
            if place not in lines and (place, start, horizon) not in self._told:
                lines[sys.intern(place)] = line = to_json(one)
                self._size += len(line) + ENTRY
            while self._size > MOST_KEPT:
                self._forget()

    def _forget(self) -> None:
        """Forget what was answered about the period that was asked about first."""
        lines = self._kept.pop(next(iter(self._kept)))
        self._size -= sum(map(len, lines.values())) + ENTRY * len(lines)

    def _key(self, row: Record) -> Key | None:
        place, start, horizon = row.get(PLACE_NAME), row.get("start"), row.get("horizon")
        if not isinstance(place, str) or not isinstance(start, str) or not row.keys() <= NAMES:
            return None
        known = self._starts.get(start)
        if known is None or not (horizon is None or isinstance(horizon, str)):
            return None
        begun, nearest = known
        return place, begun, nearest if horizon is None else horizon

    def learn(self, rows: Sequence[Record]) -> bool:
        """Read texts of starts that are new, and say whether there were; the oldest are forgotten where many come."""
        if not self._told:
            return False
        told = [row.get("start") for row in rows[:1_000] if row.keys() <= NAMES]
        texts = dict.fromkeys(text for text in told if isinstance(text, str))
        new = [text for text in texts if text not in self._starts]
        short = [text for text in new if len(text) <= LONGEST_START and text.isascii()][:NEW_STARTS]
        for text in short:
            read = asking.start_of(self.standing.prepared, text)
            with self._learning:
                while len(self._starts) >= MOST_STARTS:
                    del self._starts[next(iter(self._starts))]
                self._starts[text] = read
        return bool(short)
