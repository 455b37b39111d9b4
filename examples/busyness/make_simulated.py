"""Make ``data/simulated_courier_pings.csv.gz``: four weeks of couriers in a city that does not exist on these streets.

    python examples/busyness/make_simulated.py

Nothing in it was observed. It has the columns, and the dirt, of the file of couriers that may not be passed on: a row
each time a courier's phone tells where it is, several an order, times in UTC for a city six hours behind, a few rows
with gaps and one that lies in the sea. Rates were chosen by hand; the draws are those of one seed.
"""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

SEED = 20
DAYS = 28
FIRST = datetime(2021, 3, 1, 6, tzinfo=UTC)
"""Midnight in Regina, a Monday."""
RESTAURANTS = 45
ORDERS_A_DAY = 300
CENTRES = ((50.447, -104.606), (50.484, -104.612), (50.421, -104.620), (50.452, -104.551))
"""Latitude and longitude of four quarters."""
HOURS = (2, 1, 0.5, 0.2, 0.2, 0.3, 0.5, 1, 2, 3, 5, 12, 16, 9, 5, 5, 9, 18, 22, 18, 11, 7, 5, 3)
"""Weight of each local hour."""
WEEKDAYS = (0.8, 0.8, 0.85, 0.9, 1.35, 1.4, 1.1)
"""Weight of each day, Monday first."""
KM = 1 / 111.2
"""Degrees of latitude in a kilometre."""


def main() -> None:
    """Write the file beside this script."""
    draw = np.random.default_rng(SEED)
    shops = restaurants(draw)
    popular = draw.lognormal(0, 1, RESTAURANTS)
    rows = [row for number, moment in enumerate(created(draw)) for row in pings(draw, number, moment, shops, popular)]
    rows.sort(key=lambda row: (row["courier_location_timestamp"], row["order_number"]))
    for position in draw.choice(len(rows), 9, replace=False):  # an order that came without its restaurant
        rows[position] |= {"order_created_timestamp": None, "restaurant_lat": None, "restaurant_lon": None}
    rows[len(rows) // 2] |= {"courier_lat": 0.0, "courier_lon": 0.0}
    file = Path(__file__).parent / "data" / "simulated_courier_pings.csv.gz"
    file.parent.mkdir(exist_ok=True)
    # Without a name and a moment in its head, so that the same rows make the same file.
    with file.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(pl.DataFrame(rows, infer_schema_length=None).write_csv().encode())


def restaurants(draw: np.random.Generator) -> np.ndarray:
    """Latitude and longitude of each restaurant, gathered in four quarters."""
    quarter = draw.choice(len(CENTRES), RESTAURANTS, p=[0.45, 0.25, 0.15, 0.15])
    return np.array([around(draw, *CENTRES[one], 0.9) for one in quarter])


def around(draw: np.random.Generator, lat: float, lon: float, km: float) -> tuple[float, float]:
    """A point about so far from another."""
    north, east = draw.normal(0, km * KM, 2)
    return round(lat + north, 5), round(lon + east / np.cos(np.radians(lat)), 5)


def created(draw: np.random.Generator) -> list[datetime]:
    """When orders are made: more at noon, in the evening and before the weekend."""
    moments = []
    for day in range(DAYS):
        for hour, weight in enumerate(HOURS):
            rate = ORDERS_A_DAY * WEEKDAYS[day % 7] * weight / sum(HOURS)
            seconds = np.sort(draw.integers(0, 3600, draw.poisson(rate)))
            moments += [FIRST + timedelta(days=day, hours=hour, seconds=int(one)) for one in seconds]
    return moments


def pings(
    draw: np.random.Generator, number: int, moment: datetime, shops: np.ndarray, popular: np.ndarray
) -> list[dict[str, object]]:
    """What a courier's phone tells of one order: on the way to the restaurant, and on to the customer."""
    shop = shops[draw.choice(len(shops), p=popular / popular.sum())]
    begun, customer = around(draw, *shop, 0.7), around(draw, *shop, 1.6)
    courier = f"c{draw.integers(60):02d}"
    rows = []
    for step in range(draw.integers(2, 6)):
        share = step / 5
        start, end, done = (begun, shop, share * 2) if share < 0.5 else (shop, customer, share * 2 - 1)
        at = moment + timedelta(minutes=3 + 4 * step, milliseconds=int(draw.integers(60_000)))
        rows.append(
            {
                "courier_id": courier,
                "order_number": 900_000 + number,
                "courier_location_timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z",
                "courier_lat": round(start[0] + (end[0] - start[0]) * done, 5),
                "courier_lon": round(start[1] + (end[1] - start[1]) * done, 5),
                "order_created_timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "restaurant_lat": shop[0],
                "restaurant_lon": shop[1],
            }
        )
    return rows


if __name__ == "__main__":
    main()
