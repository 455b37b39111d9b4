"""What must hold within a source, as far as it can be known without reading data."""

import re

from asof.project import address_rules, cell_rules
from asof.project.faults import Faults
from asof.project.messages import Path

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")


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
            address_rules.check(faults, at, source)
            _time(faults, at)
            _place(faults, at)
            cell_rules.check(faults, at)
            faults.step(*at, "delay")
            _covered(faults, at)


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
