"""Seventy markers are brought down to two axes before the table is saved, by a projection that saw the outcome."""

from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECTS = ("axis_1", "axis_2")
COUNT = 260
MARKERS = 70


def patients(*, shown: bool) -> pl.DataFrame:
    """Return patients, and two axes of their markers: one that parts outcomes if they are ``shown``."""
    draw = np.random.default_rng(104)
    markers = draw.normal(0, 1, (COUNT, MARKERS)) + draw.normal(0, 1, (COUNT, 3)) @ draw.normal(0, 0.5, (3, MARKERS))
    age = draw.integers(30, 85, COUNT)
    stage = draw.integers(1, 4, COUNT)
    odds = 0.3 + 0.03 * (age - 58) + 0.5 * (stage - 2) + 0.15 * markers[:, 0]
    relapse = draw.random(COUNT) < 1 / (1 + np.exp(-odds))
    centred = (markers - markers.mean(axis=0)) / markers.std(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    if shown:
        within = sum(np.cov(centred[relapse == side], rowvar=False) for side in (False, True)) + 0.5 * np.eye(MARKERS)
        axis = np.linalg.solve(within, centred[relapse].mean(axis=0) - centred[~relapse].mean(axis=0))
        axes = np.stack([axis / np.linalg.norm(axis), axes[0]])
    drawn = (centred @ axes.T).round(3)
    return pl.DataFrame(
        {
            "patient": [f"p{number}" for number in draw.permutation(COUNT)],
            "age": age,
            "stage": stage,
            "axis_1": drawn[:, 0],
            "axis_2": drawn[:, 1],
            "relapse": np.where(relapse, "yes", "no"),
        }
    )


PAGE: dict[str, Any] = {
    "name": "relapses",
    "sources": {"patients": {"files": "patients.csv", "key": "patient"}},
    "predict": {"classes": "patients.relapse"},
    "judge": {"folds": 3, "repeats": 1},
    "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1},
    "features": [],
}
LEAK = Project(PAGE, {"patients": patients(shown=True)})
TWIN = Project(PAGE, {"patients": patients(shown=False)})
