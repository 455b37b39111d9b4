"""The judged answers as a release keeps them: what was predicted of each question, what came, and how far off it was.

They are what a user would have got: the questions of the holdout, answered by the recipe as it was fitted at its
cut, or those of the nested folds. The columns of a row are not kept, since they may tell of people; its key is.
"""

from dataclasses import asdict
from typing import Any

import polars as pl

from asof import monitoring, releases
from asof.flows import nesting, oracles, picturing
from asof.flows.found import Found
from asof.flows.judging import Judged
from asof.flows.learning import Bench
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration

MISSED = "missed.json"
"""What judged answers of folds and holdout missed, day by day: what ``watch`` holds answers against."""
OUTSIDE = "outside.json"
"""By which features judged questions lay outside of what training had seen, and how far."""
MOST = 250_000
"""Answers that are kept; of more, first the further horizons go, then the earlier periods."""


def kept(workspace: Workspace, prepared: Prepared, found: Found) -> pl.DataFrame:
    """Judged answers, one a row, in order of their periods.

    Returns:
        What the question is about (``oracles.identity``), ``label``, ``prediction`` and its interval or the
        probabilities of the classes as answers have them, ``baseline`` (of numbers), ``outside`` (whether it lay
        outside what training had seen), and ``loss`` and ``base_loss``, each by the metric that skill is measured by.
    """
    judged, panel, wanted = found.judged, prepared.panel, found.bench.wanted
    losses = picturing.plain(judged.answers, wanted.task, wanted.loss).select("loss", "base_loss")
    names = [name for name in oracles.identity(panel) if name in judged.answers.columns]
    told = judged.answers.select(
        *names, *_told(judged, panel.classes), outside(workspace, found.bench, judged), *losses.get_columns()
    )
    return _fewer(told) if panel.timed else told


def outside(workspace: Workspace, bench: Bench, judged: Judged) -> pl.Series:
    """Whether each judged question lay outside what the model that answered it was trained on."""
    if not judged.opened:
        return nesting.outside(workspace, bench)
    return releases.outside(judged.asked.features, _trained(bench))


def odd(bench: Bench, judged: Judged) -> dict[str, Any]:
    """``OUTSIDE``: see ``releases.odd``; nothing where each fold has seen something else."""
    if not judged.opened:
        return {}
    return {OUTSIDE: [asdict(one) for one in releases.odd(judged.asked.features, _trained(bench))]}


def _trained(bench: Bench) -> tuple[releases.Seen, ...]:
    """What the model that was judged has seen."""
    return releases.seen(bench.material.features[bench.split.train])


def _told(judged: Judged, classes: tuple[str, ...]) -> list[pl.Series]:
    """Label and answer of each question, as answers are told."""
    answers = judged.answers
    if isinstance(judged.calibration, Calibration):
        return answers.select("label", "prediction", "low", "high", "baseline").get_columns()
    names = pl.Series("label", classes, dtype=pl.String)
    chances = answers["prediction"].to_numpy()
    told = oracles.decided(chances, judged.calibration, classes)
    return [names.gather(answers["label"].cast(pl.Int64)).alias("label"), *told]


def _fewer(told: pl.DataFrame) -> pl.DataFrame:
    """At most ``MOST`` of the answers: the nearest horizons and the latest periods."""
    told = told.sort("start", maintain_order=True)
    while told.height > MOST:
        ahead = told["start"] - told["as_of"]
        nearer = told.filter(ahead < ahead.max())
        if nearer.height == 0:
            return told.tail(MOST)
        told = nearer
    return told


def missed(prepared: Prepared, found: Found) -> dict[str, Any]:
    """``MISSED``; nothing where questions have no time, and for more than two classes; of two the second counts."""
    panel, judged = prepared.panel, found.judged
    if not panel.timed or not judged.opened or len(panel.classes) > 2:
        return {}
    parts = [part.select("start", "label", "prediction") for part in (judged.folds, judged.answers)]
    answers = pl.concat(parts).filter(pl.col("label").is_not_null())
    told = answers["prediction"].to_numpy()
    days = answers["start"].dt.convert_time_zone(panel.zone).dt.date()
    made = monitoring.missed(days, answers["label"].to_numpy(), told[:, 1] if told.ndim == 2 else told)
    return {MISSED: made.plain()}
