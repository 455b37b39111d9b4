"""A project in Dagster: assets for its stages, checks, a schedule, and a sensor that looks for what is new; an extra.

    from asof.dagster import definitions

    defs = definitions("project.yaml")

An asset for each source (its valid rows), one for the release, one for the predictions; what is heavy is done by the
verbs of Asof in the process of the step. Reading this module and the page is all that loading costs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asof import schedules
from asof.errors import AsofError, Busy, OutsideError, Refused, UserError

try:
    import dagster as dg
except ImportError as fault:
    message = "asof.dagster needs the extra dagster: pip install 'asof[dagster]'"
    raise UserError(message) from fault

if TYPE_CHECKING:
    from asof.flows.workspace import Workspace

TRIES, PAUSE = 5, 60
"""How often, and after how many seconds, a step is tried again while another run holds the project."""
LOOK = 300
"""Seconds between two looks of the sensor."""


@dataclass(frozen=True)
class Door:
    """What opens the project anew for each step."""

    address: str
    environment: str | None
    settings: tuple[str, ...]

    def open(self) -> "Workspace":
        """Read the page, and join it to its store."""
        from asof import verbs

        return verbs.open_project(self.address, environment=self.environment, overrides=self.settings)


def definitions(
    address: str | Path = ".",
    *,
    environment: str | None = None,
    settings: Sequence[str] = (),
    cron: str = schedules.CRON,
    look: int = LOOK,
) -> dg.Definitions:
    """Make the definitions of a project.

    Args:
        address: folder, YAML file or ``s3://`` address of the project.
        environment: name of the section of ``environments`` that is laid over the page.
        settings: ``A.B=C``, laid over both.
        cron: when the schedule runs the whole job; by default as ``asof init --cron`` says it.
        look: seconds between two looks of the sensor for what is new.

    Raises:
        ProjectError: the page has faults, all of them at once.
    """
    from asof import project

    door = Door(str(address), environment, tuple(settings))
    spec = project.read(door.address, environment=environment, overrides=settings).spec
    name = spec.name
    sources = [_source(door, name, source) for source in spec.sources]
    release = _release(door, name, list(spec.sources))
    job = dg.define_asset_job(
        f"{name}_retrain", dg.AssetSelection.groups(name), description="What `asof retrain` does."
    )
    return dg.Definitions(
        executor=dg.multiprocess_executor.configured({"max_concurrent": 1}),  # one store, one lock
        assets=[*sources, release, _predictions(door, name)],
        jobs=[job],
        schedules=[dg.ScheduleDefinition(name=f"{name}_schedule", job=job, cron_schedule=cron)],
        sensors=[_sensor(door, name, job, look)],
    )


def _source(door: Door, project: str, source: str) -> dg.AssetsDefinition:
    """Valid rows of a source; where validation refuses them the tables stay, and nothing after them is done."""
    key = dg.AssetKey([project, source])

    @dg.multi_asset(
        name=f"{project}_{source}",
        specs=[dg.AssetSpec(key, skippable=True, group_name=project, kinds={"deltalake"}, description=_source.__doc__)],
        check_specs=[dg.AssetCheckSpec("validation", asset=key, blocking=True)],
    )
    def ingest(context: dg.AssetExecutionContext) -> Iterator[Any]:
        from asof.flows import intake

        try:
            told = _patiently(door, lambda workspace: intake.ingest(workspace, only=[source]))
        except Refused as refusal:
            context.log.warning(str(refusal))
            yield dg.AssetCheckResult(passed=False, check_name="validation", asset_key=key, description=str(refusal))
            return
        one = told["sources"][0]
        counts = {part: one[part] for part in ("read", "new", "valid", "quarantined")}
        warned = [finding["message"] for finding in told["findings"] if finding["severity"] == "warning"]
        yield dg.MaterializeResult(asset_key=key, metadata={**counts, "dagster/row_count": one["valid"]})
        yield dg.AssetCheckResult(
            passed=True, check_name="validation", asset_key=key, metadata={**counts, "warnings": warned}
        )

    return ingest


def _release(door: Door, project: str, sources: Sequence[str]) -> dg.AssetsDefinition:
    """The newest release: features, choice, judgement, audit, and whether it became champion."""
    key = dg.AssetKey([project, "release"])
    checks = ("audit", "promotion")

    @dg.multi_asset(
        name=f"{project}_release",
        specs=[
            dg.AssetSpec(
                key,
                deps=[dg.AssetKey([project, source]) for source in sources],
                group_name=project,
                kinds={"mlflow"},
                description=_release.__doc__,
            )
        ],
        check_specs=[dg.AssetCheckSpec(check, asset=key) for check in checks],
    )
    def release(context: dg.AssetExecutionContext) -> Iterator[Any]:
        from asof.flows import running

        told = _patiently(door, running.release)
        context.log.info(told["why"])
        skill, audit = told["skill"], told["audit"]
        figures = {"skill": skill["value"], **{metric: one["value"] for metric, one in told["holdout"].items()}}
        yield dg.MaterializeResult(
            asset_key=key,
            data_version=dg.DataVersion(told["fingerprint"]),
            metadata={
                "release": told["release"],
                "promoted": told["promoted"],
                "why": told["why"],
                **{name: figure for name, figure in figures.items() if figure is not None},
                "report": dg.MetadataValue.path(told["files"]["report"]),
            },
        )
        yield dg.AssetCheckResult(
            passed=not audit["failed"],
            check_name="audit",
            asset_key=key,
            metadata={k: list(v) for k, v in audit.items()},
        )
        broken = _broken(told)
        yield dg.AssetCheckResult(
            passed=not broken,
            check_name="promotion",
            asset_key=key,
            description=told["why"],
            metadata={"promoted": told["promoted"], "broken": broken},
        )

    return release


def _broken(told: Mapping[str, Any]) -> list[str]:
    """Rules of promotion that a release did not keep."""
    decision = told.get("decision") or {}
    return [rule["message"] for rule in decision.get("rules", []) if not rule["kept"]]


def _predictions(door: Door, project: str) -> dg.AssetsDefinition:
    """Answers to the next questions by the champion."""

    @dg.asset(
        name="predictions",
        key_prefix=[project],
        deps=[dg.AssetKey([project, "release"])],
        group_name=project,
        kinds={"parquet"},
        description=_predictions.__doc__,
        output_required=False,
    )
    def predictions(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        from asof.flows import running

        told = _patiently(door, running.answer_next)
        if not told["answered"]:
            context.log.warning(told["why"])
            return
        metadata = {name: value for name, value in told.items() if value is not None}
        yield dg.MaterializeResult(metadata={**metadata, "dagster/row_count": told["answered"]})

    return predictions


def _sensor(door: Door, project: str, job: Any, look: int) -> dg.SensorDefinition:
    """Take in what is new as `asof retrain` does, and ask for a run where no release has been made of it yet."""

    @dg.sensor(name=f"{project}_new_data", job=job, minimum_interval_seconds=look, description=_sensor.__doc__)
    def new_data() -> dg.RunRequest | dg.SkipReason:
        from asof.flows import retraining

        try:
            key, made = retraining.look(door.open())
        except Busy as busy:
            return dg.SkipReason(f"{busy}; the next look is in {look} s")
        if made is not None:
            return dg.SkipReason(f"nothing is new since {made}")
        return dg.RunRequest(run_key=key)  # the same data are asked for once, however often they are looked at

    return new_data


def _patiently(door: Door, do: Callable[["Workspace"], Any]) -> Any:
    """Do the work of a step; where another run holds the project it is tried again later.

    Raises ``Refused`` as it is, and any other fault of ours as a failure in one line.
    """
    try:
        return do(door.open())
    except Refused:
        raise
    except Busy as busy:
        raise dg.RetryRequested(max_retries=TRIES, seconds_to_wait=PAUSE) from busy
    except AsofError as fault:
        raise dg.Failure(description=str(fault), allow_retries=isinstance(fault, OutsideError)) from fault
