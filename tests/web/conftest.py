"""A town and its site, and visitors in either language."""

from collections.abc import Iterator

import pytest
import town
from playwright.sync_api import Browser, expect, sync_playwright
from town_server import ARGUMENTS, CHROMIUM
from visitor import Visitor

from epilock.web.app import create_app

expect.set_options(timeout=30_000)  # as long as a page is waited for: machines that test are busy


@pytest.fixture
def clock():
    return town.Clock()


@pytest.fixture
def parts(tmp_path, clock):
    made = town.found(tmp_path / "home", clock)
    yield made
    made.close()


@pytest.fixture
def site(parts):
    return create_app(parts)


@pytest.fixture
def visitor(site):
    return Visitor(site)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a module; each opens contexts of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
