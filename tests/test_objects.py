"""Bytes under an address: the same door for the disk and for an object store, and clear words when it is shut."""

import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import polars as pl
import pytest

from asof.adapters import objects
from asof.adapters.files import FilesReader
from asof.errors import DataError, OutsideError, UserError
from asof.specs import FilesSpec
from asof.testing import readers

BUCKET = "s3://harbour"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Return the address of an S3 service on this machine."""
    server_module = pytest.importorskip("moto.server", reason="missing: moto")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(service: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an empty bucket, with the environment that leads to it."""
    for name, value in {
        "AWS_ENDPOINT_URL": service,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with urlopen(Request(f"{service}/moto-api/reset", method="POST")):
        pass
    with urlopen(Request(f"{service}/harbour", method="PUT")):
        pass
    return BUCKET


@pytest.fixture(params=["disk", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a folder, on disk and in an object store."""
    return str(tmp_path) if request.param == "disk" else request.getfixturevalue("bucket")


def test_what_is_written_is_read(root: str) -> None:
    address = f"{root}/deep/er/a.bin"
    assert not objects.exists(address)
    objects.write_bytes(address, b"one")
    objects.write_bytes(address, b"two, and longer")
    assert objects.exists(address)
    assert objects.read_bytes(address) == b"two, and longer"
    assert objects.stamp(address).size == 15


def test_the_mark_changes_with_the_content(root: str) -> None:
    objects.write_bytes(f"{root}/a", b"one")
    before = objects.stamp(f"{root}/a")
    objects.write_bytes(f"{root}/a", b"two")
    assert objects.stamp(f"{root}/a") != before


def test_find_lists_what_lies_under_a_prefix(root: str) -> None:
    for name in ("x/b.csv", "x/a.csv", "x/y/c.csv", "z/d.csv"):
        objects.write_bytes(f"{root}/{name}", b"1")
    assert objects.find(f"{root}/x") == tuple(f"{root}/x/{name}" for name in ("a.csv", "b.csv", "y/c.csv"))
    assert objects.find(f"{root}/nothing") == ()


def test_a_large_object_comes_in_pieces(root: str) -> None:
    data = bytes(range(256)) * 40_000
    objects.write_bytes(f"{root}/large", data)
    assert b"".join(objects.pieces(f"{root}/large")) == data
    assert len(list(objects.pieces(f"{root}/large"))) > 1


def test_there_is_no_such_object(root: str) -> None:
    with pytest.raises(DataError, match=r"no such (file|object)") as told:
        objects.read_bytes(f"{root}/nothing")
    assert told.value.exit_code == 2
    assert "\n" not in str(told.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; name a file"):
        objects.read_bytes(str(tmp_path))


def test_no_part_of_a_failed_write_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.bin"
    objects.write_bytes(str(target), b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutsideError, match=r"cannot be written \(No space left on device"):
        objects.write_bytes(str(target), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert target.read_bytes() == b"old"


def test_a_bucket_that_is_not_there(bucket: str) -> None:
    with pytest.raises(DataError, match="no such"):
        objects.read_bytes("s3://nowhere-to-be-found/a")
    with pytest.raises(DataError, match="no such bucket"):
        objects.write_bytes("s3://nowhere-to-be-found/a", b"1")


@pytest.mark.parametrize("address", ["s3://", "s3://bucket", "s3://bucket/"])
def test_no_address_of_an_object(address: str) -> None:
    with pytest.raises(UserError, match="expected s3://bucket/key"):
        objects.read_bytes(address)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UserError, match=r"pip install 'asof\[s3\]'"):
        objects.read_bytes("s3://bucket/key")


class Refusing(BaseHTTPRequestHandler):
    """Refuses every request with the status and the code of its server."""

    def do_GET(self) -> None:
        body = f"<Error><Code>{self.server.code}</Code><Message>no</Message></Error>".encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def refusing(status: int, code: str) -> Iterator[str]:
    """Serve refusals on this machine."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    http.status, http.code = status, code
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.mark.parametrize(
    ("status", "code", "branch", "told"),
    [
        (403, "InvalidAccessKeyId", UserError, "check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", UserError, "check AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", UserError, "the rights of that key"),
        (400, "ExpiredToken", UserError, "the AWS credentials have expired"),
        (501, "NotImplemented", OutsideError, "does not answer as it should"),
    ],
)
def test_what_the_store_refuses(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, branch: type[Exception], told: str
) -> None:
    with refusing(status, code) as address:
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "hush-hush",
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(branch, match=told) as fault:
            objects.read_bytes("s3://harbour/a")
    assert "hush-hush" not in str(fault.value)
    assert "\n" not in str(fault.value)


def test_files_of_a_bucket_are_a_source_like_any_other(bucket: str, tmp_path: Path) -> None:
    objects.write_bytes(f"{bucket}/raw/2019/a.csv.gz", gzip.compress(b"id,x\n1,a\n2,b\n"))
    objects.write_bytes(f"{bucket}/raw/2020/b.csv", b"id,x\n3,c\n")
    objects.write_bytes(f"{bucket}/raw/c.jsonl", b'{"id": 4, "x": "d"}\n')
    pl.DataFrame({"id": [5], "x": ["e"]}).write_parquet(tmp_path / "d.parquet")
    objects.write_bytes(f"{bucket}/raw/d.parquet", (tmp_path / "d.parquet").read_bytes())
    expected = pl.DataFrame({"id": list("12345"), "x": list("abcde")})
    whole = FilesSpec(paths=(f"{bucket}/raw/**/*",))
    parts = FilesSpec(
        paths=(
            f"{bucket}/raw/20[12]?/*.csv*",
            f"{bucket}/raw/c.jsonl",
            f"{bucket}/raw/*.parquet",
            f"{bucket}/raw/*.csv",
        )
    )
    readers.check(lambda: FilesReader(whole, tmp_path), expected, [lambda: FilesReader(parts, tmp_path)])
    [*_, last] = FilesReader(whole, tmp_path).batches(None)
    objects.write_bytes(f"{bucket}/raw/2020/b.csv", b"id,x\n3,z\n")
    [again] = FilesReader(whole, tmp_path).batches(last.watermark)
    assert again.rows.rows() == [("3", "z", f"{bucket}/raw/2020/b.csv", 2)]
