"""The OpenAPI document: what FastAPI knows of the API, and by hand the one route that it does not serve."""

from collections.abc import Sequence
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
        "allowed_zh": {
            "type": "string",
            "description": "The same in Chinese, where the standard says it.",
        },
        "wait": {"type": "integer", "description": "Seconds until another attempt."},
    },
    "required": ["type", "title", "status"],
}
_CODE = {"code": "$response.body#/receipt"}
_SAME = {"code": "$response.body#/code"}
LINKS: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
    (
        "get_point", "200", "post_submission",
        {
            "parameters": {"org": "$response.body#/org", "point": "$response.body#/point"},
            "requestBody": {"notice": "$response.body#/notice"},
        },
        "A submission names the notice that was read; `given` and `fields` follow its acts and fields.",
    ),
    ("post_submission", "201", "post_receipt", {"requestBody": _CODE}, "What is held for this receipt."),
    ("post_submission", "201", "post_data", {"requestBody": _CODE}, "The record, for its person."),
    (
        "post_submission", "201", "post_proof",
        {"requestBody": {**_CODE, "entry": "$response.body#/index"}}, "That the record stands in the log.",
    ),
    ("post_submission", "201", "post_whole", {"requestBody": _CODE}, "The whole receipt."),
    ("post_submission", "201", "post_correct", {"requestBody": _CODE}, "Other answers in their place."),
    ("post_submission", "201", "post_ask", {"requestBody": _CODE}, "An objection or a complaint."),
    ("post_submission", "201", "post_withdraw", {"requestBody": _CODE}, "Erase what rests on consent."),
    (
        "post_receipt", "200", "post_proof", {"requestBody": {**_SAME, "entry": "$response.body#/proofs/0/entry"}},
        "That a part is gone; so for each of `proofs`.",
    ),
    ("post_receipt", "200", "post_withdraw", {"requestBody": _SAME}, "Erase the parts in `withdrawable`."),
    (
        "post_receipt", "200", "get_point",
        {"parameters": {"org": "$response.body#/org", "point": "$response.body#/point"}},
        "The point where it was given, with the notice that is in force there now.",
    ),
    ("post_correct", "200", "post_receipt", {"requestBody": _SAME}, "The code stays the same."),
    (
        "get_emergencies", "200", "get_due",
        {
            "parameters": {
                "query.authority": "$response.body#/0/authority", "query.emergency": "$response.body#/0/emergency",
            }
        },
        "When a part of a bucket of this emergency is due.",
    ),
)  # fmt: skip
"""What an answer is good for next: operation, status, the next operation, what it takes from the answer, and why."""


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
        _link([said for methods in made["paths"].values() for said in methods.values()])
        app.openapi_schema = made
    return app.openapi_schema


def _link(operations: Sequence[dict[str, Any]]) -> None:
    """Put the links of OpenAPI into the answers that they start from."""
    known = {said["operationId"]: said for said in operations}
    for source, status, target, taken, says in LINKS:
        links = known[source]["responses"][status].setdefault("links", {})
        links[target] = {"operationId": known[target]["operationId"], "description": says, **taken}


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
