"""Commands that keep a model good while data come in."""

from asof.cli.base import Common, present, verb


@verb("force", "wait")
def retrain(common: Common) -> None:
    """Take in what is new; if anything is, train, audit, compare, promote or keep."""
    from asof import terminal
    from asof.flows import retraining

    present(retraining.retrain(common.open()), as_json=common.as_json, view=terminal.show_retrain)
