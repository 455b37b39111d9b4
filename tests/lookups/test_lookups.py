"""Lookups by name, and the one function for features."""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest

from asof import lookups
from asof.errors import DataError, ProjectError
from asof.plugins import Plugins
from asof.specs import FeatureSpec
from asof.testing.lookups import World, exam

WORLDS = [
    World(seed=1, horizons=("0h", "2d"), delay=timedelta(days=1)),
    World(seed=2, zone="America/Sao_Paulo", late=0.5, hole=None),
    World(seed=3, every="1h", horizons=("12h",), days=24),
]
SPECS = (
    FeatureSpec(name="calendar", kind="calendar", options={"holidays": "US-NY"}),
    FeatureSpec(name="history", kind="history", options={"of": ["injured", "cost"]}),
    FeatureSpec(name="weather", kind="nearest"),
    FeatureSpec(name="last_crash", kind="nearest", options={"nearest": "crashes", "columns": ["kind", "cost"]}),
)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_lookup_passes_the_exam(world: World, spec: FeatureSpec) -> None:
    past = world.past()
    questions = world.questions(past)
    lookup = lookups.make(spec, past.panel)
    assert lookup.check(past) == []
    exam(lookup, questions[:: max(questions.height // 300, 1)], past, cuts=3)


def shuffled(questions: pl.DataFrame, past: object) -> pl.Series:
    return pl.Series("x", range(questions.height))


def peeking(questions: pl.DataFrame, past: object) -> pl.Series:
    rows = past.table("crashes").rows  # type: ignore[attr-defined]
    counts = rows.group_by("_place").len()
    return questions["place"].replace_strict(counts["_place"], counts["len"], default=None).alias("seen")


def jumpy(questions: pl.DataFrame, past: object) -> pl.Series:
    rows = past.table("crashes").rows.filter(pl.col("_available") <= questions["as_of"].max())  # type: ignore[attr-defined]
    return pl.Series("known", [float(rows.height)] * questions.height)


@pytest.mark.parametrize(
    ("function", "message"), [(shuffled, "asked in a part"), (peeking, "rows known after"), (jumpy, "asked in a part")]
)
def test_the_exam_fails_what_looks_ahead_or_at_the_others(function: object, message: str) -> None:
    world = WORLDS[0]
    past = world.past()
    lookup = lookups.make(FeatureSpec(name="mine", kind="plugin"), past.panel, Plugins(lookups={"mine": function}))
    with pytest.raises(AssertionError, match=message):
        exam(lookup, world.questions(past), past)


def test_features_are_the_columns_of_all_lookups_in_order() -> None:
    world = World()
    past = world.past()
    questions = world.questions(past)
    made = lookups.make_all(SPECS[:1], past.panel)
    table = lookups.features(questions, made, past)
    assert table.columns[:5] == ["place", "coarser", "lat", "lon", "weekday"]
    assert table.height == questions.height
    assert [lookup.name for lookup in made] == ["place", "calendar"]


def test_a_project_without_features_gets_calendar_and_history() -> None:
    panel = World().past().panel
    assert [lookup.name for lookup in lookups.make_all((), panel)] == ["place", "calendar", "history"]


def test_no_questions_get_no_answers() -> None:
    world = World()
    past = world.past()
    questions = world.questions(past)
    made = lookups.make_all(SPECS, past.panel)
    none = lookups.features(questions.clear(), made, past)
    assert none.schema == lookups.features(questions, made, past).schema
    assert none.height == 0


def test_questions_without_a_column_are_refused() -> None:
    past = World().past()
    with pytest.raises(DataError, match="questions lack the columns start, end, as_of, horizon"):
        lookups.features(pl.DataFrame({"place": ["a"]}), lookups.make_all((), past.panel), past)


def test_two_features_of_one_name_are_refused() -> None:
    world = World()
    past = world.past()
    calendar = lookups.make(SPECS[0], past.panel)
    with pytest.raises(DataError, match="lookups calendar and calendar both make a feature 'weekday'"):
        lookups.features(world.questions(past), [calendar, calendar], past)


def faults(specs: Sequence[FeatureSpec]) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        lookups.make_all(specs, World().past().panel)
    return [str(problem) for problem in caught.value.problems]


def test_all_faults_of_options_are_told_at_once_with_the_nearest_name() -> None:
    options = "all, coarser, hour, lags, neighbours, of, own, ratios, since, source, weekday, windows"
    known, told = "calendar, history, around", "`nearest:`, `observations:`, `distances:` or `trips:` and a SOURCE"
    assert faults(
        [
            FeatureSpec(name="calendar", kind="calendar", options={"holiday": "US"}),
            FeatureSpec(name="history", kind="history", options={"window": ["7d"], "coarser": "perhaps"}),
            FeatureSpec(name="nightly", kind="plugin"),
        ]
    ) == [
        "features.calendar.holiday: no such option; did you mean 'holidays'? There are: holidays",
        "features.history.coarser: Input should be a valid boolean, unable to interpret input; got 'perhaps'",
        f"features.history.window: no such option; did you mean 'windows'? There are: {options}",
        f"features.nightly: no lookup of this name; there are: {known}, or any name with {told}",
    ]


def test_what_is_known_ahead_is_told_by_name() -> None:
    past = World().past()
    plan = FeatureSpec(name="forecast", kind="nearest", options={"nearest": "weather", "known_ahead": True})
    made = [lookups.make(plan, past.panel), lookups.make(SPECS[0], past.panel)]
    assert lookups.ahead(made, ["weekday", "forecast_wind"]) == ["forecast_wind"]
