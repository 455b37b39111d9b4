"""JSON Schema of what the reader accepts: that of the nouns, widened by the short forms."""

from typing import Any

from asof.specs import ProjectSpec


def schema() -> dict[str, Any]:
    """See ``asof.project.schema``."""
    return ProjectSpec.model_json_schema()
