"""Receipt ids, handles, and the short code that a person writes down or reads out.

A receipt id looks like a random UUID (RFC 9562, version 4) but is an HMAC of organisation, point and
the id that the client chose: whoever repeats a submission gets the same receipt, and no one without
the installation's secret can make one up. It opens the record to its holder, so the database keeps
only its handle, a hash.

The code holds 15 bits of the organisation's serial number and the 122 free bits of the receipt id, in
Crockford's base32 (no I, L, O, U), and two check characters: 30 characters, printed 6 by 5.

The check is a Reed-Solomon code over GF(32) with two check symbols: the characters c0..c29 satisfy
c0 + c1 + ... = 0 and a^29 c0 + a^28 c1 + ... + c29 = 0, ``a`` being a root of x^5 + x^2 + 1. Because
30 < 31 its distance is 3: every change of one or two characters is caught, so also every swap of two,
neighbours or not, and of a single wrong character the place is known.
"""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from epilock.collect.answer import Problem, fold
from epilock.errors import FieldsError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SERIAL_CHARACTERS, ID_CHARACTERS, CHECK_CHARACTERS = 3, 25, 2
CHARACTERS = SERIAL_CHARACTERS + ID_CHARACTERS + CHECK_CHARACTERS
GROUP = 5
MAX_SERIAL = (1 << 15) - 1
_ID_BITS = 122
_DOMAIN = b"epilock/receipt/v1\0"
_IMPORTED = b"epilock/receipt-of-import/v1\0"

