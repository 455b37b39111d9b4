"""Plug-ins: a user's own lookups, encoders, estimators and metrics, from files of the project or installed packages.

A file of the project says::

    import asof

    @asof.lookup
    def night_share(questions, past):
        ...

An installed package names a module in the entry-point group ``asof.plugins``; the module's decorated parts are found
when it is loaded.
"""

import functools
import importlib.metadata
import importlib.util
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, overload

from asof.errors import DataError

Part = TypeVar("Part", bound=Callable[..., Any])
_MARK = "__asof_plugin__"
_MODULE = "asof_plugin_"
"""What the names of modules begin with that are run from files."""
_KINDS = ("lookup", "encoder", "estimator", "metric")
GROUP = "asof.plugins"
"""Entry-point group of installed plug-ins."""


@dataclass(frozen=True)
class Plugins:
    """Parts of users by name, beside ours."""

    lookups: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Functions of (questions, past, and options by name) that answer a Series or DataFrame."""
    encoders: Mapping[str, Any] = field(default_factory=dict)
    """Classes whose constructor takes the options of a plan."""
    estimators: Mapping[str, Any] = field(default_factory=dict)
    """Classes whose constructor takes nothing."""
    metrics: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Functions of (n labels, n predictions) that answer n losses, lower is better."""


@overload
def lookup(part: Part) -> Part: ...
@overload
def lookup(*, name: str) -> Callable[[Part], Part]: ...
def lookup(part: Part | None = None, *, name: str = "") -> Part | Callable[[Part], Part]:
    """Mark a function ``(questions, past, ...) -> Series or DataFrame`` as a lookup, under its own name or ``name``."""
    return _mark("lookup", part, name)


@overload
def encoder(part: Part) -> Part: ...
@overload
def encoder(*, name: str) -> Callable[[Part], Part]: ...
def encoder(part: Part | None = None, *, name: str = "") -> Part | Callable[[Part], Part]:
    """Mark a class with ``fit`` and ``encode`` as an encoder, under its own name or ``name``."""
    return _mark("encoder", part, name)


@overload
def estimator(part: Part) -> Part: ...
@overload
def estimator(*, name: str) -> Callable[[Part], Part]: ...
def estimator(part: Part | None = None, *, name: str = "") -> Part | Callable[[Part], Part]:
    """Mark a class with ``fit`` and ``read`` as an estimator, under its own name or ``name``."""
    return _mark("estimator", part, name)


@overload
def metric(part: Part) -> Part: ...
@overload
def metric(*, name: str) -> Callable[[Part], Part]: ...
def metric(part: Part | None = None, *, name: str = "") -> Part | Callable[[Part], Part]:
    """Mark a function (n labels, n predictions) -> n losses as a metric, under its own name or ``name``."""
    return _mark("metric", part, name)


def load(paths: Iterable[Path], *, installed: bool = True) -> Plugins:
    """Run the project's files, each in a module of its own, and gather what they mark.

    Args:
        paths: Python files.
        installed: also those that installed packages name in the group ``asof.plugins``.

    Raises:
        DataError: a file is missing or fails (with file and line), marks nothing, or two parts have one name.
    """
    found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    origin: dict[tuple[str, str], str] = {}
    for where, module in [*_from_packages(installed), *((str(path), _run(path)) for path in paths)]:
        marked = _marked(module)
        if not marked:
            raise DataError(f"{where}: no plug-in; expected functions or classes under @asof.{', @asof.'.join(_KINDS)}")
        for kind, name, part in marked:
            if (kind, name) in origin:
                raise DataError(f"{where}: {kind} {name!r} is already made in {origin[kind, name]}; rename one")
            origin[kind, name] = where
            found[kind][name] = part
    return Plugins(found["lookup"], found["encoder"], found["estimator"], found["metric"])


def blamed(fault: BaseException, *, whole: bool = True) -> DataError | None:
    """Return what a fault within code of a plug-in says to its author: file, line and reason; None for one of ours.

    With ``whole`` the file is told with its folder, which is no part of what is kept.
    """
    own = {point.module for point in packaged()}
    at = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(fault.__traceback__)
        if (name := frame.f_globals.get("__name__", "")).startswith(_MODULE) or name in own
    ]
    if not at:
        return None
    file, line = at[-1]
    file = file if whole else Path(file).name
    return DataError(f"{file}:{line}: plug-in: {type(fault).__name__}: {fault}")


def packaged() -> tuple[importlib.metadata.EntryPoint, ...]:
    """Entry points of installed packages, by name; looked for once as long as Python looks in the same folders."""
    return _points(tuple(sys.path))


@functools.lru_cache(maxsize=4)
def _points(path: tuple[str, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    del path
    return tuple(sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name))


def _mark(kind: str, part: Part | None, name: str) -> Part | Callable[[Part], Part]:
    def marked(part: Part) -> Part:
        setattr(part, _MARK, (kind, name or part.__name__))
        return part

    return marked if part is None else marked(part)


def _marked(module: ModuleType) -> list[tuple[str, str, Any]]:
    """Kind, name and part of everything that a module marks itself, in the order of the file."""
    parts = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    marks = [(vars(part).get(_MARK), part) for part in parts if hasattr(part, "__dict__")]
    return [(*mark, part) for mark, part in marks if mark is not None]


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise DataError(f"{path}: no such file; plugins: names Python files beside the project file")
    name = f"{_MODULE}{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    if spec is None:
        raise DataError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    # Dataclasses and annotations look their module up by its name.
    sys.modules[name] = module
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 - the user's own code, by design
    except SyntaxError as fault:
        raise DataError(f"{path}:{fault.lineno}: {fault.msg}") from fault
    except Exception as fault:
        inside = [frame for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == str(path)]
        line = inside[-1].lineno if inside else 1
        raise DataError(f"{path}:{line}: {type(fault).__name__}: {fault}") from fault
    return module


def _from_packages(wanted: bool) -> list[tuple[str, ModuleType]]:  # noqa: FBT001 - private, one caller
    if not wanted:
        return []
    modules = [(f"package {point.value}", point.load()) for point in packaged()]
    for where, module in modules:
        if not isinstance(module, ModuleType):
            raise DataError(f"{where}: the entry point names {module!r}; expected a module")
    return modules
