"""A mirror over HTTP: the files of one published folder, as any web server could serve them.

They stand at the root, and below the hash of the log's origin, where c2sp.org/tlog-mirror has them.
"""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from epilock.errors import NotFoundError
from epilock.ledger import folder as folders
from epilock.ledger import regime
from epilock.ledger.folder import CHECKPOINT, PublishedFolder
from epilock.ledger.tile import Tile
from epilock.ledger.witness.memory import origin_hash


def create_mirror_app(folder: Path) -> Starlette:
    """Return the service of the copy in ``folder``."""
    files = PublishedFolder(folder)

    def get(request: Request) -> Response:
        path = request.path_params["path"]
        text = files.text()
        if text is not None:
            path = path.removeprefix(f"{origin_hash(text.partition(chr(10))[0])}/")
        body = files.find(path) if _is_public(path) else None
        if body is None:
            return PlainTextResponse("this copy has no such file\n", 404)
        found = folders.served(path, body)
        headers = {"Cache-Control": found.cache_control, "Access-Control-Allow-Origin": "*"}
        return Response(found.body, media_type=found.content_type, headers=headers)

    return Starlette(routes=[Route("/{path:path}", get, methods=["GET"])])


def _is_public(path: str) -> bool:
    """Tell whether ``path`` is one that a log has; nothing else in the folder is anybody's business."""
    if path == CHECKPOINT or regime.PATH.fullmatch(path):
        return True
    try:
        Tile.parse(path)
    except NotFoundError:
        return False
    return True
