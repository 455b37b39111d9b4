"""``asof init``: a project file proposed from a table, each guess with its reason beside it."""

import re
from pathlib import Path

from asof.errors import OutsideError, UserError

__all__ = ["propose", "write"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def propose(path: Path, *, name: str | None = None, folder: Path | None = None) -> str:
    """Propose a project file for a table.

    Args:
        path: CSV, TSV, JSON (array or lines), each plain or ``.gz``, or Parquet; the first 100,000 rows are looked at.
        name: name of the project; default: made from that of the file.
        folder: folder of the project file, to which the address of the table is relative; default: that of the table.

    Returns:
        YAML that ``project.read`` accepts, with a comment at every guess.

    Raises:
        DataError: the table is missing, empty or cannot be read, or it states neither a time nor what could be the
            label of a row.
        UserError: ``name`` is no name of a project.
    """
    from asof.proposals import guesses, rows, samples, wording

    path = Path(path)
    chosen = name if name is not None else slug(path.name)
    if not _NAME.fullmatch(chosen):
        raise UserError(f"--name {chosen!r}: expected lower-case letters, digits and _, beginning with a letter")
    sample = samples.read(path)
    named = wording.Names(chosen, slug(path.name), _address(path, folder))
    found = guesses.guess(sample)
    return (
        wording.of_rows(sample, rows.guess(sample), named) if found is None else wording.project(sample, found, named)
    )


def slug(file: str) -> str:
    """A name made from that of a file: ``JC-201901-citibike-tripdata.csv.gz`` gives ``jc_201901_citibike_tripdata``."""
    words = re.sub(r"[^a-z0-9]+", "_", file.partition(".")[0].lower()).strip("_")
    return words if _NAME.fullmatch(words) else f"table_{words}".rstrip("_")


def _address(path: Path, folder: Path | None) -> str:
    if folder is None:
        return path.name
    file, base = path.resolve(), folder.resolve()
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.as_posix()


def write(path: Path, text: str) -> None:
    """Write a proposal to a new file.

    Raises:
        UserError: the file is there already; it stays as it is.
        OutsideError: the disk does not take it.
    """
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UserError(f"{path} is there already and stays as it is; write elsewhere with --out FILE") from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no folder {path.parent}; make it first") from None
    except OSError as fault:
        raise OutsideError(f"{path} could not be written: {fault.strerror or fault}") from fault
