"""The two notations that all C2SP formats share, read strictly: decimal numbers and base64.

Python's own readers are too kind: ``int`` takes ``3_00``, ``+300``, `` 300`` and full-width digits,
``b64decode`` skips what it does not know and ignores stray bits at the end. Two texts that mean the
same would then both verify, which a receipt must never allow.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
LARGEST = 2**63 - 1


def decimal(text: str, what: str) -> int:
    """Return the number written as ``text``: ASCII digits, no sign, no leading zero, below 2**63.

    Raises:
        ValueError: It is not; the message begins with ``what``.
    """
    if not DECIMAL.fullmatch(text) or int(text) > LARGEST:
        raise ValueError(f"{what} must be a decimal number without sign or leading zeros")
    return int(text)


def base64(text: str, what: str, *, size: int | None = None) -> bytes:
    """Return the bytes of ``text``, standard base64 (RFC 4648 section 4) with its padding.

    Raises:
        ValueError: It is another spelling, or not ``size`` bytes; the message begins with ``what``.
    """
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        data = None
    if data is None or b64encode(data).decode() != text:
        raise ValueError(f"{what} must be standard base64 with padding and no stray bits")
    if size is not None and len(data) != size:
        raise ValueError(f"{what} must be {size} bytes, not {len(data)}")
    return data


def base64_text(data: bytes) -> str:
    """Return ``data`` as standard base64."""
    return b64encode(data).decode()
