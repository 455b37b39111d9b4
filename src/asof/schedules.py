"""Schedules that retrain a project every fortnight: a line for cron, a workflow for GitHub, a file for Dagster."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import asof
from asof.errors import DataError

CRON = "0 5 1,15 * *"
"""At five on the first and the fifteenth: cron knows no fortnights."""
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)")
_STORE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_WORKFLOW = """\
# Made by `asof init --github {project}`. No secret stands here: they are read from the settings of the repository.
# Variables: ASOF_STORE (s3://bucket/prefix, since a runner keeps nothing), AWS_REGION; perhaps ASOF_PACKAGE.
# Secrets: {secrets}.
name: retrain {name}
on:
  schedule:
    - cron: "{cron}" # UTC
  workflow_dispatch:
permissions:
  contents: read
concurrency:
  group: retrain-{name}
jobs:
  retrain:
    runs-on: ubuntu-latest
    timeout-minutes: 180
    defaults:
      run:
        shell: bash
    env:
      ASOF_STORE: ${{{{ vars.ASOF_STORE }}}}
      ASOF_PACKAGE: ${{{{ vars.ASOF_PACKAGE || 'asof[all]=={version}' }}}}
      AWS_REGION: ${{{{ vars.AWS_REGION }}}}
{env}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - name: Install
        run: python -m pip install "$ASOF_PACKAGE"
      - name: Look for the store
        run: |
          if [ -z "$ASOF_STORE" ]; then
            echo "ASOF_STORE is not set: a runner keeps nothing, so name a bucket, s3://bucket/prefix" >&2
            exit 2
          fi
      - name: Retrain
        run: asof retrain {quoted} --set "store=$ASOF_STORE" --json | tee retrain.json
      - name: Say what came of it
        if: always()
        run: if [ -s retrain.json ]; then cat retrain.json >> "$GITHUB_STEP_SUMMARY"; fi
"""
_DAGSTER = """\
# Made by `asof init --dagster {name}`; to try it: dagster dev -f {file}
from pathlib import Path

from asof.dagster import definitions

defs = definitions(Path(__file__).parent / "{name}")
"""


def cron_line(project: Path) -> str:
    """Write a line for ``crontab -e``: what is said goes to ``retrain.log`` beside the project file."""
    page = _page(project)
    program = shutil.which("asof") or str(Path(sys.executable).parent / "asof")
    log = page.parent / "retrain.log"
    command = f"{shlex.quote(program)} retrain {shlex.quote(str(page))} --json >> {shlex.quote(str(log))} 2>&1"
    return f"{CRON} {command.replace('%', chr(92) + '%')}"


def write_workflow(project: Path) -> tuple[Path, bool]:
    """Write ``.github/workflows/retrain.yml`` at the root of the repository; returns it, and whether it is new.

    Raises:
        DataError: no project file, no repository around it, or another file is there already.
    """
    page = _page(project)
    root = next((folder for folder in page.parents if (folder / ".git").exists()), None)
    if root is None:
        message = f"{page} lies in no git repository: run `git init` at its root first"
        raise DataError(message)
    target = root / ".github" / "workflows" / "retrain.yml"
    return target, _keep(target, workflow(page, root))


def write_definitions(project: Path) -> tuple[Path, bool]:
    """Write ``definitions.py`` beside the project file; returns it, and whether it is new.

    Raises:
        DataError: no project file, or another file is there already.
    """
    page = _page(project)
    target = page.parent / "definitions.py"
    return target, _keep(target, _DAGSTER.format(name=page.name, file=target.name))


def _keep(target: Path, text: str) -> bool:
    """Write a file that is not there yet; says whether. Another one is never overwritten."""
    if target.exists():
        if target.read_text("utf-8") == text:
            return False
        message = f"{target} is there already and differs; move it away, then run this again"
        raise DataError(message)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return True


def workflow(page: Path, root: Path) -> str:
    """Return the workflow of the project file ``page`` in the repository at ``root``."""
    address = page.relative_to(root).as_posix()
    text = page.read_text("utf-8")
    token = ("SOCRATA_APP_TOKEN",) if "socrata:" in text else ()
    given = {"ASOF_STORE", "ASOF_PACKAGE", "AWS_REGION"}
    names = [name for name in dict.fromkeys([*_STORE, *token, *_VARIABLE.findall(text)]) if name not in given]
    found = re.search(r"^name:\s*([a-z][a-z0-9_]*)", text, re.MULTILINE)
    return _WORKFLOW.format(
        project=address,
        quoted=shlex.quote(address),
        name=found[1] if found else page.parent.name,
        cron=CRON,
        version=asof.__version__,
        secrets=", ".join(names),
        env="\n".join(f"      {name}: ${{{{ secrets.{name} }}}}" for name in names),
    )


def _page(project: Path) -> Path:
    """Return the whole path of the project file: that given, or the one in the folder given."""
    page = project / "project.yaml" if project.is_dir() else project
    if page.suffix not in {".yaml", ".yml"} or not page.is_file():
        message = f"{project}: no project file; expected the project.yaml of a project, or its folder"
        raise DataError(message)
    return page.resolve()
