"""The review of accounts: who joined, moved, left, is not seen any more; confirmed, changed or disabled on one page."""

from datetime import datetime

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.accounts import administer, attest, staff
from epilock.accounts.attest import Standing
from epilock.db import Transaction
from epilock.errors import EpilockError
from epilock.web.console.computed import Computed, Question, arrange
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import word, words
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/accounts/review")
PART = "accounts"
HERE = "/console/accounts/review"


@router.get("")
def get_review(desk: DeskOf) -> Response:
    """Show how the accounts stand."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_review(desk: DeskOf, form: CheckedForm) -> Response:
    """Confirm the accounts that are ticked, or change or disable one."""
    desk.enter(PART)
    try:
        with desk.site.parts.database.write() as tx:
            done = _do(tx, desk, form)
    except WRONG as error:
        return _page(desk, error)
    return desk.go(HERE, done=done)


def _do(tx: Transaction, desk: Desk, form: FormData) -> str:
    change, disable = word(form, "change", most=20), word(form, "disable", most=20)
    if not change and not disable:
        for code in words(form, "account"):
            attest.confirm(tx, desk.org, code, by=desk.session.staff, now=desk.site.now())
        return "attested"
    code, parts = change or disable, desk.site.parts
    administer.set_roles(
        tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, code=code,
        roles=tuple(words(form, f"role.{code}")) if change else (), by=desk.session.staff, now=desk.site.now(),
    )  # fmt: skip
    return "roles"


def _plan(now: datetime) -> Computed[Standing]:
    return Computed(
        path=HERE, order="due", key=lambda s: s.account.staff,
        sorts={
            "due": lambda s: s.due, "login": lambda s: s.account.login,
            "signed_in": lambda s: s.signed_in or s.joined,
        },
        filters={
            "note": Question(fits=lambda s, note: note in s.notes(now), options=attest.NOTES),
            "role": Question(fits=lambda s, role: role in s.account.roles, options=staff.ROLES),
        },
        columns={
            "account": lambda s: s.account.staff, "roles": lambda s: " ".join(sorted(s.account.roles)),
            "notes": lambda s: " ".join(s.notes(now)), "joined": lambda s: s.joined,
            "signed_in": lambda s: s.signed_in or "", "confirmed_by": lambda s: s.confirmed_by or "",
            "due": lambda s: s.due,
        },
    )  # fmt: skip


def _page(desk: Desk, error: EpilockError | None = None) -> Response:
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = attest.standings(tx, desk.org, now=desk.site.now())
    page = arrange(_plan(desk.site.now()), [s for s in found if s.left is None], desk.query)
    if page.export:
        return page.file("review")
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "attest.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        page=page, notes=attest.NOTES, gone=[s for s in found if s.left is not None],
        roles=[(role, desk.t(f"console.role.{role}")) for role in staff.ROLES], grace=attest.GRACE, every=attest.EVERY,
    )  # fmt: skip
