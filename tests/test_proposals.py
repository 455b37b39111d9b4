"""What is proposed for a table: a project that reads, and guesses that say why."""

import gzip
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from asof import project, proposals
from asof.errors import DataError, UserError
from asof.specs import PlaceSpec, PointSpec, ProjectSpec, TimeSpec

Proposed = Callable[..., tuple[ProjectSpec, str]]


@pytest.fixture
def proposed(tmp_path: Path) -> Proposed:
    """Propose a project for a table, and read the proposal."""

    def propose(path: Path, **options: str) -> tuple[ProjectSpec, str]:
        text = proposals.propose(path, **options)
        (tmp_path / "proposal.yaml").write_text(text, encoding="utf-8")
        return project.read(tmp_path / "proposal.yaml", environ={}).spec, text

    return propose


def sales(count: int = 500) -> list[dict[str, str]]:
    """Rows of sales, dirty where it does not matter."""
    chance = random.Random(3)
    begun = datetime(2024, 1, 1)  # noqa: DTZ001 - a local time
    rows = []
    for number in range(count):
        sold = begun + timedelta(minutes=chance.randrange(60 * 24 * 60))
        rows.append(
            {
                "receipt_no": f"{number:05d}",
                "sold_at": f"{sold:%d.%m.%Y %H:%M}",
                "shop": chance.choice(["north", "south", "east"]),
                "amount": f"{chance.random() * 100:.2f}",
            }
        )
    return rows


def write_csv(path: Path, rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """Write rows as a table of texts."""
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    data = ("\n".join(lines) + "\n").encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


# Forms of files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "csv.gz", "semicolon", "tab", "latin-1", "json", "lines", "parquet"])
def test_every_form_of_file_gives_the_same_proposal(tmp_path: Path, proposed: Proposed, form: str) -> None:
    rows = sales()
    path = tmp_path / {
        "lines": "sales.jsonl",
        "semicolon": "sales.csv",
        "tab": "sales.tsv",
        "latin-1": "sales.csv",
    }.get(form, f"sales.{form}")
    match form:
        case "json":
            path.write_text(json.dumps(rows))
        case "lines":
            path.write_text("\n".join(map(json.dumps, rows)))
        case "parquet":
            pl.DataFrame(rows).write_parquet(path)
        case "latin-1":
            rows = [{**row, "seller": "José"} for row in rows]
            write_csv(path, rows, encoding="latin-1")
        case _:
            write_csv(path, rows, {"semicolon": ";", "tab": "\t"}.get(form, ","))
    spec, text = proposed(path)
    source = spec.sources["sales"]
    assert source.files is not None
    assert source.files.paths == (path.name,)
    assert source.files.delimiter == {"semicolon": ";", "tab": "\t"}.get(form, ",")
    assert source.files.encoding == ("latin-1" if form == "latin-1" else "utf-8")
    assert source.key == ("receipt_no",)
    assert source.time == TimeSpec(columns=("sold_at",))
    assert source.place == "shop"
    assert (spec.predict.count, spec.predict.per.place) == ("sales", PlaceSpec(column="shop"))
    assert spec.predict.per.every == "1d"
    assert spec.predict.horizon == ("1d", "2d", "3d", "4d", "5d", "6d", "7d")
    assert [feature.name for feature in spec.features] == ["calendar", "history"]
    assert "all 500 rows" in text
    assert "read as %d.%m.%Y %H:%M" in text


def test_the_start_of_a_long_table_is_enough(tmp_path: Path, proposed: Proposed) -> None:
    day = datetime(2024, 1, 1)  # noqa: DTZ001 - a local time
    frame = pl.DataFrame({"id": range(120_000)}).with_columns(
        at=pl.lit(day) + pl.duration(seconds=pl.col("id") * 7 % 5_000_000), shop=pl.col("id") % 5
    )
    frame.write_csv(tmp_path / "long.csv")
    _, text = proposed(tmp_path / "long.csv")
    assert "the first 100,000 rows" in text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "the file is empty; expected a table with a header and rows"),
        ("blank.csv", b"\n\n", "the file is empty; expected a table with a header and rows"),
        ("header.csv", b"a,date\n", "no rows; expected a table with a header and rows"),
        ("a.json", b"[{", "no JSON: "),
        ("a.json", b"[]", "no rows; expected a table with a header and rows"),
        ("a.csv", b"PK\x03\x04\x00\x00\x00", "not a text; expected CSV, JSON or Parquet"),
        ("a.parquet", b"PAR1", "cannot be read as a table: "),
        ("a.csv.gz", b"\x1f\x8b\x08\x00broken", "cannot be read as a table: "),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        proposals.propose(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {said}")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file; expected a table: CSV, JSON or Parquet$"):
        proposals.propose(tmp_path / "none.csv")


