"""What must hold of the repairs and checks of a source, as far as it can be known without reading data."""

import re

from asof import repairs
from asof.project.faults import Faults
from asof.project.messages import Path
from asof.project.trees import Node

_DONE = ("drop", "strip", "missing", "times", "add", "flags")
"""What a repair may do."""
_NUMBERS = {"integer", "number"}
_ORDERED = {*_NUMBERS, "date"}
_KINDS = {*_ORDERED, "text", "boolean"}


def check(faults: Faults, at: Path) -> None:
    """Check repairs and checks of the source at a path."""
    share(faults, (*at, "quarantine"))
    _repairs(faults, at)
    for column, _ in faults.parts(*at, "checks"):
        _check(faults, at, column)


def share(faults: Faults, where: Path) -> None:
    """A share from 0 to 1, if it is there at all; a percentage is told how it is written here."""
    found = faults.at(*where)
    value = found.value if found is not None else None
    if isinstance(value, int | float) and not isinstance(value, bool) and not 0 <= value <= 1:
        hint = f"; {value:g} % is written {value / 100:g}" if 1 < value <= 100 else ""
        faults.got(where, "a share from 0 to 1", hint=hint)


def numbers(node: Node | None) -> list[float] | None:
    """Members of a list of numbers; none for anything else."""
    if node is None or not node.is_list:
        return None
    values = [member.value for member in node.value]
    good = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return [float(value) for value in values] if good else None


def _repairs(faults: Faults, at: Path) -> None:
    listed = faults.at(*at, "repairs")
    if listed is None or not listed.is_list:
        return
    named = _named(faults, at)
    seen: set[str] = set()
    for index, item in enumerate(listed.value):
        where: Path = (*at, "repairs", index)
        if not item.is_map:
            example = "`{columns: TEMP, missing: 9999.9}`"
            faults.say(where, f"expected columns and what is done to them, such as {example}")
            continue
        _repair(faults, where, item)
        for path, node in faults.members(*where, "flags"):
            flag = node.words() or ""
            if not flag or flag.startswith("_"):
                faults.got(path, "the name of a column, not beginning with _")
            elif flag in seen:
                faults.say(path, f"{flag} is listed twice")
            seen.add(flag)
        _kept(faults, where, item, named)


def _repair(faults: Faults, where: Path, item: Node) -> None:
    """One item: something is done, and what is said fits together."""
    done = [name for name in _DONE if item.has(name) and item.value[name].value is not False]
    if not done and set(item.value) <= {"columns", "under", *_DONE}:  # an unknown name is told elsewhere
        faults.say(where, f"nothing is done: expected one of {', '.join(_DONE)}", whole=False)
    elif "drop" in done and len(done) > 1:
        faults.say((*where, "drop"), f"columns that are left out need no {done[1]}")
    columns = faults.at(*where, "columns")
    if columns is not None and columns.is_list and not columns.value:
        faults.got((*where, "columns"), "at least one column or pattern")
    if faults.text(*where, "strip") == "":
        faults.got((*where, "strip"), 'the characters to take off, such as "*"')
    if item.has("under") and not {"times", "add"} & set(done):
        faults.say((*where, "under"), "under says which numbers are changed: expected times or add beside it")
    times = faults.at(*where, "times")
    if times is not None and times.value == 0:
        faults.got((*where, "times"), "another number than 0")
    names = [node.words() or "" for _, node in faults.members(*where, "columns")]
    if "flags" in done and (len(names) != 1 or repairs.is_pattern(names[0])):
        faults.say((*where, "flags"), "flags are those of one column: name it alone in columns")
    flags = faults.at(*where, "flags")
    if flags is not None and flags.is_list and not flags.value:
        faults.got((*where, "flags"), "the name of each flag")


def _kept(faults: Faults, where: Path, item: Node, named: dict[str, str]) -> None:
    """The key is not touched, and what is named elsewhere is not taken away."""
    gone = "is left out" if item.has("drop") and item.value["drop"].value is True else ""
    gone = "is replaced by its flags" if item.has("flags") else gone
    for path, node in faults.members(*where, "columns"):
        name = node.words() or ""
        if named.get(name) == "key":
            faults.say(path, f"{name} is of the key, which is kept as it came")
        elif gone:
            for column in repairs.matched([name], [one for one in named if named[one] != "key"]):
                faults.say(path, f"{column} {gone} here, and named in {named[column]}")


def _named(faults: Faults, at: Path) -> dict[str, str]:
    """Columns of the source that its other settings name, and the setting."""
    found: dict[str, str] = {}
    for name, _ in faults.parts(*at, "checks"):
        found |= {faults.text(*at, "checks", name, side) or "": f"checks.{name}.{side}" for side in ("above", "below")}
    found |= {name: f"checks.{name}" for name, _ in faults.parts(*at, "checks")}
    for setting in ("columns", "key"):
        found |= {node.words() or "": setting for _, node in faults.members(*at, setting)}
    found |= {node.words() or "": "time" for _, node in faults.members(*at, "time", "columns")}
    for path in (("place",), ("place", "lat"), ("place", "lon"), ("time", "available")):
        found[faults.text(*at, *path) or ""] = path[0]
    return {name: setting for name, setting in found.items() if name}


def _check(faults: Faults, at: Path, column: str) -> None:
    where: Path = (*at, "checks", column)
    between = numbers(faults.at(*where, "between"))
    if between is not None and len(between) == 2 and not between[0] <= between[1]:
        faults.say((*where, "between"), f"expected the lower limit first, got [{between[0]:g}, {between[1]:g}]")
    for limit in ("missing", "faulty"):
        share(faults, (*where, limit))
    pattern = faults.text(*where, "matches")
    fault = _pattern_fault(pattern) if pattern is not None else ""
    if fault:
        faults.say((*where, "matches"), f"{pattern!r} is no regular expression: {fault}")
    for side in ("above", "below"):
        other = faults.text(*where, side)
        if other is not None and other in {"", column}:
            faults.got((*where, side), "another column")
    kind = faults.text(*where, "type")
    for rule, kinds in (("between", _NUMBERS), ("above", _ORDERED), ("below", _ORDERED)):
        if kind is not None and kind in _KINDS - kinds and faults.at(*where, rule) is not None:
            faults.say(
                (*where, rule), f"values of the type {kind} are not compared: expected {' or '.join(sorted(kinds))}"
            )
    if faults.text(*where, "otherwise") == "missing":
        _otherwise(faults, at, column)


def _otherwise(faults: Faults, at: Path, column: str) -> None:
    """A value can only count as missing where the row can do without it."""
    where: Path = (*at, "checks", column, "otherwise")
    for rule in ("required", "unique"):
        found = faults.at(*where[:-1], rule)
        if found is not None and found.value is True:
            faults.say(where, f"a value that is {rule} cannot count as missing: leave out the one or the other")
    for setting, path in (("key", ("key",)), ("time", ("time", "columns"))):
        if column in [node.words() for _, node in faults.members(*at, *path)]:
            faults.say(where, f"{column} is of the {setting}, without which there is no row: leave it out")


def _pattern_fault(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as fault:
        return str(fault)
    return ""
