"""All zones x days of 2012-07..2020-03: features from raw files, and the window part beside DuckDB.

Protocol. First, in a process of its own: the three raw files are read, their times and zones found, and every zone and
day (263 x 2,800) answered with calendar and default history features; seconds by stage, and the peak of memory.
Then the window part alone: counts of 20 windows for the same questions, the ledger built anew each time, beside DuckDB
(two threads, `features.sql`): on the finished panel, where the faster of two forms counts; and on rows with a delay of
36 hours in its as-of form. Both sides answer the same counts, which is asserted. Medians of 3, in turn, in one run.
With 30 % of the rows late DuckDB needs a join by both times; it is timed on a sample of 100 questions.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from asof import clocks, lookups, panels, places
from asof.data import Coverage, SourceTable
from asof.ledgers import Clock, Ledger, Moments, Past
from asof.panels import Panel
from asof.specs import FeatureSpec, PlaceSpec, TimeSpec
from asof.times import Step, midnight

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data" / "nyc_collisions"
ZONE = "America/New_York"
ZONES = PlaceSpec(polygons="NYCTaxiZones.geojson.gz", id="objectid", coarser="borough")
FIRST, UNTIL = midnight(date(2012, 7, 1), ZONE), midnight(date(2020, 3, 1), ZONE)
WINDOWS = (1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 28, 42, 56, 77, 91, 119, 182, 273, 364, 728)
MOST_SECONDS, MOST_GB, REPEATS, THREADS = 15.0, 3.0, 3, 2
DELAY = timedelta(hours=36)


def rows_of_files() -> pl.DataFrame:
    """Raw columns of the three files, as text."""
    wanted = {"CRASH DATE": "date", "CRASH TIME": "time", "LATITUDE": "lat", "LONGITUDE": "lon", "COLLISION ID": "_key"}
    parts = []
    for years in ("2012-2014", "2015-2017", "2018-2020"):
        frame = pl.read_csv(DATA / f"nyc_collisions_{years}.csv.gz", infer_schema=False, truncate_ragged_lines=True)
        names = {name.upper().replace("_", " "): name for name in frame.columns}
        parts.append(frame.select(pl.col(names[column]).alias(name) for column, name in wanted.items()))
    return pl.concat(parts)


def placed_table(stage: Callable[[str], None]) -> tuple[SourceTable, Panel]:
    """Read, find times and zones; ``stage`` is told when each part is done."""
    raw = rows_of_files()
    stage("read three files")
    times = clocks.read(raw, TimeSpec(columns=("date", "time"), zone=ZONE), Step(0, "h")).times
    rows = raw.hstack(times).filter(pl.col("_reason").is_null()).drop("date", "time", "_reason")
    rows = rows.with_columns(pl.col("lat", "lon").cast(pl.Float64, strict=False), _first_seen=pl.col("_ended"))
    stage("times")
    zones = places.load(ZONES, DATA)
    assert zones is not None
    rows = rows.with_columns(places.assign(rows, ("lat", "lon"), ZONES, zones).alias("_place"))
    stage("zones")
    rows = rows.sort("_ended", "_available", "_key")
    stage("sort")
    table = SourceTable("crashes", rows, ZONE, timedelta(0), Coverage((FIRST,), (UNTIL,)), ("lat", "lon"))
    return table, Panel(zones, Step(1, "d"), ZONE, "crashes")


def whole() -> int:
    """From raw files to features, by stage; returns 1 where a promise is not kept."""
    begun = last = time.perf_counter()

    def stage(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        print(f"  {name:<34}{now - last:8.2f} s")
        last = now

    table, panel = placed_table(stage)
    past = Past({"crashes": table}, panel)
    asked = panels.questions(panel, FIRST, UNTIL)
    stage("questions")
    specs = [FeatureSpec(name="calendar", kind="calendar"), FeatureSpec(name="history", kind="history")]
    made = lookups.make_all(specs, panel)
    answers = lookups.features(asked, made, past)
    history = sum(name.startswith("crashes_") for name in answers.columns)
    stage(f"{answers.width} features")
    seconds, peak = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {'in all':<34}{seconds:8.2f} s   peak {peak:.2f} GB   CPU {time.process_time():.1f} s")
    print(f"  {table.rows.height:,} rows, {asked.height:,} questions, {history} history features")
    begun = time.perf_counter()
    lookups.features(asked[500_000:500_001], made, past)
    print(f"  one question alone: {(time.perf_counter() - begun) * 1000:.0f} ms")
    return int(seconds > MOST_SECONDS or peak > MOST_GB or history < 40)


def statements() -> dict[str, str]:
    """The named parts of features.sql."""
    parts = (HERE / "features.sql").read_text(encoding="utf-8").split("-- name: ")[1:]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1].strip().rstrip(";") for part in parts}


@dataclass(frozen=True)
class Case:
    """The same events and questions for both sides."""

    rows: pl.DataFrame
    codes: np.ndarray
    """Number of the place of each row."""
    asked: pl.DataFrame
    keys: np.ndarray
    """Number of the place of each question."""
    day: pl.Series
    as_of: Moments

    @classmethod
    def load(cls) -> "Case":
        """Read the files and ask every zone and day."""
        table, panel = placed_table(lambda _: None)
        asked = panels.questions(panel, FIRST, UNTIL)
        rows = table.rows.filter(pl.col("_place").is_not_null(), pl.col("_ended") > FIRST, pl.col("_ended") <= UNTIL)
        number = {"old": panel.places.ids, "new": range(len(panel.places)), "return_dtype": pl.Int64}
        keys, codes = (column.replace_strict(**number).to_numpy() for column in (asked["place"], rows["_place"]))
        day = asked["start"].dt.convert_time_zone(ZONE).dt.date().alias("day")
        return cls(rows, codes, asked, keys, day, Moments.of(asked["as_of"]))

    def counts(self, delay: timedelta, late: np.ndarray | None = None) -> list[np.ndarray]:
        """Count by a new ledger of rows with a delay, and perhaps more seconds for some."""
        known = pl.col("_ended") + delay
        if late is not None:
            known += pl.duration(seconds=pl.lit(pl.Series(late)))
        ledger = Ledger.build(Clock.of(self.rows.with_columns(_available=known)), self.codes)
        high = self.high(delay)
        lows = [high.shift(Step(days, "d"), ZONE, -1) for days in WINDOWS]
        reading = ledger.read(self.keys, high, self.as_of, lows)
        return [reading.count(low) for low in lows]

    def high(self, delay: timedelta) -> Moments:
        """``as_of - delay``."""
        return Moments(self.as_of.values - delay // timedelta(microseconds=1), self.as_of.index)

    def tables(self, delay: timedelta) -> dict[str, pl.DataFrame]:
        """What DuckDB gets: events, days, and questions with the edges of their windows."""
        own = (pl.col("_ended") - pl.duration(microseconds=1)).dt.convert_time_zone(ZONE).dt.date()
        events = self.rows.select(place=pl.lit(pl.Series(self.codes)), day=own, ended=pl.col("_ended").to_physical())
        high = self.high(delay)
        lows = {f"low{days}": high.shift(Step(days, "d"), ZONE, -1).micros() for days in WINDOWS}
        edges = {"high": high.micros(), "as_of": self.as_of.micros(), **lows}
        questions = pl.DataFrame({"place": self.keys, "day": self.day, **edges})
        return {"events": events, "days": self.day.unique().sort().to_frame(), "questions": questions}


def windows() -> int:
    """The window part beside DuckDB; returns 1 where a promise is not kept."""
    case, sql = Case.load(), statements()
    late = np.random.default_rng(0).random(case.rows.height) < 0.3
    seconds = (np.random.default_rng(1).exponential(10 * 86_400, case.rows.height) * late).astype(np.int64)
    with duckdb.connect(config={"threads": THREADS}) as bench:
        tables = case.tables(DELAY)
        for name, frame in tables.items():
            put(bench, name, frame)
        put(bench, "places", pl.DataFrame({"place": np.unique(case.keys)}))
        bench.execute(sql["panel"])

        def plainly(form: str, part: str) -> Callable[[], object]:
            return lambda: bench.execute(sql[form].format(**{form: filled(sql[part])}))

        forms = {"frames": plainly("frames", "frame"), "lags": plainly("lags", "lag")}
        plain = turns({"asof": lambda: case.counts(timedelta(0)), **forms})
        same(case, case.counts(timedelta(0)), bench)

        def joins() -> None:
            bench.execute(sql["running"])
            bench.execute(sql["asof"].format(differences=filled(sql["difference"]), joins=filled(sql["join"], "\n")))

        delayed = turns({"asof": lambda: case.counts(DELAY), "joins": joins})
        same(case, case.counts(DELAY), bench)
        later = turns({"asof": lambda: case.counts(DELAY, seconds)})
        sampled(bench, sql["late"].format(counts=filled(sql["counted"])), tables, seconds, case.counts(DELAY, seconds))
    sizes = f"{len(case.keys):,} questions x {len(WINDOWS)} windows over {case.rows.height:,} events"
    print(f"  {sizes}; medians of {REPEATS}")
    print(f"  {'':<34}{'asof':>9}{'DuckDB':>9}{'asof / DuckDB':>15}")
    best = min(plain["frames"], plain["lags"])
    line("finished panel, its faster form", plain["asof"], best)
    both = f"frames {plain['frames']:.2f} s, running total {plain['lags']:.2f} s"
    print(f"    ({both}; our side builds its ledger from rows)")
    line("delay of 36 hours, as-of form", delayed["asof"], delayed["joins"])
    print(f"  {'30 % of rows later, by 10 days':<34}{later['asof']:>7.2f} s")
    return int(plain["asof"] > 2 * best or delayed["asof"] > delayed["joins"] / 5)


def line(what: str, ours: float, theirs: float) -> None:
    """Print one comparison."""
    print(f"  {what:<34}{ours:>7.2f} s{theirs:>7.2f} s{ours / theirs:>15.2f}")


def filled(part: str, between: str = ",\n") -> str:
    """Fill a part of a statement in for each window."""
    return between.join(part.format(days=days) for days in WINDOWS)


def put(bench: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """Make a table of a frame."""
    bench.register("frame", frame.to_arrow())
    bench.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM frame")
    bench.unregister("frame")


def turns(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each side, taken in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(REPEATS):
        for name, side in sides.items():
            begun = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def same(case: Case, counts: list[np.ndarray], bench: duckdb.DuckDBPyConnection) -> None:
    """Assert that both sides counted alike."""
    columns = {f"w{days}": pl.Int64 for days in WINDOWS}
    mine = pl.DataFrame({"place": case.keys, "day": case.day, **dict(zip(columns, counts, strict=True))})
    theirs = bench.sql("SELECT * FROM answer").pl().fill_null(0)
    one, other = (frame.cast(columns).sort("day", "place").select(*columns) for frame in (mine, theirs))
    assert one.equals(other)


def sampled(
    bench: duckdb.DuckDBPyConnection,
    query: str,
    tables: dict[str, pl.DataFrame],
    late: np.ndarray,
    counts: list[np.ndarray],
) -> None:
    """Assert that late rows are counted alike on a sample, and say what DuckDB takes for it."""
    drawn = np.random.default_rng(1).choice(len(counts[0]), 100, replace=False)
    known = pl.col("ended") + DELAY // timedelta(microseconds=1) + pl.lit(pl.Series(late)) * 1_000_000
    put(bench, "events", tables["events"].with_columns(available=known))
    put(bench, "sample", tables["questions"][drawn].with_row_index("number"))
    begun = time.perf_counter()
    found = bench.execute(query).fetchall()
    print(f"  100 of these questions with late rows take DuckDB {time.perf_counter() - begun:.2f} s")
    for position, row in zip(drawn, found, strict=True):
        assert [int(count[position]) for count in counts] == list(row[1:])


def main() -> int:
    """Run both parts, each in a process of its own."""
    if len(sys.argv) > 1:
        return {"whole": whole, "windows": windows}[sys.argv[1]]()
    parts = [subprocess.run([sys.executable, __file__, part], check=False) for part in ("whole", "windows")]
    return max(abs(part.returncode) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
