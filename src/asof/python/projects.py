"""A project in a notebook or a script: what the command line does, with frames in and frames out."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from asof.python import frames, making, views
from asof.python.results import Audit, Backtest, Check, Comparison, Fold, Intake, Training

if TYPE_CHECKING:
    from asof.flows.learning import Bench
    from asof.flows.preparation import Prepared
    from asof.flows.workspace import Workspace
    from asof.python.released import Release
    from asof.splits import Split
    from asof.tuning import Plan

Chosen: TypeAlias = "Comparison | Plan | str | Path | None"
"""A choice to repeat: what ``compare`` gave, a plan, or the file that holds one."""


@dataclass(frozen=True)
class Project:
    """A project, opened: its verbs are those of the command line, and each reads the page anew.

    Made by ``Project.open`` and ``Project.of_frames``.
    """

    address: str
    """Folder, YAML file or ``s3://`` address."""
    environment: str | None = None
    """Name of the section of ``environments`` that is laid over the page."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings laid over both, by dotted path: ``{"train.budget": "20s"}``."""
    progress: bool = False
    """Whether long work says how far it is."""
    as_of: str | None = None
    """Day or moment of the past, local to what is predicted: the data are those that were known then."""
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was laid out last, by the hash of everything that it was made from."""

    @classmethod
    def open(
        cls,
        address: str | Path = ".",
        *,
        environment: str | None = None,
        settings: Mapping[str, Any] | None = None,
        progress: bool = False,
        as_of: str | None = None,
    ) -> "Project":
        """Open a project; raises ``ProjectError`` with all faults of its page at once.

        With ``as_of`` its data are those known then: nothing is read, nothing kept changes, what is made says so.
        """
        project = cls(str(address), environment, dict(settings or {}), progress, as_of)
        project.workspace()
        return project

    @classmethod
    def of_frames(
        cls, folder: str | Path, page: Mapping[str, Any], sources: Mapping[str, Any], *, progress: bool = False
    ) -> "Project":
        """Make a project of frames in memory, and open it.

        The frames are written to ``folder/data`` as Parquet and the page to ``folder/project.yaml``: what is opened is
        a project like any other, that the command line runs as well. A frame given again replaces its file; rows are
        told apart by their key, as those of any file that has changed.

        Args:
            folder: a new folder, or one that an earlier call has made.
            page: the page as a mapping; ``files:`` of the sources given is filled in, ``name`` is that of the folder.
            sources: a frame for each source, of Polars, pandas, or anything that speaks Arrow.
            progress: whether long work says how far it is.

        Raises:
            ProjectError: the page has faults.
            UserError: the folder holds a page that somebody else has written.
        """
        return cls.open(making.write(Path(folder), page, sources), progress=progress)

    def with_settings(self, settings: Mapping[str, Any]) -> "Project":
        """Return the same project with more settings laid over it, by dotted path."""
        project = replace(self, settings={**self.settings, **settings}, _kept={})
        project.workspace()
        return project

    def workspace(self, *, force: bool = False) -> "Workspace":
        """Return what every flow is given, opened now."""
        from asof import terminal, verbs

        overrides = [f"{path}={json.dumps(value, default=str)}" for path, value in self.settings.items()]
        return verbs.open_project(
            self.address,
            environment=self.environment,
            overrides=overrides,
            progress=terminal.progress() if self.progress else None,
            force=force,
            as_of=self.as_of,
        )

    def page(self) -> pl.DataFrame:
        """Every setting with its value and where it came from: path, value, from."""
        from asof import verbs

        overrides = [f"{path}={json.dumps(value, default=str)}" for path, value in self.settings.items()]
        rows = verbs.settings(self.address, environment=self.environment, overrides=overrides)
        return pl.DataFrame(
            [(row["path"], json.dumps(row["value"], default=str), row["from"]) for row in rows],
            schema={"path": pl.String, "value": pl.String, "from": pl.String},
            orient="row",
        )

    # Data ----------------------------------------------------------------------------------------------------------

    def check(self) -> Check:
        """Bring the sources up to date, describe each column, and collect all findings."""
        from asof.flows import checking

        told = checking.check(self.workspace())
        profiles = [
            pl.DataFrame(one["columns"], infer_schema_length=None).insert_column(
                0, pl.lit(name, pl.String).alias("source")
            )
            for name, one in told["profiles"].items()
        ]
        return Check(
            pl.concat(profiles, how="diagonal_relaxed"),
            frames.findings(told["findings"]),
            told["panel"],
            told["refused"],
        )

    def ingest(self, *sources: str, replay: bool = False) -> Intake:
        """Read what is new, validate it and keep it: of all sources, or of those named.

        Args:
            sources: names; none means all.
            replay: judge the rows kept so far again, without reading the source.
        """
        from asof.flows import intake

        self._of_the_present("ingest")
        told = intake.ingest(self.workspace(), only=sources, replay=replay)
        columns = ("source", "read", "new", "valid", "quarantined", "note")
        reasons = [(one["source"], row["reason"], row["rows"]) for one in told["sources"] for row in one["reasons"]]
        return Intake(
            pl.DataFrame([{name: one[name] for name in columns} for one in told["sources"]]),
            pl.DataFrame(reasons, schema={"source": pl.String, "reason": pl.String, "rows": pl.Int64}, orient="row"),
            frames.findings(told["findings"]),
        )

    def valid(self, source: str) -> pl.DataFrame:
        """Valid rows of a source, with ``_event``, ``_ended`` and ``_available``: since when each was known."""
        from asof.flows import ingestion

        workspace = self._kept_up(self._named(source))
        return ingestion.load(source, workspace.spec.sources[source], workspace.lake).rows

    def quarantine(self, source: str) -> pl.DataFrame:
        """Refused rows of a source as they came, with ``_reason``, ``_column``, ``_file`` and ``_line``."""
        return self._kept_up(self._named(source)).lake.quarantine(source)

    # Questions and features ----------------------------------------------------------------------------------------

    def questions(self, first: str | None = None, until: str | None = None) -> pl.DataFrame:
        """Questions on all periods, or rows, that start in [first, until), with ``label`` (null while not known).

        Args:
            first: local day or moment; by default as far back as is learnt from.
            until: exclusive; by default as far as labels are known.
        """
        from asof.flows import asking, preparation

        workspace, prepared = self.prepared()
        if not prepared.panel.timed:
            return preparation.of_rows(prepared)
        zone = prepared.panel.zone
        begun = asking.moment(first, zone) if first else preparation.learn_from(workspace, prepared)
        return preparation.ask(prepared, begun, asking.moment(until, zone) if until else prepared.last)

    def features(self, questions: pl.DataFrame) -> pl.DataFrame:
        """Features of ``questions``, as many rows in the same order, each as of its own ``as_of``.

        The one function for features: training, backtests, predictions and the audit call the same.
        """
        from asof.flows import preparation

        workspace, prepared = self.prepared()
        return preparation.read(prepared, frames.questions(questions, prepared.panel), workspace.spec.leave_out)

    def training(self) -> Training:
        """What is learnt from: questions, features, labels, and the folds on which candidates are compared."""
        _, _, bench = self._bench()
        questions = bench.material.questions
        rows = [_span(number, fold, questions) for number, fold in enumerate(bench.folds, 1)]
        return Training(
            questions,
            bench.material.features,
            tuple(Fold(fold.train, fold.test) for fold in bench.folds),
            pl.DataFrame(rows),
        )

    # Models --------------------------------------------------------------------------------------------------------

    def compare(self, candidates: Sequence[str] | None = None, *, budget: str | None = None) -> Comparison:
        """Compare candidates on the folds and choose one; the holdout stays closed.

        Args:
            candidates: names of recipes or estimators in place of those of the page.
            budget: such as ``30s``, in place of that of the page.
        """
        from asof.flows import auditing, intake, learning

        if candidates is not None or budget is not None:
            over = {"train.candidates": list(candidates) if candidates else None, "train.budget": budget}
            given = {path: value for path, value in over.items() if value is not None}
            return self.with_settings(given).compare()
        workspace, _, bench = self._bench()
        with workspace.hold("compare"), workspace.stages("choose"):
            selection = learning.choose(workspace, bench)
        better = bench.wanted.measure.greater_is_better
        return Comparison(
            frames.candidates(selection.plan, greater_is_better=better),
            selection.results,
            frames.findings(intake.plain(selection.findings)),
            bench.wanted.metric,
            auditing.words(selection.chosen),
            selection.plan,
        )

    def run(self, plan: Chosen = None, *, force: bool = False) -> "Release":
        """Do the whole job: ingest, check, choose, judge, audit, promote, predict."""
        from asof.flows import running

        with making.plan_file(plan) as file:
            return self._made(running.run(self.workspace(force=force), plan=file))

    def train(self, plan: Chosen = None, *, force: bool = False) -> "Release":
        """Choose, fit, judge and audit on what is kept; the release becomes the challenger."""
        from asof.flows import running

        with making.plan_file(plan) as file:
            return self._made(running.train(self.workspace(force=force), plan=file))

    def promote(self, which: str = "challenger") -> "Release":
        """Make a release the champion if rules, audit and the paired comparison allow it; ``why`` says what came."""
        from asof.flows import running

        self._of_the_present("promote")
        told = running.promote_release(self.workspace(), which)
        return self.release(told["release"])

    def audit(self, *, full: bool = False) -> Audit:
        """Audit the champion (or the newest release) on the data as they are now; ``full`` tries more."""
        from asof.flows import running

        told = running.audit_project(self.workspace(), full=full)
        return Audit(pl.DataFrame(told["verdicts"]), frames.findings(told["findings"]), not told["refused"])

    def backtest(
        self,
        cut: str,
        *,
        since: str | None = None,
        until: str | None = None,
        refit: str | None = None,
        plan: Chosen = None,
    ) -> Backtest:
        """Learn what was known at ``cut``, then answer every question up to ``until`` as of its own moment."""
        from asof.flows import backtesting

        with tempfile.TemporaryDirectory() as folder, making.plan_file(plan) as file:
            out = Path(folder) / "answers.parquet"
            span = backtesting.Span(cut, since, until, refit)
            told = backtesting.backtest(self.workspace(), span, out, plan=file)
            answers = pl.read_parquet(out)
        del told["file"]
        return Backtest(answers, frames.scores({"backtest": told["scores"]}), told)

    def predict(
        self,
        rows: Any = None,
        *,
        start: str | None = None,
        end: str | None = None,
        location: str | None = None,
        release: str = "champion",
    ) -> pl.DataFrame:
        """Answer the rows of a frame, in order, or a range, or (without either) the next periods.

        See ``Release.predict``; this asks the release that has the alias, version, name or folder ``release``.
        """
        return self.release(release).predict(rows, start=start, end=end, location=location)

    # What there is -------------------------------------------------------------------------------------------------

    def release(self, which: str = "champion") -> "Release":
        """Open a release by alias, version or name; raises ``DataError`` where there is none."""
        from asof.python import released

        return released.open_release(self, which)

    def releases(self) -> pl.DataFrame:
        """Releases, newest first: version, name, created, recipe, audit, fingerprint, score, aliases, metric."""
        from asof.flows import records

        told = records.runs(self.workspace())
        texts = dict.fromkeys(("name", "created", "recipe", "audit", "fingerprint"), pl.String())
        schema: dict[str, pl.DataType] = {"version": pl.Int64(), **texts, "score": pl.Float64()}
        schema["aliases"] = pl.List(pl.String)
        rows = [[one[name] for name in schema] for one in told["releases"]]
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(metric=pl.lit(told["metric"]))

    def decisions(self) -> pl.DataFrame:
        """Decisions about releases and openings of holdouts, newest first: at, kind, release, what."""
        from asof.flows import records

        told = records.runs(self.workspace())["decisions"]
        names = ("at", "kind", "release", "what")
        rows = [[one[name] for name in names] for one in told]
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")

    def _repr_html_(self) -> str:
        spec = self.workspace().spec
        predict = spec.predict
        asked = f"{predict.measure} of {predict.source}" + (f".{predict.column}" if predict.column else "")
        rows = [("predicts", asked), ("horizons", ", ".join(predict.horizon)), ("sources", ", ".join(spec.sources))]
        rows += [(path, str(value)) for path, value in self.settings.items()]
        return views.pairs(spec.name, rows)

    # Within --------------------------------------------------------------------------------------------------------

    def _of_the_present(self, verb: str) -> None:
        """Refuse what changes the present, where the data are those of a moment of the past."""
        from asof.errors import UserError

        if self.as_of is not None:
            message = f"{verb} is about the data as they are: open the project without as_of"
            raise UserError(message)

    def _named(self, source: str) -> str:
        from asof.errors import DataError

        known = self.workspace().spec.sources
        if source not in known:
            message = f"no source is called {source}; the project has {', '.join(known)}"
            raise DataError(message)
        return source

    def _made(self, result: Mapping[str, Any]) -> "Release":
        from asof.python import released

        return released.open_release(self, str(result["release"]), result)

    def _kept_up(self, *sources: str) -> "Workspace":
        """The project, with these sources (or all) read at least once."""
        from asof.flows import intake

        workspace = self.workspace()
        stale = [name for name in sources or workspace.spec.sources if workspace.lake.stamp(name) is None]
        if stale:
            with workspace.hold("ingest"):
                intake.take_in(workspace, stale)
        return workspace

    def prepared(self) -> "tuple[Workspace, Prepared]":
        """The project's data ready to be asked, made anew only where data or settings have changed."""
        from asof.flows import intake, preparation, running

        workspace = self._kept_up()
        with workspace.hold("prepare"):
            key = running.inputs_key(workspace, None)
            if self._kept.get("key") != key:
                self._kept.clear()
                prepared = preparation.prepare(workspace, intake.open_tables(workspace))
                self._kept.update(key=key, prepared=prepared)
        found: Prepared = self._kept["prepared"]
        return workspace, found

    def _bench(self) -> "tuple[Workspace, Prepared, Bench]":
        from asof.flows import running

        workspace, prepared = self.prepared()
        if "bench" not in self._kept:
            self._kept["bench"] = running.lay_out(workspace, prepared)
        bench: Bench = self._kept["bench"]
        return workspace, prepared, bench


def _span(number: int, fold: "Split", questions: pl.DataFrame) -> dict[str, Any]:
    asked = questions["as_of"][fold.test]
    sizes = {"train": fold.train.size, "test": fold.test.size}
    return {"fold": number, "cut": fold.cut, **sizes, "first": asked.min(), "last": asked.max()}
