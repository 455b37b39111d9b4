"""What is laid over the file: a section of ``environments``, ``--set``, and variables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asof.errors import Problem, ProjectError
from asof.project.trees import Node, compose, scalar

_VARIABLE = re.compile(
    r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\$\{)"
)
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE", re.IGNORECASE)
LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]+@")
"""An address that carries a password."""


def merge(base: Node, over: Node) -> Node:
    """Lay ``over`` over ``base``: mappings merge, anything else replaces, nothing (``null``) takes away."""
    if not base.is_map or not over.is_map or over.whole:
        return over
    merged = dict(base.value)
    for name, child in over.items():
        if child.value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged[name], child) if name in merged else child
    return base.near(merged, whole=base.whole)


def features_by_name(root: Node, section: Node) -> None:
    """Lay the features that a section writes as a mapping over those of the same name, in place of the whole list."""
    base, over = root.get("features"), section.get("features")
    if base is None or not base.is_list or over is None or not over.is_map:
        return
    if not all(item.is_map and "options" in item.value for item in base.value):
        return  # what is no feature is told of as it stands
    items = {str(item.value["name"].value): item for item in base.value}
    for name, child in over.items():
        if child.value is None:
            items.pop(name, None)
        elif name in items:
            options = merge(items[name].value["options"], child)
            items[name] = items[name].near({**items[name].value, "options": options})
        else:
            items[name] = child.near({"name": child.near(name, text=name), "options": child})
    section.value["features"] = over.near(list(items.values()), whole=True)


def marked(node: Node, who: str) -> Node:
    """Note at a node and all below it who set them."""
    for _, child in node.walk():
        child.who = who
    return node


def apply(root: Node, assignment: str) -> None:
    """Lay ``a.b=c`` over the tree, in place; ``c`` is read as YAML.

    Raises:
        ProjectError: it is no assignment, or its path leads through something that has no parts.
    """
    file = f"--set {assignment}"
    path, equals, value = assignment.partition("=")
    steps = path.strip().split(".")
    if not equals or not all(steps):
        raise ProjectError([Problem("expected a path and a value, such as judge.folds=5", file)])
    try:
        node, _ = compose(value.strip(), file, who="--set")
    except ProjectError as fault:
        raise ProjectError([Problem(problem.message, _hidden(file), 0, path) for problem in fault.problems]) from fault
    for _, child in node.walk():
        child.line, child.file = 0, _hidden(file)
    _put(root, _addressed(root, steps), node, file=_hidden(file))


def _hidden(file: str) -> str:
    """An assignment without its value where that may be secret."""
    return f"{file.partition('=')[0]}=…" if SECRET.search(file) or LOGIN.search(file) else file


def _addressed(root: Node, steps: list[str]) -> list[str]:
    """Steps into the long form: a feature may be named, and its options follow at once."""
    features = root.get("features")
    if steps[0] != "features" or len(steps) == 1 or features is None or not features.is_list:
        return steps
    names = [str(name.value) if (name := item.get("name")) else "" for item in features.value]
    index = steps[1] if steps[1].isdecimal() else str(names.index(steps[1])) if steps[1] in names else steps[1]
    rest = steps[2:]
    if rest and index.isdecimal() and int(index) < len(names) and rest[0] == names[int(index)]:
        rest = rest[1:]
        return ["features", index, "options", *rest]
    return ["features", index, *(["options", *rest] if rest and rest[0] not in {"name", "kind", "options"} else rest)]


def _put(root: Node, steps: Sequence[str], node: Node, *, file: str) -> None:
    parent = root
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        here = ".".join(steps[: depth + 1])
        if parent.is_list:
            if not step.isdecimal() or int(step) >= len(parent.value):
                message = (
                    f"expected the number of an item, 0 to {len(parent.value) - 1}, got {step!r}"
                    if parent.value
                    else "the list is empty"
                )
                raise ProjectError([Problem(message, file, 0, here)])
            if last:
                parent.value[int(step)] = node
                return
            parent = parent.value[int(step)]
            continue
        if not parent.is_map:
            raise ProjectError([Problem(f"{'.'.join(steps[:depth])} has no parts to set", file, 0, here)])
        if last:
            _lay(parent, step, node)
            return
        parent = parent.value.setdefault(step, Node({}, file, 0, "--set"))


def _lay(parent: Node, name: str, node: Node) -> None:
    if node.value is None:
        parent.value.pop(name, None)
    else:
        parent.value[name] = merge(parent.value[name], node) if name in parent.value else node


@dataclass
class Variables:
    """Puts variables of the environment in the place of ``${NAME}`` and ``${NAME:-default}``."""

    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def fill(self, root: Node) -> None:
        """Substitute in all scalars, in place, but for what only the readers of sources resolve."""
        for path, node in list(root.walk()):
            if isinstance(node.value, str) and "${" in node.value and not is_reference(path):
                self._fill_one(node, ".".join(map(str, path)))

    def _fill_one(self, node: Node, where: str) -> None:
        raw, names = node.value, []

        def put(found: re.Match[str]) -> str:
            if found["escaped"]:
                return "${"
            if found["broken"]:
                message = "'${' begins no variable: expected ${NAME} or ${NAME:-default}; $${ stands for ${ itself"
                self._say(node, where, message)
                return ""
            names.append(found["name"])
            value = self.environ.get(found["name"])
            if not value and found["default"] is not None:  # as in a shell: an empty one is as good as none
                value = found["default"]
            if value is None:
                hint = f"set it, or write ${{{found['name']}:-default}}"
                self._say(node, where, f"the variable {found['name']} is not set: {hint}")
                return ""
            return value

        text = _VARIABLE.sub(put, raw)
        node.value, node.text = (scalar(text) if node.plain else text), text
        if names:
            node.who = (
                f"variable {', '.join(names)}"
                if node.who in {"file", "--set"}
                else f"{node.who}, variable {', '.join(names)}"
            )
        if any(SECRET.search(name) for name in names) or (names and LOGIN.search(text)):
            node.masked = raw

    def _say(self, node: Node, where: str, message: str) -> None:
        node.wrong = True
        self.problems.append(Problem(message, node.file, node.line, where))


def is_reference(path: Sequence[str | int]) -> bool:
    """Whether a path leads to what only an adapter resolves when used: a token, or where answers and alarms go."""
    return tuple(path) in {("answers",), ("watch", "webhook")} or is_token(path)


def is_token(path: Sequence[str | int]) -> bool:
    """Whether a path leads to what only the reader of a source resolves, since it may hold a secret."""
    if len(path) < 4 or path[0] != "sources":
        return False
    alone = {("socrata", "token"), ("sql", "url"), ("api", "url")}
    return path[2:] in alone or path[2:4] in {("api", "params"), ("api", "headers"), ("adapter", "options")}


def escaped(value: str) -> str:
    """A text that reads back as itself though it contains ``${``."""
    return value.replace("${", "$${")
