"""One exchange over HTTP, bounded in time and size, to the address that was given and to no other.

Here speak those who read a log, and the log when it asks its witnesses. What comes back is believed by
nobody before it is checked against signatures and hashes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from epilock.errors import InputError

SECONDS = 30.0
AGENT = "epilock"
TEXT = "text/plain; charset=utf-8"
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP status.
        body: Its bytes, one more than the limit at most: so that too much is noticed.
        kind: Its content type, without parameters, in lower case; "" if it does not say.
    """

    status: int
    body: bytes
    kind: str = ""


class _NoRedirect(HTTPRedirectHandler):
    """Who moved says so to people, not to programs."""

    def redirect_request(self, *_args: object, **_values: object) -> None:
        """Return None: the answer itself is the answer."""


_opener = build_opener(_NoRedirect)


def check_address(address: str) -> str:
    """Return ``address`` without a last slash, if it is one.

    Raises:
        InputError: It does not begin with http:// or https://, or has a query.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise InputError("an address begins with http:// or https:// and has no query")
    return address.rstrip("/")


def exchange(
    address: str,
    body: bytes | None = None,
    *,
    limit: int,
    seconds: float = SECONDS,
    kind: str = TEXT,
    more: Mapping[str, str] | None = None,
) -> Answer:
    """Return what ``address`` answers to a GET, or to a POST of ``body``; any status is an answer.

    Args:
        address: Where.
        body: What is posted, or None.
        limit: Most bytes of the answer.
        seconds: How long one may wait for the answer to begin, and again for all of it: who sends a byte
            now and then does not hold anyone up.
        kind: Content type of ``body``.
        more: Other headers of the request.

    Raises:
        InputError: It can't be reached, was cut off, or took too long. The text may hold the address.
    """
    headers = {"User-Agent": AGENT, **(more or {})}
    if body is not None:
        headers["Content-Type"] = kind
    request = Request(address, data=body, headers=headers)  # noqa: S310 - see ``check_address``
    try:
        try:
            answer = _opener.open(request, timeout=seconds)
        except HTTPError as error:
            answer = error
        with answer:
            found = _read(answer, limit + 1, time.monotonic() + seconds)
            if getattr(answer, "length", None) and len(found) <= limit:  # octets that were promised
                raise InputError("the answer was cut off")
            stated = answer.headers.get("Content-Type", "")
            return Answer(answer.status, found, stated.partition(";")[0].strip().lower())
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise InputError(f"no answer: {error}") from None


def _read(answer: Any, most: int, end: float) -> bytes:
    """Return the first ``most`` bytes of what comes before ``end``."""
    found = bytearray()
    while len(found) < most and (piece := answer.read1(min(_PIECE, most - len(found)))):
        found += piece
        if time.monotonic() > end:
            raise TimeoutError("it takes too long")
    return bytes(found)
