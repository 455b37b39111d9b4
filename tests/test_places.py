"""Places: reading polygons with their traps, and which place a row lies in."""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asof import places
from asof.errors import DataError, UserError
from asof.places import Places
from asof.specs import PlaceSpec, PointSpec

CELL = "882a1072d7fffff"  # holds 40.7, -74.0


def square(west: float, south: float, side: float = 1.0) -> list[list[list[float]]]:
    east, north = west + side, south + side
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def feature(place: object, outline: list[list[list[float]]], **properties: object) -> dict[str, object]:
    geometry = {"type": "Polygon", "coordinates": outline}
    return {"type": "Feature", "properties": {"id": place, **properties}, "geometry": geometry}


def write(folder: Path, features: list[dict[str, object]], **more: object) -> PlaceSpec:
    document = {"type": "FeatureCollection", "features": features, **more}
    (folder / "map.geojson").write_text(json.dumps(document), encoding="utf-8")
    return PlaceSpec(polygons="map.geojson", id="id")


def load(folder: Path, features: list[dict[str, object]], **more: object) -> Places:
    loaded = places.load(write(folder, features, **more), folder)
    assert loaded is not None
    return loaded


def placed(loaded: Places, points: list[tuple[float | None, float | None]]) -> list[str | None]:
    rows = pl.DataFrame(points, schema={"lat": pl.Float64, "lon": pl.Float64}, orient="row")
    return places.assign(rows, ("lat", "lon"), PlaceSpec(polygons="map.geojson", id="id"), loaded).to_list()


def test_ids_are_sorted_text_with_names_and_points_within(tmp_path: Path) -> None:
    loaded = load(tmp_path, [feature(10, square(0, 0), Zone="East"), feature(2.0, square(5, 5), Zone="West")])
    assert loaded.ids.to_list() == ["10", "2"]
    assert loaded.names is not None
    assert loaded.names.to_list() == ["East", "West"]
    assert loaded.lat is not None
    assert loaded.lon is not None
    assert loaded.lat.to_list() == [0.5, 5.5]
    assert loaded.lon.to_list() == [0.5, 5.5]
    assert loaded.coarser is None
    assert loaded.kind == "polygons"
    assert loaded.findings == ()
    assert len(loaded) == 2


def test_a_point_is_in_the_polygon_that_holds_it_and_nowhere_else(tmp_path: Path) -> None:
    loaded = load(tmp_path, [feature("a", square(0, 0)), feature("b", square(2, 0))])
    points = [(0.5, 0.5), (0.5, 2.5), (0.5, 1.5), (None, 0.5), (0.5, None), (91.0, 0.5), (float("nan"), 0.5)]
    assert placed(loaded, points) == ["a", "b", None, None, None, None, None]


def test_where_polygons_meet_or_overlap_the_smallest_id_wins_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    features = [feature("c", square(0, 0, 2)), feature("a", square(1, 1, 2)), feature("b", square(3, 1, 2))]
    expected = ["a", "c", "a", "b", "c"]
    points = [(1.5, 1.5), (0.5, 0.5), (1.5, 3.0), (1.5, 3.5), (0.0, 0.0)]
    assert placed(load(tmp_path, features), points) == expected
    assert placed(load(tmp_path, features[::-1]), points) == expected


def test_several_polygons_with_one_id_are_one_place_and_a_finding_says_so(tmp_path: Path) -> None:
    loaded = load(tmp_path, [feature("a", square(0, 0)), feature("a", square(4, 0)), feature("b", square(2, 0))])
    assert loaded.ids.to_list() == ["a", "b"]
    assert placed(loaded, [(0.5, 0.5), (0.5, 4.5)]) == ["a", "a"]
    (finding,) = loaded.findings
    assert finding.message == "ids with several polygons, each id is one place: a (2)"
    assert (finding.figure, finding.rows) == (1.0, 2)


