"""What a person sees in the terminal: progress on standard error, results on standard output."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from asof.flows.workspace import Progress

WIDTH = 100
"""Columns used where standard output is not a terminal and ``COLUMNS`` does not say."""


def _console(*, error: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS") or WIDTH)
    return Console(file=stream, highlight=False, width=width)


def progress() -> "Progress":
    """Progress for this terminal: a live line on a screen, one line a stage elsewhere."""
    return Live() if sys.stderr.isatty() else Lines()


class Lines:
    """One line for each stage that has ended: for logs and pipes."""

    def stage(self, name: str) -> None:
        """Begin a stage."""
        self._name = name

    def done(self, share: float) -> None:
        """Say nothing until the stage has ended."""

    def finish(self, name: str, seconds: float, note: str) -> None:
        """Print the stage, its time and its note."""
        sys.stderr.write(f"  {name:<12} {seconds:6.1f} s  {note}".rstrip() + "\n")
        sys.stderr.flush()

    def stop(self) -> None:
        """Say nothing: the error that follows does."""


class Live:
    """A spinner with the share done and the time left; a stage that has ended leaves one line."""

    def __init__(self) -> None:
        """Start nothing until the first stage."""
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._console = _console(error=True)
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task: Any = None

    def stage(self, name: str) -> None:
        """Show the stage with an open bar."""
        self._progress.start()
        self._task = self._progress.add_task(name, total=None)

    def done(self, share: float) -> None:
        """Fill the bar."""
        self._progress.update(self._task, total=1.0, completed=min(max(share, 0.0), 1.0))

    def finish(self, name: str, seconds: float, note: str) -> None:
        """Replace the bar by one line."""
        self.stop()
        self._console.print(f"  [green]·[/] {name:<12} [dim]{seconds:6.1f} s[/]  {_plain(note)}", soft_wrap=True)

    def stop(self) -> None:
        """Take the bar away and give the cursor back."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._progress.stop()


def _plain(text: object) -> str:
    """Escape what Rich would read as markup."""
    from rich.markup import escape

    return escape(str(text))


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=any(headers),
    )
    for position, header in enumerate(headers):
        table.add_column(header, justify="right" if position in right else "left", overflow="fold", header_style="dim")
    for row in rows:
        table.add_row(*(_plain("" if cell is None else cell) for cell in row))
    _console().print(table)


def _pairs(title: str, pairs: Sequence[tuple[str, object]]) -> None:
    from rich.table import Table

    console = _console()
    if title:
        console.print(f"\n[bold]{_plain(title)}[/]")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(f"  {_plain(name)}", _plain(value))
    console.print(grid)


def number(value: float | None, digits: int = 4) -> str:
    """Write a figure with ``digits`` significant digits; an unknown one as a dash."""
    if value is None or math.isnan(value):
        return "-"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".") if abs(value) >= 1e-4 else f"{value:.{digits}g}"


def interval(figure: Mapping[str, Any] | None, digits: int = 4) -> str:
    """Write ``value [low .. high]``."""
    if not figure:
        return "-"
    text = number(figure.get("value"), digits)
    if figure.get("low") is None:
        return text
    return f"{text}  [{number(figure['low'], digits)} .. {number(figure['high'], digits)}]"


def percent(figure: Mapping[str, Any] | None) -> str:
    """Write a share with its interval in per cent."""
    if not figure or figure.get("value") is None:
        return "-"
    text = f"{100 * figure['value']:.1f} %"
    if figure.get("low") is None:
        return text
    return f"{text}  [{100 * figure['low']:.1f} .. {100 * figure['high']:.1f}]"


def show_run(result: Mapping[str, Any]) -> None:
    """Show a finished run: the few figures that decide, and where the files are."""
    metric = result["metric"]
    audit = result["audit"]
    words = {
        "champion" if result["promoted"] else "candidate": f"{result['recipe']}, release {result['release']}",
        f"holdout {metric}": interval(result["holdout"].get(metric)),
        "best baseline": f"{result['baseline']['name']}, {number(result['baseline'].get('value'))}",
        "skill": percent(result["skill"]) + "  less loss than that baseline",
        "of the explainable": percent(result.get("explained"))
        + "  of the variance that a Poisson count leaves to explain",
        "optimism": percent(result["optimism"]) + "  skill lost from folds to holdout",
        "90 % intervals": f"cover {100 * result['coverage']:.1f} %" if result.get("coverage") is not None else "-",
        "audit": _audit_words(audit),
        "promoted": f"{'yes' if result['promoted'] else 'no'}: {result['why']}",
    }
    if not result.get("explained"):
        words.pop("of the explainable")
    _pairs(f"{result['project']}: {result['about']}", list(words.items()))
    if len(result.get("horizons", [])) > 1:
        rows = [(row["horizon"], interval(row), percent(row.get("skill"))) for row in result["horizons"]]
        _table("Score per horizon", ("horizon", metric, "skill"), rows)
    rows_read = result["rows"]
    _pairs(
        "Rows",
        [
            ("read", f"{rows_read['read']:,}"),
            ("valid", f"{rows_read['valid']:,}"),
            ("quarantined", f"{rows_read['quarantined']:,}"),
        ],
    )
    _pairs("Files", list(result.get("files", {}).items()))
    seconds = result["seconds"]
    spent = "  ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    _pairs("Seconds", [("by stage", spent), ("total", f"{sum(seconds.values()):.1f}")])


