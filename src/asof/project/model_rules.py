"""What must hold of a model asked for by name, and of the parameters given to it."""

from asof.project.faults import Faults
from asof.project.messages import Path


def check(faults: Faults) -> None:
    """Check ``train.model`` and ``train.params`` of a project without plug-ins; all parameters at once."""
    from asof.estimators import BASELINES, ESTIMATORS, available, make, portfolio
    from asof.estimators.given import misfits

    known = {**portfolio.estimators_of(), **{name: name for name in ESTIMATORS}}
    known = {name: kind for name, kind in known.items() if name not in BASELINES}
    faults.one_of(("train", "model"), known, "model")
    where: Path = ("train", "params")
    params = faults.at(*where)
    if params is None or not params.value:
        return
    model = faults.text("train", "model") or _only(faults)
    if model is None:
        faults.say(where, "parameters are those of one model: name it in train.model, or alone in train.candidates")
    elif model in known and available(known[model]) is None and params.is_map:
        given = {name: child.plain_value() for name, child in params.items()}
        for name, fault in misfits(known[model], make(known[model]), given).items():
            faults.say((*where, name), fault)


def _only(faults: Faults) -> str | None:
    """The only candidate, if there is just one."""
    listed = [node.words() for _, node in faults.members("train", "candidates")]
    return listed[0] if len(listed) == 1 else None
