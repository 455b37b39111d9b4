"""Keys of those who may ask: kept as hashes, several at once, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from asof.errors import UserError

_LINE = re.compile(r"([A-Za-z0-9][\w.\-]{0,63}) ([0-9a-f]{64})")


def digest(key: str) -> str:
    """SHA-256 of a key: keys are 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def read(file: Path) -> Mapping[str, str]:
    """Read a file of keys: a line each, its name and the hash of it; empty lines and ``#`` lines are skipped.

    Raises UserError where there is no such file, no key, or a line that is none.
    """
    if not file.is_file():
        message = f"{file}: no such file of keys; `asof serve --new-key NAME --keys {file}` makes one"
        raise UserError(message)
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            message = f"{file}:{number}: expected a name and the SHA-256 of a key (64 hexadecimal digits)"
            raise UserError(message)
        found[match[1]] = match[2]
    if not found:
        message = f"{file}: holds no key; `asof serve --new-key NAME --keys {file}` adds one"
        raise UserError(message)
    return found


def add(file: Path, name: str) -> str:
    """Make a key, append its hash to ``file`` (readable by its owner alone), and return the key: it is shown once."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {digest(key)}"
    if not _LINE.fullmatch(line):
        message = f"{name!r} cannot be the name of a key: use letters, digits, '_', '-' and '.', at most 64"
        raise UserError(message)
    if file.is_file() and name in read(file):
        message = f"{file}: there is a key of the name {name!r}; take another, or remove its line first"
        raise UserError(message)
    file.touch(mode=0o600)
    with file.open("a", encoding="utf-8") as out:
        out.write(line + "\n")
    return key


def find(known: Mapping[str, str], given: str) -> str | None:
    """Name of the key ``given``, or none; every known one is compared, so that time tells nothing."""
    asked = digest(given)
    found = None
    for name, kept in known.items():
        if hmac.compare_digest(kept, asked):
            found = name
    return found
