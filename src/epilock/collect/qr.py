"""QR codes of points and receipts, as SVG, PNG and terminal text.

A point's address carries the point's id and the fingerprint of the organisation's notice key. The
poster prints the same fingerprint in words' length, and so does the page: a code that was pasted over
leads to a page that can't show it. A receipt's address carries the short code behind ``#``, the part
that a browser never sends: it opens a record, so it must not lie in a server's log.
"""

from io import BytesIO, StringIO
from urllib.parse import quote

import segno

from epilock.errors import InputError

QUIET = 4  # modules of white around the code, as ISO/IEC 18004 asks
MOST_PROOF = 2953  # bytes of the largest code (version 40, level L)
LONGEST = 600  # characters of an address: beyond, small phones can't read the print any more


def point_url(base: str, point: str, fingerprint: str) -> str:
    """Return the address of a point's page, such as ``https://host/p/sunny.k3f7q2?k=abcdefghijklmnop``.

    ``base`` is the installation's address without a final slash; ``fingerprint`` as ``notice``
    prints it, its groups joined here.
    """
    return f"{base}/p/{quote(point, safe='')}?k={fingerprint.replace(' ', '').replace('-', '')}"


def receipt_url(base: str, code: str) -> str:
    """Return the address that fills in a receipt's code by itself."""
    return f"{base}/r#{code}"


def _make(text: str) -> segno.QRCode:
    """Return the code of ``text``: level M, or better where the size allows it for free.

    Raises:
        InputError: The text is longer than a phone can read off paper.
    """
    if len(text) > LONGEST:
        raise InputError(f"an address for a QR code has at most {LONGEST} characters")
    return segno.make(text, error="m", micro=False, boost_error=True)


def svg(text: str, *, title: str = "") -> str:
    """Return an SVG element to stand in a page; it scales with its box and needs no style."""
    return _svg(_make(text), title)


def proof_svg(text: str, *, title: str) -> str | None:
    """Return an SVG element with a whole proof, to be printed and read off by a program; None if too long."""
    if len(text.encode()) > MOST_PROOF:
        return None
    return _svg(segno.make(text.encode(), error="l", micro=False, boost_error=False), title)


def _svg(code: segno.QRCode, title: str) -> str:
    out = BytesIO()
    code.save(
        out, kind="svg", border=QUIET, xmldecl=False, svgns=True, omitsize=True, nl=False,
        title=title or None, light="#fff",
    )  # fmt: skip
    return out.getvalue().decode()


def png(text: str, *, scale: int = 8) -> bytes:
    """Return a black and white PNG, ``scale`` pixels a module."""
    out = BytesIO()
    _make(text).save(out, kind="png", border=QUIET, scale=scale)
    return out.getvalue()


def terminal(text: str) -> str:
    """Return the code in half-block characters, light modules drawn: for a dark terminal."""
    out = StringIO()
    _make(text).terminal(out=out, border=QUIET, compact=True)
    return out.getvalue()
