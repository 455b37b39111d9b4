"""H3 resolution 8 x hour, 2018-01..2019-06, over 10 million questions: streamed in monthly parts under 6 GB.

Protocol: NYC collisions as found (2015..2020, local New York time, HH:MM), delay 1h, horizon 1h, cells that had a row
before 2018-01-01 only, history from 2016-10-01. Setting up (reading, times, cells) is timed apart. Each month is asked,
answered with history features, labelled and written as one Parquet file, then forgotten; the table shows the sum of the
time and the peak of memory after 3, 6, 12 and 18 months. Time is linear if the seconds a month stay level
(on a busy machine: the CPU seconds).
"""

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from asof import clocks, lookups, panels, places
from asof.data import Coverage, SourceTable
from asof.labels import labels
from asof.ledgers import Past
from asof.panels import Panel
from asof.specs import FeatureSpec, PlaceSpec, TimeSpec
from asof.times import Step, midnight, starts

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "nyc_collisions"
ZONE = "America/New_York"
CELLS = PlaceSpec(h3=8)
BOX = (40.4, 41.0, -74.3, -73.6)
"""South, north, west, east: the city; a few rows lie elsewhere by mistake."""
MONTHS = 18
SHOWN = (3, 6, 12, 18)
MOST_GB = 6.0
HISTORY = {"windows": ["1d", "7d", "28d", "364d"], "lags": ["3h", "1d", "7d"], "coarser": True}


def collisions() -> SourceTable:
    """Read the rows of 2016-10..2020-02 that have a time and lie in the city."""
    files = [DATA / f"nyc_collisions_{years}.csv.gz" for years in ("2015-2017", "2018-2020")]
    columns = ["CRASH DATE", "CRASH TIME", "LATITUDE", "LONGITUDE", "COLLISION_ID"]
    raw = pl.concat([_read(file, columns) for file in files])
    read = clocks.read(raw, TimeSpec(columns=("date", "time"), zone=ZONE), Step(1, "h"))
    lat, lon = (pl.col(name).cast(pl.Float64, strict=False) for name in ("lat", "lon"))
    begun, ended = (
        midnight(datetime(2016, 10, 1, tzinfo=UTC).date(), ZONE),
        midnight(datetime(2020, 2, 1, tzinfo=UTC).date(), ZONE),
    )
    rows = raw.hstack(read.times).with_columns(lat=lat, lon=lon, _first_seen=pl.col("_ended"))
    rows = rows.filter(pl.col("_reason").is_null(), pl.col("_ended") > begun, pl.col("_ended") <= ended)
    rows = rows.filter(pl.col("lat").is_between(*BOX[:2]), pl.col("lon").is_between(*BOX[2:]))
    rows = rows.with_columns(places.assign(rows, ("lat", "lon"), CELLS, None))
    kept = ["_key", "_event", "_ended", "_available", "_first_seen", "_place"]
    rows = rows.select(kept).sort("_ended", "_available", "_key")
    return SourceTable("crashes", rows, ZONE, timedelta(hours=1), Coverage((begun,), (ended,)), ("lat", "lon"))


def _read(file: Path, columns: list[str]) -> pl.DataFrame:
    frame = pl.read_csv(file, infer_schema=False, truncate_ragged_lines=True)
    known = {name.upper().replace("_", " "): name for name in frame.columns}
    named = ("date", "time", "lat", "lon", "_key")
    return frame.select(
        pl.col(known[column.replace("_", " ")]).alias(name) for column, name in zip(columns, named, strict=True)
    )


def main() -> int:
    """Write the parts and print the table; returns 1 where a promise is not kept."""
    begun = time.perf_counter()
    table = collisions()
    first = midnight(datetime(2018, 1, 1, tzinfo=UTC).date(), ZONE)
    seen = table.rows.filter(pl.col("_available") <= first)["_place"]
    panel = Panel(places.of_rows(seen, CELLS), Step(1, "h"), ZONE, "crashes", horizons=(Step(1, "h"),))
    past = Past({"crashes": table}, panel)
    asked = lookups.make_all([FeatureSpec(name="history", kind="history", options=HISTORY)], panel)
    faults = [str(fault) for lookup in asked for fault in lookup.check(past)]
    assert not faults, faults
    edges = starts(first, first + timedelta(days=31 * (MONTHS + 1)), Step(1, "mo"), ZONE)[: MONTHS + 1]
    print(f"{table.rows.height:,} rows, {len(panel.places):,} cells; set up in {time.perf_counter() - begun:.1f} s")
    titles = ("features", "seconds", "s/month", "CPU s", "peak GB", "on disk")
    print(f"{'months':>6} {'questions':>12} {' '.join(f'{title:>8}' for title in titles)}")
    done, busy, questions, disk, width = 0.0, 0.0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for month in range(MONTHS):
            since, worked = time.perf_counter(), time.process_time()
            part, width = answer(panel, past, asked, edges[month], edges[month + 1])
            file = Path(folder) / f"{month:02d}.parquet"
            part.write_parquet(file)
            done += time.perf_counter() - since
            busy += time.process_time() - worked
            questions += part.height
            disk += file.stat().st_size
            if month + 1 in SHOWN:
                shown = (
                    f"{done:>8.1f} {done / (month + 1):>8.2f} {busy:>8.1f} {peak_gb():>8.2f} {disk / 2**30:>5.2f} GB"
                )
                print(f"{month + 1:>6} {questions:>12,} {width:>8} {shown}", flush=True)
    assert questions > 10_000_000, questions
    return int(peak_gb() > MOST_GB)


def answer(
    panel: Panel, past: Past, asked: tuple[lookups.Lookup, ...], first: datetime, until: datetime
) -> tuple[pl.DataFrame, int]:
    """One month of questions with features and labels, and the number of features."""
    part = panels.questions(panel, first, until)
    features = lookups.features(part, asked, past)
    told = labels(part, past)
    again = [name for name in features.columns if name in part.columns]
    return pl.concat([part, told, features.drop(again)], how="horizontal"), features.width


def peak_gb() -> float:
    """Largest memory of this process so far."""
    kibi = 1 if sys.platform != "darwin" else 1 / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kibi / 2**20


if __name__ == "__main__":
    sys.exit(main())
