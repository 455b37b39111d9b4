"""A release in a notebook or a script: what it is, how it was judged, and what it answers."""

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from asof.evaluation import Estimate
from asof.flows import asking, inputs, oracles, predicting, reasoning, recording
from asof.flows.oracles import Oracle
from asof.flows.predicting import Asked
from asof.python import frames, views
from asof.python.results import Report

if TYPE_CHECKING:
    from asof.flows.preparation import Prepared
    from asof.flows.workspace import Workspace
    from asof.python.projects import Project
    from asof.recipes import Model
    from asof.tuning import Plan

GIVEN = "the rows given"
"""What messages call rows that are no file."""


@dataclass(frozen=True)
class Release:
    """A model with everything that was found about it; made by ``Project.run``, ``train`` and ``release``."""

    project: "Project" = field(repr=False)
    name: str = field(repr=False)
    """As predictions carry it; it holds the moment of its run, so a stored notebook does not show it."""
    version: int | None
    """Number in the registry; none for a folder that it does not know."""
    aliases: tuple[str, ...]
    """``champion``, ``challenger`` or neither."""
    result: Mapping[str, Any] = field(repr=False)
    """What ``asof run --json`` ended with."""
    _oracle: Oracle = field(repr=False)
    """The release, opened for answers."""

    # How good it is ------------------------------------------------------------------------------------------------

    @property
    def promoted(self) -> bool:
        """Whether it was made the champion."""
        return bool(self.result["promoted"])

    @property
    def why(self) -> str:
        """Why it was promoted, or not."""
        return str(self.result["why"])

    @property
    def recipe(self) -> str:
        """The chosen recipe in words."""
        return str(self.result["recipe"])

    @property
    def metric(self) -> str:
        """Name of the metric that decides."""
        return str(self.result["metric"])

    @property
    def score(self) -> Estimate:
        """That metric on what was judged, with its interval."""
        return _estimate(self.result["holdout"][self.metric])

    @property
    def skill(self) -> Estimate:
        """Share of the loss of the best simple rule that is saved, with its interval."""
        return _estimate(self.result["skill"])

    @property
    def optimism(self) -> Estimate:
        """Skill that the folds promised and what was judged did not keep."""
        return _estimate(self.result["optimism"])

    @property
    def scores(self) -> pl.DataFrame:
        """All scores: judged_by (the holdout, the folds, to expect next, best baseline), metric, value, low, high."""
        told, by = self.result, self.result.get("judged_by", "holdout")
        parts = {by: told["holdout"], "folds": told["folds"]}
        if told.get("expected"):
            parts["to expect next"] = {self.metric: {name: told["expected"][name] for name in ("value", "low", "high")}}
        parts["best baseline"] = {self.metric: {"value": told["baseline"]["value"], "low": None, "high": None}}
        return frames.scores(parts)

    @property
    def horizons(self) -> pl.DataFrame:
        """Score and skill at each horizon: horizon, value, low, high, baseline, skill, rows."""
        rows = [{**row, "skill": (row["skill"] or {}).get("value")} for row in self.result["horizons"]]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def candidates(self) -> pl.DataFrame:
        """What was tried: see ``Comparison.candidates``."""
        from asof import metrics

        own = metrics.owned(self.project.workspace().plugins.metrics)
        return frames.candidates(self.plan, greater_is_better=metrics.find(self.metric, own).greater_is_better)

    @property
    def plan(self) -> "Plan":
        """What was run to choose it; ``Project.run(plan)`` chooses the same again."""
        from asof.tuning import Plan

        return Plan.from_json(self._oracle.release.json("plan"))

    @property
    def audit(self) -> pl.DataFrame:
        """What the audit of its run answered: check, outcome. ``Project.audit`` asks again, and says what was tried."""
        told = self.result["audit"]
        words = {"passed": "passed", "failed": "failed", "untold": "could not tell"}
        rows = [(check, word) for name, word in words.items() for check in told[name]]
        return pl.DataFrame(rows, schema={"check": pl.String, "outcome": pl.String}, orient="row")

    @property
    def findings(self) -> pl.DataFrame:
        """What was found on the way: severity, check, subject, message, figure, limit, rows."""
        return frames.findings(self.result["findings"])

    # What it is ----------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._oracle.release.folder

    @property
    def model(self) -> "Model":
        """The model itself: ``model.predict(features)``, before probabilities are calibrated."""
        found: Model = self._oracle.model
        return found

    @property
    def report(self) -> Report:
        """The page of the release; a notebook shows it in place."""
        return Report(self._oracle.release.text("report.html"))

    @property
    def card(self) -> str:
        """The model on one page of Markdown."""
        return self._oracle.release.text("card.md")

    # What it answers -----------------------------------------------------------------------------------------------

    def predict(
        self, rows: Any = None, *, start: str | None = None, end: str | None = None, location: str | None = None
    ) -> pl.DataFrame:
        """Answer the rows of a frame, in order, or a range, or (without either) the next periods.

        Args:
            rows: of Polars, pandas, or anything that speaks Arrow. Of a panel: place (or lat and lon) and a time,
                perhaps a horizon; of single rows: the columns that the source has.
            start: first local day or moment.
            end: exclusive.
            location: only this place.

        Returns:
            One answer a row: what it is about, ``prediction`` with ``low`` and ``high`` (of classes ``probability``
            and ``chance_NAME`` of each), ``outside`` (beyond what was seen in training), ``reason`` (why there is no
            answer) and ``release``.

        Raises:
            DataError: there is nothing to answer, or columns are missing.
        """
        if rows is None:
            return self._range(Asked(start=start, end=end, location=location, release=self._address))
        given = frames.polars(rows)
        workspace, prepared = self.project.prepared()
        return predicting.answer_frame(workspace, prepared, self._oracle, given, GIVEN)

    def features(self, questions: pl.DataFrame) -> pl.DataFrame:
        """Features of ``questions`` as ``model`` reads them: those of ``Project.features``, in its order."""
        return self.project.features(questions).select(list(self.model.columns))

    def explain(self, rows: Any, *, label: str | None = None, grouped: bool = True) -> pl.DataFrame:
        """Reasons of single answers: what each feature added to or took off the usual prediction.

        Args:
            rows: a few rows as ``predict`` takes them, or questions as ``Project.questions`` gives them.
            label: the class whose probability is explained; of two the second where none is named.
            grouped: whether features that belong together are added up, under a name in words.

        Returns:
            A row an answer and feature, the weightiest first: row, prediction, base, feature, reason (in the unit of
            the prediction); and, of single features, its value as text. ``base`` plus the reasons of a row is its
            prediction.
        """
        workspace, prepared = self.project.prepared()
        questions = self._questions(workspace, prepared, frames.polars(rows))
        whole, features = reasoning.explain(workspace, prepared, self._oracle, questions, label=label)
        told = _tidy(whole, features, reasoning.groups(prepared, whole.reasons.columns) if grouped else None)
        return (
            told.with_columns(row=questions["_row"].cast(pl.Int64).gather(told["row"]))
            if "_row" in questions.columns
            else told
        )

    def importance(self, *, rows: int = 60, label: str | None = None, grouped: bool = True) -> pl.DataFrame:
        """What the model goes by over ``rows`` known questions: feature, importance (mean absolute reason), share."""
        from asof import explanation

        workspace, prepared = self.project.prepared()
        asked = reasoning.known(workspace, prepared, rows)
        whole, _ = reasoning.explain(workspace, prepared, self._oracle, asked, label=label)
        if grouped:
            whole = explanation.grouped(whole, reasoning.groups(prepared, whole.reasons.columns))
        return explanation.importance(whole)

    # Within --------------------------------------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        told, by = self.result, self.result.get("judged_by", "holdout")
        audit = told["audit"]
        checks = f"{len(audit['passed'])} checks passed" + "".join(
            f"; {word}: {', '.join(audit[name])}"
            for name, word in (("failed", "FAILED"), ("untold", "could not tell"))
            if audit[name]
        )
        rows = [
            ("recipe", self.recipe),
            (f"{by} {self.metric}", views.figure(told["holdout"].get(self.metric))),
            ("to expect next", views.figure(told.get("expected"))),
            ("best baseline", f"{told['baseline']['name']}, {views.figure(told['baseline'])}"),
            ("skill", views.figure(told["skill"], percent=True)),
            ("skill in new places", views.figure((told.get("new_places") or {}).get("skill"), percent=True)),
            ("of the explainable", views.figure(told.get("explained"), percent=True)),
            ("audit", checks),
            ("promoted", f"{'yes' if self.promoted else 'no'}: {self.why}"),
        ]
        return views.pairs(str(told["about"]), rows)

    @property
    def _address(self) -> str:
        return str(self.folder)

    def _range(self, asked: Asked) -> pl.DataFrame:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "answers.parquet"
            predicting.predict(self.project.workspace(), asked, out)
            return pl.read_parquet(out)

    def _questions(self, workspace: "Workspace", prepared: "Prepared", rows: pl.DataFrame) -> pl.DataFrame:
        """Questions as they are, or made of rows; those that cannot be asked are left out."""
        from asof.errors import DataError

        if {"as_of", "horizon"} <= set(rows.columns) and rows.schema["as_of"] in {pl.Datetime("us", "UTC"), pl.Null()}:
            return rows
        given = inputs.as_texts(rows) if prepared.panel.rows else rows
        asked = asking.of_frame(workspace, prepared, given, GIVEN).with_row_index("_row")
        if asked["reason"].null_count() == 0:
            message = f"no row can be explained: {asked['reason'][0]}"
            raise DataError(message)
        return asked.filter(pl.col("reason").is_null())


