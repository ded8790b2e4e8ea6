"""Photographs as they come from a camera: read, made small and stripped before anything is kept.

A file of a camera tells where and when it was taken, and with what (Exif 3.0); what is kept is the picture alone,
turned as the camera held it, at most ``LONGEST`` pixels long. The file's SHA-256 is kept beside it, by which the
one on the telephone can be told from any other.
"""

import io
import threading
from dataclasses import dataclass
from hashlib import sha256

from PIL import Image, ImageOps

from epilock.errors import InputError, TooLargeError

MOST_BYTES = 8_000_000
MOST_PIXELS = 25_000_000  # a telephone's camera makes 12 million
LONGEST = 2_400  # pixels: a line of handwriting on a page of A4 has some fifty
FORMATS = ("JPEG", "PNG")
_QUALITY = 80
_turn = threading.Lock()  # one at a time: a picture takes up to 100 MB while it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A photograph that can be kept.

    Attributes:
        picture: A JPEG file without anything but the picture.
        sha256: Of the file that was given, hex.
    """

    picture: bytes
    sha256: str


def take(body: bytes) -> Photograph:
    """Return the photograph that a camera's file holds.

    Raises:
        TooLargeError: It has more bytes or pixels than are read.
        InputError: It is no JPEG or PNG file, or a damaged one.
    """
    if len(body) > MOST_BYTES:
        raise TooLargeError(f"a photograph has at most {MOST_BYTES // 1_000_000} MB")
    out = io.BytesIO()
    try:
        with _turn, Image.open(io.BytesIO(body), formats=FORMATS) as found:
            if found.width * found.height > MOST_PIXELS:
                raise TooLargeError(  # noqa: TRY301 - passed on below
                    f"a photograph has at most {MOST_PIXELS // 1_000_000} million pixels"
                )
            found.draft("RGB", (LONGEST, LONGEST))  # a JPEG is read at a fraction of its size
            small = ImageOps.exif_transpose(found).convert("RGB")
            small.thumbnail((LONGEST, LONGEST))
            Image.frombytes("RGB", small.size, small.tobytes()).save(
                out, "JPEG", quality=_QUALITY, optimize=True
            )
    except (TooLargeError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a damaged file raises whatever its parser runs into
        raise InputError("this is no photograph that can be read: JPEG or PNG is taken") from None
    return Photograph(picture=out.getvalue(), sha256=sha256(body).hexdigest())
