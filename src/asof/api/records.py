"""Long bodies of plain rows, read by the kinds of their columns: no object is made of a row by name."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import astuple

from asof.api.bodies import SHAPES, SPLIT

NAMES = tuple(name for name in SHAPES if name != SPLIT)
"""What a JSON object of rows by name may hold, one of them."""
MOST_COLUMNS = 50
"""Of rows of more, no kind is made: where their values come in another order, each is looked for among all."""


def reader(kinds: Mapping[str, type]) -> "Reader | None":
    """Return what reads rows of ``kinds``; none where they are too wide, or have odd names."""
    odd = any(letter in '"\\' or letter < " " for name in kinds for letter in name)
    return None if odd or len(kinds) > MOST_COLUMNS else Reader(kinds)


class Reader:
    """Reads JSON whose rows have all columns of a model and no other, each a number (or a text) or null.

    Whatever else it is given, be it no JSON at all, it leaves to ``bodies``, which says what is wrong with it.
    """

    def __init__(self, kinds: Mapping[str, type]) -> None:
        """Lay out rows of ``kinds``: float or str by column, in order."""
        fields = [(f"c{at}", kind | None, msgspec.field(name=name)) for at, (name, kind) in enumerate(kinds.items())]
        # Rows hold no other object, so none of them goes in a circle.
        row: Any = msgspec.defstruct("Row", fields, forbid_unknown_fields=True, gc=False)
        shapes = [(name, list[row] | msgspec.UnsetType, msgspec.UNSET) for name in NAMES]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Body", shapes, forbid_unknown_fields=True))

    def read(self, body: bytes, most: int) -> tuple[list[Any], int] | None:
        """Return (values row after row, number of rows); none for what is not plain, or has more than ``most`` rows."""
        if body.count(b"{") - 1 > most:  # counted sooner than read
            return None
        try:
            told = astuple(self._decoder.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        given = [rows for rows in told if rows is not msgspec.UNSET]
        if len(given) != 1:
            return None
        return list(chain.from_iterable(map(astuple, given[0]))), len(given[0])
