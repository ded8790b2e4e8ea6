"""The proof that a root existed when an authority stamped it (RFC 3161): a ``.anchor`` file, checked offline.

What is stamped is the unsigned checkpoint, three lines of text: origin, size and root. Whoever checks has
one thing from elsewhere: the certificate of the root under which the authority's stamps stand. The steps,
in this order:

1. ``anchor-file``: it is a ``.anchor`` file of a time stamp (``FileFormatError``; ``TooLargeError``).
2. ``anchor-answer``: it holds an answer with the status *granted* and a time-stamp token (RFC 3161, 2.4.2).
3. ``anchor-message``: what is stamped is the SHA-256 of the checkpoint's text.
4. ``anchor-signer``: exactly one signed it; the signed attributes name the content's type and hash and the
   signer's certificate (RFC 5652, 5.3 and 11; RFC 5035, RFC 5816), and the signature is of these attributes.
5. ``anchor-chain``: that certificate leads to the root that was given, all were valid when it was stamped,
   and its key is for time stamps and nothing else, critically (RFC 3161, 2.3; RFC 5280).
6. ``anchor-checkpoint``: origin, size and root are those of the receipt's checkpoint.

Steps 2 to 6 fail with ``AnchorProofError``. Signatures and certificates are checked by ``cryptography``; only
the shape of the token is read here. Certificates that were revoked are not known offline: what was
stamped before a key was lost stays true, and nothing here says when that was.

The file's fields (``anchorfile``) are ``format``, ``origin``, ``size``, ``root`` and ``reply``, the authority's answer as
it came (DER). ``openssl ts -verify`` checks the same answer against the same text.
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from epilock.errors import AnchorProofError, FileFormatError, TooLargeError
from epilock.ledger.anchor import der
from epilock.ledger.anchor.anchorfile import fields, hexed, octets, text
from epilock.ledger.anchor.der import FIELD, Item, Reader
from epilock.ledger.checkpoint import Checkpoint

FORMAT = "epilock/timestamp/v1"
MOST_REPLY = 1 << 16  # an answer with a chain of certificates has some thousands
MOST_ROOT = 1 << 16
STEPS = (
    "anchor-file", "anchor-answer", "anchor-message", "anchor-signer", "anchor-chain",
    "anchor-checkpoint",
)  # fmt: skip
GRANTED = 0
_MOST_CERTIFICATES = 10
_THOUSAND = 1000

SHA1, SHA256, SHA384, SHA512 = (
    "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3",
)  # fmt: skip
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_CERTIFICATE, _CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_HASHES: dict[str, Callable[[bytes], bytes]] = {
    SHA256: lambda data: hashlib.sha256(data).digest(),
    SHA384: lambda data: hashlib.sha384(data).digest(),
    SHA512: lambda data: hashlib.sha512(data).digest(),
}
_OF: dict[str, hashes.HashAlgorithm] = {
    SHA256: hashes.SHA256(), SHA384: hashes.SHA384(), SHA512: hashes.SHA512(),
}  # fmt: skip
_ED25519 = "1.3.101.112"
# By algorithm: the kind of key, and the hash; None where the signer's digest algorithm says it.
_SIGNATURES: dict[str, tuple[type, str | None]] = {
    "1.2.840.113549.1.1.1": (rsa.RSAPublicKey, None),
    "1.2.840.113549.1.1.11": (rsa.RSAPublicKey, SHA256),
    "1.2.840.113549.1.1.12": (rsa.RSAPublicKey, SHA384),
    "1.2.840.113549.1.1.13": (rsa.RSAPublicKey, SHA512),
    "1.2.840.10045.4.3.2": (ec.EllipticCurvePublicKey, SHA256),
    "1.2.840.10045.4.3.3": (ec.EllipticCurvePublicKey, SHA384),
    "1.2.840.10045.4.3.4": (ec.EllipticCurvePublicKey, SHA512),
    _ED25519: (ed25519.Ed25519PublicKey, None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One file, nothing of it checked yet.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: 32-byte root of the tree of that size.
        reply: The authority's answer.
    """

    origin: str
    size: int
    root: bytes
    reply: bytes

    def text(self) -> str:
        """Return the file's text."""
        return text(
            {"format": FORMAT, "origin": self.origin, "size": self.size, "root": hexed(self.root),
             "reply": hexed(self.reply)}
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """What is proved: the root existed at that instant, if the authority's clock and key are to be trusted.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: Root of the tree of that size.
        at: When it was stamped, UTC.
        accuracy: How far off the authority says that may be, or None if it does not say.
        policy: The rules that it says it followed, an object identifier in digits and dots.
        authority: Subject of its certificate (RFC 4514).
    """

    origin: str
    size: int
    root: bytes
    at: datetime
    accuracy: timedelta | None
    policy: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An authority's answer, its shape read.

    Attributes:
        status: 0 granted, 1 granted with modifications, 2 rejected, 3 waiting, 4 and 5 about revocations.
        words: What it says to people, in its own words.
        failures: Numbers of the failures it names, such as 15 for a policy that it does not have.
        token: The time-stamp token, or None.
    """

    status: int
    words: str
    failures: frozenset[int]
    token: bytes | None


class _Info(NamedTuple):
    """What is signed (TSTInfo), as it is stated."""

    policy: str
    imprint: bytes
    at: datetime
    accuracy: timedelta | None
    nonce: int | None


class _Token(NamedTuple):
    """A token in its parts, nothing of it checked."""

    content_type: str
    content: bytes
    certificates: list[bytes]
    digest: str
    attributes: Item
    algorithm: str
    signature: bytes


def message(origin: str, size: int, root: bytes) -> bytes:
    """Return what is stamped: the text of the unsigned checkpoint, with which a signed one begins."""
    return Checkpoint(origin, size, root).text().encode()


def request(origin: str, size: int, root: bytes, nonce: int, policy: str | None) -> bytes:
    """Return the request (RFC 3161, 2.4.1) that asks for a stamp and the authority's certificates."""
    algorithm = der.item(der.SEQUENCE, der.name(SHA256), der.item(der.NULL))
    digest = hashlib.sha256(message(origin, size, root)).digest()
    return der.item(
        der.SEQUENCE, der.number(1),
        der.item(der.SEQUENCE, algorithm, der.item(der.OCTETS, digest)),
        b"" if policy is None else der.name(policy), der.number(nonce),
        der.item(der.BOOLEAN, b"\xff"),
    )  # fmt: skip


def read_root(data: bytes) -> x509.Certificate:
    """Return the root's certificate that the PEM file ``data`` holds.

    Raises:
        TooLargeError: More than 64 KiB.
        FileFormatError: It is not exactly one certificate that signed itself.
    """
    if len(data) > MOST_ROOT:
        raise TooLargeError(f"a root's certificate has at most {MOST_ROOT} bytes")
    try:
        (found,) = x509.load_pem_x509_certificates(data)
        found.verify_directly_issued_by(found)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise FileFormatError(
            "the file of a root holds one certificate in PEM, signed by itself"
        ) from None
    return found


def fingerprint(root: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate in hexadecimal, as ``openssl x509 -fingerprint`` counts it."""
    return root.fingerprint(hashes.SHA256()).hex()


def parse(data: bytes) -> Stamp:
    """Return the stamp that a file's ``data`` states: step 1.

    Raises:
        TooLargeError: More than 256 KiB.
        FileFormatError: It is no ``.anchor`` file of a time stamp; the message says what is wrong.
    """
    found: dict[str, Any] = fields(data, FORMAT, ("reply",))
    return Stamp(
        origin=found["origin"], size=found["size"], root=octets(found, "root"),
        reply=octets(found, "reply"),
    )  # fmt: skip


def read_reply(data: bytes) -> Reply:
    """Return what an answer says, its token unread.

    Raises:
        ValueError: It is no answer of an authority.
    """
    if len(data) > MOST_REPLY:
        raise ValueError(f"an answer has at most {MOST_REPLY} bytes")
    outer = Reader(data)
    answer = outer.open(der.SEQUENCE)
    outer.end()
    info = answer.open(der.SEQUENCE)
    status = der.read_number(info.take(der.INTEGER))
    words = [] if (free := info.maybe(der.SEQUENCE)) is None else Reader(free.body).all()
    failed = info.maybe(der.BITS)
    info.end()
    token = answer.maybe(der.SEQUENCE)
    answer.end()
    bits = b"" if failed is None else failed.body[1:]
    return Reply(
        status=status, words=" ".join(each.body.decode("utf-8", "replace") for each in words),
        failures=frozenset(n for n in range(8 * len(bits)) if bits[n >> 3] << (n & 7) & 0x80),
        token=None if token is None else token.whole,
    )  # fmt: skip


def verify(
    found: Stamp,
    root: x509.Certificate,
    *,
    nonce: int | None = None,
    policy: str | None = None,
) -> Stamped:
    """Return what ``found`` proves: steps 2 to 5.

    Args:
        found: The file.
        root: Certificate of the root, had from elsewhere.
        nonce: What was asked with, by whoever asked: the stamp is an answer to that and no older one.
        policy: The rules that were asked for, if any.

    Raises:
        AnchorProofError: A step fails; the message begins with its name.
    """
    token = _token(found.reply)  # 2
    info = _info(token)
    stamped = message(found.origin, found.size, found.root)
    if info.imprint != hashlib.sha256(stamped).digest():  # 3
        raise AnchorProofError("anchor-message: something else than this checkpoint is stamped")
    if nonce is not None and info.nonce != nonce:
        raise AnchorProofError("anchor-message: it is no answer to what was asked: another nonce")
    if policy is not None and info.policy != policy:
        raise AnchorProofError("anchor-message: it was stamped under another policy than was asked")
    signer, others = _signer(token)  # 4
    _check_chain(signer, others, root, info.at)  # 5
    return Stamped(
        origin=found.origin, size=found.size, root=found.root, at=info.at, accuracy=info.accuracy,
        policy=info.policy, authority=signer.subject.rfc4514_string(),
    )  # fmt: skip


def check_checkpoint(done: Stamped, origin: str, size: int, root: bytes) -> None:
    """Return if ``done`` is about this checkpoint: step 6.

    Raises:
        AnchorProofError: It is about another one.
    """
    if (done.origin, done.size, done.root) != (origin, size, root):
        raise AnchorProofError("anchor-checkpoint: the stamp is not of this receipt's checkpoint")


def _token(data: bytes) -> _Token:
    """Return the parts of the token in an answer (RFC 5652, 5.1)."""
    try:
        reply = read_reply(data)
        if reply.status != GRANTED or reply.token is None:
            raise AnchorProofError("anchor-answer: the authority granted no time stamp")
        token = Reader(reply.token).open(der.SEQUENCE)
        if der.read_name(token.take(der.OID)) != _SIGNED_DATA:
            raise AnchorProofError("anchor-answer: the token is no signed data")
        signed = token.open(FIELD).open(der.SEQUENCE)
        token.end()
        signed.take(der.INTEGER)
        signed.take(der.SET)
        what = signed.open(der.SEQUENCE)
        content_type = der.read_name(what.take(der.OID))
        content = what.open(FIELD).take(der.OCTETS).body
        what.end()
        others = signed.maybe(FIELD)
        signed.maybe(FIELD + 1)  # lists of revoked certificates: not read
        signers = signed.open(der.SET)
        signed.end()
        one = signers.open(der.SEQUENCE)
        signers.end()
        one.take(der.INTEGER)
        # Issuer and number, or a key's name, unsigned: which certificate it is, an attribute says.
        if one.maybe(der.SEQUENCE) is None:
            one.take(0x80)
        digest = der.read_name(one.open(der.SEQUENCE).take(der.OID))
        attributes = one.take(FIELD)
        algorithm = der.read_name(one.open(der.SEQUENCE).take(der.OID))
        signature = one.take(der.OCTETS).body
        one.maybe(FIELD + 1)  # attributes that nobody signed: not read
        one.end()
        certificates = [] if others is None else Reader(others.body).all()
    except ValueError as error:
        raise AnchorProofError(f"anchor-answer: this is no time stamp: {error}") from None
    if len(certificates) > _MOST_CERTIFICATES:
        raise AnchorProofError(f"anchor-answer: more than {_MOST_CERTIFICATES} certificates")
    held = [each.whole for each in certificates if each.tag == der.SEQUENCE]
    return _Token(content_type, content, held, digest, attributes, algorithm, signature)


def _info(token: _Token) -> _Info:
    """Return what is stamped, when and for whom (RFC 3161, 2.4.2)."""
    if token.content_type != _TST_INFO:
        raise AnchorProofError("anchor-answer: what is signed is no time stamp")
    try:
        outer = Reader(token.content)
        info = outer.open(der.SEQUENCE)
        outer.end()
        version = der.read_number(info.take(der.INTEGER))
        policy = der.read_name(info.take(der.OID))
        imprint = info.open(der.SEQUENCE)
        algorithm = der.read_name(imprint.open(der.SEQUENCE).take(der.OID))
        digest = imprint.take(der.OCTETS).body
        imprint.end()
        info.take(der.INTEGER)  # its number with the authority
        at = der.read_time(info.take(der.TIME))
        accuracy = None if (stated := info.maybe(der.SEQUENCE)) is None else _accuracy(stated)
        info.maybe(der.BOOLEAN)
        nonce = None if (held := info.maybe(der.INTEGER)) is None else der.read_number(held)
        info.maybe(FIELD)  # a name of the authority, which its certificate says better
        more = info.maybe(FIELD + 1)
        info.end()
        extensions = [] if more is None else Reader(more.body).all()
        critical = any(_is_critical(each) for each in extensions)
    except ValueError as error:
        raise AnchorProofError(f"anchor-answer: this is no time stamp: {error}") from None
    if version != 1 or critical:
        raise AnchorProofError("anchor-answer: it says more than is known here")
    if algorithm != SHA256:
        raise AnchorProofError("anchor-message: it is stamped by another hash than SHA-256")
    return _Info(policy, digest, at, accuracy, nonce)


def _accuracy(found: Item) -> timedelta:
    parts = Reader(found.body)
    values = []
    for tag in (der.INTEGER, 0x80, 0x81):  # seconds, milliseconds, microseconds
        held = parts.maybe(tag)
        values.append(0 if held is None else int.from_bytes(held.body, "big", signed=True))
    parts.end()
    seconds, millis, micros = values
    if not (0 <= seconds < 1 << 31 and 0 <= millis < _THOUSAND and 0 <= micros < _THOUSAND):
        raise ValueError("an accuracy is out of its range")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def _is_critical(extension: Item) -> bool:
    parts = Reader(extension.body)
    parts.take(der.OID)
    mark = parts.maybe(der.BOOLEAN)
    return mark is not None and mark.body != b"\0"


def _signer(token: _Token) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """Return the signer's certificate, whose signature holds, and the other ones."""
    try:
        attributes = _attributes(token.attributes)
        if der.read_name(_only(attributes[_CONTENT_TYPE], der.OID)) != token.content_type:
            raise AnchorProofError("anchor-signer: another type of content was signed")
        digest = _only(attributes[_DIGEST], der.OCTETS).body
        algorithm, wanted = _named(attributes)
        certificates = _load(token.certificates)
        keys = [each.public_key() for each in certificates]
    except KeyError as error:
        raise AnchorProofError(f"anchor-signer: the signed attribute {error} is missing") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AnchorProofError(f"anchor-signer: {error}") from None
    if token.digest not in _HASHES or digest != _HASHES[token.digest](token.content):
        raise AnchorProofError("anchor-signer: another content was signed")
    found = [n for n, raw in enumerate(token.certificates) if _digest(algorithm, raw) == wanted]
    if not found:
        raise AnchorProofError("anchor-signer: the answer lacks the certificate that it names")
    n = found[0]
    _check_signature(token, keys[n])
    return certificates[n], certificates[:n] + certificates[n + 1 :]


def _load(certificates: list[bytes]) -> list[x509.Certificate]:
    with (
        warnings.catch_warnings()
    ):  # old certificates have faults that are none where nothing rests on them
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return [x509.load_der_x509_certificate(each) for each in certificates]


def _attributes(found: Item) -> dict[str, Item]:
    """Return the set of values of each signed attribute, by its name."""
    read: dict[str, Item] = {}
    for each in Reader(found.body).all():
        parts = Reader(each.body)
        name = der.read_name(parts.take(der.OID))
        if name in read:
            raise ValueError(f"the signed attribute {name} stands twice")
        read[name] = parts.take(der.SET)
        parts.end()
    return read


def _only(values: Item, tag: int) -> Item:
    parts = Reader(values.body)
    value = parts.take(tag)
    parts.end()
    return value


def _named(attributes: dict[str, Item]) -> tuple[str, bytes]:
    """Return algorithm and hash of the signer's certificate, which is the first that is named."""
    newer = attributes.get(_CERTIFICATE_V2)
    values = attributes[_CERTIFICATE] if newer is None else newer
    first = Reader(_only(values, der.SEQUENCE).body).open(der.SEQUENCE).open(der.SEQUENCE)
    algorithm = SHA1 if newer is None else SHA256
    if newer is not None and (stated := first.maybe(der.SEQUENCE)) is not None:
        algorithm = der.read_name(Reader(stated.body).take(der.OID))
    if algorithm != SHA1 and algorithm not in _HASHES:
        raise ValueError("the certificate is named by a hash that is not known here")
    return algorithm, first.take(der.OCTETS).body


def _digest(algorithm: str, data: bytes) -> bytes:
    """Return the hash by which a certificate is named; RFC 2634 knew SHA-1 alone.

    That is no weakness here: it would take a second certificate with the same SHA-1, under the same root.
    """
    if algorithm == SHA1:
        return hashlib.sha1(data, usedforsecurity=False).digest()
    return _HASHES[algorithm](data)


def _check_signature(token: _Token, key: Any) -> None:
    """Return if the signature over the signed attributes holds (RFC 5652, 5.4)."""
    kind, stated = _SIGNATURES.get(token.algorithm, (None, None))
    if kind is None or not isinstance(key, kind):
        raise AnchorProofError("anchor-signer: a kind of signature that is not known here")
    signed = bytes([der.SET]) + token.attributes.whole[1:]  # signed as the set that they are
    algorithm = _OF[stated or token.digest]
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(token.signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(token.signature, signed, ec.ECDSA(algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(token.signature, signed)
    except InvalidSignature:
        raise AnchorProofError("anchor-signer: the signature fails") from None


def _check_chain(
    signer: x509.Certificate, others: list[x509.Certificate], root: x509.Certificate, at: datetime
) -> None:
    """Return if ``signer`` may stamp, under ``root``, at that instant."""
    may_stamp = ExtensionPolicy.permit_all().require_present(
        x509.ExtendedKeyUsage, Criticality.CRITICAL, _only_stamps
    )
    may_sign = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs_certificates)
    )
    try:
        (
            PolicyBuilder()
            .store(Store([root]))
            .time(at)
            .extension_policies(ca_policy=may_sign, ee_policy=may_stamp)
            .build_client_verifier()
            .verify(signer, others)
        )
    except (VerificationError, ValueError, UnsupportedAlgorithm) as error:
        why = str(error).partition(" (encountered processing")[0]
        raise AnchorProofError(
            f"anchor-chain: the stamp's certificate does not lead to the root that was given: {why}"
        ) from None


def _only_stamps(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if [*usage] != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise ValueError("its key is not for time stamps alone")


def _is_authority(_: Policy, __: x509.Certificate, basic: x509.BasicConstraints) -> None:
    if not basic.ca:
        raise ValueError("it was issued by a certificate that may issue none")


def _signs_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("it was issued by a key that may issue none")
