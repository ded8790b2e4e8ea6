"""What the poster promises: one page, readable by phone and by eye."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from made_up_point import made as point
from pypdf import PdfReader

from epilock.collect.poster import LINES, Sheet, of_notice, poster
from epilock.collect.typeface import LACKING
from epilock.errors import InputError
from epilock.standard import load

URL = "https://epilock.example.cn/p/sunny-garden.k3f7q2?k=abcdefghijklmnop"
ZH = Sheet(
    language="zh",
    point="阳光花园小区东门",
    organisation="济南市历下区阳光花园社区居民委员会",
    glance=(("必填", "姓名、手机号、体温（敏感）"), ("多久", "14天后自动销毁")),
    lines=("谁收集：阳光花园社区居委会",),
)
EN = Sheet(
    language="en",
    point="Sunny Garden, East Gate",
    organisation="Residents' Committee of Sunny Garden",
    glance=(("Needed", "name, mobile"), ("How long", "Destroyed after 14 days")),
    lines=("Who: the residents' committee",),
)
VKEY = "city.example/epilock+c41b2d3a+AZXPUvZjhTrLsEyvrTJyw3UjvIi9K8jiGRdXDpF6/0e5"
MADE = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def made(*sheets: Sheet, **changes: Any) -> bytes:
    values: dict[str, Any] = {
        "url": URL, "fingerprint": "abcd efgh ijkl mnop", "version": 3, "sha256": "0123456789abcdef" * 4, "vkey": VKEY,
        "made": MADE,
    }  # fmt: skip
    return poster(sheets, **(values | changes))


def text_of(pdf: bytes) -> str:
    return PdfReader(BytesIO(pdf)).pages[0].extract_text()


class TestPoster:
    def test_one_page_of_a4(self):
        reader = PdfReader(BytesIO(made(ZH, EN)))
        box = reader.pages[0].mediabox

        assert len(reader.pages) == 1
        assert (round(float(box.width)), round(float(box.height))) == (595, 842)

    def test_the_code_is_readable(self):
        """The very image that is printed, taken out of the file, gives the address."""
        (image,) = PdfReader(BytesIO(made(ZH, EN))).pages[0].images

        assert zxingcpp.read_barcodes(image.image)[0].text == URL

    def test_says_all_of_it(self):
        """Names, each line, fingerprint, address, version and hash, as text that can be copied."""
        text = text_of(made(ZH, EN)).replace("\n", "")

        for said in (
            ZH.point, ZH.organisation, *ZH.lines, EN.point, EN.organisation, *EN.lines,
            *(word for pair in (*ZH.glance, *EN.glance) for word in pair),
            "abcd efgh ijkl mnop", "epilock.example.cn/p/sunny-garden.k3f7q2", "告知第3版",
            "0123456789abcdef",
        ):  # fmt: skip
            assert said in text

    def test_the_key_of_the_log_is_whole_and_within_what_printers_print(self):
        """Whoever checks a receipt compares it with the one that the site shows."""
        reader, seen = PdfReader(BytesIO(made(ZH, EN))), {}

        def note(text, _transform, matrix, _font, size):
            seen[text.strip()] = (matrix[5], size)

        reader.pages[0].extract_text(visitor_text=note)
        ((y, size),) = [at for text, at in seen.items() if VKEY in text]
        assert y > 5 / 0.3528  # points: printers leave 5 mm
        assert size >= 5.5

    def test_one_language_alone(self):
        assert "告知" not in text_of(made(EN))
        assert "Scan" not in text_of(made(ZH))

    def test_same_values_same_bytes(self):
        assert made(ZH) == made(ZH)

    def test_a_rare_character_is_marked(self):
        """The font has the 8,105 standard characters; others show as the printer's blank."""
        text = text_of(made(replace(ZH, point="㐂堃喆园")))

        assert f"{LACKING}堃喆园" in text

    def test_long_texts_stay_on_the_page(self):
        """Twelve long lines and long names shrink; nothing leaves the one page."""
        long = replace(
            ZH,
            point="很长的名称" * 8,
            organisation="机构" * 40,
            glance=(("必填", "告知内容要点" * 12),) * 2,
            lines=("告知内容要点" * 6,) * (LINES - 2),
        )
        reader = PdfReader(BytesIO(made(long, EN)))

        assert len(reader.pages) == 1

    def test_of_a_notice(self):
        """In the languages of the point, with the notice's own version and hash."""
        notice = point(load(), languages=("en",))
        pdf = of_notice(notice, url=URL, fingerprint="abcd efgh ijkl mnop", vkey=VKEY, made=MADE)
        text = text_of(pdf)

        assert notice.point_name.en in text
        assert notice.sha256[:16] in text
        assert "告知" not in text

    def test_what_how_long_and_where_to_complain_are_read_from_two_metres(self):
        """In 17 points at least, 6 mm high, where the lists are as short as at a gate."""
        notice = point(load(), languages=("zh", "en"))
        pdf = of_notice(notice, url=URL, fingerprint="abcd efgh ijkl mnop", vkey=VKEY, made=MADE)
        sizes: dict[str, float] = {}

        def note(text, _transform, _matrix, _font, size):
            sizes[text.strip()] = size

        PdfReader(BytesIO(pdf)).pages[0].extract_text(visitor_text=note)
        for label in ("必填", "多久", "投诉"):
            assert max(size for text, size in sizes.items() if label in text) >= 17

    def test_too_many_lines(self):
        with pytest.raises(InputError, match="12 lines"):
            made(replace(ZH, lines=("x",) * 13))
        with pytest.raises(InputError, match="one or two languages"):
            made()
