"""What is laid over a project file, where each value came from, and what is never shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import projectfiles
from asof import project
from asof.project import Origin, Project

FILE = """\
name: sales
sources:
  orders:
    files: orders.csv
    time: sold
predict:
  count: orders
  per: {place: shop, every: 1d}
features:
- calendar
- history: {windows: [7d], coarser: true}
train: {budget: 60s}
store: ${STORE:-.asof}
environments:
  dev:
    train: {budget: 5s, candidates: lightgbm}
    sources:
      orders: {files: {delimiter: ;}}
  prod:
    store: s3://${BUCKET}/asof
    tracking: ${MLFLOW_URI}
    sources:
      orders:
        files: null
        socrata: {domain: data.org, dataset: abcd-1234, since: 2020-01-01}
    predict: {per: {place: zones.geojson#id}}
  empty:
"""

Reader = Callable[..., Project]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Read a project file by its text."""
    return lambda text=FILE, **options: projectfiles.read(tmp_path, text, **options)


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    """Return the faults of a project file, without its folder."""
    return lambda text=FILE, **options: projectfiles.faults(tmp_path, text, **options)


def rows(read: Project) -> dict[str, dict[str, Any]]:
    """Rows of ``show`` by path."""
    return {row["path"]: row for row in project.show(read)}


# Environments -------------------------------------------------------------------------------------


def test_an_environment_lies_over_the_file(reader: Reader) -> None:
    plain, dev = reader().spec, reader(environment="dev").spec
    assert (plain.train.budget, dev.train.budget) == ("60s", "5s")
    assert dev.train.candidates == ("lightgbm",)
    assert dev.sources["orders"].files is not None
    assert dev.sources["orders"].files.paths == ("orders.csv",)
    assert dev.sources["orders"].files.delimiter == ";"
    assert reader(environment="empty").spec == plain


def test_short_forms_replace_and_null_takes_away(reader: Reader) -> None:
    text = FILE.replace("time: sold", "time: sold\n    place: {lat: y, lon: x}").replace("place: shop", "place: h3:8")
    spec = reader(text, environment="prod", environ={"BUCKET": "b", "MLFLOW_URI": "http://mlflow:5000"}).spec
    assert spec.sources["orders"].files is None
    assert spec.sources["orders"].socrata is not None
    assert spec.predict.per.place.h3 is None
    assert spec.predict.per.place.polygons == "zones.geojson"
    assert spec.predict.per.every == "1d"
    assert (spec.store, spec.tracking) == ("s3://b/asof", "http://mlflow:5000")


def test_features_of_an_environment_written_by_name_lie_over_those_of_the_file(reader: Reader) -> None:
    text = FILE.replace(
        "  empty:\n",
        "  ahead:\n    features: {history: {windows: [28d]}, weather: {nearest: orders}, calendar: null}\n"
        "  listed:\n    features: [calendar]\n",
    )
    laid = reader(text, environment="ahead").spec.features
    assert [(one.name, one.kind, one.options) for one in laid] == [
        ("history", "history", {"windows": ["28d"], "coarser": True}),
        ("weather", "nearest", {"nearest": "orders"}),
    ]
    assert [one.name for one in reader(text, environment="listed").spec.features] == ["calendar"]
    assert [one.name for one in reader(text).spec.features] == ["calendar", "history"]


def test_an_environment_that_is_not_there(faults: Callable[..., list[str]]) -> None:
    assert faults(environment="pro") == [
        "project.yaml:14: environments: there is no environment 'pro'; did you mean prod? known are dev, prod, empty"
    ]
    assert faults(FILE.partition("environments")[0], environment="dev") == [
        "project.yaml: environments: there is no environment 'dev': the file has no section environments"
    ]


def test_environments_are_sections(faults: Callable[..., list[str]]) -> None:
    head = FILE.partition("environments")[0]
    assert faults(f"{head}environments: {{dev: 5, prod: {{}}}}\n") == [
        "project.yaml:14: environments.dev: expected settings to lay over the file, got '5'"
    ]
    assert faults(f"{head}environments: [dev]\n") == [
        "project.yaml:14: environments: expected sections by name, such as `dev: {store: …}`, got a list of 1"
    ]


def test_unknown_names_in_every_environment_are_found(faults: Callable[..., list[str]]) -> None:
    text = FILE.replace("tracking: ${MLFLOW_URI}", "trakcing: x").replace("budget: 5s", "budgte: 5s")
    assert faults(text) == [
        "project.yaml:16: train.budgte: unknown name; did you mean budget? known are since, budget, candidates, model, params, encoders, seed, threads",  # noqa: E501 - a message as it is shown
        "project.yaml:21: trakcing: unknown name; did you mean tracking?",
    ]


# Variables ----------------------------------------------------------------------------------------


def test_variables(reader: Reader) -> None:
    text = FILE.replace("60s}", "60s, seed: ${SEED:-3}, threads: ${THREADS}}").replace("place: shop", "place: ${PLACE}")
    environ = {"THREADS": "2", "PLACE": "district", "STORE": "kept/${STORE}"}
    spec = reader(text, environ=environ).spec
    assert (spec.train.seed, spec.train.threads) == (3, 2)
    assert spec.predict.per.place.column == "district"
    assert spec.store == "kept/${STORE}", "what a variable holds is not looked at again"
    assert reader(environ={"STORE": ""}).spec.store == ".asof", "an empty variable is as good as none"


def test_a_short_form_may_come_from_a_variable(reader: Reader) -> None:
    text = FILE.replace("every: 1d}", "every: 1d}\n  horizon: ${HORIZON}")
    assert reader(text, environ={"HORIZON": "1d..3d"}).spec.predict.horizon == ("1d", "2d", "3d")


def test_quotes_keep_a_variable_a_text(reader: Reader, faults: Callable[..., list[str]]) -> None:
    text = FILE.replace("every: 1d", 'every: "${EVERY}"')
    assert reader(text, environ={"EVERY": "1h"}).spec.predict.per.every == "1h"
    assert faults(FILE.replace("60s}", "60s, since: ${SINCE}}"), environ={"SINCE": "soon"}) == [
        "project.yaml:12: train.since: expected a date such as 2024-01-31, got 'soon'"
    ]


def test_variables_that_are_not_set(faults: Callable[..., list[str]], reader: Reader) -> None:
    text = FILE.replace("${STORE:-.asof}", "${STORE}/${WHERE}").replace("60s}", "60s, seed: ${SEED}}")
    assert faults(text) == [
        "project.yaml:12: train.seed: the variable SEED is not set: set it, or write ${SEED:-default}",
        "project.yaml:13: store: the variable STORE is not set: set it, or write ${STORE:-default}",
        "project.yaml:13: store: the variable WHERE is not set: set it, or write ${WHERE:-default}",
    ]
    spec = reader(text, overrides=["store=here", "train.seed=4"]).spec
    assert (spec.store, spec.train.seed) == ("here", 4), "what is overlaid is not looked up"


def test_what_is_no_variable(faults: Callable[..., list[str]], reader: Reader) -> None:
    assert faults(FILE.replace("${STORE:-.asof}", "${a b}")) == [
        "project.yaml:13: store: '${' begins no variable: expected ${NAME} or ${NAME:-default}; $${ stands for ${ itself"  # noqa: E501 - a message as it is shown
    ]
    assert reader(FILE.replace("${STORE:-.asof}", "a$${b}$c")).spec.store == "a${b}$c"


# --set --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("train.budget=10s", lambda spec: spec.train.budget == "10s"),
        ("train.seed = 7", lambda spec: spec.train.seed == 7),
        ("train.candidates=[linear, poisson]", lambda spec: spec.train.candidates == ("linear", "poisson")),
        ("predict.horizon=1d..2d", lambda spec: spec.predict.horizon == ("1d", "2d")),
        ("predict.per.place=h3x", lambda spec: spec.predict.per.place.column == "h3x"),
        ("sources.orders.time.zone=Europe/Berlin", lambda spec: spec.sources["orders"].time.zone == "Europe/Berlin"),
        ("sources.orders.files.paths.0=b.csv", lambda spec: spec.sources["orders"].files.paths == ("b.csv",)),
        ("sources.orders.files=[a.csv, b.csv]", lambda spec: spec.sources["orders"].files.paths == ("a.csv", "b.csv")),
        ("sources.orders.checks.price.between=[0, 5]", lambda spec: spec.sources["orders"].checks["price"].between == (0, 5)),  # noqa: E501 - a message as it is shown
        ("judge={folds: 6, fold: 7d}", lambda spec: (spec.judge.folds, spec.judge.fold) == (6, "7d")),
        ("features.history.windows=[28d]", lambda spec: spec.features[1].options["windows"] == ["28d"]),
        ("features.1.history.windows=[28d]", lambda spec: spec.features[1].options["windows"] == ["28d"]),
        ("features.1.windows.0=28d", lambda spec: spec.features[1].options["windows"] == ["28d"]),
        ("features.1.options.coarser=false", lambda spec: spec.features[1].options["coarser"] is False),
        ("features.1=calendar", lambda spec: [feature.name for feature in spec.features] == ["calendar", "calendar"]),
        ("features.history.coarser=null", lambda spec: spec.features[1].options == {"windows": ["7d"]}),
        ("features=[history]", lambda spec: [feature.name for feature in spec.features] == ["history"]),
        ("features=null", lambda spec: spec.features == ()),
        ("train=null", lambda spec: spec.train.budget == "60s"),
        ("store=${HOME_OF_DATA}/x", lambda spec: spec.store == "/data/x"),
        ("tracking=http://a?b=c", lambda spec: spec.tracking == "http://a?b=c"),
    ],
)  # fmt: skip
def test_one_setting(reader: Reader, assignment: str, value: Callable[[Any], bool]) -> None:
    assert value(reader(overrides=[assignment], environ={"HOME_OF_DATA": "/data"}).spec)


