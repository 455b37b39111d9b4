"""Bytes under an address: the same door for the disk and for an object store, and clear words when it is shut."""

import gzip
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import polars as pl
import pytest

from asof.adapters import credentials, objects
from asof.adapters.files import FilesReader
from asof.errors import DataError, OutsideError, UserError
from asof.specs import FilesSpec
from asof.testing import readers
from tests import servers
from tests.outsides import delete


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Return the address of an S3 service on this machine."""
    with servers.s3() as address:
        yield address


@pytest.fixture
def bucket(service: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an empty bucket, with the environment that leads to it."""
    return servers.make_bucket(service, monkeypatch)


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
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.mark.parametrize(
    ("status", "code", "branch", "told"),
    [
        (403, "InvalidAccessKeyId", OutsideError, "the AWS credentials are wrong; check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", OutsideError, "the AWS credentials are wrong; check AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", OutsideError, "refused; check .* the rights of that key"),
        (400, "ExpiredToken", OutsideError, "the AWS credentials have expired"),
        (403, "RequestTimeTooSkewed", OutsideError, "this machine's clock is wrong"),
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
            objects.read_bytes("s3://harbour/401/403")  # figures of an address, or of a port, are no status
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


class Breaking(BaseHTTPRequestHandler):
    """Serves one object as S3 does, and breaks off in the middle as often as its server says."""

    def do_GET(self) -> None:
        data, begin = self.server.data, 0
        asked = self.headers.get("Range", "")
        if asked:
            begin = int(asked.removeprefix("bytes=").split("-")[0])
        whole = len(data) - begin
        sent = whole
        if self.server.breaks > 0 and whole > 1:
            self.server.breaks -= 1
            sent = whole // 2
        self.server.asked.append((asked, self.headers.get("If-Match")))
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(whole))
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", '"one"')
        self.send_header("Last-Modified", "Wed, 01 May 2024 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(data[begin : begin + sent])
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.data)))
        self.send_header("ETag", '"one"')
        self.send_header("Last-Modified", "Wed, 01 May 2024 00:00:00 GMT")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def breaking(data: bytes, breaks: int) -> Iterator[ThreadingHTTPServer]:
    """Serve one object that breaks off."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Breaking)
    http.data, http.breaks, http.asked = data, breaks, []
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield http
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def lead(patch: pytest.MonkeyPatch, http: ThreadingHTTPServer) -> None:
    """Set the environment that leads to a server."""
    address = f"http://127.0.0.1:{http.server_address[1]}"
    for name, value in {
        "ENDPOINT_URL": address,
        "ALLOW_HTTP": "true",
        "ACCESS_KEY_ID": "k",
        "SECRET_ACCESS_KEY": "s",
    }.items():
        patch.setenv(f"AWS_{name}", value)
    patch.setattr(objects, "WAIT", 0.001)


def test_an_object_that_breaks_off_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 4000
    with breaking(data, 3) as http:
        lead(monkeypatch, http)
        assert objects.read_bytes("s3://harbour/a.csv") == data
        assert len(http.asked) == 4
        assert all(begin.startswith("bytes=") for begin, _ in http.asked[1:])


def test_an_object_that_breaks_off_for_ever_leaves_nothing_half_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with breaking(b"id,x\n" + b"1,aaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 4000, 0) as http:
        lead(monkeypatch, http)
        monkeypatch.setattr(objects, "_check_whole", never)
        asked = FilesReader(FilesSpec(paths=("s3://harbour/a.csv",)), tmp_path)
        kept = []
        # Where it came whole at last, nothing follows that could be asked for.
        with pytest.raises(OutsideError, match=r"run again to go on from there|Wanted range") as caught:
            kept.extend(asked.batches(None))
    assert kept == []
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def never(address: str, done: int, size: int) -> None:
    """An object that is never whole."""
    raise objects.FaultyError(f"{address}: ended after {done} of {size} bytes")


class TestCredentials:
    @pytest.fixture(autouse=True)
    def alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Nothing of this machine's own credentials."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(credentials, "_instance_answers", lambda: False)

    def profile(self, folder: Path, text: str, name: str = "credentials") -> None:
        (folder / ".aws").mkdir(exist_ok=True)
        (folder / ".aws" / name).write_text(text)

    def test_none_at_all(self) -> None:
        with pytest.raises(
            OutsideError, match="s3://harbour/a: credentials are missing: set AWS_ACCESS_KEY_ID"
        ) as told:
            objects.read_bytes("s3://harbour/a")
        assert told.value.exit_code == 3

    @pytest.mark.parametrize("verb", [objects.read_bytes, objects.stamp, objects.find])
    def test_a_service_without_encryption(self, verb: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {"ENDPOINT_URL": "http://127.0.0.1:9", "ACCESS_KEY_ID": "k"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        with pytest.raises(OutsideError) as told:
            verb("s3://harbour/a")
        assert str(told.value) == (
            "s3://harbour/a: AWS_ENDPOINT_URL names a service without encryption (http://), which is asked only where "
            "that is allowed: set AWS_ALLOW_HTTP=true, or name one with https://"
        )

    def test_those_of_an_instance_are_asked_for_where_there_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(credentials, "_instance_answers", lambda: True)
        assert credentials.options() == {"region": "us-east-1"}
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(OutsideError, match="credentials are missing"):
            credentials.options()

    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"])
    def test_what_the_store_reads_itself_is_left_to_it(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "true")
        monkeypatch.setenv("AWS_REGION", "eu-north-1")
        assert credentials.options() == {}

    def test_a_profile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.profile(tmp_path, "[default]\naws_access_key_id = a\naws_secret_access_key = b\n[other]\nregion = x\n")
        self.profile(tmp_path, "[default]\nregion = eu-west-1\n[profile work]\nregion = r\n", "config")
        assert credentials.options() == {"region": "eu-west-1", "access_key_id": "a", "secret_access_key": "b"}
        monkeypatch.setenv("AWS_PROFILE", "other")
        with pytest.raises(OutsideError, match="the AWS profile 'other' is not there or holds no key"):
            credentials.options()

    def test_a_profile_that_must_be_asked_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "work")
        monkeypatch.setitem(sys.modules, "boto3", None)
        self.profile(tmp_path, "[profile work]\nsso_session = x\n", "config")
        with pytest.raises(OutsideError, match="'work' gets them by sso_session, which needs boto3"):
            credentials.options()

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        self.profile(tmp_path, "key = a\n")
        with pytest.raises(OutsideError, match="credentials: is no file of AWS settings"):
            credentials.options()


def test_more_objects_than_a_listing_holds(bucket: str, tmp_path: Path) -> None:
    count = 2 * servers.PAGE + 5
    for number in range(count):
        objects.write_bytes(f"{bucket}/many/{number:04d}.csv", f"id\n{number}\n".encode())
    with urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/{bucket.removeprefix('s3://')}?list-type=2") as page:
        told = page.read().decode()
    assert (told.count("<Key>"), "<IsTruncated>true" in told) == (servers.PAGE, True)
    found = objects.listing(f"{bucket}/many/")
    assert len(found) == count
    assert found[f"{bucket}/many/0007.csv"] == objects.stamp(f"{bucket}/many/0007.csv")
    assert len(FilesReader(FilesSpec(paths=(f"{bucket}/many/*.csv",)), tmp_path).addresses()) == count


def test_an_object_that_is_replaced_is_read_again_and_one_that_is_gone_is_told(bucket: str, tmp_path: Path) -> None:
    asked = FilesReader(FilesSpec(paths=(f"{bucket}/b/*.csv",)), tmp_path)
    objects.write_bytes(f"{bucket}/b/1.csv", b"id,x\n1,a\n")
    objects.write_bytes(f"{bucket}/b/2.csv", b"id,x\n2,a\n")
    [*_, last] = asked.batches(None)
    assert list(asked.batches(last.watermark)) == []
    objects.write_bytes(f"{bucket}/b/1.csv", b"id,x\n1,b\n")
    delete(f"{bucket}/b/2.csv")
    [again] = asked.batches(last.watermark)
    assert again.rows["x"].to_list() == ["b"]
    assert asked.gone(again.watermark) == [f"{bucket}/b/2.csv"]
