"""Commands that hold a model against the truth."""

import inspect
from pathlib import Path
from typing import Annotated

import typer

from asof.cli.base import Common, present, verb


@verb("wait")
def audit(
    common: Common,
    full: Annotated[bool, typer.Option("--full", help="Repeat the whole selection, and try more cuts.")] = False,
) -> None:
    """Prove that features and model are as of the moment of prediction; exit 1 when not."""
    from asof import terminal
    from asof.flows import running

    present(running.audit_project(common.open(), full=full), as_json=common.as_json, view=terminal.show_audit)


@verb("plan", "model", "param", "as_of", "wait", project=inspect.Parameter.empty)
def backtest(
    common: Common,
    cut: Annotated[str, typer.Option("--cut", metavar="T", help="Learn what was known at this moment (local).")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Parquet or CSV; one row a question.")],
    since: Annotated[str | None, typer.Option("--since", metavar="S", help="Learn from periods from S on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="U", help="Answer questions asked before U.")] = None,
    refit: Annotated[
        str | None, typer.Option("--refit", metavar="STEP", help="Fit again every STEP, such as 28d.")
    ] = None,
) -> None:
    """Learn what was known at T, then answer every later question as of its own moment."""
    from asof import terminal
    from asof.flows import backtesting

    span = backtesting.Span(cut=cut, since=since, until=until, refit=refit)
    told = backtesting.backtest(common.open(), span, out, plan=common.plan)
    present(told, as_json=common.as_json, view=terminal.show_backtest)
