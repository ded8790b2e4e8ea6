"""Accounts from a file: look at what it would do, then carry out exactly that.

Rules kept in this file:
  1. The file is not kept between the look and the doing: it is chosen again, and its fingerprint must be that
     of what was shown.
  2. One-time passwords leave in the answer that makes them, as a file, and are nowhere else.
"""

import csv
import io

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.accounts import roster
from epilock.accounts.roster import Planned
from epilock.db import Transaction
from epilock.errors import EpilockError, InputError, StateError
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.log import download
from epilock.web.problem import of as problem_of
from epilock.web.request import file_in, word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/accounts/import")
PART = "accounts"
MOST_NEW = (
    100  # accounts made by one answer: each hash takes a tenth of a second, so this is some ten
)


@router.get("")
def get_import(desk: DeskOf) -> Response:
    """Show the form that a file is chosen with."""
    desk.enter(PART)
    return _page(desk, None)


@router.post("")
def post_import(desk: DeskOf, form: CheckedForm) -> Response:
    """Show what a file would do, or do what was shown."""
    desk.enter(PART)
    return _take(desk, form)


def _take(desk: Desk, form: FormData) -> Response:
    others = bool(word(form, "others", most=3))
    try:
        _, body = file_in(desk.request, form, "file")
        if not body:
            raise InputError("choose the file of accounts")
        with desk.site.parts.database.read(org=desk.org) as tx:
            planned = _planned(tx, desk, body, others=others)
        if word(form, "go", most=10) != "import":
            return _page(desk, planned, others=others)
        return _carried_out(desk, planned, body, word(form, "fingerprint", most=64), others=others)
    except WRONG as error:
        return _page(desk, None, error)


def _carried_out(
    desk: Desk, planned: Planned, body: bytes, fingerprint: str, *, others: bool
) -> Response:
    """Do it; what new accounts there are is known before the transaction, for hashing takes its time."""
    number = len(planned.of("new"))
    if number > MOST_NEW:
        raise StateError(f"more than {MOST_NEW} new accounts are made with `epilock staff import`")
    once = roster.hashed(number) if planned.fingerprint == fingerprint else []
    parts = desk.site.parts
    with parts.database.write() as tx:
        made = roster.carry_out(
            tx, parts.log, standard_ref=parts.standard.ref, org=desk.org,
            planned=_planned(tx, desk, body, others=others), fingerprint=fingerprint, once=once, now=desk.site.now(),
        )  # fmt: skip
    if not made:
        return desk.go("/console/accounts", done="roster")
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("userName", "one-time password"), *made])
    return download(out.getvalue().encode(), "one-time-passwords.csv", "text/csv; charset=utf-8")


def _planned(tx: Transaction, desk: Desk, body: bytes, *, others: bool) -> Planned:
    return roster.plan(tx, desk.org, body, others=others, own=(desk.org, desk.who))


def _page(
    desk: Desk, planned: Planned | None, error: EpilockError | None = None, *, others: bool = False
) -> Response:
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "roster.html", here=PART, script=True, status=200 if wrong is None else wrong.status, wrong=wrong, planned=planned,
        others=others, most=MOST_NEW, columns=(*roster.NEEDED, roster.MAY),
    )  # fmt: skip
