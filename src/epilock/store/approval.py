"""Approvals that a key service checks itself: what a grant says, as bytes that its approver's passkey signs.

The statement of a grant is ``epilock/grant/v1``, a zero byte and compact JSON with sorted keys; that of a grant to
count or for de-identified tables, which reads whole parts, is ``epilock/grant-of-many/v1`` and says how many.
Its SHA-256 is the challenge of a WebAuthn assertion (W3C Web Authentication, level 3): the approver's device signs
the statement and nothing else. What the pages show meanwhile is the pages' word; see decisions 47 and 49.

An approver is a passkey that a person carries to the key service's machine as one line of text, with a checksum
against slips and a fingerprint to be compared by telephone.

Rules kept in this file:
  1. A statement has one form: bytes that are written otherwise are refused.
  2. A signature counts if the device checked its holder, at the address the key service was told, for exactly
     this statement; a counter that went back does not count (WebAuthn 6.1.1).
  3. Nothing is parsed above a limit of octets.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import msgspec
import webauthn
from webauthn.helpers import decode_credential_public_key
from webauthn.helpers.exceptions import WebAuthnException

from epilock.errors import ForbiddenError, InputError

MOST_STATEMENT = 4_096  # octets: 21 circumstances and the rest take under 1,500
MOST_ASSERTION = 8_192  # characters; the longest that devices give is half of it
APPROVER = "epilock-approver:"
_APPROVER_FORMAT = b"epilock/approver/v1\0"
MOST_APPROVER = 4_096  # characters of the line
_CHECKSUM = 4  # octets
_USUAL = {"http": 80, "https": 443}  # ports that browsers leave out of an origin
_WHERE = "the pages are at https://HOST, or at http://localhost:PORT to try out"
_LINE = re.compile(r"epilock-approver:[A-Za-z0-9_-]+")

Org = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,30}\Z")]
Code = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,40}\Z")]
StaffId = Annotated[str, msgspec.Meta(pattern=r"^s-[a-z2-7]{12}\Z")]
GrantId = Annotated[str, msgspec.Meta(pattern=r"^g-[a-z2-7]{12}\Z")]
Circumstances = Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, max_length=64)]
Subjects = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Parts = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a grant allows.

    Attributes:
        grant: Its code.
        org: Organisation of its holder, which asks.
        staff: Its holder.
        source: Organisation that collected the records.
        purpose, form: As in the standard.
        circumstances: Whose records it reaches, sorted.
        subjects: Most different records that open under it.
        until: Its end.
    """

    FORMAT: ClassVar[bytes] = b"epilock/grant/v1\0"

    grant: GrantId
    org: Org
    staff: StaffId
    source: Org
    purpose: Code
    form: Code
    circumstances: Circumstances
    subjects: Subjects
    until: datetime

    def encoded(self) -> bytes:
        """Return the bytes that are signed."""
        return self.FORMAT + msgspec.json.encode(self, order="sorted")

    def challenge(self) -> bytes:
        """Return what an approver's passkey is asked to sign."""
        return sha256(self.encoded()).digest()


class StatementOfMany(Statement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a grant to count, or for de-identified tables, allows; ``subjects`` is how many tables those are.

    Attributes:
        parts: Most different whole parts of buckets that are read for them.
    """

    FORMAT: ClassVar[bytes] = b"epilock/grant-of-many/v1\0"

    parts: Parts


class Approver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey that approves.

    Attributes:
        org: Organisation of its person.
        staff: The person's account.
        credential: Its id on the device.
        public_key: Its public key, as COSE (RFC 9052) has it.
    """

    org: Org
    staff: StaffId
    credential: Annotated[bytes, msgspec.Meta(min_length=16, max_length=1023)]
    public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=1024)]

    def line(self) -> str:
        """Return the line of text that carries it."""
        body = msgspec.json.encode(self, order="sorted")
        return APPROVER + _text(body + _hash(body)[:_CHECKSUM])

    def fingerprint(self) -> str:
        """Return 80 bits that tell it from every other, in groups to be read out."""
        digits = _hash(msgspec.json.encode(self, order="sorted")).hex()[:20]
        return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the pages are whose passkeys count.

    Attributes:
        origin: As browsers write it, such as ``https://epilock.example``.
        rp: Its host: the relying party's id.
    """

    origin: str
    rp: str


def site(text: str) -> Site:
    """Return the site at an address.

    Raises:
        InputError: It is no origin.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InputError(_WHERE) from None
    local = parts.scheme == "http" and parts.hostname == "localhost"
    bare = f"{parts.scheme}://{parts.netloc}"
    if not parts.hostname or parts.username or not (parts.scheme == "https" or local):
        raise InputError(_WHERE)
    if text.rstrip("/") != bare or bare != bare.lower() or port == _USUAL[parts.scheme]:
        raise InputError(
            "an origin is scheme and host in small letters, with a port only if it is not the usual "
            "one, such as https://a.example"
        )
    if _is_address(parts.hostname):
        raise InputError("passkeys are good for a name, such as https://a.example, not for numbers")
    return Site(origin=bare, rp=parts.hostname)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


