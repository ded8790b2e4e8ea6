"""Recursive Length Prefix (Ethereum Yellow Paper, appendix B), read strictly: one spelling a value.

An item is bytes, or a list of items. No third-party imports: the offline check rests on this file.
"""

from collections.abc import Sequence
from typing import TypeAlias

Item: TypeAlias = "bytes | list[Item]"

MOST_DEPTH = 8  # a header, account or trie node is far flatter
_SHORT = 55  # the longest payload whose length lies in the first byte
_BYTES, _LIST = 0x80, 0xC0


def number(value: int) -> bytes:
    """Return ``value`` as Ethereum writes numbers: big-endian without leading zeros, zero empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode(item: bytes | Sequence[object]) -> bytes:
    """Return the encoding of ``item``: bytes, or a sequence of such."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _BYTES:
            return item
        return _prefix(_BYTES, len(item)) + item
    body = b"".join(encode(each) for each in item)  # type: ignore[arg-type]  # bytes or sequences
    return _prefix(_LIST, len(body)) + body


def decode(data: bytes) -> Item:
    """Return the one item that ``data`` is.

    Raises:
        ValueError: It is not one item in its only spelling.
    """
    item, end = _item(data, 0, MOST_DEPTH)
    if end != len(data):
        raise ValueError("bytes follow the RLP item")
    return item


def _prefix(kind: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes([kind + length])
    size = number(length)
    return bytes([kind + _SHORT + len(size)]) + size


def _item(data: bytes, at: int, depth: int) -> tuple[Item, int]:
    if at >= len(data):
        raise ValueError("the RLP item is cut off")
    first = data[at]
    if first < _BYTES:
        return data[at : at + 1], at + 1
    kind = _BYTES if first < _LIST else _LIST
    start, end = _span(data, at, first - kind)
    if kind == _BYTES:
        if end - start == 1 and data[start] < _BYTES:
            raise ValueError("a single byte has no RLP prefix")
        return data[start:end], end
    if depth == 0:
        raise ValueError(f"RLP lists are nested at most {MOST_DEPTH} deep here")
    items: list[Item] = []
    while start < end:
        item, start = _item(data[:end], start, depth - 1)
        items.append(item)
    return items, end


def _span(data: bytes, at: int, length: int) -> tuple[int, int]:
    """Return where the payload at ``at`` starts and ends; ``length`` is what its first byte says."""
    start = at + 1
    if length > _SHORT:
        size = data[start : start + length - _SHORT]
        start += length - _SHORT
        length = int.from_bytes(size, "big")
        if not size or size[0] == 0 or length <= _SHORT:
            raise ValueError("an RLP length has one shortest spelling")
    if start + length > len(data):
        raise ValueError("the RLP item is cut off")
    return start, start + length
