"""Bytes under an address: a path on disk, or ``s3://bucket/key`` by way of obstore.

Credentials come from the usual chain (variables, profile, web identity, container, instance);
``AWS_ENDPOINT_URL`` and ``AWS_ALLOW_HTTP`` point at another service than Amazon's.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asof.adapters import credentials
from asof.errors import AsofError, DataError, OutsideError, UserError

if TYPE_CHECKING:
    from obstore.store import S3Store

PIECE: Final = 2 << 20
"""Bytes read at once."""
ATTEMPTS: Final = 5
"""How often an object that breaks off is gone on with, besides the attempts at each request."""
WAIT: Final = 0.1
"""Seconds before the first of them; doubled for each further one."""


class FaultyError(OutsideError):
    """A fault of the store that may be gone next time."""


@dataclass(frozen=True)
class Stamp:
    """What tells one state of an object from another without reading it."""

    size: int
    mark: str
    """Time of the last change on disk in nanoseconds, or the ETag."""


def is_remote(address: str) -> bool:
    """Whether ``address`` lies in an object store."""
    return address.startswith("s3://")


def read_bytes(address: str) -> bytes:
    """Read a whole object; raises DataError when there is none, OutsideError when it cannot be had now."""
    return b"".join(pieces(address))


def pieces(address: str) -> Iterator[bytes]:
    """Read an object a few megabytes at a time."""
    if not is_remote(address):
        yield from _local_pieces(address)
        return
    yield from _remote_pieces(address)


def _remote_pieces(address: str) -> Iterator[bytes]:
    """Read an object piece by piece; after a fault go on where it broke off, as long as it is still the same."""
    store, key = _open(address)
    import obstore

    done, mark, failed = 0, None, 0
    while True:
        asked: Any = {"range": {"offset": done}, "if_match": mark} if done else {}
        with _told(address):  # what fails here has been tried several times
            result = obstore.get(store, key, options=asked)
        mark, size = result.meta["e_tag"], result.meta["size"]
        try:
            stream = iter(result.stream(min_chunk_size=PIECE)) if size else iter(())
            while (piece := _next(stream, address)) is not None:
                done, failed = done + len(piece), 0
                yield piece
            _check_whole(address, done, size)
        except FaultyError as fault:
            failed += 1
            if failed >= ATTEMPTS:
                raise OutsideError(f"{fault}; what was read whole is kept: run again to go on from there") from None
            time.sleep(WAIT * 2**failed)
        else:
            return


def _next(stream: Iterator[Any], address: str) -> bytes | None:
    with _told(address):
        piece = next(stream, None)
    return None if piece is None else bytes(piece)


def _check_whole(address: str, done: int, size: int) -> None:
    if done < size:
        raise FaultyError(f"{address}: ended after {done:,} of {size:,} bytes")


def write_bytes(address: str, data: bytes) -> None:
    """Write an object whole: a reader sees the old one or the new one, never a part."""
    if is_remote(address):
        store, key = _open(address)
        import obstore

        with _told(address):
            obstore.put(store, key, data)
        return
    path = Path(address)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as fault:
        raise OutsideError(f"{address}: cannot be written ({fault.strerror or fault})") from fault


def find(prefix: str) -> tuple[str, ...]:
    """Addresses of all objects under a folder or prefix, sorted; none where there is nothing."""
    if not is_remote(prefix):
        root = Path(prefix)
        return tuple(sorted(path.as_posix() for path in root.rglob("*") if path.is_file()))
    store, key = _open(prefix, whole=False)
    import obstore

    bucket = prefix.removeprefix("s3://").split("/", 1)[0]
    found: list[str] = []
    with _told(prefix):
        for batch in obstore.list(store, key or None):
            found += [f"s3://{bucket}/{meta['path']}" for meta in batch]
    return tuple(sorted(found))


def listing(prefix: str) -> dict[str, Stamp]:
    """Addresses under a prefix of a bucket with their stamps, so that nobody has to ask for each."""
    store, key = _open(prefix, whole=False)
    import obstore

    bucket = prefix.removeprefix("s3://").split("/", 1)[0]
    found: dict[str, Stamp] = {}
    with _told(prefix):
        for batch in obstore.list(store, key or None):
            found |= {f"s3://{bucket}/{meta['path']}": _stamp_of(meta) for meta in batch}
    return dict(sorted(found.items()))


def exists(address: str) -> bool:
    """Whether there is an object."""
    return stamp(address) is not None


def stamp(address: str) -> Stamp | None:
    """Size and mark of an object, or none where there is none."""
    if not is_remote(address):
        try:
            status = Path(address).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            raise OutsideError(f"{address}: cannot be read ({fault.strerror or fault})") from fault
        return Stamp(status.st_size, str(status.st_mtime_ns))
    store, key = _open(address)
    import obstore

    try:
        with _told(address):
            meta = obstore.head(store, key)
    except DataError:
        return None
    return _stamp_of(meta)


def _stamp_of(meta: Any) -> Stamp:
    """The ETag, or where a store gives none the moment of the last change."""
    return Stamp(int(meta["size"]), str(meta["e_tag"] or meta["last_modified"].isoformat()))


def scan_options(address: str) -> dict[str, str]:
    """Options by which Polars reads an object by ranges."""
    _open(address)
    told = {name: value for name, value in credentials.options().items() if isinstance(value, str)}
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true", "yes"}:
        told["allow_http"] = "true"
    return {f"aws_{name}" if name != "allow_http" else name: value for name, value in told.items()}


def checksum(address: str) -> str:
    """SHA-256 of an object's bytes, hexadecimal."""
    found = hashlib.sha256()
    for piece in pieces(address):
        found.update(piece)
    return found.hexdigest()


