"""The error tree, branched by what the caller can do about it.

    AsofError                    catch this and nothing of ours escapes
    ├── UserError      exit 2    the input or the project file is wrong: correct it
    │   ├── ProjectError         the project file (all faults at once)
    │   └── DataError            a file, a table or a question
    ├── Refused        exit 1    everything worked and the answer is no
    └── OutsideError   exit 3    a service or the disk failed: try again later
        └── Busy                 another run of the same project holds the lock

Any other exception that reaches a door is a fault of this program, or of a plug-in where it comes out of one's code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class AsofError(Exception):
    """The root: one line for the user, and the exit code of the command line."""

    exit_code: ClassVar[int] = 3


class UserError(AsofError):
    """Wrong use or bad input: what was wrong, where, what was expected, what to do."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True)
class Problem:
    """One fault in a file, with the place where a reader finds it."""

    message: str
    file: str = ""
    line: int = 0
    where: str = ""
    """The dotted path of the setting, or the column or row concerned."""

    def __str__(self) -> str:
        """Return ``file:line: where: message`` without the empty parts."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.where, self.message) if part)


class ProjectError(UserError):
    """The project file has faults; all of them, in the order of their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Store ``problems``; the message is one line for each."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DataError(UserError):
    """A file, a table or a question cannot be used as it is."""


class Refused(AsofError):
    """A gate, an audit or a validation said no; nothing is broken."""

    exit_code: ClassVar[int] = 1


class OutsideError(AsofError):
    """Something outside failed: a service, the network, the disk."""

    exit_code: ClassVar[int] = 3


class Busy(OutsideError):
    """Another process holds the lock of this project; the message names it."""
