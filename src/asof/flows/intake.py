"""All sources of a project brought up to date, and opened."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from asof.data import Finding, SourceTable
from asof.errors import DataError
from asof.flows import ingestion
from asof.flows.ingestion import Ingested
from asof.flows.knowledge import KnownAt
from asof.flows.workspace import Workspace


def ingest(workspace: Workspace, *, only: Sequence[str] = (), replay: bool = False) -> dict[str, Any]:
    """Bring sources up to date, or (``replay``) judge the kept rows again; what ``asof ingest`` shows comes back."""
    with workspace.hold("ingest"), workspace.stages("ingest"):
        done = take_in(workspace, only, replay=replay)
    return dict(view(workspace, done))


def take_in(workspace: Workspace, only: Sequence[str] = (), *, replay: bool = False) -> list[Ingested]:
    """Ingest each source (or those named in ``only``), one after the other.

    Raises ``DataError`` for an unknown name, and whatever an ingest raises.
    """
    sources = workspace.spec.sources
    known(workspace, only)
    done = []
    names = [name for name in sources if not only or name in only]
    if isinstance(workspace.lake, KnownAt):
        return workspace.lake.recall(names)
    for position, name in enumerate(names):

        def tell(share: float, position: int = position) -> None:
            workspace.stages.done((position + share) / len(names))

        done.append(
            ingestion.ingest(
                name,
                sources[name],
                workspace.readers(name),
                workspace.lake,
                now=workspace.now,
                force=workspace.force,
                replay=replay,
                project=workspace.spec.name,
                progress=tell,
            )
        )
    return done


def known(workspace: Workspace, only: Sequence[str]) -> None:
    """Raise ``DataError`` where one of the names is not that of a source."""
    sources = workspace.spec.sources
    unknown = [name for name in only if name not in sources]
    if unknown:
        message = f"no source is called {', '.join(unknown)}; the project has {', '.join(sources)}"
        raise DataError(message)


def open_tables(workspace: Workspace) -> dict[str, SourceTable]:
    """Open all sources as lookups see them."""
    return {name: ingestion.load(name, spec, workspace.lake) for name, spec in workspace.spec.sources.items()}


def kept(workspace: Workspace) -> list[Ingested]:
    """What the last ingest of each source found, as its tables tell; no source is read."""
    found = (ingestion.recall(name, workspace.lake) for name in workspace.spec.sources)
    return [one for one in found if one is not None]


def counts(done: Sequence[Ingested]) -> dict[str, int]:
    """Rows read, valid, quarantined and repeated (of those read, no row of their own), over all sources."""
    return {
        "read": sum(one.read for one in done),
        "valid": sum(one.valid for one in done),
        "quarantined": sum(one.quarantined for one in done),
        "repeated": sum(one.repeated for one in done),
    }


def reasons(workspace: Workspace, source: str) -> list[dict[str, Any]]:
    """Why rows of a source are in quarantine: ``reason`` and ``rows``, the most frequent first."""
    if workspace.lake.version(source, "quarantine") is None:
        return []
    return told(workspace.lake.quarantine(source))


def told(refused: pl.DataFrame) -> list[dict[str, Any]]:
    """Reasons of refused rows: ``reason`` and ``rows``, the most frequent first."""
    return [
        {"reason": f"{column}: {reason}".removeprefix(": "), "rows": rows.height}
        for column, reason, rows in refusals(refused)
    ]


def refusals(refused: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    """Refused rows by (column, or several; reason), the most frequent first."""
    if refused.height == 0:
        return []
    column = pl.col("_column") if "_column" in refused.columns else pl.lit("")
    parts = refused.group_by(column.fill_null("").alias("column"), pl.col("_reason"), maintain_order=True)
    found = [(str(column), str(reason), rows) for (column, reason), rows in parts]
    return sorted(found, key=lambda one: (-one[2].height, one[0], one[1]))


def plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as plain mappings."""
    return [asdict(finding) | {"severity": str(finding.severity)} for finding in findings]


def view(workspace: Workspace, done: Sequence[Ingested]) -> Mapping[str, Any]:
    """What ``asof ingest`` shows."""
    sources = [
        {
            "source": one.source,
            "read": one.read,
            "new": one.new,
            "valid": one.valid,
            "quarantined": one.quarantined,
            "repeated": one.repeated,
            "note": "unchanged" if one.skipped else "",
            "seconds": dict(one.seconds),
            "reasons": reasons(workspace, one.source)[:10],
        }
        for one in done
    ]
    findings = plain([finding for one in done for finding in one.findings])
    return {"project": workspace.spec.name, "rows": counts(done), "sources": sources, "findings": findings}
