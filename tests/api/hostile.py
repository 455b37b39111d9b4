"""Requests that mean harm, seeded: what may come back of each, and a run of many beside rows that must be answered."""

import json
import random
import socket
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

At = tuple[str, int]
ROUTES = ("/invocations", "/v1/predict", "/v1/explain", "/v1/along")
WHOLE = frozenset({"types", "body", "kind"})
"""Kinds that are sound HTTP: their sender waits for the answer, and is told a reason."""


@dataclass
class Told:
    """What came of a run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """How often each status came, or ``closed``."""
    faults: list[str] = field(default_factory=list)
    """What must not be, with the request that did it."""


def post(body: bytes, route: str = "/invocations", kind: str = "application/json", *more: str) -> bytes:
    """A whole request, the last of its connection."""
    head = [f"POST {route} HTTP/1.1", "host: x", "connection: close", f"content-type: {kind}", *more]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode("latin-1") + body


def exchange(at: At, raw: bytes, *, leave: bool = False, patience: float = 30.0) -> bytes:
    """Send bytes, perhaps say that no more will come, and return all that comes back until the end."""
    told = b""
    with socket.create_connection(at, timeout=patience) as line:
        try:
            line.sendall(raw)
            if leave:
                line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before all of it had gone: what was said is read all the same
        try:
            while part := line.recv(65_536):
                told += part
        except ConnectionResetError:
            pass
    return told


def value(draw: random.Random, depth: int = 0) -> Any:
    """Any value that JSON, or what Python takes for JSON, can hold."""
    kinds = ["text", "number", "huge", "nan", "null", "bool", "list", "object", "odd"]
    kind = draw.choice(kinds[:6] if depth > 3 else kinds)
    if kind == "list":
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == "object":
        return {str(value(draw, 9))[:50]: value(draw, depth + 1) for _ in range(draw.randrange(4))}
    plain: dict[str, Any] = {
        "text": draw.choice(
            ["z1", "2021-07-22", "9999-12-31", "0001-01-01", "", "x" * draw.randrange(20_000), "\x00", "' OR 1=1 --"]
        ),
        "number": draw.uniform(-1e6, 1e6),
        "huge": draw.choice([10 ** draw.randrange(400), -(2**63), 2**64, 1e308]),
        "nan": draw.choice([float("nan"), float("inf"), float("-inf")]),
        "null": None,
        "bool": draw.random() < 0.5,
        "odd": draw.choice(["\ud800", "\u202e", "\U0010ffff", "e\u0301" * 40]),
    }
    return plain[kind]


def rows_of(draw: random.Random) -> bytes:
    """Rows of wrong values in a right shape, or right rows in a wrong shape."""
    names = ["place", "start", "horizon", "lat", "lon", "age", "sex", value(draw, 9)]
    rows: Any = [{str(draw.choice(names))[:99]: value(draw) for _ in range(4)} for _ in range(draw.randrange(1, 4))]
    shape = draw.choice(["instances", "rows", "dataframe_records", "dataframe_split", "inputs", ""])
    return json.dumps({shape: rows} if shape else rows).encode()


def broken(draw: random.Random) -> bytes:
    """Bytes that are no JSON, or JSON that is too much."""
    good = b'{"instances": [{"place": "z1", "start": "2021-07-22"}]}'
    depth = draw.randrange(2, 60_000)
    spoilt = bytearray(good)
    spoilt[draw.randrange(len(good))] = draw.randrange(256)
    return draw.choice(
        [
            good[: draw.randrange(len(good))],
            bytes(spoilt),
            good.decode().encode("utf-16"),
            good + b"\xff\xfe",
            draw.randbytes(draw.randrange(300)),
            b"[" * depth + b"]" * depth,
            b'{"a":' * depth + b"1" + b"}" * depth,
            b'[{"place": 1e999, "start": -1e999}]',
            b'[{"place": ' + b"9" * draw.randrange(1, 9_000) + b"}]",
            good * 2,
        ]
    )


def blow(draw: random.Random) -> tuple[str, bytes]:
    """One request, and what kind it is."""
    kind = draw.choice(["types", "types", "body", "body", "kind", "half", "pipeline", "headers", "line", "route"])
    route = draw.choice(ROUTES)
    if kind == "types":
        return kind, post(rows_of(draw), route)
    if kind == "body":
        return kind, post(broken(draw), route)
    if kind == "kind":
        told = draw.choice(
            ["text/csv", "text/csv; charset=utf-16", "application/xml", "", "*/*", "a" * 999, "text/csv;;="]
        )
        return kind, post(broken(draw), route, told, f"accept: {draw.choice(['image/png', 'q=;', ',,;q=x', '*/*'])}")
    whole = post(broken(draw) or b"x", route)
    if kind == "half":
        return kind, whole[: draw.randrange(1, len(whole))]
    if kind == "pipeline":
        first = b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n"
        return kind, first * draw.randrange(1, 4) + draw.choice(
            [draw.randbytes(200), b"\r\n" * 50 + b"nothing\r\n\r\n", whole]
        )
    if kind == "headers":
        many = [f"x-{number}: {'y' * draw.randrange(60)}" for number in range(draw.choice([10, 200, 5_000]))]
        odd = draw.choice(
            ["content-length: -1", "content-length: x", "transfer-encoding: chunked", "x: \x00", "\xe9: 1", "x: 1"]
        )
        return kind, post(b"[]", route, "application/json", odd, *many)
    if kind == "line":
        target = draw.choice(
            [
                b"/" + b"a" * 70_000,
                b"/%00%ff",
                b"http://[",
                b"*",
                b"/../..",
                b"/invocations?class=%zz",
                draw.randbytes(30),
            ]
        )
        return kind, draw.choice(
            [b"GET ", b"POST ", b"\x16\x03\x01", b"PRI ", b"DELETE "]
        ) + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    method = draw.choice(["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "GET", "TRACE"])
    return kind, post(b"", draw.choice([*ROUTES, "/nowhere", "/metrics/", "//ping"])).replace(
        b"POST", method.encode(), 1
    )


def judge(kind: str, raw: bytes, answer: bytes, told: Told) -> None:
    """Count what came back, and note what must not be."""
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
    for status in statuses or [0]:
        told.outcomes[str(status or "closed")] += 1
        if status >= 500 and status != 503:
            told.faults.append(f"{kind}: {status} for {raw[:300]!r}")
        plain = kind in WHOLE
        if status >= 400 and plain and b'"reason"' not in answer and b"Invalid HTTP request" not in answer:
            told.faults.append(f"{kind}: {status} without a reason for {raw[:300]!r}")
        if plain and not status:
            told.faults.append(f"{kind}: no answer to {raw[:300]!r}")
    if b"Traceback" in answer:
        told.faults.append(f"{kind}: a traceback for {raw[:300]!r}")


def attack(at: At, *, requests: int, clients: int, seed: int, known: Sequence[tuple[dict[str, Any], Any]]) -> Told:
    """Send requests from several clients at once, every fifth of them rows that must be answered, each in its place.

    ``known``: rows, and the prediction of each (none where it is refused).
    """
    told = Told()

    def one(number: int) -> None:
        draw = random.Random(seed * 1_000_003 + number)
        if number % 5 == 0:
            picked = [draw.choice(known) for _ in range(draw.randrange(1, 9))]
            body = json.dumps({"instances": [row for row, _ in picked]}).encode()
            answer = exchange(at, post(body, draw.choice(ROUTES[:2])))
            head, _, rest = answer.partition(b"\r\n\r\n")
            if b" 200 " in head[:20]:
                told.outcomes["200"] += 1
                given = [row["prediction"] for row in json.loads(rest)["predictions"]]
                if given != [prediction for _, prediction in picked]:
                    told.faults.append(f"other answers than alone for {body!r}")
            elif b" 503 " in head[:20]:
                told.outcomes["503"] += 1
            else:
                told.faults.append(f"{head[:60]!r} for {body!r}")
            return
        kind, raw = blow(draw)
        try:
            judge(kind, raw, exchange(at, raw, leave=kind not in WHOLE), told)
        except TimeoutError:
            told.faults.append(f"{kind}: nothing came back for {raw[:300]!r}")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(requests)))
    return told
