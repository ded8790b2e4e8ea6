"""The site: ``create_app`` puts the pages, the API and the log behind one guard. Importing does nothing."""

from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from epilock.accounts import oidc, place
from epilock.assemble import Parts
from epilock.destroy.beside import Runs
from epilock.destroy.move import Mover
from epilock.errors import EpilockError, SignInError
from epilock.web import (
    anchored,
    check,
    correction,
    form_check,
    front,
    log,
    machine,
    offline,
    receipt,
    resident,
    static,
    style,
    subject_request,
    submit,
    takeaway,
)
from epilock.web.api import page as api_page
from epilock.web.api import point as api_point
from epilock.web.api import receipt as api_receipt
from epilock.web.api import staff as api_staff
from epilock.web.api import standard as api_standard
from epilock.web.api.document import document
from epilock.web.console.carried import way_back
from epilock.web.console.desk import Desk, UnfinishedError, visitor_of
from epilock.web.console.door import turned_away
from epilock.web.console.proof import HOME, asked_for, is_of_staff
from epilock.web.console.rooms import ROUTERS
from epilock.web.hall import Hall
from epilock.web.language import LANGUAGES
from epilock.web.page import Links, Pages, pages_in
from epilock.web.problem import Problem, Respond, responder
from epilock.web.request import MOST_FIELDS, Site
from epilock.web.security import MAX_FORM, SUBMISSIONS, Guard, taken_at

MODULES = (
    static, front, style, form_check, resident, receipt, takeaway, subject_request, correction, check, offline, anchored, log, machine, api_page, api_point, api_receipt, api_standard, api_staff,
)  # fmt: skip
_SHUT = frozenset({403, 404})  # what is refused so may be shut to who asks, wherever it stands


def create_app(
    parts: Parts,
    *,
    insist: bool = True,
    languages: Path = LANGUAGES,
    hall: Hall | None = None,
    providers: oidc.Providers | None = None,
) -> ASGIApp:
    """Return the site of an installation; ``parts`` are opened and closed by the caller.

    Args:
        parts: The running installation.
        insist: Whether staff must set up a second factor before anything else; only a demonstration
            says no.
        languages: Folder with a file for each language that pages speak.
        hall: How much is let in at once; the usual bounds if None.
        providers: Identity providers, as they are asked; over the network if None.
    """
    pages, hall = pages_in(languages), hall or Hall()
    MultiPartParser.spool_max_size = MAX_FORM  # what is uploaded never rests on a disk unsealed
    app = FastAPI(
        title="Epilock", version=version("epilock"), docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", telemetry=_SILENT, generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.site = site = Site(parts, pages, Mover(parts.log, parts.keys, parts.standard))
    app.state.runs = Runs(parts.tools, parts.now, parts.works)
    app.state.insist = insist
    app.state.places = place.load(parts.settings.places)
    app.state.providers = providers or oidc.Providers()
    app.state.machine = machine.Machine(parts, hall)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    stands = [
        route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute) and _is_page(route)
    ]  # fmt: skip
    respond = _responder(pages, stands)

    async def handle(request: Request, error: Exception) -> Response:
        if _is_late(request, error):
            first = error.path if isinstance(error, UnfinishedError) else ""
            async with request.form(max_fields=MOST_FIELDS) as form:
                to = way_back(request, stands)
                answer = await run_in_threadpool(turned_away, site, request, form, to, first=first)
            if answer is not None:
                return answer
        if isinstance(error, HTTPException) and request.url.path.startswith(HOME):
            await run_in_threadpool(_recognise, request, site)
        return respond(request, error)

    for kind in (EpilockError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)
    for router in (*(module.router for module in MODULES), *ROUTERS):
        app.include_router(router)
    front = Front(submit.route(parts), app)
    guard = Guard(
        front, respond, secure=parts.settings.secure_cookies, hall=hall, meters=parts.meters
    )
    return guard if parts.traces is None else parts.traces.around(guard)


# FastAPI's own telemetry would tell addresses that were asked for and what errors say; ``traces`` tells neither.
_SILENT: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False,
}  # fmt: skip


class Front:
    """Sends submissions straight to their route, past everything that only pages need.

    Args:
        hot: The route of submissions.
        site: Everything else.
    """

    def __init__(self, hot: Route, site: ASGIApp) -> None:
        self._hot = hot
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].endswith(SUBMISSIONS):
            match, found = self._hot.matches(scope)
            if match is Match.FULL:
                scope.update(found, route=self._hot)
                await self._hot.handle(scope, receive, send)
                return
        await self._site(scope, receive, send)


def _is_page(route: APIRoute) -> bool:
    """Tell whether a route shows a page whatever stands behind the ``?`` of its address."""
    needs = any(field.field_info.is_required() for field in route.dependant.query_params)
    return "GET" in (route.methods or ()) and not needs


def _at_door(request: Request) -> bool:
    """Tell whether somebody looks at an address that one must sign in for.

    A device that keeps a page asks for it too: it must hear that it may not, and is not led to the door, which it
    would keep instead.
    """
    path = request.url.path
    return path.startswith(HOME) or (
        is_of_staff(path) and "text/html" in request.headers.get("accept", "")
    )


def _recognise(request: Request, site: Site) -> None:
    """Note who is signed in where an address of the console leads nowhere."""
    with suppress(EpilockError, SQLAlchemyError):
        visitor_of(request, site)


def _is_late(request: Request, error: Exception) -> bool:
    """Tell whether a form of the console came when its session had ended, or before its account was set up."""
    return (
        isinstance(error, SignInError)
        and request.method == "POST"
        and request.url.path.startswith(f"{HOME}/")
    )


def _responder(pages: Pages, stands: Sequence[Route]) -> Respond:
    """Return what answers errors: to the door where one must sign in, else a page or a document.

    Who is signed in stays within the console, and is led back to one of the pages that it ``stands`` on.
    """

    def page(request: Request, problem: Problem) -> Response:
        desk = getattr(request.state, "desk", None)
        if isinstance(desk, Desk) and request.url.path.startswith(HOME):
            to = way_back(request, stands, shut=problem.status in _SHUT)
            asked = desk.asked if request.method != "GET" else {}
            return desk.show(
                "problem.html", status=problem.status, problem=problem,
                back=Links(request, pages.languages)(to, **asked),
            )  # fmt: skip
        taken = taken_at(request.url.path) if problem.slug == "too-large" else None
        return pages.show(
            request, "problem.html", status=problem.status, problem=problem,
            again=taken.page if taken else "",
        )  # fmt: skip

    def title(request: Request, slug: str) -> str:
        return pages.speaker(request)(f"problem.{slug}.title")

    plain = responder(page, title)

    def respond(request: Request, error: Exception) -> Response:
        if not isinstance(error, SignInError) or not _at_door(request):
            return plain(request, error)
        if isinstance(error, UnfinishedError):
            return pages.go(request, error.path)
        return pages.go(request, f"{HOME}/sign-in", to=asked_for(request))

    return respond
