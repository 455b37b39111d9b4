"""Tables and chips of the page as HTML, in the look of the report; every text is escaped here."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FOLDED = 12
"""Rows of a table that are shown at once; the rest folds away."""
STYLE = """<style>
.sheet { border-collapse: collapse; width: 100%; font-size: .92rem; line-height: 1.45; margin: .1rem 0 .6rem;
  font-variant-numeric: tabular-nums; }
.sheet :is(th, td) { border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 13%, transparent);
  padding: .5rem 0 .5rem 1.4rem; text-align: left; vertical-align: top; font-weight: 400; overflow-wrap: anywhere; }
.sheet :is(th, td):first-child { padding-left: 0; }
.sheet thead th { font-size: .84rem; opacity: .72; white-space: nowrap; padding-top: .1rem; }
.sheet :is(th, td).n { text-align: right; white-space: nowrap; width: 1%; }
.sheet th[scope=row] { min-width: 10.5rem; } .sheet td:not(.n) { min-width: 6rem; }
.sheet small { display: block; font-size: .84rem; line-height: 1.4; opacity: .74; font-weight: 400; }
.sheet tr.chosen > th { font-weight: 650; }
.sheet code { font-size: .86em; padding: .08em .35em; border-radius: .3rem;
  background: color-mix(in srgb, currentColor 8%, transparent); white-space: pre-wrap; }
.chip { display: inline-block; padding: .08em .65em; border-radius: 1em; font-size: .82rem; font-weight: 600;
  white-space: nowrap; color: color-mix(in srgb, var(--hue) 72%, currentColor);
  background: color-mix(in srgb, var(--hue) 15%, transparent); }
.chip.good { --hue: #1d8a50; } .chip.bad { --hue: #d0392e; } .chip.unsure { --hue: #b87a00; }
.chip.quiet { --hue: #7d8891; }
.fold > summary { cursor: pointer; font-size: .9rem; opacity: .8; padding: .3rem 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (max-width: 640px) {
  .sheet.cards, .sheet.cards tbody, .sheet.cards tr, .sheet.cards :is(th, td) { display: block; }
  .sheet.cards thead { display: none; }
  .sheet.cards tr { padding: .6rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 13%, transparent); }
  .sheet.cards :is(th, td) { border: 0; width: auto; min-width: 0 !important; padding: .1rem 0; text-align: left; }
  .sheet.cards :is(th, td).n { white-space: normal; text-align: left; width: auto; }
  .sheet.cards td:empty { display: none; }
  .sheet.cards td[data-label] { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .7rem; }
  .sheet.cards td[data-label]::before { content: attr(data-label); font-size: .84rem; opacity: .72; }
}
</style>"""
"""Shades are mixed from the colour of the text, so that they hold on a bright screen and on a dark one."""


@dataclass(frozen=True)
class Markup:
    """Text that is HTML already, made here."""

    html: str


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    number: bool = False
    """Whether it holds figures, which stand right."""


Cell = str | Markup
Tile = tuple[str, str, str]
"""A name, a figure, and what it means: see ``legends.tiles``."""


def chip(kind: str, text: str) -> Markup:
    """Mark a word: ``good``, ``bad``, ``unsure`` or ``quiet``."""
    return Markup(f'<span class="chip {escape(kind)}">{escape(text)}</span>')


def small(*parts: Cell) -> Markup:
    """Write parts of a cell beneath each other, all of them smaller."""
    return Markup("".join(f"<small>{_html(part)}</small>" for part in parts))


def code(text: str) -> Markup:
    """Show what stands in a file or is typed, as it is."""
    return Markup(f"<code>{escape(text)}</code>")


def lines(*parts: Cell | None) -> Markup:
    """Write what a cell says first, and smaller beneath it what else; empty parts are left out."""
    first, *others = [part for part in parts if part] or [""]
    return Markup(_html(first) + "".join(f"<small>{_html(part)}</small>" for part in others))


def beside(*parts: Cell) -> Markup:
    """Join parts of a cell by a blank."""
    return Markup(" ".join(_html(part) for part in parts if part))


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, chosen: int | None = None, folded: int = FOLDED
) -> str:
    """Write a table; the first cell of a row heads it, rows beyond ``folded`` fold away, ``chosen`` stands out.

    On a narrow screen each row becomes a card with the title of each column before its cell.
    """
    shown = _table(columns, rows[:folded], chosen)
    rest = rows[folded:]
    if not rest:
        return shown
    after = None if chosen is None else chosen - folded
    return f'{shown}<details class="fold"><summary>{len(rest):,} more</summary>{_table(columns, rest, after)}</details>'


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], chosen: int | None) -> str:
    head = "".join(f'<th scope="col"{_right(each)}>{escape(each.title)}</th>' for each in columns)
    body = "".join(_row(columns, row, chosen=number == chosen) for number, row in enumerate(rows))
    top = f"<thead><tr>{head}</tr></thead>" if any(each.title for each in columns) else ""
    return f'<table class="sheet cards">{top}<tbody>{body}</tbody></table>'


def _row(columns: Sequence[Column], row: Sequence[Cell], *, chosen: bool) -> str:
    first, *others = zip(columns, row, strict=True)
    cells = [f'<th scope="row"{_right(first[0])}>{_html(first[1])}</th>']
    for column, cell in others:
        label = f' data-label="{escape(column.title)}"' if column.title else ""
        cells.append(f"<td{_right(column)}{label}><span>{_html(cell)}</span></td>" if cell else "<td></td>")
    marked = ' class="chosen"' if chosen else ""
    return f"<tr{marked}>{''.join(cells)}</tr>"


def fold(title: str, inside: str) -> str:
    """Fold something away under a title."""
    return f'<details class="fold"><summary>{escape(title)}</summary>{inside}</details>'


def show(*parts: str) -> None:
    """Put parts made here onto the page."""
    import streamlit as st

    st.html(STYLE + "".join(parts))


def _right(column: Column) -> str:
    return ' class="n"' if column.number else ""


def _html(cell: Cell) -> str:
    # A long name of a column breaks where its words end.
    return cell.html if isinstance(cell, Markup) else escape(cell).replace("_", "_<wbr>")
