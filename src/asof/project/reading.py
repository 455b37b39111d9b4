"""From an address to a checked project: fetch, compose, overlay, expand, check."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asof.errors import Problem, ProjectError
from asof.project import Project, forms, messages, overlays, printing, rules
from asof.project.trees import Node, compose
from asof.specs import ProjectSpec

FILE = "project.yaml"


def read(address: str, *, environment: str | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Project:
    """See ``asof.project.read``."""
    data, file, folder = fetch(address)
    root, problems = compose(data, file)
    if not root.is_map or not root.value:
        said = "the file is empty" if root.value is None or root.value == {} else f"the file is {messages.shown(root)}"
        raise ProjectError([*problems, Problem(f"{said}: expected name, sources and predict", file, root.line)])
    others, found = _overlay(root, environment, overrides, environ)
    problems += found
    spec, found = validate(root, folder)
    problems += found
    for other in others.values():
        problems += _unknown_names(other)
    if problems or spec is None:
        raise ProjectError(in_order(problems))
    return Project(spec, folder, address, printing.origins(spec, root), printing.secrets(root))


def fetch(address: str) -> tuple[bytes, str, Path]:
    """Content of the project file, its name for messages, and the base of its relative paths."""
    if address.startswith("s3://"):
        from asof.adapters import objects

        whole = address if address.endswith((".yaml", ".yml")) else f"{address.rstrip('/')}/{FILE}"
        return objects.read_bytes(whole), whole, Path.cwd()
    if "://" in address:
        raise ProjectError([Problem("expected a folder, a file or s3://bucket/key", address)])
    path = Path(address)
    file = path / FILE if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            data = stream.read(1 << 20)
    except FileNotFoundError:
        advice = f"no such file: expected a folder with a {FILE}, a file or s3://…; `asof init TABLE` proposes one"
        raise ProjectError([Problem(advice, str(file))]) from None
    except OSError as fault:
        raise ProjectError([Problem(f"cannot be read: {fault.strerror or fault}", str(file))]) from fault
    return data, str(file), file.resolve().parent


def _overlay(
    root: Node, environment: str | None, overrides: Sequence[str], environ: Mapping[str, str]
) -> tuple[dict[str, Node], list[Problem]]:
    """Lay everything over the tree, in place; returns what the environments not chosen would make of it."""
    problems: list[Problem] = []
    sections = root.value.pop("environments", None)
    forms.expand(root)
    others: dict[str, Node] = {}
    for name, section in _sections(sections, problems):
        overlays.features_by_name(root, section)
        forms.expand(section)
        merged = overlays.merge(_copied(root), overlays.marked(section, f"environment {name}"))
        others[name] = merged
    if environment is not None and environment not in others:
        line = sections.line if sections is not None else 0
        problems.append(Problem(_no_environment(environment, list(others)), root.file, line, "environments"))
    chosen = others.pop(environment or "", None)
    if chosen is not None:
        root.value = chosen.value
    for assignment in overrides:
        try:
            overlays.apply(root, assignment)
        except ProjectError as fault:
            problems += fault.problems
    forms.expand(root)
    variables = overlays.Variables(environ)
    variables.fill(root)
    forms.expand(root)
    return others, problems + variables.problems


def _sections(sections: Node | None, problems: list[Problem]) -> list[tuple[str, Node]]:
    if sections is None or sections.value is None:
        return []
    found = []
    for name, section in sections.items():
        if section.is_map:
            found.append((name, section))
        elif section.value is not None:
            message = f"expected settings to lay over the file, got {messages.shown(section)}"
            problems.append(Problem(message, section.file, section.line, f"environments.{name}"))
        else:
            found.append((name, section.near({})))
    if not sections.is_map:
        message = f"expected sections by name, such as `dev: {{store: …}}`, got {messages.shown(sections)}"
        problems.append(Problem(message, sections.file, sections.line, "environments"))
    return found


def _no_environment(name: str, known: list[str]) -> str:
    if not known:
        return f"there is no environment {name!r}: the file has no section environments"
    return f"there is no environment {name!r}{messages.nearest(name, known)}"


def _copied(node: Node) -> Node:
    if node.is_map:
        return node.near({name: _copied(child) for name, child in node.items()}, whole=node.whole)
    if node.is_list:
        return node.near([_copied(child) for child in node.value], whole=node.whole)
    return node.near(node.value, text=node.text, plain=node.plain)


def validate(root: Node, folder: Path) -> tuple[ProjectSpec | None, list[Problem]]:
    """Make a spec of the tree, or say all that keeps it from being one."""
    problems = rules.check(root, folder)
    found: list[tuple[messages.Path, Problem]] = []
    spec = messages.validated(ProjectSpec, root, found)
    return spec, problems + _placed(found, root)


def _placed(found: Sequence[tuple[messages.Path, Problem]], root: Node) -> list[Problem]:
    return [replace(problem, where=messages.setting(path, root) or "project") for path, problem in found]


def _unknown_names(root: Node) -> list[Problem]:
    """Unknown names in an environment that was not chosen; its values may wait for variables not set here."""
    found: list[tuple[messages.Path, Problem]] = []
    messages.validated(ProjectSpec, root, found)
    return [problem for problem in _placed(found, root) if problem.message.startswith("unknown name")]


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Faults of the file by line, then those of ``--set``."""
    unique = list(dict.fromkeys(problems))
    return sorted(unique, key=lambda problem: (problem.file.startswith("--set"), problem.line, problem.where))
