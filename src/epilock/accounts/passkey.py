"""Passkeys (WebAuthn level 3): keys on a person's device that sign in and approve, and the questions they answer.

A passkey is both factors at once: the device is had, and it checks its holder (PIN, finger, face) each time. It
names its account itself, so nothing is typed and no login is told to who asks.

Rules kept in this file:
  1. A question (a challenge) is signed by us for one purpose and one browser, ends after five minutes and is
     answered once. Nothing is stored before it is answered, so that looking at a page changes nothing.
  2. An answer counts if the device checked its holder, at this site's address, for this question; it is parsed
     only below a limit of octets.
  3. A counter that went back is how a copied key shows itself: the passkey is shut out, once the signature is
     proved (WebAuthn 6.1.1).
  4. Who made the device is not asked (attestation ``none``).
"""

import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from os import urandom
from typing import Any, TypeVar
from urllib.parse import urlsplit

import sqlalchemy as sa
import webauthn
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, parse_attestation_object
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from epilock.db import Instant, Transaction, metadata, new_id, sealed_table
from epilock.errors import ConflictError, InputError, NotFoundError, SignInError, StateError
from epilock.store.approval import Approver

MOST = 10  # of one account
MOST_OCTETS = 8192  # of an answer; the longest that devices give is half of it
MOST_LABEL = 40  # characters of a passkey's name
LASTS = timedelta(minutes=5)  # of a question
SIGN_IN, REGISTER, PROVE = "sign-in", "register", "prove"  # purposes of questions
_TIMEOUT = LASTS // timedelta(milliseconds=1)
_DOMAIN = b"epilock/challenge/v1\0"
_RANDOM, _UNTIL, _MAC = 16, 8, 32  # octets of a challenge
_HANDLE = re.compile(r"([a-z0-9-]{1,31})/(s-[a-z2-7]{12})")
T = TypeVar("T")

