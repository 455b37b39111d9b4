"""What is shown of data: what was read, the profile of each source, and the findings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asof.terminal.printing import clip, console, lines, pairs, paragraph, plain, table, title

ORDER: Final = {"error": 0, "warning": 1, "note": 2}
STYLES: Final = {"error": "bold red", "warning": "yellow", "note": "dim"}
ALIKE: Final = 4
"""More findings than this of one check and severity are shown by the first ones alone."""
SHOWN: Final = 3
"""So many of them."""
COLUMNS: Final = 25
"""Columns of a kind that are shown in full; of more, the names."""
CELL: Final = 24
"""Longest name or value in a profile."""
LONG: Final = 32
"""Longest names of repaired columns."""
NAMES: Final = {"_event": "event time (UTC)"}
"""Columns of ours, as a person knows them."""
EVERYTHING: Final = "asof check --json has them all"
KEPT_BACK: Final = ("history", "note")
"""Check and severity of what nobody needs to be told each time: a report says it beside its source."""
REPAIR: Final = "repair"
"""Check of the findings that say how many cells a declared repair has changed."""


def show_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """Show findings, the gravest first; many of one kind by the first ones and the names of the others.

    What the declared repairs did is a table of its own.
    """
    done, findings = repaired([one for one in findings if (one["check"], one["severity"]) != KEPT_BACK])
    if done:
        _repairs(done)
    if not findings:
        console().print("No findings.")
        return
    title("Findings")
    for (severity, check), group in grouped(findings).items():
        many = len(group) > ALIKE
        for finding in group[: SHOWN if many else None]:
            text = f"{finding['subject']}: {finding['message']} ({check})"
            paragraph(severity, text, column=11, style=STYLES[severity])
        if many:
            others = ", ".join(str(finding["subject"]) for finding in group[SHOWN:])
            paragraph("", f"and {len(group) - SHOWN} more of {check}: {others}; {EVERYTHING}", column=11)


def repaired(
    findings: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """(What the declared repairs did, the other findings)."""
    done = [finding for finding in findings if finding["check"] == REPAIR and finding["severity"] == "note"]
    return done, [finding for finding in findings if finding not in done]


def grouped(findings: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Findings by severity and check, the gravest first."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in sorted(findings, key=lambda f: ORDER[f["severity"]]):
        groups.setdefault((finding["severity"], finding["check"]), []).append(finding)
    return groups


def _repairs(done: Sequence[Mapping[str, Any]]) -> None:
    """What each rule did to the cells of a column; of those that changed nothing, how many there are."""
    told = [one for one in done if one["rows"]]
    rows = [(clip(one["subject"], LONG), one["message"], f"{one['rows']:,}", share(one["figure"])) for one in told]
    if len(told) < len(done):
        rest = len(done) - len(told)
        rows.append(("", f"{rest} more {'rule' if rest == 1 else 'rules'} changed no cell", "", ""))
    table("Repairs", ("column", "rule", "cells", ""), rows, right=(2, 3))


def show_check(result: Mapping[str, Any]) -> None:
    """Show the findings, what is asked, and the profile of each source."""
    if result.get("known_at"):
        pairs("", [("data", f"as known at {result['known_at']}")])
    show_findings(result["findings"])
    if result.get("panel"):
        pairs("Asked", asked(result["panel"]))
    for source, profile in result["profiles"].items():
        columns = profile["columns"]
        covered = f", covered {profile['covered']}" if profile["covered"] else ""
        title(f"{source}: {profile['rows']:,} rows, {len(columns)} columns{covered}")
        _profile(columns)


def asked(panel: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the questions of the project are, in figures; what a kind of project does not have is left out."""
    rows = []
    if panel.get("rows"):
        rows.append(("rows", f"{panel['rows']:,}, each by itself"))
    if panel.get("places", 0) > 1:
        rows.append(("places", f"{panel['places']:,}"))
    if panel.get("every") and not panel.get("rows"):
        rows.append(("periods", f"of {panel['every']}, cut in {panel['zone']}"))
        rows.append(("horizons", ", ".join(panel["horizons"])))
    if panel.get("first") and panel.get("covered_until"):
        rows.append(("known", f"from {panel['first']:%Y-%m-%d %H:%M} to {panel['covered_until']:%Y-%m-%d %H:%M} UTC"))
    return rows


