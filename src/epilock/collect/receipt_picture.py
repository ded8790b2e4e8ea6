"""The receipt as a picture to keep: its code in letters and as a QR code, where it was given, what it is for.

A phone keeps pictures where people find them again, and a browser inside another program (WeChat's) saves
nothing but pictures. It shows no value that a person gave. The same bytes for the same values.
"""

from collections.abc import Sequence
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from epilock.collect import qr, typeface

WIDTH, MARGIN = 640, 36  # pixels
MODULE = 9  # edge of a module of the QR code
GREYS = 16  # enough for smooth letters, and a third of the bytes
_BLACK, _SOFT, _WHITE = 0, 70, 255
_WIDE = 0x2E80  # from here on a line may be broken between any two characters,
_CLOSING = "，。；：、）”？"  # but not before these


def png(
    *, title: str, code: str, address: str, lines: Sequence[str], notes: Sequence[str]
) -> bytes:
    """Return the picture as PNG.

    Args:
        title: What this is.
        code: The short code in its six groups, set in two rows.
        address: What the QR code holds, see ``qr.receipt_url``.
        lines: Who, where and when, above the code.
        notes: What to do with it, below.
    """
    page = _Strip()
    page.write(title, 34, weight=1)
    for line in lines:
        page.write(line, 24, colour=_SOFT)
    page.space(14)
    groups = code.split("-")
    half = len(groups) // 2
    for row in (groups[:half], groups[half:]):
        page.write("  ".join(row), 44, weight=1)
    page.place(Image.open(BytesIO(qr.png(address, scale=MODULE))).convert("L"))
    for note in notes:
        page.write(note, 24)
    return page.png()


class _Strip:
    """A white strip that is filled from top to bottom, each thing in its middle."""

    def __init__(self) -> None:
        self._image = Image.new("L", (WIDTH, 2400), _WHITE)
        self._draw = ImageDraw.Draw(self._image)
        self._y = MARGIN

    def write(self, text: str, size: int, *, colour: int = _BLACK, weight: int = 0) -> None:
        font = _font(size)
        for line in _wrapped(typeface.printable(text), font, WIDTH - 2 * MARGIN):
            self._draw.text(
                (WIDTH / 2, self._y), line, fill=colour, font=font, anchor="ma", stroke_width=weight,
                stroke_fill=colour,
            )  # fmt: skip
            self._y += round(size * 1.45)

    def space(self, pixels: int) -> None:
        self._y += pixels

    def place(self, image: Image.Image) -> None:
        self._image.paste(image, ((WIDTH - image.width) // 2, self._y))
        self._y += image.height

    def png(self) -> bytes:
        height = self._y + MARGIN
        self._draw.rectangle((3, 3, WIDTH - 4, height - 4), outline=_SOFT, width=3)
        out = BytesIO()
        cut = self._image.crop((0, 0, WIDTH, height))
        cut.quantize(GREYS, dither=Image.Dither.NONE).save(out, "png", optimize=True)
        return out.getvalue()


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` pixels, broken at spaces or between hanzi."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and font.getlength((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()]


def _pieces(text: str) -> list[str]:
    """Return what a line may not be broken within: words with the space after them, single hanzi."""
    found: list[str] = []
    for c in text:
        before = found[-1][-1] if found else " "
        if c in _CLOSING or (max(ord(c), ord(before)) < _WIDE and before != " "):
            found[-1:] = ["".join([*found[-1:], c])]
        else:
            found.append(c)
    return found


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    with typeface.font_file() as path:
        return ImageFont.truetype(BytesIO(path.read_bytes()), size)
