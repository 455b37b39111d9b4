"""Folders of releases in an object store: published file by file, fetched whole."""

import hashlib
from pathlib import Path

from asof.adapters import objects
from asof.errors import DataError

LAST = "manifest.json"
"""Written last: a release without it is not complete and never read."""


def publish(folder: Path, local: Path, store: str) -> None:
    """Copy the files of ``folder``, which lies below ``local``, to the same place below ``store``.

    A crash leaves either a release without its manifest, which is never read, or a whole one; publishing again
    completes it. Raises ``OutsideError`` where the store fails.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == LAST):
        address = f"{store.rstrip('/')}/{path.relative_to(local).as_posix()}"
        objects.write_bytes(address, path.read_bytes())


def fetch(address: str, cache: Path) -> Path:
    """Copy the release at ``address`` (``s3://…/model_type=…``) into ``cache``; returns its folder.

    Raises ``DataError`` where there is no complete release, ``OutsideError`` where the store fails.
    """
    prefix = address.rstrip("/") + "/"
    found = [one for one in objects.find(prefix) if not one.removeprefix(prefix).startswith("predictions/")]
    if prefix + LAST not in found:
        message = f"{address}: there is no {LAST}; expected the folder of a complete release"
        raise DataError(message)
    target = cache / hashlib.sha256(address.encode()).hexdigest()[:16]
    for one in found:
        name = one.removeprefix(prefix)
        if ".." in Path(name).parts:
            message = f"{address}: {name!r} is no file of a release"
            raise DataError(message)
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(objects.read_bytes(one))
    return target
