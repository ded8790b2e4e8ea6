"""A witness over HTTP (c2sp.org/tlog-witness): two addresses, no page, no session.

``POST /add-checkpoint`` asks for cosignatures; ``GET /<origin hash>/checkpoint`` is what everybody reads.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from epilock import errors
from epilock.ledger.folder import TEXT
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.request import MOST_BYTES

SIZE = "text/x.tlog.size"
STATUS: Mapping[type[Exception], int] = {
    errors.EpilockError: 500,
    errors.InputError: 400,
    errors.TooLargeError: 413,
    errors.AccessError: 403,
    errors.NotFoundError: 404,
    errors.OldSizeError: 409,
    errors.LedgerError: 422,
}


def create_witness_app(witness: Witness, *, now: Callable[[], datetime]) -> Starlette:
    """Return the service of ``witness``."""

    async def add_checkpoint(request: Request) -> Response:
        body = await _body(request)
        lines = await run_in_threadpool(witness.add_checkpoint, body, now=now())
        return Response(lines, media_type=TEXT)

    def newest(request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=5", "Access-Control-Allow-Origin": "*"}
        text = witness.newest(request.path_params["origin"])
        return Response(text, media_type=TEXT, headers=headers)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin}/checkpoint", newest, methods=["GET"]),
        ],
        exception_handlers={errors.EpilockError: _answer},
    )


async def _body(request: Request) -> bytes:
    """Return the body, read no further than its limit.

    Raises:
        TooLargeError: It is longer than that.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise errors.TooLargeError(f"a request has at most {MOST_BYTES} bytes")
    return bytes(body)


async def _answer(_: Request, error: Exception) -> Response:
    """Return an error as the specification has it; of a fault inside nothing is told but that."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, errors.OldSizeError):
        return Response(f"{error.size}\n", status, {"Content-Type": SIZE})  # and no charset
    text = "the witness cannot cosign now" if status == STATUS[errors.EpilockError] else str(error)
    return PlainTextResponse(f"{text}\n", status)
