"""A photograph: what a camera says beside the picture is gone, and a file that is none is refused."""

import io
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from epilock.collect import photograph
from epilock.errors import InputError, TooLargeError

GPS, MAKER, ORIENTATION = 0x8825, 0x010F, 0x0112


def camera(size=(400, 300), kind="JPEG", *, turned=1):
    """A file as a camera makes it: with its maker, where it was, and how it was held."""
    picture = Image.new("RGB", size, "white")
    picture.paste("black", (0, 0, 40, 40))  # a mark in the corner
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Camera of Zhang", turned
    exif.get_ifd(GPS)[2] = (36.0, 40.0, 0.0)
    out = io.BytesIO()
    picture.save(out, kind, exif=exif)
    return out.getvalue()


def opened(picture):
    return Image.open(io.BytesIO(picture))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_nothing_but_the_picture_is_kept(kind):
    body = camera(kind=kind)
    assert b"Camera of Zhang" in body
    taken = photograph.take(body)
    assert b"Camera of Zhang" not in taken.picture
    found = opened(taken.picture)
    assert (found.format, found.size, dict(found.getexif())) == ("JPEG", (400, 300), {})
    assert taken.sha256 == sha256(body).hexdigest()


def test_it_is_turned_as_the_camera_was_held():
    found = opened(photograph.take(camera(turned=6)).picture)  # a quarter to the right
    assert found.size == (300, 400)
    corner = found.convert("L").getpixel
    assert corner((290, 10)) < 100 < corner((10, 10))


def test_a_large_one_is_made_small():
    found = opened(photograph.take(camera((4000, 3000))).picture)
    assert found.size == (2400, 1800)


def test_one_with_too_many_pixels_is_refused_before_it_is_read():
    body = camera((5001, 5000), "PNG")
    assert len(body) < 200_000
    with pytest.raises(TooLargeError, match="25 million pixels"):
        photograph.take(body)


def test_one_with_too_many_bytes_is_refused():
    with pytest.raises(TooLargeError, match="8 MB"):
        photograph.take(b"\xff\xd8" + bytes(photograph.MOST_BYTES))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "WEBP"])
def test_other_formats_are_not_read(kind):
    out = io.BytesIO()
    Image.new("RGB", (10, 10)).save(out, kind)
    with pytest.raises(InputError, match="JPEG or PNG"):
        photograph.take(out.getvalue())


@given(
    st.binary(max_size=300)
    | st.tuples(st.sampled_from([camera(), camera(kind="PNG")]), st.integers(0, 2000), st.binary(max_size=8)).map(
        lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + len(t[2]) :]
    )
)  # fmt: skip
def test_any_bytes_give_a_picture_or_one_clear_error(body):
    try:
        taken = photograph.take(body)
    except (InputError, TooLargeError):
        return
    assert opened(taken.picture).format == "JPEG"
