"""Identity providers of organisations, and which account is entered by which subject there.

Rules kept in this file:
  1. An account is entered by a provider only if its administrator linked it to a subject (issuer and ``sub``);
     a provider makes no account and gives no role.
  2. A link ends when its account is reset, shut out or disabled, and all of an organisation's end when its
     provider is another one, or another client is.
  3. Whether a second factor was shown there is told by values of ``acr`` and ``amr`` that the administrator
     named; without one of them Epilock asks for its own.
  4. The client's secret is sealed, and is shown to nobody again.
"""

from dataclasses import dataclass
from datetime import datetime
from os import urandom
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from epilock.accounts import oidc, passkey
from epilock.accounts.oidc import Claims, Client, Trip
from epilock.db import Instant, Json, Transaction, metadata, sealed_table
from epilock.errors import ConflictError, InputError, NotFoundError, SignInError, TamperedError

MOST_CLIENT, MOST_SECRET = 200, 300  # characters
MOST_VALUES, MOST_VALUE = 20, 100  # of acr and amr
BACK = "/console/sign-in/provider/back"  # where a provider sends browsers back to
PURPOSE = "provider"  # of trips that came back, among questions that were answered

providers = sealed_table(
    "providers",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("issuer", sa.String(oidc.MOST_ADDRESS), nullable=False),
    sa.Column("client", sa.String(MOST_CLIENT), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("factors", Json, nullable=False),
    sa.Column("set", Instant, nullable=False),
)
links = sealed_table(
    "provider_links",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("staff", sa.String(20), primary_key=True),
    sa.Column("issuer", sa.String(oidc.MOST_ADDRESS), nullable=False),
    sa.Column("sub", sa.String(oidc.MOST_SUB), nullable=False),
    sa.Column("added", Instant, nullable=False),
    sa.UniqueConstraint("org", "issuer", "sub", name="provider_links_sub"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The identity provider of an organisation.

    Attributes:
        org: The organisation.
        issuer: The provider's name.
        client: Our id there.
        sealed: Our secret there, sealed.
        factors: Values of ``acr`` or ``amr`` that tell of a second factor.
        set: Since when it is so.
    """

    org: str
    issuer: str
    client: str
    sealed: bytes
    factors: tuple[str, ...]
    set: datetime

    def client_at(self, back: str, secret: bytes) -> Client:
        """Return what we are to it; ``secret`` is the key that seals, ``back`` where browsers come back to.

        Raises:
            TamperedError: The client's secret was changed.
        """
        try:
            opened = AESGCM(secret).decrypt(self.sealed[:12], self.sealed[12:], _context(self.org))
        except (InvalidTag, ValueError):
            raise TamperedError(
                f"providers ({self.org}): the client's secret was changed"
            ) from None
        return Client(issuer=self.issuer, client=self.client, secret=opened.decode(), back=back)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """By which subject of a provider an account is entered."""

    org: str
    staff: str
    issuer: str
    sub: str
    added: datetime


def configure(
    tx: Transaction,
    *,
    secret: bytes,
    org: str,
    issuer: str,
    client: str,
    client_secret: str,
    factors: tuple[str, ...],
    now: datetime,
) -> Provider:
    """Set the provider of an organisation; another issuer or client ends all links (rule 2).

    Args:
        tx: A writing transaction.
        secret: 32 bytes that seal.
        org: The organisation.
        issuer: The provider's name, exactly as it calls itself.
        client: Our id there.
        client_secret: Our secret there; "" leaves the one that is known, if issuer and client stay.
        factors: Values of ``acr`` or ``amr`` that tell of a second factor.
        now: The instant.

    Raises:
        InputError: Something of it can't be.
    """
    issuer = oidc.check_issuer(issuer)
    if not 0 < len(client) <= MOST_CLIENT or not client.isprintable():
        raise InputError(f"the id of the client has 1 to {MOST_CLIENT} characters")
    long = any(not one or len(one) > MOST_VALUE or not one.isprintable() for one in factors)
    if long or len(factors) > MOST_VALUES:
        raise InputError(f"at most {MOST_VALUES} values of acr and amr, of {MOST_VALUE} characters")
    before = tx.find(providers, org=org, lock=True)
    same = before is not None and (before["issuer"], before["client"]) == (issuer, client)
    if not client_secret and not same:
        raise InputError("give the secret of the client")
    if len(client_secret) > MOST_SECRET or not client_secret.isprintable():
        raise InputError(f"the secret of the client has 1 to {MOST_SECRET} characters")
    if not same:
        tx.delete(links, org=org)
    at = urandom(12)
    sealed = at + AESGCM(secret).encrypt(at, client_secret.encode(), _context(org))
    row: dict[str, Any] = {
        "issuer": issuer,
        "client": client,
        "factors": sorted(set(factors)),
        "set": now,
    }
    if client_secret:
        row["secret"] = sealed
    if before is None:
        tx.insert(providers, org=org, **row)
    else:
        tx.update(providers, {"org": org}, **row)
    return load(tx, org)


def remove(tx: Transaction, org: str) -> None:
    """Remove the provider of an organisation, and all its links; repeating is harmless."""
    tx.delete(links, org=org)
    tx.delete(providers, org=org)


def back_at(url: str) -> str:
    """Return the address that is registered at a provider, for a site at ``url``."""
    return f"{url.rstrip('/')}{BACK}"


def load(tx: Transaction, org: str) -> Provider:
    """Return the provider of ``org``.

    Raises:
        NotFoundError: It has none.
    """
    found = find(tx, org)
    if found is None:
        raise NotFoundError("this organisation has no identity provider")
    return found


def find(tx: Transaction, org: str) -> Provider | None:
    """Return the provider of ``org``, or None."""
    row = tx.find(providers, org=org)
    return None if row is None else Provider(
        org=row["org"], issuer=row["issuer"], client=row["client"], sealed=bytes(row["secret"]),
        factors=tuple(row["factors"]), set=row["set"],
    )  # fmt: skip


def is_any(tx: Transaction) -> bool:
    """Tell whether any organisation has a provider, so that the door says so."""
    return bool(tx.all(providers, limit=1))


def link(tx: Transaction, *, org: str, staff: str, sub: str, now: datetime) -> Link:
    """Let an account be entered by a subject of the provider, in the place of another.

    Raises:
        InputError: It can't be a subject.
        NotFoundError: The organisation has no provider.
        ConflictError: Another account is entered by it.
    """
    if not 0 < len(sub) <= oidc.MOST_SUB or not sub.isprintable():
        raise InputError(f"a subject (sub) has 1 to {oidc.MOST_SUB} characters")
    issuer, c = load(tx, org).issuer, links.c
    if tx.all(links, c.org == org, c.issuer == issuer, c.sub == sub):
        raise ConflictError("an account is linked to this subject already")
    unlink(tx, org, staff)
    row = {"org": org, "staff": staff, "issuer": issuer, "sub": sub, "added": now}
    tx.insert(links, **row)
    return _read(row)


def unlink(tx: Transaction, org: str, staff: str) -> None:
    """End the link of an account; repeating is harmless."""
    tx.delete(links, org=org, staff=staff)


def link_of(tx: Transaction, org: str, staff: str) -> Link | None:
    """Return the link of an account, or None."""
    row = tx.find(links, org=org, staff=staff)
    return None if row is None else _read(row)


def of(tx: Transaction, org: str) -> list[Link]:
    """Return the links of an organisation, the oldest first."""
    return [_read(row) for row in tx.all(links, links.c.org == org, order_by=[links.c.added])]


def came_back(tx: Transaction, trip: Trip, *, org: str) -> SignInError | None:
    """Take a browser's coming back, once; return why not, or None. The caller commits.

    ``org`` is under which it is kept until the trip would have ended: the installation.
    """
    return passkey.once(tx, trip.state.encode(), org=org, purpose=PURPOSE, until=trip.until)


def account_of(
    tx: Transaction, trip: Trip, claims: Claims, *, client: str
) -> tuple[Link, bool] | SignInError:
    """Return the link by which a subject enters, and whether a second factor was shown (rules 1 and 3)."""
    now, c = find(tx, trip.org), links.c
    if now is None or (now.issuer, now.client) != (trip.issuer, client):
        return SignInError("the identity provider was changed meanwhile; begin again")
    rows = tx.all(links, c.org == trip.org, c.issuer == trip.issuer, c.sub == claims.sub)
    if not rows:
        return SignInError(
            "no account here is linked to yours at the identity provider; ask your administrator"
        )
    return _read(rows[0]), bool(claims.means.intersection(now.factors))


def _read(row: dict[str, Any]) -> Link:
    return Link(
        org=row["org"], staff=row["staff"], issuer=row["issuer"], sub=row["sub"], added=row["added"]
    )


def _context(org: str) -> bytes:
    return f"provider|{org}".encode()
