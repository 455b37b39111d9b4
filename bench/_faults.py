"""Sources whose outside fails: each fault alone and all of them mixed, until everything has been taken in.

A trial ingests a source through the same function as `asof ingest`, into a lake of its own. Where that ends with a
fault from outside, the store is looked at and the ingest is asked for again. At the end every row must be there once.
"""

import http.client
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import polars as pl

from asof.adapters import objects
from asof.adapters.calls import Patience
from asof.adapters.files import FilesReader
from asof.adapters.jsonapi import ApiReader
from asof.adapters.lake import DeltaLake
from asof.adapters.socrata import SocrataReader
from asof.adapters.sql import SqlReader
from asof.errors import OutsideError
from asof.flows import ingestion
from asof.ports import Batch, Reader
from asof.specs import ApiSpec, FilesSpec, SocrataSpec, SourceSpec, SqlSpec, TimeSpec
from asof.testing.jsonapi import KINDS, ApiServer
from asof.testing.servers import FAULTS, Faults

NOW: Final = datetime(2024, 4, 1, 12, tzinfo=UTC)
PATIENCE: Final = Patience(attempts=4, timeout=0.25, first=0.001, longest=0.005)
"""Far less than in use, so that some reads do end with a fault and have to be asked for again."""
RUNS: Final = 40
"""So many ingests at most until everything is there."""
SHARE: Final = 0.35
S3_FAULTS: Final = ("500", "503", "cut", "closed", "expired")
_XML: Final = "<?xml version='1.0'?><Error><Code>{}</Code><Message>not now</Message></Error>"
_MOTO: Final = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass
class Figures:
    """What the trials of one fault came to."""

    source: str
    fault: str
    trials: int = 0
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    half: int = 0
    """Looks after a failed ingest at which something was neither as before nor whole."""
    again: int = 0
    """Ingests that ended with a fault and were asked for again."""
    given_up: int = 0
    seconds: float = 0.0


@dataclass
class Outside:
    """Rows that lie outside, and how they are reached."""

    open: Callable[[], Reader]
    now: Callable[[], pl.DataFrame]
    """Rows as they lie there: ``id``, ``at``, ``amount``."""
    ever: set[tuple[str, ...]] = field(default_factory=set)
    address: Mapping[str, Any] = field(default_factory=dict)
    calm: Callable[[], None] = lambda: None
    """Let nothing fail any more."""


def made(count: int, seed: int) -> pl.DataFrame:
    """Rows of twenty days, several of each moment."""
    draw = random.Random(seed)  # noqa: S311 - to be repeatable
    first = datetime(2024, 3, 1)  # noqa: DTZ001 - local
    moments = sorted(first + timedelta(hours=draw.randrange(24 * 20)) for _ in range(count))
    rows = [(f"k{at:04d}", moment.strftime("%Y-%m-%dT%H:%M:%S.000"), f"{at}.5") for at, moment in enumerate(moments)]
    return pl.DataFrame(rows, schema=["id", "at", "amount"], orient="row")


def faults_of(kinds: tuple[str, ...], seed: int) -> Faults:
    """Faults by chance; in every other trial so many in a row that a read must end with one."""
    return Faults(share=SHARE, kinds=kinds, seed=seed, run=2 if seed % 2 else 6, seconds=0.4)


@contextmanager
def socrata(kinds: tuple[str, ...], seed: int) -> Iterator[Outside]:
    """A data set of the API of Socrata."""
    from asof.testing.socrata import SocrataServer

    with SocrataServer(made(160, seed), faults=faults_of(kinds, seed)) as server:
        spec = SocrataSpec(
            domain=server.domain, dataset=server.dataset, scheme="http", since=date(2024, 3, 1), page=20, recheck="60d"
        )
        options: dict[str, Any] = {"key": ("id",), "environ": {}, "patience": PATIENCE, "clock": lambda: NOW}
        outside = _served(server, kinds, seed)
        outside.open = lambda: SocrataReader(spec, TimeSpec(columns=("at",)), **options)
        outside.address = {"socrata": spec}
        yield outside


def api(by: str) -> Callable[[tuple[str, ...], int], Any]:
    """A JSON API that pages in one of its ways."""

    @contextmanager
    def opened(kinds: tuple[str, ...], seed: int) -> Iterator[Outside]:
        ways = {"cursor": {"param": "after", "path": "meta.next"}, "next": {"path": "meta.next"}}
        way = by if by != "any" else ("page", "offset", "cursor", "link", "next")[seed % 5]
        with ApiServer(made(160, seed), by=way, token="", faults=faults_of(kinds, seed)) as server:  # type: ignore[arg-type]
            paging = {"by": way, **ways.get(way, {})}
            mark = {"column": "at", "param": "since", "recheck": "60d"}
            told = {"url": server.url, "rows": "data.items", "params": {"limit": "20"}}
            spec = ApiSpec(**told, paging=paging, watermark=mark)
            outside = _served(server, kinds, seed)
            outside.open = lambda: ApiReader(spec, ("id",), (), {}, patience=PATIENCE)
            outside.address = {"api": spec}
            yield outside

    return opened


