"""Objecting and complaining by receipt (PIPL 44, 50, 65): a ground of a list, no word that could tell who it is.

What comes of it is shown on the receipt's own page, so that nobody has to leave an address to be answered.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.db import Transaction
from epilock.destroy import subject_request as requests
from epilock.destroy.subject_request import GROUNDS, SubjectRequest
from epilock.errors import InputError, StateError
from epilock.web import receipt
from epilock.web.holding import Holding
from epilock.web.request import FormOf, Site, SiteOf, word

router = APIRouter(include_in_schema=False)


@router.post("/r/ask")
def post_ask(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Show the grounds of an objection or a complaint; with one chosen, take it."""
    kind, ground = word(form, "kind", most=10), word(form, "ground", most=20)
    if kind not in GROUNDS:
        raise InputError(f"a request is {' or '.join(GROUNDS)}")
    sent = bool(word(form, "sent", most=1))

    def shown(_: Transaction, held: Holding) -> Response:
        if ground in GROUNDS[kind]:
            return receipt.page(
                site, request, form, "receipt/asked.html", held=held, kind=kind, ground=ground,
                asked=take(site, held, kind, ground),
            )  # fmt: skip
        return receipt.page(
            site, request, form, "receipt/request.html", status=422 if sent else 200, held=held,
            kind=kind, grounds=GROUNDS[kind], wrong=sent,
        )  # fmt: skip

    return receipt.with_code(site, request, form, shown)


def take(site: Site, held: Holding, kind: str, ground: str) -> SubjectRequest:
    """Take a request of the person whose receipt was shown, and return it.

    One that is open already stays as it is, and is returned instead, so that sending twice is harmless.
    """
    parts, place = site.parts, (held.record.bucket, held.record.n)
    try:
        with parts.database.write() as tx:
            return requests.ask(
                tx, parts.log, standard_ref=parts.standard.ref, org=held.org, bucket=place[0], n=place[1],
                kind=kind, ground=ground, now=site.now(),
            )  # fmt: skip
    except StateError:
        with parts.database.read() as tx:
            known = requests.of_record(tx, held.org, {place})
        return next(r for r in known if r.kind == kind and r.answered is None)
