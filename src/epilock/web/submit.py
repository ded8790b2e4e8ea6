"""The hot path: ``POST /api/points/<org>/<point>/submissions``, answered when the record is durable.

A plain route with msgspec: the body is checked against the compiled form, waits in the writer's queue,
and one wake-up of the event loop answers a whole batch.

The compiled form is kept until the writer says that its notice is no longer in force: the writer checks
in the transaction that would store the record, so a form that is kept too long can do no harm.
"""

import asyncio
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from epilock.assemble import Parts
from epilock.collect import issue
from epilock.collect.form import Accepted, Form, Submission, parse
from epilock.collect.record import Stored
from epilock.errors import ClosedError, StaleNoticeError
from epilock.standard.level import CHINA

PATH = "/api/points/{org}/{point}/submissions"
MOST_FORMS = 10_000


class Receipt(msgspec.Struct):
    """What is answered.

    Attributes:
        receipt: Short code.
        bucket: Where the record lies.
        n: Its number there.
        index: Index of its ledger entry.
        proof: ``.tlog-proof`` text; "" for a repeated submission.
        commitment_key: Hex; "" for a repeated submission.
        repeated: Whether it had been stored before.
    """

    receipt: str
    bucket: str
    n: int
    index: int
    proof: str
    commitment_key: str
    repeated: bool


_ENCODER = msgspec.json.Encoder()


@dataclass(slots=True)
class Forms:
    """Compiled forms by point, read again when the writer finds that one is no longer in force."""

    parts: Parts
    _kept: dict[tuple[str, str], Form]

    def get(self, org: str, point: str) -> Form:
        """Return the form in force, perhaps an older one that the writer will refuse.

        Raises:
            NotFoundError: There is no such point.
            ClosedError: It has closed.
        """
        found = self._kept.get((org, point))
        if found is None:
            with self.parts.database.read(org=org) as tx:
                known, issued = issue.in_force(tx, org, point)
            if known.closed is not None:
                raise ClosedError("this collection point has closed; nothing was stored")
            if len(self._kept) >= MOST_FORMS:
                self._kept.clear()
            found = issue.form_of(self.parts.standard, known, issued)
            self._kept[org, point] = found
        return found

    def drop(self, org: str, point: str) -> None:
        """Forget a form."""
        self._kept.pop((org, point), None)

    def accept(self, org: str, point: str, submission: Submission) -> Accepted:
        """Return what may be stored of a submission; a form that is kept too long is read again once."""
        today = self.parts.now().astimezone(CHINA).date()
        try:
            return self.get(org, point).accept(submission, today=today)
        except StaleNoticeError:
            self.drop(org, point)
            return self.get(org, point).accept(submission, today=today)


class _Submit:
    """The endpoint, an ASGI application of its own: nothing stands between it and the guard."""

    def __init__(self, parts: Parts) -> None:
        self._writer = parts.writer
        self._forms = Forms(parts, {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = scope["path_params"]
        org, point = where["org"], where["point"]
        body = await Request(scope, receive).body()
        accepted = self._forms.accept(org, point, parse(body))
        try:
            stored = await self._writer.submit_from(accepted, asyncio.get_running_loop())
        except (StaleNoticeError, ClosedError):
            self._forms.drop(org, point)
            raise
        said = Response(_ENCODER.encode(answer(stored)), 201, media_type="application/json")
        await said(scope, receive, send)


def route(parts: Parts) -> Route:
    """Return the route."""
    return Route(PATH, _Submit(parts), methods=["POST"])


def answer(stored: Stored) -> Receipt:
    """Return what a person or program is told of a stored submission."""
    return Receipt(
        stored.code, stored.bucket, stored.n, stored.index, stored.proof,
        stored.commitment_key.hex(), stored.repeated,
    )  # fmt: skip