def test_an_outline_that_crosses_itself_is_repaired_with_a_finding(tmp_path: Path) -> None:
    bow = [[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]
    loaded = load(tmp_path, [feature("a", bow)])
    assert placed(loaded, [(0.5, 0.1), (0.9, 0.5)]) == ["a", None]
    assert [finding.message for finding in loaded.findings] == [
        "outlines that cross themselves, repaired: a",
    ]


def test_a_hole_belongs_to_nobody_and_a_multipolygon_is_one_place(tmp_path: Path) -> None:
    ring = [*square(0, 0, 3), *square(1, 1)]
    many = {"type": "MultiPolygon", "coordinates": [square(5, 5), square(8, 8)]}
    loaded = load(tmp_path, [feature("a", ring), {"properties": {"id": "b"}, "geometry": many}])
    assert placed(loaded, [(0.5, 0.5), (1.5, 1.5), (5.5, 5.5), (8.5, 8.5)]) == ["a", None, "b", "b"]
    assert loaded.findings == ()


def test_neighbours_touch_even_across_a_sliver(tmp_path: Path) -> None:
    sliver = 1.000001
    loaded = load(tmp_path, [feature("a", square(0, 0)), feature("b", square(sliver, 0)), feature("c", square(4, 4))])
    assert loaded.neighbours == {"a": ("b",), "b": ("a",), "c": ()}


def test_the_coarser_place_is_the_property_that_the_project_names(tmp_path: Path) -> None:
    spec = write(tmp_path, [feature("b", square(0, 0), borough="X"), feature("a", square(2, 0), borough="Y")])
    loaded = places.load(spec.model_copy(update={"coarser": "borough"}), tmp_path)
    assert loaded is not None
    assert loaded.coarser is not None
    assert loaded.coarser.to_list() == ["Y", "X"]


def test_places_left_out_are_gone_everywhere(tmp_path: Path) -> None:
    spec = write(tmp_path, [feature("a", square(0, 0)), feature("b", square(1, 0)), feature("c", square(5, 0))])
    loaded = places.load(spec, tmp_path)
    assert loaded is not None
    left = places.without(loaded, pl.Series(["b"]))
    assert left.ids.to_list() == ["a", "c"]
    assert left.neighbours == {"a": (), "c": ()}
    assert left.lat is not None
    assert left.shapes is not None
    assert (len(left.lat), len(left.shapes)) == (2, 2)


def test_without_a_place_everything_is_one(tmp_path: Path) -> None:
    one = places.load(None, tmp_path)
    assert one is not None
    assert (one.ids.to_list(), one.kind, len(places.of_rows(one.ids, PlaceSpec(column="x")))) == (["all"], "all", 1)
    assert places.assign(pl.DataFrame({"x": [1, 2]}), None, None, one).to_list() == ["all", "all"]
    assert places.restored(places.stored(one)).kind == "all"


def test_gzip_is_read_whatever_the_name(tmp_path: Path) -> None:
    write(tmp_path, [feature("a", square(0, 0))])
    packed = tmp_path / "packed.json"
    packed.write_bytes(gzip.compress((tmp_path / "map.geojson").read_bytes()))
    loaded = places.load(PlaceSpec(polygons="packed.json", id="id"), tmp_path)
    assert loaded is not None
    assert loaded.ids.to_list() == ["a"]


@pytest.mark.parametrize(
    ("features", "more", "said"),
    [
        ([feature("a", square(583000, 4507000))], {}, r"583000.*expected longitude and latitude in WGS 84"),
        ([feature("a", square(0, 0))], {"crs": {"properties": {"name": "EPSG:2263"}}}, r"EPSG:2263.*EPSG:4326"),
        (
            [{"properties": {"id": 1}, "geometry": {"type": "Point", "coordinates": [0, 0]}}],
            {},
            r"feature 1 \(1\).*Point",
        ),
        ([{"properties": {"id": 1}, "geometry": None}], {}, r"expected a Polygon or MultiPolygon, got None"),
        ([feature("a", [[[0.0, 0.0], [1.0, 1.0]]])], {}, r"feature 1 \(a\): the outline cannot be read"),
        ([feature("a", [])], {}, r"the outline is empty"),
        ([feature("a", square(0, 0)), feature(None, square(2, 0))], {}, r"feature 2 has no value in property 'id'"),
        ([], {}, r"at least one feature"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, features: list[dict[str, object]], more: dict[str, object], said: str
) -> None:
    spec = write(tmp_path, features, **more)
    with pytest.raises(DataError, match=said) as caught:
        places.load(spec, tmp_path)
    assert "\n" not in str(caught.value)


def test_wgs84_by_its_usual_names_is_accepted(tmp_path: Path) -> None:
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"):
        assert len(load(tmp_path, [feature("a", square(0, 0))], crs={"properties": {"name": name}})) == 1


def test_a_missing_property_names_the_nearest_and_a_missing_file_says_which(tmp_path: Path) -> None:
    write(tmp_path, [feature("a", square(0, 0), objectid=1)])
    with pytest.raises(DataError, match=r"no property 'object_id'; did you mean 'objectid'\?"):
        places.load(PlaceSpec(polygons="map.geojson", id="object_id"), tmp_path)
    with pytest.raises(DataError, match=r"say which property identifies a polygon.*id, objectid"):
        places.load(PlaceSpec(polygons="map.geojson"), tmp_path)
    with pytest.raises(DataError, match=r"none\.geojson: no such file"):
        places.load(PlaceSpec(polygons="none.geojson", id="id"), tmp_path)
    (tmp_path / "broken.geojson").write_text('{"features": [', encoding="utf-8")
    with pytest.raises(DataError, match="not readable as GeoJSON"):
        places.load(PlaceSpec(polygons="broken.geojson", id="id"), tmp_path)


def test_cells_come_from_points_with_their_ring_and_coarser_cell() -> None:
    spec = PlaceSpec(h3=8)
    rows = pl.DataFrame({"lat": [40.7, None, 40.6995], "lon": [-74.0, -74.0, -73.995]})
    cells = places.assign(rows, PointSpec(lat="lat", lon="lon"), spec, None)
    assert cells.to_list() == [CELL, None, CELL]
    known = places.of_rows(cells, spec)
    assert known.ids.to_list() == [CELL]
    assert known.coarser is not None
    assert known.coarser.to_list() == ["862a1072fffffff"]
    assert len(known.neighbours[CELL]) == 6
    assert CELL not in known.neighbours[CELL]
    assert known.lat is not None
    assert known.lat[0] == pytest.approx(40.699471, abs=1e-6)
    assert places.load(spec, Path()) is None


def test_the_coarser_resolution_is_two_steps_up_or_as_said() -> None:
    assert places.coarser_resolution(PlaceSpec(h3=8)) == 6
    assert places.coarser_resolution(PlaceSpec(h3=1)) == 0
    assert places.coarser_resolution(PlaceSpec(h3=8, coarser=5)) == 5
    with pytest.raises(DataError, match="from 0 to 8, got 9"):
        places.coarser_resolution(PlaceSpec(h3=8, coarser=9))
    with pytest.raises(DataError, match="needs `h3`"):
        places.coarser_resolution(PlaceSpec(column="zone"))


def test_a_cell_that_is_none_is_named() -> None:
    with pytest.raises(DataError, match="'nonsense' is no H3 cell"):
        places.of_rows(pl.Series([CELL, "nonsense"]), PlaceSpec(h3=8))


def test_a_column_names_the_place_as_it_is() -> None:
    spec = PlaceSpec(column="zone")
    rows = pl.DataFrame({"zone": [2.0, None, 10.0], "part": ["N", "S", "N"]})
    named = places.assign(rows, "zone", spec, None)
    assert named.to_list() == ["2", None, "10"]
    known = places.of_rows(named, spec, rows["part"])
    assert known.ids.to_list() == ["10", "2"]
    assert known.coarser is not None
    assert known.coarser.to_list() == ["N", "N"]
    assert known.neighbours == {}
    assert places.of_rows(named, spec).coarser is None


def test_a_column_of_polygon_ids_keeps_only_those_on_the_map(tmp_path: Path) -> None:
    loaded = load(tmp_path, [feature("a", square(0, 0))])
    rows = pl.DataFrame({"zone": ["a", "elsewhere", None]})
    assert places.assign(rows, "zone", PlaceSpec(polygons="map.geojson", id="id"), loaded).to_list() == [
        "a",
        None,
        None,
    ]


def test_a_source_without_place_is_nowhere_and_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = pl.DataFrame({"latitude": [1.0], "longitude": [1.0]})
    assert places.assign(rows, None, PlaceSpec(h3=8), None).to_list() == [None]
    with pytest.raises(DataError, match="no column 'latitud'; did you mean 'latitude'"):
        places.assign(rows, ("latitud", "longitude"), PlaceSpec(h3=8), None)
    with pytest.raises(DataError, match="need `h3` or `polygons`"):
        places.assign(rows, ("latitude", "longitude"), PlaceSpec(column="zone"), None)
    with pytest.raises(DataError, match="expected one of h3, polygons or column"):
        places.load(PlaceSpec(), tmp_path)


def test_coordinates_written_as_text_are_read() -> None:
    rows = pl.DataFrame({"lat": ["40.7", "", "x"], "lon": ["-74.0", "-74.0", "-74.0"]})
    assert places.assign(rows, ("lat", "lon"), PlaceSpec(h3=8), None).to_list() == [CELL, None, None]


def test_outlines_for_plots_are_plain_geojson(tmp_path: Path) -> None:
    spec = write(tmp_path, [feature("a", square(0, 0)), feature("b", square(2, 0))])
    outlines = places.geometry(spec, tmp_path)
    assert list(outlines) == ["a", "b"]
    assert outlines["a"]["type"] == "Polygon"
    assert len(outlines["a"]["coordinates"][0]) == 5
    cells = places.geometry(PlaceSpec(h3=8), tmp_path, pl.Series([CELL]))
    assert np.asarray(cells[CELL]["coordinates"]).shape == (1, 7, 2)
    assert cells[CELL]["coordinates"][0][0] == cells[CELL]["coordinates"][0][-1]
    assert places.geometry(PlaceSpec(column="zone"), tmp_path) == {}


def test_stored_places_answer_points_as_before(tmp_path: Path) -> None:
    loaded = load(tmp_path, [feature("a", square(0, 0), zone="A"), feature("b", square(1, 0), zone="B")])
    again = places.restored(places.stored(loaded))
    points = [(0.5, 0.5), (0.5, 1.0), (0.5, 1.5), (5.0, 5.0)]
    assert placed(again, points) == placed(loaded, points) == ["a", "a", "b", None]
    assert again.neighbours == loaded.neighbours
    assert again.kind == "polygons"
    assert places.stored(again).equals(places.stored(loaded))
    cells = places.of_rows(pl.Series([CELL]), PlaceSpec(h3=8))
    assert places.restored(places.stored(cells)).neighbours == cells.neighbours
    column = places.of_rows(pl.Series(["x"]), PlaceSpec(column="zone"))
    assert places.restored(places.stored(column)).ids.to_list() == ["x"]


def test_a_stored_table_that_lacks_something_is_refused() -> None:
    table = places.stored(places.of_rows(pl.Series(["x", "y"]), PlaceSpec(column="zone")))
    with pytest.raises(DataError, match="no column 'outline'"):
        places.restored(table.drop("outline"))
    with pytest.raises(DataError, match="not sorted and unique"):
        places.restored(table.reverse())


@pytest.mark.needs("shared data")
def test_taxi_zones_are_263_places_by_objectid_and_260_by_location_id(shared_data: Path) -> None:
    folder = shared_data / "nyc_collisions"
    by_object = places.load(PlaceSpec(polygons="NYCTaxiZones.geojson.gz", id="objectid", coarser="borough"), folder)
    by_location = places.load(PlaceSpec(polygons="NYCTaxiZones.geojson.gz", id="location_id"), folder)
    assert by_object is not None
    assert by_location is not None
    assert (len(by_object), len(by_location)) == (263, 260)
    assert by_object.findings == ()
    assert [finding.message for finding in by_location.findings] == [
        "ids with several polygons, each id is one place: 103 (3), 56 (2)",
    ]
    assert by_object.coarser is not None
    assert by_object.coarser.n_unique() == 6
    rows = pl.read_csv(
        folder / "nyc_collisions_2023-03_2024-04.csv.gz", columns=["latitude", "longitude"], infer_schema=False
    )
    inside = places.assign(rows, ("latitude", "longitude"), PlaceSpec(polygons="x", id="objectid"), by_object)
    # every point lies in the polygon that it was given: asked of the library one polygon at a time
    sample = rows.with_columns(inside).drop_nulls().sample(500, seed=1)
    shapely = pytest.importorskip("shapely")
    for lat, lon, place in sample.iter_rows():
        held = [
            by_object.ids[i] for i in range(263) if shapely.intersects_xy(by_object.shapes[i], float(lon), float(lat))
        ]
        assert min(held) == place


def test_an_installation_without_maps_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(tmp_path, [feature("a", square(0, 0))])
    monkeypatch.setitem(sys.modules, "shapely", None)
    monkeypatch.setitem(sys.modules, "polars_h3", None)
    with pytest.raises(UserError, match=r"polygons need shapely; install it with: pip install 'asof\[places\]'"):
        places.load(spec, tmp_path)
    with pytest.raises(UserError, match=r"H3 cells need polars-h3; install it with: pip install 'asof\[places\]'"):
        places.of_rows(pl.Series([CELL]), PlaceSpec(h3=8))


def test_only_cells_of_the_resolution_are_cells() -> None:
    ids = pl.Series(["8727a0049ffffff", "", "downtown", None, "881126d339fffff"])
    assert places.are_cells(ids, PlaceSpec(h3=7)).to_list() == [True, False, False, False, False]
    assert places.are_cells(ids, PlaceSpec(h3=8)).to_list() == [False, False, False, False, True]
