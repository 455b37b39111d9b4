"""What must hold across settings, as far as it can be known without reading data."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path as Folder

from asof.errors import Problem
from asof.project import model_rules, option_rules, source_rules
from asof.project.faults import Faults
from asof.project.forms import NAMED
from asof.project.messages import Path, nearest
from asof.project.overlays import LOGIN
from asof.project.trees import Node
from asof.specs import MEASURES

PLACES = ("h3", "polygons", "column")
UNFIT = ("bias", "median_ape", "auc_event")
"""Metrics that are shown but cannot choose: they are no mean of losses."""
_RULE = re.compile(r"\s*(>=|<=|>|<)\s*-?\d+(\.\d*)?([eE]-?\d+)?\s*")


def check(root: Node, folder: Folder) -> list[Problem]:
    """All faults that the types alone do not show; the nodes concerned are marked, so that nothing is said twice."""
    faults = Faults(root)
    plugged = _plugins(faults, folder)
    source_rules.check(faults)
    if faults.at("predict") is not None:
        _predict(faults)
    _features(faults, plugged=plugged)
    _judge(faults, plugged=plugged)
    _promote(faults, plugged=plugged)
    _reasons(faults)
    for name in ("store", "tracking"):
        _address(faults, name)
    _answers(faults)
    _webhook(faults)
    return faults.problems


def _plugins(faults: Faults, folder: Folder) -> bool:
    """Whether names may be those of plug-ins, in files of the project or in installed packages."""
    for path, node in faults.members("plugins"):
        file = node.words() or ""
        if not file.endswith(".py"):
            faults.got(path, "a Python file such as features.py")
        elif not (folder / file).is_file():
            faults.say(path, f"there is no file {folder / file}")
    if faults.root.get("plugins") is not None:
        return True
    from asof import plugins

    return bool(plugins.packaged())


def _predict(faults: Faults) -> None:
    predict = faults.at("predict")
    if predict is None or not predict.is_map:
        return
    given = [name for name in MEASURES if predict.has(name)]
    if len(given) != 1:
        got = " and ".join(given) if given else "none"
        faults.say(
            ("predict",),
            f"expected exactly one of {', '.join(MEASURES[:-1])} and {MEASURES[-1]}, got {got}",
            whole=False,
        )
    for measure in given:
        _target(faults, measure)
    if given in (["value"], ["classes"]):
        _of_rows(faults, given[0])
    elif not predict.has("per"):
        faults.say(("predict", "per"), "missing: expected `per: {place: …, every: 1d}`; place may be left out")
    _per(faults, given)
    horizon = faults.at("predict", "horizon")
    if horizon is not None and horizon.is_list and not horizon.value:
        faults.got(("predict", "horizon"), "at least one length of time such as 1d, or 1d..7d")
    seen: set[str] = set()
    for path, node in faults.members("predict", "horizon"):
        text = node.words() or ""
        if ".." in text:
            faults.got(path, "a range of one unit, the shorter first, such as 1d..7d")
        elif faults.step(*path) is not None and text in seen:
            faults.say(path, f"{text} is listed twice")
        seen.add(text)


def _of_rows(faults: Faults, measure: str) -> None:
    """What has no meaning where each row is a unit."""
    if faults.at("predict", "per", "every") is not None:
        faults.say(
            ("predict", "per", "every"), f"`{measure}:` predicts single rows, which have no periods: leave it out"
        )
    name = (faults.text("predict", measure) or "").split(".")[0]
    source = faults.root.get("sources", name)
    untimed = source is not None and source.is_map and not source.has("time")
    if untimed and faults.at("predict", "horizon") is not None:
        faults.say(("predict", "horizon"), f"rows of {name} have no time, so nothing lies ahead: leave it out")


def _target(faults: Faults, measure: str) -> None:
    """``count: source`` or ``sum: source.column``."""
    where: Path = ("predict", measure)
    text = faults.text(*where)
    if text is None:
        return
    name, _, column = text.partition(".")
    if measure == "count" and column and faults.root.get("sources", name) is not None:
        faults.got(where, f"a source alone (its rows are counted), such as {name}")
    elif measure != "count" and not column:
        faults.got(where, f"a source and its column, such as {name or 'sales'}.amount")
    else:
        faults.source(where, name)


def _per(faults: Faults, given: Sequence[str]) -> None:
    where: Path = ("predict", "per")
    faults.step(*where, "every", least=1)
    faults.zone(*where, "zone")
    place = faults.at(*where, "place")
    kind = _kind(faults, place) if place is not None else ""
    name = (faults.root.get("predict", given[0]) or Node("")).words() if len(given) == 1 else None
    source = faults.root.get("sources", (name or "").split(".")[0])
    if source is None or not source.is_map:
        return
    if not source.has("time") and given[0] not in {"value", "classes"}:
        told = "missing: what is predicted per period needs the time of each row, such as `time: date`"
        faults.say(("sources", (name or "").split(".")[0], "time"), told)
    _located(faults, kind, source, str(name).split(".")[0])


def _kind(faults: Faults, place: Node) -> str:
    """Which kind of place is asked for; empty where that is not clear."""
    where: Path = ("predict", "per", "place")
    if not place.is_map:
        if place.is_scalar and place.value is not None:
            faults.got(where, "h3:0 to h3:15, a GeoJSON file with its id such as zones.geojson#objectid, or a column")
        return ""
    given = [name for name in PLACES if place.has(name)]
    if len(given) != 1:
        got = " and ".join(given) if given else "none"
        faults.say(where, f"expected exactly one of h3, polygons and column, got {got}", whole=False)
        return ""
    if given[0] == "polygons" and not place.has("id"):
        file = place.value["polygons"].words() or "zones.geojson"
        faults.say((*where, "id"), f"missing: which property names a polygon? write {file}#PROPERTY")
    if given[0] != "polygons" and place.has("id"):
        faults.say((*where, "id"), "only polygons have an id")
    resolution, coarser = place.get("h3"), place.get("coarser")
    if resolution is not None and coarser is not None and isinstance(resolution.value, int):
        fine = (
            isinstance(coarser.value, int)
            and not isinstance(coarser.value, bool)
            and 0 <= coarser.value < resolution.value
        )
        if not fine:
            faults.got((*where, "coarser"), f"a resolution below {resolution.value}")
    return given[0]


def _located(faults: Faults, kind: str, source: Node, name: str) -> None:
    """Whether the source says where its rows are, in the way in which places are asked for."""
    at: Path = ("sources", name, "place")
    place = source.get("place")
    if kind == "h3" and (place is None or not place.is_map):
        faults.say(at, "map cells need coordinates: expected `place: {lat: …, lon: …}`")
    elif kind == "polygons" and place is None:
        faults.say(at, "missing: expected `place: {lat: …, lon: …}`, or the column with the id of the polygon")
    elif kind == "column" and place is not None and place.is_map:
        column = faults.text("predict", "per", "place", "column")
        faults.say(
            at,
            f"predict.per.place is the column {column!r}: expected `place: {column}`, or cells or polygons there",
            whole=False,
        )


def _features(faults: Faults, *, plugged: bool) -> None:
    features = faults.at("features")
    if features is None or not features.is_list:
        return
    for index, item in enumerate(features.value):
        where: Path = ("features", index)
        if not item.is_map or set(item.value) - {"name", "kind", "options"}:
            faults.got(where, "a name, or a name with its options such as `history: {windows: [7d]}`")
            continue
        _feature(faults, index, item, plugged=plugged)


def _feature(faults: Faults, index: int, item: Node, *, plugged: bool) -> None:
    where: Path = ("features", index)
    name, kind = (item.value[part].words() or "" if part in item.value else "" for part in ("name", "kind"))
    if kind == "plugin" and not plugged:
        known = nearest(name, NAMED)
        faults.say(
            where,
            f"there is no feature {name!r}{known}, any with `nearest:`, `observations:`, `distances:` or `trips:` and "
            "a SOURCE; your own need `plugins: features.py`",
        )
        return
    options = item.value.get("options")
    if options is None or not options.is_map:
        faults.got((*where, "options"), f"options by name, such as `{name}: {{windows: [7d]}}`")
        return
    option_rules.check(faults, index, kind)


def _judge(faults: Faults, *, plugged: bool) -> None:
    faults.step("judge", "fold", least=1)
    if not _is_day(faults.text("judge", "holdout")):
        faults.step("judge", "holdout", least=1, otherwise="or a day such as 2024-01-31")
    faults.step("train", "budget")
    if faults.text("judge", "by") == "place":
        _by_place(faults)
    if plugged:
        return
    from asof.estimators import ESTIMATORS, portfolio

    _metric(faults)
    names = dict.fromkeys([*portfolio.names(), *ESTIMATORS])
    listed = faults.at("train", "candidates")
    if listed is not None and listed.is_list and not listed.value:
        faults.got(("train", "candidates"), "at least one candidate, or default")
    for path, _ in faults.members("train", "candidates"):
        faults.one_of(path, names, "candidate")
    model_rules.check(faults)


def _is_day(text: str | None) -> bool:
    try:
        return text is not None and len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _by_place(faults: Faults) -> None:
    """Whole places can be held out where there are places, and periods in them."""
    where: Path = ("judge", "by")
    rows = [name for name in ("value", "classes") if faults.at("predict", name) is not None]
    if rows:
        faults.say(where, f"`{rows[0]}:` predicts single rows: rows of a column are held out whole by `group:`")
    elif faults.at("predict", "per", "place") is None:
        faults.say(where, "there are no places to hold out: expected `place:` in predict.per")
    for name in ("holdout", "fold"):
        if faults.at("judge", name) is not None:
            faults.say(("judge", name), "nothing is set aside by time where places are held out: leave it out")


def _metric(faults: Faults) -> None:
    """The metric that decides: one that there is, that can choose, and that judges what is predicted."""
    from asof import metrics

    where: Path = ("judge", "metric")
    known = [name for name in metrics.METRICS if name not in UNFIT]
    faults.one_of(where, known, "metric")
    name = faults.text(*where)
    given = [measure for measure in MEASURES if faults.at("predict", measure) is not None]
    task = (
        {"count": "count", "distinct": "count", "classes": "class"}.get(given[0], "number") if len(given) == 1 else None
    )
    if name not in known or task is None or task in metrics.find(name).tasks:
        return
    fit = [other for other in metrics.names(task) if other not in UNFIT]
    told = {"count": "counts", "class": "classes", "number": "numbers"}[task]
    faults.say(where, f"{name} does not judge {told}; expected one of {', '.join(fit)}")


def _promote(faults: Faults, *, plugged: bool) -> None:
    from asof.metrics import METRICS
    from asof.promotion import OTHER_FIGURES

    for name, rule in faults.parts("promote"):
        where: Path = ("promote", name)
        text = rule.words() or ""
        if name == "audit":
            if text != "pass":
                faults.got(where, "pass", hint="; single findings are accepted in audit.accept")
            continue
        known = [*OTHER_FIGURES, *METRICS, "audit"]
        if name not in known and not plugged:
            faults.say(where, f"there is no figure {name!r}{nearest(name, known)}")
        elif rule.is_scalar and not _RULE.fullmatch(text):
            faults.got(where, 'a comparison in quotes such as ">= 0.05"')


def _reasons(faults: Faults) -> None:
    """What is left out or accepted carries a reason."""
    for path in (("leave_out",), ("audit", "accept")):
        for name, reason in faults.parts(*path):
            if reason.is_scalar and not (reason.words() or "").strip():
                faults.got((*path, name), 'the reason in a few words, such as "equals the label"')


def _answers(faults: Faults) -> None:
    """Where predictions go besides files: a table, and no password in its address."""
    node = faults.at("answers")
    if node is None or node.value is None:
        return
    from asof.adapters import answers

    wrong = answers.check(node.words() or "")
    if wrong:
        node.masked = "…"
        faults.say(("answers",), wrong)


def _webhook(faults: Faults) -> None:
    """Whom alarms are told: the address itself is a secret, so it stands in a variable."""
    node = faults.at("watch", "webhook")
    if node is None or node.value is None:
        return
    if not re.fullmatch(r"\$\{[A-Za-z_]\w*\}", node.words() or ""):
        node.masked = "…"
        told = "whoever knows a webhook can write to it: put the address into a variable, write its name, ${ALARMS_URL}"
        faults.say(("watch", "webhook"), told)


def _address(faults: Faults, name: str) -> None:
    """Where things are kept: no password in it, and nothing but a folder or ``s3://`` for the store."""
    node = faults.at(name)
    text = node.words() if node is not None else None
    if node is None or text is None:
        return
    written = re.sub(r"\$\{[A-Za-z_]\w*\}", "", text if node.masked is None else node.masked)
    if LOGIN.search(written):
        node.masked = "…"
        faults.say(
            (name,),
            "a password is never written here: put the address into a variable, write its name, such as ${MLFLOW_URI}",
        )
    elif name == "store" and (not text or ("://" in text and not re.fullmatch(r"s3://[^/]+(/.*)?", text))):
        faults.got((name,), "a folder, or s3://bucket/prefix")
