"""Showing that it is you: before grade 4 is shown, a token is made or a factor changed, a factor anew.

A session is a browser that somebody may have left open. What could hurt most asks for a factor that was shown
within the last five minutes; signing in counts.

Rules kept in this file:
  1. The page that asks holds what was filled in, as hidden fields of the form that goes on with it: nothing is
     typed twice, and none of it stands in an address, a cookie or the database. A password is asked again.
  2. A proof is a code of the authenticator or an answer of a passkey. A recovery code signs in and proves nothing
     afterwards. An account without any factor (in a demonstration, or while it is set up) gives its password.
  3. Proofs are tried no more often than passwords are.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from epilock.accounts import arrival as arrivals
from epilock.accounts import credentials, passkey
from epilock.accounts import session as sessions
from epilock.accounts.passkey import Passkey, Place
from epilock.assemble import INSTALLATION
from epilock.db import Transaction
from epilock.errors import InputError, SignInError
from epilock.web import pace
from epilock.web.console.desk import NOT_KEPT, CheckedForm, Desk, VisitorOf
from epilock.web.problem import of as problem_of
from epilock.web.request import Site, word

router = APIRouter(include_in_schema=False, prefix="/console")
HOME = "/console"
HERE = "/console/proof"
KEPT = "/offline"  # pages that a device keeps
ATTEMPTS, WINDOW = (
    20,
    timedelta(minutes=15),
)  # that fail, of one address at the door; all, of one account inside
CODE, ANSWER, PASSWORD = "proof_code", "proof_answer", "proof_password"  # fields of the page
MOST_BACK = 1000  # characters of a page that was asked for, with its query
_NOT_KEPT = frozenset({CODE, ANSWER, PASSWORD, "csrf", "password"})


@router.get("/proof")
def get_proof(visitor: VisitorOf) -> Response:
    """Ask for a proof where a sign-in came from farther off than anybody travels; the page of home otherwise."""
    return missing(visitor) or visitor.go(HOME)


@router.post("/proof")
def post_proof(visitor: VisitorOf, form: CheckedForm) -> Response:
    """Take a proof and lead back to the page that asked for it."""
    return missing(visitor, form) or lead_back(
        visitor.site, visitor.request, inside(word(form, "to"))
    )


def missing(desk: Desk, form: FormData | None = None) -> Response | None:
    """Return the page that asks who is signed in for a proof first; None if there is one, or ``form`` has it.

    Args:
        desk: Who asks.
        form: What is to be gone on with; None for a page that is looked at.

    Raises:
        RateError: Too many proofs were wrong.
    """
    site = desk.site
    if desk.unproved is None and desk.session.is_proved(site.now()):
        return None
    if form is None or not any(word(form, name) for name in (CODE, ANSWER, PASSWORD)):
        return _page(desk, form)
    check_pace(desk, "proof")
    with site.parts.database.write() as tx:
        wrong = _prove(tx, desk, form)
        if wrong is None:
            sessions.prove(tx, token_of(desk), now=site.now())
            if desk.unproved is not None:
                arrivals.prove(tx, desk.unproved)
    return None if wrong is None else _page(desk, form, wrong)


def check_pace(desk: Desk, kind: str = "password") -> None:
    """Return if the account has not tried its password, or proofs, too often; attempts are counted and committed.

    Raises:
        RateError: It has.
    """
    pace.check(desk.site, kind, desk.who, most=ATTEMPTS, window=WINDOW, org=desk.org)


def token_of(desk: Desk) -> str:
    """Return the token of the session that asks."""
    return desk.token


def question_secret(site: Site) -> bytes:
    """Return the key that questions to passkeys are signed with."""
    return site.parts.keys.secret(INSTALLATION, "challenges")


def place_of(site: Site) -> Place:
    """Return where this site's passkeys are good."""
    return passkey.place_of(site.parts.settings.url)


def inside(to: str) -> str:
    """Return ``to`` if it is a page of the console or one that a device keeps, else home: no redirect leads elsewhere."""
    path = to.partition("?")[0]
    plain = to.isascii() and "\\" not in path and ".." not in path and "//" not in path
    return to if plain and is_of_staff(path) else HOME


