"""What every page is handed: the parts of the installation and the means to render."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from epilock.accounts import session as sessions
from epilock.accounts.session import Session
from epilock.assemble import INSTALLATION, Parts
from epilock.destroy.move import Mover
from epilock.errors import InputError
from epilock.standard.level import CHINA
from epilock.web.page import Pages
from epilock.web.security import taken_at, too_large

MOST_FIELDS = 10_200  # of a form: a page of paper has up to 99 rows of 100 cells


@dataclass(frozen=True, slots=True)
class Site:
    """The site: one for each app.

    Attributes:
        parts: The running installation.
        pages: Renders.
        mover: Enters events that start a record's clock, and corrections.
    """

    parts: Parts
    pages: Pages
    mover: Mover

    def now(self) -> datetime:
        """Return the instant."""
        return self.parts.now()

    def factor_secret(self) -> bytes:
        """Return the key that second factors are sealed with."""
        return self.parts.keys.secret(INSTALLATION, "totp")

    def today(self) -> date:
        """Return the calendar day in China."""
        return self.now().astimezone(CHINA).date()


def site_of(request: Request) -> Site:
    """Return the site that serves ``request``."""
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - ``create_app`` put it there
    return site


async def form_of(request: Request) -> AsyncIterator[FormData]:
    """Give the form that ``request`` carries and forget its files afterwards.

    Its size was limited before (``security``). The language that it carries is that of whatever is answered, and a
    page that is shown again has what was ``sent``.
    """
    async with request.form(max_fields=MOST_FIELDS) as form:
        request.state.lang = word(form, "lang_to", most=10) or word(form, "lang", most=10)
        request.state.sent = form
        yield form


SiteOf = Annotated[Site, Depends(site_of)]
FormOf = Annotated[FormData, Depends(form_of)]


def session_of(site: Site, token: str) -> Session:
    """Return the session of ``token`` and note that it was seen; it is written no more often than it must.

    Raises:
        SignInError: There is none, or it has ended.
    """
    now = site.now()
    with site.parts.database.read() as tx:
        found = sessions.find(tx, token, now=now)
    if found.is_stale(now):
        with site.parts.database.write() as tx:
            sessions.note(tx, token, now=now)
    return found


def word(form: FormData, name: str, *, most: int = 4000) -> str:
    """Return what stands in the field ``name`` of a form, trimmed; "" if nothing, or a file."""
    value = form.get(name)
    return value.strip()[:most] if isinstance(value, str) else ""


def file_in(request: Request, form: FormData, name: str) -> tuple[str, bytes]:
    """Return name and content of the file in the field ``name`` of a form; both empty if there is none.

    Raises:
        TooLargeError: It is larger than is taken where it was sent.
    """
    value, taken = form.get(name), taken_at(request.url.path)
    if not isinstance(value, UploadFile):
        return "", b""
    if taken is not None and (value.size or 0) > taken.most:
        raise too_large(taken)
    return value.filename or "", value.file.read()


def day_in(form: FormData, name: str) -> date:
    """Return the calendar day in the field ``name`` of a form.

    Raises:
        InputError: There is none.
    """
    try:
        return date.fromisoformat(word(form, name, most=10))
    except ValueError:
        raise InputError(f"{name}: a day is written 2026-03-14") from None


def lone_day(form: FormData, name: str) -> date:
    """Return the calendar day as ``day_in`` does; the error stands beside its field, and does not name it."""
    try:
        return day_in(form, name)
    except InputError:
        raise InputError("give a day, written 2026-03-14") from None


def begun(form: FormData, name: str) -> UUID:
    """Return the random id in the field ``name`` that a page gave to its form, so that what it makes is made once.

    Raises:
        InputError: There is none.
    """
    try:
        return UUID(word(form, name, most=40))
    except ValueError:
        raise InputError("this form was not begun here; please open the page again") from None


def words(form: FormData, name: str) -> list[str]:
    """Return all values of the field ``name``: ticked boxes."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def address_of(request: Request) -> str:
    """Return the network address that asks, for rate limits."""
    return request.client.host if request.client else ""
