"""A JSON API comes whole, however it pages and whatever goes wrong; its credentials go nowhere else."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from asof.adapters import json_pages, jsonapi
from asof.adapters.calls import Patience
from asof.adapters.jsonapi import ApiReader
from asof.errors import DataError, OutsideError, UserError
from asof.ports import Batch
from asof.specs import ApiSpec
from asof.testing import readers
from asof.testing.jsonapi import KINDS, ApiServer
from asof.testing.servers import Faults

QUICK = Patience(attempts=6, timeout=0.5, first=0.001, longest=0.01)
WAYS = ("page", "offset", "cursor", "link", "next")
PATHS = {"cursor": {"param": "after", "path": "meta.next"}, "next": {"path": "meta.next"}}
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def orders(count: int = 23) -> pl.DataFrame:
    """Rows in the order of their moments, five of each."""
    rows = [(f"k{i:03d}", f"2024-03-01T{i // 5:02d}:00:00Z", str(i), None if i % 3 else "x") for i in range(count)]
    return pl.DataFrame(rows, schema=dict.fromkeys(("id", "at", "amount", "note"), pl.String), orient="row")


def reader(server: ApiServer, **options: Any) -> ApiReader:
    told: dict[str, Any] = {
        "url": server.url,
        "rows": "data.items",
        "params": {"limit": "4"},
        "headers": {"Authorization": "Bearer ${TOKEN}"},
        "paging": {"by": server.by, **PATHS.get(server.by, {})},
        "watermark": {"column": "at", "param": "since", "recheck": "0s"},
    }
    known = {"key": ("id",), "environ": {"TOKEN": server.token}, "patience": QUICK, "clock": lambda: NOW}
    known |= {name: options.pop(name) for name in list(options) if name in ApiReader.__dataclass_fields__}
    return ApiReader(ApiSpec(**(told | options)), **known)


def ids(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.rows["id"]]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(orders()) as opened:
        yield opened


@pytest.mark.parametrize("by", WAYS)
def test_every_way_of_paging_goes_on_where_it_stopped(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonapi, "PAGES", 2)
    with ApiServer(orders(), by=by) as server:
        whole = list(reader(server).batches(None))
        readers.check_shape(whole[0])
        assert ids(whole) == orders()["id"].to_list()
        for batch in whole[:-1]:  # stopped here, and gone on from the next page
            rest = ids(list(reader(server).batches(batch.watermark)))
            assert rest == orders()["id"].to_list()[len(orders()) - len(rest) :]
            assert len(rest) < 23


@pytest.mark.parametrize("fault", KINDS)
def test_each_fault_costs_time_and_no_row(fault: str) -> None:
    faults = Faults(script=[None, fault, None, fault, fault], seconds=0.8)
    with ApiServer(orders(), faults=faults) as server:
        assert ids(list(reader(server).batches(None))) == orders()["id"].to_list()


@pytest.mark.parametrize("by", ["page", "cursor"])
def test_a_bad_day_of_all_faults_at_once(by: str) -> None:
    kinds = (*(kind for kind in KINDS if kind != "timeout"), "reordered")
    patient = Patience(attempts=12, timeout=2, first=0.001, longest=0.01)
    for seed in range(3):
        with ApiServer(orders(60), by=by, faults=Faults(share=0.2, kinds=kinds, seed=seed)) as server:
            asked = reader(server, params={"limit": "25"}, patience=patient)
            assert sorted(ids(list(asked.batches(None)))) == orders(60)["id"].to_list(), seed


def test_rows_that_move_while_they_are_read_are_found(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonapi, "PAGES", 1)
    stream = reader(server).batches(None)
    kept = [next(stream), next(stream)]
    new = orders(1).with_columns(id=pl.lit("new"))
    server.rows = pl.concat([new, server.rows])  # everything moves on by one, so a row comes twice
    kept += stream
    assert sorted(ids(kept)) == sorted([*orders()["id"], "new"])


def test_of_two_versions_told_in_one_read_the_later_has_the_larger_line(server: ApiServer) -> None:
    """By which validation knows the newest: the first page is read anew, since a later one overlapped."""

    def move(number: int) -> None:
        if number == 3:
            revised = server.rows.with_columns(
                amount=pl.when(pl.col("id") == "k001").then(pl.lit("revised")).otherwise("amount")
            )
            server.rows = pl.concat([orders(1).with_columns(id=pl.lit("new")), revised])

    server.between = move
    came = pl.concat([batch.rows for batch in reader(server).batches(None)], how="diagonal")
    assert came["_line"].is_duplicated().sum() == 0
    assert came.filter(pl.col("id") == "k001").sort("_line")["amount"].to_list() == ["1", "revised"]


def test_pages_that_never_fit_together() -> None:
    faults = Faults(share=1.0, kinds=("reordered",), run=10_000)
    with ApiServer(orders(), faults=faults) as server, pytest.raises(OutsideError, match="pages overlap, 5 times over"):
        list(reader(server).batches(None))


def test_only_what_is_new_is_asked_for(server: ApiServer) -> None:
    [*_, last] = reader(server).batches(None)
    assert last.watermark == '{"most": "2024-03-01T04:00:00Z"}'
    server.rows = orders(27)
    assert ids(list(reader(server).batches(last.watermark))) == [f"k{i:03d}" for i in range(20, 27)]
    assert server.requests[-1]["since"] == "2024-03-01T04:00:00Z"
    again = {"column": "at", "param": "since", "recheck": "2h"}
    list(reader(server, watermark=again).batches(last.watermark))
    assert server.requests[-1]["since"] == "2024-03-01T02:00:00Z"


def test_the_first_time_may_begin_somewhere(server: ApiServer) -> None:
    mark = {"column": "at", "param": "since", "since": "2024-03-01T03:00:00Z"}
    assert ids(list(reader(server, watermark=mark).batches(None))) == [f"k{i:03d}" for i in range(15, 23)]


def test_a_watermark_in_the_future_is_capped_and_told() -> None:
    odd = pl.DataFrame([("odd", "2999-01-01T00:00:00Z", "1", None)], schema=orders().schema, orient="row")
    with ApiServer(pl.concat([orders(), odd])) as server:
        batches = list(reader(server).batches(None))
        assert batches[-1].watermark == '{"most": "2024-03-01T04:00:00Z"}'
        assert [finding.message.split(";")[0] for finding in batches[-1].findings] == ["1 row lies in the future"]
        ahead = list(reader(server).batches('{"most": "2999-01-01T00:00:00Z"}'))
        assert ["has a clock gone back" in finding.message for finding in ahead[-1].findings] == [True, False]


def test_a_read_whose_place_is_gone_begins_again(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonapi, "PAGES", 1)
    stream = reader(server).batches(None)
    kept = [next(stream), next(stream)]
    stream.close()
    server.rows = server.rows.tail(-3)  # what was read has moved
    assert set(ids(list(reader(server).batches(kept[-1].watermark)))) == set(orders()["id"][3:])


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"rows": "data.rows"}, "the answer holds no list at rows: data.rows; it has data, meta"),
            ({"rows": ""}, "the answer holds no list itself; name its path in rows:; it has data, meta"),
            ({"url": "ftp://x/y"}, "is no address of http or https"),
            ({"paging": {"by": "page", "most": 3}}, "more than 3 pages; is the paging right"),
        ],
    )
    def test_what_is_declared_wrongly(self, server: ApiServer, options: dict[str, Any], told: str) -> None:
        with pytest.raises(UserError, match=told) as caught:
            list(reader(server, **options).batches(None))
        assert caught.value.exit_code == 2

    def test_an_unknown_path(self, server: ApiServer) -> None:
        with pytest.raises(UserError, match="HTTP 404: Not found; check url:"):
            list(reader(server, url=server.url + "/x").batches(None))

    def test_a_parameter_that_the_service_does_not_know(self, server: ApiServer) -> None:
        asked = reader(server, paging={"by": "page", "param": "p"})
        with pytest.raises(OutsideError, match="does the service know the parameter 'p'"):
            list(asked.batches(None))

    def test_an_answer_without_end(self, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_pages, "BYTES", 100)
        with pytest.raises(UserError, match="an answer is larger than"):
            list(reader(server).batches(None))

    def test_a_service_that_asks_to_wait_an_hour(self) -> None:
        faults = Faults(script=["429"], retry_after="3600")
        with ApiServer(orders(), faults=faults) as server, pytest.raises(OutsideError, match="asks to wait 3,600 s"):
            list(reader(server).batches(None))

    def test_nobody_there(self) -> None:
        with ApiServer(orders()) as server:
            gone = reader(server)
        with pytest.raises(OutsideError, match=r"no usable answer in 6 attempts .*ConnectError"):
            list(gone.batches(None))

    def test_a_watermark_of_another_kind_of_source(self, server: ApiServer) -> None:
        with pytest.raises(DataError, match="is none of an API"):
            list(reader(server).batches("2024-03-01"))


class TestCredentials:
    @pytest.mark.parametrize(
        ("refusal", "headers", "environ", "told"),
        [
            ((401, "no"), {"Authorization": "Bearer ${TOKEN}"}, {}, "credentials are missing: the variable TOKEN"),
            ((401, "no"), {}, {}, "credentials are missing; name them"),
            ((403, "no"), {"Authorization": "Bearer ${TOKEN}"}, {"TOKEN": "hush"}, "wrong .*check TOKEN"),
            ((401, "expired"), {"Authorization": "Bearer ${TOKEN}"}, {"TOKEN": "hush"}, "have expired; renew TOKEN"),
        ],
    )
    def test_missing_wrong_and_expired(
        self, refusal: tuple[int, str], headers: dict[str, str], environ: dict[str, str], told: str
    ) -> None:
        with ApiServer(orders(), refusal=refusal) as server, pytest.raises(OutsideError, match=told) as caught:
            list(reader(server, headers=headers, environ=environ).batches(None))
        assert caught.value.exit_code == 3
        assert "hush" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_they_do_not_go_to_another_host(self, server: ApiServer) -> None:
        with ApiServer(orders()) as other:
            server.redirect = other.url
            with pytest.raises(UserError, match=r"a redirect leads to .*, and the credentials must not"):
                list(reader(server).batches(None))
            assert other.requests == []

    def test_without_any_a_redirect_is_followed(self, server: ApiServer) -> None:
        with ApiServer(orders(), token="") as other:
            server.redirect = f"{other.url}?limit=4"
            assert len(ids(list(reader(server, headers={}, paging=None).batches(None)))) == 4

    def test_the_next_page_of_another_host_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ApiServer(orders(), by="next") as server:
            real = server.answer

            def elsewhere(*given: Any) -> Any:
                body, headers = real(*given)
                return {**body, "meta": {"next": "https://elsewhere.example/steal"}}, headers

            monkeypatch.setattr(server, "answer", elsewhere)
            with pytest.raises(UserError, match=r"the next page leads to https://elsewhere\.example"):
                list(reader(server).batches(None))

    @pytest.mark.parametrize("by", ["link", "next"])
    def test_one_in_an_address_is_neither_kept_nor_logged(
        self, by: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(jsonapi, "PAGES", 1)
        caplog.set_level(logging.WARNING)
        params = {"limit": "4", "api_key": "${KEY}"}
        environ = {"KEY": "s/ecret"}
        with ApiServer(orders(), by=by, token="") as server:
            batches = list(reader(server, headers={}, params=params, environ=environ).batches(None))
            assert all("ecret" not in str(batch.watermark) for batch in batches)
            assert "${KEY}" in str(batches[0].watermark)
            rest = reader(server, headers={}, params=params, environ=environ).batches(batches[1].watermark)
            assert ids(list(rest)) == [f"k{i:03d}" for i in range(8, 23)]
            assert {question["api_key"] for question in server.requests} == {"s/ecret"}
        assert "ecret" not in caplog.text
        assert all("ecret" not in str(batch.rows["_file"][0]) for batch in batches if batch.rows.height)


def test_a_column_within_an_object_is_named_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    with ApiServer(orders(4)) as server:
        real = server.answer

        def nested(*given: Any) -> Any:
            body, headers = real(*given)
            items = [{"order": {"id": row["id"], "amount": 1.50}, "at": row["at"]} for row in body["data"]["items"]]
            return {"data": {"items": items}}, headers

        monkeypatch.setattr(server, "answer", nested)
        asked = reader(server, key=("order.id",), columns=("order.amount",))
        rows = pl.concat([batch.rows for batch in asked.batches(None)])
    assert rows.columns == ["order.id", "order.amount", "_file", "_line"]
    assert rows["order.id"].to_list() == ["k000", "k001", "k002", "k003"]
    assert rows["order.amount"].unique().to_list() == ["1.5"]
