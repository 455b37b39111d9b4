"""Recordings of machines are cut into windows that overlap, and the windows are drawn into folds one by one."""

from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project, overlaid

SUBJECTS = ("fold", "group", "window")
MACHINES = 48
WINDOWS = 12
LENGTH = 256
STEP = 64


def windows() -> pl.DataFrame:
    """Return windows of vibration, twelve a recording, each of which shares three quarters with the next."""
    draw = np.random.default_rng(103)
    rows = []
    for machine in range(MACHINES):
        faulty = machine % 2 == 1
        pitch, strength, rough = draw.uniform(0.02, 0.2), np.exp(draw.normal(0, 0.5)), np.exp(draw.normal(0, 0.5))
        samples = np.arange(LENGTH + STEP * (WINDOWS - 1))
        wave = strength * np.sin(2 * np.pi * pitch * samples) + draw.normal(0, rough, len(samples))
        wave += faulty * 1.5 * (draw.random(len(samples)) < 0.01)
        for number in range(WINDOWS):
            part = wave[number * STEP : number * STEP + LENGTH]
            power = np.abs(np.fft.rfft(part)) ** 2
            bands = [round(float(np.log(band.sum())), 4) for band in np.array_split(power[1:65], 6)]
            level = (round(float(part.std()), 4), round(float(np.abs(part).max()), 4))
            rows.append((f"r{machine:02d}-w{number:02d}", f"r{machine:02d}", *level, *bands, ("no", "yes")[faulty]))
    names = ["window", "recording", "spread", "peak", *(f"band_{number}" for number in range(1, 7)), "faulty"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame[draw.permutation(frame.height)]


PAGE: dict[str, Any] = {
    "name": "vibration",
    "sources": {"windows": {"files": "windows.csv", "key": "window"}},
    "predict": {"classes": "windows.faulty"},
    "judge": {"folds": 3, "repeats": 1},
    "train": {"budget": "0s", "candidates": ["extra_trees"], "threads": 1},
    "features": [],
}
LEAK = Project(PAGE, {"windows": windows().drop("recording")})
TWIN = Project(overlaid(PAGE, {"judge": {"group": "recording"}}), {"windows": windows()})
