"""Errors as HTTP: one table, problem details (RFC 9457) for programs, a plain page for people.

Rules kept in this file:
  1. A status is chosen here and nowhere else; the nearest class of the error decides.
  2. A person reads, in their language, what was wrong and what to do; a program the same in
     ``application/problem+json`` with a stable ``type``.
  3. Neither holds a value that someone gave: errors name fields, never values (``errors.py``, rule 2);
     of an error inside (5xx) only its kind is said.
  4. A database that cannot be reached, or has no room, is no fault inside: 503, with a wait. Its answer to
     a commit may be what was lost, so nothing is said of what was stored.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from epilock import errors
from epilock.web.security import ALWAYS, LengthRequiredError

TYPE = "urn:epilock:problem:"
CONTENT_TYPE = "application/problem+json"

STATUS: Mapping[type[Exception], int] = {
    errors.EpilockError: 500,
    errors.InputError: 400,
    errors.FieldsError: 422,
    errors.ConsentError: 422,
    errors.FileFormatError: 422,
    errors.UnattainableError: 422,
    errors.TooLargeError: 413,
    LengthRequiredError: 411,
    errors.StaleNoticeError: 409,
    errors.StandardFileError: 500,
    errors.RefusedError: 403,
    errors.NotDueError: 409,
    errors.HeldError: 409,
    errors.FrozenError: 409,
    errors.StateError: 409,
    errors.NotFoundError: 404,
    errors.ClosedError: 410,
    errors.SignInError: 401,
    errors.AccessError: 403,
    errors.RateError: 429,
    errors.BusyError: 503,
    errors.OutageError: 503,
    errors.KeysError: 503,
    errors.ErasedError: 410,
    errors.IntegrityError: 500,
    errors.LedgerError: 500,
}
OUTAGE = 5  # seconds until a database that gave no answer is asked again
INSIDE = 500  # from here on the fault is ours: the message stays inside
_OF_STATUS = {404: "not-found", 405: "method", 400: "input", 413: "too-large", 415: "file-format"}
_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_KEY = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as it is answered.

    Attributes:
        status: HTTP status.
        slug: Stable name of the kind, such as ``stale-notice``; the last part of ``type``.
        detail: The error's own sentence (English, without values); "" where the fault is ours.
        extra: Members beside the standard ones: ``fields``, ``mark``, ``missing``, ``rule``, ``source``, ``allowed``, ``allowed_zh``,
            ``wait``.
        headers: Such as ``Retry-After``.
    """

    status: int
    slug: str
    detail: str
    extra: Mapping[str, Any]
    headers: Mapping[str, str]

    def as_json(self, title: str) -> bytes:
        """Return the problem details document."""
        members = {"type": TYPE + self.slug, "title": title, "status": self.status, **self.extra}
        if self.detail:
            members["detail"] = self.detail
        return msgspec.json.encode(members)


def of(error: Exception) -> Problem:
    """Return the problem that ``error`` is answered with."""
    if isinstance(error, HTTPException):
        slug = _OF_STATUS.get(
            error.status_code, "input" if error.status_code < INSIDE else "inside"
        )
        return _problem(error.status_code, slug, "", headers=dict(error.headers or {}))
    if isinstance(error, RequestValidationError):
        return _problem(422, "input", _places(error.errors()))
    if _is_outage(error):
        error = errors.OutageError("the database gives no answer now", wait=OUTAGE)
    if isinstance(error, MemoryError):
        error = errors.OutageError("there is no memory left now", wait=OUTAGE)
    if not isinstance(error, errors.EpilockError):
        return _problem(INSIDE, "inside", "")
    kind = next(k for k in type(error).__mro__ if k in STATUS)
    status = STATUS[kind]
    if isinstance(error, errors.RateError | errors.BusyError | errors.OutageError):
        headers = {"Retry-After": str(error.wait)}
        return _problem(status, slug_of(type(error)), str(error), {"wait": error.wait}, headers)
    if status >= INSIDE:
        return _problem(status, "keys" if status > INSIDE else "inside", "")
    detail = "" if isinstance(error, errors.FieldsError) else str(error)
    return _problem(status, slug_of(type(error)), detail, _extra(error))


def _is_outage(error: Exception) -> bool:
    """Tell whether a database could not be asked, or gave no answer.

    A bare ``DatabaseError`` is the driver's: the database itself gave no code. A ``ProgrammingError`` that is
    about no statement is the driver's too, which had no memory to begin a connection.
    """
    if isinstance(error, sa.exc.ProgrammingError):
        return error.statement is None
    return isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError) or (
        type(error) is sa.exc.DatabaseError
    )


def slug_of(kind: type[Exception]) -> str:
    """Return the stable name of a kind of error: ``StaleNoticeError`` is ``stale-notice``."""
    return _WORD.sub("-", kind.__name__.removesuffix("Error")).lower()


def _problem(
    status: int,
    slug: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Problem:
    return Problem(
        status=status, slug=slug, detail=detail, extra=extra or {}, headers=headers or {}
    )


def _extra(error: errors.EpilockError) -> dict[str, Any]:
    if isinstance(error, errors.FieldsError):
        fields = [
            {"field": p.field, "code": p.code, "zh": p.zh, "en": p.en} for p in error.problems
        ]
        return {"fields": fields} | (
            {"mark": error.mark} if isinstance(error, errors.BoxError) else {}
        )
    if isinstance(error, errors.ConsentError):
        return {"missing": list(error.missing)}
    if isinstance(error, errors.RefusedError):
        said = {"rule": error.rule, "source": list(error.source), "allowed": error.allowed}
        said["allowed_zh"] = error.allowed_zh
        return {name: value for name, value in said.items() if value}
    return {}


def _places(found: Sequence[Mapping[str, Any]]) -> str:
    """Return where a document is wrong and how; keys that the sender made up are not repeated."""
    said = []
    for one in found:
        unknown = one.get("type") == "extra_forbidden"
        names = [str(n) for n in one.get("loc", ()) if _KEY.fullmatch(str(n))]
        where = ".".join(names[: -1 if unknown else None]) or "body"
        said.append(
            f"{where}: {'has a field that is not asked' if unknown else one.get('msg', '')}"
        )
    return "; ".join(dict.fromkeys(said))


def _program(request: Request) -> bool:
    """Tell whether a program asks: at the API always, at the log's files unless a browser shows them.

    A page's own script (``/offline/``) says that it takes JSON.
    """
    path, accepted = request.url.path, request.headers.get("accept", "")
    if path.startswith("/offline/"):
        return "application/json" in accepted
    if path in ALWAYS:
        return True
    return path.startswith("/api") or (path.startswith("/log/") and "text/html" not in accepted)


Page = Callable[[Request, Problem], Response]
Respond = Callable[[Request, Exception], Response]


def responder(page: Page, title: Callable[[Request, str], str]) -> Respond:
    """Return what answers errors: programs by problem details, people by ``page``.

    Args:
        page: Renders a problem for a person.
        title: Gives a problem's title, by its slug, in the language of the request.
    """

    def respond(request: Request, error: Exception) -> Response:
        problem = of(error)
        if _program(request):
            body = problem.as_json(title(request, problem.slug))
            return Response(body, problem.status, dict(problem.headers), CONTENT_TYPE)
        answer = page(request, problem)
        answer.headers.update(problem.headers)
        return answer

    return respond
