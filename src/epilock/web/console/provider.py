"""The door by an organisation's own identity provider, and where its administrator sets that up.

Rules kept in this file:
  1. The policy of pages lets no form lead to another origin (``form-action 'self'``), and stays as it is: what the
     browser is given is a page with a plain link to the provider.
  2. A browser comes back with the cookie that it left with, once; what it brings is not looked at before that.
  3. Whoever is let in begins as at any other sign-in (``arrival``, rule 1); without a second factor there, the
     session opens nothing before ``/console/proof``.
  4. Setting and removing the provider, linking and unlinking ask for a proof (``proof``); whose sessions end by it
     says ``administer``, and that of who asks is none of them.
"""

from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from epilock.accounts import administer, oidc, provider, sign_in, staff
from epilock.accounts.oidc import Claims, Client, Trip
from epilock.accounts.staff import Staff
from epilock.assemble import INSTALLATION
from epilock.db import Transaction
from epilock.errors import EpilockError, NotFoundError, SignInError
from epilock.web import pace
from epilock.web.console import proof
from epilock.web.console.desk import CheckedForm, Desk, DeskOf, cookie_of
from epilock.web.console.door import lead, show_door, try_door
from epilock.web.console.proof import ATTEMPTS, HOME, WINDOW, inside, token_of
from epilock.web.problem import of as problem_of
from epilock.web.request import FormOf, Site, SiteOf, address_of, word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console")
HERE = "/console/accounts/provider"
PART = "accounts"


