"""On no page axe-core finds a fault, in the light or in the dark.

Its rules are those of the Web Content Accessibility Guidelines (WCAG 2.2, A and AA) and of good practice.
"""

import pages
import pytest
import town
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from reached import REACHED
from staff_room import renew
from test_resident import TYPED
from town_server import CHROMIUM, free_port, serving, tick
from visitor import Visitor

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
FAULTS = {"resultTypes": ["violations"]}  # of what passes only a beginning is told
IN_THE_DARK = {
    **FAULTS,
    "runOnly": ["color-contrast"],
}  # what else there is, is the same in both themes


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory, chromium):
    """The town, its site on a port, and a browser for each of its visitors, with one page: opening another costs more than a visit."""
    port = free_port()
    made = pages.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), f"http://127.0.0.1:{port}"
    )
    with serving(made.site, port) as base:
        opened = {}
        for visitor in (made.everyone, made.admin):
            context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
            context.add_cookies(
                [{"name": c.name, "value": c.value or "", "url": base} for c in visitor.cookies.jar]
            )
            opened[id(visitor)] = context.new_page()
        yield made, base, opened
        for page in opened.values():
            page.context.close()
    made.parts.close()


@pytest.mark.parametrize("name", pages.EVERY)
def test_each_page(somewhere, name):
    made, base, opened = somewhere
    page = opened[id(made.visitor(name))]
    answer = page.goto(base + made.path(name))
    assert answer is not None
    assert page.url.endswith(made.path(name))
    _check(page)


@pytest.mark.parametrize("name", REACHED)
def test_each_page_that_a_form_leads_to(somewhere, name):
    made, base, opened = somewhere
    page = opened[id(made.everyone)]
    REACHED[name](page, made, base)
    _check(page)


def test_each_step_of_a_residents_walk(somewhere):
    made, base, opened = somewhere
    page = opened[id(made.everyone)]
    page.goto(base + made.path("notice"))
    page.locator("form button").first.click()
    _check(page)
    page.locator("form button").first.click()  # nothing was ticked
    _check(page)
    tick(page)
    page.locator("form button").first.click()
    _check(page)
    for name, value in TYPED.items():
        page.locator(f"[name='{name}']").fill(value)
    page.locator("form button[name=step][value=send]").click()
    page.locator("#code").wait_for()
    _check(page)


def test_what_is_carried_past_the_end_of_a_session(somewhere):
    made, base, opened = somewhere
    page = opened[id(made.everyone)]
    own = page.context.cookies()
    newer = Visitor(made.site)
    renew(made.parts, newer, "sunny", "all")
    cookie = {"name": "epilock", "value": newer.cookies["epilock"], "url": base}
    for said, cookies in (("还没有提交", [cookie]), ("工作人员登录", [])):
        page.context.clear_cookies()
        page.context.add_cookies(own)
        page.goto(base + made.path("grants"))
        page.locator("[name=reason]").fill("a made-up reason")
        page.evaluate("document.querySelector('[name=reason]').form.noValidate = true")
        page.context.clear_cookies()
        page.context.add_cookies(cookies)
        page.locator("form:has([name=reason]) button").click()
        page.get_by_role("heading", name=said).wait_for()
        _check(page)
    page.context.add_cookies(own)


def test_it_would_find_a_fault(somewhere):
    made, base, opened = somewhere
    page = opened[id(made.everyone)]
    page.goto(base + "/")
    page.evaluate("document.querySelector('main').innerHTML += '<input><img src=x>'")
    assert Axe().run(page).violations_count == 2


def _check(page: Page) -> None:
    page.locator("main").wait_for()  # what a device keeps is shown once it is filled
    for scheme, options in (("light", FAULTS), ("dark", IN_THE_DARK)):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, found.generate_report()
