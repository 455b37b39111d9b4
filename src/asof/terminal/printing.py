"""How figures, pairs, paragraphs and tables are printed: nothing wider than the screen, no path broken in two."""

import math
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

WIDTH: Final = 100
"""Columns used where standard output is not a terminal and ``COLUMNS`` does not say."""


def console(*, error: bool = False) -> "Console":
    """Open the console of standard output, or of standard error."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS") or WIDTH)
    return Console(file=stream, highlight=False, width=width)


def plain(text: object) -> str:
    """Escape what Rich would read as markup."""
    from rich.markup import escape

    return escape(str(text))


def clip(text: str, width: int) -> str:
    """Cut a text that is longer than ``width``."""
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` characters, broken at blanks alone: a longer word, such as a path, stays whole."""
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]


def number(value: float | None, digits: int = 4) -> str:
    """Write a figure with ``digits`` significant digits; an unknown one as a dash."""
    if value is None or math.isnan(value):
        return "-"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".") if abs(value) >= 1e-4 else f"{value:.{digits}g}"


def interval(figure: Mapping[str, Any] | None, digits: int = 4) -> str:
    """Write ``value [low .. high]``."""
    if not figure:
        return "-"
    text = number(figure.get("value"), digits)
    if figure.get("low") is None:
        return text
    return f"{text}  [{number(figure['low'], digits)} .. {number(figure['high'], digits)}]"


def percent(figure: Mapping[str, Any] | None) -> str:
    """Write a share with its interval in per cent."""
    if not figure or figure.get("value") is None:
        return "-"
    text = f"{100 * figure['value']:.1f} %"
    if figure.get("low") is None:
        return text
    return f"{text}  [{100 * figure['low']:.1f} .. {100 * figure['high']:.1f}]"


class Whole(str):
    """A text that is never broken into lines, so that it can be copied."""

    __slots__ = ()


def path(address: object) -> Whole:
    """Write a path as seen from the current folder, where it lies in it."""
    text = str(address)
    here = Path.cwd()
    inside = "://" not in text and Path(text).is_absolute() and Path(text).is_relative_to(here)
    return Whole(Path(text).relative_to(here) if inside else text)


def title(text: str) -> None:
    """Print a heading, with an empty line before it."""
    screen = console()
    screen.print()
    for line in wrapped(text, screen.width):
        screen.print(f"[bold]{plain(line)}[/]", soft_wrap=True)


def pairs(heading: str, rows: Sequence[tuple[str, object]]) -> None:
    """Print names and values in two columns; a long value goes on beneath itself."""
    if heading:
        title(heading)
    column = max((len(name) for name, _ in rows), default=0) + 4
    for name, value in rows:
        paragraph(name, value, column=column)


def paragraph(mark: str, value: object, *, column: int, style: str = "dim") -> None:
    """Print a text that begins in ``column``, behind a mark, and goes on beneath itself."""
    screen = console()
    lines = [value] if isinstance(value, Whole) else wrapped(str(value), screen.width - column)
    screen.print(f"  [{style}]{plain(mark)}[/]{' ' * (column - len(mark) - 2)}{plain(lines[0])}", soft_wrap=True)
    for line in lines[1:]:
        screen.print(" " * column + plain(line), soft_wrap=True)


def table(heading: str, headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """Print a table whose cells go on beneath themselves."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=heading or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=any(headers),
    )
    for position, header in enumerate(headers):
        made.add_column(header, justify="right" if position in right else "left", overflow="fold", header_style="dim")
    for row in rows:
        made.add_row(*(plain("" if cell is None else cell) for cell in row))
    console().print(made)


def lines(heading: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table of one line a row; the last column is cut where the screen ends."""
    screen = console()
    widths = [max(len(row[place]) for row in [heading, *rows]) for place in range(len(heading))]
    widths[-1] = max(min(widths[-1], screen.width - sum(widths[:-1]) - 2 * len(widths)), len(heading[-1]))
    for number_, row in enumerate([heading, *rows]):
        cells = [
            clip(cell, width).rjust(width) if place in right else clip(cell, width).ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text = plain("  " + "  ".join(cells).rstrip())
        screen.print(text if number_ else f"[dim]{text}[/]", soft_wrap=True)