def _profile(columns: Sequence[Mapping[str, Any]]) -> None:
    """Columns by kind, a line each: numbers, times, others; then those with one value or none, by name."""
    empty = [c for c in columns if c["distinct"] == 0]
    alike = [c for c in columns if c["distinct"] == 1 and c["missing"] == 0]
    told = [c for c in columns if c not in empty and c not in alike]
    numbers = [c for c in told if c["type"] in {"integer", "number"}]
    times = [c for c in told if c["type"] in {"time", "date"}]
    others = [c for c in told if c not in numbers and c not in times]
    figures = ("low", "median", "high")
    _kind("numbers", figures, numbers, right=(1, 2, 3, 4, 5))
    _kind("times", ("low", "high"), times, right=(1, 2))
    _kind("text", ("most frequent",), [{**c, "most frequent": c["top"]} for c in others], right=(1, 2))
    if alike:
        paragraph("one value", _listed([f"{c['column']} {_only(c)}" for c in alike]), column=13)
    if empty:
        paragraph("no value", _listed([str(c["column"]) for c in empty]), column=13)


def _kind(name: str, figures: Sequence[str], columns: Sequence[Mapping[str, Any]], *, right: Sequence[int]) -> None:
    if not columns:
        return
    rows = [
        (
            clip(NAMES.get(c["column"], str(c["column"])), CELL),
            share(c["missing"]),
            f"{c['distinct']:,}",
            *(clip(str(c[f] or ""), CELL) if len(figures) > 1 else str(c[f] or "") for f in figures),
        )
        for c in columns[:COLUMNS]
    ]
    lines((name, "missing", "distinct", *figures), rows, right=right)
    if len(columns) > COLUMNS:
        rest = ", ".join(str(c["column"]) for c in columns[COLUMNS:])
        paragraph("", f"and {len(columns) - COLUMNS} more: {rest}; {EVERYTHING}", column=4)
    console().print()


def share(figure: float) -> str:
    """Write a share in per cent; a small one is never written as none."""
    if figure == 0:
        return "0 %"
    return f"{100 * figure:.1f} %" if figure >= 0.001 else "< 0.1 %"


def _only(column: Mapping[str, Any]) -> str:
    """The one value of a column."""
    value = column["low"] if column["low"] is not None else str(column["top"] or "").rsplit(" (", 1)[0]
    return clip(value, CELL)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:COLUMNS])
    return shown if len(names) <= COLUMNS else f"{shown} and {len(names) - COLUMNS} more; {EVERYTHING}"


def show_ingest(result: Mapping[str, Any]) -> None:
    """Show what was read, source by source."""
    rows = [
        (s["source"], *(f"{s[k]:,}" for k in ("read", "new", "valid", "quarantined", "repeated")), s["note"])
        for s in result["sources"]
    ]
    heads = ("source", "read", "new", "valid", "quarantined", "repeated", "")
    table("", heads, rows, right=(1, 2, 3, 4, 5))
    reasons = [(s["source"], r["reason"], f"{r['rows']:,}") for s in result["sources"] for r in s["reasons"]]
    if reasons:
        table("Quarantine", ("source", "reason", "rows"), reasons, right=(2,))
    show_findings(result["findings"])


def show_arrival(told: Mapping[str, Any]) -> None:
    """Show what came of each file of one ingest, a line each, and why a source was refused."""
    for one in told["files"]:
        console().print(plain(f"{told['at'][11:19]}  {one['source']}  {one['file']}: {_came(one)}"), soft_wrap=True)
    for fault in told["refusals"]:
        console().print(plain(f"{told['at'][11:19]}  refused: {fault}"), soft_wrap=True)


def _came(one: Mapping[str, Any]) -> str:
    """What came of a file, in words."""
    if one.get("fault"):
        return f"not read: {one['fault']}".replace(f"{one['file']}: ", "", 1)
    if "note" in one:
        return f"{one['read']:,} rows {one['note']}" if one.get("read") else str(one["note"])
    words = [f"{one['read']:,} rows, {one['valid']:,} valid, {one['quarantined']:,} in quarantine"]
    if one["known"]:
        words.append(f"{one['known']:,} known already")
    return "; ".join([*words, *(f"{reason['reason']} ({reason['rows']:,})" for reason in one["reasons"])])
