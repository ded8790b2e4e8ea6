"""What a copy to print promises: every word of it is there, however long, and the same bytes each time."""

from datetime import UTC, datetime
from io import BytesIO

from pypdf import PdfReader

from epilock.collect import handout
from epilock.collect.handout import Section

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def made(*sections):
    return handout.pdf(
        "您的信息", sections, address="https://host.example/r#0", language="zh-CN", made=NOW
    )


def test_long_answers_run_over_pages_and_nothing_is_lost():
    words = [f"w{number:04}" for number in range(1500)]
    body = made(
        Section("行程", (("去过哪里", " ".join(words[:700])), ("", " ".join(words[700:])))),
        Section("其他", tuple((f"k{n:03}", f"v{n:03}") for n in range(120))),
    )
    pages = PdfReader(BytesIO(body)).pages
    text = " ".join(page.extract_text() for page in pages)
    assert len(pages) > 3
    for word in (*words, *(f"k{n:03}" for n in range(120)), *(f"v{n:03}" for n in range(120))):
        assert word in text


def test_the_same_bytes_for_the_same_values():
    section = Section("一", (("姓名", "张三"),))
    assert made(section) == made(section)


def test_a_rare_character_is_printed_as_a_blank_of_its_own():
    text = PdfReader(BytesIO(made(Section("一", (("姓名", "𠮷野"),))))).pages[0].extract_text()
    assert "〓野" in text