_STATEMENTS = {kind.FORMAT: msgspec.json.Decoder(kind) for kind in (Statement, StatementOfMany)}
_APPROVER = msgspec.json.Decoder(Approver)


def read_statement(data: bytes) -> Statement:
    """Return the statement that ``data`` is, in its one form.

    Raises:
        InputError: It is none, or written otherwise.
    """
    head, zero, body = data.partition(b"\0")
    decoder = _STATEMENTS.get(head + zero)
    if len(data) > MOST_STATEMENT or decoder is None:
        raise InputError(
            "a statement of a grant is epilock/grant/v1 or epilock/grant-of-many/v1 of at most "
            f"{MOST_STATEMENT} octets"
        )
    try:
        found = decoder.decode(body)
    except msgspec.MsgspecError:
        raise InputError(
            "the statement of a grant lacks a field, or has one too many or a wrong one"
        ) from None
    if found.until.tzinfo is None or tuple(sorted(set(found.circumstances))) != found.circumstances:
        raise InputError(
            "a statement's end is an instant, its circumstances are sorted and different"
        )
    if found.encoded() != data:
        raise InputError(
            "a statement of a grant has one form: compact, sorted by its fields' names"
        )
    return found


def read_approver(line: str) -> Approver:
    """Return the passkey that a line carries.

    Raises:
        InputError: A character is wrong or missing, or it carries no key.
    """
    text = "".join(line.split())
    if len(text) > MOST_APPROVER or not _LINE.fullmatch(text):
        raise InputError(
            "an approver's line begins with epilock-approver: and has letters, digits, - and _"
        )
    data = _octets(text.removeprefix(APPROVER))
    body = data[:-_CHECKSUM]
    if _hash(body)[:_CHECKSUM] != data[-_CHECKSUM:]:
        raise InputError(
            "a character of the approver's line is wrong or missing; copy the whole line again"
        )
    try:
        found = _APPROVER.decode(body)
        decode_credential_public_key(found.public_key)
    except (msgspec.MsgspecError, WebAuthnException, ValueError, LookupError, TypeError):
        raise InputError("the approver's line carries no public key of a passkey") from None
    return found


class _Named(msgspec.Struct):
    """As much of an assertion as says by which passkey it is."""

    id: str


def credential_of(assertion: str) -> bytes:
    """Return the id of the passkey that an assertion says it is by; ``prove`` proves it.

    Raises:
        InputError: It is too long or no assertion.
    """
    if len(assertion) > MOST_ASSERTION:
        raise InputError(f"an assertion of a passkey has at most {MOST_ASSERTION} characters")
    try:
        return _octets(msgspec.json.decode(assertion, type=_Named).id)
    except (msgspec.MsgspecError, UnicodeError):
        raise InputError("an assertion is the JSON that a browser gives for a passkey") from None


def prove(
    statement: Statement, assertion: str, *, public_key: bytes, sign_count: int, at: Site
) -> int:
    """Return the signature counter of an assertion over exactly ``statement`` (rule 2).

    Args:
        statement: What was signed.
        assertion: JSON of the browser's answer (``AuthenticationResponseJSON``).
        public_key: The approver's, COSE.
        sign_count: The counter of the last signature; 0 for a device that doesn't count.
        at: Where the passkey was asked.

    Raises:
        ForbiddenError: It is not that; no part of what is wrong is told.
    """
    try:
        found = webauthn.verify_authentication_response(
            credential=assertion, expected_challenge=statement.challenge(), expected_rp_id=at.rp,
            expected_origin=at.origin, credential_public_key=public_key,
            credential_current_sign_count=sign_count, require_user_verification=True,
        )  # fmt: skip
    except (WebAuthnException, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ForbiddenError(
            "the passkey's signature is not over this grant at this site with its holder checked; "
            "have it approved again"
        ) from None
    return found.new_sign_count


def _hash(body: bytes) -> bytes:
    return sha256(_APPROVER_FORMAT + body).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise InputError("this is no base64url (RFC 4648, section 5)") from None
