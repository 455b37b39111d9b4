"""YAML as a tree that knows its lines, and nothing that surprises.

Only null, true, false and numbers of the YAML 1.2 core are more than text: a date stays ``2024-01-31``, ``1:30`` stays
a text, ``yes`` and ``no`` too. Duplicate names are refused; size, depth and what aliases expand to are bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from asof.errors import Problem, ProjectError

MOST_BYTES = 512 * 1024
MOST_NODES = 20_000
MOST_DEPTH = 40

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"([-+]?)\.(inf|Inf|INF)")


# ${NAME} is no plain scalar within { }, where people write it all the same: it is parsed as one private character each.
_VARIABLE = re.compile(r"""\$\{[A-Za-z_]\w*(?::-[^}\n"'\\]*)?\}""", re.ASCII)
_HELD = re.compile("\ue000(\\d+)\ue001")


@dataclass
class Node:
    """A value of the file: a mapping, a list or a scalar, and where it stands."""

    value: Any
    """``dict[str, Node]``, ``list[Node]``, or a scalar: str, int, float, bool, None."""
    file: str = ""
    line: int = 0
    """Line of the name for a value of a mapping, else of the value itself; 0 where there is none."""
    who: str = "file"
    text: str | None = None
    """A scalar as written."""
    plain: bool = False
    """Written without quotes: what is substituted into it is read as YAML again."""
    whole: bool = False
    """Written in a short form: laid over another value it replaces that value instead of merging."""
    wrong: bool = False
    """Something has been said about it already."""
    masked: str | None = None
    """What is shown instead of a value that may be secret."""

    @property
    def is_map(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, list)

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a mapping nor a list."""
        return not isinstance(self.value, dict | list)

    def get(self, *path: str | int) -> "Node | None":
        """Return the node at a path below this one, or none."""
        found: Node | None = self
        for step in path:
            if found is None:
                return None
            found = found.child(step)
        return found

    def child(self, step: str | int) -> "Node | None":
        """Return the node one step below, or none."""
        if isinstance(self.value, dict):
            child = self.value.get(str(step))
            return child if isinstance(child, Node) else None
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            child = self.value[step]
            return child if isinstance(child, Node) else None
        return None

    def has(self, name: str) -> bool:
        """Whether it is a mapping in which ``name`` is something."""
        child = self.child(name) if isinstance(self.value, dict) else None
        return child is not None and child.value is not None

    def words(self) -> str | None:
        """A scalar as text, none for anything else and for nothing."""
        if not self.is_scalar or self.value is None:
            return None
        return self.value if isinstance(self.value, str) else (self.text or str(self.value))

    def items(self) -> list[tuple[str, "Node"]]:
        """Names and values of a mapping; of anything else nothing."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def each(self) -> list["Node"]:
        """Members of a list, or the scalar itself."""
        if isinstance(self.value, list):
            return list(self.value)
        return [self] if self.is_scalar and self.value is not None else []

    def each_node(self) -> list["Node"]:
        """Members of a list, whatever they are."""
        return list(self.value) if isinstance(self.value, list) else []

    def plain_value(self) -> Any:
        """The value without lines, as ``yaml.safe_load`` would give it."""
        if isinstance(self.value, dict):
            return {name: child.plain_value() for name, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain_value() for child in self.value]
        return self.value

    def near(self, value: Any, **changes: Any) -> "Node":
        """Return a node of another value that stands in the same place."""
        return replace(self, **{"value": value, "text": None, "plain": False, "wrong": False, **changes})

    def walk(self, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], "Node"]]:
        """Yield this node and all below it with their paths."""
        yield path, self
        children = self.items() if self.is_map else list(enumerate(self.value)) if self.is_list else []
        for step, child in children:
            yield from child.walk((*path, step))


