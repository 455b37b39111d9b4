"""What a server loads: the library of the estimator that answers, and none that learns, tunes, tracks or draws."""

import json
import subprocess
import sys
from pathlib import Path

NEVER = {
    "alembic",
    "catboost",
    "dagster",
    "duckdb",
    "evidently",
    "jinja2",
    "matplotlib",
    "mlflow",
    "optuna",
    "pandas",
    "pandera",
    "plotly",
    "pydeck",
    "ray",
    "shap",
    "sklearn",
    "skops",
    "sqlalchemy",
    "streamlit",
    "xgboost",
}
"""What no answer needs where LightGBM answers."""
SERVE = """
import json, sys
import asof
from asof.api import Settings, create
from asof.flows.serving import Desk
from asof.api import serving
desk = Desk(asof.open_project(sys.argv[1]), "challenger")
with serving.lean(desk.workspace):
    desk.open()
create(desk, Settings(renew=0))
from asof.api import bodies
told = desk.answer(bodies.table([{"area": 50, "floor": 1, "height": 2.5, "kind": "brick"}]))
assert told["prediction"].null_count() == 0, told
loaded = sorted({name.partition(".")[0] for name in sys.modules})
import pandas, sklearn  # for whom they are hidden has them all the same
print(json.dumps(loaded))
"""


def test_a_server_loads_what_answers_alone(flats_folder: Path) -> None:
    """The project is opened and a row answered in a fresh interpreter; modules are counted, not timed."""
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(flats_folder)], capture_output=True, text=True, timeout=300, check=True
    )
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert modules & NEVER == set()
    assert {"lightgbm", "fastapi", "polars"} <= modules
