"""In a real browser: the whole walk without scripts, on a small phone and a desk, with keys alone."""

import re

import pytest
import town
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect
from staff_room import PASSWORD, code_at, hire
from town_server import CHROMIUM, REQUIRED, every, free_port, serving, tick

from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
SIZES = [(320, 640), (1280, 800)]
MOBILE = "13800001234"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A town whose site is served on a port of this machine."""
    port = free_port()
    parts = town.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), url=f"http://127.0.0.1:{port}"
    )
    point = town.open_point(
        parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT, town.ADDRESS
    )
    with serving(create_app(parts), port) as base:
        yield parts, base, point.point
    parts.close()


class Watch:
    """Notes what a page should never do: complain in the console, or ask another host."""

    def __init__(self, page: Page, base: str) -> None:
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._request(request, base))

    def _console(self, message: ConsoleMessage) -> None:
        expected = re.search(
            r"status of (4\d\d)", message.text
        )  # an answer that says what is wrong
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(message.text)

    def _request(self, request: Request, base: str) -> None:
        if not request.url.startswith((base, "data:")):
            self.strangers.append(request.url)


def _page(
    chromium: Browser, base: str, size: tuple[int, int], *, scripts: bool
) -> tuple[Page, Watch]:
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, locale="en-GB", java_script_enabled=scripts
    )
    page = context.new_page()
    return page, Watch(page, base)


def _walk(page: Page, address: str) -> str:
    """The whole walk with the mouse; return the receipt's code."""
    page.goto(address)
    page.get_by_role("button", name="Continue").first.click()
    page.get_by_role("button", name="Continue").click()  # nothing is ticked: it says so
    expect(page.get_by_role("alert")).to_be_visible()
    tick(page)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Name").fill("张三")
    page.get_by_label("Mobile").fill("12")
    page.get_by_label("Temperature").fill("36.5")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Name")).to_have_value("张三")
    page.get_by_role("alert").get_by_role("link").click()  # leads to the field
    page.get_by_label("Mobile").fill(MOBILE)
    page.get_by_role("button", name="Send").click()
    return page.locator("#code").inner_text()


class TestWithoutScripts:
    @pytest.mark.parametrize("size", SIZES)
    def test_the_whole_walk(self, stage, chromium, size):
        _, base, point = stage
        page, watch = _page(chromium, base, size, scripts=False)
        code = _walk(page, f"{base}/c/sunny/{point}")
        assert len(re.findall(r"[0-9A-Z]{5}", code)) == 6
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()

    def test_going_back_and_reloading_gives_the_same_receipt(self, stage, chromium):
        _, base, point = stage
        page, _ = _page(chromium, base, SIZES[0], scripts=False)
        code = _walk(page, f"{base}/c/sunny/{point}")
        page.reload()
        expect(page.locator("#code")).to_have_text(code, use_inner_text=True)
        page.context.close()

    def test_with_keys_alone(self, stage, chromium):
        _, base, point = stage
        page, watch = _page(chromium, base, SIZES[1], scripts=False)
        page.goto(f"{base}/c/sunny/{point}")
        _tab_to(page, "Continue")
        _enter(page)
        for box in every(page, REQUIRED):
            _tab_to_element(page, box.get_attribute("id"))
            page.keyboard.press("Space")
        _tab_to(page, "Continue")
        _enter(page)
        for label, value in (("Name", "张三"), ("Mobile", MOBILE), ("Temperature", "36.5")):
            _tab_to_element(page, page.get_by_label(label).get_attribute("id"))
            page.keyboard.insert_text(value)
        _enter(page)  # in a field, Enter sends the form
        expect(page.locator("#code")).to_be_visible()
        assert watch.complaints == []
        page.context.close()


class TestWithScripts:
    """Where scripts run, nothing more is needed."""

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_nothing_overflows_and_every_target_is_large(self, stage, chromium, size, scheme):
        _, base, point = stage
        page, watch = _page(chromium, base, size, scripts=True)
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{base}/c/sunny/{point}")
        for press in ("Continue", "Continue"):
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            low = page.evaluate(
                "[...document.querySelectorAll('button,.button,input,label')]"
                ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 24)"
                ".map(e => e.outerHTML)"
            )
            assert low == []  # WCAG 2.2, 2.5.8: 24 pixels at least
            page.get_by_role("button", name=press).first.click()
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()

    def test_at_twice_the_type_size_nothing_is_cut_off(self, stage, chromium):
        _, base, point = stage
        page, _ = _page(chromium, base, (640, 800), scripts=True)
        page.goto(f"{base}/c/sunny/{point}")
        page.evaluate("document.documentElement.style.setProperty('font-size', '200%')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 640
        page.context.close()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_every_text_stands_out_from_its_ground(self, stage, chromium, scheme):
        """WCAG 2.2, 1.4.3: a contrast of 4.5 for text, measured as the browser paints it."""
        _, base, point = stage
        page, _ = _page(chromium, base, SIZES[0], scripts=True)
        page.emulate_media(color_scheme=scheme)
        for path in (f"/c/sunny/{point}?k=aaaa", "/r", "/log", "/console/sign-in", "/nowhere"):
            page.goto(f"{base}{path}")
            assert page.evaluate(CONTRAST) == []
        page.context.close()


class TestConsole:
    def test_from_the_one_time_password_to_a_point_with_its_poster(self, stage, chromium):
        parts, base, _ = stage
        town.assess(parts, "sunny", "supplies")
        once = hire(parts, "sunny", "volunteer", "custodian")
        page, watch = _page(chromium, base, SIZES[1], scripts=False)
        page.goto(f"{base}/console")
        page.get_by_label("Code of your organisation").fill("sunny")
        page.get_by_label("Login").fill("volunteer")
        page.get_by_label("Password").fill(once)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Present password").fill(once)
        page.get_by_label("New password", exact=True).fill(PASSWORD)
        page.get_by_label("New password again").fill(PASSWORD)
        page.get_by_role("button", name="Change it").click()
        key = page.locator("main code").first.inner_text()
        page.get_by_label("Six-digit code").fill(code_at(key, parts.now()))
        page.get_by_role("button", name="Turn it on").click()
        page.get_by_role("link", name="Points", exact=True).click()
        page.get_by_role("link", name="Open a point").click()
        page.get_by_role("link", name="Delivery of supplies").click()
        page.get_by_label("Name in Chinese").fill("物资登记")
        page.get_by_label("Name in English").fill("Supplies desk")
        page.get_by_role("button", name="Open the point").click()
        expect(page.get_by_text("The point is open")).to_be_visible()
        with page.expect_download() as poster:
            page.get_by_role("link", name="Download the poster").click()
        assert poster.value.suggested_filename.endswith(".pdf")
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()


def _enter(page: Page) -> None:
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _tab_to(page: Page, button: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator("*:focus")
        if focused.count() and focused.inner_text().strip() == button:
            return
    raise AssertionError(f"{button} can't be reached by Tab")


def _tab_to_element(page: Page, id_: str | None) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator("*:focus").get_attribute("id") == id_:
            return
    raise AssertionError(f"{id_} can't be reached by Tab")


CONTRAST = """
() => {
  const light = c => { const v = c / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const lum = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.offsetParent || e.closest('svg, .hidden, .skip')) continue;
    const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 80)}`);
  }
  return bad;
}
"""
