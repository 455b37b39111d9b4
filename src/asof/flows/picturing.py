"""What the pictures of a report show, from judged answers: over time, by place, calibration, coverage, decisions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import intervals, places, probabilities
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.metrics import Metric
from asof.panels import Panel
from asof.places.libraries import h3_library
from asof.probabilities import Calibrated

Floats = NDArray[np.float64]
GROUPS = 10
"""Groups of predictions in the calibration plot, and bins of the PIT."""
LEAST_PERIODS = 8
"""Over fewer periods nothing is said to be surely so."""
LEAST_EVENTS = 10
"""With fewer events, seen and expected, a place is too sparse for its skill to be told."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_DRAWN = 200
"""Points of a ROC curve."""


def plain(answers: pl.DataFrame, task: str, metric: Metric) -> pl.DataFrame:
    """Answers as numbers: of two classes the second one and its probability, of more whether the likeliest one came.

    Adds ``loss`` and ``base_loss``, the loss of each row by ``metric``, which is a mean loss.
    """
    label = answers["label"].to_numpy()
    ours, rule = answers["prediction"].to_numpy(), answers["baseline"].to_numpy()
    losses = {"loss": _loss(metric, label, ours), "base_loss": _loss(metric, label, rule)}
    if task == "class":
        binary = ours.shape[1] == 2
        code = np.ones(len(label), dtype=int) if binary else ours.argmax(axis=1)
        rows = np.arange(len(label))
        answers = answers.with_columns(
            label=pl.Series((label == code).astype(float)),
            prediction=pl.Series(ours[rows, code]),
            baseline=pl.Series(rule[rows, code]),
        )
    return answers.with_columns(**{name: pl.Series(values) for name, values in losses.items()})


def _loss(metric: Metric, label: Floats, told: Floats) -> Floats:
    return np.asarray(metric.parts(label, told)[0], dtype=np.float64)


def periods(answers: pl.DataFrame, task: str) -> pl.DataFrame | None:
    """By period, of the shortest horizon at which it was asked: totals of counts, else means; and mean misses.

    ``answers`` are plain numbers; none where they have no time.
    """
    if answers["start"].null_count() == answers.height:
        return None
    nearest = answers.filter(pl.col("as_of") == pl.col("as_of").max().over("place", "start"))
    about = pl.Expr.sum if task == "count" else pl.Expr.mean
    return (
        nearest.group_by("start")
        .agg(
            observed=about(pl.col("label")),
            predicted=about(pl.col("prediction")),
            error=(pl.col("label") - pl.col("prediction")).abs().mean(),
            rule=(pl.col("label") - pl.col("baseline")).abs().mean(),
        )
        .sort("start")
    )


def by_place(answers: pl.DataFrame, panel: Panel, task: str, metric: Metric) -> pl.DataFrame | None:
    """Means and skill of each place by plain answers, and whether each difference is more than chance makes.

    The rows of one period belong together; a difference is sure where the sum over periods is more than twice its
    standard error, over at least ``LEAST_PERIODS`` of them; for counts this is at least that of Poisson counts.
    """
    if panel.places.kind == "all" or answers["place"].null_count() == answers.height:
        return None
    unit = ["place", "start"] if answers["start"].null_count() == 0 else ["place", pl.int_range(pl.len()).alias("row")]
    each = answers.group_by(unit, maintain_order=True).agg(
        off=(pl.col("prediction") - pl.col("label")).mean(),
        predicted=pl.col("prediction").mean(),
        observed=pl.col("label").mean(),
        saved=(pl.col("base_loss") - pl.col("loss")).sum(),
        base=pl.col("base_loss").sum(),
        rows=pl.len(),
    )
    error = pl.col("off").std() / pl.len().sqrt()
    noise = pl.col("predicted").sum().sqrt() / pl.len() if task == "count" else pl.lit(0.0)
    enough = pl.len() >= LEAST_PERIODS
    happened = pl.col("observed").sum() + pl.col("predicted").sum() >= 2 * LEAST_EVENTS
    told = each.group_by("place", maintain_order=True).agg(
        sure=(enough & (pl.col("off").mean().abs() > 2 * pl.max_horizontal(error, noise))).fill_null(value=False),
        known=enough & happened if task == "count" else enough,
        saved=pl.col("saved").sum() / pl.col("base").sum(),
        spread=2 * pl.col("saved").std() * pl.len().sqrt() / pl.col("base").sum(),
        base=pl.col("base").sum() / pl.col("rows").sum(),
    )
    means = answers.group_by("place", maintain_order=True).agg(
        observed=pl.col("label").mean(), predicted=pl.col("prediction").mean(), rows=pl.len()
    )
    told = told.select("place", "sure", *_skills(told, metric))
    return means.join(_named(panel), on="place", how="left").join(told, on="place").sort("place")


