"""A project written out: as YAML, and as rows that say where each value came from."""

from collections.abc import Mapping
from typing import Any

import yaml

from asof.project import Origin, Project, overlays
from asof.project.messages import Path, setting
from asof.project.trees import Node, scalar
from asof.specs import ProjectSpec


class _Dumper(yaml.SafeDumper):
    """Quotes whatever our reader would take for more than a text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        del data
        return True


def _text(dumper: _Dumper, data: str) -> yaml.Node:
    style = None if isinstance(scalar(data), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _text)


def origins(spec: ProjectSpec, root: Node) -> dict[str, Origin]:
    """Origin of every setting by its path: leaves, and mappings and lists that are empty."""
    leaves = _leaves(spec.model_dump(mode="json"))
    return {setting(path, root): _origin(value, path, root) for path, value in leaves if not _is_of_feature(path)}


def _is_of_feature(path: Path) -> bool:
    """Whether it is the name or kind of a feature, which its path says already."""
    return len(path) == 3 and path[0] == "features" and path[2] in {"name", "kind"}


def _leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name, child in value.items() for leaf in _leaves(child, (*path, name))]
    if isinstance(value, list) and value and any(isinstance(child, dict | list) for child in value):
        return [leaf for index, child in enumerate(value) for leaf in _leaves(child, (*path, index))]
    return [(path, value)]


def _origin(value: Any, path: tuple[str | int, ...], root: Node) -> Origin:
    node = root.get(*path)
    if node is None:
        return Origin(value)
    return Origin(_masked(value, node), node.file, node.line, _who(node))


def _who(node: Node) -> str:
    """Who set a value; of a list, all who set one of its members."""
    return ", ".join(
        dict.fromkeys([child.who for _, child in node.walk()] if node.is_list and node.value else [node.who])
    )


def _masked(value: Any, node: Node) -> Any:
    if node.masked is not None:
        return node.masked
    if isinstance(value, list):
        return [_masked(member, child) if (child := node.get(index)) else member for index, member in enumerate(value)]
    return value


def show(project: Project) -> list[dict[str, Any]]:
    """See ``asof.project.show``."""
    return [
        {
            "path": path,
            "value": origin.value,
            "from": str(origin),
            "file": origin.file,
            "line": origin.line,
            "who": origin.who,
        }
        for path, origin in project.origins.items()
        # What is not asked of a column need not be told.
        if origin.who != "default" or not {"checks", "repairs"} & set(path.split(".")[2:-1])
    ]


def resolved(project: Project) -> str:
    """See ``asof.project.resolved``."""
    content = _written(project.spec.model_dump(mode="json", exclude_none=True), (), project.secrets)
    content["features"] = [
        {item["name"]: item["options"]} if item["options"] else item["name"] for item in content["features"]
    ]
    return written(content)


def written(page: Mapping[str, Any]) -> str:
    """See ``asof.project.written``."""
    return yaml.dump(dict(page), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _written(value: Any, path: Path, secrets: Mapping[Path, str]) -> Any:
    if isinstance(value, dict):
        return {name: _written(child, (*path, name), secrets) for name, child in value.items()}
    if isinstance(value, list):
        return [_written(child, (*path, index), secrets) for index, child in enumerate(value)]
    if path in secrets:
        return secrets[path]
    return value if not isinstance(value, str) or overlays.is_reference(path) else overlays.escaped(value)


def secrets(root: Node) -> dict[Path, str]:
    """What stands in the file, by path, where the value itself may be secret."""
    return {path: node.masked for path, node in root.walk() if node.masked is not None}
