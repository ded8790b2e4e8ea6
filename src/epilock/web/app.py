"""The site: ``create_app`` puts the pages, the API and the log behind one guard. Importing does nothing."""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from epilock.assemble import Parts
from epilock.errors import EpilockError
from epilock.web import log, resident, static
from epilock.web.page import Pages
from epilock.web.problem import Problem, responder
from epilock.web.request import Site
from epilock.web.security import Guard


def create_app(parts: Parts) -> FastAPI:
    """Return the site of an installation; ``parts`` are opened and closed by the caller."""
    pages = Pages()
    app = FastAPI(
        title="Epilock", version=version("epilock"), docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.site = Site(parts, pages)
    app.state.parts = parts

    def page(request: Request, problem: Problem) -> Response:
        return pages.show(request, "problem.html", status=problem.status, problem=problem)

    def title(request: Request, slug: str) -> str:
        return pages.speaker(request)(f"problem.{slug}.title")

    respond = responder(page, title)

    async def handle(request: Request, error: Exception) -> Response:
        return respond(request, error)

    for kind in (EpilockError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)
    app.add_middleware(Guard, respond=respond, secure=parts.settings.secure_cookies)
    for module in (static, resident, log):
        app.include_router(module.router)
    return app
