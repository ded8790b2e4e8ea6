"""Every page is well-formed, labelled and in its language, in Chinese and in English."""

import re
from html.parser import HTMLParser
from typing import Any

import pages
import pytest
import town
from test_resident import _fields
from visitor import Visitor

from epilock.web.page import STATIC

VOID = {"meta", "link", "input", "br", "wbr", "hr", "img", "path", "rect", "source", "col"}


class Markup(HTMLParser):
    """Collects what is wrong with a page's markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.open: list[str] = []
        self.tongues: list[str] = [""]
        self.misread: list[str] = []
        self.ids: list[str] = []
        self.wanted: list[str] = []
        self.labelled: set[str] = set()
        self.controls: list[tuple[str, dict[str, Any]]] = []
        self.headings: list[int] = []
        self.lang = ""
        self.feed(html)
        self.faults += [f"empty: {tag}" for tag in re.findall(r"<(nav)[^>]*>\s*</nav>", html)]
        self.faults += [f"open at the end: {tag}" for tag in self.open]
        twice = {i for i in self.ids if self.ids.count(i) > 1}
        self.faults += [f"two elements have the id {i}" for i in sorted(twice)]
        self.faults += [f"no element has the id {i}" for i in self.wanted if i not in self.ids]
        for name, a in self.controls:
            named = a.get("id") in self.labelled or "aria-label" in a or "aria-labelledby" in a
            if not named:
                self.faults.append(f"a control without a label: {name}")

    def handle_starttag(  # noqa: C901 - one branch for each kind of element
        self, tag: str, attrs: list[tuple[str, Any]]
    ) -> None:
        a = dict(attrs)
        if len(a) != len(attrs):
            self.faults.append(f"an attribute stands twice in <{tag}>")
        if tag not in VOID:
            self.open.append(tag)
            self.tongues.append(a.get("lang", self.tongues[-1]))
        self.lang = a.get("lang", "") if tag == "html" else self.lang
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "label":
            self.labelled.add(a.get("for", ""))
            self.wanted.append(a.get("for", ""))
        for name in ("aria-describedby", "aria-labelledby"):
            self.wanted += (a.get(name) or "").split()
        if tag in {"select", "textarea"} or (
            tag == "input" and a.get("type") not in {"hidden", "submit"}
        ):
            self.controls.append((f"{tag} {a.get('name')}", a))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "a" and a.get("href", "").startswith("#"):
            self.wanted.append(a["href"][1:])
        for name in a:
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag}> has {name}, which the policy forbids")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()
            self.tongues.pop()

    def handle_data(self, data: str) -> None:
        if re.search(r"[\u3400-\u9fff]", data) and not self.tongues[-1].startswith("zh"):
            self.misread.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.tongues.pop()
        if tag in VOID:
            self.faults.append(f"</{tag}> closes nothing")
        elif not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory):
    made = pages.found(tmp_path_factory.mktemp("town") / "home", town.Clock())
    yield made
    made.parts.close()


def _check(html: str, language: str) -> None:
    markup = Markup(html)
    assert markup.faults == []
    assert markup.lang == {"zh": "zh-CN", "en": "en"}[language]
    assert markup.headings[0] == 1
    assert markup.headings.count(1) == 1
    steps = [b - a for a, b in zip(markup.headings, markup.headings[1:], strict=False)]
    assert all(step <= 1 for step in steps), f"a heading is skipped: {markup.headings}"


@pytest.mark.parametrize("language", ["zh", "en"])
class TestMarkup:
    @pytest.mark.parametrize("name", pages.EVERY)
    def test_each_page(self, somewhere, name, language):
        answer = somewhere.visitor(name).get(
            somewhere.path(name), headers={"Accept-Language": language}
        )
        assert answer.status_code in {200, 404}
        _check(answer.text, language)

    @pytest.mark.parametrize("step", ["notice", "authorise", "fields", "refuse"])
    def test_each_step_of_a_residents_walk(self, somewhere, step, language):
        visitor = Visitor(somewhere.site, language=language)
        page = _fields(visitor, somewhere.path("notice"))
        sent = page.send(page.form(), step=step)
        _check(sent.html, language)
        assert Markup(sent.html).misread == []  # Chinese in an English page says what it is
        wrong = page.send(page.form(), step="send", **{"f.name": "9"})
        assert wrong.status == 422
        _check(wrong.html, language)


class TestOldBrowsers:
    """Of a cheap phone, and of programs that carry a browser of 2020 (Chromium 86) within them."""

    def test_no_page_rests_on_how_the_sheet_is_written_today(self):
        """Without them a text stands at the very edge of the screen, and one button touches the other."""
        later = r"(?:margin|padding)-(?:inline|block)\s*:|[;{ ]inset\s*:|aspect-ratio\s*:|@layer|:is\(|dvh"
        assert re.findall(later, (STATIC / "epilock.css").read_text(encoding="utf-8")) == []

    @pytest.mark.parametrize("name", ["check.js", "receipt.js", "send.js"])
    def test_what_a_script_says_of_an_old_browser_is_said_there(self, name):
        """A script that can't be read says nothing, and leaves a button that does nothing."""
        source = re.sub(r"//.*", "", (STATIC / name).read_text(encoding="utf-8"))
        later = r"\?\.[a-z(\[]|\?\?|catch \{|\.at\(|replaceAll|replaceChildren|\.\.\.\(?await|globalThis|&&=|\d_\d|\dn\b"
        assert re.findall(later, source) == []


# Of the style sheet, what is about a page as a whole, or holds what /style shows.
FRAME = frozenset(
    {
        "console", "offline", "filled", "broad", "side", "folds", "unfolds", "banners",  # the console's frame
        "own", "proofcode", "pictured",  # the check of a proof, a code as large as a page, a photograph
    }
)  # fmt: skip


class TestStyle:
    """``/style`` shows every component: whoever changes the style sheet sees there what else changes."""

    def test_each_class_of_the_style_sheet_is_on_it(self, somewhere):
        sheet = re.sub(
            r"/\*.*?\*/", "", (STATIC / "epilock.css").read_text("utf-8"), flags=re.DOTALL
        )
        classes = set(re.findall(r"\.([a-z][\w-]*)", " ".join(re.findall(r"([^{}]+)\{", sheet))))
        html = somewhere.everyone.get("/style").text
        shown = {each for found in re.findall(r'class="([^"]*)"', html) for each in found.split()}
        assert classes - shown - FRAME == set()
        assert FRAME - classes == set()


class TestReach:
    def test_no_page_asks_another_host_for_anything(self, somewhere):
        for name in pages.EVERY:
            html = somewhere.visitor(name).get(somewhere.path(name)).text
            loaded = re.findall(
                r'<(?:link|script|img|iframe|source)[^>]+(?:href|src)="([^"]+)"', html
            )
            assert all(address.startswith("/") for address in loaded)

    def test_console_pages_are_under_100_kb(self, somewhere):
        for name in pages.EVERY:
            page = somewhere.visitor(name).get(somewhere.path(name))
            assert len(page.content) < 100_000