LENGTH = Problem(
    "length",
    "收据码共30个字符，每组5个，共6组，请补全。",
    "A receipt code has 30 characters in 6 groups of 5; please complete it.",
)
CHARACTER = Problem(
    "character",
    "收据码只含数字和字母（没有字母U），请核对。",
    "A receipt code has only digits and letters (no U); please compare.",
)
MISREAD = Problem(
    "check",
    "收据码有几处不对，请从头核对。",
    "The code has slips in several places; please compare it from the start.",
)
MISREAD_IN = tuple(
    Problem(
        "check",
        f"收据码不对，多半错在第{n}组，请核对。",
        f"The code is not right; most likely the slip is in group {n}; please compare.",
    )
    for n in range(1, CHARACTERS // GROUP + 1)
)


def _powers() -> tuple[int, ...]:
    """Return the 31 powers of ``a`` in GF(32), as bits of polynomials modulo x^5 + x^2 + 1."""
    powers, value = [], 1
    for _ in range(31):
        powers.append(value)
        value <<= 1
        if value & 0b100000:
            value ^= 0b100101
    return tuple(powers)


_POWER = _powers()
_LOG = {value: n for n, value in enumerate(_POWER)}
# Tables of 32: a times x, a^2 times x, and x divided by a + 1.
_BY_A = (0, *(_POWER[(_LOG[x] + 1) % 31] for x in range(1, 32)))
_BY_A2 = tuple(_BY_A[_BY_A[x]] for x in range(32))
_PER_A1 = (0, *(_POWER[(_LOG[x] - _LOG[_BY_A[1] ^ 1]) % 31] for x in range(1, 32)))

_VALUE = {c: n for n, c in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_GAPS = str.maketrans("", "", " -\u2010\u2011\u2012\u2013\u2014_.\t\r\n\u00a0")


@dataclass(frozen=True, slots=True)
class ReceiptCode:
    """What a short code holds.

    Attributes:
        serial: Number of the organisation in its installation, 0 to 32,767.
        receipt_id: 16 bytes, a version 4 UUID.
    """

    serial: int
    receipt_id: bytes


def receipt_id(secret: bytes, org: str, point: str, client: str) -> bytes:
    """Return the 16 bytes of the receipt that ``client``'s submission at ``point`` of ``org`` gets.

    ``org`` and ``point`` are codes and hold no NUL, so the three can't run into each other.
    """
    return _uuid4(secret, _DOMAIN + f"{org}\0{point}\0{client}".encode())


def imported_receipt_id(secret: bytes, org: str, import_id: str, row: int) -> bytes:
    """Return the 16 bytes of the receipt of one row of an import: the same whenever it is asked for."""
    return _uuid4(secret, _IMPORTED + f"{org}\0{import_id}\0{row}".encode())


def _uuid4(secret: bytes, message: bytes) -> bytes:
    digest = bytearray(hmac.digest(secret, message, "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x40  # version 4
    digest[8] = digest[8] & 0x3F | 0x80  # variant of RFC 9562
    return bytes(digest)


def handle(receipt_id: bytes) -> bytes:
    """Return what the database keeps of a receipt id: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(receipt_id).digest()[:16]


def as_uuid(receipt_id: bytes) -> str:
    """Return the receipt id as it is printed, such as ``3f2a...``, 36 characters."""
    return str(UUID(bytes=receipt_id))


def encode(serial: int, receipt_id: bytes) -> str:
    """Return the short code, ``XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX``.

    Raises:
        ValueError: The serial has more than 15 bits, or the id is no version 4 UUID: our own mistake.
    """
    if not 0 <= serial <= MAX_SERIAL or not _is_uuid4(receipt_id):
        raise ValueError("a code needs a serial of 15 bits and a version 4 UUID")
    number = serial << (5 * ID_CHARACTERS) | _free_bits(receipt_id)
    symbols = [number >> shift & 31 for shift in range(5 * 27, -1, -5)]
    total, weighted = _syndromes(symbols)
    first = _PER_A1[_BY_A2[weighted] ^ total]
    text = "".join([ALPHABET[s] for s in symbols]) + ALPHABET[first] + ALPHABET[total ^ first]
    return "-".join([text[i : i + GROUP] for i in range(0, CHARACTERS, GROUP)])


def parse(text: str) -> ReceiptCode:
    """Return what the code ``text`` holds; case, spaces, hyphens, and O, I, L for 0, 1, 1 are forgiven.

    Raises:
        FieldsError: It is no code; the problem says what to compare, in both languages.
    """
    symbols = _symbols(text)
    total, weighted = _syndromes(symbols)
    if total or weighted:
        raise FieldsError([_misread(total, weighted).at("code")])
    number = 0
    for symbol in symbols[:-CHECK_CHARACTERS]:
        number = number << 5 | symbol
    free = number & ((1 << 5 * ID_CHARACTERS) - 1)
    if free >> _ID_BITS:  # three bits that are always 0: no code of ours
        raise FieldsError([MISREAD.at("code")])
    return ReceiptCode(number >> 5 * ID_CHARACTERS, _from_free_bits(free))


def _symbols(text: str) -> list[int]:
    """Return the 30 values of the characters."""
    plain = fold(text[:200]).rpartition(":")[2].upper().translate(_GAPS)  # with its label before it
    symbols = [_VALUE.get(c, -1) for c in plain]
    if -1 in symbols:
        raise FieldsError([CHARACTER.at("code")])
    if len(symbols) != CHARACTERS:
        raise FieldsError([LENGTH.at("code")])
    return symbols


def _syndromes(symbols: list[int]) -> tuple[int, int]:
    """Return the plain sum and the weighted sum (Horner's rule) of ``symbols`` in GF(32)."""
    total = weighted = 0
    for symbol in symbols:
        total ^= symbol
        weighted = _BY_A[weighted] ^ symbol
    return total, weighted


def _misread(total: int, weighted: int) -> Problem:
    """Return the problem; if one character is wrong, its weight is the quotient of the two sums."""
    if not total or not weighted:
        return MISREAD
    place = CHARACTERS - 1 - (_LOG[weighted] - _LOG[total]) % 31
    return MISREAD_IN[place // GROUP] if place >= 0 else MISREAD


def _is_uuid4(value: bytes) -> bool:
    return len(value) == 16 and value[6] >> 4 == 4 and value[8] >> 6 == 2  # noqa: PLR2004 - RFC 9562


def _free_bits(value: bytes) -> int:
    """Return the 122 bits of a version 4 UUID that are not fixed: 48, 12 and 62 of them."""
    number = int.from_bytes(value)
    return number >> 80 << 74 | (number >> 64 & 0xFFF) << 62 | number & (1 << 62) - 1


def _from_free_bits(free: int) -> bytes:
    number = (
        free >> 74 << 80 | 4 << 76 | (free >> 62 & 0xFFF) << 64 | 2 << 62 | free & (1 << 62) - 1
    )
    return number.to_bytes(16)
