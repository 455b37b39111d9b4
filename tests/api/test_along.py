"""Lines on the map: the places along them, in order, and those above a cutoff."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import asof
from asof import verbs
from asof.api import Settings
from asof.flows.serving import Desk
from tests.api.conftest import standing
from tests.flows import world

AREAS = ["z0", "z1", "z2"]
SQUARES = {name: [at, 0.0, at + 1.0, 1.0] for at, name in enumerate(AREAS)}


def _square(west: float, south: float, east: float, north: float) -> dict[str, object]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _features(shapes: list[tuple[dict[str, object], dict[str, object]]]) -> str:
    rows = [{"type": "Feature", "properties": told, "geometry": shape} for shape, told in shapes]
    return json.dumps({"type": "FeatureCollection", "features": rows})


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Three squares side by side, a road that goes round by the north, and two known addresses."""
    project = world.PROJECT.replace("per: {place: zone, every: 1d}", "per: {place: areas.geojson#id, every: 1d}")
    project += "serve: {roads: roads.geojson, addresses: addresses.csv}\n"
    folder = world.make(
        tmp_path_factory.mktemp("along") / "world", project=project, rows=world.calls(days=120, places=3)
    )
    squares = [(_square(*edges), {"id": name, "name": f"Area {name}"}) for name, edges in SQUARES.items()]
    (folder / "areas.geojson").write_text(_features(squares))
    # From the first square straight to the third the road leaves all of them and comes back.
    round_by_north = {"type": "LineString", "coordinates": [[0.5, 0.5], [0.5, 1.5], [2.5, 1.5], [2.5, 0.5]]}
    away = {"type": "LineString", "coordinates": [[0.5, -3.0], [0.5, -3.5]]}
    (folder / "roads.geojson").write_text(_features([(round_by_north, {}), (away, {"oneway": True})]))
    (folder / "addresses.csv").write_text('address,lat,lon\n"1 West Street, Town",0.5,0.5\nEast End 2,0.5,2.5\n')
    asof.run(asof.open_project(str(folder)))
    workspace = asof.open_project(str(folder))
    desk = Desk(workspace)
    desk.open()
    with standing(desk, Settings(guides=verbs.guides(workspace), renew=0)) as client:
        yield client


def test_a_line_is_cut_by_places(roads: httpx.Client) -> None:
    """In the order of the way, with kilometres that are true on the globe, each with its own prediction."""
    line = {"type": "LineString", "coordinates": [[2.5, 0.5], [0.5, 0.5]]}
    told = roads.post("/v1/along", json={"line": line, "cutoff": 3.0}).json()
    assert [row["place"] for row in told["places"]] == ["z2", "z1", "z0"]
    assert [row["name"] for row in told["places"]] == ["Area z2", "Area z1", "Area z0"]
    degree = 111.19  # kilometres of a degree of longitude half a degree from the equator
    assert [row["km"] for row in told["places"]] == pytest.approx([degree / 2, degree, degree / 2], rel=1e-3)
    assert [row["at_km"] for row in told["places"]] == pytest.approx([0, degree / 2, 1.5 * degree], rel=1e-3)
    assert told["line"] == line
    assert told["how"] == "the line that was given"
    asked = [{"place": name, "start": told["start"]} for name in ("z2", "z1", "z0")]
    single = roads.post("/v1/predict", json=asked).json()["predictions"]
    assert [row["prediction"] for row in told["places"]] == [row["prediction"] for row in single]
    assert told["above"] == [row["place"] for row in single if row["prediction"] >= 3.0]
    assert told["above"] == ["z2", "z1"]


def test_points_and_addresses_go_by_road(roads: httpx.Client) -> None:
    """The road goes round: the square in the middle is not crossed."""
    by_points = roads.post("/v1/along", json={"points": [[0.5, 0.5], [2.5, 0.5]]}).json()
    assert [row["place"] for row in by_points["places"]] == ["z0", "z2"]
    assert by_points["how"] == "the shortest way on the road graph"
    assert [0.5, 1.5] in by_points["line"]["coordinates"]
    by_name = roads.post("/v1/along", json={"addresses": ["1 west street; TOWN", "East End 2"]}).json()
    assert by_name == by_points