def scalar(text: str) -> Any:
    """Value of a plain scalar after the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _WHOLE.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else _whole(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    endless = _ENDLESS.fullmatch(text)
    return float(f"{endless[1]}inf") if endless else text


def _whole(text: str) -> int | str:
    # Python refuses to read thousands of digits, and no setting has so many.
    return int(text) if len(text) <= 300 else text


@dataclass
class _Composer:
    """Builds the tree from the parser's events: no recursion of PyYAML's own, no construction of objects."""

    file: str
    who: str
    events: Iterator[Any]
    held: list[str]
    """Variables taken out of the text."""
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    count: int = 0

    def fault(self, message: str, line: int) -> ProjectError:
        return ProjectError([*self.problems, Problem(message, self.file, line)])

    def next_event(self) -> Any:
        return next(self.events)

    def node(self, event: Any, depth: int) -> Node:
        line = _begun(event)
        self.count += 1
        if self.count > MOST_NODES or depth > MOST_DEPTH:
            limit = f"{MOST_NODES} values" if depth <= MOST_DEPTH else f"{MOST_DEPTH} levels"
            raise self.fault(f"more than {limit}: this is no project file, or an alias repeats itself", line)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(str(event.anchor), line)
        if event.tag not in {None, "!", "tag:yaml.org,2002:str"}:
            self.problems.append(Problem(f"the tag {event.tag} is not read: write the value alone", self.file, line))
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.style is None
            text = self.restored(event.value)
            made = Node(scalar(text) if plain else text, self.file, line, self.who, text=text, plain=plain)
        elif isinstance(event, yaml.SequenceStartEvent):
            made = Node(self.sequence(depth), self.file, line, self.who)
        else:
            made = Node(self.mapping(depth), self.file, line, self.who)
        if event.anchor:
            self.anchors[event.anchor] = made
        return made

    def restored(self, text: str) -> str:
        """A scalar with its variables put back."""
        return _HELD.sub(lambda found: self.held[int(found[1])], text) if self.held else text

    def alias(self, anchor: str, line: int) -> Node:
        found = self.anchors.get(anchor)
        if found is None:
            raise self.fault(f"the alias *{anchor} has no anchor &{anchor} above it", line)
        return self.copied(found, line)

    def copied(self, node: Node, line: int) -> Node:
        self.count += 1
        if self.count > MOST_NODES:
            raise self.fault(
                f"more than {MOST_NODES} values: this is no project file, or an alias repeats itself", line
            )
        if isinstance(node.value, dict):
            return replace(node, value={name: self.copied(child, line) for name, child in node.value.items()})
        if isinstance(node.value, list):
            return replace(node, value=[self.copied(child, line) for child in node.value])
        return replace(node)

    def sequence(self, depth: int) -> list[Node]:
        members: list[Node] = []
        while not isinstance(event := self.next_event(), yaml.SequenceEndEvent):
            members.append(self.node(event, depth + 1))
        return members

    def mapping(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self.next_event(), yaml.MappingEndEvent):
            line = _begun(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self.fault(
                    "a name must be a plain text; is a quote or a colon missing, or a { } left over?", line
                )
            name = self.restored(event.value)
            child = self.node(self.next_event(), depth + 1)
            child.line = line
            if name in members:
                message = f"{name!r} is written twice, first in line {lines[name]}: keep one"
                self.problems.append(Problem(message, self.file, line))
            members[name] = child
            lines.setdefault(name, line)
        return members


def compose(data: bytes | str, file: str, *, who: str = "file") -> tuple[Node, list[Problem]]:
    """Read YAML into a tree.

    Args:
        data: the text, or its bytes in UTF-8.
        file: name for messages.
        who: noted at every node.

    Returns:
        The tree, and faults that do not keep it from being read further (duplicates, tags).

    Raises:
        ProjectError: it is no YAML, too large, or not one document.
    """
    text = _decoded(data, file)
    try:
        held, text = _hold(text)
        composer = _Composer(file, who, iter(yaml.parse(text, Loader=yaml.SafeLoader)), held)
        root = _document(composer)
    except yaml.reader.ReaderError as fault:
        line = text.count("\n", 0, fault.position) + 1
        message = (
            f"the character {chr(fault.character)!r} is not allowed in YAML"
            if isinstance(fault.character, int)
            else str(fault.reason)
        )
        raise ProjectError([Problem(message, file, line)]) from fault
    except yaml.MarkedYAMLError as fault:
        raise ProjectError([Problem(_syntax(fault), file, _line(fault))]) from fault
    return root, composer.problems


def _hold(text: str) -> tuple[list[str], str]:
    """Take the variables out of a text."""
    held: list[str] = []
    if "\ue000" in text:
        return held, text

    def hold(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"\ue000{len(held) - 1}\ue001"

    return held, _VARIABLE.sub(hold, text)


def _document(composer: _Composer) -> Node:
    root = None
    for event in composer.events:
        if isinstance(event, yaml.DocumentStartEvent):
            if root is not None:
                message = "a second document begins here (---): a project is one document"
                raise composer.fault(message, _begun(event))
            root = composer.node(composer.next_event(), 0)
    return root if root is not None else Node(None, composer.file, 1, composer.who, text="", plain=True)


def _begun(event: Any) -> int:
    """Line on which what an event tells of begins."""
    return int(event.start_mark.line) + 1


def _decoded(data: bytes | str, file: str) -> str:
    if len(data) > MOST_BYTES:
        raise ProjectError([Problem(f"larger than {MOST_BYTES // 1024} KiB: this is no project file", file)])
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise ProjectError([Problem("not UTF-8 text: save the file as UTF-8", file, line)]) from fault


def _line(fault: yaml.MarkedYAMLError) -> int:
    for mark in (fault.problem_mark, fault.context_mark):
        if mark is not None:
            return mark.line + 1
    return 0


def _syntax(fault: yaml.MarkedYAMLError) -> str:
    said = str(fault.problem or fault.context or "cannot be read")
    if "'\\t'" in said:
        return "a tab where YAML wants spaces: indent with spaces"
    begun = fault.context_mark.line + 1 if fault.context_mark is not None else _line(fault)
    since = f" (begun in line {begun})" if begun != _line(fault) else ""
    return f"no YAML: {said}{since}; check indentation, quotes, brackets and colons"
