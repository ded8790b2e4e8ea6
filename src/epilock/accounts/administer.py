"""What an administrator does to the accounts of others, alike whether a page, the terminal or a file asks for it.

Rules kept in this file:
  1. Nobody links their own account.
  2. Whoever links an account could enter it, so the ledger shows it as it shows a reset.
  3. An account whose link is made or ended is entered anew: its sessions and API tokens end, but the session that
     asks.
"""

from datetime import datetime

from epilock.accounts import provider, staff
from epilock.accounts import session as sessions
from epilock.accounts.staff import Staff
from epilock.db import Transaction
from epilock.errors import ForbiddenError, StateError
from epilock.ledger.log import Log


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
