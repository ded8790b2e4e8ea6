"""Pages that no address alone leads to: what a form answers. Each by the presses that lead there."""

from collections.abc import Callable, Mapping

import pages
from playwright.sync_api import Page
from test_resident import TYPED

Way = Callable[[Page, pages.Somewhere, str], None]


def _press(page: Page, button: str) -> None:
    """Press the first such button and wait for another page; a change of this one's address is none."""
    with page.expect_event("load"):
        page.locator(button).first.click()


def _my_data(page: Page, code: str, base: str) -> None:
    page.goto(f"{base}/r")
    page.locator("[name=code]").fill(code)
    _press(page, "#main form button")


def _on_from_my_data(action: str) -> Way:
    def go(page: Page, somewhere: pages.Somewhere, base: str) -> None:
        _my_data(page, somewhere.code, base)
        _press(page, f"form[action^='{action}'] button")

    return go


def _complaint(page: Page, somewhere: pages.Somewhere, base: str) -> None:
    _my_data(page, somewhere.code, base)
    _press(page, "form:has([name=kind][value=complaint]) button")


def _judged(page: Page, _: pages.Somewhere, base: str) -> None:
    page.goto(f"{base}/check")
    page.locator("#circumstance").select_option("residential-entry")
    page.locator("#questions").fill("姓名\n手机号\n人脸照片\n来访事由")
    _press(page, "form[enctype] button")


def _found(page: Page, _: pages.Somewhere, base: str) -> None:
    page.goto(f"{base}/console/records")
    page.locator("[name=category]").select_option("contact.mobile")
    page.locator("[name=value]").fill(TYPED["f.mobile"])
    _press(page, "form:has([name=value]) button")


def _opened(page: Page, _: pages.Somewhere, base: str) -> None:
    page.goto(f"{base}/console/records/sunny/1")
    page.locator("[name=place]").first.check()
    _press(page, "form[action*='/open/'] .buttons button")


REACHED: Mapping[str, Way] = {
    "my-data": lambda page, somewhere, base: _my_data(page, somewhere.code, base),
    "my-data-gone": lambda page, somewhere, base: _my_data(page, somewhere.gone, base),
    "my-data-given": _on_from_my_data("/r/data"),
    "my-data-correct": _on_from_my_data("/r/correct"),
    "my-data-withdraw": _on_from_my_data("/r/withdraw"),
    "my-data-complain": _complaint,
    "my-data-code": _on_from_my_data("/r/code"),
    "form-judged": _judged,
    "found": _found,
    "opened": _opened,
}