def _skills(told: pl.DataFrame, metric: Metric) -> list[pl.Series]:
    """Skill of each place and its ends, as the metric reads the share of the baseline's loss that is saved."""
    saved, spread, base = (told[name].fill_null(float("nan")).to_numpy() for name in ("saved", "spread", "base"))
    known = told["known"].to_numpy() & np.isfinite(spread)
    fair = base > 0  # where the baseline makes no error, no share of it can be saved
    saved, spread = (np.where(fair, each, 0.0) for each in (saved, spread))
    whole = np.asarray(metric.finish(np.where(fair, base, 1.0)))

    def skill(name: str, share: Floats, kept: NDArray[np.bool_]) -> pl.Series:
        left = np.maximum(1 - np.where(kept, share, 0.0), 0.0) * np.where(fair, base, 1.0)
        value = 1 - np.asarray(metric.finish(left)) / whole
        return pl.Series(name, np.where(kept, value, np.nan)).fill_nan(None)

    ends = skill("skill_low", saved - spread, fair & known), skill("skill_high", saved + spread, fair & known)
    return [skill("skill", saved, fair), *ends]


def _named(panel: Panel) -> pl.DataFrame:
    known = panel.places
    names = pl.DataFrame({"place": known.ids, "name": known.names if known.names is not None else known.ids})
    if known.lat is not None and known.lon is not None:
        names = names.with_columns(lat=known.lat, lon=known.lon)
    if known.kind == "h3" and "lat" in names.columns:  # an id alone tells a reader nothing
        names = names.with_columns(
            name=pl.format("{} ({}, {})", "name", pl.col("lat").round(2), pl.col("lon").round(2))
        )
    return names


def outlines(workspace: Workspace, prepared: Prepared) -> Mapping[str, Mapping[str, Any]]:
    """Outlines of polygons and of H3 cells, as GeoJSON geometry by place; empty for places that are points."""
    spec = workspace.spec.predict.per.place
    if spec is not None and spec.polygons:
        return places.geometry(spec, workspace.folder)
    if prepared.panel.places.kind != "h3":
        return {}
    return cells(prepared.panel.places.ids)


def cells(ids: pl.Series) -> dict[str, dict[str, Any]]:
    """Outlines of H3 cells by their id."""
    h3 = h3_library()
    drawn = pl.DataFrame({"place": ids}).with_columns(ring=h3.cell_to_boundary(pl.col("place")))
    made: dict[str, dict[str, Any]] = {}
    for place, ring in drawn.iter_rows():
        points = [(float(lon), float(lat)) for lat, lon in ring] if ring is not None else []
        if points:
            made[place] = {"type": "Polygon", "coordinates": [[*points, points[0]]]}
    return made