def test_without_roads_the_line_is_straight(crashes: Path, roads: httpx.Client) -> None:
    """And it is said; places that are a column have no outline."""
    workspace = asof.open_project(str(crashes))
    desk = Desk(workspace)
    desk.open()
    with standing(desk, Settings(renew=0)) as client:
        told = client.post("/v1/along", json={"points": [[0.5, 0.5], [2.5, 0.5]]})
        assert told.status_code == 422
        assert "have no outline" in told.json()["error"]["reason"]
        told = client.post("/v1/along", json={"addresses": ["a", "b"]})
        assert "serve.addresses" in told.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"addresses": ["1 West Street, Town", "nowhere"]}, "the second address is not found"),
        ({"points": [[0.5, 0.5], [40.0, 40.0]]}, "from the nearest road"),
        ({"points": [[0.5, 0.5], [0.5, -3.0]]}, "no road joins the two points"),
        ({"line": {"type": "LineString", "coordinates": [[10, 10], [10, 11]]}}, "crosses no place"),
        (
            {"line": {"type": "LineString", "coordinates": [[0.5, 5.5], [0.5, 2.5]]}},
            "points are [longitude, latitude], and its places lie between longitude 0 and 3, latitude 0 and 1",
        ),
        ({"line": {"type": "LineString", "coordinates": [[10, 10]]}}, "LineString of 2 to"),
        ({"line": {"type": "LineString", "coordinates": [[-70, 0], [70, 0]]}}, "km long"),
        ({"line": {"type": "LineString", "coordinates": [[-170, 0], [170, 0]]}}, "180th meridian"),
        ({"line": {"type": "Point", "coordinates": [10, 10]}}, "LineString of 2 to"),
        ({"points": [[0.5, 95], [2.5, 0.5]]}, "outside of the world"),
        ({"points": [[0.5, "x"], [2.5, 0.5]]}, "each point as"),
        ({"points": [[0.5, 0.5]]}, "expected two of them"),
        ({"points": [[0.5, 0.5], [2.5, 0.5]], "cutoff": "high"}, "cutoff: expected a number"),
        ({"points": [[0.5, 0.5], [2.5, 0.5]], "time": "2031-01-01"}, "beyond what can be answered"),
        ({"points": [[0.5, 0.5], [2.5, 0.5]], "time": "soon"}, "no day or moment"),
        ({"points": [[0.5, 0.5], [2.5, 0.5]], "time": "9999-12-31T23:59-12:00"}, "no day or moment"),
        ({"points": [[0.5, 0.5], [2.5, 0.5]], "time": "8999-12-31T23:59"}, "beyond what can be answered"),
        ({"points": [[0.5, 0.5], [2.5, 0.5]], "where": 1}, "there is no 'where'"),
        ({"points": [], "addresses": []}, "exactly one of"),
        ({}, "exactly one of"),
        ([], "expected an object"),
    ],
)
def test_what_is_no_line(roads: httpx.Client, asked: object, said: str) -> None:
    told = roads.post("/v1/along", json=asked)
    assert told.status_code == 422
    assert said in told.json()["error"]["reason"]


def test_a_given_time(roads: httpx.Client) -> None:
    asked = {"points": [[0.5, 0.5], [2.5, 0.5]], "time": "2021-04-10T15:00"}
    told = roads.post("/v1/along", json=asked).json()
    assert told["start"] == "2021-04-10T04:00:00Z"
    assert told["end"] == "2021-04-11T04:00:00Z"
    assert told["as_of"] == "2021-04-09T04:00:00Z"


def test_a_time_that_the_clocks_skip(roads: httpx.Client) -> None:
    """Half past two of the night in which summer time begins lies in that day, however it is read."""
    asked = {"points": [[0.5, 0.5], [2.5, 0.5]], "time": "2021-03-14T02:30"}
    told = roads.post("/v1/along", json=asked)
    assert told.status_code == 200
    assert (told.json()["start"], told.json()["end"]) == ("2021-03-14T05:00:00Z", "2021-03-15T04:00:00Z")
