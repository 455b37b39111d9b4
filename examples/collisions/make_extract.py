"""Make the bundled extract of this example from the full public tables: two steady years, the columns used, as found.

    python examples/collisions/make_extract.py ../shared/data/nyc_collisions

Rows are copied as they are, in their order, dirt included: missing coordinates, 0,0, empty injuries. Only column names
are put into lower case, columns that the project does not use are dropped, and the coordinates of zone borders are
rounded to seven decimals (1 cm; at six a border comes to cross itself). The same input gives the same bytes.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

SINCE, UNTIL = date(2018, 3, 1), date(2020, 3, 1)
WEATHER_SINCE = date(2017, 3, 1)
CRASHES = "nyc_collisions_2018-2020.csv.gz"
COLUMNS = (
    "crash_date",
    "crash_time",
    "borough",
    "latitude",
    "longitude",
    "number_of_persons_injured",
    "number_of_persons_killed",
    "collision_id",
)
ZONE_PROPERTIES = ("objectid", "location_id", "zone", "borough")


def compressed(path: Path, text: str) -> None:
    """Write ``text`` as gzip without name and time, so that the same text gives the same bytes."""
    with path.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as out:
        out.write(text.encode("utf-8"))
    print(f"{path}: {path.stat().st_size:,} bytes")


def table(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def crashes(source: Path, target: Path) -> None:
    """Write one file a half-year: rows whose date lies in the chosen stretch, values as found."""
    parts: dict[str, list[list[str]]] = {}
    with gzip.open(source / CRASHES, "rt", encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = [name.lower() for name in next(reader)]
        places = [header.index(name) for name in COLUMNS]
        for row in reader:
            month, day, year = (int(part) for part in row[places[0]].split("/"))
            if SINCE <= date(year, month, day) < UNTIL:
                half = f"{year}-{'H1' if month <= 6 else 'H2'}"
                parts.setdefault(half, []).append([row[place] for place in places])
    for half, rows in sorted(parts.items()):
        compressed(target / f"crashes_{half}.csv.gz", table([COLUMNS, *rows]))
        print(f"  {len(rows):,} rows")


def rounded(value: Any) -> Any:
    """Round every number of nested coordinates to seven decimals."""
    return [rounded(part) for part in value] if isinstance(value, list) else round(value, 7)


def zones(source: Path, target: Path) -> None:
    """Write the taxi zones with the properties that identify them."""
    with gzip.open(source / "NYCTaxiZones.geojson.gz", "rt", encoding="utf-8") as file:
        found = json.load(file)
    features = [
        {
            "type": "Feature",
            "properties": {name: feature["properties"][name] for name in ZONE_PROPERTIES},
            "geometry": {
                "type": feature["geometry"]["type"],
                "coordinates": rounded(feature["geometry"]["coordinates"]),
            },
        }
        for feature in found["features"]
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    compressed(target / "zones.geojson.gz", text + "\n")
    print(f"  {len(features)} polygons")


def weather(source: Path, target: Path) -> None:
    """Write the daily summaries of the station in Central Park, from a year before the crashes on."""
    with gzip.open(source / "central_park_daily.csv.gz", "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    day = header.index("DATE")
    kept = [row for row in rows if WEATHER_SINCE <= date.fromisoformat(row[day]) < UNTIL]
    compressed(target / "weather.csv.gz", table([[name.lower() for name in header], *kept]))
    print(f"  {len(kept)} days")


def main() -> None:
    """Write the three parts beside the project file."""
    source, target = Path(sys.argv[1]), Path(__file__).parent / "data"
    target.mkdir(exist_ok=True)
    crashes(source, target)
    zones(source, target)
    weather(source, target)


if __name__ == "__main__":
    main()
