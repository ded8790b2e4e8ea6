"""On no page axe-core finds a fault, in the light or in the dark.

Its rules are those of the Web Content Accessibility Guidelines (WCAG 2.2, A and AA) and of good practice.
"""

import pages
import pytest
import town
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from test_resident import TYPED
from town_server import CHROMIUM, free_port, serving

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
IN_THE_DARK = {"runOnly": ["color-contrast"]}  # what else there is, is the same in both themes


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory, chromium):
    """The town, its site on a port, and a browser for each of its visitors."""
    port = free_port()
    made = pages.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), f"http://127.0.0.1:{port}"
    )
    with serving(made.site, port) as base:
        contexts = {}
        for visitor in (made.everyone, made.admin):
            context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
            context.add_cookies(
                [{"name": c.name, "value": c.value or "", "url": base} for c in visitor.cookies.jar]
            )
            contexts[id(visitor)] = context
        yield made, base, contexts
        for context in contexts.values():
            context.close()
    made.parts.close()


@pytest.mark.parametrize("name", pages.EVERY)
def test_each_page(somewhere, name):
    made, base, contexts = somewhere
    page = contexts[id(made.visitor(name))].new_page()
    answer = page.goto(base + made.path(name))
    assert answer is not None
    assert page.url.endswith(made.path(name))
    _check(page)
    page.close()


def test_each_step_of_a_residents_walk(somewhere):
    made, base, contexts = somewhere
    page = contexts[id(made.everyone)].new_page()
    page.goto(base + made.path("notice"))
    page.locator("form button").first.click()
    _check(page)
    page.locator("form button").first.click()  # nothing was ticked
    _check(page)
    for box in page.locator("input[type=checkbox][required]").all():
        box.check()
    page.locator("form button").first.click()
    _check(page)
    for name, value in TYPED.items():
        page.locator(f"[name='{name}']").fill(value)
    page.locator("form button[name=step][value=send]").click()
    page.locator("#code").wait_for()
    _check(page)
    page.close()


def test_it_would_find_a_fault(somewhere):
    made, base, contexts = somewhere
    page = contexts[id(made.everyone)].new_page()
    page.goto(base + "/")
    page.evaluate("document.querySelector('main').innerHTML += '<input><img src=x>'")
    assert Axe().run(page).violations_count == 2
    page.close()


def _check(page: Page) -> None:
    for scheme, options in (("light", None), ("dark", IN_THE_DARK)):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, found.generate_report()
