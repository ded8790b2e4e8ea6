"""The desk: who asks, from which organisation, in which roles; and the means to answer them.

Rules kept in this file:
  1. Who asks is known by the session's cookie alone, never by a field of a form.
  2. An account with a one-time password, or without a second factor, reaches no page but the one that
     changes that.
  3. A session that is not proved (``accounts.arrival``, rule 5) reaches no page but the one that proves it, and the way
     out: neither password nor second factor can be changed in it.
  4. A form counts only with its session's token.
  5. What a page says was done is said after the act alone: an address that somebody typed says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from epilock.accounts import arrival as arrivals
from epilock.accounts import session as sessions
from epilock.accounts.arrival import Arrival
from epilock.accounts.session import Session
from epilock.errors import (
    ForbiddenError,
    SignInError,
)
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.standard.text import Text
from epilock.web.console import carried
from epilock.web.language import Speaker
from epilock.web.request import FormOf, Site, SiteOf, session_of

PLAIN_COOKIE, SECURE_COOKIE = "epilock", "__Host-epilock"
NOT_KEPT = frozenset({"lang", "done", "export"})  # of an address, by an act on a row of a list
AUTHORITY = "government"  # the kind of organisation that declares emergencies and sets levels

# Part of the console to the roles that may enter it; pages ask for more where an action needs more.
RIGHTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "points": frozenset({"collector", "custodian"}),
        "offline": frozenset({"collector", "custodian"}),
        "sheets": frozenset({"collector", "custodian"}),
        "imports": frozenset({"collector", "custodian"}),
        "records": frozenset({"custodian", "analyst"}),
        "counts": frozenset({"custodian", "analyst"}),
        "releases": frozenset({"custodian", "analyst", "approver"}),
        "budgets": frozenset({"custodian"}),
        "studies": frozenset({"custodian"}),
        "grants": frozenset({"custodian", "analyst", "approver"}),
        "approvals": frozenset({"approver"}),
        "requests": frozenset({"custodian"}),
        "received": frozenset({"custodian", "supervisor"}),
        "destruction": frozenset({"custodian", "approver", "supervisor"}),
        "levels": frozenset({"custodian", "approver", "supervisor"}),
        "seen": frozenset({"custodian", "supervisor"}),
        "oversight": frozenset({"supervisor"}),
        "alarms": frozenset({"supervisor", "custodian", "approver"}),
        "log": frozenset({"custodian", "approver", "supervisor", "administrator"}),
        "witnesses": frozenset({"administrator", "supervisor"}),
        "accounts": frozenset({"administrator"}),
        "papers": frozenset({"administrator", "custodian"}),
        "settings": frozenset({"administrator", "supervisor"}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request of a member of staff.

    Attributes:
        site: The site.
        request: The request.
        session: Who asks.
        organisation: Theirs.
        t: Their language.
        arrivals: Their sign-ins that are asked about, and that of this session.
    """

    site: Site
    request: Request
    session: Session
    organisation: Organisation
    t: Speaker
    arrivals: tuple[Arrival, ...]

    @property
    def org(self) -> str:
        """Code of the organisation."""
        return self.session.staff.org

    @property
    def who(self) -> str:
        """Opaque id of the account, as the ledger names it."""
        return self.session.staff.staff

    @property
    def handle(self) -> str:
        """Handle of the session."""
        return sessions.handle_of(self.token)

    @property
    def token(self) -> str:
        """Token of the session."""
        return self.request.cookies[cookie_of(self.site)]

    @property
    def told(self) -> list[Arrival]:
        """Sign-ins that the person is asked about on this page."""
        return arrivals.to_tell(list(self.arrivals), self.handle)

    @property
    def unproved(self) -> Arrival | None:
        """The sign-in of this session, if it is still to be proved."""
        return next((a for a in self.arrivals if a.session == self.handle and a.unproved), None)

    @property
    def query(self) -> Mapping[str, str]:
        """What the address asks for behind its ``?``."""
        return self.request.query_params

    @property
    def asked(self) -> dict[str, str]:
        """What the address asks of a list; an act on a row carries it, so that the list comes back as it was."""
        return {name: value for name, value in self.query.items() if name not in NOT_KEPT}

    def sent(self, action: str) -> FormData:
        """Return what was sent to ``action`` just now, so that its form comes back as it was; else an empty form."""
        here = self.request.url.path == action
        return getattr(self.request.state, "sent", FormData()) if here else FormData()

    def may(self, part: str) -> bool:
        """Tell whether the roles reach a part of the console."""
        return bool(RIGHTS[part] & self.session.staff.roles)

    def has(self, *roles: str) -> bool:
        """Tell whether the account has one of ``roles``."""
        return bool(self.session.staff.roles.intersection(roles))

    def need(self, *roles: str) -> None:
        """Return if the account has one of ``roles``.

        Raises:
            ForbiddenError: It has none of them.
        """
        if not self.has(*roles):
            raise ForbiddenError(f"this needs the role {' or '.join(roles)}")

    def enter(self, part: str) -> None:
        """Return if the roles reach ``part`` of the console.

        Raises:
            ForbiddenError: They do not.
        """
        self.need(*sorted(RIGHTS[part]))

    def whose(self, part: str) -> str:
        """Return whose rows an address of ``part`` asks about: the own organisation's, or ``org``'s for a supervisor.

        Raises:
            ForbiddenError: The roles don't reach ``part``, or not another organisation's.
        """
        self.enter(part)
        of = self.query.get("org") or self.org
        if of != self.org and not self.has("supervisor"):
            raise ForbiddenError("what another organisation did is the supervisor's to see")
        return of

    def kept(self, of: str) -> dict[str, str]:
        """Return what stays in the addresses of a list about ``of``."""
        return {} if of == self.org else {"org": of}

    def show(
        self, template: str, /, *, here: str = "", status: int = 200, **context: Any
    ) -> Response:
        """Return a page of the console; ``here`` is the part it belongs to."""
        done = sessions.heard(self.token, self.request.query_params.get("done", ""))
        return self.site.pages.show(
            self.request, f"console/{template}", status=status, speaker=self.t, desk=self,
            parts_of_console=[p for p in RIGHTS if self.may(p)], here=here,
            csrf=carried.mark(self.site.parts.session_secret, self.session.csrf, self.session.staff),
            standard=self.site.parts.standard, now=self.site.now(),
            done=done if self.t.knows(f"console.done.{done}") else "", **context,
        )  # fmt: skip

    def go(self, path: str, /, **query: str) -> RedirectResponse:
        """Return a redirect (303) after a change; ``done`` names what was done, as this session alone can say it."""
        if query.get("done"):
            query["done"] = sessions.said(self.token, query["done"])
        return self.site.pages.go(self.request, path, **query)

    def back(self, path: str, /, *, done: str) -> RedirectResponse:
        """Return a redirect (303) after an act on a row: to its list, as it was."""
        return self.go(path, **{**self.asked, "done": done})

    def name(self, text: Text) -> str:
        """Return ``text`` in the language of the page."""
        return self.t.say(text)


