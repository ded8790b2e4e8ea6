"""The site's own files: one style sheet, one icon, one short script. Nothing comes from elsewhere."""

from functools import lru_cache

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.errors import NotFoundError
from epilock.web.page import STATIC
from epilock.web.squeeze import squeeze

router = APIRouter(include_in_schema=False)
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".js": "text/javascript; charset=utf-8",
}
_FOREVER = "public, max-age=31536000, immutable"  # the address holds the content's hash


@router.get("/static/{name}")
def get_static(name: str, request: Request) -> Response:
    """Return one file."""
    file = _files().get(name)
    if file is None:
        raise NotFoundError("there is no such file")
    return squeeze(
        request, Response(file[0], media_type=file[1], headers={"Cache-Control": _FOREVER})
    )


@router.get("/favicon.ico")
def get_icon(request: Request) -> Response:
    """Return the icon to browsers that ask without having read the page."""
    return get_static("icon.svg", request)


@lru_cache(maxsize=1)
def _files() -> dict[str, tuple[bytes, str]]:
    return {p.name: (p.read_bytes(), _TYPES[p.suffix]) for p in STATIC.iterdir()}
