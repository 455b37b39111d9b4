"""Simulate `outcomes_simulated.csv`: events with a size and a heavy tail, more of them on windy and wet days.

    python make_outcomes.py

Nobody has observed them. The weather of the two stations is real; what it does here is made up by the few lines
below: the chance of a day with events rises with the strongest wind and with rain, the number of events of such a day
is one or more, and their sizes are drawn from a lognormal distribution. Same seed, same file.
"""

import csv
import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
SEED = 20
FIRST, UNTIL = date(2017, 1, 1), date(2022, 1, 1)
MISSING = {"MXSPD": 999.9, "PRCP": 99.99}


def measured(column: str) -> dict[str, float]:
    """Mean of both stations by day, as written in the column DATE."""
    found: dict[str, list[float]] = {}
    for file in sorted((FOLDER / "raw").glob("*.csv.gz")):
        with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                value = float(row[column])
                if value != MISSING[column]:
                    found.setdefault(row["DATE"], []).append(value)
    return {day: float(np.mean(values)) for day, values in found.items()}


def main() -> None:
    """Draw the events and write them."""
    draw = np.random.default_rng(SEED)
    wind, rain = measured("MXSPD"), measured("PRCP")
    typical = float(np.mean(list(wind.values())))
    with (FOLDER / "outcomes_simulated.csv").open("w", encoding="utf-8", newline="") as out:
        write = csv.writer(out, lineterminator="\n")
        write.writerow(["date", "outcome_of_int"])
        for number in range((UNTIL - FIRST).days):
            day = (FIRST + timedelta(days=number)).isoformat()
            push = 0.16 * (wind.get(day, typical) - typical) + 1.2 * min(rain.get(day, 0.0), 1.0)
            if draw.random() > 1 / (1 + np.exp(1.15 - push)):
                continue
            for _ in range(1 + draw.negative_binomial(0.6, 0.25)):
                size = float(np.exp(draw.normal(6.6 + 0.3 * push, 2.4)))
                write.writerow([day, f"{size:.6f}"])


if __name__ == "__main__":
    main()
