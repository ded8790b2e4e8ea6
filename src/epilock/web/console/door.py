"""The door: signing in with password and second factor or with a passkey, setting the first two, signing out."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from epilock.accounts import arrival as arrivals
from epilock.accounts import credentials, passkey, password, provider, sign_in, totp
from epilock.accounts import session as sessions
from epilock.accounts.staff import Staff
from epilock.assemble import INSTALLATION
from epilock.collect import qr
from epilock.db import Transaction
from epilock.errors import EpilockError, InputError, RateError, SignInError
from epilock.web import pace
from epilock.web.console import carried, proof
from epilock.web.console.arrival import Entered, admit, begin, device_of
from epilock.web.console.carried import Carried
from epilock.web.console.desk import CheckedForm, Desk, ProvedOf, VisitorOf, cookie_of
from epilock.web.console.proof import (
    ATTEMPTS,
    HOME,
    WINDOW,
    check_pace,
    inside,
    token_of,
)
from epilock.web.language import Speaker
from epilock.web.page import trusted
from epilock.web.problem import of as problem_of
from epilock.web.request import FormOf, Site, SiteOf, address_of, word

router = APIRouter(include_in_schema=False, prefix="/console")
DOOR_LASTS = timedelta(hours=1)  # of the cookie that a question at the door is bound to

Enter = Callable[[Transaction], Staff | Exception]


@router.get("/sign-in")
def get_sign_in(site: SiteOf, request: Request, to: str = HOME) -> Response:
    """Show the door."""
    return show_door(site, request, to=inside(to))


@router.post("/sign-in")
def post_sign_in(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Let someone in, or say that something of what was typed is wrong."""
    typed = {"org": word(form, "org", most=100).lower(), "login": word(form, "login", most=100)}
    to, held = inside(word(form, "to")), word(form, carried.CARRIED, most=carried.MOST)

    def enter(tx: Transaction) -> Staff | Exception:
        return sign_in.by_password(
            tx, secret=site.factor_secret(), org=typed["org"], login=typed["login"],
            password=word(form, "password", most=300), code=word(form, "code", most=40),
            known=arrivals.is_known(tx, typed["org"], typed["login"], device_of(site, request)),
            now=site.now(),
        )  # fmt: skip

    found = try_door(site, request, enter)
    if isinstance(found, Exception):
        return show_door(site, request, to=to, error=found, typed=typed, held=held)
    return lead(site, request, to, *found, held=held)


