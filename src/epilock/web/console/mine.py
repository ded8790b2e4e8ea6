"""One's own account: password and second factor, browsers that are signed in, tokens for programs."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from epilock.accounts import arrival as arrivals
from epilock.accounts import passkey, provider, recovery
from epilock.accounts import session as sessions
from epilock.errors import InputError
from epilock.web.console import proof
from epilock.web.console.desk import CheckedForm, DeskOf
from epilock.web.console.proof import token_of
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/account")
HERE = "/console/account"
DAYS = (30, 90, 365)  # that a token may be valid for
MOST_TOKENS = 10  # of one account


@router.get("")
def get_account(desk: DeskOf) -> Response:
    """Show the account, its sessions and its tokens."""
    with desk.site.parts.database.read(org=desk.org) as tx:
        found = sessions.listing(tx, desk.session.staff, now=desk.site.now())
        came = arrivals.of_sessions(tx, desk.session.staff)
        keys = passkey.of(tx, desk.org, desk.who)
        left = recovery.left(tx, desk.org, desk.who)
        link = provider.link_of(tx, desk.org, desk.who)
    return desk.show(
        "mine.html", browsers=[s for s in found if s.kind == "console"],
        tokens=[s for s in found if s.kind == "api"], days=DAYS,
        own=desk.handle, came=came, keys=keys, left=left, linked=link,
    )  # fmt: skip


@router.post("/tokens")
def post_token(desk: DeskOf, form: CheckedForm) -> Response:
    """Make a token; it is shown on this one page. Who has it needs no further proof (decision 43)."""
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    text, now = word(form, "days", most=4), desk.site.now()
    if text not in {str(d) for d in DAYS}:
        raise InputError(f"a token is valid for {', '.join(map(str, DAYS))} days")
    with desk.site.parts.database.write() as tx:
        _check_few(sessions.listing(tx, desk.session.staff, now=now))
        token = sessions.begin(
            tx, desk.session.staff, now=now, kind="api", span=timedelta(days=int(text))
        )
    return desk.show(
        "token_made.html",
        token=token,
        until=now + timedelta(days=int(text)),
        address=desk.site.parts.settings.url,
    )


@router.post("/end")
def post_end(desk: DeskOf, form: CheckedForm) -> Response:
    """End one session or token, or all but this session."""
    who, handle = desk.session.staff, word(form, "handle", most=64)
    with desk.site.parts.database.write() as tx:
        if handle:
            sessions.end_one(tx, who, handle)
        else:
            sessions.end_others(tx, who, token_of(desk))
    return desk.go(HERE, done="ended")


def _check_few(found: list[sessions.Open]) -> None:
    if sum(one.kind == "api" for one in found) >= MOST_TOKENS:
        raise InputError(f"an account has at most {MOST_TOKENS} tokens; end one first")
