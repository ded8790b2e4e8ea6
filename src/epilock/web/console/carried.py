"""What was typed on a page whose session has ended: carried to the same person's next one, and sent again.

Rules kept in this file:
  1. The page alone carries it, sealed while nobody is signed in: it stands in no address, cookie or database.
  2. It is shown to nobody but the account whose page it was typed on. Each form of the console names that account,
     signed, with its session's token.
  3. Nothing is done by itself: the person looks, and sends it again.
     An account that is still to be set up does that first, in another page: this one keeps what it holds.
  4. Files are not carried, and neither is what shows who somebody is: a password, a code, a secret.
"""

import hmac
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from os import urandom
from typing import Any
from urllib.parse import quote

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.routing import Match, Route

from epilock.accounts.staff import Staff
from epilock.collect.template import field_id
from epilock.errors import SignInError
from epilock.standard import Standard
from epilock.standard.model import FORMS
from epilock.web.language import Speaker
from epilock.web.security import MAX_BODY, taken_at

CARRIED = "carried"  # field of the door's forms
LASTS = timedelta(hours=1)
MOST = MAX_BODY - 4096  # characters of what is sealed: the door takes no larger form
_MARK, _SEAL = b"epilock/form/v1\0", b"epilock/carried/v1\0"
_NONCE = 12
# What is never carried: forms of the door, and fields that show who somebody is.
_DOOR = frozenset({"sign-in", "sign-out", "password", "second-factor", "proof"})
_UNSEEN = frozenset({"once", "sheet"})  # ids of forms, which no page shows
# What a page says of its own rows, beside what was typed there.
_OF_A_ROW = re.compile(r"(?:category|zh|en|optional|words)\..|(?:row|had|first|shelf|seal)$")
_CELL = re.compile(r"r(\d{1,3})\.(\w{1,40})")
_LABELS = {"act": "console.sheets.signed", "field": "console.points.asks"}
_OPTIONAL = frozenset({"photo"})  # the field for a file that may stay empty
_SECRET = frozenset({"csrf", "password", "proof_code", "proof_answer", "proof_password", "client_secret"})  # fmt: skip


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """One form that was not taken.

    Attributes:
        org, staff: The account on whose page it was typed.
        to: Where it was sent, with its query.
        fields: Names and what was typed, in order.
        files: Names of its fields with a file, and what each file was called.
        until: When nobody may have it any more, Unix seconds.
    """

    org: str
    staff: str
    to: str
    fields: list[tuple[str, str]]
    files: list[tuple[str, str]]
    until: int

    @property
    def part(self) -> str:
        """Part of the console that it was sent to."""
        return self.to.partition("?")[0].split("/")[2]

    @property
    def asked_for(self) -> list[tuple[str, str, bool]]:
        """Its fields with a file: name, what the file was called, and whether there must be one."""
        return [(name, called, name not in _OPTIONAL) for name, called in self.files]

    def is_of(self, who: Staff) -> bool:
        """Tell whether it was typed on a page of ``who``."""
        return (self.org, self.staff) == (who.org, who.staff)


def mark(secret: bytes, csrf: str, who: Staff) -> str:
    """Return what a form of a session carries: its token, whose it is, and a MAC over both (rule 2)."""
    body = f"{csrf}.{who.org}.{who.staff}"
    return f"{body}.{_mac(secret, body)}"


def token_in(marked: str) -> str:
    """Return the session's token that a form carries."""
    return marked.partition(".")[0]


def of(secret: bytes, request: Request, form: FormData, *, now: datetime) -> Carried | None:
    """Return a form as it can be carried; None if no page of the console made it, or rule 4 says no."""
    body, _, mac = str(form.get("csrf", ""))[:300].rpartition(".")
    is_ours = hmac.compare_digest(_mac(secret, body).encode(), mac.encode(errors="replace"))
    path = request.url.path
    if not is_ours or path.split("/")[2] in _DOOR:
        return None
    _, org, staff = body.split(".")
    to, query = quote(path, safe="/.~:-_+"), request.url.query
    items = [(name, value) for name, value in form.multi_items() if name not in _SECRET]
    return Carried(
        org=org, staff=staff, to=f"{to}?{query}" if query else to,
        fields=[(n, v) for n, v in items if isinstance(v, str)],
        files=[(n, v.filename) for n, v in items if isinstance(v, UploadFile) and v.filename and taken_at(path)],
        until=int((now + LASTS).timestamp()),
    )  # fmt: skip


