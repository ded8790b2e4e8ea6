"""The notice: what a person is told before giving anything, made from the standard, never by hand.

It says what PIPL 17, 18, 23, 24, 30, 31, 49 and NDSMR 20, 21 ask for, in Chinese and English, in
plain words. ``build`` is pure: the same standard and facts give the same notice, whose canonical bytes
(RFC 8785: JSON, sorted keys, both languages) are hashed; the hash stands in the ledger, in every record
and in every receipt, so that "what did this person see" has one answer. The organisation's notice key
signs the hash; its fingerprint is printed on the poster and shown on the page.

Rules kept in this file:
  1. A version is never changed; another level, field, recipient or standard makes another version.
  2. Both languages are hashed together, whichever was shown: neither can be changed alone.
  3. Every retention names its rule and source.
"""

from base64 import b32encode
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal

import msgspec

from epilock.collect import notice_short, notice_text
from epilock.collect.consent import Act, Acts, Asked, acts
from epilock.collect.notice_facts import (
    Contact,
    FieldNotice,
    Item,
    Kept,
    MandateFacts,
    PointFacts,
    Recipient,
    Section,
    ThirdParty,
)
from epilock.errors import NoteError
from epilock.ledger import note
from epilock.standard import Standard
from epilock.standard.text import Text

FORMAT: Final = "epilock.notice/v1"  # another meaning of a key gets another name


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One version of a point's notice, in both languages.

    Attributes:
        format: ``epilock.notice/v1``.
        version: From 1, of this point.
        standard: Version and hash of the standard it was made from.
        sections: The text, in order.
        fields: What is said beside each field.
        acts: The acts of authorisation, in order.
        kept: The retentions behind the text, for receipts.
        short: At most twelve lines, for the poster.
        Others as in ``PointFacts``.
    """

    format: Literal["epilock.notice/v1"] = FORMAT
    version: int
    standard: str
    org: str
    organisation: Text
    contact: Contact
    point: str
    point_name: Text
    emergency: str
    level: str
    circumstance: str
    method: str
    media: tuple[str, ...]
    basis: str
    mandate: MandateFacts | None
    third_parties: tuple[ThirdParty, ...]
    withdrawal_url: str
    languages: tuple[str, ...]
    sections: tuple[Section, ...]
    fields: tuple[FieldNotice, ...]
    acts: tuple[Act, ...]
    kept: tuple[Kept, ...]
    short: tuple[Text, ...]

    def encode(self) -> bytes:
        """Return the canonical bytes that are hashed, stored and published."""
        return msgspec.json.encode(self, order="sorted")

    @property
    def sha256(self) -> str:
        """The hash of ``encode()``, hex: the notice's name everywhere."""
        return sha256(self.encode()).hexdigest()

    def authorisation(self) -> Acts:
        """Return the acts, compiled."""
        return Acts(self.acts)


def decode(data: bytes) -> Notice:
    """Return the notice of stored canonical bytes.

    Raises:
        NoteError: They are not a notice of this format, or not canonical.
    """
    try:
        found = msgspec.json.decode(data, type=Notice)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NoteError(f"not a notice of {FORMAT}") from None
    if found.encode() != data:
        raise NoteError("the notice is not in its canonical form (sorted keys, no spaces)")
    return found


def build(standard: Standard, facts: PointFacts, *, version: int) -> Notice:
    """Return version ``version`` of the notice of a point."""
    fields = tuple(_field(standard, facts, asked) for asked in facts.fields)
    kept = _kept(standard, facts)
    asked = acts(
        standard, circumstance=facts.circumstance, basis=facts.basis, fields=facts.fields,
        third_parties=facts.third_parties,
    )  # fmt: skip
    return Notice(
        version=version, standard=standard.ref, org=facts.org, organisation=facts.organisation,
        contact=facts.contact, point=facts.point, point_name=facts.point_name,
        emergency=facts.emergency, level=facts.level, circumstance=facts.circumstance,
        method=facts.method, media=facts.media, basis=facts.basis, mandate=facts.mandate,
        third_parties=facts.third_parties, withdrawal_url=facts.withdrawal_url,
        languages=facts.languages, fields=fields, acts=asked.items, kept=kept,
        sections=notice_text.sections(standard, facts, fields, kept, version=version),
        short=notice_short.short(standard, facts, fields, kept),
    )  # fmt: skip


def _field(standard: Standard, facts: PointFacts, asked: Asked) -> FieldNotice:
    category = standard.categories[asked.category]
    nothing = Text("", "")
    return FieldNotice(
        id=asked.id, category=asked.category, label=asked.label, optional=asked.optional,
        sensitive=category.sensitive, why=category.why,
        necessity=category.necessity if category.sensitive else nothing,
        effect=category.effect if category.sensitive else nothing,
        without=notice_text.without(facts.basis, optional=asked.optional),
    )  # fmt: skip


def _kept(standard: Standard, facts: PointFacts) -> tuple[Kept, ...]:
    """Return the retentions of what is asked, categories of equal ones together."""
    asked = dict.fromkeys(f.category for f in facts.fields)
    groups: dict[Kept, list[str]] = {}
    for category in asked:
        part = standard.part_of(facts.circumstance, category)
        found = standard.retention(facts.circumstance, part.name, facts.level)
        key = Kept(
            retention=found.id, categories=(), days=found.days, starts=found.starts,
            ceiling_days=found.ceiling_days, end=found.end, statutory=found.statutory,
            rule=found.rule, source=found.source,
        )  # fmt: skip
        groups.setdefault(key, []).append(category)
    return tuple(replace(key, categories=tuple(found)) for key, found in groups.items())


def signed_text(notice: Notice) -> str:
    """Return what the notice key signs: the format, the point, the version and the hash."""
    return f"{FORMAT}\n{notice.point}\n{notice.version}\n{notice.sha256}\n"


def sign(notice: Notice, signer: note.Signer) -> str:
    """Return the signed note (c2sp.org/signed-note) of ``notice`` by its organisation's key."""
    return note.sign(signed_text(notice), [signer])


def verify(notice: Notice, signed: str, verifier: note.Verifier) -> None:
    """Return if ``signed`` is the note of exactly this ``notice`` by the key of ``verifier``.

    Raises:
        NoteError: It is no signed note, of another key or of another notice.
        ForgedError: The signature fails.
    """
    text, _ = note.open_note(signed, [verifier])
    if text != signed_text(notice):
        raise NoteError("the signature is of another notice or version")


def fingerprint(public_key: bytes) -> str:
    """Return what people compare: 80 bits of the key's SHA-256 in base32, ``abcd efgh ijkl mnop``.

    Args:
        public_key: The 32 bytes of the Ed25519 notice key.
    """
    text = b32encode(sha256(public_key).digest()[:10]).decode().lower()
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


__all__ = [
    "FORMAT", "Contact", "FieldNotice", "Item", "Kept", "MandateFacts", "Notice", "PointFacts",
    "Recipient", "Section", "ThirdParty", "build", "decode", "fingerprint", "sign", "signed_text",
    "verify",
]  # fmt: skip
