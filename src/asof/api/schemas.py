"""What a server tells of itself: OpenAPI with the columns, ranges and examples of its own release."""

from typing import Any

from asof import __version__
from asof.api.bodies import CSV, JSON, LINES, MOST_EXPLAINED, MOST_NUMBER, MOST_TEXT, SHAPES
from asof.flows.inputs import PLACE_NAME
from asof.flows.oracles import CHANCE
from asof.flows.preparation import Prepared
from asof.flows.serving import Standing
from asof.flows.travelling import Guides
from asof.releases.seen import Seen

EXAMPLES = 5
REFUSALS = {
    "400": "not readable",
    "401": "a key is needed",
    "406": "no answer of the kind that is asked for",
    "408": "the body did not come in time",
    "413": "too large",
    "415": "a content type that is not read",
    "422": "no table of rows, or a column is missing",
    "503": "busy, or too slow: come again",
}
Plain = dict[str, Any]


def describe(standing: Standing, most_rows: int, guides: Guides | None = None) -> Plain:
    """Return the OpenAPI document of a server that answers with ``standing``, by the ways that ``guides`` find."""
    release = standing.oracle.release
    facts = release.facts
    schemas = {
        "Row": row(standing),
        "Value": _cell("A value of a column that is not used."),
        "Answer": answer(standing),
        "Answers": _object({"predictions": {"type": "array", "items": _ref("Answer")}}, ["predictions"]),
        "Refused": _object(
            {"error": _object({"status": {"type": "integer"}, "reason": {"type": "string"}}, ["status", "reason"])},
            ["error"],
        ),
        "Rows": _rows(standing, most_rows),
    }
    asked = _question(standing)
    predict = {
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": _ref("Rows"), "example": {"instances": [asked]}}},
        },
        "responses": {"200": _answered(), **_refused("400", "401", "406", "408", "413", "415", "422", "503")},
    }
    ping = _object(
        {"status": {"const": "ok"}, "release": {"type": "string"}, "trouble": {"type": "string"}}, ["status"]
    )
    described = _object({"release": {"type": "string"}, "fingerprint": {"type": "string"}}, ["release", "fingerprint"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": facts.get("project", release.name),
            "version": __version__,
            "description": f"{facts.get('about', '')}. Release {release.name}.",
        },
        "paths": {
            "/ping": {"get": _get("Whether the server is healthy.", ping, key=False)},
            "/v1/release": {"get": _get("Which release answers, and how good it is.", described)},
            "/metrics": {
                "get": {
                    "summary": "Figures for Prometheus.",
                    "responses": {
                        "200": {"description": "figures", "content": {"text/plain": {"schema": {"type": "string"}}}},
                        **_refused("401", "503"),
                    },
                }
            },
            "/invocations": {
                "post": {"summary": "Answer rows as SageMaker and MLflow ask; also CSV and JSON lines.", **predict}
            },
            "/v1/predict": {"post": {"summary": "Answer rows, each in its place.", **predict}},
            "/v1/explain": {"post": _explain(standing, predict)},
            **({"/v1/along": {"post": _along(guides or Guides())}} if _outlined(standing) else {}),
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def release(standing: Standing) -> Plain:
    """Tell which release answers: what it predicts, its scores, and up to when it can be asked."""
    kept = standing.oracle.release
    facts = {name: kept.facts[name] for name in ("about", "project", "metric", "task", "cut") if name in kept.facts}
    prepared = standing.prepared
    until = prepared.last.isoformat() if prepared.panel.timed else None
    return {
        "release": kept.name,
        "fingerprint": kept.fingerprint,
        "created": kept.created.isoformat(),
        **facts,
        "known_until": until,
        "horizons": [str(step) for step in prepared.panel.horizons] if prepared.panel.timed else [],
        "classes": list(standing.oracle.classes),
        "columns": list(row(standing)["properties"]),
    }


def row(standing: Standing) -> Plain:
    """Schema of one row of a request."""
    prepared = standing.prepared
    return _own_row(standing, prepared) if prepared.panel.rows else _panel_row(standing, prepared)


def _panel_row(standing: Standing, prepared: Prepared) -> Plain:
    panel, known = prepared.panel, standing.oracle.places
    place = _cell(f"One of {known.len():,} places; one never met is answered with a wider interval and `outside`.")
    place["examples"] = known.head(EXAMPLES).to_list()
    latest = prepared.last.isoformat()
    properties = {
        PLACE_NAME: place,
        "start": _cell(f"Start of the period, local to {panel.zone}: 2020-03-01 or 2020-03-01T06:00."),
        "horizon": _cell(f"How far ahead it is asked: {', '.join(map(str, panel.horizons))}; known up to {latest}."),
    }
    if panel.places.lat is not None:
        properties |= {"lat": _cell("Latitude in degrees, in place of `place`."), "lon": _cell("Longitude in degrees.")}
    return _object(properties, []) | {"additionalProperties": _ref("Value")}


def _own_row(standing: Standing, prepared: Prepared) -> Plain:
    seen = {one.name: one for one in standing.oracle.release.schema()}
    properties = {name: _seen(seen.get(name)) for name in prepared.panel.own}
    return _object(properties, []) | {"additionalProperties": _ref("Value")}


def _seen(one: Seen | None) -> Plain:
    """A column as the release has met it."""
    if one is None:
        return _cell("Not used by this release.")
    if one.kind == "number":
        told = _cell(
            f"A number; seen from {one.low:g} to {one.high:g}."
            if one.low is not None and one.high is not None
            else "A number."
        )
        return told if one.low is None else told | {"examples": [one.low, one.high]}
    listed = list(one.categories or ())[:EXAMPLES]
    many = "" if one.categories is None else f"; {len(one.categories):,} were seen"
    return _cell(f"Text{many}.") | ({"examples": listed} if listed else {})


def _cell(told: str) -> Plain:
    """A value of a row; one that cannot be read in its column is answered with the reason."""
    bounded = {"type": "number", "minimum": -MOST_NUMBER, "maximum": MOST_NUMBER}
    kinds = [{"type": "string", "maxLength": MOST_TEXT}, bounded, {"type": "boolean"}, {"type": "null"}]
    return {"description": told, "anyOf": kinds}


def answer(standing: Standing) -> Plain:
    """Schema of one answer."""
    prepared, classes = standing.prepared, standing.oracle.classes
    maybe_number, maybe_text = {"type": ["number", "null"]}, {"type": ["string", "null"]}
    told: Plain = {}
    if prepared.panel.rows:
        told["unit"] = maybe_text
    if not prepared.panel.rows or prepared.panel.places.kind != "all":
        told["place"] = maybe_text
    if prepared.panel.timed:
        told |= dict.fromkeys(("start", "end", "as_of", "horizon"), maybe_text)
    if classes:
        chances = _object(dict.fromkeys(classes, maybe_number), list(classes))
        told |= {
            "prediction": {"enum": [*classes, None]},
            "probability": maybe_number,
            CHANCE.rstrip("_") + "s": chances,
        }
    else:
        told |= dict.fromkeys(("prediction", "low", "high"), maybe_number)
    told |= {
        "outside": {"type": ["boolean", "null"], "description": "Whether it lies outside what training has seen."},
        "reason": maybe_text | {"description": "Why there is no prediction; null where there is one."},
        "release": {"type": "string"},
    }
    return _object(told, list(told))


def _question(standing: Standing) -> Plain:
    """An example that is answered."""
    ready, prepared = standing.ready, standing.prepared
    if ready is not None and ready.height:
        local = ready["start"].dt.convert_time_zone(prepared.panel.zone).dt.strftime("%Y-%m-%dT%H:%M")
        return {PLACE_NAME: ready["place"][0], "start": local[0], "horizon": ready["horizon"][0]}
    rows = prepared.counted.rows
    told = {name: rows[name][-1] for name in prepared.panel.own} if rows.height else {}
    return {name: value if isinstance(value, (str, int, float, bool)) else str(value) for name, value in told.items()}


def _rows(standing: Standing, most_rows: int) -> Plain:
    """Rows of a request: a plain list, or an object that holds one of the shapes, beside whatever else it holds.

    ``dataframe_split`` is read as well: JSON Schema cannot say that its rows are as long as its columns are many.
    """
    # A column has to stand in one row at least: where it is missing, the others are answered, and that row is told why.
    needed = {"anyOf": [{"required": names} for names in _needed(standing)]}
    listed: Plain = {"type": "array", "minItems": 1, "maxItems": most_rows, "items": _ref("Row"), "contains": needed}
    ways: list[Plain] = [listed]
    for name in SHAPES:
        others: Plain = {other: False for other in SHAPES if other != name}
        if name != "dataframe_split":
            ways.append(_object({name: listed, **others}, [name]))
    return {"anyOf": ways}


def _needed(standing: Standing) -> list[list[str]]:
    """Columns without which nothing can be asked, in each way to ask."""
    panel = standing.prepared.panel
    if panel.rows:
        return [list(panel.own)]
    if panel.places.kind == "all":
        return [["start"]]
    return [["start", PLACE_NAME], *([["start", "lat", "lon"]] if panel.places.lat is not None else [])]


def _outlined(standing: Standing) -> bool:
    """Whether the places have outlines that a line can cross."""
    return not standing.prepared.panel.rows and standing.prepared.panel.places.kind in {"polygons", "h3"}


def _explain(standing: Standing, predict: Plain) -> Plain:
    reason = _object({"feature": {"type": "string"}, "reason": {"type": "number"}}, ["feature", "reason"])
    told = answer(standing)
    more = {"base": {"type": ["number", "null"]}, "reasons": {"type": ["array", "null"], "items": reason}}
    explained = _object(told["properties"] | more, [*told["required"], *more])
    body = _object({"explanations": {"type": "array", "items": explained}}, ["explanations"])
    classes = standing.oracle.classes
    chosen = {"name": "class", "in": "query", "schema": {"enum": list(classes)}, "required": len(classes) > 2}
    asked = {JSON: predict["requestBody"]["content"][JSON] | {"schema": _rows(standing, MOST_EXPLAINED)}}
    return {
        **predict,
        "requestBody": {"required": True, "content": asked},
        "summary": f"Answer up to {MOST_EXPLAINED} rows, with what adds to the usual prediction and what takes off it.",
        **({"parameters": [chosen]} if classes else {}),
        "responses": predict["responses"] | {"200": {"description": "reasons", "content": {JSON: {"schema": body}}}},
    }


def _along(guides: Guides) -> Plain:
    position = {
        "type": "array",
        "prefixItems": [
            {"type": "number", "minimum": -180, "maximum": 180},
            {"type": "number", "minimum": -90, "maximum": 90},
        ],
        "minItems": 2,
        "maxItems": 2,
    }
    positions = {"type": "array", "items": position, "minItems": 2}
    line = _object({"type": {"const": "LineString"}, "coordinates": positions | {"maxItems": 10_000}}, ["type"])
    line["required"].append("coordinates")
    text = {"type": "string", "minLength": 1, "maxLength": 500}
    ways = {"line": line, "points": positions | {"maxItems": 2}}
    if guides.geocoder is not None:
        ways["addresses"] = {"type": "array", "items": text, "minItems": 2, "maxItems": 2}
    number = {"type": "number", "minimum": -MOST_NUMBER, "maximum": MOST_NUMBER}
    others = {"cutoff": number, "time": {"type": ["string", "null"], "maxLength": 500}}
    asked = [_object({name: way, **others}, [name]) | {"additionalProperties": False} for name, way in ways.items()]
    told = _object(
        {
            "line": line,
            "how": {"type": "string"},
            "places": {"type": "array", "items": {"type": "object"}},
            "above": {"type": "array", "items": {"type": "string"}},
        },
        ["line", "how", "places", "above"],
    )
    codes = ("400", "401", "406", "408", "413", "415", "422", "503")
    return {
        "summary": "The places along a line, two points or two addresses, and those whose prediction passes a cutoff.",
        "requestBody": {"required": True, "content": {JSON: {"schema": {"oneOf": asked}}}},
        "responses": {"200": {"description": "places", "content": {JSON: {"schema": told}}}, **_refused(*codes)},
    }


def _object(properties: Plain, required: list[str]) -> Plain:
    return {"type": "object", "properties": properties, "required": required}


def _ref(name: str) -> Plain:
    return {"$ref": f"#/components/schemas/{name}"}


def _answered() -> Plain:
    return {
        "description": "One answer a row, in the order of the rows.",
        "content": {
            JSON: {"schema": _ref("Answers")},
            CSV: {"schema": {"type": "string"}},
            LINES: {"schema": {"type": "string"}},
        },
    }


def _refused(*codes: str) -> Plain:
    return {code: {"description": REFUSALS[code], "content": {JSON: {"schema": _ref("Refused")}}} for code in codes}


def _get(summary: str, schema: Plain, *, key: bool = True) -> Plain:
    codes = ("401", "503") if key else ()
    answered = {"description": summary, "content": {JSON: {"schema": schema}}}
    return {"summary": summary, "responses": {"200": answered, **_refused(*codes)}}
