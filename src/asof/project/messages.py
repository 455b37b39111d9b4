"""What Pydantic finds, in the words of the project file: which setting, what was expected, what was there."""

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from asof.errors import Problem
from asof.project.trees import Node
from asof.specs import ProjectSpec

_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    date: "a date such as 2024-01-31",
}
_EXPECTED: Mapping[tuple[type[BaseModel], str], str] = {
    (ProjectSpec, "name"): "lower-case letters, digits and _, beginning with a letter, such as nyc_collisions",
    (ProjectSpec, "sources"): "the sources by name, such as `crashes: {files: data/*.csv, time: date}`",
    (ProjectSpec, "predict"): "what is predicted, such as `{count: crashes, per: {place: zone, every: 1d}}`",
}
"""Better words than the type gives."""

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


def dotted(path: Iterable[str | int]) -> str:
    """Path of a setting as it is written in messages and in ``--set``."""
    return ".".join(str(step) for step in path)


def setting(path: Path, root: Node) -> str:
    """Path of a setting as ``--set`` takes it: a feature by its name, its options at once behind it."""
    features = root.get("features")
    if len(path) < 2 or path[0] != "features" or not isinstance(path[1], int) or features is None:
        return dotted(path)
    names = [item.child("name") for item in features.each_node()]
    texts = [name.words() if name is not None else None for name in names]
    name = texts[path[1]]
    label = name if name is not None and texts.count(name) == 1 else path[1]
    return dotted(("features", label, *(path[3:] if path[2:3] == ("options",) else path[2:])))


def validated(model: type[Model], root: Node, found: list[tuple[Path, Problem]]) -> Model | None:
    """Make a model of a tree; where that fails, one problem for each fault not yet spoken of is added to ``found``.

    The path of each problem is relative to ``root``. A number where a text is wanted is read as it is written.
    """
    while True:
        try:
            return model.model_validate(root.plain_value())
        except ValidationError as fault:
            errors = fault.errors(include_url=False, include_context=False, include_input=False)
        if not _texts(model, errors, root):
            break
    seen = set()
    for error in errors:
        spoken = _problem(model, error["type"], error["loc"], root)
        if spoken is not None and (spoken[0], spoken[1].message) not in seen:
            seen.add((spoken[0], spoken[1].message))
            found.append(spoken)
    return None


def _texts(model: type[BaseModel], errors: Sequence[Any], root: Node) -> int:
    """Turn numbers and the like that stand where a text is wanted into what was written; returns how many."""
    turned = 0
    for error in errors:
        if error["type"] != "string_type":
            continue
        _, node, _, _, rest = _follow(model, error["loc"], root)
        if not rest and node.is_scalar and node.text is not None and not isinstance(node.value, str | None):
            node.value = node.text
            turned += 1
    return turned


def _problem(start: type[BaseModel], kind: str, loc: Sequence[str | int], root: Node) -> tuple[Path, Problem] | None:
    path, node, model, annotation, rest = _follow(start, loc, root)
    if node.wrong or _above_is_wrong(root, path):
        return None

    def at(message: str, *missing: str | int) -> tuple[Path, Problem]:
        return (*path, *missing), Problem(message, node.file, node.line)

    if kind == "extra_forbidden":
        return at(_unknown(str(path[-1]), model))
    if rest:
        if node.is_scalar:  # a branch of "this or that" which the value did not take
            return None
        if isinstance(rest[0], int):
            return at(f"expected {words(annotation)}, got {shown(node)}")
        return at(f"missing: expected {_wanted(model, str(rest[0]))}", *rest)
    if node.is_map and any(
        isinstance(choice, type) and issubclass(choice, BaseModel) for choice in _choices(annotation)
    ):
        return None  # likewise
    if path and isinstance(path[-1], str) and model is not None and path[-1] in model.model_fields:
        return at(f"expected {_wanted(model, path[-1])}, got {shown(node)}")
    return at(f"expected {words(annotation)}, got {shown(node)}")


def _above_is_wrong(root: Node, path: Path) -> bool:
    node: Node | None = root
    for step in path:
        if node is None or node.wrong:
            return node is not None
        node = node.get(step)
    return False


def _unknown(name: str, model: type[BaseModel] | None) -> str:
    valid = list(model.model_fields) if model is not None else []
    if model is ProjectSpec:
        valid.append("environments")
    return f"unknown name{nearest(name, valid)}"


