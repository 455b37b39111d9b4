"""The command of a container: SageMaker's ``train`` and ``serve`` on its folders, and every verb of ``asof``.

    python -m asof.cli.container [train | serve | VERB …]

``train`` takes the project file out of a channel, puts it with its files into the folder of the model, and runs it;
``serve`` answers with what lies there. Folders and variables: https://docs.aws.amazon.com/sagemaker, "How SageMaker AI
provides training information", "Use your own inference code".
"""

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from asof.errors import DataError, UserError

ROOT = Path("/opt/ml")
PROJECT = "project"
"""Folder of the project within that of the model."""
PAGE = "project.yaml"
OWN = ("project", "environment")
"""Hyperparameters that are no settings: the name of the project file, and which of its environments is laid over it."""
MOST_TOLD = 1_024
"""Characters of a failure that SageMaker shows."""


def main(arguments: Sequence[str], root: Path = ROOT, environment: Mapping[str, str] | None = None) -> int:
    """Do what the container is told to; returns the exit code of ``asof``."""
    from asof import cli

    name, *rest = arguments or ["serve"]
    if name not in {"train", "serve"} or rest:  # with arguments of their own they are the verbs of `asof`
        return cli.main(arguments)
    variables = os.environ if environment is None else environment
    said = io.StringIO()
    with contextlib.redirect_stderr(_Both(sys.stderr, said)):
        try:
            code = cli.main(_train(root) if name == "train" else _serve(root, variables))
        except UserError as fault:
            sys.stderr.write(f"asof: {fault}\n")
            code = fault.exit_code
    if code and name == "train":
        _fail(root, said.getvalue(), code)
    return code


def _train(root: Path) -> list[str]:
    told = _hyperparameters(root / "input" / "config" / "hyperparameters.json")
    page = told.get("project", PAGE)
    channels = sorted(path for path in (root / "input" / "data").glob("*") if path.is_dir())
    holding = [channel for channel in channels if (channel / page).is_file()]
    if len(holding) != 1:
        found = ", ".join(channel.name for channel in holding) or "none"
        raise DataError(f"{page} must lie in one channel of {root / 'input' / 'data'}; it lies in {found}")
    target = root / "model" / PROJECT
    for channel in channels:  # other channels are folders of the project, so that `files: sales/*.csv` finds them
        into = target if channel == holding[0] else target / channel.name
        shutil.copytree(channel, into, dirs_exist_ok=True)
    if page != PAGE:
        shutil.copyfile(target / page, target / PAGE)
    overlay = [part for name, value in told.items() if name not in OWN for part in ("--set", f"{name}={value}")]
    named = ["--env", told["environment"]] if "environment" in told else []
    return ["run", str(target), *named, *overlay, "--json"]


def _serve(root: Path, variables: Mapping[str, str]) -> list[str]:
    target = root / "model" / PROJECT
    if not (target / PAGE).is_file():
        raise DataError(f"{target}: there is no {PAGE}; `train` puts it there")
    more = [
        part
        for name, flag in (("ASOF_KEYS", "--keys"), ("ASOF_RELEASE", "--release"))
        if variables.get(name)
        for part in (flag, variables[name])
    ]
    port = variables.get("SAGEMAKER_BIND_TO_PORT", "8080")
    return ["serve", str(target), "--host", variables.get("ASOF_HOST", "0.0.0.0"), "--port", port, *more]  # noqa: S104 - a container's own network


def _hyperparameters(file: Path) -> dict[str, str]:
    """Read settings by dotted names, all as text; none where there is no file."""
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text("utf-8"))
    except ValueError as fault:
        raise DataError(f"{file}: not readable as JSON: {fault}") from fault
    if not isinstance(told, dict):
        raise DataError(f"{file}: expected an object of settings by name")
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}


def _fail(root: Path, said: str, code: int) -> None:
    """Leave the reason where SageMaker looks for it."""
    lines = [line for line in said.splitlines() if line.startswith("asof: ")]
    reason = "\n".join(lines) or ("the release was not promoted: see the report" if code == 1 else said[-MOST_TOLD:])
    (root / "output").mkdir(parents=True, exist_ok=True)
    (root / "output" / "failure").write_text(reason[:MOST_TOLD], encoding="utf-8")


class _Both(io.TextIOBase):
    """Writes to two streams: to the one that a person reads, and to the one that is kept."""

    def __init__(self, shown: TextIO, kept: TextIO) -> None:
        self._shown, self._kept = shown, kept

    def write(self, text: str) -> int:
        self._kept.write(text)
        return self._shown.write(text)

    def flush(self) -> None:
        self._shown.flush()

    def isatty(self) -> bool:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