def cookie_of(site: Site) -> str:
    """Return the cookie's name: over TLS one that other hosts and paths cannot set."""
    return SECURE_COOKIE if site.parts.settings.secure_cookies else PLAIN_COOKIE


def visitor_of(request: Request, site: SiteOf) -> Desk:
    """Return the desk of whoever is signed in, whatever is still to be done to the account.

    Raises:
        SignInError: Nobody is.
    """
    token = request.cookies.get(cookie_of(site), "")
    session = session_of(site, token)
    with site.parts.database.read() as tx:
        organisation = organisations.load(tx, session.staff.org)
        found = arrivals.asked(tx, session.staff, sessions.handle_of(token))
    if session.kind != "console":
        raise SignInError("an API token opens no page")
    t = site.pages.speaker(request)
    desk = Desk(
        site=site, request=request, session=session, organisation=organisation, t=t, arrivals=tuple(found),
    )  # fmt: skip
    request.state.desk = desk
    return desk


class UnfinishedError(SignInError):
    """Signed in, but the account is not set up: the password or the second factor is to be set first.

    Attributes:
        path: The page that does it.
    """

    def __init__(self, path: str) -> None:
        super().__init__("finish setting up your account first")
        self.path = path


def proved_of(visitor: Annotated[Desk, Depends(visitor_of)]) -> Desk:
    """Return the desk of a session that is proved (rule 3), whatever is still to be done to the account.

    Raises:
        UnfinishedError: It is not.
    """
    if visitor.unproved is not None:
        raise UnfinishedError("/console/proof")
    return visitor


def desk_of(visitor: Annotated[Desk, Depends(proved_of)]) -> Desk:
    """Return the desk of an account that is set up (rule 2), in a session that is proved (rule 3).

    Raises:
        UnfinishedError: It is not.
    """
    if visitor.session.staff.must_change:
        raise UnfinishedError("/console/password")
    if not visitor.session.staff.has_factor and visitor.request.app.state.insist:
        raise UnfinishedError("/console/second-factor")
    return visitor


def checked_form(form: FormOf, visitor: Annotated[Desk, Depends(visitor_of)]) -> FormData:
    """Return the form if it carries the session's token (rule 4).

    Raises:
        SignInError: It does not.
    """
    sessions.check_csrf(visitor.session, carried.token_in(str(form.get("csrf", ""))))
    return form


VisitorOf = Annotated[Desk, Depends(visitor_of)]
ProvedOf = Annotated[Desk, Depends(proved_of)]
DeskOf = Annotated[Desk, Depends(desk_of)]
CheckedForm = Annotated[FormData, Depends(checked_form)]
