"""Parameters that a person gives an estimator by name: which there are, and of which type."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from asof.estimators.base import Estimator

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
"""Types of parameters, in words."""


def misfits(name: str, estimator: Estimator, params: Mapping[str, Any]) -> dict[str, str]:
    """Say of each parameter that the estimator ``name`` cannot take why; nothing where all are fine.

    The defaults of an estimator say which parameters it has; a number is of the type of the default.
    """
    found = {}
    known = estimator.defaults
    for param, value in params.items():
        if param not in known:
            near = get_close_matches(param, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            have = f"it has {', '.join(known)}" if known else "it has none"
            found[param] = f"{name} has no parameter {param!r}; {hint}{have}"
            continue
        kind = type(known[param])
        if kind in WORDS and not _fits(value, kind):
            found[param] = f"expected {WORDS[kind]} such as {known[param]}, got {value!r}"
    return found


def _fits(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