def is_of_staff(path: str) -> bool:
    """Tell whether an address belongs to the pages that somebody signs in for."""
    return any(path == each or path.startswith(f"{each}/") for each in (HOME, KEPT))


def asked_for(request: Request) -> str:
    """Return the page that a request asked for, with its query, for ``inside``; home if it was no page."""
    if request.method != "GET":
        return HOME
    query = [(k, v) for k, v in request.query_params.multi_items() if k not in NOT_KEPT]
    path, whole = request.url.path, f"{request.url.path}?{urlencode(query)}"
    return whole if query and len(whole) <= MOST_BACK else path


def lead_back(site: Site, request: Request, to: str, **more: str) -> RedirectResponse:
    """Return the redirect to a page that ``inside`` let pass, with ``more`` in its query."""
    path, _, query = to.partition("?")
    there = site.pages.go(request, path, **more)
    asked = urlencode(parse_qsl(query, keep_blank_values=True))
    if asked:  # what was left empty says something too
        address = there.headers["location"]
        there.headers["location"] = f"{address}{'&' if '?' in address else '?'}{asked}"
    return there


def spend(tx: Transaction, desk: Desk, challenge: bytes, purpose: str) -> SignInError | None:
    """Take the answer to a question that this session was asked, once; return why not, or None."""
    return passkey.spend(
        tx, challenge, secret=question_secret(desk.site), org=desk.org, purpose=purpose,
        bound=token_of(desk), now=desk.site.now(),
    )  # fmt: skip


def question(desk: Desk, purpose: str) -> bytes:
    """Return a new question to a passkey, which this session alone can have answered."""
    return passkey.ask(
        question_secret(desk.site), purpose=purpose, bound=token_of(desk), now=desk.site.now()
    )


def _prove(tx: Transaction, desk: Desk, form: FormData) -> SignInError | InputError | None:
    """Return what is wrong with a proof, or None; what was noted on the way is kept."""
    who, now = desk.session.staff, desk.site.now()
    try:
        if word(form, ANSWER):
            return _answered(tx, desk, word(form, ANSWER, most=passkey.MOST_OCTETS + 1))
        if not who.has_factor:
            credentials.check_password(
                tx, org=who.org, code=who.staff, password=word(form, PASSWORD, most=300)
            )
            return None
        credentials.prove_totp(
            tx, secret=desk.site.factor_secret(), org=who.org, code=who.staff,
            proof=word(form, CODE, most=10), now=now,
        )  # fmt: skip
    except (SignInError, InputError) as error:
        return error
    return None


def _answered(tx: Transaction, desk: Desk, given: str) -> SignInError | None:
    answer, place = passkey.read(given), place_of(desk.site)
    wrong = spend(tx, desk, answer.challenge, passkey.PROVE)
    if wrong is not None:
        return wrong
    found = passkey.check(
        tx, answer, place=place, org=desk.org, staff=desk.who, challenge=answer.challenge,
        now=desk.site.now(),
    )  # fmt: skip
    return None if isinstance(found, Passkey) else found


def _page(
    desk: Desk, form: FormData | None, error: SignInError | InputError | None = None
) -> Response:
    place = place_of(desk.site)
    with desk.site.parts.database.read(org=desk.org) as tx:
        known = [p for p in passkey.of(tx, desk.org, desk.who) if not p.shut]
    path = desk.request.url.path
    kept: list[tuple[str, Any]] = (
        [("to", HOME if path == HERE else path)] if form is None else _kept(form)
    )
    wrong = None if error is None else problem_of(error)
    options = ""
    if place.is_name and known:
        asked = question(desk, passkey.PROVE)
        options = passkey.request(place, challenge=asked, known=known)
    return desk.show(
        "proof.html", status=401, wrong=wrong, action=HERE if form is None else path, kept=kept,
        asks_password=form is not None and "password" in form, options=options, script=True,
        minutes=sessions.PROVED.seconds // 60,
    )  # fmt: skip


def _kept(form: FormData) -> list[tuple[str, Any]]:
    return [(n, v) for n, v in form.multi_items() if n not in _NOT_KEPT and isinstance(v, str)]
