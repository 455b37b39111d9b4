"""Folders under watch: when something may have changed in them, and whether a file in them is still being written."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from asof.adapters import delimited
from asof.errors import UserError

TICK: Final = 0.25
"""Seconds between two looks at the clock."""
TAIL: Final = 1 << 20
"""Bytes at the end of a file in which its last line must begin."""

Ending = Literal["whole", "open", "half"]


def wakes(folders: Mapping[Path, bool], stop: threading.Event) -> Iterator[bool]:
    """Come round at least every ``TICK`` seconds until ``stop``: whether something in the folders may have changed.

    Args:
        folders: each with whether folders within it count; one that is not there is watched as soon as it is.
        stop: ends the watch when set.

    Raises:
        UserError: the library that watches is not installed.
    """
    return _wakes(_library(), folders, stop)


def _wakes(watch: Any, folders: Mapping[Path, bool], stop: threading.Event) -> Iterator[bool]:
    while not stop.is_set():
        there = [folder for folder in folders if folder.is_dir()]
        yield True  # nothing was watched until now
        if not there:
            stop.wait(TICK)
            continue
        settings = {
            "watch_filter": _Shown(tuple(there)),
            "stop_event": stop,
            "recursive": any(folders[folder] for folder in there),
            "rust_timeout": int(1000 * TICK),
            "debounce": int(1000 * TICK),
            "yield_on_timeout": True,
        }
        with contextlib.suppress(FileNotFoundError):  # a folder went away just now
            for changes in watch(*there, **settings):
                yield bool(changes)
                if [folder for folder in folders if folder.is_dir()] != there:
                    break


def _library() -> Any:
    try:
        from watchfiles import watch
    except ImportError as fault:
        raise UserError("--watch needs one more package: pip install 'asof[watch]'") from fault
    return watch


@dataclass(frozen=True)
class _Shown:
    """Whether a path counts: not one with a hidden part below the folder, such as our own store."""

    folders: tuple[Path, ...]

    def __call__(self, _change: object, path: str) -> bool:
        below = [Path(path).relative_to(folder) for folder in self.folders if Path(path).is_relative_to(folder)]
        return not any(part.startswith(".") for one in below for part in one.parts)


def ending(path: Path, form: Literal["csv", "json", "parquet"], delimiter: str) -> Ending:
    """How a local file ends: with a whole line, with one that may go on, or in the middle of a record.

    Of compressed files this shows when they are read: they count as whole.
    """
    try:
        with path.open("rb") as file:
            head = file.read(TAIL)
            file.seek(max(path.stat().st_size - TAIL, 0))
            tail = file.read()
    except OSError:
        return "half"  # it is being replaced
    if head.startswith(b"\x1f\x8b"):
        return "whole"
    if form == "parquet":
        return "whole" if tail.endswith(b"PAR1") else "half"
    if form == "json" and head.lstrip().startswith(b"["):
        return "whole" if tail.rstrip().endswith(b"]") else "half"
    if tail.endswith((b"\n", b"\r")) or b"\0" in tail:
        return "whole"
    last = tail[tail.rfind(b"\n") + 1 :]
    if form == "json":
        return "open" if last.rstrip().endswith(b"}") else "half"
    names, _, _ = delimited.header(head, delimiter)
    return "half" if delimited.split(last, delimiter, len(names), line=1, last=True).broken else "open"