def _local_pieces(address: str) -> Iterator[bytes]:
    try:
        with Path(address).open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
    except FileNotFoundError as fault:
        raise DataError(f"{address}: there is no such file") from fault
    except IsADirectoryError as fault:
        raise DataError(
            f"{address}: is a folder; name a file, or files in it by a pattern such as {address}/*.csv"
        ) from fault
    except OSError as fault:
        raise OutsideError(f"{address}: cannot be read ({fault.strerror or fault})") from fault


def _open(address: str, *, whole: bool = True) -> "tuple[S3Store, str]":
    """Open the bucket of an address; returns it with the key."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError as fault:
        raise UserError(f"{address}: reading s3:// needs one more package: pip install 'asof[s3]'") from fault
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket or (whole and not key):
        raise UserError(f"{address!r} is no address of an object: expected s3://bucket/key")
    try:
        options = credentials.options()
        if os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true", "yes"}:
            options["client_options"] = {"allow_http": True}
        return S3Store(bucket, **options), key
    except OutsideError as fault:
        raise OutsideError(f"{address}: {fault}") from None
    except (BaseError, ValueError) as fault:
        raise UserError(f"{address}: the store cannot be opened with these AWS_ settings: {line(fault)}") from fault


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn what the store says into one line of the right branch."""
    from obstore.exceptions import BaseError, NotFoundError

    try:
        yield
    except (FileNotFoundError, NotFoundError) as fault:
        raise DataError(f"{address}: there is no such object (or no such bucket)") from fault
    except (BaseError, OSError) as fault:
        raise _judged(address, fault) from fault


def _judged(address: str, fault: Exception) -> AsofError:
    text = f"{type(fault).__name__} {fault}"
    if "NoSuchBucket" in text:
        return DataError(f"{address}: there is no such bucket")
    if any(word in text for word in ("PreconditionError", "PreconditionFailed")):
        return DataError(f"{address}: changed while it was read; read it again when it is complete")
    told = advice(fault)
    if told:
        return OutsideError(f"{address}: {told}")
    return FaultyError(f"{address}: the object store does not answer as it should: {line(fault)}")


_MEANT: Final = {
    ("ExpiredToken", "TokenRefreshRequired", "RequestExpired"): (
        "the AWS credentials have expired; renew them (AWS_SESSION_TOKEN, aws sso login)"
    ),
    ("RequestTimeTooSkewed",): "refused, since this machine's clock is wrong; set it right",
    (
        "InstanceCredential",
        "169.254.169.254",
        "metadata endpoint",
        "CredentialsProvider",
        "no credentials found in chain",
    ): credentials.MISSING,
    ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"): (
        "the AWS credentials are wrong; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the "
        "profile"
    ),
    ("AccessDenied", "PermissionDenied", "Unauthenticated", "403 Forbidden", "401 Unauthorized"): (
        "refused; check AWS_ACCESS_KEY_ID, AWS_PROFILE and the rights of that key"
    ),
    ("BadScheme", "URL scheme is not allowed"): (
        "AWS_ENDPOINT_URL names a service without encryption (http://), which is asked only where that is allowed: set "
        "AWS_ALLOW_HTTP=true, or name one with https://"
    ),
}
"""Words of a fault, and what they mean to who set the AWS variables."""


def advice(fault: Exception) -> str:
    """What is wrong with the settings that lead to a store, and what to do, as its fault tells; empty: nothing is."""
    text = f"{type(fault).__name__} {fault}"
    return next((told for words, told in _MEANT.items() if any(word in text for word in words)), "")


def line(fault: Exception) -> str:
    """What a store says, in one line without colours."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", str(fault).split("Debug source")[0])
    return " ".join(said.split())[:300]
