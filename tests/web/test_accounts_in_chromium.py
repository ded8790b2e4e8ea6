"""Accounts in a real browser: brought in by a file, reviewed, and a sign-in that its person denies."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import town
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from staff_room import PASSWORD, hire
from town_server import CHROMIUM, free_port, serving

from epilock.accounts import session, staff
from epilock.assemble import Parts
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
HEAD = "userName,active,roles,externalId\n"
HOME = re.compile(r"/console(\?|$)")


@dataclass
class Stage:
    """A town on a port of this machine, and browsers before it."""

    parts: Parts
    base: str
    chromium: Browser
    clock: town.Clock

    def page(self, login: str = "") -> Page:
        """A browser of a member of staff who has just signed in, or of nobody yet."""
        context = self.chromium.new_context(locale="en-GB", viewport={"width": 360, "height": 740})
        if login:
            with self.parts.database.write() as tx:
                who = staff.by_login(tx, "sunny", login)
                tx.update(
                    staff.staff, {"org": "sunny", "staff": who.staff}, must_change=False, totp=b"enrolled"
                )  # fmt: skip
                token = session.begin(tx, who, now=self.parts.now())
            context.add_cookies([{"name": "epilock", "value": token, "url": self.base}])
        return context.new_page()

    def roles(self) -> dict[str, list[str]]:
        with self.parts.database.read() as tx:
            return {one.login: sorted(one.roles) for one in staff.listing(tx, "sunny")}


@pytest.fixture
def stage(tmp_path: Path, chromium: Browser) -> Iterator[Stage]:
    port, clock = free_port(), town.Clock()
    parts = town.found(tmp_path / "home", clock, url=f"http://127.0.0.1:{port}")
    # No second factor is insisted on, so that somebody signs in by typing.
    with serving(create_app(parts, insist=False), port) as base:
        hire(parts, "sunny", "chief", "administrator")
        hire(parts, "sunny", "wang", "custodian")
        made = Stage(parts, base, chromium, clock)
        yield made
        for context in chromium.contexts:
            context.close()
    parts.close()


def press(page: Page, name: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def check(page: Page) -> None:
    """Nothing that axe finds, and nothing wider than the screen."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, page.url


def test_a_file_is_looked_at_then_carried_out_and_its_passwords_come_once(stage, tmp_path):
    page, file = stage.page("chief"), tmp_path / "staff.csv"
    before = stage.roles()
    file.write_text(f"{HEAD}li,true,king,7\n")
    page.goto(f"{stage.base}/console/accounts/import")
    page.set_input_files("#file", file)
    press(page, "See what it would do")
    expect(page.locator("main")).to_contain_text("The file has mistakes", use_inner_text=True)
    check(page)
    file.write_text(f"{HEAD}li,true,custodian approver,7\nwang,true,analyst,8\n")
    page.goto(f"{stage.base}/console/accounts/import")
    page.set_input_files("#file", file)
    press(page, "See what it would do")
    expect(page.locator("main")).to_contain_text(
        "New: 1. Changed: 1. Disabled: 0.", use_inner_text=True
    )
    assert stage.roles() == before
    check(page)
    page.set_input_files("#file", file)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Do exactly this", exact=True).click()
    ((login, once),) = list(csv.reader(coming.value.path().read_text().splitlines()))[1:]
    assert login == "li"
    assert stage.roles() == before | {"li": ["approver", "custodian"], "wang": ["analyst"]}
    theirs = stage.page()
    sign_in(stage, theirs, "li", once)
    expect(theirs).to_have_url(re.compile(r"/console/password(\?|$)"))


def test_accounts_are_reviewed_one_confirmed_one_changed_one_disabled(stage):
    for login in ("li", "zhao"):
        hire(stage.parts, "sunny", login, "custodian")
    stage.clock.forward(days=95)
    page = stage.page("chief")
    page.goto(f"{stage.base}/console/accounts/review")
    check(page)
    page.get_by_label("wang", exact=True).check()
    press_first(page, "Confirm those ticked")
    expect(page.locator("body")).to_contain_text("Confirmed.", use_inner_text=True)
    row(page, "li").get_by_text("Change roles").click()
    check(page)
    row(page, "li").get_by_label("analyst").check()
    with page.expect_navigation():
        row(page, "li").get_by_role("button", name="Save", exact=True).click()
    row(page, "zhao").get_by_text("Change roles").click()
    with page.expect_navigation():
        row(page, "zhao").get_by_role("button", name="Disable", exact=True).click()
    found = stage.roles()
    assert found["li"] == ["analyst", "custodian"]
    assert "zhao" not in found
    expect(row(page, "wang").locator(".tag", has_text="due")).to_have_count(0)
    expect(row(page, "chief").get_by_role("checkbox")).to_have_count(0)
    check(page)


@pytest.mark.parametrize("mine", [True, False])
def test_a_sign_in_is_said_to_be_ones_own_or_denied(stage, mine):
    once = hire(stage.parts, "sunny", "li", "custodian")
    first = stage.page()
    sign_in(stage, first, "li", once)
    for name, value in (("old", once), ("new", PASSWORD), ("again", PASSWORD)):
        first.locator(f"#{name}").fill(value)
    press(first, "Change it")
    second = stage.page()
    sign_in(stage, second, "li", PASSWORD)
    expect(second).to_have_url(HOME)
    first.goto(f"{stage.base}/console")
    check(first)
    press(first, "It was me" if mine else "It wasn't me")
    check(first)
    for page in (first, second):
        page.goto(f"{stage.base}/console")
        let_in(page, mine)
    again = stage.page()
    sign_in(stage, again, "li", PASSWORD)
    let_in(again, mine)
    chief = stage.page("chief")
    chief.goto(f"{stage.base}/console/accounts/arrivals")
    expect(chief.locator("table", has_text="denied")).to_have_count(0 if mine else 1)
    check(chief)


def let_in(page: Page, welcome: bool) -> None:
    there = expect(page)
    (there.to_have_url if welcome else there.not_to_have_url)(HOME)


def sign_in(stage: Stage, page: Page, login: str, password: str) -> None:
    page.goto(f"{stage.base}/console/sign-in")
    for name, value in (("org", "sunny"), ("login", login), ("password", password)):
        page.locator(f"#{name}").fill(value)
    press(page, "Sign in")


def press_first(page: Page, name: str) -> None:
    """Press the first of two buttons that do the same, above and below a list."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).first.click()


def row(page: Page, login: str) -> Locator:
    """The line of an account in the review."""
    first = page.locator("td:first-child").get_by_text(re.compile(rf"^{login}\b"))
    return page.locator("tbody tr").filter(has=first)
