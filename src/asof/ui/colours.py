"""Colours of maps: classes of figures, as on the maps of the HTML report, and what their legend says."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from asof.pages import words

RISING = ("#e1ebf2", "#c9ddeb", "#abcbe0", "#7eadcd", "#518db7", "#2c6c9b", "#134b76")
"""From little to much."""
SIGNED = ("#a8480b", "#dd8a4a", "#f6cfa9", "#e7e5e0", "#c5cbe6", "#8388c4", "#4c4495")
"""From too low over right to too high."""
UNKNOWN = "#bdbbb6"
GOOD, BAD, PICKED = "#7eadcd", "#a8480b", "#1d7044"
EVERY_NTH = 0.9
"""The strongest colour of differences begins where this share of the places lies nearer to zero."""

Write = Callable[[Any], str]


@dataclass(frozen=True)
class Painted:
    """A colour for each of n places, and the legend."""

    colours: list[str]
    legend: tuple[tuple[str, str], ...]
    """Colour and what it means, in order."""


def levels(values: pl.Series, write: Write = words.compact) -> Painted:
    """Paint figures from pale to strong, in classes of about equal numbers of places."""
    known = _known(values)
    if not known.size:
        return Painted([UNKNOWN] * values.len(), ((UNKNOWN, "unknown"),))
    count = min(len(RISING), len(np.unique(known)))
    quantiles = np.quantile(known, np.linspace(0, 1, count + 1)[1:-1])
    edges = [edge for edge in dict.fromkeys(map(_short, quantiles.tolist())) if known.min() < edge < known.max()]
    shades = [RISING[round(index * (len(RISING) - 1) / max(len(edges), 1))] for index in range(len(edges) + 1)]
    ends = [write(float(known.min())), *map(write, edges), write(float(known.max()))]
    told = [f"{low} to {high}" for low, high in pairwise(ends)]
    return _painted(values, edges, shades, told)


def differences(values: pl.Series, write: Write = words.compact) -> Painted:
    """Paint signed figures: one hue below zero, another above, pale about zero."""
    known = np.abs(_known(values))
    if not known.size:
        return Painted([UNKNOWN] * values.len(), ((UNKNOWN, "unknown"),))
    far = float(np.quantile(known, EVERY_NTH)) or float(known.max()) or 1.0
    edges = [_short(times * far) for times in (-1, -0.6, -0.2, 0.2, 0.6, 1)]
    ends = [words.signed(edge, write) for edge in edges]
    told = [f"below {ends[0]}", *(f"{a} to {b}" for a, b in pairwise(ends)), f"above {ends[-1]}"]
    return _painted(values, edges, SIGNED, told)


def shares(values: pl.Series, *, good_is_high: bool) -> Painted:
    """Paint shares in five equal steps; the strongest colour is what a reader should look at."""
    edges = [0.2, 0.4, 0.6, 0.8]
    shades = [RISING[index] for index in (0, 1, 3, 5, 6)]
    told = ["0 to 20 %", "20 to 40 %", "40 to 60 %", "60 to 80 %", "80 to 100 %"]
    return _painted(values, edges, shades[::-1] if good_is_high else shades, told)


def flags(values: pl.Series, *, good: str, bad: str, good_is_true: bool) -> Painted:
    """Paint what is true or false of each place; ``good`` and ``bad`` say what that means."""
    fine = [value if value is None or good_is_true else not value for value in values.to_list()]
    colours = [UNKNOWN if value is None else GOOD if value else BAD for value in fine]
    legend = [(GOOD, good), (BAD, bad), (UNKNOWN, "not known")]
    return Painted(colours, tuple(line for line in legend if line[0] in colours))


def rgb(colour: str, opacity: float = 1.0) -> list[int]:
    """Red, green, blue and opacity, each from 0 to 255."""
    return [*(int(colour[at : at + 2], 16) for at in (1, 3, 5)), round(255 * opacity)]


def _painted(values: pl.Series, edges: Sequence[float], shades: Sequence[str], told: Sequence[str]) -> Painted:
    numbers = values.cast(pl.Float64).fill_nan(None).to_list()
    colours = [UNKNOWN if value is None else shades[bisect_right(edges, value)] for value in numbers]
    legend = list(zip(shades, told, strict=True))
    return Painted(colours, (*legend, *([(UNKNOWN, "unknown")] if UNKNOWN in colours else [])))


def _known(values: pl.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    return values.cast(pl.Float64).fill_nan(None).drop_nulls().to_numpy()


def _short(value: float) -> float:
    """Two figures: the limits of a class are to be read, not to be exact."""
    return float(f"{value:.2g}")
