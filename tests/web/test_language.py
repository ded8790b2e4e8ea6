"""Both languages are complete, and each person gets theirs."""

import ast
import json
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import town
from hypothesis import given
from hypothesis import strategies as st
from sheet import read
from test_resident import TYPED, _fields
from town_server import CHROMIUM, free_port, serving
from typer.testing import CliRunner
from visitor import Visitor

import epilock.web
from epilock.cli.gather import gathered
from epilock.errors import FileFormatError, InputError
from epilock.ledger import entry
from epilock.web import language
from epilock.web.app import create_app

WEB = Path(epilock.web.__file__).parent
# Keys that a page puts together, such as ``problem.<slug>.title``: everything below these is used.
BUILT = re.compile(r""""([a-z_]+\.[a-z_.-]*)"\s*~""")
PLACE = re.compile(r"\{[a-z_]+\}")
# Whose number is never one: a span in its largest unit of several, more than a bound, one of two that are in each other's way.
SEVERAL = (
    "console.span.", "console.mine.days_are", "detail.form_", "detail.hold_most", "detail.list_", "detail.log_days",
    "detail.zip_large", "detail.grant_many_parts",
)  # fmt: skip
KNOWN = language.languages(language.load())
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

    def test_no_page_puts_a_latin_comma_or_colon_between_words(self):
        """What stands there is the language's own: ``t.comma``, ``t.listed``, ``resident.colon``."""
        latin = re.compile(r"""\}\}, \{[{%]|%\}, \{%|\}\}: \{\{ t|join\(", "\)""")
        pages = (WEB / "templates").rglob("*.html")
        found = {p.name for p in pages if latin.search(p.read_text(encoding="utf-8"))}
        assert found == set()

    def test_no_number_stands_before_a_plural(self):
        """Of one it would be wrong: a page says "Days left: 1", never "1 days left"."""
        counts = re.compile(
            r"\{(?:n|size|seconds|times|yes|no|number|count|parts|rows|subjects)\} (?:more |whole )?(?:people|[a-z]+s)\b(?<!\bis)"
        )
        found = [k for k, t in language.load().items() if counts.search(t.en)]
        assert [k for k in found if not k.startswith(SEVERAL)] == []

    def test_every_kind_of_entry_has_a_name(self):
        names = {f"log.kind.{kind}" for kind in entry.TYPES}
        assert names - language.load().keys() == set()

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
        assert language.choose(asked, accepted, KNOWN).code == chosen

    @given(st.text(max_size=200))
    def test_any_header_gives_a_language(self, accepted):
        assert language.choose(None, accepted, KNOWN).code in {"zh", "en"}


class TestSpeaker:
    def test_days_and_instants_are_written_as_people_write_them(self):
        zh, en = (language.Speaker(language.load(), KNOWN[code]) for code in ("zh", "en"))
        assert zh.day(date(2026, 3, 14)) == "2026年3月14日"
        assert en.day("2026-03-04") == "4 March 2026"
        assert (zh.short_day(date(2026, 3, 4)), en.short_day(date(2026, 3, 4))) == (
            "3月4日",
            "4 Mar",
        )
        assert en.moment(datetime(2026, 3, 13, 17, 5, tzinfo=UTC)) == "14 March 2026 01:05"


def _file(folder: Path, name: str = "xx.toml", **changed: str) -> Path:
    """A file of a third language that says of each string its key and its values, and the first two."""
    for code in language.OF_DATA:
        shutil.copy(language.LANGUAGES / f"{code}.toml", folder)
    keys = {
        key: f"[{key}]{''.join(sorted(PLACE.findall(t.en)))}" for key, t in language.load().items()
    }
    facts = {
        "tag": "xx", "name": "Third", "data": "en", "direction": "ltr", "day": "{year}/{number}/{day}",
        "short_day": "{number}/{day}", "stop": ".", "space": " ", "comma": ", ",
    }  # fmt: skip
    lines = [f"{name} = {json.dumps(value)}" for name, value in (facts | changed).items()]
    lines += [f"months = {json.dumps(list('abcdefghijkl'))}", "[strings]"]
    lines += [f"{json.dumps(key)} = {json.dumps(text)}" for key, text in keys.items()]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


class TestThirdLanguage:
    def test_one_file_makes_every_page_speak_it(self, tmp_path, parts):
        _file(tmp_path)
        site = create_app(parts, languages=tmp_path)
        point = town.open_point(
            parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT
        )
        visitor = Visitor(site, language="xx")
        assert "[log.title]" in read(visitor, "/log").text
        page = read(visitor, f"/c/sunny/{point.point}")
        assert "[resident.go_on]" in page.html
        assert "East Gate" in page.text  # the notice is in the language that the file names
        page = _fields(visitor, f"/c/sunny/{point.point}")
        done = page.send(page.form(), step="send", **TYPED)
        assert done.status == 200
        assert "[receipt.done.title]" in done.text
        assert "Third" in read(Visitor(site), "/").text

    @pytest.mark.parametrize(
        ("old", "new", "says"),
        [
            ("[log.title]", "", "log.title"),
            ('"log.title"', '"log.titel"', "log.titel"),
            ("{n}", "", "takes the values"),
            ('data = "en"', 'data = "fr"', "zh or en"),
            ('stop = "."', "", "keys"),
            ('direction = "ltr"', 'direction = "down"', "ltr or rtl"),
        ],
    )
    def test_a_file_that_lacks_something_does_not_load(self, tmp_path, old, new, says):
        path = _file(tmp_path)
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        with pytest.raises(FileFormatError, match=says):
            language.languages(language.load(), tmp_path)

    def test_what_a_translator_begins_with_is_a_language_already(self, tmp_path):
        """Each string stands in it once, in English with the Chinese above it."""
        for code in language.OF_DATA:
            shutil.copy(language.LANGUAGES / f"{code}.toml", tmp_path)
        done = CliRunner().invoke(
            gathered(["language"]), ["language", "draft", str(tmp_path / "ko.toml")]
        )
        assert done.exit_code == 0
        with pytest.raises(FileFormatError, match="give its tag"):
            language.languages(language.load(), tmp_path)
        text = (tmp_path / "ko.toml").read_text("utf-8")
        text = text.replace('tag = ""', 'tag = "ko"').replace('\nname = ""', '\nname = "한국어"')
        (tmp_path / "ko.toml").write_text(text, "utf-8")
        begun = language.languages(language.load(), tmp_path)["ko"]
        assert begun.strings == {key: text.en for key, text in language.load().items()}
        for name in ("ko.toml", "en.toml", "korean.toml"):  # none is written over, or is no code
            again = CliRunner().invoke(
                gathered(["language"]), ["language", "draft", str(tmp_path / name)]
            )
            assert isinstance(again.exception, InputError)

    @pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
    @pytest.mark.parametrize("width", [320, 1280])
    def test_from_right_to_left_no_page_overflows(self, tmp_path, parts, chromium, width):
        _file(tmp_path, direction="rtl", tag="ug")
        point = town.open_point(
            parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT
        )
        with serving(create_app(parts, languages=tmp_path), free_port()) as base:
            page = chromium.new_page(viewport={"width": width, "height": 740})
            for path in ("/", "/check", "/log", "/style", f"/c/sunny/{point.point}"):
                page.goto(f"{base}{path}?lang=xx")
                assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.context.close()

    def test_the_first_two_must_be_there(self, tmp_path):
        with pytest.raises(FileFormatError, match=r"en\.toml"):
            language.languages(language.load(), tmp_path)
