"""Rooms booked are counted in the table of bookings as it stands today, with the cancellations of later days in it."""

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECT = "booked"
FIRST = date(2022, 1, 3)
DAYS = 140
HOUSES = 4
ZONE = "Europe/Vienna"

BOOKED = '''
@asof.lookup
def booked(questions, past):
    """Rooms booked for the day in question, without those that were cancelled."""
    rows = past.table("bookings").rows.select(
        "_available",
        place="_place",
        day=pl.col("for_day").cast(pl.String),
        cancelled=pl.col("cancelled").cast(pl.String),
    )
    day, today = (pl.col(name).dt.convert_time_zone("Europe/Vienna").dt.date() for name in ("start", "as_of"))
    asked = questions.select("place", "as_of", day=day.cast(pl.String), today=today.cast(pl.String))
    asked = asked.with_row_index("number")
    known = asked.join(rows, on=["place", "day"]).filter(pl.col("_available") <= pl.col("as_of"))
    counts = known.filter(STANDING).group_by("number").len()
    return asked.join(counts, on="number", how="left", maintain_order="left")["len"].fill_null(0).alias("booked")
'''


def tables() -> dict[str, pl.DataFrame]:
    """``bookings``: made 4 to 40 days ahead, three in ten cancelled, mostly in the last days.

    ``arrivals``: nine in ten of the others, and those who come without a booking.
    """
    draw = np.random.default_rng(103)
    booked: list[tuple[object, ...]] = []
    arrived: list[tuple[int, int, int]] = []
    for day in range(-10, DAYS):
        storm = draw.random() < 0.15
        for house in range(HOUSES):
            for _ in range(draw.poisson(12 + 4 * house)):
                ahead = int(draw.integers(4, 41))
                gone = draw.random() < (0.7 if storm else 0.2)
                before = min(int(draw.geometric(0.5)) - 1, ahead - 1)
                on = FIRST + timedelta(days=day)
                made = datetime.combine(on, time(9)) - timedelta(days=ahead, minutes=int(draw.integers(0, 500)))
                number = f"b{len(booked)}"
                cancelled = on - timedelta(days=before) if gone else None
                booked.append((number, made, f"house {house}", on, cancelled))
                if not gone and draw.random() < 0.9:
                    arrived.append((day, house, int(draw.integers(0, 600))))
            arrived += [(day, house, int(minute)) for minute in draw.integers(0, 600, draw.poisson(5 + house))]
    clock = "%Y-%m-%d %H:%M"
    return {
        "bookings": pl.DataFrame(
            booked, schema=["id", "made", "house", "for_day", "cancelled"], orient="row"
        ).with_columns(pl.col("made").dt.strftime(clock), pl.col("for_day", "cancelled").cast(pl.Date)),
        "arrivals": pl.DataFrame(
            [
                (
                    f"a{number}",
                    datetime.combine(FIRST, time(12)) + timedelta(days=day, minutes=minute),
                    f"house {house}",
                )
                for number, (day, house, minute) in enumerate(arrived)
                if day >= 0
            ],
            schema=["id", "at", "house"],
            orient="row",
        ).with_columns(pl.col("at").dt.strftime(clock)),
    }


def project(standing: str) -> Project:
    """Arrivals by hotel and day, asked about two days before; ``standing`` says which bookings count."""
    clock = {"zone": ZONE}
    return Project(
        {
            "name": "hotels",
            "sources": {
                "arrivals": {
                    "files": "arrivals.csv",
                    "key": "id",
                    "time": {"columns": ["at"], **clock},
                    "place": "house",
                },
                "bookings": {
                    "files": "bookings.csv",
                    "key": "id",
                    "time": {"columns": ["made"], **clock},
                    "place": "house",
                    "covered": [[FIRST - timedelta(days=51), FIRST + timedelta(days=DAYS)]],
                },
            },
            "predict": {"count": "arrivals", "per": {"place": "house", "every": "1d"}, "horizon": "2d"},
            "plugins": ["features.py"],
            "features": [{"history": {"windows": ["7d", "28d"], "weekday": [], "lags": [], "since": False}}, "booked"],
            "judge": {"holdout": "21d", "folds": 2, "fold": "21d"},
            "train": {
                "budget": "0s",
                "candidates": ["linear"],
                "threads": 1,
                "since": FIRST + timedelta(days=14),
            },
        },
        tables(),
        BOOKED.replace("STANDING", standing),
    )


LEAK = project('pl.col("cancelled").is_null()')
TWIN = project('pl.col("cancelled").is_null() | (pl.col("cancelled") >= pl.col("today"))')
