"""A Socrata data set as a source, by its SODA 2 API.

Asked for in stretches of whole local days ``[a, b)``, in the data's own floating time, each in pages of a
stable order. A batch holds whole stretches and carries the watermark, the first day not yet read, so
that rows and watermark are kept together or not at all. Documentation: https://dev.socrata.com/docs/paging
and https://dev.socrata.com/docs/response-codes
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from asof import times
from asof.adapters import calls, jsontext
from asof.adapters.calls import AgainError, Patience
from asof.errors import DataError, OutsideError, UserError
from asof.ports import Batch
from asof.specs import SocrataSpec, TimeSpec
from asof.times import Step

if TYPE_CHECKING:
    import httpx

ROWS: Final = 20_000
"""A batch ends with the stretch that reaches so many rows,"""
STRETCHES: Final = 31
"""or after so many stretches: what a crash can cost is bounded by both."""
_ID: Final = ":id"
_ROUND: Final = 1000
"""Services cap a page at a round number: a page of such a length may not be the last, whatever was asked for."""
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


def _now() -> datetime:
    return datetime.now(UTC)


def _environ() -> Mapping[str, str]:
    return os.environ


@dataclass(frozen=True)
class SocrataReader:
    """Reads one data set; fills ``ports.Reader``. The watermark is a local day (``2024-03-01``), exclusive."""

    spec: SocrataSpec
    time: TimeSpec
    """Its first column is the one whose days are asked for."""
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """Columns to ask for, besides key and time; empty: all."""
    environ: Mapping[str, str] = field(default_factory=_environ, repr=False)
    """Where the variable of the application token is looked up."""
    clock: Callable[[], datetime] = field(default=_now, repr=False)
    patience: Patience = field(default=Patience(), repr=False)

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield the days since ``watermark``, and before it those of ``recheck`` once more, for late corrections.

        Raises:
            DataError: the watermark is no day or lies in the future, or there has never been a row.
            UserError: the service refuses the question: an unknown column or data set, a wrong token.
            OutsideError: the service does not answer, or not as it should, after several attempts.
        """
        known = self._watermark(watermark)
        segment, recheck = self._steps()
        until = self.spec.until or self._today()
        day = max(self.spec.since, _moved(known, recheck, -1)) if known else self.spec.since
        with self._client() as client:
            held: list[pl.DataFrame] = []
            rows = stretches = 0
            while day < until:
                end = min(_moved(day, segment), until)
                held.append(self._stretch(client, day, end))
                rows, stretches, day = rows + held[-1].height, stretches + 1, end
                begun = known is not None or rows > 0  # no watermark before a first row: the column may be no time
                if begun and (rows >= ROWS or stretches >= STRETCHES or day >= until):
                    known = max(day, known or day)
                    yield self._batch(held, known)
                    held, rows, stretches = [], 0, 0
        if known is None:
            raise DataError(
                f"{self.url}: no row from {self.spec.since} to {until}; check since:, and that "
                f"{self.time.columns[0]!r} is a floating timestamp there",
            )

    @property
    def url(self) -> str:
        """Address of the data set."""
        return f"{self.spec.scheme}://{self.spec.domain}/resource/{self.spec.dataset}.json"

    def _batch(self, held: Sequence[pl.DataFrame], watermark: date) -> Batch:
        names = dict.fromkeys((*self.time.columns, *self.key, *self.columns))
        empty = pl.DataFrame(schema=dict.fromkeys(names, pl.String) | {"_file": pl.String, "_line": pl.Int64})
        rows = pl.concat([*(frame for frame in held if frame.height), empty], how="diagonal")
        ours = ["_file", "_line"]
        return Batch(rows.select(pl.exclude(ours), *ours), watermark.isoformat())

    def _stretch(self, client: "httpx.Client", start: date, end: date) -> pl.DataFrame:
        """Rows of the local days ``[start, end)``; read again when the pages do not fit together."""
        for _ in range(self.patience.attempts):
            frame = self._pages(client, start, end)
            if frame is not None:
                return frame
        raise OutsideError(
            f"{self.spec.domain}: the pages of {self.spec.dataset} from {start} to {end} overlap, "
            f"{self.patience.attempts} times over, so rows may be missing; try again later",
        )

    def _pages(self, client: "httpx.Client", start: date, end: date) -> pl.DataFrame | None:
        """Ask page by page until a short one; none where a row came twice, since then another did not come."""
        column = self.time.columns[0]
        question = {
            "$select": ", ".join([_ID, *self._names()]) if self.columns else f"{_ID}, *",
            "$where": f"{column} >= '{start}T00:00:00.000' AND {column} < '{end}T00:00:00.000'",
            "$order": f"{column}, {_ID}",
            "$limit": str(self.spec.page),
        }
        frames: list[pl.DataFrame] = []
        seen: set[str] = set()
        offset = 0
        while True:
            rows = self._ask(client, question | {"$offset": str(offset)})
            ids = [str(row[_ID]) for row in rows if _ID in row]
            seen.update(ids)
            if len(seen) < sum(frame.height for frame in frames) + len(ids):
                return None
            if rows:
                frames.append(self._frame(rows, start, offset))
            offset += len(rows)
            if not rows or (len(rows) < self.spec.page and len(rows) % _ROUND):
                return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()

    def _frame(self, rows: Sequence[Mapping[str, Any]], start: date, offset: int) -> pl.DataFrame:
        """Rows with where they came from: the data set, the first day of the stretch, and their number in it."""
        frame = jsontext.frame(rows, self._names())
        if _ID not in self.key:
            frame = frame.drop(_ID, strict=False)
        lines = pl.Series("_line", range(offset + 1, offset + len(rows) + 1), pl.Int64)
        return frame.with_columns(pl.lit(f"{self.spec.domain}/{self.spec.dataset} {start}").alias("_file"), lines)

    def _names(self) -> list[str]:
        return [name for name in dict.fromkeys((*self.time.columns, *self.key, *self.columns)) if name != _ID]

    def _ask(self, client: "httpx.Client", question: Mapping[str, str]) -> list[dict[str, Any]]:
        """Ask for the rows of one page, with patience."""
        return calls.patiently(lambda: self._ask_once(client, question), self.patience, self.spec.domain)

    def _ask_once(self, client: "httpx.Client", question: Mapping[str, str]) -> list[dict[str, Any]]:
        import httpx

        try:
            with client.stream("GET", self.url, params=dict(question)) as stream:
                answer = calls.read(stream, self.patience)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as fault:
            raise UserError(f"{self.url}: is no address ({fault}); check domain: and dataset:") from fault
        except httpx.TimeoutException:
            raise AgainError(f"no answer within {self.patience.timeout:g} s") from None
        except httpx.RequestError as fault:
            raise AgainError(f"{type(fault).__name__}: {fault}") from None
        self._check_status(answer)
        try:
            rows = jsontext.parse(answer.content)
        except ValueError as fault:
            raise AgainError(f"the answer is cut off or no JSON: {fault}") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise AgainError("the answer is no list of rows")
        return rows

    def _check_status(self, answer: "httpx.Response") -> None:
        status = answer.status_code
        if status == 200:
            return
        message = self._message(answer)
        calls.check_wait(answer, message, self.patience, self.clock(), self.spec.domain)
        if status in {301, 302, 303, 307, 308}:
            raise UserError(f"{self.url}: has moved to {answer.headers.get('Location', 'elsewhere')}; correct domain:")
        hint = {
            403: f"; check the token ({self.spec.token if _VARIABLE.fullmatch(self.spec.token) else 'token:'})",
            404: "; check domain: and dataset:",
        }.get(status, "; check the columns of time:, key: and columns:")
        raise UserError(f"{self.url}: HTTP {status}: {message}{hint}")

    def _message(self, answer: "httpx.Response") -> str:
        """What the service says, in one line and without the token."""
        try:
            told = json.loads(answer.content)
            text = str(told.get("message") or told) if isinstance(told, dict) else answer.text
        except ValueError:
            text = answer.text
        token = self._token()
        text = text.replace(token, "…") if token else text
        return " ".join(text.split())[:300] or answer.reason_phrase

    def _client(self) -> "httpx.Client":
        headers = {"Accept": "application/json"}
        if token := self._token():
            headers["X-App-Token"] = token
        return calls.open_client("socrata", self.patience, headers)

    def _token(self) -> str:
        found = _VARIABLE.fullmatch(self.spec.token.strip())
        return (self.environ.get(found[1], "") if found else self.spec.token).strip()

    def _today(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.time.zone)).date()

    def _steps(self) -> tuple[Step, Step]:
        segment, recheck = Step.parse(self.spec.segment), Step.parse(self.spec.recheck)
        for name, step in (("segment", segment), ("recheck", recheck)):
            if step.absolute and step.count:
                raise UserError(f"socrata: {name}: {step} is no number of local days; write 1d, 1w or 1mo")
        if segment.count == 0:
            raise UserError("socrata: segment: has no length; write 1d, 1w or 1mo")
        return segment, recheck

    def _watermark(self, watermark: str | None) -> date | None:
        times.midnight(date(2000, 1, 3), self.time.zone)  # an unknown zone is refused in its own words
        if watermark is None:
            return None
        try:
            known = date.fromisoformat(watermark)
        except ValueError as fault:
            raise DataError(
                f"the watermark {watermark[:40]!r} is no day; was the source of another kind before?"
            ) from fault
        # A day ahead is what a change of zone can make of an honest watermark.
        if known > self._today() + timedelta(days=1):
            raise DataError(
                f"the watermark {known} of {self.spec.dataset} lies in the future (today is {self._today()}), so days "
                "would be left out: check this machine's clock, or ingest the source anew",
            )
        return known


def _moved(day: date, step: Step, count: int = 1) -> date:
    """Return the day ``count`` steps of the calendar later."""
    total = step.count * count
    if step.unit == "mo":
        return pl.Series([day]).dt.offset_by(f"{total}mo")[0]  # type: ignore[no-any-return]
    return day + timedelta(days=total * (7 if step.unit == "w" else 1))
