"""The console on a narrow page, in large type, in forced colours and on paper."""

import re

import pages
import pytest
import town
from playwright.sync_api import expect
from town_server import CHROMIUM, free_port, serving

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
PANELS = {
    "home": "Parts of the console", "points": "Filters", "records": "Filters", "destruction": "Filters",
    "seen": "Filters", "console-log": "Filters",
}  # fmt: skip
# Whether an element is at the middle of what the window shows of it.
SEEN = """e => {
  const box = e.getClientRects()[0], top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight)
  const at = document.elementFromPoint(box.left + box.width / 2, (top + bottom) / 2)
  return box.left >= 0 && box.right <= innerWidth && top < bottom && e.contains(at)
}"""
# Of each text of an element what is drawn, and the cell that it stands in.
DRAWN = """e => [...e.querySelectorAll('td, th')].map(cell => {
  const range = document.createRange()
  range.selectNodeContents(cell)
  const box = cell.getBoundingClientRect()
  return [box.left, Math.min(...[...range.getClientRects()].map(r => r.left)),
          Math.max(...[...range.getClientRects()].map(r => r.right)), box.right, cell.innerText]
})"""


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory):
    port = free_port()
    made = pages.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), f"http://127.0.0.1:{port}"
    )
    with serving(made.site, port) as base:
        yield made, base
    made.parts.close()


@pytest.fixture
def look(somewhere, chromium):
    """Opens a page of the console, without scripts, on a screen of some width."""
    made, base = somewhere
    opened = []

    def at(name, width=360, **more):
        context = chromium.new_context(
            viewport={"width": width, "height": 640}, locale="en-GB", java_script_enabled=False,
            reduced_motion="reduce", **more,
        )  # fmt: skip
        opened.append(context)
        context.add_cookies(
            [{"name": "epilock", "value": made.visitor(name).cookies["epilock"], "url": base}]
        )
        page = context.new_page()
        page.goto(base + made.path(name))
        return page

    yield at
    for context in opened:
        context.close()


def _walk(page):
    """Press Tab until it comes round; return what had the focus, by its name. A day has several places in it."""
    came, first, last = [], None, None
    for _ in range(120):
        page.keyboard.press("Tab")
        focused = page.evaluate_handle("document.activeElement")
        if focused.evaluate("(e, last) => e === last || e === document.body", last):
            continue  # the page itself has it while the browser's own bar has the focus
        if focused.evaluate("(e, first) => e === first", first):
            return came
        first, last = first or focused, focused
        came.append(focused.evaluate("e => e.id || e.textContent.trim()"))
        assert focused.evaluate(SEEN), came
    raise AssertionError(f"Tab never comes round: {came}")


@pytest.mark.parametrize(("name", "panel"), PANELS.items())
def test_what_has_the_focus_is_seen_while_a_panel_is_open(look, name, panel):
    """What it covers can't be pressed unseen (WCAG 2.4.11)."""
    page = look(name)
    page.get_by_role("button", name=re.compile(panel)).press("Enter")
    expect(page.locator(":popover-open *:focus")).to_have_text("Close", use_inner_text=True)
    inside = _walk(page)
    assert "Close" in inside
    assert "Sign out" not in inside
    page.set_viewport_size(
        {"width": 1280, "height": 640}
    )  # it covers nothing of a page that has grown
    assert {"Sign out", "Close"} <= set(_walk(page))
    page.keyboard.press("Escape")
    assert "Sign out" in _walk(page)


@pytest.mark.parametrize(("name", "panel"), PANELS.items())
def test_a_panel_that_was_closed_gives_the_focus_back(look, name, panel):
    page = look(name)
    button = page.get_by_role("button", name=re.compile(panel))
    for close in ("Escape", "Enter"):  # Enter is of its own button, which has the focus
        button.press("Enter")
        page.keyboard.press(close)
        expect(button).to_be_focused()
        expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_touch_beside_a_panel_closes_it_and_presses_nothing(look):
    page = look("points", has_touch=True)
    below = page.get_by_role("link", name="Open a point").bounding_box()
    page.get_by_role("button", name="Parts of the console").tap()
    page.touchscreen.tap(below["x"] + below["width"] - 8, below["y"] + 8)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_timeout(300)
    expect(page.locator(":popover-open")).to_have_count(0)
    expect(page).to_have_url(re.compile("/points$"))


@pytest.mark.parametrize("name", ["records", "console-log"])
def test_a_day_is_read_whole_in_large_type(look, name):
    page = look(name)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.get_by_role("button", name="Filters").press("Enter")
    for day in page.locator("#filters input[type=date]").all():
        width = day.bounding_box()["width"]
        assert width >= day.evaluate(
            "e => (e.style.width = e.style.maxWidth = 'max-content', e.getBoundingClientRect().width)"
        )
    panel = page.locator("#filters")
    assert panel.evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", ["100%", "200%"])
def test_no_day_of_the_calendar_runs_into_the_next(look, language, size):
    page = look("destruction", 320)
    page.goto(f"{page.url}?lang={language}")
    page.evaluate(f"document.documentElement.style.fontSize = '{size}'")
    for left, first, last, right, said in page.locator(".month").evaluate(DRAWN):
        assert left <= first < last <= right, said


def test_in_forced_colours_only_the_page_that_is_open_has_a_bar(look):
    page = look("records", 1280, forced_colors="active")
    bars = page.locator("#menu a").evaluate_all(
        "all => all.filter(a => parseFloat(getComputedStyle(a).borderLeftWidth) > 0).map(a => a.textContent)"
    )
    assert bars == ["Records"]


@pytest.mark.parametrize("name", ["seen-extract", "destruction-run", "point"])
def test_of_the_console_nothing_is_printed_but_the_page_itself(look, name):
    page = look(name)
    page.get_by_role("button", name="Parts of the console").press("Enter")
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for part in (".banners", "#menu", ".foot", ".bar nav", ".back"):
        assert not any(p.is_visible() for p in page.locator(part).all()), part


def test_on_a_phone_no_list_is_read_sideways(look):
    for name in (
        "bucket",
        "destruction-bucket",
        "level",
        "grants",
        "sheet",
        "seen-extract",
        "accounts",
        "attest",
    ):
        lists = look(name, 320).locator(".scroll")
        assert lists.evaluate_all("all => all.every(e => e.scrollWidth <= e.clientWidth)"), name