# Names and addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("JC-201901-citibike-tripdata.csv.gz", "jc_201901_citibike_tripdata"),
        ("2020 sales.csv", "table_2020_sales"),
        ("Übersicht.csv", "bersicht"),
        ("---.csv", "table"),
    ],
)
def test_a_name_is_made_from_that_of_the_file(tmp_path: Path, proposed: Proposed, file: str, name: str) -> None:
    spec, _ = proposed(write_csv(tmp_path / file.removesuffix(".gz"), sales()))
    assert spec.name == name
    assert list(spec.sources) == [name]


def test_a_name_of_ones_own(tmp_path: Path, proposed: Proposed) -> None:
    path = write_csv(tmp_path / "sales.csv", sales())
    spec, _ = proposed(path, name="shops")
    assert (spec.name, list(spec.sources)) == ("shops", ["sales"])
    with pytest.raises(UserError, match=r"^--name 'My Shops': expected lower-case letters, digits and _, beginning"):
        proposals.propose(path, name="My Shops")


def test_the_address_is_relative_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = write_csv(tmp_path / "data" / "sales of may.csv", sales())
    assert '    files: "sales of may.csv" ' in proposals.propose(path)
    assert '    files: "data/sales of may.csv" ' in proposals.propose(path, folder=tmp_path)
    assert f'    files: "{path}" ' in proposals.propose(path, folder=tmp_path / "elsewhere")


def test_names_that_yaml_would_take_for_something_else(tmp_path: Path, proposed: Proposed) -> None:
    rows = [{"no": row["receipt_no"], "2019": row["sold_at"], "city, state": row["shop"]} for row in sales()]
    lines = ['no,2019,"city, state"', *(",".join(row.values()) for row in rows)]
    (tmp_path / "odd.csv").write_text("\n".join(lines))
    spec, _ = proposed(tmp_path / "odd.csv")
    assert spec.sources["odd"].key == ("no",)
    assert spec.sources["odd"].time == TimeSpec(columns=("2019",))
    assert spec.sources["odd"].place == "city, state"


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "project.yaml"
    proposals.write(target, "a: 1\n")
    with pytest.raises(
        UserError, match=r"project\.yaml is there already and stays as it is; write elsewhere with --out"
    ):
        proposals.write(target, "b: 2\n")
    assert target.read_text() == "a: 1\n"
    with pytest.raises(UserError, match="there is no folder"):
        proposals.write(tmp_path / "none" / "project.yaml", "b: 2\n")


# Guesses ------------------------------------------------------------------------------------------


def test_an_order_of_day_and_month_that_nothing_proves_is_left_to_the_owner(tmp_path: Path, proposed: Proposed) -> None:
    rows = [
        {"id": str(number), "date": f"{1 + number % 9:02d}/{1 + number % 7:02d}/2024", "shop": "a"}
        for number in range(99)
    ]
    spec, text = proposed(write_csv(tmp_path / "a.csv", rows))
    assert spec.sources["a"].time == TimeSpec(columns=("date",))
    assert "# NOT SURE, and not read before you say it: date: nothing tells whether '01/02/2024' is day first" in text


