"""Weather outcome, daily: RMSE of log(1 + outcome) by `asof backtest`, same-day weather known and history only.

    python bench/weather.py            the development cut 2020-01-01..2021-01-01, and what was recorded of the test
    python bench/weather.py --open     opens the test 2021-01-01..2022-01-01 once more, and records that

Protocol: the project of examples/weather_outcome with the real outcome in place of the simulated one, budget 60 s;
learnt from 2017-02-01 up to the cut, every day answered as of its own midnight. "Same day known" reads the measured
weather of the day asked about, as a perfect forecast would; "history only" reads what had been published. The scale
is the logarithm: an error of 4.29 is that of the test's own mean there, which the peers' R2 and RMSE both give. The
test is opened at most three times in all; an opening scores both ways of knowing the weather, and is kept in
bench/weather/openings.json with the code that made it. The peer was measured on the same split of the test.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = ROOT.parent / "shared" / "data" / "station_weather" / "outcome_of_interest.parquet"
OPENINGS = Path(__file__).resolve().parent / "weather" / "openings.json"
MOST = 3
WAYS = {"same day known": ("--env", "forecast"), "history only": ()}
PEERS = {
    "AutoGluon, same day known": (3.998, 0.132, 0.610),
    "AutoGluon, history only": (4.282, 0.004, 0.576),
    "mean of the logarithms learnt from": (None, -0.058, 0.5),
}
DEVELOPMENT = ("2020-01-01", "2021-01-01")
TEST = ("2021-01-01", "2022-01-01")


def backtest(cut: str, until: str, way: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Run one backtest in a process of its own, and score the logarithms of what it wrote."""
    out = folder / "answers.parquet"
    command = [sys.executable, "-m", "asof", "backtest", str(ROOT / "examples" / "weather_outcome"), *way]
    command += ["--set", f"sources.outcomes.files={OUTCOMES}", "--set", f"store={folder / 'store'}"]
    command += ["--set", "train.threads=2", "--since", "2017-02-01", "--cut", cut, "--until", until]
    command += ["--out", str(out), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    answers = pl.read_parquet(out).drop_nulls("label")
    label, prediction = (np.log1p(answers[name].to_numpy()) for name in ("label", "prediction"))
    kept = ("recipe", "scores", "baselines", "skill", "coverage", "questions", "seconds")
    return {
        **{name: told[name] for name in kept},
        "r2_log": float(1 - np.mean((label - prediction) ** 2) / label.var()),
        "mean_log": [float(label.mean()), float(prediction.mean())],
    }


def both(cut: str, until: str) -> dict[str, dict[str, Any]]:
    """Both ways of knowing the weather."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: backtest(cut, until, way, Path(folder)) for name, way in WAYS.items()}


def lines(told: dict[str, dict[str, Any]]) -> list[str]:
    """One line a way of knowing."""
    return [
        f"  {name:<36} {row['scores']['rmsle']['value']:.3f}  [{row['scores']['rmsle']['low']:.3f} .. "
        f"{row['scores']['rmsle']['high']:.3f}]  R2 {row['r2_log']:6.3f}  "
        f"AUC {row['scores']['auc_event']['value']:.3f}  mean to beat {row['baselines']['mean']['value']:.3f}  "
        f"{row['recipe']}"
        for name, row in told.items()
    ]


def opened() -> list[dict[str, Any]]:
    """Openings of the test so far."""
    return json.loads(OPENINGS.read_text()) if OPENINGS.is_file() else []


def open_test() -> None:
    """Open the test once more and record it, first that, then how it went."""
    known = opened()
    if len(known) >= MOST:
        sys.exit(f"the test has been opened {len(known)} times; no more")
    code = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    entry: dict[str, Any] = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "code": code.stdout.strip()}
    OPENINGS.parent.mkdir(exist_ok=True)
    OPENINGS.write_text(json.dumps([*known, entry], indent=1) + "\n")
    entry["told"] = both(*TEST)
    OPENINGS.write_text(json.dumps([*known, entry], indent=1) + "\n")


def main() -> int:
    """Measure, and print everything beside the peers."""
    print(f"{'':<38} RMSE of log(1 + outcome)")
    if "--open" in sys.argv[1:]:
        open_test()
    else:
        print(f"development, learnt at {DEVELOPMENT[0]}, answered until {DEVELOPMENT[1]}")
        print("\n".join(lines(both(*DEVELOPMENT))))
    known = opened()
    print(f"test, learnt at {TEST[0]}, answered until {TEST[1]}: opened {len(known)} of at most {MOST} times")
    for name, (rmse, r2, auc) in PEERS.items():
        error = "     " if rmse is None else f"{rmse:.3f}"
        print(f"  {name:<36} {error}{'':<20}  R2 {r2:6.3f}  AUC {auc:.3f}")
    for number, entry in enumerate(known, 1):
        print(f"  opening {number} ({entry['at']}, {entry['code']})" + ("" if "told" in entry else " was not finished"))
        print("\n".join(lines(entry.get("told", {}))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