def test_later_overlays_win(reader: Reader) -> None:
    spec = reader(environment="dev", overrides=["train.budget=1s", "train.budget=2s"]).spec
    assert spec.train.budget == "2s"


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("train.budget", "--set train.budget: expected a path and a value, such as judge.folds=5"),
        ("=5", "--set =5: expected a path and a value, such as judge.folds=5"),
        ("train..seed=5", "--set train..seed=5: expected a path and a value, such as judge.folds=5"),
        ("train.sed=5", "--set train.sed=5: train.sed: unknown name; did you mean seed? known are since, budget, candidates, model, params, encoders, seed, threads"),  # noqa: E501 - a message as it is shown
        ("train.seed=x", "--set train.seed=x: train.seed: expected a whole number, got 'x'"),
        ("name.first=x", "--set name.first=x: name.first: name has no parts to set"),
        ("features.9.x=1", "--set features.9.x=1: features.9: expected the number of an item, 0 to 1, got '9'"),
        ("features.weather.x=1", "--set features.weather.x=1: features.weather: expected the number of an item, 0 to 1, got 'weather'"),  # noqa: E501 - a message as it is shown
        ("judge={folds: [", "--set judge={folds: [: judge: no YAML: expected the node content, but found '<stream end>'; check indentation, quotes, brackets and colons"),  # noqa: E501 - a message as it is shown
    ],
)  # fmt: skip
def test_faults_of_settings(faults: Callable[..., list[str]], assignment: str, fault: str) -> None:
    (found,) = faults(overrides=[assignment])
    assert found.split(" (begun")[0].split("; check")[0] == fault.split("; check", maxsplit=1)[0]


