"""What the three boosters share: how rounds are found, and how a start is given."""

import json
from collections.abc import Mapping
from typing import Any

from asof.data import Table
from asof.encoders.base import weighted_mean
from asof.estimators.base import Job, labels
from asof.estimators.baselines import Learnt

LOSSES = {"count": "poisson", "number": "squared", "class": "classes"}
"""Loss of a task where the recipe names none."""
FEW = 512
"""Up to this many rows one thread is faster than waking the others: 12 against 900 microseconds for one row."""


def loss_of(job: Job) -> str:
    """The job's loss, or that of its task."""
    return job.loss or LOSSES[job.task]


def rounds_of(job: Job, chosen: Mapping[str, Any], watch: Table | None) -> tuple[int, int | None]:
    """(rounds to run, patience): those of the job; else the largest allowed with patience on the watched table.

    Without a watched table patience has nothing to look at, and all rounds are run.
    """
    if job.rounds is not None:
        return max(1, job.rounds), None
    return int(chosen["rounds"]), int(chosen["patience"]) if watch is not None else None


def nothing_to_learn(table: Table, job: Job) -> Learnt | None:
    """The mean, where all labels are equal or the mean is 0: boosters refuse, or learn noise; else none."""
    if job.task == "class":
        return None  # each class occurs
    label, mean = labels(table), weighted_mean(table)
    return Learnt(mean) if label.min() == label.max() or mean == 0 else None


def read_mean(files: Mapping[str, bytes]) -> Learnt | None:
    """The mean, where that is what was kept; else none."""
    return Learnt(**json.loads(files["baseline.json"])) if "baseline.json" in files else None
