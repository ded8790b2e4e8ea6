"""What holds for every request and every answer, before and after any page is asked.

Rules kept in this file:
  1. No answer leaves without the headers below; none may be kept by a cache unless it says so itself.
     There is no inline script or style and no other host: the policy forbids them (CSP level 3).
  2. A body has a stated length and a limit: 64 KiB, and where a file is taken (``FILES``) twice what that may have.
     So a file that is somewhat too large reaches its page, which keeps what was typed beside it. A body of
     unstated length is refused (411), so that nothing has to be counted while it arrives.
  3. A form that another site sends is refused: browsers say where a request comes from
     (``Sec-Fetch-Site``, W3C Fetch Metadata). The console checks its session's token besides. A
     resident's page has no cookie, so another site's form could do nothing that its sender could not
     do without a victim; its ticket (``ticket.py``) says which notice was shown.
  4. What comes in when too much is inside already is turned away (``hall.py``).
  5. An unexpected error is answered with a page that says so, and logged by kind and place, never by
     its message or values.
"""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epilock.accounts import roster
from epilock.collect import outbox, photograph
from epilock.errors import BusyError, ForbiddenError, InputError, TooLargeError
from epilock.ledger import regime
from epilock.meters import Meters
from epilock.web.hall import Hall

MAX_BODY = 65_536  # bytes of a form or JSON document


class Taken(NamedTuple):
    """What is taken where a form with a file is sent.

    Attributes:
        most: Bytes that the file has at most.
        page: Address of the page with the form.
    """

    most: int
    page: str


FILES: Mapping[str, Taken] = MappingProxyType(
    {
        "/check": Taken(1_000_000, "/check"),
        "/console/points/upload": Taken(2_000_000, "/console/points/new"),
        "/console/papers/assessments": Taken(2_000_000, "/console/papers/assessments"),
        "/console/imports": Taken(1_000_000, "/console/imports"),
        "/console/accounts/import": Taken(roster.MAX_BYTES, "/console/accounts/import"),
        "/console/witnesses": Taken(regime.MOST_BYTES, "/console/witnesses"),
        "/console/offline/outbox": Taken(outbox.MAX_FILE, "/console/offline"),
    }
)
PAPER = "/console/sheets/"  # a page is sent to its point's address, with its photograph
MAX_FORM = 2 * photograph.MOST_BYTES  # bytes of the largest body there is
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
POLICY_WITH_SCRIPT = (
    f"{POLICY}; script-src 'self'"  # for pages that check a proof or fill in a code
)
POLICY_OFFLINE = (  # for pages that a device keeps, and their worker
    f"{POLICY_WITH_SCRIPT}; connect-src 'self'; worker-src 'self'; manifest-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000; includeSubDomains"
SUBMISSIONS = "/submissions"
ALWAYS = frozenset({"/health", "/ready", "/metrics"})  # also when the hall is full
_FAULT = 500  # from here on an answer says that the fault is ours
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_log = logging.getLogger(__name__)

Respond = Callable[[Request, Exception], Response]


class LengthRequiredError(InputError):
    """A body came without its length; send ``Content-Length``."""


class Guard:
    """ASGI middleware around the whole site; see the rules of the module.

    Args:
        app: The site.
        respond: Makes the answer to an error.
        secure: Whether the site is served over TLS (then browsers are told to insist on it).
        hall: How much is let in at once.
        meters: Where answers are counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        respond: Respond,
        *,
        secure: bool,
        hall: Hall,
        meters: Meters | None = None,
    ) -> None:
        self._app = app
        self._respond = respond
        self._hall = hall
        self._meters = meters or Meters()
        wanted = {**HEADERS, **({"Strict-Transport-Security": HSTS} if secure else {})}
        self._headers = [
            (k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in wanted.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, began = False, time.perf_counter()
        submission = scope["path"].endswith(SUBMISSIONS)
        kind = "submission" if submission else "other"

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._meters.answers.labels(kind, message["status"]).inc()
                self._meters.seconds.labels(kind).observe(time.perf_counter() - began)
                headers = message["headers"]
                there = {name for name, _ in headers}
                headers.extend(pair for pair in self._headers if pair[0] not in there)
            await send(message)

        try:
            octets = check(scope)
            if scope["path"] in ALWAYS:
                await self._app(scope, receive, guarded)
                return
            with self._hall.admit(octets, submission=submission):
                await self._app(scope, receive, guarded)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:
            if started:
                raise
            answer = self._respond(Request(scope, receive), error)
            if answer.status_code >= _FAULT and not isinstance(error, BusyError):
                _log.error("unexpected %s", place_of(error))
            await answer(scope, receive, guarded)


def check(scope: Scope) -> int:
    """Return how many octets a request that may come in brings.

    Raises:
        LengthRequiredError: Its body has no stated length.
        TooLargeError: Its body is larger than the limit.
        ForbiddenError: Another site sent it.
    """
    if scope["method"] in _BODILESS:
        return 0
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise ForbiddenError(
            "this form was sent from another site; open the page itself and try again"
        )
    stated = headers.get("content-length", "")
    if not stated.isascii() or not stated.isdigit():
        if "transfer-encoding" in headers:
            raise LengthRequiredError("a body needs its length (Content-Length)")
        return 0
    taken = taken_at(scope["path"])
    if taken is None and int(stated) > MAX_BODY:
        raise TooLargeError(f"at most {size_of(MAX_BODY)} is taken here")
    if taken is not None and int(stated) > 2 * taken.most:
        raise too_large(taken)
    return int(stated)


def taken_at(path: str) -> Taken | None:
    """Return what is taken at ``path``, or None if it takes no file."""
    head, _, point = path.rpartition("/")
    if f"{head}/" == PAPER and point:
        return Taken(photograph.MOST_BYTES, path)
    return FILES.get(path)


def too_large(taken: Taken) -> TooLargeError:
    """Return the error that a file is larger than is taken."""
    return TooLargeError(f"a file of at most {size_of(taken.most)} is taken here")


def size_of(count: int) -> str:
    """Return a count of bytes as people read it: ``64 KB``, ``1 MB``."""
    return f"{count // 1_024} KB" if count < 1_000_000 else f"{count / 1_000_000:g} MB"  # noqa: PLR2004 - a megabyte


def place_of(error: BaseException) -> str:
    """Return the kind of an error and where it was raised, without its message or any value."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return f"{type(error).__name__} at " + " < ".join(
        f"{frame.name}:{frame.lineno}" for frame in reversed(frames)
    )
