"""Arrivals: each sign-in of an account with its device, network and place, so that a person sees a stranger's.

Rules kept in this file:
  1. Kept is as little as tells a stranger: the hash of a device's random cookie, what the browser calls itself
     as two words, the network cut to /24 or /48, a place if there is a table, the instant; for ``KEPT`` days.
  2. A device that the account has not used, two devices on different networks within ``AT_ONCE``, and two places
     that nobody travels between in the time are told. An account's first arrival with its one-time password
     is not: that was handed over in person.
  3. "It was me" from the device that is asked about silences the question there alone: a stranger says so too.
  4. "It wasn't me" leaves nothing open: the caller ends the sessions and shuts the password out.
  5. After an impossible travel, or a sign-in by a provider that showed no second factor, the session is unproved:
     it opens no page until a code or a passkey was shown. However many sign-ins are asked about, its own is among them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from epilock.accounts import session as sessions
from epilock.accounts.place import Place, Places, is_too_far, network_of
from epilock.accounts.staff import Staff, is_shut
from epilock.accounts.staff import staff as accounts
from epilock.db import Instant, Transaction, metadata, new_id, sealed_table
from epilock.errors import StateError

KEPT = timedelta(days=90)
AT_ONCE = timedelta(minutes=5)
MOST_TOLD = 20  # questions that are loaded for one page
SEEN, NEW, SAID, MINE, DENIED = "seen", "new", "said", "mine", "denied"
STATES = (NEW, SAID, MINE, DENIED, SEEN)
DEVICE, NEAR, FAR = "device", "near", "far"  # why an arrival is told
ANSWERS: Mapping[str, bool] = MappingProxyType({"mine": True, "denied": False})
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_AGENT = 400  # characters of a browser's own name that are looked at
_BROWSERS = (
    ("MicroMessenger", "WeChat"), ("Edg", "Edge"), ("OPR/", "Opera"), ("Opera", "Opera"), ("SamsungBrowser", "Samsung"),
    ("UCBrowser", "UC"), ("QQBrowser", "QQ"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("Chrome", "Chrome"),
    ("CriOS", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Harmony", "HarmonyOS"), ("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows"),
    ("Macintosh", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip

arrivals = sealed_table(
    "arrivals",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("arrival", sa.String(20), primary_key=True),
    sa.Column("staff", sa.String(20), nullable=False),
    sa.Column("device", sa.LargeBinary(32), nullable=False),
    sa.Column("session", sa.String(16), nullable=False),
    sa.Column("label", sa.String(40), nullable=False),
    sa.Column("network", sa.String(43), nullable=False),
    sa.Column("latitude", sa.Integer),
    sa.Column("longitude", sa.Integer),
    sa.Column("place", sa.String(60)),
    sa.Column("at", Instant, nullable=False),
    sa.Column("state", sa.String(6), nullable=False),
    sa.Column("reason", sa.String(6), nullable=False),
    sa.Column("unproved", sa.Boolean, nullable=False),
    sa.Index("arrivals_staff", "org", "staff", "at"),
    sa.Index("arrivals_device", "org", "device"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One sign-in.

    Attributes:
        org: Organisation of the account.
        arrival: Opaque id.
        staff: The account.
        device: Hash of the device's cookie.
        session: Handle of the session that began with it.
        label: Browser and system, such as ``Firefox, Linux``; "" if it named none that is known.
        network: Such as ``203.0.113.0/24``; "" if there was no address.
        place: Where the network is, or None.
        at: When.
        state: Of ``STATES``; ``new`` and ``said`` are still asked about.
        reason: Why it is asked about: ``device``, ``near``, ``far`` or "".
        unproved: Whether a code or a passkey is still to be shown again.
    """

    org: str
    arrival: str
    staff: str
    device: bytes
    session: str
    label: str
    network: str
    place: Place | None
    at: datetime
    state: str
    reason: str
    unproved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where a sign-in comes from.

    Attributes:
        device: What the device's cookie holds; "" if it has none.
        agent: What the browser calls itself.
        address: Network address.
        places: Where networks are.
    """

    device: str
    agent: str
    address: str
    places: Places


def is_known(tx: Transaction, org: str, login: str, device: str) -> bool:
    """Tell whether the account of ``login`` signed in from this device before, and nobody denied it."""
    c = arrivals.c
    there = tx.all(arrivals, c.org == org, c.device == _hash(device), c.state != DENIED)
    rows = tx.all(accounts, accounts.c.org == org, accounts.c.login == login)
    return bool({row["staff"] for row in there} & {row["staff"] for row in rows})


def arrive(
    tx: Transaction, who: Staff, came: From, *, session: str, now: datetime, proved: bool = True
) -> tuple[Arrival, str]:
    """Note that an account signed in; return the arrival, and what the device's cookie is to hold.

    Unless it has ``proved`` itself with a second factor, the session opens no page before that (rule 5).

    A cookie that no account of the organisation has is not taken over: whoever planted it would know it.
    """
    c = arrivals.c
    device = came.device
    if not _TOKEN.fullmatch(device) or not tx.all(
        arrivals, c.org == who.org, c.device == _hash(device), limit=1
    ):
        device = token_urlsafe(32)
    before = tx.all(
        arrivals, c.org == who.org, c.staff == who.staff, c.state != DENIED, order_by=[c.at.desc()]
    )
    place = came.places.find(came.address)
    row = {
        "org": who.org, "arrival": new_id("i"), "staff": who.staff, "device": _hash(device),
        "session": sessions.handle_of(session), "label": label(came.agent), "network": network_of(came.address),
        "latitude": place and place.latitude, "longitude": place and place.longitude, "place": place and place.name,
        "at": now,
    }  # fmt: skip
    reason = _reason(who, row, before, now)
    row |= {
        "reason": reason,
        "state": NEW if reason else SEEN,
        "unproved": reason == FAR or not proved,
    }
    tx.insert(arrivals, **row)
    return read(row), device


def load(tx: Transaction, who: Staff, code: str) -> Arrival:
    """Return an arrival of the account.

    Raises:
        NotFoundError: It has none of this id.
    """
    return read(tx.get(arrivals, org=who.org, arrival=code, staff=who.staff))


def asked(tx: Transaction, who: Staff, handle: str) -> list[Arrival]:
    """Return the arrivals of the account that are still asked about, and that of the session ``handle``."""
    c = arrivals.c
    rows = tx.all(
        arrivals, c.org == who.org, c.staff == who.staff,
        sa.or_(c.session == handle, c.state.in_((NEW, SAID))),
        order_by=[(c.session == handle).desc(), c.at.desc()], limit=MOST_TOLD,
    )  # fmt: skip
    return [read(row) for row in rows]


def of_sessions(tx: Transaction, who: Staff) -> dict[str, Arrival]:
    """Return the arrivals of the account by the handle of the session that began with each."""
    rows = tx.all(arrivals, arrivals.c.org == who.org, arrivals.c.staff == who.staff)
    return {row["session"]: read(row) for row in rows}


def to_tell(found: list[Arrival], handle: str) -> list[Arrival]:
    """Return those of ``asked`` that the session ``handle`` is to be told of (rule 3)."""
    here = next((one.device for one in found if one.session == handle), None)
    return [one for one in found if one.state == NEW or (one.state == SAID and one.device != here)]


def answer(tx: Transaction, who: Staff, code: str, *, mine: bool, handle: str) -> Arrival:
    """Note what the person says of an arrival, in the session ``handle``.

    Raises:
        NotFoundError: The account has none of this id.
        StateError: It is not asked about any more.
    """
    found = load(tx, who, code)
    if found not in to_tell(asked(tx, who, handle), handle):
        raise StateError("this sign-in is not asked about any more")
    here = [one.device for one in asked(tx, who, handle) if one.session == handle]
    state = DENIED if not mine else SAID if here == [found.device] else MINE
    return _set(tx, found, state=state)


def prove(tx: Transaction, found: Arrival) -> Arrival:
    """Note that a code or a passkey was shown again (rule 5)."""
    return _set(tx, found, unproved=False)


def waiting(tx: Transaction, org: str) -> dict[str, list[Arrival]]:
    """Return what an administrator should look at: impossible travels that are asked about, and denials.

    A denial waits until its account is reset or disabled.
    """
    c, s = arrivals.c, accounts.c
    far = tx.all(arrivals, c.org == org, c.reason == FAR, c.state.in_((NEW, SAID)))
    shut = {
        row["staff"] for row in tx.all(accounts, s.org == org, s.disabled.is_(None), s.totp.is_(None)) if is_shut(row)
    }  # fmt: skip
    denied = tx.all(arrivals, c.org == org, c.state == DENIED)
    return {
        FAR: [read(row) for row in far],
        DENIED: [read(row) for row in denied if row["staff"] in shut],
    }


def sweep(tx: Transaction, *, now: datetime) -> int:
    """Delete arrivals that are older than ``KEPT`` (rule 1); return how many."""
    return tx.conn.execute(sa.delete(arrivals).where(arrivals.c.at < now - KEPT)).rowcount


def read(row: Mapping[str, Any]) -> Arrival:
    """Return the arrival that a row states."""
    place = None
    if row["place"] is not None:
        place = Place(latitude=row["latitude"], longitude=row["longitude"], name=row["place"])
    return Arrival(
        org=row["org"], arrival=row["arrival"], staff=row["staff"], device=bytes(row["device"]),
        session=row["session"], label=row["label"], network=row["network"], place=place, at=row["at"],
        state=row["state"], reason=row["reason"], unproved=row["unproved"],
    )  # fmt: skip


def label(agent: str) -> str:
    """Return browser and system family of what a browser calls itself (RFC 9110, 10.1.5); no version."""
    agent = agent[:MAX_AGENT]
    found = [
        next((name for mark, name in known if mark in agent), "") for known in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(name for name in found if name)


def _reason(who: Staff, row: Mapping[str, Any], before: list[dict[str, Any]], now: datetime) -> str:
    """Return why an arrival is told, or "" (rule 2)."""
    if not before:
        return "" if who.must_change else DEVICE
    here = read({**row, "state": SEEN, "reason": "", "unproved": False})
    placed = next((a for a in map(read, before) if a.place is not None), None)
    if (
        here.place
        and placed
        and placed.place
        and is_too_far(placed.place, here.place, now - placed.at)
    ):
        return FAR
    if all(bytes(old["device"]) != here.device for old in before):
        return DEVICE
    at_once = [old for old in before if now - old["at"] <= AT_ONCE]
    elsewhere = any(
        bytes(old["device"]) != here.device and old["network"] != here.network for old in at_once
    )
    return NEAR if elsewhere else ""


def _set(tx: Transaction, found: Arrival, **values: Any) -> Arrival:
    return read(tx.update(arrivals, {"org": found.org, "arrival": found.arrival}, **values))


def _hash(device: str) -> bytes:
    return sha256(b"device\0" + device.encode()).digest()
