"""Witnesses: which must cosign the log from which day on, and how it stands with each.

The log is one for the whole installation; so its policy is announced by an administrator of the authority
that stands above all others here.
"""

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.errors import EpilockError, ForbiddenError
from epilock.ledger import gather, regime
from epilock.standard.level import CHINA
from epilock.web.console.desk import AUTHORITY, CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, file_in
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/witnesses")
PART = "witnesses"


@router.get("")
def get_witnesses(desk: DeskOf) -> Response:
    """Show the witnesses, the policies, and the form that announces another."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_policy(desk: DeskOf, form: CheckedForm) -> Response:
    """Announce a policy."""
    desk.need("administrator")
    if not _may_announce(desk):
        raise ForbiddenError("the log's witnesses are named by the authority above all others here")
    return _announce(desk, form)


def _announce(desk: Desk, form: FormData) -> Response:
    parts, now = desk.site.parts, desk.site.now()
    try:
        _, body = file_in(desk.request, form, "policy")
        with parts.database.write() as tx:
            regime.announce(
                tx, parts.log, standard_ref=parts.standard.ref, text=body,
                since=day_in(form, "since"), now=now,
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/witnesses", done="policy")


def _may_announce(desk: Desk) -> bool:
    above = desk.organisation
    return above.kind == AUTHORITY and above.parent is None and desk.has("administrator")


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    parts, now = desk.site.parts, desk.site.now()
    today = now.astimezone(CHINA).date()
    with parts.database.read() as tx:
        states = gather.status(tx, parts.log, now=now)
        announced = regime.listing(tx, parts.log)
        current = regime.in_force(tx, parts.log, today)
        size = parts.log.size(tx)
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "witnesses.html", here=PART, script=True, status=200 if wrong is None else wrong.status, wrong=wrong,
        states=states, announced=announced, current=current, size=size, today=today,
        typed=form or FormData(), may_announce=_may_announce(desk), vkey=parts.log.signer.vkey,
    )  # fmt: skip
