"""What this installation is set to, to be read: settings of the machine, and limits that the program keeps.

Nothing can be changed here: who may set the machine's variables is not decided in the console. No address
that may hold a password or a paid-for key is shown.
"""

from datetime import timedelta
from importlib.metadata import version

from fastapi import APIRouter
from sqlalchemy.engine import make_url
from starlette.responses import Response

from epilock.accounts import session as sessions
from epilock.destroy import request as requests
from epilock.ledger import shards
from epilock.ledger.audit import GRACE
from epilock.ledger.audit.opening import REVIEW_WITHIN
from epilock.settings import AnchorSettings
from epilock.use import grant as grants
from epilock.web.console.desk import DeskOf
from epilock.web.console.proof import ATTEMPTS, WINDOW

router = APIRouter(include_in_schema=False, prefix="/console/settings")
PART = "settings"


@router.get("")
def get_settings(desk: DeskOf) -> Response:
    """Show the settings, each with the variable that sets it, and the limits."""
    desk.enter(PART)
    parts = desk.site.parts
    told = parts.settings
    machine = [
        ("url", told.url, "EPILOCK_URL"),
        ("tls", _yes(desk, on=told.secure_cookies), "EPILOCK_URL"),
        ("origin", ", ".join(log.origin for log in shards.all_of(parts.log)), "EPILOCK_ORIGIN"),
        ("database", make_url(told.database).get_backend_name(), "EPILOCK_DATABASE"),
        ("keys", make_url(told.key_database).get_backend_name(), "EPILOCK_KEY_DATABASE"),
        ("cooling", _span(desk, told.cooling), "EPILOCK_COOLING_HOURS"),
        *_anchors(desk, told.anchor),
    ]
    limits = [
        ("idle", _span(desk, sessions.IDLE)),
        ("session", _span(desk, sessions.LONGEST)),
        ("factor", _yes(desk, on=desk.request.app.state.insist)),
        ("attempts", desk.t("console.settings.within", n=ATTEMPTS, span=_span(desk, WINDOW))),
        ("grant_days", _span(desk, grants.LONGEST)),
        ("grant_subjects", desk.t.number(grants.MOST_SUBJECTS)),
        ("grant_tables", desk.t.number(grants.MOST_TABLES)),
        ("review", _span(desk, REVIEW_WITHIN)),
        ("requests", _span(desk, requests.ANSWER_WITHIN)),
        ("grace", _span(desk, GRACE)),
    ]
    return desk.show(
        "settings.html", here=PART, machine=machine, limits=limits, version=version("epilock")
    )


def _anchors(desk: DeskOf, told: AnchorSettings) -> list[tuple[str, str, str]]:
    found = [
        ("chain", _yes(desk, on=told.chain is not None), "EPILOCK_ANCHOR_RPC"),
        ("stamps", _yes(desk, on=told.stamps is not None), "EPILOCK_ANCHOR_TSA"),
    ]
    if told.chain or told.stamps:
        every = desk.t(
            "console.settings.every", n=desk.t.number(told.entries), span=_span(desk, told.every)
        )
        found.append(("anchored", every, "EPILOCK_ANCHOR_ENTRIES, EPILOCK_ANCHOR_HOURS"))
    return found


def _yes(desk: DeskOf, *, on: bool) -> str:
    return desk.t("console.yes") if on else desk.t("console.no")


def _span(desk: DeskOf, span: timedelta) -> str:
    """Return a span of time in the largest unit of which it is a whole number, more than one."""
    for unit, seconds in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if span.total_seconds() % seconds == 0 and span.total_seconds() > seconds:
            return desk.t(f"console.span.{unit}", n=int(span.total_seconds() // seconds))
    return desk.t("console.span.seconds", n=int(span.total_seconds()))
