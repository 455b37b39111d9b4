"""What must hold of the options of our own features."""

from asof.errors import Problem
from asof.project.faults import Faults, parsed
from asof.project.forms import TOLD
from asof.project.messages import Path, setting, validated
from asof.project.trees import Node
from asof.specs import Spec

STEPS = {
    "history": ("windows", "lags", "weekday", "hour"),
    "around": ("window", "corrected"),
    "nearest": ("max_age", "nearest.max_age"),
    "observations": ("windows", "each"),
    "trips": ("windows",),
}
"""Options that are lengths of time, or lists of them."""


def check(faults: Faults, index: int, kind: str) -> None:
    """Check the options of one feature against what its lookup takes; those of plug-ins are their own affair."""
    where: Path = ("features", index, "options")
    options = faults.at(*where)
    if kind == "plugin" or options is None:
        return
    for option in STEPS.get(kind, ()):
        _steps(faults, (*where, *option.split(".")))
    if kind in {"history", "around"}:
        source = faults.text(*where, "source")
        if source is not None:
            faults.source((*where, "source"), source)
    if kind == "around":
        _radius(faults, (*where, "radius"))
    if kind in TOLD:
        _observed(faults, where, kind)
    _types(faults, where, options, kind)


def _steps(faults: Faults, where: Path) -> None:
    option = faults.at(*where)
    if option is None or option.value is None:
        return
    members = [((*where, index), member) for index, member in enumerate(option.each_node())]
    for path, member in members if option.is_list else [(where, option)]:
        step = parsed(member) if member.is_scalar else None
        if step is None or step.count == 0:
            faults.got(path, "a length of time such as 1h, 7d or 364d")


def _radius(faults: Faults, where: Path) -> None:
    from asof.lookups.around import kilometres

    option = faults.at(*where)
    if option is not None and option.value is not None and kilometres(option.words() or "") is None:
        faults.got(where, "a distance such as 5km or 300m")


def _observed(faults: Faults, where: Path, kind: str) -> None:
    """The source whose rows are read by their time."""
    path: Path = (*where, kind)
    node = faults.at(*path)
    if node is not None and node.is_map:
        path = (*path, "source")
    name = faults.text(*path)
    if name is None:
        faults.got(path, "the name of a source")
    elif faults.source(path, name):
        source = faults.root.get("sources", name)
        if source is not None and source.is_map and not source.has("time"):
            rows = "rows nearest in time" if kind == "nearest" else kind
            told = f"missing: {rows} need the time of each row, such as `time: date`"
            faults.say(("sources", name, "time"), told)


def _types(faults: Faults, where: Path, options: Node, kind: str) -> None:
    """Names and types of the options, as the lookup itself states them."""
    from asof.lookups.around import AroundOptions
    from asof.lookups.calendar import CalendarOptions
    from asof.lookups.distances import DistancesOptions
    from asof.lookups.nearest import NearestOptions
    from asof.lookups.observations import ObservationsOptions
    from asof.lookups.plans import HistoryOptions
    from asof.lookups.trips import TripsOptions

    models: dict[str, type[Spec]] = {
        "calendar": CalendarOptions,
        "history": HistoryOptions,
        "around": AroundOptions,
        "nearest": NearestOptions,
        "observations": ObservationsOptions,
        "distances": DistancesOptions,
        "trips": TripsOptions,
    }
    inner: Path = ()
    renamed: dict[str, str] = {}
    if kind == "nearest":
        parts = dict(options.items())
        nearest = parts.pop("nearest")
        if nearest.is_map:
            inner, parts = ("nearest",), {**parts, **nearest.value}
        else:
            renamed, parts["source"] = {"source": "nearest"}, nearest
        options = options.near(parts)
    found: list[tuple[Path, Problem]] = []
    validated(models[kind], options, found)
    for path, problem in found:
        named = tuple(renamed.get(str(step), step) for step in path)
        at = (*where, *(inner if faults.root.get(*where, *inner, *named) is not None else ()), *named)
        faults.problems.append(Problem(problem.message, problem.file, problem.line, setting(at, faults.root)))
