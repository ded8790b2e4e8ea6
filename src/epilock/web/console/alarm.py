"""Alarms: what went around the program, and the two persons who let destruction go on."""

from fastapi import APIRouter
from starlette.responses import Response

from epilock.destroy import freeze
from epilock.registry import organisation as organisations
from epilock.web.console.desk import CheckedForm, DeskOf
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/alarms")
PART = "alarms"
HERE = "/console/alarms"


@router.get("")
def get_alarms(desk: DeskOf) -> Response:
    """Show the freeze that lasts with what was found, and earlier ones."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        found = freeze.listing(tx)
        top = not organisations.superiors(tx, desk.org)
    last = next((each for each in found if each.stage != freeze.LIFTED), None)
    may_ask = last is not None and last.stage == freeze.FROZEN and desk.has(*freeze.MAY_ASK)
    may_lift = last is not None and last.stage == freeze.ASKED and desk.has(*freeze.MAY_LIFT)
    return desk.show(
        "alarms.html", here=PART, last=last, reasons=freeze.REASONS, may_ask=top and may_ask,
        may_lift=top and may_lift and last is not None and last.asked_by != desk.who,
        earlier=[each for each in found if each.stage == freeze.LIFTED],
    )  # fmt: skip


@router.post("/ask")
def post_ask(desk: DeskOf, form: CheckedForm) -> Response:
    """Ask to lift the freeze, as the first person."""
    desk.need(*freeze.MAY_ASK)
    with desk.site.parts.database.write() as tx:
        freeze.ask(
            tx, by=desk.who, by_org=desk.org, roles=desk.session.staff.roles,
            reason=word(form, "reason", most=20), now=desk.site.now(),
        )  # fmt: skip
    return desk.go(HERE, done="freeze_asked")


@router.post("/lift")
def post_lift(desk: DeskOf, form: CheckedForm) -> Response:
    """Lift the freeze, as the second person."""
    del form
    desk.need(*freeze.MAY_LIFT)
    parts = desk.site.parts
    with parts.database.write() as tx:
        freeze.lift(
            tx, parts.log, standard_ref=parts.standard.ref, by=desk.who, by_org=desk.org,
            roles=desk.session.staff.roles, now=desk.site.now(),
        )  # fmt: skip
    return desk.go(HERE, done="freeze_lifted")
