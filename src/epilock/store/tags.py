"""Tags: how a person is found again by an identifier, without an index of plaintext.

A tag is a keyed hash of an identifier in its normal form, under the tag key of one organisation for one
emergency. So the columns of two organisations can't be joined, nor those of two emergencies, and when the
key is dropped the tags are noise. Whoever reads the database alone sees which records share a tag, and
no more.

*Mentioned* persons (an emergency contact, a guardian, close contacts) are tagged by the telephone and
identity numbers in what was written about them, so that their own requests find them.

A normal form has a version. When a new one is added, tags of the old are made again in the background
(``remake``); until then both are looked for.

A tag key has generations. The first key tags the normal form, each later one the tag that came of the one before:
so a record is tagged anew from its tag alone, and none is opened (``retagging``). All of them are kept, end to end, as
the tag key; who has all but the last can't make a tag of today. Until all tags are of the last one, all are looked for.

Rules kept in this file:
  1. What is tagged follows from the plaintext alone (``terms``): so tags can be checked and made again.
  2. A normal form, once used, is never edited: a better one is a new version.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from epilock.db import Transaction, metadata
from epilock.errors import InputError
from epilock.store import bucket as buckets_
from epilock.store.access import Keys
from epilock.store.suite import KEY_BYTES, Suite

SUBJECT, MENTIONED = "subject", "mentioned"
TAG_BYTES = 16

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("tag", sa.LargeBinary(TAG_BYTES), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.String(9), primary_key=True),
    sa.Column("version", sa.SmallInteger, nullable=False),
    sa.Column("generation", sa.SmallInteger, nullable=False, server_default="1"),
    sqlite_with_rowid=False,
)
"""The part stands in the key because tags die with the part their identifier lies in."""

TagRow = tuple[str, int, str, bytes, int, str, int, int]
Plain = Mapping[str, Mapping[str, Mapping[str, str]]]  # part, category, field: value

# Categories by which the subject is found, and the kind of identifier each holds.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "identity.resident-id": "resident-id",
        "identity.passport": "document",
        "identity.case-id": "case",
        "identity.name": "name",
        "contact.mobile": "phone",
        "contact.email": "email",
        "health.sample-id": "sample",
        "online.account": "account",
    }
)
# Categories whose text speaks of other persons, who are found by the numbers in it.
MENTIONS = frozenset(
    {
        "contact.emergency-contact",
        "family.guardian",
        "family.household",
        "tracing.close-contacts",
    }
)

_ID_NUMBERS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{17}[0-9Xx]|[0-9]{15})(?![0-9A-Za-z])")
_PHONES = re.compile(
    r"(?<![0-9])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])"  # mobiles
    r"|(?<![0-9])0[0-9]{2,3}[ -]?[2-8][0-9]{2,3}[ -]?[0-9]{4}(?![0-9])"  # land lines
    r"|\+[1-9][0-9]{6,14}(?![0-9])"  # abroad (E.164)
)
_EXTENSION = re.compile(r"#|转|EXT", re.IGNORECASE)
_NOT_DIGITS = re.compile(r"[^0-9]")
_NOT_ALNUM = re.compile(r"[^0-9A-Z]")
_NAME_GAPS = re.compile(r"[\s·•・‧.]")
_MOBILE = re.compile(r"1[0-9]{10}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999, ISO 7064 MOD 11-2


class Term(NamedTuple):
    """One identifier in a record's plaintext.

    Attributes:
        part: Name of the part it lies in.
        role: ``subject`` or ``mentioned``.
        kind: What it is, such as ``phone``.
        value: Its normal form.
    """

    part: str
    role: str
    kind: str
    value: str


def _fold(value: str) -> str:
    """Return the compatibility form (Unicode NFKC): full-width digits and letters are plain ones."""
    return value if value.isascii() else unicodedata.normalize("NFKC", value)


def _phone(value: str) -> str:
    """Return digits alone; China's +86 is dropped, another country's ``+`` kept, an extension cut."""
    text = _EXTENSION.split(_fold(value), maxsplit=1)[0]
    digits = _NOT_DIGITS.sub("", text)
    abroad = text.startswith("+")
    if not abroad and digits.startswith("00"):
        abroad, digits = True, digits[2:]
    if digits.startswith("86") and (abroad or _MOBILE.fullmatch(digits[2:])):
        national = digits[2:].removeprefix("0")
        return national if _MOBILE.fullmatch(national) else f"0{national}"
    return f"+{digits}" if abroad and digits else digits


def _resident_id(value: str) -> str:
    """Return 18 characters, X in upper case; 15 digits get the century and the check character."""
    number = _document(value)
    if len(number) == 15 and number.isascii() and number.isdigit():  # noqa: PLR2004 - the form until 2013
        number = f"{number[:6]}19{number[6:]}"
        rest = sum(int(d) * w for d, w in zip(number, _WEIGHTS, strict=True)) % 11
        number += "10X98765432"[rest]
    return number


def _document(value: str) -> str:
    """Return Latin letters and digits alone, in upper case (ICAO 9303 knows no others)."""
    return _NOT_ALNUM.sub("", _fold(value).upper())


def _code(value: str) -> str:
    """Return the code without spaces, in upper case."""
    return _fold("".join(_fold(value).split()).upper())


def _address(value: str) -> str:
    """Return the address or account name without spaces, case folded."""
    return _fold("".join(_fold(value).split()).casefold())


def _name(value: str) -> str:
    """Return the name without spaces and middle dots, case folded."""
    return _fold(_NAME_GAPS.sub("", _fold(value)).casefold())


Form = Callable[[str], str]
FORMS: Mapping[int, Mapping[str, Form]] = MappingProxyType(
    {
        1: MappingProxyType(
            {
                "resident-id": _resident_id, "document": _document, "case": _code, "name": _name,
                "phone": _phone, "email": _address, "sample": _code, "account": _address,
            }
        )
    }
)  # fmt: skip
"""Normal forms by version, then kind; the highest version is in use."""


def terms(plain: Plain, form: Mapping[str, Form] = FORMS[max(FORMS)]) -> list[Term]:
    """Return what a record's plaintext can be found by: part, category, field and value come in."""
    found: dict[Term, None] = {}  # in order, each once
    for part, categories in plain.items():
        for category, fields in categories.items():
            kind = SUBJECTS.get(category)
            if kind is not None:
                for value in fields.values():
                    found[Term(part, SUBJECT, kind, form[kind](value))] = None
            elif category in MENTIONS:
                for value in fields.values():
                    for other, number in _numbers(value):
                        found[Term(part, MENTIONED, other, form[other](number))] = None
    return [term for term in found if term.value]