@router.post("/sign-in/passkey")
def post_sign_in_by_passkey(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Let in whose passkey answered the question of this page; nothing was typed."""
    to, given = inside(word(form, "to")), word(form, "answer", most=passkey.MOST_OCTETS + 1)
    held = word(form, carried.CARRIED, most=carried.MOST)
    place = proof.place_of(site)

    def enter(tx: Transaction) -> Staff | Exception:
        try:
            answer = passkey.read(given)
        except InputError as error:
            return error
        wrong = passkey.spend(
            tx, answer.challenge, secret=proof.question_secret(site), org=INSTALLATION,
            purpose=passkey.SIGN_IN, bound=request.cookies.get(_door_cookie(site), ""), now=site.now(),
        )  # fmt: skip
        return wrong or sign_in.by_passkey(tx, answer, place=place, now=site.now())

    found = try_door(site, request, enter)
    if isinstance(found, Exception):
        return show_door(site, request, to=to, error=found, told=True, held=held)
    return lead(site, request, to, *found, held=held)


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
def get_password(visitor: ProvedOf) -> Response:
    """Show the form that changes the password."""
    return visitor.show("password.html", wrong=None, least=password.LEAST)


@router.post("/password")
def post_password(visitor: ProvedOf, form: CheckedForm) -> Response:
    """Change the password; every other session and API token of the account ends."""
    check_pace(visitor)
    old, new = word(form, "old", most=300), word(form, "new", most=300)
    try:
        if new != word(form, "again", most=300):
            raise InputError("the two new passwords differ")  # noqa: TRY301 - answered like the others
        with visitor.site.parts.database.write() as tx:
            credentials.change_password(tx, org=visitor.org, code=visitor.who, old=old, new=new)
            sessions.end_others(tx, visitor.session.staff, token_of(visitor))
    except (InputError, SignInError) as error:
        return _again(visitor, "password.html", error, least=password.LEAST)
    return visitor.go(HOME, done="password")


@router.get("/second-factor")
def get_second_factor(visitor: ProvedOf) -> Response:
    """Show a fresh key for the second factor, as a code to scan and as text; who asks has proved themselves."""
    asked = proof.missing(visitor)
    if asked is not None:
        return asked
    return _factor(visitor, totp.new_key(), None)


@router.post("/second-factor")
def post_second_factor(visitor: ProvedOf, form: CheckedForm) -> Response:
    """Enrol the second factor, proved by its first code; another than the present one by the password too."""
    asked = proof.missing(visitor, form)
    if asked is not None:
        return asked
    key, present = word(form, "key", most=64), visitor.session.staff.has_totp
    if present:
        check_pace(visitor)
    try:
        with visitor.site.parts.database.write() as tx:
            if present:  # whoever found a browser open must not take the account over
                credentials.check_password(
                    tx, org=visitor.org, code=visitor.who,
                    password=word(form, "password", most=300),
                )  # fmt: skip
            credentials.enrol_totp(
                tx, secret=visitor.site.factor_secret(), org=visitor.org, code=visitor.who, key=key,
                proof=word(form, "code", most=10), now=visitor.site.now(),
            )  # fmt: skip
    except (InputError, SignInError) as error:
        return _factor(visitor, key, error)
    return visitor.go(HOME, done="second-factor")


def try_door(
    site: Site, request: Request, enter: Enter, is_proved: Callable[[], bool] = lambda: True
) -> tuple[Staff, Entered] | Exception:
    """Return who is let in and a new session, or why nobody is; failures alone count against the address.

    ``is_proved`` is asked after ``enter``; if not, the session is to be proved first.
    """
    found = _tried(site, request, enter, is_proved)
    outcome = "late" if isinstance(found, RateError) else "wrong"
    site.parts.meters.sign_ins.labels("in" if isinstance(found, tuple) else outcome).inc()
    return found


def _tried(
    site: Site, request: Request, enter: Enter, is_proved: Callable[[], bool]
) -> tuple[Staff, Entered] | Exception:
    with site.parts.database.write() as tx:
        late = pace.count(tx, site, "sign-in", address_of(request), most=ATTEMPTS, window=WINDOW)
        if late is not None:
            return late
        found = enter(tx)
        if isinstance(found, Staff):  # a whole office stands behind one address
            pace.give_back(tx, site, "sign-in", address_of(request), window=WINDOW)
            return found, begin(tx, site, request, found, proved=is_proved())
    return found


def lead(
    site: Site, request: Request, to: str, who: Staff, session: Entered, *, held: str = ""
) -> Response:
    """Lead into the console, or to what was ``held``; after a recovery code the page there says so."""
    said = {"done": sessions.said(session.token, "recovered")} if who.recovered else {}
    entered: Response = proof.lead_back(site, request, to, **said)
    if held:
        csrf = carried.mark(site.parts.session_secret, sessions.csrf_of(session.token), who)
        entered = site.pages.show(
            request, "console/again.html", frame="base.html", to=to, csrf=csrf, recovered=who.recovered,
            script=True, first="", **_held_for(site, request, who, held),
        )  # fmt: skip
    admit(site, entered, session)
    return entered


def turned_away(
    site: Site, request: Request, form: FormData, to: str, *, first: str = ""
) -> Response | None:
    """Return the answer to a form of a session that has ended; None if no page of the console made it.

    Who has signed in again since can send it again, if it is theirs, and after what is to be done ``first``; anybody
    else signs in.
    """
    secret = site.parts.session_secret
    found = carried.of(secret, request, form, now=site.now())
    if found is None:
        return None
    desk = getattr(request.state, "desk", None)
    if not isinstance(desk, Desk):
        return show_door(site, request, to=inside(to), ended=True, held=carried.seal(found, secret))
    return desk.show(
        "again.html", status=401, frame="console/base.html", to=to, recovered=False, first=first, script=True,
        **_of(site, desk.t, desk.session.staff, found),
    )  # fmt: skip


def show_door(
    site: Site,
    request: Request,
    *,
    to: str,
    error: Exception | None = None,
    typed: Mapping[str, str] | None = None,
    told: bool = False,
    ended: bool = False,
    held: str = "",
) -> Response:
    """Return the sign-in page, with a question for a passkey that this browser alone may answer.

    After a form of a session that has ``ended`` it says so, and it carries what is ``held`` of that form.
    """
    wrong, place = None if error is None else problem_of(error), proof.place_of(site)
    bound = request.cookies.get(_door_cookie(site), "") or token_urlsafe(16)
    question = passkey.ask(
        proof.question_secret(site), purpose=passkey.SIGN_IN, bound=bound, now=site.now()
    )
    with site.parts.database.read() as tx:
        has_provider = provider.is_any(tx)
    answer = site.pages.show(
        request, "console/sign_in.html", has_provider=has_provider, to=to, ended=ended, held=held,
        status=wrong.status if wrong is not None else 401 if ended else 200, wrong=wrong, typed=typed or {}, told=told, script=True,
        options="" if not place.is_name else passkey.request(place, challenge=question),
    )  # fmt: skip
    answer.headers.update({} if wrong is None else wrong.headers)
    answer.set_cookie(
        _door_cookie(site), bound, httponly=True, samesite="strict", path="/",
        max_age=int(DOOR_LASTS.total_seconds()), secure=site.parts.settings.secure_cookies,
    )  # fmt: skip
    return answer


def _held_for(site: Site, request: Request, who: Staff, held: str) -> dict[str, Any]:
    """Return what ``again.html`` says of what a page held: that it is over, if it can't be read any more."""
    try:
        found = carried.unseal(held, site.parts.session_secret, now=site.now())
    except SignInError:
        return {"held": None, "named": [], "state": "over"}
    return _of(site, site.pages.speaker(request), who, found)


def _of(site: Site, t: Speaker, who: Staff, found: Carried) -> dict[str, Any]:
    """Return what ``again.html`` says of a form: all of it to whose it is, and to anybody else that it is ``theirs``."""
    if not found.is_of(who):
        return {"held": None, "named": [], "state": "theirs"}
    return {"held": found, "named": carried.named(found, t, site.parts.standard), "state": "what"}


def _door_cookie(site: Site) -> str:
    return f"{cookie_of(site)}-door"


def _again(visitor: Desk, template: str, error: EpilockError, **more: Any) -> Response:
    problem = problem_of(error)
    return visitor.show(template, status=problem.status, wrong=problem, **more)


def _factor(visitor: Desk, key: str, error: EpilockError | None) -> Response:
    address = totp.address(key, login=visitor.session.staff.login, org=visitor.org)
    wrong = None if error is None else problem_of(error)
    return visitor.show(
        "second_factor.html", status=200 if wrong is None else wrong.status, wrong=wrong, key=key,
        image=trusted(qr.svg(address, title=visitor.t("console.factor.qr"))),
    )  # fmt: skip