@router.post("/sign-in/provider")
def post_there(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Show the link to the provider of an organisation (rule 1)."""
    org, to = word(form, "provider_org", most=31).lower(), inside(word(form, "to"))
    try:
        _check_pace(site, request)
        with site.parts.database.read() as tx:
            client = _client(tx, site, org)
        known = _providers(request).known(client.issuer, now=site.now())
    except EpilockError as error:
        return show_door(site, request, to=to, error=error, told=True)
    trip = oidc.begin(org, client.issuer, to=to, now=site.now())
    answer = site.pages.show(
        request, "console/provider_go.html", there=oidc.there(known, client, trip),
        host=urlsplit(known.authorization).netloc,
    )  # fmt: skip
    answer.set_cookie(
        _cookie(site), oidc.seal(trip, _secret(site)), httponly=True, samesite="lax", path="/",
        max_age=int(oidc.LASTS.total_seconds()), secure=site.parts.settings.secure_cookies,
    )  # fmt: skip
    return answer


@router.get("/sign-in/provider/back")
def get_back(site: SiteOf, request: Request) -> Response:
    """Let in who comes back from a provider, or say why not (rules 2 and 3)."""
    to = HOME
    try:
        trip = _trip(site, request)
        to = inside(trip.to)
        client, claims = _claims(site, request, trip)
    except EpilockError as error:
        answer = show_door(site, request, to=to, error=error, told=True)
    else:
        answer = _enter(site, request, trip, client, claims)
    answer.delete_cookie(
        _cookie(site), path="/", httponly=True, samesite="lax",
        secure=site.parts.settings.secure_cookies,
    )  # fmt: skip
    return answer


@router.get("/accounts/provider")
def get_provider(desk: DeskOf) -> Response:
    """Show the provider, the accounts that are linked, and the forms that change both."""
    desk.enter(PART)
    return _page(desk)


@router.post("/accounts/provider")
def post_provider(desk: DeskOf, form: CheckedForm) -> Response:
    """Set the provider; a change ends the other sessions of linked accounts."""
    desk.enter(PART)
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    try:
        with desk.site.parts.database.write() as tx:
            administer.set_provider(
                tx, secret=_secret(desk.site), org=desk.org, issuer=word(form, "issuer"),
                client=word(form, "client"), client_secret=word(form, "client_secret"),
                factors=tuple(word(form, "factors").split()), keep=token_of(desk), now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go(HERE, done="provider")


@router.post("/accounts/provider/remove")
def post_remove(desk: DeskOf, form: CheckedForm) -> Response:
    """Remove the provider, all links, and the other sessions of linked accounts."""
    desk.enter(PART)
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    with desk.site.parts.database.write() as tx:
        administer.remove_provider(tx, desk.org, keep=token_of(desk))
    return desk.go(HERE, done="provider")


@router.post("/accounts/provider/link")
def post_link(desk: DeskOf, form: CheckedForm) -> Response:
    """Link an account to a subject, or end its link if none is given; its sessions end."""
    desk.enter(PART)
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    parts, login, sub = desk.site.parts, word(form, "login", most=60), word(form, "sub")
    try:
        with parts.database.write() as tx:
            if sub:
                administer.link(
                    tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, login=login,
                    sub=sub, by=desk.session.staff, now=desk.site.now(),
                )  # fmt: skip
            else:
                administer.unlink(tx, org=desk.org, login=login, keep=token_of(desk))
    except (*WRONG, NotFoundError) as error:
        return _page(desk, form, error)
    return desk.go(HERE, done="provider")


def _trip(site: Site, request: Request) -> Trip:
    """Return the trip that a browser comes back from, once (rule 2).

    Raises:
        SignInError: It is on none, or came back before.
    """
    state = request.query_params.get("state", "")
    cookie = request.cookies.get(_cookie(site), "")
    trip = oidc.unseal(cookie, _secret(site), state=state, now=site.now())
    with site.parts.database.write() as tx:
        wrong = provider.came_back(tx, trip, org=INSTALLATION)
    if wrong is not None:
        raise wrong
    return trip


def _claims(site: Site, request: Request, trip: Trip) -> tuple[Client, Claims]:
    """Return who signed in at the provider; it is asked outside any transaction.

    Raises:
        SignInError: Nobody, or the answer is another provider's (RFC 9207).
        NotFoundError: The organisation has no provider any more.
    """
    with site.parts.database.read() as tx:
        client = _client(tx, site, trip.org)
    query, providers = request.query_params, _providers(request)
    says = providers.known(trip.issuer, now=site.now()).says_issuer
    if client.issuer != trip.issuer or query.get("iss", "" if says else trip.issuer) != trip.issuer:
        raise SignInError("the answer is of another identity provider; begin again")
    code = query.get("code", "")
    if "error" in query or not 0 < len(code) <= oidc.MOST_TOKEN:
        raise SignInError("you were not signed in at the identity provider; begin again")
    return client, providers.come_back(client, trip, code=code, now=site.now())


def _enter(site: Site, request: Request, trip: Trip, client: Client, claims: Claims) -> Response:
    proved = False

    def enter(tx: Transaction) -> Staff | Exception:
        nonlocal proved
        found = sign_in.by_provider(tx, trip, claims, client=client.client, now=site.now())
        if isinstance(found, SignInError):
            return found
        who, proved = found
        pace.give_back(tx, site, "provider", address_of(request), window=WINDOW)
        return who

    found = try_door(site, request, enter, is_proved=lambda: proved)
    if isinstance(found, Exception):
        return show_door(site, request, to=inside(trip.to), error=found, told=True)
    return lead(site, request, inside(trip.to), *found)


def _client(tx: Transaction, site: Site, org: str) -> Client:
    found = provider.load(tx, org)
    return found.client_at(provider.back_at(site.parts.settings.url), _secret(site))


def _check_pace(site: Site, request: Request) -> None:
    pace.check(site, "provider", address_of(request), most=ATTEMPTS, window=WINDOW)


def _providers(request: Request) -> oidc.Providers:
    found = request.app.state.providers
    assert isinstance(found, oidc.Providers)  # noqa: S101 - ``create_app`` put it there
    return found


def _secret(site: Site) -> bytes:
    return site.parts.keys.secret(INSTALLATION, "provider")


def _cookie(site: Site) -> str:
    return f"{cookie_of(site)}-provider"


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    with desk.site.parts.database.read(org=desk.org) as tx:
        here, linked = provider.find(tx, desk.org), provider.of(tx, desk.org)
        logins = {one.staff: one.login for one in staff.listing(tx, desk.org)}
    wrong = None if error is None else problem_of(error)
    typed = (
        {"issuer": here.issuer, "client": here.client, "factors": " ".join(here.factors)}
        if here
        else {}
    )
    if form is not None:
        typed |= {
            name: word(form, name)
            for name in ("issuer", "client", "factors", "login", "sub")
            if name in form
        }
    return desk.show(
        "provider.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong, provider=here,
        linked=[(logins[one.staff], one.sub) for one in linked if one.staff in logins], typed=typed,
        back=provider.back_at(desk.site.parts.settings.url),
    )  # fmt: skip
