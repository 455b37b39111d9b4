"""Collisions, zone x day on the steady stretch: mean Poisson deviance against peers, by `asof backtest`.

    python bench/zone_day.py            the development cut 2019-03-01..2019-06-01, and what was recorded of the test
    python bench/zone_day.py --open     opens the test 2019-09-01..2019-12-01 once more, and records that

Protocol: rows with coordinates, zone = objectid of the taxi zones, horizon 0h, delay 0, history from 2016-10-01,
learnt from 2017-10-01 up to the cut, budget 60 s; every day is answered as of its own midnight. Peers were measured
on the same split of the test; their figures stand in PEERS. The test is opened at most three times in all; each
opening is kept in bench/zone_day/openings.json with the code that made it.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asof.pages import boards

FOLDER = Path(__file__).resolve().parent / "zone_day"
OPENINGS = FOLDER / "openings.json"
MOST = 3
PEERS = {
    "zone x weekday mean": 1.0835,
    "FLAML, 120 s": 1.0760,
    "mlforecast": 1.0669,
    "LightGBM with sensible lags": 1.0641,
    "AutoGluon, 259 s": 1.0638,
}
DEVELOPMENT = ("2019-03-01", "2019-06-01")
TEST = ("2019-09-01", "2019-12-01")


def backtest(cut: str, until: str) -> dict[str, Any]:
    """Run one backtest in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.parquet"
        command = [sys.executable, "-m", "asof", "backtest", str(FOLDER), "--since", "2017-10-01"]
        command += ["--cut", cut, "--until", until, "--out", str(out), "--json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def line(name: str, told: dict[str, Any]) -> str:
    """One line of the table."""
    score = told["scores"]["poisson_deviance"]
    skill = told["baselines"]["place_calendar"]["skill"] if "baselines" in told else told["skill"]
    return (
        f"  {name:<34} {score['value']:.4f}  [{score['low']:.4f} .. {score['high']:.4f}]  "
        f"R2 {told['scores']['r2']['value']:.3f}  "
        f"less than the weekday mean by {skill['value']:.2%} [{skill['low']:.2%} .. {skill['high']:.2%}]  "
        f"noise {told['noise'] / score['value']:.1%}  {told['recipe']}"
    )


def opened() -> list[dict[str, Any]]:
    """Openings of the test so far."""
    return json.loads(OPENINGS.read_text()) if OPENINGS.is_file() else []


def open_test() -> None:
    """Open the test once more and record it, first that, then how it went."""
    known = opened()
    if len(known) >= MOST:
        sys.exit(f"the test has been opened {len(known)} times; no more")
    code = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    entry: dict[str, Any] = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "code": code}
    OPENINGS.write_text(json.dumps([*known, entry], indent=1) + "\n")
    told = backtest(*TEST)
    kept = ["scores", "baselines", "skill", "noise", "explained", "coverage", "recipe", "questions", "seconds"]
    entry |= {key: told[key] for key in kept}
    OPENINGS.write_text(json.dumps([*known, entry], indent=1) + "\n")


def main() -> int:
    """Measure, and print everything beside the peers."""
    if "--open" in sys.argv[1:]:
        open_test()
    else:
        told = backtest(*DEVELOPMENT)
        print(
            f"development, learnt at {DEVELOPMENT[0]}, answered until {DEVELOPMENT[1]}, {told['questions']:,} zone-days"
        )
        for name, rule in told["baselines"].items():
            print(f"  {name.replace('_', ' x '):<34} {rule['value']:.4f}")
        print(line("asof", told))
        blend = boards.gain(told["ensemble"])
        print(f"  {blend or 'no blend was tried: a baseline is the best'}")
        print("  seconds  " + "  ".join(f"{name} {value:.1f}" for name, value in told["seconds"].items()))
    known = opened()
    print(f"test, learnt at {TEST[0]}, answered until {TEST[1]}: opened {len(known)} of at most {MOST} times")
    for name, value in PEERS.items():
        print(f"  {name:<34} {value:.4f}")
    for number, entry in enumerate(known, 1):
        if "scores" in entry:
            print(line(f"asof, opening {number} ({entry['at']}, {entry['code']})", entry))
        else:
            print(f"  opening {number} ({entry['at']}, {entry['code']}) was not finished")
    return 0


if __name__ == "__main__":
    sys.exit(main())
