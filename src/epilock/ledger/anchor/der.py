"""What a time stamp needs of DER (X.690): items taken in order, items written.

Lengths are definite and in their shortest spelling. It reads shapes and judges nothing: what is read
counts only where a signature covers it.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID, TEXT, TIME, SEQUENCE, SET = (
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x18, 0x30, 0x31,
)  # fmt: skip
FIELD = 0xA0  # [0], constructed; [1] is one more
SHORT = 0x80  # lengths below this are one byte
_TIME = re.compile(r"(\d{14})(?:\.(\d{0,5}[1-9]))?Z", re.ASCII)
_ARC = 40  # the first byte of an object identifier holds two arcs (X.690, 8.19)
_MOST_NAME = 64  # bytes of an object identifier; the longest in use have about twenty


class Item(NamedTuple):
    """One item: its tag, what it holds, and all of its bytes."""

    tag: int
    body: bytes
    whole: bytes


class Reader:
    """The items that stand one after another in ``data``, taken in order."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def maybe(self, tag: int) -> Item | None:
        """Take the next item if it has this tag.

        Raises:
            ValueError: It is cut off, or its length is not in the shortest form.
        """
        if not self._rest or self._rest[0] != tag:
            return None
        start, end = _span(self._rest)
        item = Item(tag, self._rest[start:end], self._rest[:end])
        self._rest = self._rest[end:]
        return item

    def take(self, tag: int) -> Item:
        """Take the next item, which has this tag.

        Raises:
            ValueError: It has not, or there is none.
        """
        item = self.maybe(tag)
        if item is None:
            raise ValueError(f"there is no item of the kind {tag:#04x} where one should be")
        return item

    def open(self, tag: int) -> "Reader":
        """Take the next item, which has this tag, and return a reader of what it holds."""
        return Reader(self.take(tag).body)

    def all(self) -> list[Item]:
        """Take all that is left."""
        items = []
        while self._rest:
            items.append(self.take(self._rest[0]))
        return items

    def end(self) -> None:
        """Return if nothing is left.

        Raises:
            ValueError: Something is.
        """
        if self._rest:
            raise ValueError("bytes follow where there should be none")


def item(tag: int, *parts: bytes) -> bytes:
    """Return the item that holds ``parts``."""
    body = b"".join(parts)
    size = len(body)
    if size < SHORT:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, SHORT + len(length)]) + length + body


def number(value: int) -> bytes:
    """Return an INTEGER."""
    return item(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def name(dotted: str) -> bytes:
    """Return the OBJECT IDENTIFIER ``dotted``, such as ``1.2.840``: digits and dots, checked before."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    body = b""
    for arc in (first * _ARC + second, *rest):
        low = [arc & 0x7F]
        while arc := arc >> 7:
            low.append(arc & 0x7F | 0x80)
        body += bytes(reversed(low))
    return item(OID, body)


def read_number(found: Item) -> int:
    """Return an INTEGER's value.

    Raises:
        ValueError: It is empty or has needless bytes.
    """
    value = int.from_bytes(found.body, "big", signed=True)
    if number(value)[2:] != found.body:  # none that stands here has 128 bytes
        raise ValueError("a number is not in its shortest form")
    return value


def read_name(found: Item) -> str:
    """Return an OBJECT IDENTIFIER in digits and dots.

    Raises:
        ValueError: It is none.
    """
    if len(found.body) > _MOST_NAME:
        raise ValueError(f"an object identifier has more than {_MOST_NAME} bytes")
    arcs, arc = [], 0
    for byte in found.body:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        raise ValueError("an object identifier has no end")
    first = min(arcs[0] // _ARC, 2)
    dotted = ".".join(str(arc) for arc in (first, arcs[0] - first * _ARC, *arcs[1:]))
    if name(dotted) != found.whole:
        raise ValueError("an object identifier is not in its shortest form")
    return dotted


def read_time(found: Item) -> datetime:
    """Return a GeneralizedTime as RFC 3161 has it: UTC, seconds, no needless zeros of a fraction.

    Raises:
        ValueError: It is none, or finer than microseconds.
    """
    match = _TIME.fullmatch(found.body.decode("ascii"))
    if match is None:
        raise ValueError("a time is not written as YYYYMMDDhhmmss[.f]Z")
    whole = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole + timedelta(microseconds=int((match[2] or "").ljust(6, "0")))


def _span(data: bytes) -> tuple[int, int]:
    """Return where the body of the first item starts and ends."""
    if len(data) < 2:  # noqa: PLR2004 - a tag and a length
        raise ValueError("an item is cut off")
    size, start = data[1], 2
    if size >= SHORT:
        start += size - SHORT
        size = int.from_bytes(data[2:start], "big")
        if start > len(data) or size < SHORT or not data[2]:
            raise ValueError("a length is not in its shortest form")
    if start + size > len(data):
        raise ValueError("an item is cut off")
    return start, start + size
