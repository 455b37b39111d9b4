"""What a notebook shows of a result: small calm tables of HTML, without script, that fit a light and a dark page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from asof.pages import words

_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_NAME = "text-align:left;vertical-align:top;padding:2px 16px 2px 0;font-weight:normal;opacity:.7"
_VALUE = "text-align:left;padding:2px 0"


def pairs(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Draw a table of names and values; a row without a value is left out."""
    lines = "".join(
        f'<tr><th style="{_NAME}">{escape(name)}</th><td style="{_VALUE}">{escape(value)}</td></tr>'
        for name, value in rows
        if value
    )
    return f'<div><strong>{escape(title)}</strong><table style="{_TABLE}">{lines}</table></div>'


def figure(value: Mapping[str, Any] | None, *, percent: bool = False) -> str:
    """Write a figure with its interval: ``0.4312 [0.3917 .. 0.4680]``; nothing where there is none."""
    if value is None or value.get("value") is None:
        return ""
    write = words.percent if percent else words.number
    if value.get("low") is None or value.get("high") is None:
        return write(value["value"])
    return f"{write(value['value'])} [{write(value['low'])} .. {write(value['high'])}]"


def framed(page: str, height: int) -> str:
    """Show a whole page within a notebook, apart from the notebook's own style and scripts."""
    return (
        f'<iframe srcdoc="{escape(page, quote=True)}" sandbox="allow-scripts" loading="lazy" '
        f'style="width:100%;height:{height}px;border:1px solid #8884"></iframe>'
    )