def seal(carried: Carried, secret: bytes) -> str:
    """Return ``carried`` as a page holds it while nobody is signed in; "" if it is too long for that."""
    nonce, data = urandom(_NONCE), zlib.compress(msgspec.json.encode(carried))
    sealed = nonce + AESGCM(_key(secret)).encrypt(nonce, data, _SEAL)
    text = urlsafe_b64encode(sealed).decode()
    return text if len(text) <= MOST else ""


def named(carried: Carried, t: Speaker, standard: Standard) -> list[tuple[str, str]]:
    """Return what is carried as a person reads it: fields and values by the names that pages call them by.

    What has no name there stays as it is sent.
    """
    asked = {field_id(code): code for code in standard.categories}
    return [
        (_label(t, standard, asked, carried.part, name), _value(t, standard, asked, name, value))
        for name, value in carried.fields
        if value.strip() and name not in _UNSEEN and not _OF_A_ROW.match(name)
    ]


def _label(t: Speaker, standard: Standard, asked: Mapping[str, str], part: str, name: str) -> str:
    cell = _CELL.fullmatch(name)
    if cell:  # of a page of paper
        row, of = t("console.sheets.row", n=int(cell[1])), asked.get(cell[2])
        return f"{row} {cell[2] if of is None else t.say(standard.categories[of].name)}"
    if name in _LABELS:
        return t(_LABELS[name])
    known = (f"console.{part}.{name}", f"console.{name}")
    return next((t(key) for key in known if t.knows(key) and "{" not in t(key)), name)


def _value(t: Speaker, standard: Standard, asked: Mapping[str, str], name: str, value: str) -> str:
    things: Mapping[str, Mapping[str, Any]] = {
        "purpose": standard.purposes, "circumstance": standard.circumstances, "level": standard.levels,
        "category": standard.categories, "method": standard.methods, "event": standard.events,
    }  # fmt: skip
    if name == "form" and value in FORMS:
        return t.say(FORMS[value])
    if name in {"field", "act"}:  # what a point asks, and what is agreed to, by what it is about
        about = value.partition(":")[2] or value
        code = asked.get(about, about)
        named_ = standard.categories.get(code) or standard.purposes.get(code)
        return value if named_ is None else t.say(named_.name)
    thing = things.get(name, {}).get(value)
    if thing is not None:
        return t.say(thing.name)
    key = f"console.{name}.{value}"
    return t(key) if t.knows(key) else value


def unseal(text: str, secret: bytes, *, now: datetime) -> Carried:
    """Return what a page held.

    Raises:
        SignInError: It was sealed by nobody here, or too long ago.
    """
    try:
        sealed = urlsafe_b64decode(text.encode("ascii"))
        data = AESGCM(_key(secret)).decrypt(sealed[:_NONCE], sealed[_NONCE:], _SEAL)
    except (ValueError, InvalidTag):
        raise SignInError("this form is too old; please go back and try again") from None
    found = msgspec.json.decode(zlib.decompress(data), type=Carried)
    if now.timestamp() >= found.until:
        raise SignInError("this form is too old; please go back and try again")
    return found


def way_back(request: Request, pages: Sequence[Route], *, shut: bool = False) -> str:
    """Return the page that whoever asked stood on: the nearest of ``pages`` at the address of a form, or above a page.

    If what was asked for is ``shut`` to them, it is none that names a thing.
    """
    path, within = request.url.path, request.method != "GET" or bool(request.url.query)
    while path.count("/") > 1:
        here = {"type": "http", "path": path, "method": "GET"}
        fits = [p for p in pages if not (shut and p.param_convertors)]
        if within and any(p.matches(here)[0] is Match.FULL for p in fits):
            return path
        path, within = path.rpartition("/")[0], True
    return path


def _mac(secret: bytes, body: str) -> str:
    return hmac.digest(secret, _MARK + body.encode(errors="replace"), "sha256")[:16].hex()


def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, _SEAL, "sha256")