def test_faults_of_settings_come_after_those_of_the_file(faults: Callable[..., list[str]]) -> None:
    assert faults(FILE.replace("60s", "1 minute"), overrides=["train.seed=x", "judge.folds=1"]) == [
        "project.yaml:12: train.budget: expected a length of time such as 15m, 1h, 7d, 2w or 1mo, got '1 minute'",
        "--set judge.folds=1: judge.folds: expected a whole number from 2 to 50, got '1'",
        "--set train.seed=x: train.seed: expected a whole number, got 'x'",
    ]


# Where it came from -------------------------------------------------------------------------------


def test_origins(reader: Reader, tmp_path: Path) -> None:
    file = str(tmp_path / "project.yaml")
    environ = {"BUCKET": "b", "MLFLOW_URI": "http://m"}
    text = FILE.replace("time: sold", "time: sold\n    place: shop").replace("place: zones.geojson#id", "every: 7d")
    read = reader(text, environment="prod", overrides=["train.seed=7", "predict.horizon=1d..2d"], environ=environ)
    origins = read.origins
    assert origins["name"] == Origin("sales", file, 1, "file")
    assert origins["sources.orders.time.columns"] == Origin(["sold"], file, 5, "file")
    assert origins["predict.per.every"] == Origin("7d", file, 27, "environment prod")
    assert origins["store"] == Origin("s3://b/asof", file, 21, "environment prod, variable BUCKET")
    assert origins["train.seed"] == Origin(7, "--set train.seed=7", 0, "--set")
    assert origins["predict.horizon"] == Origin(["1d", "2d"], "--set predict.horizon=1d..2d", 0, "--set")
    assert origins["judge.folds"] == Origin(4)
    assert origins["features.history.windows"] == Origin(["7d"], file, 12, "file")
    assert origins["features.calendar"] == Origin({}, file, 11, "file")