def _numbers(text: str) -> Iterable[tuple[str, str]]:
    """Return the identity and telephone numbers that stand in ``text``, with their kinds."""
    text = _fold(text)
    for number in _ID_NUMBERS.findall(text):
        yield "resident-id", number
    for number in _PHONES.findall(text):
        yield "phone", number


def parse(opened: Mapping[str, bytes]) -> Plain:
    """Return the plaintext of parts, decoded."""
    return {part: _PLAIN.decode(text) for part, text in opened.items()}


_PLAIN = msgspec.json.Decoder(dict[str, dict[str, str]])


def generations(key: bytes) -> list[bytes]:
    """Return the keys that a tag key is made of, the first one first."""
    return [key[i : i + KEY_BYTES] for i in range(0, len(key), KEY_BYTES)]


def tag_of(suite: Suite, key: bytes, kind: str, value: str, generation: int | None = None) -> bytes:
    """Return the tag of a normal form: 16 bytes under the tag ``key``, over ``kind|value``.

    Args:
        suite: The algorithms.
        key: All generations of the tag key.
        kind: What the identifier is.
        value: Its normal form.
        generation: Of the tag; the last one if it is not said.
    """
    first, *later = generations(key)[:generation]
    return renew(suite, later, suite.tag(first, f"{kind}|{value}".encode()))


def renew(suite: Suite, later: Iterable[bytes], tag: bytes) -> bytes:
    """Return what becomes of a ``tag`` under the generations ``later`` than its own."""
    for key in later:
        tag = suite.tag(key, tag)
    return tag


def tag_rows(  # noqa: PLR0917 - remaking and checks say all six
    suite: Suite,
    key: bytes,
    place: tuple[str, int, int],
    found: Iterable[Term],
    version: int = max(FORMS),
    generation: int | None = None,
) -> list[TagRow]:
    """Return the rows of a record's terms, for ``keep``; ``place`` is organisation, bucket id, number."""
    org, bucket, n = place
    of = generation or len(generations(key))
    return [
        (org, bucket, part, tag_of(suite, key, kind, value, of), n, role, version, of)
        for part, role, kind, value in found
    ]


def keep(tx: Transaction, rows: Sequence[TagRow]) -> None:
    """Insert the tags of new records; in the transaction of ``vault.keep``."""
    tx.bulk(tags, rows)


def find(  # noqa: PLR0917 - where, then what: always all six
    tx: Transaction, keys: Keys, org: str, emergency: str, category: str, value: str
) -> list[tuple[int, int, str]]:
    """Return (bucket id, number, role) of the records that hold ``value``, sorted.

    The category says what ``value`` is; persons mentioned elsewhere by the same kind of identifier are
    found with it. A record may have been erased between the search and its opening.

    Raises:
        InputError: Nobody can be found by that category.
        ErasedError: The emergency's tag key was dropped.
    """
    kind = SUBJECTS.get(category)
    if kind is None:
        raise InputError(f"no one can be searched by {category}; by {', '.join(SUBJECTS)}")
    key, suite = keys.tag_key(org, emergency), keys.suite_of(org)
    wanted = {
        tag_of(suite, key, kind, form[kind](value), generation)
        for form in FORMS.values()
        for generation in range(1, len(generations(key)) + 1)
    }
    found: set[tuple[int, int, str]] = set()
    for bucket in buckets_.of_emergency(tx, org, emergency):
        query = sa.select(tags.c.bucket, tags.c.n, tags.c.role).where(
            tags.c.org == org, tags.c.bucket == bucket.id, tags.c.part.in_(bucket.live),
            tags.c.tag.in_(wanted),
        )  # fmt: skip
        found.update((b, n, role) for b, n, role in tx.conn.execute(query))
    return sorted(found)
