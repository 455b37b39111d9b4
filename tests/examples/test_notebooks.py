"""The notebooks of the examples: they run anywhere with a light budget, and are stored as they were run."""

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.examples import copies
from tests.forks import Forked

EXAMPLES = copies.ROOT / "examples"
ROWS = {"train.budget": "0s", "train.candidates": ["linear"], "judge.repeats": 1, "judge.folds": 2}
LIGHT: dict[str, dict[str, Any]] = {
    "busyness": {
        "train.budget": "0s",
        "train.candidates": ["poisson"],
        "train.since": "2021-03-15",
        "judge.folds": 2,
        "judge.fold": "2d",
        "judge.holdout": "3d",
    },
    "collisions": {
        "train.budget": "0s",
        "train.candidates": ["poisson"],
        "train.since": "2019-09-15",
        "judge.folds": 2,
        "judge.fold": "14d",
        "judge.holdout": "14d",
        "features": ["calendar", {"history": {"windows": ["28d"], "lags": ["14d"]}}],
    },
    "home_prices": ROWS,
    "king_county": {
        "train.budget": "0s",
        "train.candidates": ["linear"],
        "train.since": "2015-03-01",
        "judge.folds": 2,
        "features": ["calendar", {"around": {"nearest": 5, "like": ["sqft_living", "grade"]}}],
    },
    "titanic": {**ROWS, "train.candidates": ["logistic"]},
    "weather_outcome": {
        "train.budget": "0s",
        "train.candidates": ["linear_firm_log"],
        "train.since": "2020-01-01",
        "judge.folds": 2,
        "features.history.windows": ["28d"],
        "features.weather.stations.ksle": None,
        "features.weather.windows": ["7d"],
    },
}
"""Settings by which a notebook takes seconds."""
SAID = {
    "busyness": ["distinct of order_number per place and hour in 32 places, 1 hour ahead", "in quarantine"],
    "collisions": ["crashes per place and day in 263 places, 1 to 7 days ahead", "in quarantine"],
    "home_prices": ["CurrentPrice", "650 valid, 0 in quarantine, 650 new"],
    "king_county": ["price of each row of sales", "in quarantine"],
    "titanic": ["891 valid, 0 in quarantine, 891 new", "Survived of each row of passengers"],
    "weather_outcome": [
        "sum of outcome_of_int per day",
        "5,845 valid, 0 in quarantine",
        "is declared to be known ahead",
    ],
}
"""What each shows, whatever the budget."""
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/notebook.ipynb"))


def stored(name: str) -> dict[str, Any]:
    """Return the notebook as it lies in the repository."""
    told: dict[str, Any] = json.loads((EXAMPLES / name / "notebook.ipynb").read_text(encoding="utf-8"))
    return told


def outputs(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all outputs, in order."""
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def shown(notebook: dict[str, Any]) -> str:
    """Return everything that the outputs say, as one text without markup."""
    parts = [text for output in outputs(notebook) for text in output.get("data", {"text": output.get("text")}).values()]
    return re.sub(r"<[^>]+>", "", "\n".join("".join(part or "") for part in parts)).replace("&#x27;", "'")


def test_every_example_has_a_notebook_and_light_settings() -> None:
    assert set(LIGHT) == set(SAID) == set(NAMES)
    assert set(NAMES) == {folder.name for folder in EXAMPLES.iterdir() if (folder / "project.yaml").is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_stored_as_it_was_run(name: str) -> None:
    notebook = stored(name)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code if "parameters" not in cell["metadata"].get("tags", []))
    assert {output["output_type"] for output in outputs(notebook)} == {"execute_result"}, "no warning, no error"
    text = json.dumps(notebook)
    assert not re.search(r"/(work|home|root|tmp|Users|usr)/", text), "a path of some machine"
    assert not re.search(r"\d{8}T\d{6}Z", text), "the moment of a run"
    assert len(text) < 300_000
    for words in SAID[name]:
        assert words in shown(notebook), words


KERNEL = "import os; os.setsid(); from ipykernel import kernelapp; kernelapp.launch_new_instance()"
"""What a kernel runs; signals to its group reach nobody else."""


class Kernel(Forked):
    """A kernel forked from a process that has imported the libraries, as Jupyter sees a process that it has started."""

    stdin = stdout = stderr = None

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: str, **_rest: Any) -> None:
        """Start it, and wait until it has a group of its own."""
        assert list(command[:3]) == [sys.executable, "-m", "ipykernel_launcher"]
        super().__init__(KERNEL, command[3:], env=env, cwd=Path(cwd))
        self.pid: int = self.process.pid  # type: ignore[assignment]
        with contextlib.suppress(ProcessLookupError):  # it has ended already, and its words tell why
            while not self.ended() and os.getpgid(self.pid) != self.pid:
                time.sleep(0.001)

    def poll(self) -> int | None:
        """Its exit code, or none while it runs."""
        return self.process.exitcode

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self.finish(60).returncode


def script() -> Any:
    """The script that runs notebooks."""
    found = importlib.util.spec_from_file_location("notebooks", copies.ROOT / "scripts" / "notebooks.py")
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_anywhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.provisioning import local_provisioner

    settings = json.dumps({"train.threads": 1, **LIGHT[name]})
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    if hasattr(os, "fork"):
        monkeypatch.setattr(local_provisioner, "launch_kernel", Kernel)
    monkeypatch.setattr(sys, "argv", ["notebooks.py", name, "--settings", settings, "--into", str(tmp_path)])
    script().main()
    told = json.loads((tmp_path / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert {output["output_type"] for output in outputs(told)} == {"execute_result"}, "no warning, no error"
    for words in SAID[name]:
        assert words in shown(told), words
    assert ["".join(cell["source"]) for cell in told["cells"]] == [
        "".join(cell["source"]) for cell in stored(name)["cells"]
    ]


def test_a_kernel_begins_in_a_python_of_its_own() -> None:
    """What the script does where nothing stands in: the command by which a kernel is started starts one."""
    kernel = script().ThisPython().get_kernel_spec("python3").argv
    done = subprocess.run([*kernel[:3], "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert (kernel[0], done.returncode) == (sys.executable, 0), done.stderr
