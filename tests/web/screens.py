"""``make screens``: a picture of every page, on a phone and on a desk, in the light and in the dark.

    python tests/web/screens.py FOLDER [NAME ...]
    python tests/web/screens.py --docs FOLDER    those that the documentation shows, nothing else

The town is the one of the tests and its clock stands still, so that two runs differ only where a page does.
"""

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pages
import town
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from reached import REACHED
from test_resident import TYPED
from town_server import ARGUMENTS, CHROMIUM, free_port, serving, tick
from visitor import Visitor

SIZES = {"360": (360, 740), "1280": (1280, 800)}
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
SHOWN = {
    "360": ("notice", "walk"),
    "1280": ("log", "point-new", "point-fields", "point", "received", "level-preview"),
}


def shoot(folder: Path, names: list[str]) -> int:
    """Write the pictures of pages ``names`` (all, if none) to ``folder``; return how many."""
    wanted = [name for name in (*pages.EVERY, *REACHED, "walk") if not names or name in names]
    return _shoot(folder, product(SIZES, LANGUAGES, wanted), ("light", "dark"))


def shoot_for_docs(folder: Path) -> int:
    """Write the pictures that the documentation shows, as ``shoot``."""
    wanted = [(size, "en", name) for size, names in SHOWN.items() for name in names]
    return _shoot(folder, wanted, ("light",))


def _shoot(folder: Path, wanted: Iterable[tuple[str, str, str]], schemes: tuple[str, ...]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    port, made = free_port(), 0
    with tempfile.TemporaryDirectory() as home:
        somewhere = pages.found(Path(home) / "home", town.Clock(), f"http://127.0.0.1:{port}")
        with serving(somewhere.site, port) as base, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            camera = Camera(folder, schemes, whole=len(schemes) > 1)
            for size, language, name in wanted:
                made += _page(browser, somewhere, base, camera, name, size, language)
            browser.close()
        somewhere.parts.close()
    return made


@dataclass(frozen=True, slots=True)
class Camera:
    """Takes pictures into ``folder``, one of each of ``schemes``; ``whole`` pages, or what stands above the fold."""

    folder: Path
    schemes: tuple[str, ...]
    whole: bool

    def take(self, page: Page, name: str) -> int:
        """Take the pictures of ``page``; return how many."""
        for scheme in self.schemes:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # light or dark
            ending = f"-{scheme}" if len(self.schemes) > 1 else ""
            page.screenshot(path=self.folder / f"{name}{ending}.png", full_page=self.whole)
        return len(self.schemes)


def _page(  # noqa: PLR0917 - where, what and how
    browser: Browser,
    somewhere: pages.Somewhere,
    base: str,
    camera: Camera,
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
        made = _walk(page, base + somewhere.path("notice"), camera, f"{size}-{language}")
    else:
        _sign_in(context, somewhere.visitor(name), base)
        if name in REACHED:
            REACHED[name](page, somewhere, base)
        else:
            page.goto(base + somewhere.path(name))
        page.locator("main").wait_for()
        made = camera.take(page, f"{name}-{size}-{language}")
    context.close()
    return made


def _sign_in(context: BrowserContext, visitor: Visitor, base: str) -> None:
    context.add_cookies(
        [{"name": c.name, "value": c.value or "", "url": base} for c in visitor.cookies.jar]
    )


def _walk(page: Page, address: str, camera: Camera, ending: str) -> int:
    """A resident's walk, to the receipt."""
    page.goto(address)
    _press(page, "form button")
    made = camera.take(page, f"walk-1-authorise-{ending}")
    tick(page)
    _press(page, "form button")
    made += camera.take(page, f"walk-2-fields-{ending}")
    if camera.whole:
        _press(page, "form button[name=step][value=send]")
        made += camera.take(page, f"walk-3-wrong-{ending}")
    for field, value in TYPED.items():
        page.locator(f"[name='{field}']").fill(value)
    _press(page, "form button[name=step][value=send]")
    page.locator("#code").wait_for()
    return made + camera.take(page, f"walk-4-receipt-{ending}")


def _press(page: Page, button: str) -> None:
    """Press the first such button, and wait for the page that it leads to: none is taken while it is left."""
    with page.expect_navigation():
        page.locator(button).first.click()


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    many = shoot_for_docs(Path(rest[0])) if what == "--docs" else shoot(Path(what), rest)
    sys.stdout.write(f"{many} pictures\n")
