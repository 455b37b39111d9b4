"""What is shown of runs, releases and decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

from asof.terminal.data import show_findings
from asof.terminal.printing import interval, number, pairs, paragraph, path, percent, table, title

ALSO = ("accuracy", "auc")
"""Figures that people ask for, whichever metric decides."""
DOUBTS = frozenset({"candidates", "choice", "unseen class", "constant label"})
"""Checks whose warnings are shown beside the score, because they say what it is worth."""
FOLLOWS = {
    "holdout": "the stretch that follows",
    "nested folds": "as many other rows",
    "places held out": "as many other places",
}
KEEPS = {"holdout": "the holdout", "nested folds": "nested folds", "places held out": "places held out"}


def show_run(result: Mapping[str, Any]) -> None:
    """Show a finished run: the few figures that decide, and where the files are."""
    from asof.pages import boards

    metric = result["metric"]
    audit = result["audit"]
    by = result.get("judged_by", "holdout")
    words = {
        "champion" if result["promoted"] else "candidate": f"{result['recipe']}, release {result['release']}",
        f"{by} {metric}": interval(result["holdout"].get(metric)),
        "to expect next": interval(result.get("expected")) + f"  of {FOLLOWS[by]}",
        **{name: interval(result["holdout"][name]) for name in ALSO if name in result["holdout"] and name != metric},
        "ensemble": boards.gain(result.get("ensemble")),
        "data": f"as known at {result.get('known_at')}",
        "best baseline": f"{result['baseline']['name']}, {number(result['baseline'].get('value'))}",
        "skill": percent(result["skill"]) + "  less loss than that baseline",
        "in new places": percent((result.get("new_places") or {}).get("skill")) + "  skill where nothing was learnt",
        "of the explainable": percent(result.get("explained"))
        + "  of the variance that a Poisson count leaves to explain",
        "folds promised": _promised(result["optimism"], by),
        "90 % intervals": f"cover {100 * (result.get('coverage') or 0):.1f} %",
        "audit": _audit_words(audit),
        "promoted": f"{'yes' if result['promoted'] else 'no'}: {result['why']}",
    }
    told = {
        "ensemble": "ensemble",
        "of the explainable": "explained",
        "to expect next": "expected",
        "90 % intervals": "coverage",
    }
    for name, figure in {**told, "in new places": "new_places", "data": "known_at"}.items():
        if result.get(figure) is None:
            words.pop(name)
    pairs(f"{result['project']}: {result['about']}", list(words.items()))
    shown = [one for one in result.get("findings", ()) if one["check"] in audit["failed"] or _doubted(one)]
    if shown:
        show_findings(shown)
    if len(result.get("horizons", [])) > 1:
        rows = [(row["horizon"], interval(row), percent(row.get("skill"))) for row in result["horizons"]]
        table("Score per horizon", ("horizon", metric, "skill"), rows)
    rows_read = result["rows"]
    pairs(
        "Rows",
        [
            ("read", f"{rows_read['read']:,}"),
            ("valid", f"{rows_read['valid']:,}"),
            ("quarantined", f"{rows_read['quarantined']:,}"),
            *([("repeated", f"{rows_read['repeated']:,}")] if rows_read.get("repeated") else []),
        ],
    )
    pairs("Files", [(name, path(file)) for name, file in result.get("files", {}).items()])
    seconds = result["seconds"]
    spent = "  ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    pairs("Seconds", [("by stage", spent), ("total", f"{sum(seconds.values()):.1f}")])


def _doubted(finding: Mapping[str, Any]) -> bool:
    return finding["severity"] == "warning" and finding["check"] in DOUBTS


def _promised(optimism: Mapping[str, Any] | None, by: str) -> str:
    """Write how much more or less skill the folds promised than what judged kept, in points of a per cent."""
    if not optimism or optimism.get("value") is None:
        return "-"
    sign = 1 if optimism["value"] >= 0 else -1
    points = f"{100 * abs(optimism['value']):.1f}"
    if points == "0.0":
        text = f"as much skill as {KEEPS[by]} kept"
    else:
        text = f"{points} points of skill {'more' if sign > 0 else 'less'} than {KEEPS[by]} kept"
    if optimism.get("low") is None:
        return text
    low, high = sorted(sign * 100 * optimism[bound] for bound in ("low", "high"))
    chance = ", within chance" if low <= 0 <= high else ""
    return f"{text}  [{low:.1f} .. {high:.1f}]{chance}"


def _audit_words(audit: Mapping[str, Sequence[str]]) -> str:
    parts = [f"{len(audit['passed'])} passed"]
    if audit["failed"]:
        parts.append("FAILED: " + ", ".join(audit["failed"]))
    if audit["untold"]:
        parts.append("could not tell: " + ", ".join(audit["untold"]))
    if audit.get("accepted"):
        parts.append("accepted: " + ", ".join(audit["accepted"]))
    return "; ".join(parts) + (f" ({', '.join(audit['passed'])})" if audit["passed"] else "")


def show_audit(result: Mapping[str, Any]) -> None:
    """Show each check, what it covered, and what it found."""
    table(
        "Audit", ("check", "answer", "tried"), [(v["check"], v["outcome"], v["coverage"]) for v in result["verdicts"]]
    )
    if result["findings"]:
        show_findings(result["findings"])


def show_backtest(result: Mapping[str, Any]) -> None:
    """Show the scores of a backtest."""
    metric = result["metric"]
    rows = [
        *([("data", f"as known at {result['known_at']}")] if result.get("known_at") else []),
        ("recipe", result["recipe"]),
        (metric, interval(result["scores"].get(metric), 5)),
        ("best baseline", f"{result['baseline']['name']}, {number(result['baseline']['value'], 5)}"),
        ("skill", percent(result["skill"])),
        *((name, interval(figure, 5)) for name, figure in result["scores"].items() if name != metric),
    ]
    if result.get("explained"):
        rows.append(("of the explainable", percent(result["explained"])))
    if result.get("noise"):
        rows.append(
            (
                "pure Poisson noise",
                f"{number(result['noise'], 5)} of {number(result['scores'][metric]['value'], 5)} is noise",
            )
        )
    rows += [
        ("questions", f"{result['questions']:,} answered, {result['unanswered']:,} asked too late to be"),
        ("file", path(result["file"])),
    ]
    pairs(f"{result['project']}: learnt what was known at {result['cut']}", rows)


def show_predict(result: Mapping[str, Any]) -> None:
    """Show what was answered."""
    rows = [
        ("release", result["release"]),
        ("answered", f"{result['answered']:,}"),
        ("not answered", f"{result['unanswered']:,}"),
        *(("", f"{row['rows']:,}: {row['reason']}") for row in result["reasons"]),
    ]
    if result["learnt"]:
        rows.append(("from memory", f"{result['learnt']:,}: their outcome was learnt, so they are no forecasts"))
    if "table" in result:
        rows.append(("table", f"{result['table']}, {result['changed']:,} rows new or changed"))
    else:
        rows.append(("file", path(result["file"])))
    pairs("", rows)


def show_report(result: Mapping[str, Any]) -> None:
    """Show where the page is."""
    pairs("", [("release", result["release"]), ("page", path(result["page"]))])


def show_runs(result: Mapping[str, Any]) -> None:
    """Show releases and decisions."""
    rows = []
    for r in result["releases"]:
        made = f"{r['name']}, made {r['created']}: {r['recipe']}, {result['metric']} {number(r['score'])}"
        rows.append(
            (
                f"{r['version']:>3}  {', '.join(r['aliases'])}",
                f"{made}, audit {r['audit']}, fingerprint {r['fingerprint'][:12]}{_knowledge(r)}",
            )
        )
    pairs("Releases", rows or [("none yet", "`asof run` makes one")])
    if result["decisions"]:
        title("Decisions")
    for one in result["decisions"]:
        about = f"{one['kind']} of version {one['version']}" if one["version"] is not None else one["kind"]
        paragraph(str(one["at"]).replace("T", " "), f"{about}: {one['what']}", column=20)


def _knowledge(release: Mapping[str, Any]) -> str:
    """As of when the data of a release were known, where that is the past, and by when histories were corrected."""
    at = [f"data as known at {release['known_at']}"] if release.get("known_at") else []
    history = [f"{source}: {said}" for source, said in (release.get("history") or {}).items()]
    return "".join(f"; {one}" for one in [*at, *history])


def show_promotion(result: Mapping[str, Any]) -> None:
    """Show a decision."""
    pairs(
        "", [("release", result["release"]), ("promoted", f"{'yes' if result['promoted'] else 'no'}: {result['why']}")]
    )


def show_retrain(result: Mapping[str, Any]) -> None:
    """Show what was new, and what came of it."""
    if not result["retrained"]:
        pairs(result["project"], [("new", "nothing"), ("champion", result["why"])])
        return
    pairs(result["project"], [("new", "; ".join(result["news"]))])
    show_run(result)


def show_champion(result: Mapping[str, Any]) -> None:
    """Show which release was champion at a moment."""
    if result["release"] is None:
        pairs("", [("champion", f"none at {result['asked']}: {result['why']}")])
        return
    told = {"champion": result["release"], "since": result["since"], "why": result["why"]}
    pairs(f"At {result['asked']}", [*told.items(), ("files", path(result["folder"]) if result["folder"] else "gone")])


def show_settings(result: Mapping[str, Any]) -> None:
    """Show each setting and where it came from."""
    rows = [
        (row["path"], f"{'none' if row['value'] is None else row['value']}  ({row['from']})")
        for row in result["settings"]
    ]
    pairs("", rows)


def show_doctor(result: Mapping[str, Any]) -> None:
    """Show what works here."""
    table("", ("", "what", ""), [("ok" if row["ok"] else "--", row["what"], row["note"]) for row in result["rows"]])
