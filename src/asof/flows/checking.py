"""``asof check``: the data as they are, and what is wrong or strange about them."""

from collections.abc import Mapping, Sequence
from typing import Any

from asof import profiles
from asof.data import SourceTable
from asof.flows import intake
from asof.flows.ingestion import Ingested
from asof.flows.preparation import Prepared, prepare
from asof.flows.workspace import Workspace


def check(workspace: Workspace) -> dict[str, Any]:
    """Bring the sources up to date, describe each column, and collect all findings.

    Beyond the rules of single rows it makes sure that places, panel and features fit the data
    (a lag that could not be known in time is refused here, naming the shortest legal one).
    """
    stages = workspace.stages
    with workspace.hold("check"):
        with stages("ingest"):
            done = intake.take_in(workspace)
        with stages("check"):
            tables = intake.open_tables(workspace)
            prepared = prepare(workspace, tables)
    return {**_told(workspace, done, tables, prepared), "seconds": stages.seconds}


def look(workspace: Workspace, prepared: Prepared) -> dict[str, Any]:
    """What ``check`` says of the data as they have been taken in, without reading a source; no ``seconds``."""
    return _told(workspace, intake.kept(workspace), intake.open_tables(workspace), prepared)


def _told(
    workspace: Workspace, done: Sequence[Ingested], tables: Mapping[str, SourceTable], prepared: Prepared
) -> dict[str, Any]:
    findings = [finding for one in done for finding in one.findings] + list(prepared.findings)
    refused = any(finding.severity == "error" for finding in findings)
    return {
        "project": workspace.spec.name,
        "rows": intake.counts(done),
        "profiles": {name: _profile(table) for name, table in tables.items()},
        "panel": describe(prepared),
        "findings": intake.plain(findings),
        "known_at": workspace.known_at.isoformat() if workspace.known_at else None,
        "refused": refused,
    }


def describe(prepared: Prepared) -> dict[str, Any]:
    """The panel in figures: places, periods and horizons; or the rows, where each is asked about."""
    panel = prepared.panel
    return {
        "rows": prepared.counted.rows.height if panel.measure in {"value", "classes"} else None,
        "places": len(panel.places),
        "every": str(panel.every),
        "zone": panel.zone,
        "horizons": [str(step) for step in panel.horizons],
        "first": prepared.first if prepared.counted.coverage.starts else None,
        "covered_until": prepared.counted.coverage.end if prepared.counted.coverage.starts else None,
    }


def spans(table: SourceTable) -> str:
    """Covered stretches in words, local days of the source."""
    import zoneinfo

    zone = zoneinfo.ZoneInfo(table.zone)
    pairs = zip(table.coverage.starts, table.coverage.ends, strict=True)
    return ", ".join(f"{start.astimezone(zone):%Y-%m-%d} to {end.astimezone(zone):%Y-%m-%d}" for start, end in pairs)


def _profile(table: SourceTable) -> dict[str, Any]:
    profile = profiles.of(table.name, table.rows)
    return {"rows": profile.rows, "covered": spans(table), "columns": profile.columns.to_dicts()}
