"""What an administrator does to the accounts of others, alike whether a page, the terminal or a file asks for it.

Rules kept in this file:
  1. Nobody changes, disables, resets or links their own account, and no organisation loses its last administrator: who is
     above it makes another one first.
  2. Whoever links an account could enter it, so the ledger shows it as it shows a reset.
  3. An account whose link is made or ended, or whose provider is changed or removed, is entered anew: its sessions
     and API tokens end, but the session that asks. A session does not know by which door it began, so all do.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from epilock.accounts import provider, staff
from epilock.accounts import session as sessions
from epilock.accounts.provider import Link, Provider
from epilock.accounts.staff import Staff
from epilock.db import Transaction
from epilock.errors import ConflictError, ForbiddenError, StateError
from epilock.ledger.log import Log

BEREFT = "no administrator would be left; make another account administrator first"
_ADMINISTRATOR = "administrator"


def set_roles(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    code: str,
    roles: tuple[str, ...],
    by: Staff | None,
    now: datetime,
    had: Collection[str] | None = None,
) -> Staff:
    """Give an account other roles; none disables it, and ends its sessions and API tokens.

    ``had`` are the roles that were looked at; ``by`` asks for it; None where a day does that was missed, or a file in whose plan it was looked at.

    Raises:
        InputError: A role is unknown, or roles that must be apart are together.
        NotFoundError: There is no such account.
        ForbiddenError: It is the account of ``by`` (rule 1).
        StateError: No administrator would be left (rule 1).
        ConflictError: The account has other roles than ``had`` by now.
    """
    if by is not None and (by.org, by.staff) == (org, code):
        raise ForbiddenError("another administrator changes your account")
    found = staff.load(tx, org, code)
    if had is not None and found.roles != frozenset(had):
        raise ConflictError("the roles were changed meanwhile; look at what they are now")
    if is_needed(tx, found, roles):
        raise StateError(BEREFT)
    who = staff.set_roles(
        tx, log, standard_ref=standard_ref, org=org, code=code, roles=roles, now=now
    )
    if not roles:
        sessions.end_all(tx, who)
    return who


def is_needed(tx: Transaction, who: Staff, roles: Collection[str] = ()) -> bool:
    """Tell whether no administrator would be left of an organisation if ``who`` had ``roles`` (rule 1).

    Its administrators are locked until the transaction ends: two who disable each other at once leave one.
    """
    if _ADMINISTRATOR not in who.roles or _ADMINISTRATOR in roles:
        return False
    c = staff.staff.c
    chiefs = sa.type_coerce(c.roles, sa.Text).contains(f'"{_ADMINISTRATOR}"')
    rows = tx.all(staff.staff, c.org == who.org, chiefs, order_by=[c.staff], lock=True)
    return is_bereft({row["staff"]: row["roles"] for row in rows}, {who.staff: roles})


def is_bereft(
    before: Mapping[str, Collection[str]], changes: Mapping[str, Collection[str]]
) -> bool:
    """Tell whether of accounts that have an administrator none would be one after ``changes`` of their roles."""
    after = {**before, **changes}
    had, has = (any(_ADMINISTRATOR in roles for roles in all_.values()) for all_ in (before, after))
    return had and not has


def reset(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    code: str,
    by: Staff | None,
    now: datetime,
) -> str:
    """Reset an account (``staff.reset``) and end its sessions and API tokens; return the new one-time password.

    ``by`` asks for it; None where whoever runs the machine does.

    Raises:
        NotFoundError: There is no such account.
        ForbiddenError: It is the account of ``by`` (rule 1).
        StateError: It is disabled.
    """
    if by is not None and (by.org, by.staff) == (org, code):
        raise ForbiddenError("another administrator resets your account")
    password = staff.reset(tx, log, standard_ref=standard_ref, org=org, code=code, now=now)
    sessions.end_all(tx, staff.load(tx, org, code))
    return password


def set_provider(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    issuer: str,
    client: str,
    client_secret: str,
    factors: tuple[str, ...],
    keep: str = "",
    now: datetime,
) -> Provider:
    """Set the provider of an organisation (``provider.configure``); a change of it ends sessions (rule 3).

    ``keep`` is the token of the session that asks.

    Raises:
        InputError: Something of it can't be.
    """
    before, linked = provider.find(tx, org), provider.of(tx, org)
    made = provider.configure(
        tx, secret=secret, org=org, issuer=issuer, client=client, client_secret=client_secret, factors=factors, now=now,
    )  # fmt: skip
    if before is not None and replace(before, set=made.set) != made:
        _end(tx, linked, keep)
    return made


def remove_provider(tx: Transaction, org: str, *, keep: str = "") -> None:
    """Remove the provider of an organisation, all its links, and the sessions of who was linked (rule 3).

    ``keep`` is the token of the session that asks. Repeating is harmless.
    """
    linked = provider.of(tx, org)
    provider.remove(tx, org)
    _end(tx, linked, keep)


def link(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    login: str,
    sub: str,
    by: Staff,
    now: datetime,
) -> Staff:
    """Let an account be entered by a subject of its organisation's provider; ``by`` asks for it.

    Raises:
        NotFoundError: There is no such account, or no provider.
        ForbiddenError: It is the account of ``by`` (rule 1).
        StateError: The account is disabled.
        InputError: It can't be a subject.
        ConflictError: Another account is entered by it.
    """
    found = staff.by_login(tx, org, login)
    if (found.org, found.staff) == (by.org, by.staff):
        raise ForbiddenError("another administrator links your account")
    if not found.roles:
        raise StateError(staff.DISABLED)
    provider.link(tx, org=org, staff=found.staff, sub=sub, now=now)
    staff.say_anew(tx, log, found, standard_ref=standard_ref, now=now)
    sessions.end_all(tx, found)
    return found


def unlink(tx: Transaction, *, org: str, login: str, keep: str = "") -> Staff:
    """End the link of an account; repeating is harmless. ``keep`` is the token of the session that asks.

    Raises:
        NotFoundError: There is no such account.
    """
    found = staff.by_login(tx, org, login)
    provider.unlink(tx, org, found.staff)
    sessions.end_others(tx, found, keep)
    return found


def _end(tx: Transaction, linked: Sequence[Link], keep: str) -> None:
    for one in linked:
        sessions.end_others(tx, staff.load(tx, one.org, one.staff), keep)
