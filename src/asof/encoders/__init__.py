"""Encoders: feature steps that are fitted, on training questions only. One file an encoder."""

from collections.abc import Callable, Mapping
from typing import Any

from asof.data import Table
from asof.encoders.base import CODE, Encoder, EncoderPlan, State
from asof.encoders.categories import Categories
from asof.encoders.clusters import Clusters
from asof.encoders.impute import Impute
from asof.encoders.log import Log
from asof.encoders.near_mean import NearMean
from asof.encoders.onehot import OneHot
from asof.encoders.scale import Scale
from asof.encoders.steady import Steady, Without
from asof.encoders.target_mean import TargetMean
from asof.encoders.words import Words
from asof.errors import DataError

__all__ = ["CODE", "ENCODERS", "Encoder", "EncoderPlan", "State", "encode_training", "make"]

ENCODERS: Mapping[str, Callable[..., Encoder]] = {
    "categories": Categories,
    "clusters": Clusters,
    "impute": Impute,
    "log": Log,
    "near_mean": NearMean,
    "onehot": OneHot,
    "scale": Scale,
    "steady": Steady,
    "target_mean": TargetMean,
    "without": Without,
    "words": Words,
}
"""Our encoders by name."""


def make(plan: EncoderPlan, others: Mapping[str, Any] | None = None) -> Encoder:
    """Return the encoder of a plan; ``others`` are those of plug-ins by name.

    Raises DataError for a name that nobody knows or an option that its constructor does not take.
    """
    known = {**ENCODERS, **(others or {})}
    if plan.name not in known:
        raise DataError(f"no encoder {plan.name!r}; expected one of {', '.join(sorted(known))}")
    try:
        encoder: Encoder = known[plan.name](**plan.options)
    except TypeError as error:
        raise DataError(f"encoder {plan.name}: {error}; given options: {', '.join(plan.options) or 'none'}") from error
    return encoder


def encode_training(encoder: Encoder, table: Table, state: State) -> Table:
    """Encode the rows that ``state`` was learnt from, by the encoder's own way for them where it has one."""
    own = getattr(encoder, "encode_training", None)
    features = own(table, state) if own else encoder.encode(table.features, state)
    return Table(features, table.label, table.weight)
