"""Staff: accounts, with which roles, in which organisation.

A new account has a one-time password that must be changed at the first sign-in (``sign_in``). What an
administrator does to the accounts of others is ``administer``'s, but for making and resetting one.

Separation of duties: who operates the machine or administers accounts cannot open, collect or approve.
"""

import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.accounts import guessing, passkey, provider, recovery, tenure
from epilock.accounts import password as passwords
from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.errors import ConflictError, InputError, NotFoundError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log

ROLES = (
    "collector", "custodian", "approver", "analyst", "supervisor", "operator", "administrator",
)  # fmt: skip
DISABLED = "the account is disabled; give it roles first"
APART = frozenset({"operator", "administrator"})  # never with a role that handles records
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}")

staff = sealed_table(
    "staff",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("staff", sa.String(20), primary_key=True),
    sa.Column("login", sa.String(40), nullable=False),
    sa.Column("roles", Json, nullable=False),
    sa.Column("password", sa.String(200), nullable=False),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("totp", sa.LargeBinary),
    sa.Column("totp_step", sa.BigInteger, nullable=False),
    # Written as nothing: the row's seal covers its columns, and failures are counted in ``rates`` by now.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("wait_until", Instant),
    sa.Column("added", Instant, nullable=False),
    sa.Column("disabled", Instant),
    sa.UniqueConstraint("org", "login", name="staff_login"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """One account.

    Attributes:
        org: Its organisation.
        staff: Opaque id, as the ledger names it.
        login: What is typed at sign-in.
        roles: Of ``ROLES``.
        must_change: Whether the password is the one-time one.
        has_totp: Whether an authenticator with codes (TOTP) is enrolled.
        has_passkey: Whether it has a passkey.
        recovered: Whether it has just signed in with a recovery code.
    """

    org: str
    staff: str
    login: str
    roles: frozenset[str]
    must_change: bool
    has_totp: bool
    has_passkey: bool
    recovered: bool = False

    @property
    def has_factor(self) -> bool:
        """Tell whether the account has a second factor, of whatever kind."""
        return self.has_totp or self.has_passkey


def check_login(login: str) -> None:
    """Return if ``login`` can be one.

    Raises:
        InputError: It cannot.
    """
    if not _LOGIN.fullmatch(login):
        raise InputError("a login is up to 40 letters, digits, '.' and '-'")


def check_roles(roles: tuple[str, ...]) -> None:
    """Return if an account can have these ``roles``.

    Raises:
        InputError: One is unknown, there is none, or roles that must be apart are together.
    """
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise InputError(f"roles are {', '.join(ROLES)}")
    if set(roles) & APART and len(set(roles)) > 1:
        raise InputError("operator and administrator stand alone: they can open no record")


def add_staff(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    login: str,
    roles: tuple[str, ...],
    now: datetime,
    once: tuple[str, str] | None = None,
) -> tuple[Staff, str]:
    """Add an account; return it and its one-time password, which is shown once.

    ``once`` is a password of ``password.one_time`` that was hashed before, for who adds many in one transaction.

    Raises:
        InputError: Login or roles are not as they should be, or roles that must be apart are together.
        ConflictError: The login is taken.
    """
    check_login(login)
    check_roles(roles)
    if tx.all(staff, staff.c.org == org, staff.c.login == login):
        raise ConflictError(f"{org} has an account {login} already")
    code, (password, hashed) = new_id("s"), once or passwords.one_time()
    tx.insert(
        staff, org=org, staff=code, login=login, roles=sorted(roles), must_change=True,
        password=hashed, totp_step=0, failures=0, added=now,
    )  # fmt: skip
    tenure.note(tx, org, code, now=now)
    _say_roles(tx, log, standard_ref, org, code, roles, now)
    return load(tx, org, code), password


def set_roles(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    code: str,
    roles: tuple[str, ...],
    now: datetime,
) -> Staff:
    """Give an account other roles; none disables it.

    Raises:
        InputError: A role is unknown, or roles that must be apart are together.
        NotFoundError: There is no such account.
    """
    if roles:
        check_roles(roles)
    before = load(tx, org, code).roles
    tx.update(
        staff, {"org": org, "staff": code}, roles=sorted(roles), disabled=None if roles else now
    )
    if not roles:
        provider.unlink(tx, org, code)
    again = {} if before else {"since": now, "confirmed_by": None}
    tenure.note(tx, org, code, now=now, changed=now, roles_before=sorted(before), **again)
    _say_roles(tx, log, standard_ref, org, code, roles, now)
    return load(tx, org, code)


def reset(
    tx: Transaction, log: Log, *, standard_ref: str, org: str, code: str, now: datetime
) -> str:
    """Take an account from who had its password and second factor; return a new one-time password.

    Whoever resets an account could enter it, so the ledger shows it (``say_anew``). Sessions are ended by the
    caller (``administer.reset``).

    Raises:
        NotFoundError: There is no such account.
        StateError: It is disabled.
    """
    found = load(tx, org, code)
    if not found.roles:
        raise StateError(DISABLED)
    password, hashed = passwords.one_time()
    tx.update(
        staff, {"org": org, "staff": code}, password=hashed, must_change=True,
        totp=None,
    )  # fmt: skip
    _forget_factors(tx, org, code)
    guessing.forget(tx, org, found.login)
    say_anew(tx, log, found, standard_ref=standard_ref, now=now)
    return password


def say_anew(tx: Transaction, log: Log, who: Staff, *, standard_ref: str, now: datetime) -> None:
    """Show in the ledger that somebody else could enter an account now: its roles end and begin, at one instant."""
    for roles in ((), tuple(sorted(who.roles))):
        _say_roles(tx, log, standard_ref, who.org, who.staff, roles, now)


def shut_out(tx: Transaction, org: str, code: str) -> None:
    """Let nobody into an account until it is reset: the password that it has was taken from somebody.

    Raises:
        NotFoundError: There is no such account.
    """
    tx.update(
        staff, {"org": org, "staff": code}, password=passwords.NOBODYS, must_change=True, totp=None
    )
    _forget_factors(tx, org, code)


def is_shut(row: Mapping[str, Any]) -> bool:
    """Tell whether the account of a row was shut out and not reset since."""
    return hmac.compare_digest(str(row["password"]).encode(), passwords.NOBODYS.encode())


def load(tx: Transaction, org: str, code: str) -> Staff:
    """Return the account.

    Raises:
        NotFoundError: There is none.
    """
    return read(tx, [tx.get(staff, org=org, staff=code)])[0]


def by_login(tx: Transaction, org: str, login: str) -> Staff:
    """Return the account that signs in as ``login``, also a disabled one.

    Raises:
        NotFoundError: The organisation has none.
    """
    rows = tx.all(staff, staff.c.org == org, staff.c.login == login)
    if not rows:
        raise NotFoundError(f"{org} has no such account; `epilock staff list {org}` names them")
    return read(tx, rows)[0]


def logins(tx: Transaction, org: str, codes: Collection[str]) -> dict[str, str]:
    """Return by which login the accounts ``codes`` of ``org`` sign in, by their codes."""
    rows = tx.all(staff, staff.c.org == org, staff.c.staff.in_(sorted(set(codes))))
    return {row["staff"]: row["login"] for row in rows}


def listing(tx: Transaction, org: str) -> list[Staff]:
    """Return the accounts of ``org`` that are not disabled, by login."""
    rows = tx.all(staff, staff.c.org == org, staff.c.disabled.is_(None), order_by=[staff.c.login])
    return read(tx, rows)


def read(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[Staff]:
    """Return the accounts that rows of ``staff``, all of one organisation, state."""
    if not rows:
        return []
    holders = passkey.holders(tx, rows[0]["org"], [row["staff"] for row in rows])
    return [
        Staff(
            org=row["org"], staff=row["staff"], login=row["login"], roles=frozenset(row["roles"]),
            must_change=row["must_change"], has_totp=row["totp"] is not None,
            has_passkey=row["staff"] in holders,
        )
        for row in rows
    ]  # fmt: skip


def _forget_factors(tx: Transaction, org: str, code: str) -> None:
    passkey.remove_all(tx, org, code)
    recovery.remove(tx, org, code)
    provider.unlink(tx, org, code)


def _say_roles(  # noqa: PLR0917 - what an entry needs
    tx: Transaction,
    log: Log,
    standard_ref: str,
    org: str,
    code: str,
    roles: tuple[str, ...],
    now: datetime,
) -> None:
    said = entry.Role(
        org=org, standard=standard_ref, at=entry.stamp(now), staff=code, roles=sorted(roles)
    )
    log.append(tx, [entry.encode(said)], now=now)
