"""The OpenAPI document: what FastAPI knows of the API, and by hand the one route that it does not serve."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from epilock.collect.form import Submission
from epilock.web import submit
from epilock.web.problem import CONTENT_TYPE

PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "urn:epilock:problem:<kind>"},
        "title": {"type": "string", "description": "In the language that was asked for."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong; never a value."},
        "fields": {"type": "array", "items": {"type": "object"}, "description": "Fields at fault."},
        "missing": {"type": "array", "items": {"type": "string"}, "description": "Missing acts."},
        "rule": {"type": "string"},
        "source": {"type": "array", "items": {"type": "string"}},
        "allowed": {"type": "string", "description": "What would be allowed instead."},
        "wait": {"type": "integer", "description": "Seconds until another attempt."},
    },
    "required": ["type", "title", "status"],
}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, routes=app.routes,
            description="Personal information in emergencies: a lock, a purpose, a clock, a witness.",
        )  # fmt: skip
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = PROBLEM
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        made["paths"][submit.PATH] = {"post": _submission(schemas)}
        for methods in made["paths"].values():
            for said in methods.values():
                said["responses"].pop("422", None)
                said["responses"]["default"] = _problem()
        app.openapi_schema = made
    return app.openapi_schema


def _submission(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the description of the submission route; its schemas are msgspec's."""
    (taken, given), parts = msgspec.json.schema_components(
        [Submission, submit.Receipt], ref_template="#/components/schemas/{name}"
    )
    schemas.update(parts)
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("org", "point")
    ]
    return {
        "tags": ["points"], "operationId": "post_submission", "parameters": path,
        "summary": "Submit a filled form",
        "description": "Answered only when the record is sealed, in the log and on the disk. The same "
        "client id again gives the same receipt.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": taken}}},
        "responses": {
            "201": {
                "description": "Stored",
                "content": {"application/json": {"schema": given}},
            }
        },
    }  # fmt: skip


def _problem() -> dict[str, Any]:
    return {
        "description": "A problem",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