def test_a_table_without_a_place(tmp_path: Path, proposed: Proposed) -> None:
    begun = datetime(2024, 1, 1)  # noqa: DTZ001 - a local time
    rows = [
        {"time": f"{begun + timedelta(hours=hour):%Y-%m-%d %H:%M}", "demand": f"{hour % 24}.5"} for hour in range(200)
    ]
    spec, text = proposed(write_csv(tmp_path / "a.csv", rows))
    assert spec.predict.sum == "a.demand"
    assert spec.predict.per.every == "1h"
    assert spec.predict.horizon == ("1h", "1d")
    assert spec.sources["a"].key == ("time",)
    assert spec.predict.per.place is None
    assert "no place found, so all is one" in text


def test_a_place_that_is_a_mere_guess_says_so(tmp_path: Path, proposed: Proposed) -> None:
    rows = [{**{name: value for name, value in row.items() if name != "shop"}, "kind": row["shop"]} for row in sales()]
    spec, text = proposed(write_csv(tmp_path / "a.csv", rows))
    assert spec.predict.per.place is None
    assert spec.sources["a"].place is None
    assert "no column looks like a place, so all is one; perhaps place: kind, here and in the source" in text


def test_coordinates_far_outside_do_not_stretch_the_box(tmp_path: Path, proposed: Proposed) -> None:
    chance = random.Random(5)
    rows = [{**row, "lat": f"{60 + chance.random():.3f}", "lng": f"{24 + chance.random():.3f}"} for row in sales(2000)]
    rows[7] |= {"lat": "0", "lng": "0"}
    rows[9] |= {"lat": "-41", "lng": "170"}
    rows[11] |= {"lat": "", "lng": ""}
    spec, text = proposed(write_csv(tmp_path / "a.csv", rows))
    assert spec.sources["a"].place == PointSpec(lat="lat", lon="lng", box=(60.0, 24.0, 61.0, 25.0))
    assert spec.predict.per.place == PlaceSpec(h3=8)
    assert "0.1% have no point" in text


# Real tables --------------------------------------------------------------------------------------

CRASHES = PointSpec(lat="LATITUDE", lon="LONGITUDE", box=(40.4, -74.3, 41.0, -73.7))


@pytest.mark.needs("shared data")
@pytest.mark.parametrize(
    ("file", "key", "time", "place", "target"),
    [
        (
            "nyc_collisions/nyc_collisions_2018-2020.csv.gz",
            ("COLLISION_ID",),
            ("CRASH_DATE", "CRASH_TIME"),
            PlaceSpec(h3=8),
            "count nyc_collisions_2018_2020 1d",
        ),
        (
            "nyc_collisions/nyc_collisions_2023-03_2024-04.csv.gz",
            ("collision_id",),
            ("crash_date", "crash_time"),
            PlaceSpec(h3=8),
            "count nyc_collisions_2023_03_2024_04 1d",
        ),
        (
            "demand/JC-201901-citibike-tripdata.csv.gz",
            ("bikeid", "starttime"),
            ("starttime",),
            PlaceSpec(column="start station id"),
            "count jc_201901_citibike_tripdata 1d",
        ),
        (
            "demand/JC-201912-citibike-tripdata.csv.gz",
            ("bikeid", "starttime"),
            ("starttime",),
            PlaceSpec(column="start station id"),
            "count jc_201912_citibike_tripdata 1d",
        ),
        (
            "demand/SeoulBikeData.csv.gz",
            ("Date", "Hour"),
            ("Date", "Hour"),
            None,
            "sum seoulbikedata.Rented Bike Count 1h",
        ),
        (
            "king_county/kc_house_data_dirty.csv.gz",
            ("id", "date"),
            ("date",),
            PlaceSpec(h3=8),
            "count kc_house_data_dirty 1d",
        ),
        (
            "courier_regina/courier_restaurant_orders.csv.gz",
            ("order_number", "courier_location_timestamp"),
            ("courier_location_timestamp",),
            PlaceSpec(h3=8),
            "count courier_restaurant_orders 1h",
        ),
        (
            "demand/wolt_helsinki_orders_autumn_2020.csv.gz",
            (),
            ("TIMESTAMP",),
            PlaceSpec(h3=8),
            "count wolt_helsinki_orders_autumn_2020 1d",
        ),
        (
            "nyc_collisions/central_park_daily.csv.gz",
            ("STATION", "DATE"),
            ("DATE",),
            PlaceSpec(column="STATION"),
            "sum central_park_daily.PRCP 1d",
        ),
        (
            "nyc_collisions/nyc_weather_3hourly_2013_2024-03.csv.gz",
            ("date", "time"),
            ("date", "time"),
            None,
            "sum nyc_weather_3hourly_2013_2024_03.precipMM 3h",
        ),
        ("electricity/vic_elec.csv.gz", ("rownames",), ("Time",), None, "sum vic_elec.Demand 30m"),
        (
            "station_weather/outcome_of_interest.parquet",
            (),
            ("date",),
            None,
            "count outcome_of_interest 1d",
        ),
    ],
)
def test_real_tables(  # noqa: PLR0917 - a table of cases
    shared_data: Path,
    proposed: Proposed,
    file: str,
    key: tuple[str, ...],
    time: tuple[str, ...],
    place: PlaceSpec | None,
    target: str,
) -> None:
    spec, _ = proposed(shared_data / file)
    (source,) = spec.sources.values()
    assert source.key == key
    assert source.time is not None
    assert source.time.columns == time
    assert spec.predict.per.place == place
    measure = spec.predict.measure
    assert f"{measure} {getattr(spec.predict, measure)} {spec.predict.per.every}" == target