passkeys = sealed_table(
    "passkeys",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("staff", sa.String(20), primary_key=True),
    sa.Column("passkey", sa.String(20), primary_key=True),
    sa.Column("credential", sa.LargeBinary, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("backed_up", sa.Boolean, nullable=False),
    sa.Column("label", sa.String(MOST_LABEL), nullable=False),
    sa.Column("added", Instant, nullable=False),
    sa.Column("used", Instant),
    sa.Column("shut", Instant),
    sa.UniqueConstraint("org", "credential", name="passkeys_credential"),
)
challenges = sealed_table(  # that were answered, until they would have ended
    "challenges",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("purpose", sa.String(16), nullable=False),
    sa.Column("until", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where passkeys of this installation are good.

    Attributes:
        rp: Its host name: the relying party's id.
        origin: Its origin, as browsers write it.
        is_name: Whether the host is a name. A relying party is a domain (WebAuthn 5.1.2): browsers give no
            passkey to ``127.0.0.1``, but one to ``localhost``.
    """

    rp: str
    origin: str
    is_name: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey.

    Attributes:
        org, staff: Its account.
        passkey: Its id here.
        credential: Its id on the device.
        label: What its person calls it.
        backed_up: Whether it is kept on several devices of its person, and so outlives the loss of one.
        added, used: When; ``used`` is None before the first time.
        shut: When its counter went back, or None.
    """

    org: str
    staff: str
    passkey: str
    credential: bytes
    label: str
    backed_up: bool
    added: datetime
    used: datetime | None
    shut: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a browser sent of a passkey, read and not yet proved.

    Attributes:
        text: The JSON that was sent.
        credential: Id of the passkey on its device.
        challenge: The question that it says it answers.
        origin: The site that it says asked.
        handle: The account that the device names, or "" (when one registers).
    """

    text: str
    credential: bytes
    challenge: bytes
    origin: str
    handle: str


def place_of(url: str) -> Place:
    """Return where passkeys of the site at ``url`` are good."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in {None, usual} else ""
    try:
        is_name = not ip_address(host)
    except ValueError:
        is_name = True
    return Place(rp=host, origin=f"{parts.scheme}://{host}{port}", is_name=is_name)


def ask(secret: bytes, *, purpose: str, bound: str, now: datetime) -> bytes:
    """Return a new question (rule 1).

    Args:
        secret: 32 bytes that sign questions.
        purpose: Of ``SIGN_IN``, ``REGISTER``, ``PROVE``, or one of another room.
        bound: The session's token, or what the browser at the door was given.
        now: The instant.
    """
    until = int((now + LASTS).timestamp())
    head = urandom(_RANDOM) + until.to_bytes(_UNTIL)
    return head + _mac(secret, purpose, bound, head)


def spend(
    tx: Transaction,
    challenge: bytes,
    *,
    secret: bytes,
    org: str,
    purpose: str,
    bound: str,
    now: datetime,
) -> SignInError | None:
    """Take the answer to a question, once; return why not, or None. The caller commits in either case.

    Args:
        tx: A writing transaction.
        challenge: The question, as the answer has it.
        secret: As it was given to ``ask``.
        purpose: Likewise.
        bound: Likewise.
        org: Under which the answered question is kept: the account's organisation, or the installation.
        now: The instant.
    """
    head, mac = challenge[: _RANDOM + _UNTIL], challenge[_RANDOM + _UNTIL :]
    if len(head) != _RANDOM + _UNTIL or not hmac.compare_digest(
        mac, _mac(secret, purpose, bound, head)
    ):
        return SignInError("this passkey answered a question that was not asked here; try again")
    until = int.from_bytes(head[_RANDOM:])
    if now.timestamp() >= until:
        return SignInError("this took more than five minutes; try again")
    return once(tx, challenge, org=org, purpose=purpose, until=until)


def once(
    tx: Transaction, challenge: bytes, *, org: str, purpose: str, until: int
) -> SignInError | None:
    """Note that a question was answered, until it would have ended; return why not, or None: it was before."""
    key = {"org": org, "hash": sha256(challenge).digest()}
    if tx.find(challenges, lock=True, **key) is not None:
        return SignInError("this answer was used before; try again")
    tx.insert(challenges, **key, purpose=purpose, until=datetime.fromtimestamp(until, UTC))
    return None


def creation(
    place: Place, *, challenge: bytes, org: str, staff: str, login: str, known: Sequence[Passkey]
) -> str:
    """Return what a browser is asked to make a passkey with (JSON); devices that have one of ``known`` refuse."""
    options = webauthn.generate_registration_options(
        rp_id=place.rp, rp_name="Epilock", user_id=_handle(org, staff).encode(),
        user_name=f"{login}@{org}", challenge=challenge, timeout=_TIMEOUT,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=p.credential) for p in known],
    )  # fmt: skip
    return webauthn.options_to_json(options)


def request(place: Place, *, challenge: bytes, known: Sequence[Passkey] = ()) -> str:
    """Return what a browser is asked to have signed (JSON): by one of ``known``, or by any that the device has."""
    options = webauthn.generate_authentication_options(
        rp_id=place.rp, challenge=challenge, timeout=_TIMEOUT,
        allow_credentials=[PublicKeyCredentialDescriptor(id=p.credential) for p in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )  # fmt: skip
    return webauthn.options_to_json(options)


def read(text: str) -> Answer:
    """Return what a browser sent, parsed below the limit (rule 2).

    Raises:
        InputError: It is too long, or no answer of a passkey.
    """
    if len(text) > MOST_OCTETS:
        raise InputError(f"an answer of a passkey has at most {MOST_OCTETS} characters")
    try:
        sent = json.loads(text)
        response = sent["response"]
        client = json.loads(_octets(response["clientDataJSON"]))
        return Answer(
            text=text, credential=_octets(sent["rawId"]), challenge=_octets(client["challenge"]),
            origin=str(client["origin"]), handle=_octets(response.get("userHandle") or "").decode(),
        )  # fmt: skip
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise InputError("this is no answer of a passkey; try again") from None


def account_of(answer: Answer) -> tuple[str, str]:
    """Return organisation and id of the account that an answer names; it proves nothing yet."""
    found = _HANDLE.fullmatch(answer.handle)
    return (found[1], found[2]) if found else ("", "")


def register(
    tx: Transaction,
    answer: Answer,
    *,
    place: Place,
    org: str,
    staff: str,
    label: str,
    now: datetime,
) -> Passkey:
    """Add a passkey to an account; its question has been spent.

    Raises:
        InputError: The answer, or the name, is not as it should be.
        ConflictError: The account has ``MOST``, or this passkey is known.
        SignInError: Another site asked, or the device did not check its holder.
    """
    if not 1 <= len(label) <= MOST_LABEL or not label.isprintable():
        raise InputError(f"a passkey's name has 1 to {MOST_LABEL} characters")
    if len(of(tx, org, staff)) >= MOST:
        raise ConflictError(f"an account has at most {MOST} passkeys; remove one first")
    _check_origin(answer, place)
    made = _proved(lambda: _verify_new(answer, place))
    if not made.user_verified:
        raise SignInError(_UNVERIFIED)
    if tx.all(passkeys, passkeys.c.org == org, passkeys.c.credential == made.credential_id):
        raise ConflictError("this passkey belongs to an account already")
    code = new_id("k")
    tx.insert(
        passkeys, org=org, staff=staff, passkey=code, credential=made.credential_id,
        public_key=made.credential_public_key, sign_count=made.sign_count,
        backed_up=made.credential_backed_up, label=label, added=now,
    )  # fmt: skip
    return load(tx, org, staff, code)


def check(
    tx: Transaction,
    answer: Answer,
    *,
    place: Place,
    org: str,
    staff: str,
    challenge: bytes,
    now: datetime,
) -> Passkey | SignInError:
    """Return the account's passkey that signed ``challenge``, or why not; the caller commits in either case.

    Whether the question is still open is for the caller (``spend``), who may also have one of another kind:
    the hash of what is to be approved.

    Args:
        tx: A writing transaction: the counter is noted.
        answer: What the browser sent.
        place: Where passkeys are good.
        org: Whose passkey it must be.
        staff: Likewise.
        challenge: What must be signed.
        now: The instant.
    """
    c = passkeys.c
    rows = tx.all(passkeys, c.org == org, c.credential == answer.credential, lock=True)
    row = rows[0] if rows and rows[0]["staff"] == staff else None
    if row is None:
        return SignInError(
            "this passkey is not known here; it was removed, or is another account's"
        )
    if row["shut"] is not None:
        return SignInError(_SHUT)
    try:
        _check_origin(answer, place)
        used = _proved(lambda: _verify(answer, place, challenge, bytes(row["public_key"])))
    except (InputError, SignInError) as error:
        return error if isinstance(error, SignInError) else SignInError(str(error))
    if not used.user_verified:
        return SignInError(_UNVERIFIED)
    key = {"org": org, "staff": staff, "passkey": row["passkey"]}
    old, new = row["sign_count"], used.new_sign_count
    if (old or new) and new <= old:
        tx.update(passkeys, key, shut=now)
        return SignInError(_SHUT)
    changed = tx.update(
        passkeys, key, sign_count=new, backed_up=used.credential_backed_up, used=now
    )
    return _read(changed)


def load(tx: Transaction, org: str, staff: str, code: str) -> Passkey:
    """Return one passkey of an account.

    Raises:
        NotFoundError: There is none.
    """
    return _read(tx.get(passkeys, org=org, staff=staff, passkey=code))


def of(tx: Transaction, org: str, staff: str) -> list[Passkey]:
    """Return the passkeys of an account, in the order in which they were added."""
    found = [_read(row) for row in tx.rows(passkeys, org=org, staff=staff)]
    return sorted(found, key=lambda p: (p.added, p.passkey))


def approver(tx: Transaction, org: str, staff: str, code: str) -> Approver:
    """Return a passkey as its person carries it to the key service, to sign grants there.

    Raises:
        NotFoundError: There is no such passkey.
    """
    row = tx.get(passkeys, org=org, staff=staff, passkey=code)
    return Approver(
        org=org, staff=staff, credential=bytes(row["credential"]),
        public_key=bytes(row["public_key"]),
    )  # fmt: skip


def holders(tx: Transaction, org: str, staff: Collection[str]) -> frozenset[str]:
    """Return which of the accounts ``staff`` have a passkey, also one that is shut out.

    One that is shut out opens nothing, and its account does not fall back to a password alone.
    """
    if len(staff) == 1:  # each page asks so: a query whose text is made once
        found = tx.rows(passkeys, org=org, staff=next(iter(staff)))
    else:
        found = tx.all(passkeys, passkeys.c.org == org, passkeys.c.staff.in_(staff))
    return frozenset(row["staff"] for row in found)


def rename(tx: Transaction, org: str, staff: str, code: str, label: str) -> None:
    """Call a passkey otherwise.

    Raises:
        InputError: The name is empty or too long.
        NotFoundError: There is no such passkey.
    """
    if not 1 <= len(label) <= MOST_LABEL or not label.isprintable():
        raise InputError(f"a passkey's name has 1 to {MOST_LABEL} characters")
    tx.update(passkeys, {"org": org, "staff": staff, "passkey": code}, label=label)


def remove(tx: Transaction, org: str, staff: str, code: str, *, has_other: bool) -> None:
    """Remove a passkey; ``has_other`` tells whether the account has a second factor of another kind.

    Raises:
        NotFoundError: There is no such passkey.
        StateError: It is the last second factor.
    """
    if not any(p.passkey == code for p in of(tx, org, staff)):
        raise NotFoundError("there is no such passkey; the page of your account lists yours")
    if not has_other and all(p.shut for p in of(tx, org, staff) if p.passkey != code):
        raise StateError("this is your last second factor; set up another first")
    tx.delete(passkeys, org=org, staff=staff, passkey=code)


def remove_all(tx: Transaction, org: str, staff: str) -> None:
    """Remove every passkey of an account: it was reset."""
    tx.delete(passkeys, org=org, staff=staff)


def sweep(tx: Transaction, *, now: datetime) -> int:
    """Delete questions that would have ended by now; return how many."""
    return tx.conn.execute(sa.delete(challenges).where(challenges.c.until < now)).rowcount


_UNVERIFIED = "the device did not check that it is you; set a PIN, a finger or a face on it first"
_SHUT = "this passkey's counter went back, as a copy's would: it is shut out; sign in otherwise, and remove it"


def _read(row: dict[str, Any]) -> Passkey:
    return Passkey(
        org=row["org"], staff=row["staff"], passkey=row["passkey"],
        credential=bytes(row["credential"]), label=row["label"], backed_up=row["backed_up"],
        added=row["added"], used=row["used"], shut=row["shut"],
    )  # fmt: skip


def _handle(org: str, staff: str) -> str:
    return f"{org}/{staff}"  # 52 octets at most, of 64; says nothing about the person


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _mac(secret: bytes, purpose: str, bound: str, head: bytes) -> bytes:
    said = _DOMAIN + json.dumps([purpose, bound]).encode() + head
    return hmac.digest(secret, said, "sha256")


def _check_origin(answer: Answer, place: Place) -> None:
    if answer.origin != place.origin:
        raise SignInError(f"the passkey was asked at another address; open {place.origin}")


def _verify_new(answer: Answer, place: Place) -> VerifiedRegistration:
    attested = base64url_to_bytes(json.loads(answer.text)["response"]["attestationObject"])
    if parse_attestation_object(attested).fmt not in {
        AttestationFormat.NONE,
        AttestationFormat.PACKED,
    }:
        raise ValueError("an attestation that was not asked for")
    return webauthn.verify_registration_response(
        credential=answer.text, expected_challenge=answer.challenge, expected_rp_id=place.rp,
        expected_origin=place.origin,
    )  # fmt: skip


def _verify(
    answer: Answer, place: Place, challenge: bytes, public_key: bytes
) -> VerifiedAuthentication:
    # The counter is compared by ``check``, after the signature: else anybody could shut a passkey out.
    return webauthn.verify_authentication_response(
        credential=answer.text, expected_challenge=challenge, expected_rp_id=place.rp,
        expected_origin=place.origin, credential_public_key=public_key,
        credential_current_sign_count=0,
    )  # fmt: skip


def _proved(verify: Callable[[], T]) -> T:
    """Return what ``verify`` returns.

    Raises:
        SignInError: It raises anything: its parsers of CBOR and COSE raise whatever hostile octets make them.
    """
    try:
        return verify()
    except Exception:  # noqa: BLE001 - see above; the message may hold what was sent
        raise SignInError("the passkey's answer does not hold; try again") from None
