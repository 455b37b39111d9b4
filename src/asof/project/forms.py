"""Short forms into long ones. What cannot be expanded stays as it is, for the checks to speak about."""

import re
from collections.abc import Callable

from asof.project.trees import Node
from asof.specs import MEASURES

_CELLS = re.compile(r"h3:(\d{1,2})")
_POLYGONS = re.compile(r"(?P<file>[^#]+\.(?:geo)?json(?:\.gz)?)(?:#(?P<id>.+))?")
_RANGE = re.compile(r"(\d{1,6})\s*(mo|[smhdw])\s*\.\.\s*(\d{1,6})\s*(mo|[smhdw])")
MOST_HORIZONS = 1000
NAMED = ("calendar", "history", "around")
"""Lookups that are known by their name alone."""
TOLD = ("nearest", "observations", "distances", "trips")
"""Lookups of any name that are known by the option which tells their source."""


def expand(root: Node) -> None:
    """Write all short forms of a project out, in place; doing it twice changes nothing."""
    _listed(root, "plugins")
    sources = root.get("sources")
    for _, source in sources.items() if sources else []:
        _source(source)
    predict = root.get("predict")
    if predict is not None:
        _change(predict, "horizon", _horizon)
        per = predict.get("per")
        if per is not None:
            _change(per, "place", _place)
            _same_place(root, predict)
    _change(root, "features", _features)
    judge = root.get("judge")
    if judge is not None:
        _listed(judge, "group")
    train = root.get("train")
    if train is not None:
        _change(train, "candidates", lambda node: node if node.value == "default" else _list(node))


def _same_place(root: Node, predict: Node) -> None:
    """Places that are a column are that column of the counted source, unless it says otherwise."""
    column = predict.get("per", "place", "column")
    named = [text for measure in MEASURES if (child := predict.get(measure)) and (text := child.words())]
    source = root.get("sources", named[0].split(".")[0]) if len(named) == 1 else None
    if column is not None and column.words() and source is not None and source.is_map and "place" not in source.value:
        source.value["place"] = _again(column)


def _source(source: Node) -> None:
    _change(source, "files", lambda node: _named(node, "paths"))
    _change(source, "time", lambda node: _named(node, "columns"))
    for name in ("key", "columns", "missing_values"):
        _listed(source, name)
    api = source.get("api")
    if api is not None:
        _change(api, "paging", lambda node: _only(node, "by"))
    _change(source, "adapter", _adapter)
    for part, name in (("files", "paths"), ("sql", "key"), ("time", "columns"), ("time", "formats")):
        found = source.get(part)
        if found is not None:
            _listed(found, name)
    _change(source, "covered", _stretches)
    repairs = source.get("repairs")
    for repair in repairs.value if repairs is not None and repairs.is_list else []:
        for name in ("columns", "missing", "flags"):
            _listed(repair, name)
    checks = source.get("checks")
    for _, check in checks.items() if checks else []:
        _listed(check, "one_of")


def _change(parent: Node, name: str, form: Callable[[Node], Node]) -> None:
    child = parent.get(name)
    if child is not None and not unresolved(child):
        parent.value[name] = form(child)


def unresolved(node: Node) -> bool:
    """Whether it is a text that still waits for a variable."""
    return isinstance(node.value, str) and "${" in node.value


def _listed(parent: Node, name: str) -> None:
    _change(parent, name, _list)


def _list(node: Node) -> Node:
    if not node.is_scalar or node.value is None:
        return node
    return node.near([_again(node)], whole=True)


def _again(node: Node) -> Node:
    return node.near(node.value, text=node.text, plain=node.plain, whole=False)


def _named(node: Node, name: str) -> Node:
    """``files: x`` and ``files: [x, y]`` as ``files: {paths: [x, y]}``."""
    if node.is_list:
        return node.near({name: node.near(node.value)}, whole=True)
    if node.is_scalar and node.value is not None:
        return node.near({name: _list(node)}, whole=True)
    return node


def _only(node: Node, name: str) -> Node:
    """``paging: page`` as ``paging: {by: page}``."""
    return node.near({name: _again(node)}, whole=True) if node.words() else node


def _adapter(node: Node) -> Node:
    """``adapter: NAME`` and ``adapter: {NAME: {…}}`` as ``{name: NAME, options: {…}}``."""
    name = node.words()
    if name:
        return node.near({"name": node.near(name, text=name)}, whole=True)
    if not node.is_map or len(node.value) != 1 or "name" in node.value:
        return node
    name, options = next(iter(node.items()))
    options = options.near({}) if options.value is None else options
    return node.near({"name": node.near(name, text=name), "options": options}, whole=True)


def _stretches(node: Node) -> Node:
    """One stretch ``[from, until)`` as a list of one."""
    if node.is_list and len(node.value) == 2 and all(member.is_scalar for member in node.value):
        return node.near([node.near(node.value)], whole=True)
    return node


def _place(node: Node) -> Node:
    text = node.words()
    if text is None:
        return node
    cells, polygons = _CELLS.fullmatch(text), _POLYGONS.fullmatch(text)
    if cells:
        parts: dict[str, Node] = {"h3": node.near(int(cells[1]), text=cells[1])}
    elif polygons:
        parts = {"polygons": node.near(polygons["file"], text=polygons["file"])}
        if polygons["id"]:
            parts["id"] = node.near(polygons["id"], text=polygons["id"])
    elif text.startswith("h3:"):
        return node
    else:
        parts = {"column": _again(node)}
    return node.near(parts, whole=True)


def _horizon(node: Node) -> Node:
    if not node.is_list and (not node.is_scalar or node.value is None):
        return node
    steps = [step for member in node.each() for step in _range(member)]
    return node.near(steps, whole=True)


def _range(node: Node) -> list[Node]:
    """``1d..7d`` as seven steps; anything else as it stands."""
    found = _RANGE.fullmatch(node.words() or "")
    if not found or found[2] != found[4] or not 0 <= int(found[3]) - int(found[1]) < MOST_HORIZONS:
        return [node]
    texts = [f"{count}{found[2]}" for count in range(int(found[1]), int(found[3]) + 1)]
    return [node.near(text, text=text) for text in texts]


def _features(node: Node) -> Node:
    if node.is_map:
        items = [child.near({name: child}) for name, child in node.items()]
        return node.near([_feature(item) for item in items], whole=True)
    if node.is_scalar and node.value is not None:
        return node.near([_feature(node)], whole=True)
    return node.near([_feature(item) for item in node.value]) if node.is_list else node


def _feature(item: Node) -> Node:
    """``history``, ``history: {…}`` and the long form, all as ``{name, kind, options}``."""
    name = item.words()
    options: Node | None = None
    if name is None:
        if item.is_map and "name" in item.value and set(item.value) <= {"name", "kind", "options"}:
            name, options = item.value["name"].words(), item.value.get("options")
        elif item.is_map and len(item.value) == 1:
            name, options = next(iter(item.items()))
    if name is None:
        return item
    if options is None or options.value is None:
        options = item.near({})
    told = [kind for kind in TOLD if options.is_map and kind in options.value]
    kind = name if name in NAMED else told[0] if told else "plugin"
    return item.near({"name": item.near(name, text=name), "kind": item.near(kind, text=kind), "options": options})
