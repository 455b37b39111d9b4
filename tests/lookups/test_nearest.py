"""Lookup ``nearest``."""

from datetime import timedelta
from typing import Any

import polars as pl

from asof import lookups
from asof.ledgers import Past
from asof.specs import FeatureSpec
from asof.testing.lookups import FIRST, World


def ask(past: Past, **options: Any) -> pl.DataFrame:
    as_of = [FIRST + timedelta(days=day, hours=hours) for day, hours in ((0, 5), (1, 5), (1, 6), (3, 6))]
    questions = pl.DataFrame({"place": ["a"] * 4, "start": as_of, "end": as_of, "as_of": as_of, "horizon": ["0h"] * 4})
    questions = questions.with_columns(end=pl.col("start") + pl.duration(days=1))
    lookup = lookups.make(FeatureSpec(name="weather", kind="nearest", options=options), past.panel)
    return lookups.features(questions, [lookup], past)


def test_a_day_is_known_from_its_delay_on_and_holds_until_the_next() -> None:
    past = World().past()
    wind = past.table("weather").rows["wind"].to_list()
    answer = ask(past)
    assert wind[2] is None
    assert answer["weather_wind"].to_list() == [None, None, wind[0], wind[1]]
    assert answer["weather_age_hours"].to_list() == [None, None, 6.0, 6.0]


def test_what_is_too_old_is_unknown() -> None:
    past = World().past()
    wind = past.table("weather").rows["wind"].to_list()
    assert ask(past, max_age="1d")["weather_wind"].to_list() == [None, None, wind[0], None]


def test_of_places_the_same_place_is_read_and_text_is_a_category() -> None:
    past = World(late=0).past()
    rows = past.table("crashes").rows
    answer = ask(past, nearest={"source": "crashes", "columns": ["kind"]})
    known = rows.filter((pl.col("_place") == "a") & (pl.col("_available") <= FIRST + timedelta(days=3, hours=6)))
    assert answer["weather_kind"][3] == known["kind"][-1]
    assert answer.schema["weather_kind"] == pl.String


def test_known_ahead_is_the_mean_of_the_period_itself() -> None:
    past = World().past()
    wind = past.table("weather").rows["wind"].to_list()
    answer = ask(past, nearest="weather", known_ahead=True)
    assert answer.columns == ["weather_wind"]
    assert answer["weather_wind"].to_list() == [wind[0], wind[1], wind[1], wind[3]]


def test_without_rows_all_is_unknown() -> None:
    past = World().past().known(FIRST - timedelta(days=1))
    answer = ask(past)
    assert answer.columns == ["weather_wind", "weather_age_hours"]
    assert answer["weather_wind"].null_count() == 4


def test_what_is_not_there_is_a_problem_with_the_nearest_name() -> None:
    past = World().past()

    def problems(**options: Any) -> list[str]:
        lookup = lookups.make(FeatureSpec(name="sky", kind="nearest", options=options), past.panel)
        return [str(problem) for problem in lookup.check(past)]

    assert problems(nearest="wether") == ["features.sky.nearest: no source 'wether'; did you mean 'weather'?"]
    assert problems(nearest="weather", columns=["wnd"]) == ["features.sky.columns: no column 'wnd'; there are: wind"]
