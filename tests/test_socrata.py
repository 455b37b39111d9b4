"""A data set comes whole through every fault that the service has been seen to have."""

import gzip
import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import polars as pl
import pytest

from asof.adapters.socrata import Patience, SocrataReader
from asof.errors import DataError, OutsideError, UserError
from asof.ports import Batch
from asof.specs import SocrataSpec, TimeSpec
from asof.testing import readers
from asof.testing.socrata import FAULTS, Faults, SocrataServer, floating

QUICK = Patience(attempts=5, timeout=0.6, first=0.001, longest=0.01)
TIME = TimeSpec(columns=("crash_date", "crash_time"), zone="America/New_York")


def synthetic(per_day: int = 7, days: int = 5) -> pl.DataFrame:
    """Rows of ``days`` days from 2023-03-01; every third has no borough, every fifth a nested location."""
    rows = [
        {
            "crash_date": f"2023-03-{day:02d}T00:00:00.000",
            "crash_time": f"{number % 24}:05",
            "borough": None if number % 3 == 0 else "QUEENS",
            "latitude": "40.7200" if number % 2 else None,
            "collision_id": str(day * 100_000 + number),
        }
        for day in range(1, days + 1)
        for number in range(per_day)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


def reader(server: SocrataServer, **options: object) -> SocrataReader:
    """Return a reader of what ``server`` has from 2023-03-01 on, on the morning of 2023-03-06."""
    settings = {"domain": server.domain, "dataset": server.dataset, "scheme": "http"}
    settings |= {"since": date(2023, 3, 1), "recheck": "0d", "page": 3, "segment": "1d"} | {
        name: options.pop(name) for name in list(options) if name in SocrataSpec.model_fields
    }
    spec = SocrataSpec(**settings)
    known = {"time": TIME, "key": ("collision_id",), "environ": {}, "patience": QUICK}
    known["clock"] = lambda: datetime(2023, 3, 6, 12, tzinfo=UTC)
    return SocrataReader(spec, **(known | options))


def read(asked: SocrataReader, watermark: str | None = None) -> pl.DataFrame:
    return pl.concat([batch.rows for batch in asked.batches(watermark)], how="diagonal")


def keep(asked: SocrataReader, kept: list[Batch]) -> None:
    """Keep each batch as it comes, as an ingest does."""
    for batch in asked.batches(None):
        kept.append(batch)  # noqa: PERF402 - extend would keep none of them when a later one fails


@pytest.fixture
def server() -> Iterator[SocrataServer]:
    with SocrataServer(synthetic()) as opened:
        yield opened


def test_it_passes_the_exam_of_readers(server: SocrataServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asof.adapters.socrata.STRETCHES", 2)
    with SocrataServer(synthetic().sample(fraction=1.0, shuffle=True, seed=3)) as shuffled:
        readers.check(
            lambda: reader(server),
            synthetic(),
            [lambda: reader(shuffled), lambda: reader(server, page=50_000), lambda: reader(server, segment="1w")],
        )


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_costs_time_and_no_row(fault: str) -> None:
    script = [None, fault, None, fault, fault]
    with SocrataServer(synthetic(), faults=Faults(script=list(script), seconds=1.2)) as server:
        got = read(reader(server))
        asked = len(server.requests)
    assert got.drop("_file", "_line").select(synthetic().columns).sort("collision_id").equals(synthetic())
    assert asked >= 15, "five days of three pages"


def test_a_bad_day_of_all_faults_at_once_loses_nothing_and_doubles_nothing() -> None:
    kinds = tuple(fault for fault in FAULTS if fault != "timeout")
    rows = synthetic(per_day=40)
    for seed in range(3):
        with SocrataServer(rows, faults=Faults(share=0.3, kinds=kinds, seed=seed)) as server:
            got = read(reader(server, page=9, patience=Patience(attempts=12, timeout=2, first=0.001, longest=0.01)))
        assert sorted(got["collision_id"]) == sorted(rows["collision_id"])


def test_a_page_of_exactly_the_limit_is_asked_beyond() -> None:
    with SocrataServer(synthetic(per_day=6, days=1)) as server:
        assert read(reader(server, until=date(2023, 3, 2))).height == 6
        assert [question["$offset"] for question in server.requests] == ["0", "3", "6"]


def test_a_service_that_caps_pages_at_a_round_number_is_asked_beyond() -> None:
    with SocrataServer(synthetic(per_day=2300, days=1), maximum=1000) as server:
        got = read(reader(server, page=50_000, until=date(2023, 3, 2)))
    assert got["collision_id"].n_unique() == 2300


def test_the_question_is_half_open_in_local_time_and_in_a_stable_order(server: SocrataServer) -> None:
    read(reader(server))
    first = server.requests[0]
    assert first["$where"] == "crash_date >= '2023-03-01T00:00:00.000' AND crash_date < '2023-03-02T00:00:00.000'"
    assert first["$order"] == "crash_date, :id"
    assert first["$limit"] == "3"


def test_where_a_row_came_from(server: SocrataServer) -> None:
    got = read(reader(server, page=5)).filter(pl.col("crash_date") == "2023-03-01T00:00:00.000")
    assert got["_line"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert got["_file"].unique().to_list() == [f"{server.domain}/abcd-1234 2023-03-01"]


def test_attempts_that_fail_are_not_told_where_nobody_keeps_a_log() -> None:
    asked = (
        "import sys; from asof.adapters.socrata import *; t = TimeSpec(columns=('crash_date',)); "
        "s = SocrataSpec(domain=sys.argv[1], dataset='abcd-1234', scheme='http', since='2023-03-01', until='2023-03-02'"
        "); print(sum(b.rows.height for b in SocrataReader(s, t, patience=Patience(first=0.001)).batches(None)))"
    )
    with SocrataServer(synthetic(), faults=Faults(script=["500", "truncated"])) as server:
        done = subprocess.run([sys.executable, "-c", asked, server.domain], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"7\n", b"")


def test_values_are_text_as_sent() -> None:
    import json

    from asof.adapters import jsontext

    sent = '[{"a": 1.50, "b": {"x": 1.0, "y": [1e3, "é", null, true]}, "c": "07", "d": null, "e": false}]'
    assert jsontext.frame(jsontext.parse(sent)).rows() == [
        ("1.50", '{"x": 1.0, "y": [1e3, "é", null, true]}', "07", None, "false")
    ]
    assert json.loads(jsontext.as_text(jsontext.parse(sent)[0])) == json.loads(sent)[0]


def test_a_column_that_appears_between_pages_is_null_before() -> None:
    rows = synthetic(per_day=6, days=2).with_columns(
        extra=pl.when(pl.col("crash_date") > "2023-03-02").then(pl.lit("new"))
    )
    with SocrataServer(rows) as server:
        got = read(reader(server))
    assert got.group_by("crash_date").agg(pl.col("extra").drop_nulls().len()).sort("crash_date")["extra"].to_list() == [
        0,
        6,
    ]


def test_only_the_columns_asked_for_with_time_and_key(server: SocrataServer) -> None:
    got = read(reader(server, columns=("latitude",)))
    assert set(got.columns) == {"crash_date", "crash_time", "collision_id", "latitude", "_file", "_line"}


def test_the_watermark_is_the_first_day_not_read_and_moves_without_rows() -> None:
    with SocrataServer(synthetic(days=2)) as server:
        batches = list(reader(server).batches(None))
        assert [batch.watermark for batch in batches] == ["2023-03-06"]
        assert list(reader(server).batches("2023-03-06")) == []
        assert [batch.rows.height for batch in reader(server).batches("2023-03-04")] == [0]


def test_a_column_that_is_no_time_never_moves_the_watermark() -> None:
    rows = synthetic().with_columns(crash_date=pl.lit("03/01/2023"))
    with SocrataServer(rows) as server, pytest.raises(DataError, match="no row from 2023-03-01 to 2023-03-06") as told:
        read(reader(server))
    assert "'crash_date' is a floating timestamp" in str(told.value)


def test_recheck_reads_later_corrections_and_never_moves_the_watermark_back(
    server: SocrataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asof.adapters.socrata.STRETCHES", 1)
    server.rows = server.rows.with_columns(borough=pl.lit("CORRECTED"))
    batches = list(reader(server, recheck="3d").batches("2023-03-05"))
    assert [batch.watermark for batch in batches] == ["2023-03-05", "2023-03-05", "2023-03-05", "2023-03-06"]
    assert set(pl.concat([batch.rows for batch in batches], how="diagonal")["borough"]) == {"CORRECTED"}
    assert server.requests[0]["$where"].startswith("crash_date >= '2023-03-02")


def test_a_recheck_never_reaches_before_the_first_day(server: SocrataServer) -> None:
    read(reader(server, recheck="1mo"), "2023-03-03")
    assert server.requests[0]["$where"].startswith("crash_date >= '2023-03-01")


def test_a_crash_goes_on_from_the_last_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asof.adapters.socrata.STRETCHES", 1)
    with SocrataServer(synthetic(), faults=Faults(script=[None] * 4 + ["closed"] * 99)) as server:
        kept: list[Batch] = []
        with pytest.raises(OutsideError, match="run again to go on from there"):
            keep(reader(server), kept)
        assert [batch.watermark for batch in kept] == ["2023-03-02"]
        server.faults.script.clear()
        rest = read(reader(server), kept[-1].watermark)
    both = pl.concat([*(batch.rows for batch in kept), rest], how="diagonal")
    assert sorted(both["collision_id"]) == sorted(synthetic()["collision_id"])


def test_today_is_not_asked_for_since_it_is_not_over() -> None:
    early = datetime(2023, 3, 6, 3, tzinfo=UTC)  # still the evening of 2023-03-05 in New York
    with SocrataServer(synthetic()) as server:
        got = read(reader(server, clock=lambda: early))
    assert got["crash_date"].max() == "2023-03-04T00:00:00.000"


@pytest.mark.parametrize("watermark", ["2023-03-09", "2999-01-01"])
def test_a_watermark_in_the_future_is_refused(server: SocrataServer, watermark: str) -> None:
    with pytest.raises(
        DataError, match=rf"watermark {watermark} of abcd-1234 lies in the future \(today is 2023-03-06\)"
    ):
        read(reader(server), watermark)


def test_a_watermark_of_another_kind_of_source_is_refused(server: SocrataServer) -> None:
    with pytest.raises(DataError, match="is no day"):
        read(reader(server), '{"files": {}}')


class TestRefusals:
    def test_an_unknown_column_is_told_in_the_words_of_the_service(self, server: SocrataServer) -> None:
        with pytest.raises(UserError, match=r"HTTP 400: .*No such column: colision_id") as told:
            read(reader(server, columns=("colision_id",)))
        assert told.value.exit_code == 2
        assert len(server.requests) == 1, "asking again would not help"

    def test_an_unknown_data_set(self, server: SocrataServer) -> None:
        with pytest.raises(UserError, match="HTTP 404: Not found; check domain: and dataset:"):
            read(reader(server, dataset="nope-0000"))

    def test_no_answer_after_all_attempts(self) -> None:
        with SocrataServer(synthetic(), faults=Faults(script=["503"] * 5)) as server:
            with pytest.raises(
                OutsideError, match=r"no usable answer in 5 attempts \(HTTP 503: Internal error"
            ) as told:
                read(reader(server))
            assert told.value.exit_code == 3
            assert len(server.requests) == 5

    def test_nobody_there(self) -> None:
        with SocrataServer(synthetic()) as server:
            gone = reader(server)
        with pytest.raises(OutsideError, match="ConnectError"):
            read(gone)

    def test_pages_that_never_fit_together(self) -> None:
        faults = Faults(share=1.0, kinds=("repeated",), run=10_000)
        with (
            SocrataServer(synthetic(), faults=faults) as server,
            pytest.raises(OutsideError, match="overlap, 5 times over"),
        ):
            read(reader(server))

    def test_a_service_that_asks_to_wait_an_hour(self) -> None:
        faults = Faults(script=["429"], retry_after="3600")
        with (
            SocrataServer(synthetic(), faults=faults) as server,
            pytest.raises(OutsideError, match="asks to wait 3,600 s"),
        ):
            read(reader(server))

    @pytest.mark.parametrize(
        ("status", "headers", "branch", "told"),
        [
            (301, {"Location": "https://elsewhere.example/"}, UserError, "has moved to https://elsewhere.example/"),
            (503, {"Retry-After": "Wed, 08 Mar 2023 12:00:00 GMT"}, OutsideError, "asks to wait 172,800 s"),
            (503, {"Retry-After": "soon"}, OutsideError, "HTTP 503: <p>no</p>"),
            (418, {}, UserError, "HTTP 418: <p>no</p>; check the columns"),
            (200, {}, OutsideError, "cut off or no JSON"),
        ],
    )
    def test_answers_that_are_no_page(
        self, status: int, headers: dict[str, str], branch: type[Exception], told: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answer(_: httpx.Client, request: httpx.Request, **_options: object) -> httpx.Response:
            return httpx.Response(status, headers=headers, text="<p>no</p>", request=request)

        monkeypatch.setattr(httpx.Client, "send", answer)
        with SocrataServer(synthetic()) as server, pytest.raises(branch, match=told):
            read(reader(server))

    def test_an_answer_that_is_no_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(SocrataServer, "page", lambda *_: {"error": False})
        with SocrataServer(synthetic()) as server, pytest.raises(OutsideError, match="the answer is no list of rows"):
            read(reader(server))

    def test_no_address(self, server: SocrataServer) -> None:
        with pytest.raises(UserError, match=r"is no address .*check domain: and dataset:"):
            read(reader(server, domain="data.example:port"))

    @pytest.mark.parametrize("package", ["httpx", "stamina"])
    def test_without_the_packages_the_extra_is_named(self, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        with SocrataServer(synthetic()) as server, pytest.raises(UserError, match=r"pip install 'asof\[socrata\]'"):
            read(reader(server))

    @pytest.mark.parametrize("setting", [{"segment": "6h"}, {"recheck": "12h"}, {"segment": "0d"}])
    def test_stretches_are_whole_local_days(self, server: SocrataServer, setting: dict[str, str]) -> None:
        with pytest.raises(UserError, match="write 1d, 1w or 1mo"):
            read(reader(server, **setting))


class TestToken:
    SECRET = "s3cr3t-app-token"

    def test_it_is_read_from_the_environment_and_sent_as_a_header_only(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with SocrataServer(synthetic(), tokens=(self.SECRET,), faults=Faults(script=["500"])) as server:
            asked = reader(server, environ={"SOCRATA_APP_TOKEN": self.SECRET})
            got = read(asked)
            assert {question["token"] for question in server.requests} == {self.SECRET}
        assert self.SECRET not in caplog.text
        assert self.SECRET not in repr(asked)
        assert self.SECRET not in "".join(got["_file"].unique())

    def test_an_empty_variable_means_none(self, server: SocrataServer) -> None:
        read(reader(server, environ={"SOCRATA_APP_TOKEN": ""}))
        assert {question["token"] for question in server.requests} == {""}

    def test_a_wrong_one_is_refused_without_being_shown(self) -> None:
        with SocrataServer(synthetic(), tokens=("right",)) as server:
            asked = reader(server, environ={"MY_TOKEN": self.SECRET}, token="${MY_TOKEN}")
            with pytest.raises(
                UserError, match=r"Invalid app_token specified; check the token \(\$\{MY_TOKEN\}\)"
            ) as told:
                read(asked)
        assert self.SECRET not in str(told.value)


@pytest.mark.parametrize(("segment", "asked"), [("1d", 5), ("2d", 3), ("1w", 1), ("1mo", 1)])
def test_stretches_of_any_number_of_days_end_before_today(segment: str, asked: int) -> None:
    with SocrataServer(synthetic()) as server:
        got = read(reader(server, segment=segment, page=100))
        assert len(server.requests) == asked
        assert "crash_date < '2023-03-06T00:00:00.000'" in server.requests[-1]["$where"]
    assert got.height == 35


def test_retry_after_is_honoured() -> None:
    import time

    with SocrataServer(synthetic(days=1), faults=Faults(script=["429"], retry_after="1")) as server:
        begun = time.perf_counter()
        read(reader(server, until=date(2023, 3, 2)))
        assert time.perf_counter() - begun > 0.95


def test_the_server_without_an_order_answers_in_none() -> None:
    import json
    from urllib.request import urlopen

    with SocrataServer(synthetic(per_day=1500, days=1)) as server:
        address = f"http://{server.domain}/resource/{server.dataset}.json"
        pages = [json.loads(urlopen(address).read()) for _ in range(2)]
    assert [len(page) for page in pages] == [1000, 1000]
    assert pages[0] != pages[1]
    assert all("borough" in row or row["collision_id"] for row in pages[0])


@pytest.mark.needs("shared data")
def test_real_collisions_come_back_as_they_are(shared_data: Path) -> None:
    packed = shared_data / "nyc_collisions" / "nyc_collisions_2023-03_2024-04.csv.gz"
    with gzip.open(packed) as file:
        text = b"".join(file.readline() for _ in range(3001))
    rows = pl.read_csv(io.BytesIO(text), infer_schema=False).with_columns(pl.col("collision_id"))
    rows = rows.with_columns(floating(rows["crash_date"], "%Y/%m/%d").alias("crash_date"))
    kinds = ("429", "500", "503", "truncated", "cut", "closed", "repeated", "reordered")
    first, last = (date.fromisoformat(str(day)[:10]) for day in (rows["crash_date"].min(), rows["crash_date"].max()))
    patience = Patience(attempts=12, timeout=5, first=0.001, longest=0.01)
    with SocrataServer(rows, faults=Faults(share=0.15, kinds=kinds, seed=5)) as server:
        got = read(
            reader(
                server,
                since=first,
                until=date.fromordinal(last.toordinal() + 1),
                page=100,
                segment="1w",
                clock=lambda: datetime(2024, 6, 1, tzinfo=UTC),
                patience=patience,
            )
        )
    assert got.select(rows.columns).sort("collision_id").equals(rows.sort("collision_id"))
