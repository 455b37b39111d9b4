"""Progress: a live line on a screen, one line a stage in logs and pipes."""

import sys
from typing import TYPE_CHECKING, Any

from asof.terminal.printing import console, plain

if TYPE_CHECKING:
    from asof.flows.workspace import Progress


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
        self._console = console(error=True)
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
        self._console.print(f"  [green]·[/] {name:<12} [dim]{seconds:6.1f} s[/]  {plain(note)}", soft_wrap=True)

    def stop(self) -> None:
        """Take the bar away and give the cursor back."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._progress.stop()
