"""Variables of the environment in the settings of a source, put in when it is read and not before.

What may hold a secret (an address, a header, a parameter) keeps its ``${NAME}`` in the project, in a release and in a
log; only a reader sees the value.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from asof.errors import OutsideError

_VARIABLE: Final = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")


def fill(text: str, environ: Mapping[str, str]) -> str:
    """Put the value of each ``${NAME}`` or ``${NAME:-default}`` in its place; ``$${`` stands for ``${`` itself.

    Raises ``OutsideError`` where a variable is not set and has no default.
    """

    def put(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        value = environ.get(found["name"]) or found["default"]
        if value is None:
            message = f"credentials are missing: the variable {found['name']} is not set or empty; set it and run again"
            raise OutsideError(message)
        return value

    return _VARIABLE.sub(put, text)


def fill_all(value: Any, environ: Mapping[str, str]) -> Any:
    """The same in every text of nested lists and mappings."""
    if isinstance(value, str):
        return fill(value, environ)
    if isinstance(value, Mapping):
        return {name: fill_all(inner, environ) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill_all(inner, environ) for inner in value]
    return value


def names(text: str) -> list[str]:
    """Names of the variables in a text."""
    return [found["name"] for found in _VARIABLE.finditer(text) if found["name"]]
