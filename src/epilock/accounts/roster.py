"""Rosters: accounts of an organisation from a CSV file, looked at first and carried out only as they were shown.

The columns have the names that SCIM gives them (RFC 7643, sections 3.1 and 4.1): ``userName`` (the login),
``active`` (``true`` or ``false``), ``roles`` (with spaces between them) and, if wanted, ``externalId``: the
person's number elsewhere, by which a login that changed hands is noticed.

Rules kept in this file:
  1. A file is right as a whole or does nothing; each mistake is named by line and column, never by its value.
  2. ``carry_out`` does what ``plan`` showed, told by its fingerprint; done again it does nothing.
  3. Accounts that the file does not name are disabled only if that is asked for.
  4. Never is the importer's own account changed, nor the last administrator disabled.
  5. A change is made as the page makes it (``administer.set_roles``), with its entry of the ledger.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

import msgspec

from epilock.accounts import administer, password, staff
from epilock.accounts.staff import Staff
from epilock.accounts.tenure import note, tenures
from epilock.db import Transaction
from epilock.errors import FileFormatError, InputError, StateError, TooLargeError
from epilock.ledger.log import Log

NEEDED, MAY = ("userName", "active", "roles"), "externalId"
MAX_BYTES, MAX_LINES, MAX_CELL, MAX_ID = 1_000_000, 5_000, 200, 64
MISTAKES = "the file has mistakes; nothing was done"
MOST_PROBLEMS = 100  # that are named at once
HASHED_AT_ONCE = 2
_APART = re.compile(r"[\s,;]+")
T = TypeVar("T")
_ACTIVE = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a line of the file says of one account.

    Attributes:
        line: Number of the line, the header being the first.
        login: ``userName``.
        roles: Sorted; none if it is not active.
        external: ``externalId``, or None.
    """

    line: int
    login: str
    roles: tuple[str, ...]
    external: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A mistake: where it is and what would be right."""

    line: int
    column: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one account.

    Attributes:
        login: Its login.
        before: Its roles now; None if it is new.
        after: Its roles then; none disables it.
        external: ``externalId`` as it will be kept.
    """

    login: str
    before: tuple[str, ...] | None
    after: tuple[str, ...]
    external: str | None

    @property
    def kind(self) -> str:
        """``new``, ``changed`` or ``disabled``."""
        return "new" if self.before is None else "changed" if self.after else "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a roster would do.

    Attributes:
        changes: In the order of the logins.
        same: How many accounts stay as they are.
        left: Logins of accounts that the file does not name and that stay.
        problems: Mistakes; with any nothing is carried out.
        fingerprint: Of the changes: SHA-256, hexadecimal.
    """

    changes: tuple[Change, ...]
    same: int
    left: tuple[str, ...]
    problems: tuple[Problem, ...]
    fingerprint: str

    def of(self, kind: str) -> list[Change]:
        """Return the changes of a kind."""
        return [change for change in self.changes if change.kind == kind]


def read(body: bytes) -> tuple[list[Line], list[Problem]]:
    """Return what a file says, and its mistakes.

    Raises:
        FileFormatError: It is no CSV in UTF-8 with the needed columns.
        TooLargeError: It has too many bytes or lines.
    """
    if len(body) > MAX_BYTES:
        raise TooLargeError(f"a roster has at most {MAX_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFormatError("a roster is UTF-8; save it as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[Line] = []
    problems: list[Problem] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not set(NEEDED) <= set(header) <= {*NEEDED, MAY} or len(set(header)) != len(header):
            raise FileFormatError(
                f"line 1: the columns are {', '.join(NEEDED)} and, if wanted, {MAY}"
            )
        for count, cells in enumerate(reader, 1):
            if count > MAX_LINES:
                raise TooLargeError(f"a roster has at most {MAX_LINES} lines")
            if any(cell.strip() for cell in cells):
                _take(reader.line_num, header, cells, lines, problems)
    except csv.Error:
        raise FileFormatError(f"line {reader.line_num}: no CSV; are its quotes closed?") from None
    problems += _twice(lines)
    return lines, sorted(problems, key=lambda p: p.line)[:MOST_PROBLEMS]


def plan(tx: Transaction, org: str, body: bytes, *, others: bool, own: tuple[str, str]) -> Planned:
    """Return what a file would do to the accounts of ``org``; nothing is written.

    Args:
        tx: A transaction.
        org: The organisation.
        body: The file.
        others: Whether accounts that it does not name are disabled (rule 3).
        own: Organisation and id of who imports (rule 4).

    Raises:
        FileFormatError: See ``read``.
        TooLargeError: See ``read``.
    """
    lines, problems = read(body)
    rows = tx.all(staff.staff, staff.staff.c.org == org)
    known = {one.login: one for one in staff.read(tx, rows)}
    ids = {row["staff"]: row["external_id"] for row in tx.all(tenures, tenures.c.org == org)}
    problems += [p for line in lines for p in _checked(line, known, ids, own)]
    named = {line.login for line in lines}
    changes = [c for line in lines if (c := _change(line, known.get(line.login), ids)) is not None]
    unnamed = [one for login, one in known.items() if login not in named and one.roles]
    if others:
        changes += [
            Change(login=one.login, before=_roles(one), after=(), external=ids.get(one.staff))
            for one in unnamed if (one.org, one.staff) != own
        ]  # fmt: skip
    roles = {login: one.roles for login, one in known.items()}
    if administer.is_bereft(roles, {change.login: change.after for change in changes}):
        problems.append(Problem(line=1, column="roles", what=administer.BEREFT))
    changes.sort(key=lambda change: change.login)
    gone = {change.login for change in changes}
    return Planned(
        changes=tuple(changes), same=len(named - gone),
        left=tuple(sorted(one.login for one in unnamed if one.login not in gone)),
        problems=tuple(sorted(problems, key=lambda p: p.line)[:MOST_PROBLEMS]),
        fingerprint=_fingerprint(org, changes),
    )  # fmt: skip


def hashed(number: int) -> list[tuple[str, str]]:
    """Return so many one-time passwords with their hashes; before a transaction, for each takes its time."""
    with ThreadPoolExecutor(HASHED_AT_ONCE) as threads:
        return list(threads.map(lambda _: password.one_time(), range(number)))


def carry_out(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    planned: Planned,
    fingerprint: str,
    once: Sequence[tuple[str, str]],
    now: datetime,
) -> list[tuple[str, str]]:
    """Do what was planned in this transaction; return login and one-time password of each new account.

    Raises:
        FileFormatError: The file has mistakes.
        StateError: It is not what was shown (rule 2).
    """
    if planned.problems:
        raise FileFormatError(MISTAKES)
    if planned.fingerprint != fingerprint:
        raise StateError("what the file would do has changed since it was shown; look at it again")
    given, made = iter(once), []
    # Who will be administrator comes first, so that at no moment nobody is.
    for change in sorted(planned.changes, key=lambda change: "administrator" not in change.after):
        if change.before is None:
            who, password = staff.add_staff(
                tx, log, standard_ref=standard_ref, org=org, login=change.login, roles=change.after,
                now=now, once=next(given),
            )  # fmt: skip
            made.append((change.login, password))
        else:
            who = staff.by_login(tx, org, change.login)
            if change.before != change.after:
                administer.set_roles(
                    tx, log, standard_ref=standard_ref, org=org, code=who.staff, roles=change.after, by=None, now=now,
                )  # fmt: skip
        if change.external is not None:
            note(tx, org, who.staff, now=now, external_id=change.external)
    return made


def _take(
    number: int, header: list[str], cells: list[str], lines: list[Line], problems: list[Problem]
) -> None:
    """Read one line into ``lines``, or say in ``problems`` what is wrong with it."""
    if len(cells) > len(header) or any(len(cell) > MAX_CELL for cell in cells):
        problems.append(
            Problem(
                line=number, column="", what=f"{len(header)} columns, each of at most {MAX_CELL} characters",
            )
        )  # fmt: skip
        return
    given = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    login, external = given.get("userName", ""), given.get(MAY) or None
    active = _ACTIVE.get(given.get("active", "").lower())
    roles = tuple(sorted(set(filter(None, _APART.split(given.get("roles", ""))))))
    wrong_login, wrong_roles = (
        _refused(staff.check_login, login),
        _refused(staff.check_roles, roles),
    )
    found = []
    if active is None:
        found.append(Problem(line=number, column="active", what="true or false"))
    if wrong_login:
        found.append(Problem(line=number, column="userName", what=wrong_login))
    if active and wrong_roles:
        found.append(Problem(line=number, column="roles", what=wrong_roles))
    if external is not None and (len(external) > MAX_ID or not external.isprintable()):
        found.append(Problem(line=number, column=MAY, what=f"at most {MAX_ID} characters"))
    if not found:
        lines.append(
            Line(line=number, login=login, roles=roles if active else (), external=external)
        )
    problems += found


def _refused(check: Callable[[T], None], value: T) -> str:
    """Return why ``value`` is refused, or ""."""
    try:
        check(value)
    except InputError as error:
        return str(error)
    return ""


def _twice(lines: list[Line]) -> list[Problem]:
    logins, ids = Counter(x.login for x in lines), Counter(x.external for x in lines if x.external)
    return [
        Problem(line=x.line, column=column, what="it stands on two lines")
        for x in lines
        for column, times in (("userName", logins[x.login]), (MAY, ids[x.external or ""]))
        if times > 1
    ]


def _checked(
    line: Line, known: dict[str, Staff], ids: dict[str, str | None], own: tuple[str, str]
) -> list[Problem]:
    """Return what is wrong with a line beside the accounts that there are."""
    one, at = known.get(line.login), line.line
    found = []
    if one is not None and (one.org, one.staff) == own and _roles(one) != line.roles:
        found.append(Problem(line=at, column="roles", what="nobody changes their own account"))
    if line.external is not None:
        kept = None if one is None else ids.get(one.staff)
        if kept is not None and kept != line.external:
            found.append(
                Problem(
                    line=at, column=MAY, what="the account is another person's; give a new login"
                )
            )
        elif kept is None and line.external in ids.values():
            found.append(Problem(line=at, column=MAY, what="this person has another account"))
    return found


def _change(line: Line, one: Staff | None, ids: dict[str, str | None]) -> Change | None:
    """Return what a line changes, or None."""
    if one is None:
        if not line.roles:
            return None
        return Change(login=line.login, before=None, after=line.roles, external=line.external)
    external = line.external or ids.get(one.staff)
    if _roles(one) == line.roles and external == ids.get(one.staff):
        return None
    return Change(login=line.login, before=_roles(one), after=line.roles, external=external)


def _roles(one: Staff) -> tuple[str, ...]:
    return tuple(sorted(one.roles))


def _fingerprint(org: str, changes: list[Change]) -> str:
    told = [(c.login, c.before, c.after, c.external) for c in changes]
    return sha256(b"epilock/roster/v1\0" + msgspec.json.encode([org, told])).hexdigest()
