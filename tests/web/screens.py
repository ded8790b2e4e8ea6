"""``make screens``: a picture of every page, on a phone and on a desk, in the light and in the dark.

    python tests/web/screens.py FOLDER [NAME ...]

The town is the one of the tests and its clock stands still, so that two runs differ only where a page does.
"""

import sys
import tempfile
from itertools import product
from pathlib import Path

import pages
import town
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from test_resident import TYPED
from town_server import ARGUMENTS, CHROMIUM, free_port, serving
from visitor import Visitor

SIZES = {"360": (360, 740), "1280": (1280, 800)}
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}


def shoot(folder: Path, names: list[str]) -> int:
    """Write the pictures of pages ``names`` (all, if none) to ``folder``; return how many."""
    wanted = [name for name in (*pages.EVERY, "walk") if not names or name in names]
    folder.mkdir(parents=True, exist_ok=True)
    port, made = free_port(), 0
    with tempfile.TemporaryDirectory() as home:
        somewhere = pages.found(Path(home) / "home", town.Clock(), f"http://127.0.0.1:{port}")
        with serving(somewhere.site, port) as base, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for size, language, name in product(SIZES, LANGUAGES, wanted):
                made += _page(browser, somewhere, base, folder, name, size, language)
            browser.close()
        somewhere.parts.close()
    return made


def _page(  # noqa: PLR0917 - where, what and how
    browser: Browser,
    somewhere: pages.Somewhere,
    base: str,
    folder: Path,
    name: str,
    size: str,
    language: str,
) -> int:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=LANGUAGES[language]
    )
    page = context.new_page()
    if name == "walk":
        made = _walk(page, base + somewhere.path("notice"), folder, f"{size}-{language}")
    else:
        _sign_in(context, somewhere.visitor(name), base)
        page.goto(base + somewhere.path(name))
        made = _both(page, folder, f"{name}-{size}-{language}")
    context.close()
    return made


def _sign_in(context: BrowserContext, visitor: Visitor, base: str) -> None:
    context.add_cookies(
        [{"name": c.name, "value": c.value or "", "url": base} for c in visitor.cookies.jar]
    )


def _walk(page: Page, address: str, folder: Path, ending: str) -> int:
    """A resident's walk, to the receipt."""
    page.goto(address)
    page.locator("form button").first.click()
    made = _both(page, folder, f"walk-1-authorise-{ending}")
    for box in page.locator("input[type=checkbox][required]").all():
        box.check()
    page.locator("form button").first.click()
    made += _both(page, folder, f"walk-2-fields-{ending}")
    page.locator("form button[name=step][value=send]").click()
    made += _both(page, folder, f"walk-3-wrong-{ending}")
    for field, value in TYPED.items():
        page.locator(f"[name='{field}']").fill(value)
    page.locator("form button[name=step][value=send]").click()
    page.locator("#code").wait_for()
    return made + _both(page, folder, f"walk-4-receipt-{ending}")


def _both(page: Page, folder: Path, name: str) -> int:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
    return 2


if __name__ == "__main__":
    sys.stdout.write(f"{shoot(Path(sys.argv[1]), sys.argv[2:])} pictures in {sys.argv[1]}\n")
