"""Another time of day for the code of users: a feature that reads the clock must not answer by it."""

import builtins
import contextlib
import datetime as datetimes  # noqa: ICN001 - the module itself, of which a plug-in is given another
import time as times
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

USER = "asof_plugin_"
"""Beginning of the names of modules that hold code of users (see ``asof.plugins``)."""


class _Real(type):
    """Instances of the real class are instances of the one that stands in for it."""

    real: type

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.real)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.real)


def _of_moment(now: Callable[[], float]) -> ModuleType:
    """The module ``datetime`` whose present is ``now``."""

    class Datetime(datetimes.datetime, metaclass=_Real):
        real = datetimes.datetime

        def __new__(cls, *values: Any, **named: Any) -> Any:
            return datetimes.datetime(*values, **named)  # noqa: DTZ001 - with the zone that it is given

        @classmethod
        def now(cls, tz: datetimes.tzinfo | None = None) -> Any:
            return datetimes.datetime.fromtimestamp(now(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(datetimes.UTC).replace(tzinfo=None)

    class Date(datetimes.date, metaclass=_Real):
        real = datetimes.date

        def __new__(cls, *values: Any, **named: Any) -> Any:
            return datetimes.date(*values, **named)

        @classmethod
        def today(cls) -> Any:
            return datetimes.date.fromtimestamp(now())  # noqa: DTZ012 - local, as the real one

    return _like(datetimes, {"datetime": Datetime, "date": Date})


def _of_clock(now: Callable[[], float]) -> ModuleType:
    """The module ``time`` whose present is ``now``."""

    def of_now(read: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: read(*(given or (now(),)))

    told = {"time": now, "time_ns": lambda: int(now() * 1e9)}
    return _like(times, told | {name: of_now(getattr(times, name)) for name in ("localtime", "gmtime", "ctime")})


def _like(module: ModuleType, other: dict[str, Any]) -> ModuleType:
    made = ModuleType(module.__name__)
    vars(made).update(vars(module) | other)
    return made


@contextlib.contextmanager
def later(by: datetimes.timedelta) -> Iterator[None]:
    """Let plug-ins that are loaded within import a ``datetime`` and a ``time`` that tell a moment later by ``by``.

    No other module is given them. The clocks of compiled libraries (``numpy.datetime64("now")``,
    ``pandas.Timestamp.now()``) are not reached.
    """

    def now() -> float:
        return times.time() + by.total_seconds()

    stand_ins = {"datetime": _of_moment(now), "time": _of_clock(now)}
    real = builtins.__import__

    def imported(name: str, space: Any = None, *rest: Any, **named: Any) -> Any:
        if name in stand_ins and str((space or {}).get("__name__", "")).startswith(USER):
            return stand_ins[name]
        return real(name, space, *rest, **named)

    builtins.__import__ = imported  # type: ignore[assignment]
    try:
        yield
    finally:
        builtins.__import__ = real
