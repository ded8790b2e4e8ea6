"""In a real browser: from "I need to collect something" to a poster on the wall, and the count coming in."""

import re
from io import BytesIO
from pathlib import Path

import pytest
import town
from playwright.sync_api import Browser, Locator, Page, expect
from pypdf import PdfReader
from staff_room import badge
from test_chromium import CONTRAST, SIZES, Watch
from town_server import CHROMIUM, free_port, serving

from epilock.assemble import Parts
from epilock.collect import issue, tally
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
FORM = "姓名\n手机号\n身份证号\n人脸照片"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A town whose site is served on a port of this machine, and the cookie of a volunteer there."""
    port = free_port()
    parts = town.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), url=f"http://127.0.0.1:{port}"
    )
    town.assess(parts, "sunny", "residential-entry")
    site = create_app(parts)
    cookie = badge(parts, site, "sunny", "volunteer", "collector").cookies["epilock"]
    with serving(site, port) as base:
        yield base, cookie, parts
    parts.close()


class Hand:
    """What a volunteer does: each click is counted, and each page on which something is typed."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.typed: set[str] = set()

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def type(self, where: Locator, text: str) -> None:
        self.typed.add(self.page.url)
        where.fill(text)


def open_page(
    chromium: Browser, stage: tuple, size: tuple[int, int], language: str, *, scripts: bool
) -> tuple[Page, Watch]:
    base, cookie, _ = stage
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=language, java_script_enabled=scripts
    )
    context.add_cookies([{"name": "epilock", "value": cookie, "url": base}])
    page = context.new_page()
    return page, Watch(page, base)


def link(page: Page, zh: str, en: str) -> Locator:
    return page.get_by_role("link", name=re.compile(f"^({zh}|{en})")).first


def fits(page: Page) -> None:
    """Nothing runs over the edge, and every text stands out from its ground (WCAG 2.2, 1.4.3)."""
    size = page.viewport_size
    assert size
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate(CONTRAST) == []


