"""Both languages are complete, and each person gets theirs."""

import ast
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epilock.web
from epilock.errors import FileFormatError
from epilock.web import language

WEB = Path(epilock.web.__file__).parent
# Keys that a page puts together, such as ``problem.<slug>.title``: everything below these is used.
BUILT = re.compile(r""""([a-z_]+\.[a-z_.-]*)"\s*~""")
CALLED = re.compile(r""""([a-z_]+(?:\.[a-z_-]+)+)"(?!\s*~)""")


def _used() -> tuple[set[str], set[str]]:
    keys, prefixes = set(), set()
    for path in [*WEB.rglob("*.html"), *WEB.rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        keys |= set(CALLED.findall(source))
        prefixes |= set(BUILT.findall(source))
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    keys.add(node.value)
                if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                    prefixes.add(str(node.values[0].value))
    return keys, {p for p in prefixes if "." in p}


class TestLoad:
    def test_every_string_is_there_in_both_languages(self):
        phrases = language.load()
        assert all(text.zh and text.en for text in phrases.values())

    def test_chinese_is_chinese(self):
        """A string that was copied and never translated is found."""
        same = [k for k, t in language.load().items() if t.zh == t.en]
        assert same == []

    def test_every_string_that_a_page_says_is_there(self):
        phrases = language.load()
        wanted = {
            key
            for path in WEB.rglob("*.html")
            for key in CALLED.findall(path.read_text(encoding="utf-8"))
            if not key.endswith((".html", ".css", ".svg", ".js"))
        }
        assert wanted - phrases.keys() == set()

    def test_no_string_is_left_over(self):
        keys, prefixes = _used()
        left = [k for k in language.load() if k not in keys and not k.startswith(tuple(prefixes))]
        assert left == []

    @pytest.mark.parametrize(
        "entry",
        [
            'a = { zh = "好" }',
            'a = { zh = "{n}天", en = "days" }',
            'a = "x"',
            'a = { zh = " ", en = "x" }',
        ],
    )
    def test_an_entry_that_lacks_something_does_not_load(self, tmp_path, entry):
        (tmp_path / "x.toml").write_text(entry, encoding="utf-8")
        with pytest.raises(FileFormatError, match=r"x\.?a?"):
            language.load(tmp_path)


class TestChoose:
    @pytest.mark.parametrize(
        ("asked", "accepted", "chosen"),
        [
            ("en", "zh-CN", "en"),
            ("zh", "en", "zh"),
            (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
            (None, "fr, zh;q=0.3, en;q=0.2", "zh"),
            (None, "fr", "zh"),
            (None, None, "zh"),
            ("xx", "en", "en"),
            (None, "en;q=0", "zh"),
        ],
    )
    def test_what_is_asked_goes_before_the_browser(self, asked, accepted, chosen):
        assert language.choose(asked, accepted) == chosen

    @given(st.text(max_size=200))
    def test_any_header_gives_a_language(self, accepted):
        assert language.choose(None, accepted) in language.LANGUAGES


class TestSpeaker:
    def test_days_and_instants_are_written_as_people_write_them(self):
        zh = language.Speaker(language.load(), "zh")
        en = language.Speaker(language.load(), "en")
        assert zh.day(date(2026, 3, 14)) == "2026年3月14日"
        assert en.day("2026-03-04") == "4 March 2026"
        assert en.moment(datetime(2026, 3, 13, 17, 5, tzinfo=UTC)) == "14 March 2026 01:05"
