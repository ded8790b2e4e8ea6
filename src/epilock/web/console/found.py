"""What a search found: a page with an address of its own, which names nobody and nothing that was typed.

Rules kept in this file:
  1. Which records were found is kept nowhere on the server, for it would tell whose records are one person's. The
     address carries it sealed (AES-256-GCM), good for this one search.
  2. It is shown to who searched, for a quarter of an hour, while the grant is active. Going back or reloading
     searches nothing anew.
  3. A value that none of its kind can be is not searched for.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from os import urandom
from types import MappingProxyType

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.responses import Response

from epilock.assemble import INSTALLATION
from epilock.collect.answer import Check
from epilock.collect.identifier import CHECKS
from epilock.collect.telephone import check_phone
from epilock.db import missing
from epilock.errors import EpilockError, FieldsError, ForbiddenError
from epilock.registry import emergency as emergencies_
from epilock.store import bucket as buckets
from epilock.store import tags
from epilock.use import gate, search
from epilock.use.search import Found, Place
from epilock.web.console import reach
from epilock.web.console.desk import Desk
from epilock.web.problem import of as problem_of
from epilock.web.request import Site

PART = "records"
SHOWN_FOR = timedelta(minutes=15)
_NONCE = 12  # bytes
# Who was only mentioned is found by a land line, too.
_OTHERWISE: Mapping[str, Check] = MappingProxyType({"contact.mobile": check_phone})
_PLACES = msgspec.msgpack.Decoder(list[Place])


def checked(desk: Desk, category: str, value: str) -> str:
    """Return ``value`` as one of ``category`` is written; as it is where nobody is found by that.

    Raises:
        FieldsError: It can't be one.
    """
    if category not in tags.SUBJECTS:
        return value
    check = _OTHERWISE.get(category, CHECKS[category])
    found = check(value, today=desk.site.today())
    if not isinstance(found, str):
        raise FieldsError([found.at("value")])
    return found


def sealed(site: Site, source: str, code: str, found: Sequence[Found]) -> str:
    """Return where the records are that the search ``code`` found, for its address (rule 1)."""
    places = [(f.bucket.id, f.record.n, f.role) for f in found]
    nonce = urandom(_NONCE)
    text = AESGCM(_secret(site)).encrypt(
        nonce, msgspec.msgpack.encode(places), _context(source, code)
    )
    return urlsafe_b64encode(nonce + text).decode().rstrip("=")


def page(
    desk: Desk,
    source: str,
    code: str,
    seal: str,
    *,
    error: EpilockError | None = None,
    chosen: Collection[str] = (),
) -> Response:
    """Return the page of what a search found (rule 2).

    Raises:
        NotFoundError: There is no such search of the own organisation.
        ForbiddenError: Another made it.
    """
    now = desk.site.now()
    with desk.site.parts.database.read() as tx:
        made = search.load(tx, source, code)
        if made.by_org != desk.org:
            raise missing(search.searches)
        if made.by != desk.who:
            raise ForbiddenError("what was found is shown to the one who searched for it")
        places = _opened(desk.site, source, code, seal) if now < made.at + SHOWN_FOR else None
        found = search.again(tx, made, places or (), now=now)
        mine = reach.into(desk, tx, source)
        circumstances = {f.bucket.circumstance for f in found}
        emergencies = emergencies_.named(tx, buckets.emergencies_of(tx, source))
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "found.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        source=source, made=made, found=found, fresh=places is not None, seal=seal,
        grants=[g for g in mine if circumstances.issubset(g.circumstances)],
        chosen=chosen, most=gate.MOST_RECORDS, minutes=SHOWN_FOR.seconds // 60,
        emergencies=emergencies, searched=kinds(desk),
    )  # fmt: skip


def kinds(desk: Desk) -> list[tuple[str, str]]:
    """Return by what somebody is found: categories and their names."""
    known = desk.site.parts.standard.categories
    return [(code, desk.name(known[code].name)) for code in tags.SUBJECTS]


def _opened(site: Site, source: str, code: str, seal: str) -> list[Place] | None:
    """Return the places in an address, or None if this site never gave it for this search."""
    try:
        data = urlsafe_b64decode(seal + "=" * (-len(seal) % 4))
        return _PLACES.decode(
            AESGCM(_secret(site)).decrypt(data[:_NONCE], data[_NONCE:], _context(source, code))
        )
    except (InvalidTag, ValueError):  # ValueError: no base64, or cut short
        return None


def _secret(site: Site) -> bytes:
    return site.parts.keys.secret(INSTALLATION, "found")


def _context(source: str, code: str) -> bytes:
    return f"epilock/found/v1|{source}|{code}".encode()
