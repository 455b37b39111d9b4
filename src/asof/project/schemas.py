"""JSON Schema of what the reader accepts: that of the nouns, widened by the short forms, variables and environments."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

from asof import specs
from asof.specs import ProjectSpec

Schema = dict[str, Any]

_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
_TEXT: Schema = {"type": ["string", "number", "boolean"]}
"""Where a text is wanted, a number is read as it is written: a column may be called 2019."""
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def schema() -> Schema:
    """See ``asof.project.schema``."""
    made = ProjectSpec.model_json_schema()
    definitions: dict[str, Schema] = made.pop("$defs")
    definitions["ProjectSpec"] = made
    _describe(definitions)
    definitions = {name: _widened(definition) for name, definition in definitions.items()}
    _short_forms(definitions)
    partial = {f"{name}Part": _partial(definition) for name, definition in definitions.items()}
    _exactly_one(definitions["SourceSpec"], "files", "socrata", "sql", "api", "adapter")
    _exactly_one(definitions["SqlSpec"], "table", "query")
    _exactly_one(definitions["PredictSpec"], *specs.MEASURES)
    _exactly_one(definitions["PlaceSpec"], "h3", "polygons", "column")
    definitions["ProjectSpec"]["properties"]["environments"] = {
        "description": "Settings laid over the file by name; null takes a setting away.",
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/ProjectSpecPart"}, {"type": "null"}]},
    }
    root = definitions.pop("ProjectSpec")
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Project file of Asof"}
    return {
        **title,
        **{key: value for key, value in root.items() if key != "title"},
        "$defs": {**definitions, **partial},
    }


def _short_forms(definitions: dict[str, Schema]) -> None:
    """Add to each field what may be written in its place."""
    one_text: Schema = {"anyOf": [_TEXT, _TEXTS]}
    for model, names in (
        ("SourceSpec", ("key", "columns", "missing_values")),
        ("FilesSpec", ("paths",)),
        ("SqlSpec", ("key",)),
        ("TimeSpec", ("columns", "formats")),
        ("CheckSpec", ("one_of",)),
        ("RepairSpec", ("columns", "missing", "flags")),
        ("ProjectSpec", ("plugins",)),
        ("TrainSpec", ("candidates",)),
        ("JudgeSpec", ("group",)),
    ):
        for name in names:
            _replace(definitions[model], name, one_text)
    _add(definitions["SourceSpec"], "files", one_text)
    _add(definitions["SourceSpec"], "time", one_text)
    _add(definitions["ApiSpec"], "paging", {"enum": ["page", "offset", "link"]})
    one_option: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1}
    _add(definitions["SourceSpec"], "adapter", {"anyOf": [_TEXT, one_option]})
    _add(
        definitions["SourceSpec"],
        "covered",
        {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
    )
    _add(definitions["PerSpec"], "place", {**_TEXT, "examples": ["h3:8", "zones.geojson#objectid", "borough"]})
    horizon = {"anyOf": [_TEXT, _TEXTS], "examples": ["1d", "1d..7d", ["1h", "1d"]]}
    _replace(definitions["PredictSpec"], "horizon", horizon)
    _replace(definitions["SocrataSpec"], "token", {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"})
    options: Schema = {"type": ["object", "null"]}
    named: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": options}
    definitions["FeatureSpec"]["required"] = ["name"]
    item: Schema = {"anyOf": [_TEXT, named, {"$ref": "#/$defs/FeatureSpec"}]}
    features: Schema = {
        "anyOf": [_TEXT, {"type": "array", "items": item}, {"type": "object", "additionalProperties": options}]
    }
    _replace(definitions["ProjectSpec"], "features", features)


def _replace(definition: Schema, name: str, form: Schema) -> None:
    described = {key: value for key, value in definition["properties"][name].items() if key == "description"}
    definition["properties"][name] = {**described, **form}


def _add(definition: Schema, name: str, form: Schema) -> None:
    old = definition["properties"][name]
    described = {"description": old.pop("description")} if "description" in old else {}
    members = old["anyOf"] if set(old) <= {"anyOf", "default"} and "anyOf" in old else [old]
    definition["properties"][name] = {**described, "anyOf": [*members, form]}


def _exactly_one(definition: Schema, *names: str) -> None:
    definition["oneOf"] = [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names]


def _each(part: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with ``change`` applied to every schema directly within it."""
    made = dict(part)
    if "properties" in made:
        made["properties"] = {name: change(inner) for name, inner in made["properties"].items()}
    for key in ("anyOf", "prefixItems"):
        if key in made:
            made[key] = [change(inner) for inner in made[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = change(made[key])
    return made


def _widened(part: Schema) -> Schema:
    """Texts may be written as numbers, and anything but a mapping or a list may be a variable."""
    made = _each(part, _widened)
    kind = made.get("type")
    around: Schema = {key: made.pop(key) for key in ("description", "default", "title") if key in made}
    if kind == "string" and set(made) == {"type"}:
        return {**around, **_TEXT}
    if kind in ("integer", "number", "boolean", "string"):
        return {**around, "anyOf": [made, _VARIABLE]}
    return {**around, **made}


def _partial(part: Schema) -> Schema:
    """The same with nothing required, and with null to take a setting away."""
    made = _each(part, _partial)
    made.pop("required", None)
    if "$ref" in made:
        made["$ref"] = f"{made['$ref']}Part"
    if "properties" in made:
        made["properties"] = {name: {"anyOf": [inner, {"type": "null"}]} for name, inner in made["properties"].items()}
    return made


def _describe(definitions: dict[str, Schema]) -> None:
    """Give each field the text that stands under it in the source of the nouns."""
    texts = _texts(specs)
    for model, definition in definitions.items():
        for name, field in definition.get("properties", {}).items():
            field.pop("title", None)
            if (model, name) in texts:
                field["description"] = texts[model, name].replace("``", "`")


def _texts(module: Any) -> dict[tuple[str, str], str]:
    found = {}
    for model in ast.parse(inspect.getsource(module)).body:
        if not isinstance(model, ast.ClassDef):
            continue
        for field, below in zip(model.body, model.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(below):
                text = ast.literal_eval(below.value)  # type: ignore[attr-defined]
                found[model.name, field.target.id] = " ".join(str(text).split())
    return found


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