def nearest(name: str, valid: Iterable[str], *, most: int = 12) -> str:
    """``; did you mean 'x'? …`` or, where nothing is near, the valid names; begins with a semicolon."""
    names = list(valid)
    lower = {known.lower(): known for known in reversed(names)}
    near = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    said = f"; did you mean {lower[near[0]]}?" if near else ""
    if not names or (near and len(names) > most):
        return said
    more = ", …" if len(names) > most else ""
    return f"{said}{'' if said else ';'} {'known are' if near else 'expected one of'} {', '.join(names[:most])}{more}"


def shown(node: Node) -> str:
    """A value as it is shown in a message; never what may be secret."""
    if node.masked is not None:
        return repr(node.masked)
    if node.is_map:
        return "a mapping" if node.value else "an empty mapping"
    if node.is_list:
        return f"a list of {len(node.value)}"
    if node.value is None:
        return "nothing"
    text = node.words() or ""
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _wanted(model: type[BaseModel] | None, name: str) -> str:
    if model is None or name not in model.model_fields:
        return "a value"
    field = model.model_fields[name]
    return _EXPECTED.get((model, name)) or words(field.annotation) + _limits(field)


def _limits(field: FieldInfo) -> str:
    low = next((limit for limit in field.metadata if isinstance(limit, Ge | Gt)), None)
    high = next((limit for limit in field.metadata if isinstance(limit, Le | Lt)), None)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f" from {low.ge} to {high.le}"
    return f" of at least {low.ge}" if isinstance(low, Ge) else ""


def words(annotation: Any) -> str:
    """What a type expects, in words."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, members = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(words(member) for member in members if member is not type(None)))
    if origin is Literal:
        return ("one of " if len(members) > 1 else "") + ", ".join(map(str, members))
    if origin is tuple:
        return (
            f"a list of {_plural(members[0])}"
            if members[-1] is Ellipsis
            else f"a list of {len(members)} {_plural(members[0])}"
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping of {', '.join(annotation.model_fields)}"
    return "a mapping" if origin is dict else "a value"


def _plural(member: Any) -> str:
    plurals = {str: "texts", int: "whole numbers", float: "numbers", date: "dates such as 2024-01-31"}
    origin = get_origin(member)
    return "pairs of dates such as [2024-01-01, 2024-02-01]" if origin is tuple else plurals.get(member, "mappings")


def _follow(
    start: type[BaseModel], loc: Sequence[str | int], root: Node
) -> tuple[Path, Node, type[BaseModel] | None, Any, Sequence[str | int]]:
    """Walk tree and types along ``loc``: path and node reached, model around it, its type, and what is not there."""
    path: list[str | int] = []
    node, annotation = root, start
    model: type[BaseModel] | None = None
    remaining = list(loc)
    while remaining:
        branch = _branch(annotation, remaining[0])
        if branch is not None:
            if len(remaining) == 1:
                remaining = []
                break
            annotation, remaining = branch, remaining[1:]
        inner, around = _inner(annotation, remaining[0])
        child = node.get(remaining[0])
        if child is None:
            return tuple(path), node, around or model, annotation, remaining
        path.append(remaining[0])
        node, annotation, model, remaining = child, inner, around, remaining[1:]
    return tuple(path), node, model, annotation, remaining


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) in {Union, types.UnionType}:
        return [member for member in get_args(annotation) if member is not type(None)]
    return [annotation]


def _branch(annotation: Any, tag: str | int) -> Any:
    """Return the member of a union that Pydantic names by ``tag``, or none where this is no union."""
    members = _choices(annotation)
    if len(members) < 2:
        return None
    return next((member for member in members if getattr(member, "__name__", "") == tag), members[0])


def _inner(annotation: Any, step: str | int) -> tuple[Any, type[BaseModel] | None]:
    """Type of a part, and the model of which it is a field."""
    chosen = _choices(annotation)[0]
    members = get_args(chosen)
    if isinstance(chosen, type) and issubclass(chosen, BaseModel):
        field = chosen.model_fields.get(str(step))
        return (field.annotation if field is not None else Any), chosen
    if get_origin(chosen) is dict:
        return members[1], None
    if get_origin(chosen) is tuple:
        fixed = members[-1] is not Ellipsis and isinstance(step, int) and step < len(members)
        return (members[int(step)] if fixed else members[0]), None
    return Any, None
