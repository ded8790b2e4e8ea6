"""The door: signing in with password and second factor, setting both, signing out."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from epilock.assemble import INSTALLATION
from epilock.collect import qr
from epilock.errors import EpilockError, InputError, RateError, SignInError
from epilock.use import arrival as arrivals
from epilock.use import rate, staff
from epilock.use import session as sessions
from epilock.use.staff import Staff
from epilock.web.console.arrival import Entered, admit, begin, device_of
from epilock.web.console.desk import CheckedForm, Desk, VisitorOf, cookie_of
from epilock.web.page import trusted
from epilock.web.problem import of as problem_of
from epilock.web.request import FormOf, Site, SiteOf, address_of, word

router = APIRouter(include_in_schema=False, prefix="/console")
ATTEMPTS, WINDOW = (
    20,
    timedelta(minutes=15),
)  # of one network address; an account waits by itself too
HOME = "/console"


@router.get("/sign-in")
def get_sign_in(site: SiteOf, request: Request, to: str = HOME) -> Response:
    """Show the door."""
    return site.pages.show(request, "console/sign_in.html", to=_inside(to), wrong=None, typed={})


@router.post("/sign-in")
def post_sign_in(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Let someone in, or say that something of what was typed is wrong."""
    typed = {name: word(form, name, most=100) for name in ("org", "login")}
    to = _inside(word(form, "to"))
    found = _try(site, request, typed["org"], typed["login"], form)
    if isinstance(found, Exception):
        problem = problem_of(found)
        answer = site.pages.show(
            request,
            "console/sign_in.html",
            status=problem.status,
            to=to,
            wrong=problem,
            typed=typed,
        )
        answer.headers.update(problem.headers)
        return answer
    entered = site.pages.go(request, to)
    admit(site, entered, found)
    return entered


@router.post("/sign-out")
def post_sign_out(visitor: VisitorOf, form: CheckedForm) -> RedirectResponse:
    """End the session; the browser is told to forget the pages."""
    del form
    with visitor.site.parts.database.write() as tx:
        sessions.end(tx, token_of(visitor))
    answer = visitor.go("/console/sign-in")
    answer.delete_cookie(
        cookie_of(visitor.site), path="/", httponly=True, samesite="lax",
        secure=visitor.site.parts.settings.secure_cookies,
    )  # fmt: skip
    # Not "storage": what a device sealed without a network waits there, and nobody can read it.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@router.get("/password")
def get_password(visitor: VisitorOf) -> Response:
    """Show the form that changes the password."""
    return visitor.show("password.html", wrong=None, least=staff.MIN_PASSWORD)


@router.post("/password")
def post_password(visitor: VisitorOf, form: CheckedForm) -> Response:
    """Change the password; every other session and API token of the account ends."""
    check_pace(visitor)
    old, new = word(form, "old", most=300), word(form, "new", most=300)
    try:
        if new != word(form, "again", most=300):
            raise InputError("the two new passwords differ")  # noqa: TRY301 - answered like the others
        with visitor.site.parts.database.write() as tx:
            staff.change_password(tx, org=visitor.org, code=visitor.who, old=old, new=new)
            sessions.end_others(tx, visitor.session.staff, token_of(visitor))
    except (InputError, SignInError) as error:
        return _again(visitor, "password.html", error, least=staff.MIN_PASSWORD)
    return visitor.go(HOME, done="password")


@router.get("/second-factor")
def get_second_factor(visitor: VisitorOf) -> Response:
    """Show a fresh key for the second factor, as a code to scan and as text."""
    return _factor(visitor, staff.new_totp_key(), None)


@router.post("/second-factor")
def post_second_factor(visitor: VisitorOf, form: CheckedForm) -> Response:
    """Enrol the second factor, proved by its first code; another than the present one by the password too."""
    key, present = word(form, "key", most=64), visitor.session.staff.has_totp
    if present:
        check_pace(visitor)
    try:
        with visitor.site.parts.database.write() as tx:
            if present:  # whoever found a browser open must not take the account over
                staff.check_password(
                    tx, org=visitor.org, code=visitor.who,
                    password=word(form, "password", most=300),
                )  # fmt: skip
            staff.enrol_totp(
                tx, secret=visitor.site.factor_secret(), org=visitor.org, code=visitor.who, key=key,
                proof=word(form, "code", most=10), now=visitor.site.now(),
            )  # fmt: skip
    except (InputError, SignInError) as error:
        return _factor(visitor, key, error)
    return visitor.go(HOME, done="second-factor")


def token_of(visitor: Desk) -> str:
    """Return the token of the session that asks."""
    return visitor.request.cookies[cookie_of(visitor.site)]


def check_pace(visitor: Desk) -> None:
    """Return if the account has not tried its password too often; attempts are counted and committed.

    Raises:
        RateError: It has.
    """
    site = visitor.site
    with site.parts.database.write() as tx:
        late = rate.count(
            tx, secret=site.parts.keys.secret(INSTALLATION, "rates"), org=visitor.org,
            kind="password", who=visitor.who, most=ATTEMPTS, window=WINDOW, now=site.now(),
        )  # fmt: skip
    if late is not None:
        raise late


def _try(site: Site, request: Request, org: str, login: str, form: FormOf) -> Entered | Exception:
    """Return a new session, or why there is none; failures are counted in either case."""
    found = _tried(site, request, org, login, form)
    outcome = (
        "in" if isinstance(found, Entered) else "late" if isinstance(found, RateError) else "wrong"
    )
    site.parts.meters.sign_ins.labels(outcome).inc()
    return found


def _tried(site: Site, request: Request, org: str, login: str, form: FormOf) -> Entered | Exception:
    with site.parts.database.write() as tx:
        late = rate.count(
            tx, secret=site.parts.keys.secret(INSTALLATION, "rates"), org=INSTALLATION, kind="sign-in",
            who=address_of(request), most=ATTEMPTS, window=WINDOW, now=site.now(),
        )  # fmt: skip
        if late is not None:
            return late
        found = staff.sign_in(
            tx, secret=site.factor_secret(), org=org, login=login,
            password=word(form, "password", most=300), code=word(form, "code", most=10),
            known=arrivals.is_known(tx, org, login, device_of(site, request)), now=site.now(),
        )  # fmt: skip
        if isinstance(found, Staff):
            return begin(tx, site, request, found)
    return found


def _again(visitor: Desk, template: str, error: EpilockError, **more: Any) -> Response:
    problem = problem_of(error)
    return visitor.show(template, status=problem.status, wrong=problem, **more)


def _factor(visitor: Desk, key: str, error: EpilockError | None) -> Response:
    address = staff.totp_address(key, login=visitor.session.staff.login, org=visitor.org)
    wrong = None if error is None else problem_of(error)
    return visitor.show(
        "second_factor.html", status=200 if wrong is None else wrong.status, wrong=wrong, key=key,
        image=trusted(qr.svg(address, title=visitor.t("console.factor.qr"))),
    )  # fmt: skip


def _inside(to: str) -> str:
    """Return ``to`` if it is a page of the console, else its home: no redirect leads elsewhere."""
    plain = to.isascii() and "\\" not in to and ".." not in to and "//" not in to
    return to if plain and (to == HOME or to.startswith(f"{HOME}/")) else HOME