def open_release(project: "Project", which: str, result: Mapping[str, Any] | None = None) -> Release:
    """Open a release by alias, version, name, folder or address; ``result``: what its run has just told."""
    workspace = project.workspace()
    oracle = oracles.open_release(workspace, which)
    record = workspace.registry.find(oracle.release.name)
    if result is None:
        result = (
            recording.reopen(workspace, record).result
            if record is not None
            else json.loads(oracle.release.text(recording.RESULT))
        )
    version, aliases = (record.version, record.aliases) if record is not None else (None, ())
    return Release(project, oracle.release.name, version, tuple(aliases), result, oracle)


def _tidy(whole: Any, features: pl.DataFrame, groups: Mapping[str, str] | None) -> pl.DataFrame:
    from asof import explanation

    shown = explanation.grouped(whole, groups) if groups is not None else whole
    head = pl.DataFrame({"prediction": whole.predictions}).with_row_index("row")
    head = head.with_columns(pl.col("row").cast(pl.Int64), base=pl.lit(whole.base))
    reasons = head.hstack(shown.reasons).unpivot(
        index=["row", "prediction", "base"], variable_name="feature", value_name="reason"
    )
    if groups is None:
        texts = (
            features.select(pl.all().cast(pl.String)).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        )
        values = texts.unpivot(index="row", variable_name="feature", value_name="value")
        reasons = reasons.join(values, on=["row", "feature"], how="left", maintain_order="left")
    weight = pl.col("reason").abs()
    return reasons.with_columns(_weight=weight).sort("row", "_weight", descending=[False, True]).drop("_weight")


def _estimate(figure: Mapping[str, float | None]) -> Estimate:
    def number(name: str) -> float:
        told = figure.get(name)
        return math.nan if told is None else told

    return Estimate(number("value"), number("low"), number("high"))
