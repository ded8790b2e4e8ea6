"""The form of every ``.anchor`` file: JSON in UTF-8, at most 256 KiB, exactly the fields of its format.

Bytes are hexadecimal in lower case after ``0x``. Which proof a file holds is said by its ``format``. No
third-party imports: the offline check of chains rests on this file.
"""

import json
import re
from collections.abc import Collection, Mapping

from epilock.errors import FileFormatError, TooLargeError
from epilock.ledger.anchor.keccak import HASH_BYTES

MOST_BYTES = 1 << 18
LARGEST = 2**63 - 1
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*", re.ASCII)


def text(fields: Mapping[str, object]) -> str:
    """Return a file's text; ``fields`` begins with ``format``."""
    return json.dumps(fields, ensure_ascii=False, indent=1) + "\n"


def kind(data: bytes) -> str:
    """Return the format that a file says it has.

    Raises:
        TooLargeError: More than 256 KiB.
        FileFormatError: It says none.
    """
    stated = _object(data).get("format")
    if not isinstance(stated, str):
        raise FileFormatError("an anchor file says its format")
    return stated


def fields(data: bytes, form: str, names: Collection[str]) -> dict[str, object]:
    """Return the fields of a file of the format ``form``: its claim, checked, and ``names``, not yet.

    Raises:
        TooLargeError: More than 256 KiB.
        FileFormatError: It is no such file; the message says what is wrong.
    """
    found = _object(data)
    if found.keys() != {"format", "origin", "size", "root", *names} or found["format"] != form:
        raise FileFormatError(f"an anchor file has the format {form} and exactly its fields")
    size, origin = found["size"], found["origin"]
    if type(size) is not int or not 0 < size <= LARGEST:
        raise FileFormatError("the size of an anchor file is a number above 0 and below 2**63")
    if not isinstance(origin, str) or not origin or "\n" in origin or not _encodes(origin):
        raise FileFormatError("the origin of an anchor file is one line")
    octets(found, "root", HASH_BYTES)
    return found


def octets(found: Mapping[str, object], name: str, size: int | None = None) -> bytes:
    """Return the bytes of the field ``name``.

    Raises:
        FileFormatError: They are none, or not ``size`` of them.
    """
    return _unhex(found[name], name, size)


def octet_list(found: Mapping[str, object], name: str) -> tuple[bytes, ...]:
    """Return the list of bytes in the field ``name``.

    Raises:
        FileFormatError: It is none.
    """
    items = found[name]
    if not isinstance(items, list):
        raise FileFormatError(f"the field {name} of an anchor file is a list")
    return tuple(_unhex(each, name, None) for each in items)


def hexed(data: bytes) -> str:
    """Return ``data`` as an anchor file writes it."""
    return "0x" + data.hex()


def _object(data: bytes) -> dict[str, object]:
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"an anchor file has at most {MOST_BYTES} bytes")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise FileFormatError("an anchor file is JSON in UTF-8, each field once") from None
    if not isinstance(found, dict):
        raise FileFormatError("an anchor file is a JSON object")
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice")
    return found


def _encodes(line: str) -> bool:
    """Return whether ``line`` is free of lone surrogates, which JSON can spell and UTF-8 can't."""
    return not any("\ud800" <= c <= "\udfff" for c in line)


def _unhex(stated: object, name: str, size: int | None) -> bytes:
    if not isinstance(stated, str) or not _HEX.fullmatch(stated):
        raise FileFormatError(f"the field {name} of an anchor file is 0x and lower-case hex")
    data = bytes.fromhex(stated[2:])
    if size is not None and len(data) != size:
        raise FileFormatError(f"the field {name} of an anchor file has {size} bytes")
    return data