def test_show_says_where_each_value_came_from(reader: Reader, tmp_path: Path) -> None:
    shown = rows(reader(environment="dev", overrides=["train.seed=7"]))
    assert shown["name"] == {
        "path": "name",
        "value": "sales",
        "from": f"{tmp_path}/project.yaml:1",
        "file": f"{tmp_path}/project.yaml",
        "line": 1,
        "who": "file",
    }
    assert shown["train.budget"]["from"] == f"{tmp_path}/project.yaml:16 (environment dev)"
    assert shown["train.seed"]["from"] == "--set"
    assert shown["store"]["from"] == f"{tmp_path}/project.yaml:13 (variable STORE)"
    assert shown["judge.folds"]["from"] == "default"


def test_what_is_shown_can_be_set(reader: Reader) -> None:
    read = reader()
    for path, origin in read.origins.items():
        if isinstance(origin.value, str | int | bool):
            again = reader(overrides=[f"{path}={yaml.dump(origin.value, default_flow_style=True).splitlines()[0]}"])
            assert again.spec == read.spec, path


# Resolved -----------------------------------------------------------------------------------------


def test_resolved_reads_back_to_the_same(reader: Reader, root: Path, tmp_path: Path) -> None:
    odd = FILE.replace("time: sold", 'time: sold\n    key: ["007", "1e3", "yes", "null", "1:30", "$${x}", "ü", "a: b"]')
    texts = [FILE, odd, (root / "examples" / "collisions" / "project.yaml").read_text(encoding="utf-8")]
    for text in texts:
        read = reader(text)
        again = reader(project.resolved(read))
        assert again.spec == read.spec
        assert project.resolved(again) == project.resolved(read)


def test_resolved_holds_the_defaults_and_no_environments(reader: Reader) -> None:
    content = yaml.safe_load(project.resolved(reader(environment="dev")))
    assert content["judge"]["folds"] == 4
    assert content["train"]["budget"] == "5s"
    assert content["features"] == ["calendar", {"history": {"windows": ["7d"], "coarser": True}}]
    assert "environments" not in content