def _audit_words(audit: Mapping[str, Sequence[str]]) -> str:
    parts = [f"{len(audit['passed'])} passed"]
    if audit["failed"]:
        parts.append("FAILED: " + ", ".join(audit["failed"]))
    if audit["untold"]:
        parts.append("could not tell: " + ", ".join(audit["untold"]))
    if audit.get("accepted"):
        parts.append("accepted: " + ", ".join(audit["accepted"]))
    return "; ".join(parts) + (f" ({', '.join(audit['passed'])})" if audit["passed"] else "")


def show_findings(findings: Sequence[Mapping[str, Any]], title: str = "Findings") -> None:
    """Show findings, the gravest first."""
    order = {"error": 0, "warning": 1, "note": 2}
    rows = [
        (f["severity"], f["check"], f["subject"], f["message"])
        for f in sorted(findings, key=lambda f: order[f["severity"]])
    ]
    if rows:
        _table(title, ("severity", "check", "subject", "finding"), rows)
    else:
        _console().print("No findings.")


def show_check(result: Mapping[str, Any]) -> None:
    """Show the profile of each source and the findings."""
    for source, profile in result["profiles"].items():
        rows = [
            (
                c["column"],
                c["type"],
                f"{100 * c['missing']:.1f} %",
                c["distinct"],
                c["low"],
                c["median"],
                c["high"],
                c["top"],
            )
            for c in profile["columns"]
        ]
        title = f"{source}: {profile['rows']:,} rows, covered {profile['covered']}"
        _table(
            title,
            ("column", "type", "missing", "distinct", "low", "median", "high", "most frequent"),
            rows,
            right=(2, 3),
        )
    show_findings(result["findings"])


def show_ingest(result: Mapping[str, Any]) -> None:
    """Show what was read, source by source."""
    rows = [
        (s["source"], *(f"{s[k]:,}" for k in ("read", "new", "valid", "quarantined")), s["note"])
        for s in result["sources"]
    ]
    _table("", ("source", "read", "new", "valid", "quarantined", ""), rows, right=(1, 2, 3, 4))
    reasons = [(s["source"], r["reason"], f"{r['rows']:,}") for s in result["sources"] for r in s["reasons"]]
    if reasons:
        _table("Quarantine", ("source", "reason", "rows"), reasons, right=(2,))
    show_findings(result["findings"])


def show_audit(result: Mapping[str, Any]) -> None:
    """Show each check, what it covered, and what it found."""
    _table(
        "Audit", ("check", "answer", "tried"), [(v["check"], v["outcome"], v["coverage"]) for v in result["verdicts"]]
    )
    if result["findings"]:
        show_findings(result["findings"])


def show_backtest(result: Mapping[str, Any]) -> None:
    """Show the scores of a backtest."""
    metric = result["metric"]
    pairs = [
        ("recipe", result["recipe"]),
        (metric, interval(result["scores"].get(metric), 5)),
        ("best baseline", f"{result['baseline']['name']}, {number(result['baseline']['value'], 5)}"),
        ("skill", percent(result["skill"])),
        *((name, interval(figure, 5)) for name, figure in result["scores"].items() if name != metric),
    ]
    if result.get("explained"):
        pairs.append(("of the explainable", percent(result["explained"])))
    if result.get("noise"):
        pairs.append(
            (
                "pure Poisson noise",
                f"{number(result['noise'], 5)} of {number(result['scores'][metric]['value'], 5)} is noise",
            )
        )
    pairs += [
        ("questions", f"{result['questions']:,} answered, {result['unanswered']:,} asked too late to be"),
        ("file", result["file"]),
    ]
    _pairs(f"{result['project']}: learnt what was known at {result['cut']}", pairs)


def show_predict(result: Mapping[str, Any]) -> None:
    """Show what was answered."""
    pairs = [
        ("release", result["release"]),
        ("answered", f"{result['answered']:,}"),
        ("not answered", f"{result['unanswered']:,}"),
        *((f"  {row['reason']}", f"{row['rows']:,}") for row in result["reasons"]),
        ("file", result["file"]),
    ]
    _pairs("", pairs)


def show_report(result: Mapping[str, Any]) -> None:
    """Show where the page is."""
    _pairs("", [("release", result["release"]), ("page", result["page"])])


def show_runs(result: Mapping[str, Any]) -> None:
    """Show releases and decisions."""
    releases = [
        (
            r["version"],
            ", ".join(r["aliases"]),
            r["created"],
            r["recipe"],
            number(r["score"]),
            r["audit"],
            r["fingerprint"][:12],
        )
        for r in result["releases"]
    ]
    _table(
        "Releases",
        ("version", "alias", "made", "recipe", result["metric"], "audit", "fingerprint"),
        releases,
        right=(0, 4),
    )
    decisions = [(d["at"], d["kind"], d["release"], d["what"]) for d in result["decisions"]]
    if decisions:
        _table("Decisions", ("at", "kind", "release", "what and why"), decisions)


def show_promotion(result: Mapping[str, Any]) -> None:
    """Show a decision."""
    _pairs(
        "", [("release", result["release"]), ("promoted", f"{'yes' if result['promoted'] else 'no'}: {result['why']}")]
    )


def show_settings(result: Mapping[str, Any]) -> None:
    """Show each setting and where it came from."""
    _table("", ("setting", "value", "from"), [(row["path"], row["value"], row["from"]) for row in result["settings"]])


def show_doctor(result: Mapping[str, Any]) -> None:
    """Show what works here."""
    _table("", ("", "what", ""), [("ok" if row["ok"] else "--", row["what"], row["note"]) for row in result["rows"]])