@pytest.mark.needs("shared data")
def test_what_is_said_about_real_tables(shared_data: Path, proposed: Proposed) -> None:
    spec, text = proposed(shared_data / "nyc_collisions" / "nyc_collisions_2012-2014.csv.gz")
    assert spec.sources["nyc_collisions_2012_2014"].place == CRASHES
    assert "read as %m/%d/%Y %H:%M; 1 row has none" in text
    _, text = proposed(shared_data / "demand" / "SeoulBikeData.csv.gz")
    assert "read as %d/%m/%Y %H" in text
    assert "not UTF-8" in text
    _, text = proposed(shared_data / "courier_regina" / "courier_restaurant_orders.csv.gz")
    assert "other times: order_created_timestamp" in text
    assert "there are also restaurant_lat and restaurant_lon" in text
    assert "the values carry their offset" in text
    spec, text = proposed(shared_data / "homevision" / "listings.csv.gz")
    assert "66% of the rows have no time and will be refused: is that meant?" in text
    assert spec.sources["listings"].quarantine == 0.67


@pytest.mark.needs("shared data")
def test_a_table_without_a_time_is_asked_about_its_rows(shared_data: Path, proposed: Proposed) -> None:
    spec, text = proposed(shared_data / "titanic" / "train.csv")
    assert spec.sources["train"].key == ("PassengerId",)
    assert spec.sources["train"].time is None
    assert (spec.predict.measure, spec.predict.target) == ("classes", "train.Survived")
    assert "its name says that it is the label; 2 classes" in text
    assert "no column states a time: nothing can be learnt as of a moment" in text


def test_the_label_of_rows_is_a_guess_where_no_name_says_it(tmp_path: Path, proposed: Proposed) -> None:
    """Two values before many; numbers where there are no classes; without either nothing can be asked."""
    rows = [{"code": f"c{n}", "size": f"{n * 37 % 101}.5", "sex": "mf"[n % 2]} for n in range(200)]
    spec, text = proposed(write_csv(tmp_path / "a.csv", rows))
    assert (spec.predict.measure, spec.predict.target) == ("classes", "a.sex")
    assert "NOT SURE: the first column that could be it; 2 classes" in text
    assert "# key: …" in text
    spec, text = proposed(write_csv(tmp_path / "b.csv", [{"size": row["size"]} for row in rows]))
    assert (spec.predict.measure, spec.predict.target) == ("value", "b.size")
    with pytest.raises(DataError, match="no column states a time, and none could be the label of a row"):
        proposals.propose(write_csv(tmp_path / "c.csv", [{"code": row["code"]} for row in rows]))
