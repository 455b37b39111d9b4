"""Sources of installed packages, by the entry-point group ``asof.sources``.

An entry point names a module with two names: ``Options``, a Pydantic model of what the project may say, and
``open_reader(options, asked)``, which gives a ``ports.Reader``. See docs/sources.md.
"""

import importlib.metadata
from collections.abc import Mapping
from typing import Any, Final, Protocol

from pydantic import BaseModel, ValidationError

from asof.adapters import variables
from asof.errors import DataError, UserError
from asof.ports import Asked, Reader
from asof.specs import AdapterSpec

GROUP: Final = "asof.sources"


class Package(Protocol):
    """What an entry point must name: a module (or an object) with these two."""

    Options: type[BaseModel]

    def open_reader(self, options: Any, asked: Asked) -> Reader:
        """Open the source that ``options`` describe; nothing is read yet."""
        ...


def names() -> list[str]:
    """Names of the adapters that installed packages bring, sorted."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)})


def find(name: str) -> Package:
    """Load an adapter; raises ``DataError`` where it is not there, is there twice, or lacks a name."""
    points = list(importlib.metadata.entry_points(group=GROUP, name=name))
    if len({point.value for point in points}) != 1:
        told = " and ".join(sorted(point.value for point in points)) or "no installed package"
        message = f"the adapter {name!r} is named by {told}; expected exactly one entry point of {GROUP}"
        raise DataError(message)
    try:
        loaded: Any = points[0].load()
    except Exception as fault:
        message = f"the adapter {name!r} ({points[0].value}) cannot be loaded: {type(fault).__name__}: {fault}"
        raise DataError(message) from fault
    options = getattr(loaded, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)) or not callable(
        getattr(loaded, "open_reader", None)
    ):
        message = f"the adapter {name!r} ({points[0].value}) lacks Options (a Pydantic model) or open_reader"
        raise DataError(message)
    package: Package = loaded
    return package


def open_reader(spec: AdapterSpec, asked: Asked, environ: Mapping[str, str]) -> Reader:
    """Open the reader of a source, its variables filled in and its options validated.

    Raises:
        UserError: an option is unknown or wrong; no value is shown, since it may be secret.
        OutsideError: a variable is not set.
    """
    package = find(spec.name)
    try:
        options = package.Options.model_validate(variables.fill_all(spec.options, environ))
    except ValidationError as fault:
        told = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors(include_input=False)
        )
        message = f"adapter {spec.name}: {told}"
        raise UserError(message) from None
    return package.open_reader(options, asked)
