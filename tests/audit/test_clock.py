"""Another time of day: plug-ins are told it, and nobody else."""

import datetime as dt
import time
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from asof import plugins
from asof.audit import clock

YEAR = timedelta(days=366)
PLUGIN = """
import asof
import datetime
import time
from datetime import date as Day


@asof.lookup
def told(questions, past):
    from datetime import datetime as Moment

    return {
        "time": time.time(),
        "time_ns": time.time_ns() / 1e9,
        "now": datetime.datetime.now(datetime.timezone.utc).timestamp(),
        "local": datetime.datetime.now().timestamp(),
        "utcnow": datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp(),
        "today": Moment.today().timestamp(),
        "gmtime": time.mktime(time.localtime()),
        "day": datetime.datetime.combine(Day.today(), datetime.time(12)).timestamp(),
    }


@asof.lookup
def made(questions, past):
    moment = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)
    assert isinstance(moment, datetime.datetime) and isinstance(moment, Day)
    assert issubclass(type(moment), datetime.datetime)
    return [moment, Day(2024, 2, 29), Day.fromisoformat("2024-02-29"), datetime.timedelta(days=1)]
"""


def lookups(folder: Path) -> Any:
    file = folder / "features.py"
    file.write_text(PLUGIN)
    return plugins.load([file], installed=False).lookups


def test_every_clock_that_a_plug_in_imports_is_put_forward(tmp_path: Path) -> None:
    with clock.later(YEAR):
        for name, moment in lookups(tmp_path)["told"](None, None).items():
            ahead = moment - time.time() - YEAR.total_seconds()
            assert abs(ahead) < (60 if name != "day" else 86_400), name
    for name, moment in lookups(tmp_path)["told"](None, None).items():
        assert abs(moment - time.time()) < (60 if name != "day" else 86_400), name


def test_nobody_else_is_told(tmp_path: Path) -> None:
    begun = time.time()
    with clock.later(YEAR):
        from datetime import datetime

        assert datetime is dt.datetime
        assert time.time() - begun < 60


def test_moments_that_a_plug_in_makes_within_are_ordinary_ones(tmp_path: Path) -> None:
    with clock.later(YEAR):
        moment, day, read, length = lookups(tmp_path)["made"](None, None)
    assert [type(one) for one in (moment, day, read, length)] == [dt.datetime, dt.date, dt.date, timedelta]
    assert moment == dt.datetime(2024, 2, 29, tzinfo=UTC)
    assert pl.Series([day, read]).dtype == pl.Date