def calibration(answers: pl.DataFrame, task: str) -> pl.DataFrame:
    """Mean label of each tenth of the plain predictions, with the spread of such a mean; of classes that of a share."""
    count = min(GROUPS, max(1, answers.height // LEAST_PERIODS))
    ranked = answers.select(
        "label", "prediction", group=(pl.col("prediction").rank("ordinal") - 1) * count // answers.height
    )
    table = ranked.group_by("group").agg(
        predicted=pl.col("prediction").mean(),
        observed=pl.col("label").mean(),
        error=pl.col("label").std() / pl.len().sqrt(),
        rows=pl.len(),
    )
    table = table.sort("group")
    if task == "class":
        ends = [
            probabilities.wilson(share * rows, rows) for share, rows in table.select("observed", "rows").iter_rows()
        ]
        bounds = table.with_columns(low=pl.Series([low for low, _ in ends]), high=pl.Series([high for _, high in ends]))
    else:
        bounds = table.with_columns(
            low=pl.col("observed") - 2 * pl.col("error"), high=pl.col("observed") + 2 * pl.col("error")
        )
    return bounds.select("predicted", "observed", "low", "high", "rows")


def pit(answers: pl.DataFrame, calibration: Calibration | Calibrated) -> pl.DataFrame | None:
    """Shares of the randomised PIT of counts; none for other labels."""
    if not isinstance(calibration, Calibration) or calibration.kind != "count":
        return None
    label, prediction = answers["label"].to_numpy(), answers["prediction"].to_numpy()
    counts, _ = np.histogram(intervals.pit(label, prediction, calibration).values, bins=GROUPS, range=(0, 1))
    return pl.DataFrame({"share": counts / max(counts.sum(), 1)})


def coverages(answers: pl.DataFrame) -> pl.DataFrame | None:
    """Labels within their intervals by quarter of the places (or else of the predictions) and of the periods."""
    if "low" not in answers.columns:
        return None
    whole = intervals.coverages(answers)
    known = whole["by"].unique().to_list()
    parts = [
        (by, names)
        for by, names in (("place", _LEVELS), ("prediction", _LEVELS), ("period", _TIMES))
        if by in known and not (by == "prediction" and "place" in known)
    ]
    tables = [
        whole.filter(pl.col("by") == by).with_columns(
            by=pl.lit(f"{by}s"),
            group=pl.col("group").replace_strict(
                {str(number): name for number, name in enumerate(names, 1)}, return_dtype=pl.String
            ),
        )
        for by, names in parts
    ]
    return pl.concat(tables).select("by", "group", "rows", "coverage") if tables else None


_LEVELS = ("lowest quarter", "second lowest", "second highest", "highest quarter")
_TIMES = ("first quarter", "second quarter", "third quarter", "last quarter")


def confusion(answers: pl.DataFrame, calibrated: Calibrated, classes: tuple[str, ...]) -> pl.DataFrame:
    """How often each class was decided on for each that came; of rows that were predicted several times, on average."""
    names = pl.Series(classes, dtype=pl.String)
    decided = calibrated.decide(answers["prediction"].to_numpy())
    pairs = pl.DataFrame(
        {
            "truth": names.gather(answers["label"].cast(pl.Int64)),
            "decided": names.gather(pl.Series(decided, dtype=pl.Int64)),
        }
    )
    times = repeats(answers)
    rows = (pl.len() / times).round().cast(pl.Int64)
    return pairs.group_by("truth", "decided").agg(rows=rows).sort("truth", "decided")


def repeats(answers: pl.DataFrame) -> int:
    """How often each row was predicted, where folds were drawn several times."""
    if "unit" not in answers.columns:
        return 1
    asked = [name for name in ("unit", "horizon") if name in answers.columns]
    return max(1, round(answers.height / max(1, answers.select(asked).unique().height)))


def roc(answers: pl.DataFrame) -> pl.DataFrame | None:
    """Share found and share falsely flagged at falling thresholds, from plain answers of two classes."""
    truth = answers["label"].to_numpy()[np.argsort(-answers["prediction"].to_numpy(), kind="stable")]
    falling = -np.sort(-answers["prediction"].to_numpy())
    if truth.min() == truth.max():
        return None
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)  # ties are flagged together
    found, wrong = np.cumsum(truth)[last] / truth.sum(), np.cumsum(1 - truth)[last] / (1 - truth).sum()
    keep = np.unique(np.linspace(0, len(last) - 1, _DRAWN).astype(int))
    return pl.DataFrame({"false": np.append(0.0, wrong[keep]), "true": np.append(0.0, found[keep])})


def thresholds(answers: pl.DataFrame, chosen: float) -> pl.DataFrame:
    """What each probability to decide from would mean, from plain answers of two classes."""
    truth, told = answers["label"].to_numpy() == 1, answers["prediction"].to_numpy()
    lines = []
    for edge in sorted({*THRESHOLDS, chosen}):
        flagged = told >= edge
        right = int((flagged & truth).sum())
        lines.append(
            {
                "threshold": edge,
                "flagged": float(flagged.mean()),
                "precision": right / flagged.sum() if flagged.any() else None,
                "recall": right / truth.sum() if truth.any() else None,
            }
        )
    return pl.DataFrame(lines, schema=dict.fromkeys(("threshold", "flagged", "precision", "recall"), pl.Float64))
