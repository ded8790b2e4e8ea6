"""The one typeface of what is printed or drawn: a subset of Noto Sans SC beside this file.

A rare character that it lacks is printed as ``〓``, as Chinese printers do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fontTools.ttLib import TTFont

LACKING = "〓"


@contextmanager
def font_file() -> Iterator[Path]:
    """Give the path of the font file, for as long as it is read."""
    with as_file(files("epilock.collect") / "font" / "NotoSansSC-subset.ttf") as path:
        yield path


def printable(text: str) -> str:
    """Return ``text`` with ``LACKING`` for each character that the font lacks."""
    return "".join(c if ord(c) in _covered() else LACKING for c in text)


@cache
def _covered() -> frozenset[int]:
    """Return the code points that the font has."""
    with font_file() as path, TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())
