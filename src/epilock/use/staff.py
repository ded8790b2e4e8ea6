"""Staff: who may sign in, with which roles, in which organisation.

Passwords are Argon2id (RFC 9106, second recommended option: 64 MiB, 3 passes, 4 lanes by the library's
defaults); the second factor is TOTP (RFC 6238), a code is taken once, or a recovery code in its place. A passkey
is both factors, so an account that has one is never entered by a password alone. A new account has a one-time
password that must be changed at the first sign-in.

What is typed is answered alike whether there is such an account or not: failures are counted under a keyed hash
of the login (``rate``), after five of them it waits, twice as long each time, and the answer never says which of
login, password or code was wrong. So that one password is not tried at many logins, failures are counted over
the organisation as well: after ``SPRAYED`` of them within ``SPRAY_WINDOW`` only known devices are answered.

Separation of duties: who operates the machine or administers accounts cannot open, collect or approve.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from os import urandom
from typing import Any

import pyotp
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    RateError,
    SignInError,
    StateError,
    TamperedError,
)
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.use import passkey, provider, rate, recovery, tenure
from epilock.use.oidc import Claims, Trip
from epilock.use.passkey import Answer, Place

ROLES = (
    "collector", "custodian", "approver", "analyst", "supervisor", "operator", "administrator",
)  # fmt: skip
APART = frozenset({"operator", "administrator"})  # never with a role that handles records
FREE_FAILURES = 5
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
FORGOTTEN = timedelta(days=1)  # after the last failure of a login, known or not, none is remembered
# No one at an organisation of thousands mistypes so often in an hour; a spray that stays below it tries 1,200
# passwords a day over all logins together.
SPRAYED, SPRAY_WINDOW = 50, timedelta(hours=1)
TOLD_WINDOW = timedelta(days=1)  # over which an administrator is told of failures
MIN_PASSWORD = 12  # characters (NIST SP 800-63B asks for 8; ours is stricter)
MAX_PASSWORD = 200
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}")
STEP = 30  # seconds of a TOTP step (RFC 6238)
_UNFIT = "the code does not fit; compare the clock of your device and try the next one"
_HASHER = PasswordHasher()
# The hash of a password that nobody knows, so that an unknown login costs as much time as a known one; made
# once with the parameters of ``_HASHER``, for making it takes a tenth of a second of every start.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$Nk9uOf1UEVgl7VWut9AZ0w$"
    "kJoPyc9lnKQbk+XvkiGBMOulLLJdX5DW8c3+vweh0OM"
)
_NOBODYS_KEY = "NOBODYSKEYNOBODYSKEYNOBODYSKEYNO"  # of a second factor, for the same reason

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

    ``once`` is a password of ``one_time`` that was hashed before, for who adds many in one transaction.

    Raises:
        InputError: Login or roles are not as they should be, or roles that must be apart are together.
        ConflictError: The login is taken.
    """
    check_login(login)
    check_roles(roles)
    if tx.all(staff, staff.c.org == org, staff.c.login == login):
        raise ConflictError(f"{org} has an account {login} already")
    code, (password, hashed) = new_id("s"), once or one_time()
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

    Whoever resets an account could enter it, so the ledger shows it: the roles end and begin again, two
    entries of one instant. Sessions are ended by the caller (``session.end_all``).

    Raises:
        NotFoundError: There is no such account.
        StateError: It is disabled.
    """
    found = load(tx, org, code)
    if not found.roles:
        raise StateError(f"{found.login} is disabled; give it roles first")
    (password, hashed), roles = one_time(), tuple(sorted(found.roles))
    tx.update(
        staff, {"org": org, "staff": code}, password=hashed, must_change=True,
        totp=None,
    )  # fmt: skip
    _forget_factors(tx, org, code)
    rate.forget(tx, **_login_count(tx, org, found.login))
    _say_roles(tx, log, standard_ref, org, code, (), now)
    _say_roles(tx, log, standard_ref, org, code, roles, now)
    return password


def shut_out(tx: Transaction, org: str, code: str) -> None:
    """Let nobody into an account until it is reset: the password that it has was taken from somebody.

    Raises:
        NotFoundError: There is no such account.
    """
    tx.update(staff, {"org": org, "staff": code}, password=_NOBODY, must_change=True, totp=None)
    _forget_factors(tx, org, code)


def is_shut(row: Mapping[str, Any]) -> bool:
    """Tell whether the account of a row was shut out and not reset since."""
    return hmac.compare_digest(str(row["password"]).encode(), _NOBODY.encode())


def sign_in(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    login: str,
    password: str,
    code: str = "",
    known: bool = False,
    now: datetime,
) -> Staff | Exception:
    """Return the account, or why not; the caller commits in either case, for failures are counted.

    Args:
        tx: A writing transaction.
        secret: 32 bytes that seal second factors.
        org: Organisation.
        login: Login.
        password: Password.
        code: Six digits of its authenticator, or a recovery code, if the account has a second factor.
        known: Whether it is typed where this account signed in before, or at the machine's own terminal.
        now: The instant.

    Returns:
        ``Staff``, ``SignInError`` or ``RateError``.
    """
    count = _login_count(tx, org, login)
    failures, last = rate.hold(tx, **count, window=FORGOTTEN, now=now)
    until = last + _wait(failures)
    if not known:
        until = max(until, _sprayed_until(tx, org, now))
    if now < until:
        return RateError(
            "too many attempts; please wait", wait=int((until - now).total_seconds()) + 1
        )
    rows = tx.all(staff, staff.c.org == org, staff.c.login == login, lock=True)
    row = rows[0] if rows and rows[0]["disabled"] is None else None
    fits = _fits(row["password"] if row else _NOBODY, password[:MAX_PASSWORD])
    step = (
        _second_step(tx, secret, row, code, now)
        if row
        else _match(_NOBODYS_KEY, code, now, after=0)
    )
    recovered = bool(row and step is None and fits and recovery.spend(tx, org, row["staff"], code))
    if row is not None and recovered:
        step = row["totp_step"]
    if row is None or not fits or step is None:
        rate.again(tx, **count, window=FORGOTTEN, now=now)
        _count_of_org(tx, org, now)
        return SignInError("login, password or code is wrong")
    rate.forget(tx, **count)
    tenure.note(tx, org, row["staff"], now=now, signed_in=now)
    tx.update(staff, {"org": org, "staff": row["staff"]}, totp_step=step)
    return replace(load(tx, org, row["staff"]), recovered=recovered)


def sign_in_by_passkey(
    tx: Transaction, answer: Answer, *, place: Place, now: datetime
) -> Staff | SignInError:
    """Return the account whose passkey answered, or why not; the caller commits in either case.

    The question was spent before (``passkey.spend``). A passkey can't be guessed, so that an account which
    waits because somebody guesses its password is entered all the same.
    """
    org, code = passkey.account_of(answer)
    found = passkey.check(
        tx, answer, place=place, org=org, staff=code, challenge=answer.challenge, now=now
    )
    if isinstance(found, SignInError):
        return found
    who = load(tx, found.org, found.staff)
    if not who.roles:
        return SignInError("this account is disabled")
    tenure.note(tx, who.org, who.staff, now=now, signed_in=now)
    return who


def sign_in_by_provider(
    tx: Transaction, trip: Trip, claims: Claims, *, client: str, now: datetime
) -> tuple[Staff, bool] | SignInError:
    """Return the account that a subject of the organisation's provider enters, or why not.

    With it comes whether a second factor was shown there; if not, the session is to be proved first. The token
    was verified before, and the trip has come back once.
    """
    found = provider.account_of(tx, trip, claims, client=client)
    if isinstance(found, SignInError):
        return found
    link, proved = found
    who = load(tx, link.org, link.staff)
    if not who.roles:
        return SignInError("this account is disabled")
    tenure.note(tx, who.org, who.staff, now=now, signed_in=now)
    return who, proved


def link_to_provider(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    login: str,
    sub: str,
    by: str,
    now: datetime,
) -> Staff:
    """Let an account be entered by a subject of the provider.

    Whoever links an account could enter it, so the ledger shows it as it shows a reset.

    Raises:
        NotFoundError: There is no such account, or no provider.
        StateError: The account is disabled.
        ForbiddenError: It is the account of ``by``, who asks.
        InputError: It can't be a subject.
        ConflictError: Another account is entered by it.
    """
    found = by_login(tx, org, login)
    if found.staff == by:
        raise ForbiddenError("another administrator links your account")
    if not found.roles:
        raise StateError(f"{found.login} is disabled; give it roles first")
    provider.link(tx, org=org, staff=found.staff, sub=sub, now=now)
    _say_roles(tx, log, standard_ref, org, found.staff, (), now)
    _say_roles(tx, log, standard_ref, org, found.staff, tuple(sorted(found.roles)), now)
    return found


def prove_totp(
    tx: Transaction, *, secret: bytes, org: str, code: str, proof: str, now: datetime
) -> None:
    """Return if ``proof`` is what the account's authenticator shows now; it is taken once.

    Raises:
        SignInError: It is not, or the account has none.
    """
    row = tx.get(staff, org=org, staff=code, lock=True)
    step = None if row["totp"] is None else _totp_step(secret, row, proof, now)
    if step is None:
        raise SignInError(_UNFIT)
    tx.update(staff, {"org": org, "staff": code}, totp_step=step)


def remove_totp(tx: Transaction, *, org: str, code: str) -> None:
    """Remove the authenticator with codes.

    Raises:
        StateError: It is the last second factor.
    """
    if all(p.shut for p in passkey.of(tx, org, code)):
        raise StateError("this is your last second factor; set up another first")
    tx.update(staff, {"org": org, "staff": code}, totp=None)


def failures_of(tx: Transaction, org: str, *, now: datetime) -> tuple[int, datetime]:
    """Return how many sign-ins at ``org`` failed in the day that is counted, and when it began."""
    return rate.standing(tx, **_org_count(tx, org, "org-day"), window=TOLD_WINDOW, now=now)


def change_password(tx: Transaction, *, org: str, code: str, old: str, new: str) -> None:
    """Change an account's password; the one-time one is used up by it.

    Raises:
        SignInError: The old password is wrong.
        InputError: The new one is too short, too long or the old one.
    """
    row = tx.get(staff, org=org, staff=code, lock=True)
    if not _fits(row["password"], old):
        raise SignInError("the old password is wrong")
    if not MIN_PASSWORD <= len(new) <= MAX_PASSWORD or new == old:
        raise InputError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters and is new")
    tx.update(staff, {"org": org, "staff": code}, password=_HASHER.hash(new), must_change=False)


def check_password(tx: Transaction, *, org: str, code: str, password: str) -> None:
    """Return if ``password`` is the account's.

    Raises:
        SignInError: It is not.
    """
    if not _fits(tx.get(staff, org=org, staff=code)["password"], password[:MAX_PASSWORD]):
        raise SignInError("the password is wrong")


def enrol_totp(
    tx: Transaction, *, secret: bytes, org: str, code: str, key: str, proof: str, now: datetime
) -> None:
    """Enrol a second factor whose base32 ``key`` the person's device holds; ``proof`` is its code now.

    Raises:
        InputError: The proof does not fit the key.
    """
    step = _match(key, proof, now, after=0)
    if step is None:
        raise InputError(_UNFIT)
    nonce = urandom(12)
    sealed = nonce + AESGCM(secret).encrypt(nonce, key.encode(), f"totp|{org}|{code}".encode())
    tx.update(staff, {"org": org, "staff": code}, totp=sealed, totp_step=step)


def renew_recovery(tx: Transaction, *, org: str, code: str) -> list[str]:
    """Make new recovery codes for an account, to be shown once; the old ones are void.

    Raises:
        StateError: It has no second factor that they could stand for.
    """
    if not load(tx, org, code).has_factor:
        raise StateError("recovery codes stand for a second factor; set up one first")
    return recovery.renew(tx, org, code)


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


def one_time() -> tuple[str, str]:
    """Return a fresh one-time password of 80 random bits, and its hash.

    It is hashed like any other, though it needs less: else the time of an answer would tell new accounts.
    """
    password = b32encode(urandom(10)).decode().lower()
    return password, _HASHER.hash(password)


def new_totp_key() -> str:
    """Return a fresh key for a second factor: 160 random bits, base32."""
    return pyotp.random_base32(32)


def totp_address(key: str, *, login: str, org: str) -> str:
    """Return the ``otpauth:`` address that a device reads off a QR code."""
    return pyotp.TOTP(key).provisioning_uri(name=f"{login}@{org}", issuer_name="Epilock")


def _forget_factors(tx: Transaction, org: str, code: str) -> None:
    passkey.remove_all(tx, org, code)
    recovery.remove(tx, org, code)
    provider.unlink(tx, org, code)


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


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except Argon2Error:
        return False


def _wait(failures: int) -> timedelta:
    if failures < FREE_FAILURES:
        return timedelta()
    doubled: int = 1 << min(failures - FREE_FAILURES, 20)
    return min(LONGEST_WAIT, FIRST_WAIT * doubled)


def _login_count(tx: Transaction, org: str, login: str) -> dict[str, Any]:
    return {**_count(tx, "login"), "who": f"{org}/{login}"}


def _org_count(tx: Transaction, org: str, kind: str) -> dict[str, Any]:
    return {**_count(tx, kind), "who": org}


def _count(tx: Transaction, kind: str) -> dict[str, Any]:
    """Return what ``rate`` needs of a count; the hash has a name of its own under the integrity key."""
    return {"secret": tx.mac_key, "org": rate.ANYWHERE, "kind": kind}


def _count_of_org(tx: Transaction, org: str, now: datetime) -> None:
    for kind, window in (("org-hour", SPRAY_WINDOW), ("org-day", TOLD_WINDOW)):
        rate.count(tx, **_org_count(tx, org, kind), most=SPRAYED, window=window, now=now)


def _sprayed_until(tx: Transaction, org: str, now: datetime) -> datetime:
    """Return until when sign-ins from devices that are not known wait."""
    hour = _org_count(tx, org, "org-hour")
    failures, began = rate.standing(tx, **hour, window=SPRAY_WINDOW, now=now)
    return now if failures < SPRAYED else began + SPRAY_WINDOW


def _second_step(
    tx: Transaction, secret: bytes, row: dict[str, Any], code: str, now: datetime
) -> int | None:
    """Return the step that a right code was taken of, or None: one is missing, or wrong.

    Without any second factor none is asked (0). With a passkey alone there is no right code: the password
    goes with a recovery code then.
    """
    if row["totp"] is None and passkey.holders(tx, row["org"], [row["staff"]]):
        return None
    return _totp_step(secret, row, code, now)


def _totp_step(secret: bytes, row: dict[str, Any], code: str, now: datetime) -> int | None:
    """Return the step of a right code (0 if none is enrolled), or None."""
    if row["totp"] is None:
        return 0
    sealed = bytes(row["totp"])
    try:
        key = AESGCM(secret).decrypt(
            sealed[:12], sealed[12:], f"totp|{row['org']}|{row['staff']}".encode()
        )
    except InvalidTag:
        raise TamperedError(f"staff ({row['staff']}): the second factor was changed") from None
    return _match(key.decode(), code, now, after=row["totp_step"])


def _match(key: str, code: str, now: datetime, *, after: int) -> int | None:
    """Return the step, one around now and later than ``after``, whose code is ``code``, or None."""
    totp = pyotp.TOTP(key)
    here = int(now.timestamp()) // STEP
    for step in (here - 1, here, here + 1):
        if step > after and pyotp.utils.strings_equal(totp.at(step * STEP), code.strip()):
            return step
    return None
