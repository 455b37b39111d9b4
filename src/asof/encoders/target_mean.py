"""Text becomes the smoothed mean label of its training rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen, few, weighted_mean, weights_of

ENDING = "__mean_label"


@dataclass(frozen=True)
class TargetMean:
    """Add, for each text column, the mean label of its value, drawn towards the overall mean.

    ``(sum + smoothing * overall) / (weight + smoothing)``, Micci-Barreca, SIGKDD Explorations 3(1), 2001. In
    training a row's own stretch is left out: rows are cut into ``blocks`` consecutive stretches, and
    each stretch is encoded by the others, so that no row reads its own label. A value never
    seen, and an unknown one, is the overall mean. ``keep`` leaves the text beside it. Of ``classes`` (three
    or more; the labels are codes) there is one column a class: the share of that class, drawn and encoded alike.
    """

    columns: Sequence[str] = ()
    smoothing: float = 20.0
    blocks: int = 5
    keep: bool = False
    classes: int = 0

    def fit(self, table: Table) -> State:
        """Learn ``overall`` and ``means`` by column and value; of classes, a list of such states."""
        if self.classes > 2:
            one = replace(self, classes=0)
            codes = [(table.label == code).cast(pl.Float64) for code in range(self.classes)]
            return {"each": [one.fit(replace(table, label=code)) for code in codes]}
        overall = weighted_mean(table)
        names = chosen(table.features, self.columns, pl.String)
        return {"overall": overall, "means": {name: self._means(table, name, overall) for name in names}}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with a Float64 column for each column learnt, or one for each class."""
        if "each" in state:
            return self._side_by_side(features, state["each"])
        if not state["means"]:
            return features
        added: list[pl.Expr | pl.Series] = []
        at_once = few(features, state["means"], pl.String)
        for name, means in state["means"].items():
            if at_once:
                told = [means.get(value, state["overall"]) for value in features[name].to_list()]
                added.append(pl.Series(name + ENDING, told, dtype=pl.Float64))
                continue
            levels = pl.Series(list(means), dtype=pl.String)
            values = pl.Series(list(means.values()), dtype=pl.Float64)
            found = pl.col(name).replace_strict(levels, values, default=state["overall"], return_dtype=pl.Float64)
            added.append(found.fill_null(state["overall"]).alias(name + ENDING))
        out = features.with_columns(added)
        return out if self.keep else out.drop(list(state["means"]))

    def encode_training(self, table: Table, state: State) -> pl.DataFrame:
        """Return training features in which no row's own label has entered."""
        parts = []
        learnt = state["each"][0]["means"] if "each" in state else state["means"]
        for rows in np.array_split(np.arange(len(table)), min(self.blocks, len(table))):
            part = table.features[int(rows[0]) : int(rows[-1]) + 1]
            others = np.delete(np.arange(len(table)), rows) if learnt else rows[:0]
            seen = state if others.size == 0 else self._refit(table, others, state)
            parts.append(self.encode(part, seen))
        return pl.concat(parts)

    def _side_by_side(self, features: pl.DataFrame, states: Sequence[State]) -> pl.DataFrame:
        names = list(states[0]["means"])
        one = replace(self, classes=0, keep=False)
        parts = []
        for code, state in enumerate(states):
            made = one.encode(features.select(names), state)
            parts.append(made.select(pl.all().name.suffix(f"={code}")))
        kept = features if self.keep else features.drop(names)
        return pl.concat([kept, *parts], how="horizontal")

    def _refit(self, table: Table, rows: np.ndarray[tuple[int], np.dtype[np.int64]], state: State) -> State:
        weight = None if table.weight is None else table.weight[rows]
        texts = table.features.select(list(state["each"][0]["means"] if "each" in state else state["means"]))
        part = Table(texts[rows], table.label[rows], weight)
        if not weights_of(part).sum() > 0:
            return _without(state)
        return self.fit(part)

    def _means(self, table: Table, name: str, overall: float) -> dict[str, float]:
        frame = pl.DataFrame({"value": table.features[name], "label": table.label, "weight": weights_of(table)})
        total, weight = (pl.col("label") * pl.col("weight")).sum(), pl.col("weight").sum()
        mean = (total + self.smoothing * overall) / (weight + self.smoothing)
        groups = frame.drop_nulls("value").group_by("value", maintain_order=True).agg(mean.alias("mean")).sort("value")
        return dict(zip(groups["value"].to_list(), groups["mean"].fill_nan(overall).to_list(), strict=True))


def _without(state: State) -> State:
    """The state of an encoder that knows the overall mean and no value."""
    if "each" in state:
        return {"each": [_without(one) for one in state["each"]]}
    return {**state, "means": {name: {} for name in state["means"]}}
