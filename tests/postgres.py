"""A real PostgreSQL for tests, on loopback in a temporary folder, stopped by whoever started it.

Server binaries are Debian's package ``postgresql`` (or any whose folder is in ``PATH``). It refuses to run as root, so
as root it runs as a user without rights. ``conftest`` offers it to every test as the fixture ``postgres``, one server
for the session; a test that uses it is marked::

    from tests.postgres import Server

    @pytest.mark.needs("PostgreSQL")
    def test_it(postgres: Server) -> None:
        address = postgres.address()  # with PGPASSWORD=postgres.password
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "asof", "not a secret / of:anyone@all"
"""The owner of the databases. The password holds what an address must escape."""
STARTING_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running server with the database ``postgres``; passwords are asked for (SCRAM)."""

    port: int
    host: str = "127.0.0.1"
    user: str = USER
    password: str = PASSWORD

    def address(self, database: str = "postgres", *, user: str | None = None) -> str:
        """Address without a password: ``postgresql://user@host:port/database``."""
        return f"postgresql://{user or self.user}@{self.host}:{self.port}/{database}"

    def ask(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as the owner in one transaction; the rows, where there are any."""
        import psycopg

        told = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        with psycopg.connect(dbname=database, **told) as link:
            cursor = link.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def ask_alone(self, sql: str, database: str = "postgres") -> None:
        """Run one command outside of a transaction, such as ``create database``."""
        import psycopg

        told = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        with psycopg.connect(dbname=database, autocommit=True, **told) as link:
            link.execute(sql.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start a server for the session; skip where its programs are missing."""
    with served() as server:
        yield server


@contextmanager
def served() -> Iterator[Server]:
    """Start a server and stop it at the end; skip the test where its programs or psycopg are missing."""
    programs = _programs()
    if programs is None:
        pytest.skip("missing: PostgreSQL (Debian's package postgresql)")
    pytest.importorskip("psycopg", reason="missing: psycopg")
    account = _account()
    with tempfile.TemporaryDirectory(prefix="asof-postgres-") as name:
        folder = Path(name)
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        _make(programs, folder, account)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off", "max_connections=20"]
        command = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
        command += [part for option in options for part in ("-c", option)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as(account, folder))
        try:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
            _wait(server, ready, folder / "log")
            yield Server(port)
        finally:
            server.send_signal(2)  # SIGINT: end the sessions and stop
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _programs() -> Path | None:
    """Folder of the server's programs: that in ``PATH``, or the newest of Debian's."""
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return kept[-1].parent if kept else None


def _account() -> pwd.struct_passwd | None:
    """Account under which the server runs where we are root: ``postgres``, else ``nobody``."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _as(account: pwd.struct_passwd | None, folder: Path) -> dict[str, Any]:
    """Options of a process that runs as ``account``, in a folder that it may enter."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    told: dict[str, Any] = {"cwd": folder, "env": environment}
    return told if account is None else told | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _make(programs: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make an empty cluster whose owner has a password."""
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if account:
        os.chown(secret, account.pw_uid, account.pw_gid)
    command = [programs / "initdb", "-D", folder / "data", "-U", USER, f"--pwfile={secret}", "-A", "scram-sha-256"]
    command += ["-E", "UTF8", "--no-sync"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, **_as(account, folder))
    assert done.returncode == 0, done.stdout + done.stderr


def _wait(server: "subprocess.Popen[bytes]", ready: list[Any], log: Path) -> None:
    """Return when the server answers."""
    for _ in range(STARTING_SECONDS * 10):
        assert server.poll() is None, log.read_text()
        if subprocess.run(ready, check=False, timeout=10).returncode == 0:
            return
        try:
            server.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(log.read_text())
