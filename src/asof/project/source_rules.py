"""What must hold within a source, as far as it can be known without reading data."""

import re

from asof.project import cell_rules
from asof.project.faults import Faults
from asof.project.messages import Path
from asof.project.trees import Node

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_DATASET = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ADDRESSES = ("files", "socrata")


def check(faults: Faults) -> None:
    """Check all sources."""
    sources = faults.at("sources")
    if sources is not None and (sources.value is None or sources.value == {}):
        faults.say(
            ("sources",),
            "there is no source: expected at least one, such as `crashes: {files: data/*.csv, time: date}`",
        )
    for name, source in faults.parts("sources"):
        at = ("sources", name)
        if not _NAME.fullmatch(name):
            faults.say(at, "expected a name of letters, digits and _, beginning with a letter", whole=False)
        if source.is_map:
            _address(faults, at, source)
            _socrata(faults, at, source)
            _time(faults, at)
            _place(faults, at)
            cell_rules.check(faults, at)
            faults.step(*at, "delay")
            _covered(faults, at)


def _address(faults: Faults, at: Path, source: Node) -> None:
    """Where the rows come from: exactly one address."""
    given = [name for name in ADDRESSES if source.has(name)]
    if len(given) != 1:
        got = "both" if given else "neither"
        faults.say(at, f"expected exactly one of files and socrata, got {got}", whole=False)
    paths = faults.at(*at, "files", "paths")
    if paths is not None and paths.is_list and not paths.value:
        faults.got((*at, "files", "paths"), "at least one file or glob")
    for path, node in faults.members(*at, "files", "paths"):
        if node.words() in {None, ""}:
            faults.got(path, "a file or glob")
    delimiter = faults.text(*at, "files", "delimiter")
    if delimiter is not None and len(delimiter) != 1:
        faults.got((*at, "files", "delimiter"), 'one character, such as ";" or "\\t"')
    encoding = faults.text(*at, "files", "encoding")
    if encoding is not None and not _is_encoding(encoding):
        faults.say(
            (*at, "files", "encoding"),
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


def _time(faults: Faults, at: Path) -> None:
    where: Path = (*at, "time")
    columns = faults.at(*where, "columns")
    if columns is not None and columns.is_list and len(columns.value) not in {1, 2}:
        faults.got((*where, "columns"), "one column, or a column of dates and one of times of day")
    faults.zone(*where, "zone")
    faults.step(*where, "resolution", least=1)
    for path, node in faults.members(*where, "formats"):
        if "%" not in (node.words() or ""):
            faults.got(path, 'a strptime format such as "%Y-%m-%d %H:%M"')


def _place(faults: Faults, at: Path) -> None:
    where: Path = (*at, "place")
    lat, lon = faults.text(*where, "lat"), faults.text(*where, "lon")
    if lat is not None and lat == lon:
        faults.got((*where, "lon"), "another column than lat")
    box = cell_rules.numbers(faults.at(*where, "box"))
    if box is None or len(box) != 4:
        return
    south, west, north, east = box
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        wanted = "south, west, north, east in degrees, such as [40.4, -74.3, 41.0, -73.6]"
        faults.say((*where, "box"), f"expected {wanted}, got [{', '.join(f'{side:g}' for side in box)}]")


def _covered(faults: Faults, at: Path) -> None:
    covered = faults.at(*at, "covered")
    if covered is None or not covered.is_list:
        return
    for index, stretch in enumerate(covered.value):
        days = [member.words() or "" for member in stretch.each()]
        if len(days) == 2 and all(map(_DAY.fullmatch, days)) and days[1] <= days[0]:
            faults.say(
                (*at, "covered", index), f"expected [from, until) with until after from, got [{', '.join(days)}]"
            )
