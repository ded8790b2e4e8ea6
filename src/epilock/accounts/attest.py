"""Accounts are confirmed by an administrator at regular intervals: who joined, who moved, who left, who is still needed.

Asked for by GB/T 22239-2019, 8.1.4.2 c) (needless and outdated accounts are deleted or disabled in time),
ISO/IEC 27002:2022, 5.18 (rights are reviewed regularly) and NIST SP 800-53 Rev. 5, AC-2 j and AC-2(3). None of
them gives a number of days; a quarter, a month and half a quarter are ours.

Rules kept in this file:
  1. An account is due ``EVERY`` after it was added, given back or confirmed; a change of roles confirms nothing.
  2. Nobody confirms their own account.
  3. What is not confirmed within ``GRACE`` after it was due is disabled, with its entry of the ledger, as an
     administrator would; the last administrator of an organisation never is.
  4. An account whose tenure was never noted begins one when the caretaker comes by.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from epilock.accounts import administer, staff
from epilock.accounts.staff import Staff
from epilock.accounts.tenure import note, tenures
from epilock.db import Transaction
from epilock.errors import ForbiddenError, StateError
from epilock.ledger.log import Log

EVERY, GRACE, QUIET = timedelta(days=90), timedelta(days=30), timedelta(days=45)
NOTES = ("due", "joined", "moved", "quiet", "bare")  # what is to be noticed of an account


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account stands.

    Attributes:
        account: The account.
        joined: When it was added.
        left: When it was disabled, or None.
        changed: When its roles were changed last, or None.
        before: Its roles before that.
        signed_in: When its person signed in last, or None.
        confirmed_by: Who confirmed it last, or None.
        due: When it is to be confirmed again.
    """

    account: Staff
    joined: datetime
    left: datetime | None
    changed: datetime | None
    before: tuple[str, ...]
    signed_in: datetime | None
    confirmed_by: str | None
    due: datetime

    @property
    def since(self) -> datetime:
        """When the period began that ends at ``due``."""
        return self.due - EVERY

    def is_due(self, now: datetime) -> bool:
        """Tell whether it is to be confirmed by now."""
        return now >= self.due

    def notes(self, now: datetime) -> list[str]:
        """Return what is to be noticed, of ``NOTES``."""
        found = {
            "due": self.is_due(now),
            "joined": self.confirmed_by is None and now - self.joined < EVERY,
            "moved": self.changed is not None and self.changed >= self.since,
            "quiet": now - (self.signed_in or self.joined) >= QUIET,
            "bare": not self.account.has_factor,
        }
        return [name for name, holds in found.items() if holds]


def standings(tx: Transaction, org: str, *, now: datetime) -> list[Standing]:
    """Return how the accounts of ``org`` stand: those in use, the first due first, then who left within ``EVERY``."""
    noted = {row["staff"]: row for row in tx.all(tenures, tenures.c.org == org)}
    rows = tx.all(staff.staff, staff.staff.c.org == org)
    found = [
        _standing(account, row, noted.get(row["staff"]), now)
        for account, row in zip(staff.read(tx, rows), rows, strict=True)
    ]
    here = sorted((s for s in found if s.left is None), key=lambda s: (s.due, s.account.login))
    gone = sorted(
        (s for s in found if s.left is not None and now - s.left < EVERY),
        key=lambda s: s.account.login,
    )
    return here + gone


def confirm(tx: Transaction, org: str, code: str, *, by: Staff, now: datetime) -> None:
    """Note that an administrator confirmed an account.

    Raises:
        NotFoundError: There is no such account.
        ForbiddenError: It is their own.
        StateError: It is disabled.
    """
    found = staff.load(tx, org, code)
    if (by.org, by.staff) == (org, code):
        raise ForbiddenError("another administrator confirms your account")
    if not found.roles:
        raise StateError(staff.DISABLED)
    note(tx, org, code, now=now, since=now, confirmed_by=by.staff)


def lapse(tx: Transaction, log: Log, *, standard_ref: str, now: datetime) -> int:
    """Disable the accounts that nobody confirmed in time (rule 3); return how many."""
    _begin(tx, now)
    over = tx.all(tenures, tenures.c.since <= now - EVERY - GRACE, order_by=[tenures.c.since])
    done = 0
    for row in over:
        who = staff.load(tx, row["org"], row["staff"])
        if not who.roles or administer.is_needed(tx, who):
            continue
        administer.set_roles(
            tx,
            log,
            standard_ref=standard_ref,
            org=who.org,
            code=who.staff,
            roles=(),
            by=None,
            now=now,
        )
        done += 1
    return done


def _begin(tx: Transaction, now: datetime) -> None:
    """Begin the tenures that were never noted (rule 4)."""
    noted = {(row["org"], row["staff"]) for row in tx.all(tenures)}
    for row in tx.all(staff.staff, staff.staff.c.disabled.is_(None)):
        if (row["org"], row["staff"]) not in noted:
            note(tx, row["org"], row["staff"], now=now)


def _standing(
    account: Staff, row: dict[str, Any], noted: dict[str, Any] | None, now: datetime
) -> Standing:
    told = noted or {
        "changed": None,
        "roles_before": None,
        "signed_in": None,
        "confirmed_by": None,
        "since": now,
    }
    return Standing(
        account=account, joined=row["added"], left=row["disabled"], changed=told["changed"],
        before=tuple(told["roles_before"] or ()), signed_in=told["signed_in"], confirmed_by=told["confirmed_by"],
        due=told["since"] + EVERY,
    )  # fmt: skip
