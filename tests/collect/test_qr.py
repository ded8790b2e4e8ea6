"""What a printed code promises: any phone reads exactly the address that was meant."""

import re
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from epilock.collect import qr
from epilock.errors import InputError

URL = qr.point_url("https://epilock.example.cn", "sunny-garden.k3f7q2", "abcd efgh ijkl mnop")


def read(image: Image.Image) -> str:
    found = zxingcpp.read_barcodes(image)
    assert len(found) == 1
    return found[0].text


def drawn(svg: str) -> Image.Image:
    """Draw the path of an SVG module by module."""
    size = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    image = Image.new("L", (size * 8, size * 8), 255)
    draw = ImageDraw.Draw(image)
    x = y = 0.0
    path = re.search(r'class="qrline" stroke="#000" d="([^"]+)"', svg)[1]
    for step, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        values = [float(n) for n in re.findall(r"-?[\d.]+", numbers)]
        if step == "h":
            draw.rectangle([x * 8, y * 8 - 4, (x + values[0]) * 8 - 1, y * 8 + 3], fill=0)
            x += values[0]
        else:
            x, y = (0.0, 0.0) if step == "M" else (x, y)
            x, y = x + values[0], y + values[1]
    return image


class TestAddresses:
    def test_of_a_point(self):
        """Point and fingerprint of the notice key, nothing else."""
        assert URL == "https://epilock.example.cn/p/sunny-garden.k3f7q2?k=abcdefghijklmnop"

    def test_of_a_receipt(self):
        """Behind ``#``: the code opens a record, so no server ever logs it."""
        assert qr.receipt_url("https://e.cn", "AAAAA-BBBBB") == "https://e.cn/r#AAAAA-BBBBB"


class TestCode:
    def test_png_is_readable(self):
        assert read(Image.open(BytesIO(qr.png(URL)))) == URL

    def test_svg_is_readable(self):
        """The page shows the SVG: its path, drawn module by module, is the same code."""
        svg = qr.svg(URL, title="扫码")
        assert read(drawn(svg)) == URL

    def test_svg_stands_in_a_strict_page(self):
        """No style, no script, and the title is escaped."""
        svg = qr.svg(URL, title="<b>")

        assert "style" not in svg
        assert "<script" not in svg
        assert "<title>&lt;b&gt;</title>" in svg

    def test_terminal_shows_every_row(self):
        """Two module rows a line; the quiet zone is part of it."""
        lines = qr.terminal(URL).rstrip("\n").split("\n")
        size = int(re.search(r'viewBox="0 0 (\d+)', qr.svg(URL))[1])

        assert len(lines) == (size + 1) // 2

    def test_too_long_to_be_read(self):
        with pytest.raises(InputError, match="600"):
            qr.png("x" * 601)


class TestProof:
    def test_the_whole_proof_is_in_it(self):
        """Line ends and the dash of the signature lines too: what is read off verifies."""
        proof = "c2sp.org/tlog-proof@v1\nindex 5\n\nlog.example\n8\nAA==\n\n— log.example AA==\n"
        assert read(drawn(qr.proof_svg(proof, title="x"))) == proof

    def test_what_does_not_fit_is_no_code(self):
        assert qr.proof_svg("x" * 2953, title="x") is not None
        assert qr.proof_svg("x" * 2954, title="x") is None
