"""Everything that a run found about a recipe, on its way into a report and a release."""

from dataclasses import dataclass

from asof.audit import Audit
from asof.data import Finding
from asof.flows.ingestion import Ingested
from asof.flows.judging import Judged
from asof.flows.learning import Bench
from asof.flows.newplaces import NewPlaces
from asof.promotion import Decision
from asof.tuning import Selection


@dataclass(frozen=True)
class Found:
    """What was chosen, how it did, and what was said about it."""

    bench: Bench
    selection: Selection
    judged: Judged
    audit: Audit
    decision: Decision | None
    """None where the release is only trained."""
    findings: tuple[Finding, ...]
    done: tuple[Ingested, ...]
    """What was ingested on the way; empty where nothing was read."""
    key: str
    """Hash of all inputs."""
    new_places: NewPlaces | None = None
    """None where places are too few to hold some out."""