def _served(server: Any, kinds: tuple[str, ...], seed: int) -> Outside:
    """Rows that a server hands out; where ``changed`` is among the faults, one changes between two pages."""
    outside = Outside(open=lambda: None, now=lambda: server.rows)  # type: ignore[arg-type,return-value]
    outside.ever = set(server.rows.rows())
    server.faults.kinds = tuple(kind for kind in kinds if kind != "changed") or ("slow",)
    if "changed" in kinds:
        draw = random.Random(seed)  # noqa: S311 - to be repeatable

        def change(number: int) -> None:
            if number <= 30 and draw.random() < SHARE:
                row = pl.int_range(pl.len()) == draw.randrange(server.rows.height)
                amount = pl.when(row).then(pl.lit(f"{number}.75")).otherwise("amount")
                server.rows = server.rows.with_columns(amount.alias("amount"))
                outside.ever |= set(server.rows.rows())

        server.between = change

    def calm() -> None:
        server.faults.share, server.between = 0.0, None

    outside.calm = calm
    return outside


class _Proxy:
    """Stands before an S3 service and spoils its answers."""

    def __init__(self, service: str) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        from threading import Lock, Thread

        self.faults, self.target = Faults(), service.removeprefix("http://")
        proxy, lock = self, Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_any(self) -> None:
                with lock:
                    fault = proxy.faults.next()
                if fault == "closed":
                    self.close_connection = True
                elif fault in {"500", "503", "expired"}:
                    status = 403 if fault == "expired" else int(fault)
                    code = {"500": "InternalError", "503": "SlowDown", "expired": "ExpiredToken"}[fault]
                    self.told(status, _XML.format(code).encode(), {"Content-Type": "application/xml"})
                else:
                    self.pass_on(fault)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - names of the base class

            def pass_on(self, fault: str | None) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                link = http.client.HTTPConnection(proxy.target, timeout=30)
                link.request(self.command, self.path, body, dict(self.headers.items()))
                answer = link.getresponse()
                found = answer.read()
                keep = {"content-type", "etag", "last-modified", "content-range", "content-length"}
                told = {name: text for name, text in answer.headers.items() if name.lower() in keep}
                link.close()
                self.told(answer.status, found, told, cut=fault == "cut" and self.command == "GET")

            def told(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
                self.send_response(status)
                for name, text in {"Content-Length": str(len(body)), **headers, "Connection": "close"}.items():
                    self.send_header(name, text)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[: len(body) // 2] if cut else body)
                self.close_connection = True

            def log_message(self, *given: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.http = Server(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@dataclass
class Bucket:
    """An S3 service behind a proxy that spoils its answers."""

    service: str
    proxy: _Proxy
    number: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def rows(self, kinds: tuple[str, ...], seed: int) -> Iterator[Outside]:
        """Four files of rows in a bucket of their own."""
        name = f"harbour-{next(self.number)}"
        with urlopen(Request(f"{self.service}/{name}", method="PUT")):  # noqa: S310 - on this machine
            pass
        rows = made(400, seed)
        self.proxy.faults = Faults()
        for number in range(4):
            part = rows[number * 100 : (number + 1) * 100]
            objects.write_bytes(f"s3://{name}/raw/{number}.csv", part.write_csv().encode())
        spec = FilesSpec(paths=(f"s3://{name}/raw/*.csv",))
        self.proxy.faults = faults_of(kinds, seed)

        def calm() -> None:
            self.proxy.faults = Faults()

        yield Outside(
            lambda: FilesReader(spec, Path("/")), lambda: rows, set(rows.rows()), address={"files": spec}, calm=calm
        )


@contextmanager
def bucket() -> Iterator[Bucket]:
    """Start moto, and a proxy before it."""
    with subprocess.Popen(
        [sys.executable, "-c", _MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as it:
        assert it.stdout is not None
        service = f"http://127.0.0.1:{it.stdout.readline().strip()}"
        proxy = _Proxy(service)
        told = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.http.server_address[1]}", "AWS_ALLOW_HTTP": "true"}
        told |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
        before = dict(os.environ)
        os.environ.update(told)
        try:
            yield Bucket(service, proxy)
        finally:
            os.environ.clear()
            os.environ.update(before)
            proxy.close()
            it.communicate(timeout=30)


@dataclass(frozen=True)
class Dropping:
    """A reader whose connections are dropped after some of its batches."""

    reader: Reader
    drop: Callable[[], None]
    after: int

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Pass on what the reader gives."""
        for number, batch in enumerate(self.reader.batches(watermark)):
            if number == self.after:
                self.drop()
            yield batch


def postgres(server: Any) -> Callable[[tuple[str, ...], int], Any]:
    """A table of PostgreSQL whose connections are dropped in the middle."""

    @contextmanager
    def opened(_kinds: tuple[str, ...], seed: int) -> Iterator[Outside]:
        import psycopg

        rows, table = made(400, seed), f"t{seed}"
        told = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
        with psycopg.connect(dbname="postgres", **told) as link:
            link.execute(f"DROP TABLE IF EXISTS {table}")
            link.execute(f"CREATE TABLE {table} (id text, at text, amount text)")
            with link.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows.rows():
                    copy.write_row(row)
        spec = SqlSpec(url=server.address().replace("@", ":${PG}@"), table=table, watermark="at", page=20)
        draw, state = random.Random(seed), {"calm": False}  # noqa: S311 - to be repeatable
        others = "pg_stat_activity where pid <> pg_backend_pid() and usename is not null"
        end = f"select pg_terminate_backend(pid) from {others}"

        def open_reader() -> Reader:
            reader = SqlReader(spec, Path("/"), ("id",), (), {"PG": server.password}, clock=lambda: NOW)
            after = 10**9 if state["calm"] or draw.random() < 0.1 else draw.randrange(12)
            return Dropping(reader, lambda: server.ask(end), after)

        yield Outside(
            open_reader,
            lambda: rows,
            set(rows.rows()),
            address={"sql": spec},
            calm=lambda: state.update(calm=True),
        )

    return opened


def trial(figures: Figures, outside: Outside) -> None:
    """Ingest until everything is there, look after each fault, and count at the end."""
    with tempfile.TemporaryDirectory(prefix="asof-faults-") as name:
        lake = DeltaLake(name)
        spec = SourceSpec(key=("id",), time=TimeSpec(columns=("at",)), **outside.address)
        begun, runs = time.perf_counter(), 0
        while not _ingested(lake, spec, outside, runs):
            runs += 1
            figures.half += _half(lake, outside)
            if runs >= RUNS:
                figures.given_up += 1
                break
        figures.again += runs
        outside.calm()
        assert _ingested(lake, spec, outside, runs + 1)  # once more: what changed is found, and nothing comes twice
        figures.seconds += time.perf_counter() - begun
        _settle(figures, lake, outside)


def _ingested(lake: DeltaLake, spec: SourceSpec, outside: Outside, number: int) -> bool:
    try:
        ingestion.ingest("rows", spec, outside.open(), lake, now=NOW + timedelta(minutes=number))
    except OutsideError:
        return False
    return True


def _half(lake: DeltaLake, outside: Outside) -> int:
    """Whether a failed ingest has left a row that never was, a row twice, or tables that do not belong together."""
    if lake.version("rows") is None:
        return 0
    kept = lake.raw("rows").select("id", "at", "amount").rows()
    return int(len(kept) != len(set(kept)) or not set(kept) <= outside.ever)


def _settle(figures: Figures, lake: DeltaLake, outside: Outside) -> None:
    """Count what is kept against what lies outside: each key once, as it is now, and nothing that never was."""
    valid = lake.valid("rows").select("id", "at", "amount").cast(pl.String)
    there = outside.now()
    figures.trials += 1
    figures.rows += there.height
    amounts = dict(zip(valid["id"], valid["amount"], strict=True))
    wanted = dict(zip(there["id"], there["amount"], strict=True))
    figures.lost += sum(float(amounts.get(key, "nan")) != float(amount) for key, amount in wanted.items())
    figures.doubled += valid.height - valid["id"].n_unique()
    raw = lake.raw("rows").select("id", "at", "amount").rows()
    figures.doubled += len(raw) - len(set(raw))
    figures.half += int(not set(raw) <= outside.ever)
    figures.lost += lake.quarantine("rows").height


def measure(trials: int, seed: int, postgresql: Any) -> list[Figures]:
    """Each fault alone and all mixed, of every kind of source; ``postgresql`` is a server, or none."""
    found: list[Figures] = []
    with ExitStack() as opened:
        store = opened.enter_context(bucket())
        plans: list[tuple[str, Any, tuple[str, ...]]] = [
            ("Socrata", socrata, (*FAULTS, "changed")),
            ("JSON API", api("any"), (*KINDS, "changed")),
            ("S3", store.rows, S3_FAULTS),
        ]
        if postgresql is not None:
            plans.append(("PostgreSQL", postgres(postgresql), ("connection dropped",)))
        for source, make, kinds in plans:
            mixtures = [(kind, (kind,)) for kind in kinds] + ([("all mixed", kinds)] if len(kinds) > 1 else [])
            for fault, mixed in mixtures:
                figures = Figures(source, fault)
                for number in range(trials):
                    with make(mixed, seed * 1000 + number) as outside:
                        trial(figures, outside)
                print(f"  {source}, {fault}: {figures.lost} lost, {figures.doubled} twice", flush=True)
                found.append(figures)
    return found
