"""Alarms: what went around the program, and the two persons who let destruction go on."""

from fastapi import APIRouter
from starlette.responses import Response

from epilock.destroy import freeze
from epilock.destroy.freeze import Freeze
from epilock.registry import organisation as organisations
from epilock.web.console import listing
from epilock.web.console.desk import CheckedForm, DeskOf
from epilock.web.console.listing import Plan
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/alarms")
PART = "alarms"
HERE = "/console/alarms"
_C = freeze.freezes.c
_PLAN: Plan[Freeze] = Plan(
    path=HERE, table=freeze.freezes, key=_C.freeze, read=lambda _, rows: [freeze.read(row) for row in rows],
    sorts={"begun": _C.begun, "count": _C.count}, order="-begun",
    filters={
        "reason": listing.equal(_C.reason, freeze.REASONS), "since": listing.since(_C.begun),
        "until": listing.until(_C.begun),
    },
    columns={
        "freeze": lambda f: f.freeze, "begun": lambda f: f.begun, "findings": lambda f: f.count,
        "reason": lambda f: f.reason, "asked_by": lambda f: f.asked_by, "asked": lambda f: f.asked,
        "lifted_by": lambda f: f.lifted_by, "lifted": lambda f: f.lifted,
    },
)  # fmt: skip


@router.get("")
def get_alarms(desk: DeskOf) -> Response:
    """Show the freeze that lasts with what was found, and earlier ones."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        last = freeze.current(tx)
        page = listing.find(
            tx, _PLAN, desk.query, _C.org == freeze.INSTALLATION, _C.stage == freeze.LIFTED
        )
        top = not organisations.superiors(tx, desk.org)
    if page.export:
        return page.file("alarms")
    may_ask = last is not None and last.stage == freeze.FROZEN and desk.has(*freeze.MAY_ASK)
    may_lift = last is not None and last.stage == freeze.ASKED and desk.has(*freeze.MAY_LIFT)
    return desk.show(
        "alarms.html", here=PART, last=last, reasons=freeze.REASONS, may_ask=top and may_ask,
        may_lift=top and may_lift and last is not None and last.asked_by != desk.who,
        page=page,
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
