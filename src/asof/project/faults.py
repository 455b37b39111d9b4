"""Faults gathered while a tree is looked at, and the looks that several rules share."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from asof.errors import Problem, UserError
from asof.project.messages import Path, nearest, setting, shown
from asof.project.trees import Node
from asof.times import Step


@dataclass
class Faults:
    """A tree under examination, and what was found."""

    root: Node
    problems: list[Problem] = field(default_factory=list)

    def at(self, *path: str | int) -> Node | None:
        """The node at a path, or none; none too where something has been said about it already."""
        found = self.root.get(*path)
        return found if found is not None and not found.wrong else None

    def say(self, path: Path, message: str, *, whole: bool = True) -> None:
        """Note a fault at a path, or at what stands nearest above it.

        ``whole``: nothing more need be said about this value and its parts.
        """
        reached = [self.root]
        while len(reached) <= len(path) and (child := reached[-1].child(path[len(reached) - 1])) is not None:
            reached.append(child)
        node = reached[-1]
        if whole and len(reached) > len(path):
            node.wrong = True
        self.problems.append(Problem(message, node.file, node.line, setting(path, self.root)))

    def got(self, path: Path, expected: str, *, hint: str = "") -> None:
        """Say what was expected at a path, and what is there."""
        node = self.root.get(*path)
        self.say(path, f"expected {expected}, got {shown(node) if node is not None else 'nothing'}{hint}")

    def members(self, *path: str | int) -> list[tuple[Path, Node]]:
        """Path and node of each scalar of a list."""
        found = self.at(*path)
        if found is None or not found.is_list:
            return []
        return [((*path, index), node) for index, node in enumerate(found.value) if node.is_scalar and not node.wrong]

    def parts(self, *path: str | int) -> list[tuple[str, Node]]:
        """Names and nodes of a mapping."""
        found = self.at(*path)
        return found.items() if found is not None else []

    def text(self, *path: str | int) -> str | None:
        """A scalar as text; none where there is none."""
        found = self.at(*path)
        return found.words() if found is not None else None

    def step(self, *path: str | int, least: int = 0, otherwise: str = "") -> Step | None:
        """A length of time, which must be one if it is there at all."""
        found = self.at(*path)
        if found is None or found.value is None:
            return None
        step = parsed(found) if found.is_scalar else None
        if step is None:
            self.got(path, f"a length of time such as 15m, 1h, 7d, 2w or 1mo {otherwise}".rstrip())
        elif step.count < least:
            self.got(path, f"at least {least}{step.unit}")
        else:
            return step
        return None

    def one_of(self, path: Path, valid: Iterable[str], what: str) -> None:
        """A text that must be one of some names, if it is there at all."""
        names = list(valid)
        text = self.text(*path)
        if text is not None and text not in names:
            self.say(path, f"there is no {what} {text!r}{nearest(text, names)}")

    def source(self, path: Path, name: str) -> bool:
        """Whether a name given at a path is that of a source; a fault where it is not."""
        sources = self.root.get("sources")
        if sources is None or not sources.is_map or not sources.value:
            return False  # that there are none is said elsewhere
        if name not in sources.value:
            self.say(path, f"there is no source {name!r}{nearest(name, sources.value)}")
        return name in sources.value

    def zone(self, *path: str | int) -> None:
        """A time zone, if it is there at all."""
        text = self.text(*path)
        if text is not None and not is_zone(text):
            near = nearest(text, _zones()).partition(";")[2].partition("?")
            hint = f";{near[0]}?" if near[1] else "; expected an IANA name such as America/New_York or UTC"
            self.say(path, f"there is no time zone {text!r}{hint}")


def parsed(node: Node) -> Step | None:
    """A scalar as a length of time, or none."""
    try:
        return Step.parse(node.words() or "")
    except UserError:
        return None


def is_zone(name: str) -> bool:
    """Whether this machine knows a time zone of that name."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _zones() -> list[str]:
    from zoneinfo import available_timezones

    return sorted(available_timezones())
