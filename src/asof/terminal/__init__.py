"""What a person sees in the terminal: progress on standard error, results on standard output."""

from asof.terminal.data import show_arrival, show_check, show_findings, show_ingest
from asof.terminal.printing import interval, number, path, percent
from asof.terminal.results import (
    show_audit,
    show_backtest,
    show_champion,
    show_doctor,
    show_predict,
    show_promotion,
    show_report,
    show_retrain,
    show_run,
    show_runs,
    show_settings,
)
from asof.terminal.stages import Lines, Live, progress
from asof.terminal.watching import show_watch

__all__ = [
    "Lines",
    "Live",
    "interval",
    "number",
    "path",
    "percent",
    "progress",
    "show_arrival",
    "show_audit",
    "show_backtest",
    "show_champion",
    "show_check",
    "show_doctor",
    "show_findings",
    "show_ingest",
    "show_predict",
    "show_promotion",
    "show_report",
    "show_retrain",
    "show_run",
    "show_runs",
    "show_settings",
    "show_watch",
]
