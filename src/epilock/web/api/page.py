"""The API as a page: every operation with its fields, made from the same OpenAPI document. No script."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.web.request import SiteOf

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        method, path: Such as ``POST`` and ``/api/receipts``.
        says: Its first sentence.
        takes, gives: Rows of name, type and meaning.
    """

    method: str
    path: str
    says: str
    takes: tuple[tuple[str, str, str], ...]
    gives: tuple[tuple[str, str, str], ...]


@router.get("/api")
def get_page(site: SiteOf, request: Request) -> Response:
    """Show the API."""
    document = request.app.openapi()
    return site.pages.show(
        request, "api.html", groups=groups(document), version=document["info"]["version"]
    )


def groups(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI document by tag."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            one = Operation(
                method=method.upper(), path=path, says=said.get("description", said["summary"]),
                takes=(*_parameters(said), *_body(document, said)), gives=_answer(document, said),
            )  # fmt: skip
            found.setdefault(said.get("tags", ["points"])[-1], []).append(one)
    return found


def _parameters(said: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (p["name"], _type(p["schema"]), f"{p['in']}{'' if p.get('required') else ', optional'}")
        for p in said.get("parameters", ())
    )


def _body(document: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    content = said.get("requestBody", {}).get("content", {})
    return _fields(document, _schema(content))


def _answer(
    document: Mapping[str, Any], said: Mapping[str, Any]
) -> tuple[tuple[str, str, str], ...]:
    good = next(a for status, a in said["responses"].items() if status.startswith("2"))
    content = good.get("content", {})
    return _fields(document, _schema(content))


def _schema(content: Mapping[str, Any]) -> Mapping[str, Any]:
    for of_type in content.values():
        found: Mapping[str, Any] = of_type.get("schema", {})
        return found
    return {}


def _fields(
    document: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[tuple[str, str, str], ...]:
    schema = schema.get("items", schema)
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return tuple(
        (name, _type(inner), inner.get("description", ""))
        for name, inner in schema.get("properties", {}).items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(_type(s) for s in schema["anyOf"])
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))}[]"
    return str(schema.get("format", schema.get("type", "object")))
