"""``asof check``: the data as they are, and what is wrong or strange about them."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from asof import profiles, times
from asof.data import UTC_TIME, Finding, Severity, SourceTable
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
    findings += _too_late(workspace, prepared)
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


def _too_late(workspace: Workspace, prepared: Prepared) -> list[Finding]:
    """A first day of learning after which no period is covered: ``run`` would refuse it."""
    since, panel, covered = workspace.spec.train.since, prepared.panel, prepared.counted.coverage
    if since is None or not panel.timed or not covered.starts:
        return []
    first = pl.Series([times.midnight(since, panel.zone)], dtype=UTC_TIME)
    if not panel.rows:
        begun = times.floor(first, panel.every, panel.zone)
        begun = begun if begun[0] == first[0] else times.end(begun, panel.every, panel.zone)
        first = times.end(begun, panel.every, panel.zone)
    if first[0] < covered.end or (first[0] == covered.end and not panel.rows):
        return []
    zone = ZoneInfo(panel.zone)
    message = (
        f"nothing is left to learn from: {panel.source} covers {prepared.first.astimezone(zone):%Y-%m-%d} to "
        f"{covered.end.astimezone(zone):%Y-%m-%d}, and learning begins on {since:%Y-%m-%d}; name an earlier day"
    )
    return [Finding("since", Severity.ERROR, "train.since", message)]


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
