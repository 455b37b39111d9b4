"""Where the rows of a source come from: exactly one address, complete, and without a secret in it."""

import re

from asof.errors import Problem
from asof.project.faults import Faults
from asof.project.messages import Path, setting, validated
from asof.project.overlays import SECRET
from asof.project.trees import Node

ADDRESSES = ("files", "socrata", "sql", "api", "adapter")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_DATASET = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PASSWORD = re.compile(r"://[^/\s@:]*:(?P<password>[^/\s@]+)@")
_SECRET_PART = re.compile(r"^(key|auth|authorization|cookie|sig|signature|appid|pwd)$|[_-]key$", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,18}")
_SQL = re.compile(r"(postgresql|postgres|sqlite)://.+")


def check(faults: Faults, at: Path, source: Node) -> None:
    """Check the address of one source."""
    given = [name for name in ADDRESSES if source.has(name)]
    if len(given) != 1:
        names = f"{', '.join(ADDRESSES[:-1])} and {ADDRESSES[-1]}"
        faults.say(at, f"expected exactly one of {names}, got {' and '.join(given) or 'none'}", whole=False)
    _files(faults, (*at, "files"))
    _socrata(faults, at, source)
    _sql(faults, at, source)
    _api(faults, (*at, "api"))
    _adapter(faults, (*at, "adapter"))


def _files(faults: Faults, where: Path) -> None:
    paths = faults.at(*where, "paths")
    if paths is not None and paths.is_list and not paths.value:
        faults.got((*where, "paths"), "at least one file or glob")
    for path, node in faults.members(*where, "paths"):
        if node.words() in {None, ""}:
            faults.got(path, "a file or glob")
    delimiter = faults.text(*where, "delimiter")
    if delimiter is not None and len(delimiter) != 1:
        faults.got((*where, "delimiter"), 'one character, such as ";" or "\\t"')
    encoding = faults.text(*where, "encoding")
    if encoding is not None and not _is_encoding(encoding):
        faults.say(
            (*where, "encoding"),
            f"there is no encoding {encoding!r}; expected one such as utf-8, latin-1 or cp1252",
        )


def _is_encoding(name: str) -> bool:
    try:
        return isinstance("".encode(name), bytes)
    except (LookupError, ValueError):
        return False


def _socrata(faults: Faults, at: Path, source: Node) -> None:
    where: Path = (*at, "socrata")
    if faults.at(*where) is None:
        return
    token = source.get("socrata", "token")
    if token is not None and token.value is not None and not _REFERENCE.fullmatch(token.words() or ""):
        token.masked = "…"
        faults.say(
            (*where, "token"),
            "a token is never written here: put it into a variable, write its name, such as ${SOCRATA_APP_TOKEN}",
        )
    if not source.has("time"):
        faults.say((*at, "time"), "missing: a Socrata source is read by days, so its time must be named")
    domain, dataset = faults.text(*where, "domain"), faults.text(*where, "dataset")
    if domain is not None and not _DOMAIN.fullmatch(domain):
        faults.got((*where, "domain"), "a name such as data.cityofnewyork.us, without https:// and path")
    if dataset is not None and not _DATASET.fullmatch(dataset):
        faults.got((*where, "dataset"), "an identifier such as h9gi-nx95")
    since, until = faults.text(*where, "since"), faults.text(*where, "until")
    if since and until and _DAY.fullmatch(since) and _DAY.fullmatch(until) and until <= since:
        faults.got((*where, "until"), f"a day after since ({since})")
    faults.step(*where, "segment", least=1)
    faults.step(*where, "recheck")


def _sql(faults: Faults, at: Path, source: Node) -> None:
    where: Path = (*at, "sql")
    sql = faults.at(*where)
    if sql is None or not sql.is_map:
        return
    _no_password(faults, (*where, "url"))
    url = faults.text(*where, "url")
    if url is not None and not url.startswith("${") and not _SQL.fullmatch(url):
        faults.got((*where, "url"), "postgresql://user@host/database, sqlite:///file or a variable such as ${ORDERS}")
    asked = [name for name in ("table", "query") if sql.has(name)]
    if len(asked) != 1:
        faults.say(where, f"expected exactly one of table and query, got {'both' if asked else 'neither'}", whole=False)
    if not sql.has("key") and not source.has("key"):
        faults.say(
            (*at, "key"),
            "missing: rows of a database are read in the order of a key: name the columns that tell rows apart",
        )
    recheck = faults.text(*where, "recheck")
    if recheck is not None and not _NUMBER.fullmatch(recheck):
        faults.step(*where, "recheck")
    faults.step(*where, "timeout", least=1)


def _api(faults: Faults, where: Path) -> None:
    api = faults.at(*where)
    if api is None or not api.is_map:
        return
    _no_password(faults, (*where, "url"))
    url = faults.text(*where, "url")
    if url is not None and not re.match(r"(https?://|\$\{)", url):
        faults.got((*where, "url"), "an address such as https://api.example.org/v1/orders")
    for part in ("params", "headers"):
        for name, node in faults.parts(*where, part):
            secret = SECRET.search(name) or _SECRET_PART.search(name)
            if secret and "${" not in (node.words() or ""):
                node.masked = "…"
                told = "a secret is never written here: put it into a variable, write its name, such as ${API_TOKEN}"
                faults.say((*where, part, name), told)
    by = faults.text(*where, "paging", "by")
    if by in {"cursor", "next"} and faults.at(*where, "paging", "path") is None:
        what = "the next cursor" if by == "cursor" else "the address of the next page"
        faults.say((*where, "paging", "path"), f"missing: where does an answer hold {what}? such as meta.next")
    faults.step(*where, "watermark", "recheck")


def _no_password(faults: Faults, where: Path) -> None:
    """An address whose password is written out, and not a variable, is refused and never shown."""
    node = faults.at(*where)
    found = _PASSWORD.search((node.words() or "") if node is not None else "")
    if node is None or found is None or re.fullmatch(r"(\$\{[^}]*\})+", found["password"]):
        return
    node.masked = "…"
    faults.say(where, "a password is never written here: put it, or the address, into a variable such as ${ORDERS_URL}")


def _adapter(faults: Faults, where: Path) -> None:
    """A source of an installed package: its name, and its own options."""
    adapter = faults.at(*where)
    name = faults.text(*where, "name")
    if adapter is None or name is None:
        return
    from asof.adapters import packages

    known = packages.names()
    if name not in known:
        if known:
            faults.one_of((*where, "name"), known, "adapter")
        else:
            faults.say((*where, "name"), f"there is no adapter {name!r}: no installed package names one")
        return
    options = adapter.get("options") or adapter.near({})
    found: list[tuple[Path, Problem]] = []
    validated(packages.find(name).Options, options, found)
    for path, problem in found:
        node = options.get(*path)
        if node is not None and "${" in (node.words() or ""):
            continue  # only its reader will see what the variable holds
        at = (*where, "options", *path)
        faults.problems.append(Problem(problem.message, problem.file, problem.line, setting(at, faults.root)))
