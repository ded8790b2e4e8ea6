"""Staff of the made-up town: accounts, and signing in as a person would."""

from datetime import UTC, datetime
from typing import Any

import pyotp
from sheet import Sheet, read
from visitor import Visitor

import passwords
from epilock.accounts import arrival, session, staff
from epilock.accounts.arrival import From
from epilock.accounts.place import Places
from epilock.assemble import Parts

PASSWORD = "a sentence that is long enough"


def hire(parts: Parts, org: str, login: str, *roles: str) -> str:
    """Add an account; return its one-time password."""
    with parts.database.write() as tx:
        _, password = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, login=login, roles=roles,
            now=parts.now(), once=passwords.once(),
        )  # fmt: skip
    return password


def sign_in(
    visitor: Visitor, org: str, login: str, password: str, *, code: str = "", to: str = "/console"
) -> Sheet:
    page = read(visitor, f"/console/sign-in?to={to}")
    return page.send(page.form(), org=org, login=login, password=password, code=code)


def code_at(key: str, at: datetime) -> str:
    return pyotp.TOTP(key).at(at.astimezone(UTC))


def settle(parts: Parts, site: Any, org: str, login: str, *roles: str) -> Visitor:
    """Hire someone who signs in, chooses a password and a second factor; return their browser."""
    visitor = Visitor(site)
    once = hire(parts, org, login, *roles)
    page = sign_in(visitor, org, login, once)
    page = page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
    key = page.value("key")
    page = page.send(page.with_field("code"), code=code_at(key, parts.now()))
    assert page.path == "/console", page.text
    return visitor


def badge(parts: Parts, site: Any, org: str, login: str, *roles: str) -> Visitor:
    """A browser of someone whose account is set up and who has just signed in."""
    with parts.database.write() as tx:
        who, _ = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, login=login, roles=roles,
            now=parts.now(), once=passwords.once(),
        )  # fmt: skip
        tx.update(
            staff.staff, {"org": org, "staff": who.staff}, must_change=False, totp=b"enrolled"
        )
    visitor = Visitor(site)
    renew(parts, visitor, org, login)
    return visitor


def renew(parts: Parts, visitor: Visitor, org: str, login: str) -> None:
    """Begin a new session in this browser, as the old one may have run out."""
    with parts.database.write() as tx:
        who = next(s for s in staff.listing(tx, org) if s.login == login)
        token = session.begin(tx, who, now=parts.now())
    visitor.cookies.clear()
    visitor.cookies.set("epilock", token)


def arrived(parts: Parts, login: str, address: str) -> None:
    """Someone new of ``sunny`` who signed in at two devices, one after the other."""
    hire(parts, "sunny", login, "custodian")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    came = From(device="", agent=agent, address=address, places=Places())
    with parts.database.write() as tx:
        who = staff.by_login(tx, "sunny", login)
        for _ in range(2):
            token = session.begin(tx, who, now=parts.now())
            arrival.arrive(tx, who, came, session=token, now=parts.now())