def with_keys(page: Page, what: Locator, *, most: int = 60) -> None:
    """Go to ``what`` by Tab alone."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if what.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"{what} can't be reached by Tab")


class TestPoster:
    @pytest.mark.parametrize(
        ("size", "language", "scripts"), [(SIZES[0], "zh-CN", False), (SIZES[1], "en-GB", True)]
    )
    def test_from_sign_in_in_six_clicks_and_one_page_of_typing(
        self, stage, chromium, size, language, scripts
    ):
        page, watch = open_page(chromium, stage, size, language, scripts=scripts)
        page.goto(f"{stage[0]}/console")  # where signing in leads
        hand = Hand(page)
        hand.click(link(page, "开一个采集点", "Open a point"))
        hand.click(link(page, "小区门口登记", "The gate of a housing compound"))
        hand.type(page.locator(f"#{language[:2]}"), "阳光花园西门")
        hand.click(page.locator("form[action*='/points/new'] button"))
        with page.expect_download() as poster:
            hand.click(link(page, "下载海报", "Download the poster"))
        (sheet,) = PdfReader(BytesIO(Path(poster.value.path()).read_bytes())).pages
        assert "阳光花园西门" in sheet.extract_text()
        assert hand.clicks <= 6
        assert len(hand.typed) == 1
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()

    def test_with_keys_alone(self, stage, chromium):
        page, watch = open_page(chromium, stage, SIZES[1], "en-GB", scripts=False)
        page.goto(f"{stage[0]}/console")
        for zh, en in (
            ("开一个采集点", "Open a point"), ("小区门口登记", "The gate"),
        ):  # fmt: skip
            with_keys(page, link(page, zh, en))
            with page.expect_navigation():
                page.keyboard.press("Enter")
        with_keys(page, page.locator("#en"))
        page.keyboard.insert_text("North Gate")
        with page.expect_navigation():
            page.keyboard.press("Enter")  # in a field, Enter sends the form
        with_keys(page, link(page, "下载海报", "Download the poster"))
        with page.expect_download() as poster:
            page.keyboard.press("Enter")
        assert poster.value.suggested_filename.endswith(".pdf")
        assert watch.complaints == []
        page.context.close()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_every_page_on_the_way_fits_a_small_phone(self, stage, chromium, scheme):
        page, _ = open_page(chromium, stage, SIZES[0], "en-GB", scripts=True)
        page.emulate_media(color_scheme=scheme)
        for path in ("/", "/check", "/console/points/new", "/console/points/new/residential-entry"):
            page.goto(f"{stage[0]}{path}")
            fits(page)
        page.context.close()


class TestCount:
    def test_it_comes_in_by_itself_and_stops_when_nobody_watches(self, stage, chromium):
        base, _, parts = stage
        page, watch = open_page(chromium, stage, SIZES[0], "en-GB", scripts=True)
        point = _open(page, base)
        page.clock.install()
        page.goto(f"{base}/console/points/{point}/count")
        _reads(page, "0")
        _answered(parts, point)
        with page.expect_navigation():
            page.clock.run_for(10_000)
        _reads(page, "1")
        expect(page).to_have_url(re.compile("#59$"))

        page.goto("about:blank")
        page.goto(f"{base}/console/points/{point}/count#0")
        page.evaluate("document.title = 'still here'")
        page.clock.run_for(60_000)
        expect(page).to_have_title("still here")
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()

    def test_without_scripts_a_link_asks_again(self, stage, chromium):
        base, _, parts = stage
        page, _ = open_page(chromium, stage, SIZES[0], "en-GB", scripts=False)
        point = _open(page, base)
        page.goto(f"{base}/console/points/{point}/count")
        _answered(parts, point)
        page.get_by_role("link", name="Refresh").click()
        _reads(page, "1")
        page.context.close()


class TestCheck:
    @pytest.mark.parametrize(
        ("size", "language", "scripts"), [(SIZES[0], "zh-CN", False), (SIZES[1], "en-GB", True)]
    )
    def test_from_the_front_page_to_a_form_that_may_be_used(
        self, stage, chromium, size, language, scripts
    ):
        """A small firm without an account: three clicks and a paste to know, one more to have a form."""
        page, watch = open_page(chromium, stage, size, language, scripts=scripts)
        page.context.clear_cookies()
        page.goto(stage[0])
        hand = Hand(page)
        hand.click(link(page, "收集之前先查一查", "Check before you collect"))
        page.locator("#circumstance").select_option("residential-entry")
        hand.type(page.locator("#questions"), FORM)
        hand.click(page.locator("form[method=post] button"))
        expect(page.locator(".tag.bad")).to_have_count(2)
        fits(page)
        with page.expect_download() as taken:
            hand.click(page.locator("form[action='/check/form.csv'] button").first)
        header = Path(taken.value.path()).read_text("utf-8-sig").strip()
        assert header == ("姓名,手机号" if language == "zh-CN" else "Name,Mobile number")
        assert hand.clicks <= 4
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()

    def test_a_file_chosen_by_keys_alone(self, stage, chromium):
        page, _ = open_page(chromium, stage, SIZES[1], "en-GB", scripts=False)
        page.goto(f"{stage[0]}/check")
        with_keys(page, page.locator("#circumstance"))
        page.keyboard.type("The gate")
        page.locator("#file").set_input_files(
            {"name": "gate.csv", "mimeType": "text/csv", "buffer": "姓名,身份证号\n".encode()}
        )
        with_keys(page, page.get_by_role("button", name="Check it"))
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.get_by_role("status").get_by_text("Not allowed: 1")).to_be_visible()
        page.context.close()


def _open(page: Page, base: str) -> str:
    """Open a point of name, mobile and temperature; return its code."""
    page.goto(f"{base}/console/points/new/residential-entry")
    page.get_by_label("Visit").uncheck()
    page.locator("#zh").fill("南门")
    page.locator("#en").fill("South Gate")
    page.get_by_role("button", name="Open the point").click()
    return page.url.rpartition("/")[2].partition("?")[0]


def _answered(parts: Parts, point: str) -> None:
    """Somebody gives what the point asks."""
    with parts.database.write() as tx:
        _, issued = issue.in_force(tx, "sunny", point)
        tally.keep(tx, {("sunny", point, issued.sha256): {"given": 1}}, now=parts.now())


def _reads(page: Page, given: str) -> None:
    expect(page.locator(".tellings dd").first).to_have_text(given)
