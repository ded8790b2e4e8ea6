"""The officer's day in a real browser: with keys alone, back and forth, and nothing left behind on a shared computer."""

import re
from hashlib import sha256

import pytest
import town
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from test_resident import TYPED, _fields
from town_server import CHROMIUM, every, free_port, serving
from visitor import Visitor

from epilock.accounts import session, staff
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
MASKED = "张**"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A town with one record, served on a port of this machine."""
    port = free_port()
    parts = town.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), url=f"http://127.0.0.1:{port}"
    )
    town.mandate(parts, "sunny", "residential-entry")
    point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)
    site = create_app(parts)
    page = _fields(Visitor(site), f"/c/sunny/{point.point}")
    assert page.send(page.form(), step="send", **TYPED).status == 200
    with serving(site, port) as base:
        yield parts, base
    parts.close()


def _desk(stage, chromium: Browser, org: str, login: str, *roles: str, scripts: bool) -> Page:
    """A browser in which someone is signed in, at the first page of the console."""
    parts, base = stage
    with parts.database.write() as tx:
        who, _ = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, login=login, roles=roles,
            now=parts.now(),
        )  # fmt: skip
        key = {"org": org, "staff": who.staff}
        tx.update(staff.staff, key, must_change=False, totp=b"enrolled")
        token = session.begin(tx, who, now=parts.now())
    context = chromium.new_context(locale="en-GB", java_script_enabled=scripts)
    context.add_cookies([{"name": "epilock", "value": token, "url": base}])
    page = context.new_page()
    page.goto(f"{base}/console")
    return page


def _reach(page: Page, wanted: Locator) -> None:
    """Press Tab until ``wanted`` has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if wanted.first.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"{wanted} can't be reached by Tab")


def _press(page: Page, role: str, name: str) -> None:
    """Reach a link or button by its name and press it."""
    _reach(page, page.get_by_role(role, name=name, exact=True))
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("scripts", [False, True])
def test_from_a_request_to_an_opening_and_out_with_keys_alone(stage, chromium, scripts):
    who = "with" if scripts else "without"
    officer = _desk(stage, chromium, "sunny", f"officer.{who}", "custodian", scripts=scripts)
    approver = _desk(stage, chromium, "jinan", f"approver.{who}", "approver", scripts=scripts)
    _press(officer, "link", "Grants")
    _reach(officer, officer.locator("select#purpose"))
    officer.keyboard.type("Management")
    _reach(officer, officer.get_by_label("Residential entry"))
    officer.keyboard.press("Space")
    _reach(officer, officer.locator("#subjects"))
    officer.keyboard.type("5")
    _reach(officer, officer.locator("#reason"))
    officer.keyboard.type("gate duty")
    _press(officer, "button", "Ask for a grant")
    expect(officer.get_by_text("another person must approve")).to_be_visible()

    approver.reload()
    _press(approver, "link", "requests for a grant, to be decided")
    expect(approver.get_by_text("gate duty")).to_be_visible()
    _press(approver, "button", "Approve")
    expect(approver.get_by_text("Approved.")).to_be_visible()

    _press(officer, "link", "Records")
    _press(officer, "link", "Residential entry")
    _reach(officer, officer.get_by_label("Record 0"))
    officer.keyboard.press("Space")
    _press(officer, "button", "Open")
    expect(officer.get_by_text(MASKED)).to_be_visible()

    officer.go_back()
    expect(officer.get_by_label("Record 0")).to_be_visible()
    officer.go_forward()
    expect(officer.get_by_text(MASKED)).to_be_visible()

    _press(officer, "button", "Sign out")
    officer.go_back()
    expect(officer.get_by_text(MASKED)).to_have_count(0)
    expect(officer.get_by_role("heading", name="Staff sign-in")).to_be_visible()
    officer.context.close()
    approver.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_the_day_is_wider_than_a_phone(stage, chromium, scheme):
    base = stage[1]
    page = _desk(
        stage, chromium, "sunny", f"phone.{scheme}", "custodian", "approver", "supervisor", scripts=True
    )  # fmt: skip
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 640})
    for path in (
        "", "/points", "/points/new/quarantine", "/records", "/records/sunny/1", "/grants", "/approvals", "/requests", "/seen",
        "/seen/extract", "/destruction", "/destruction/holds", "/oversight?org=sunny", "/log",
        "/levels/jinan/outbreak-7?level=N", "/settings",
    ):  # fmt: skip
        page.goto(f"{base}/console{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    page.context.close()


def test_on_a_phone_a_list_is_sorted_by_its_headings(stage, chromium):
    page = _desk(stage, chromium, "sunny", "sorter", "custodian", scripts=False)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{stage[1]}/console/destruction")
    page.get_by_role("link", name="Day", exact=True).click()
    expect(page).to_have_url(re.compile("order=day"))
    marked = page.locator("[aria-sort] a").evaluate("e => getComputedStyle(e, '::after').content")
    assert "\u2191" in marked
    page.goto(f"{stage[1]}/console/log")
    page.get_by_role("link", name="Proof", exact=True).click()
    expect(page).to_have_url(re.compile("order=index"))
    page.context.close()


def test_an_entry_is_verified_in_the_browser_by_one_click(stage, chromium):
    page = _desk(stage, chromium, "sunny", "reader", "custodian", scripts=True)
    page.get_by_role("link", name="Public log", exact=True).first.click()
    page.get_by_role("link", name="Entry 3", exact=True).click()
    page.get_by_text("Everything holds.").wait_for(state="visible")
    page.context.close()


@pytest.mark.parametrize("scripts", [False, True])
def test_a_page_of_paper_is_keyed_in_with_its_photograph(stage, chromium, tmp_path, scripts):
    point = town.open_paper_point(stage[0])
    login = "scribe.with" if scripts else "scribe.without"
    page = _desk(stage, chromium, "sunny", login, "collector", scripts=scripts)
    photo = tmp_path / "page.jpg"
    Image.new("RGB", (300, 400), "white").save(photo)
    page.goto(f"{stage[1]}/console/sheets/{point.point}")
    for name, value in (("book", "B-1"), ("page", "1"), ("pages", "9"), ("place", "cabinet")):
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=photo]").set_input_files(photo)
    for act in every(page, "[name=act]:not([value=guardian])"):
        act.check()
    page.locator("[name='r1.name']").fill("欧阳测试")
    if scripts:
        page.keyboard.press("Enter")  # to the same cell of the next row
        page.keyboard.type("诸葛样本")
        expect(page.locator("[name='r2.name']")).to_have_value("诸葛样本")
        page.locator("[name='r2.mobile']").fill("12")
        page.keyboard.press("Tab")
        expect(page.locator("td.wrong .error")).to_have_count(1)
        page.locator("[name='r2.mobile']").fill("13912345679")
    page.locator("[name='r1.mobile']").fill("13912345678")
    page.get_by_role("button", name="Seal and register").click()
    expect(page.get_by_text("registered").first).to_be_visible()
    page.get_by_role("link", name="B-1").first.click()
    expect(page.get_by_text(sha256(photo.read_bytes()).hexdigest())).to_be_visible()
    expect(page.get_by_text("It rests sealed")).to_be_visible()
    page.context.close()


@pytest.mark.parametrize("scripts", [False, True])
def test_on_a_phone_the_parts_and_the_filters_are_folded_away(stage, chromium, scripts):
    who = "with" if scripts else "without"
    page = _desk(stage, chromium, "sunny", f"phone.{who}", "custodian", scripts=scripts)
    page.set_viewport_size({"width": 360, "height": 640})
    parts = page.get_by_role("navigation", name="Parts of the console")
    menu = page.get_by_role("button", name="Parts of the console")
    expect(parts).to_be_hidden()
    assert page.get_by_role("heading", level=1).bounding_box()["y"] < 320  # above the half

    menu.click()
    expect(parts).to_be_visible()
    page.keyboard.press("Escape")
    expect(parts).to_be_hidden()
    _reach(page, menu)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Close").click()
    expect(parts).to_be_hidden()
    menu.click()
    _press(page, "link", "Records")
    expect(page.get_by_role("heading", name="Records", exact=True)).to_be_visible()

    kinds = page.get_by_label("Circumstance")
    expect(kinds).to_be_hidden()
    page.get_by_role("button", name="Filters", exact=True).click()
    kinds.select_option("school")
    with page.expect_navigation():
        page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_text("Nothing fits the filter.")).to_be_visible()
    page.get_by_role("button", name="Filters (1)", exact=True).click()
    with page.expect_navigation():
        page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("link", name="Residential entry")).to_be_visible()
    page.context.close()


def test_what_was_unfolded_is_in_nobody_s_way_on_a_page_that_grows_or_is_printed(stage, chromium):
    page = _desk(stage, chromium, "sunny", "grows", "custodian", scripts=False)
    page.set_viewport_size({"width": 800, "height": 600})
    menu = page.get_by_role("button", name="Parts of the console")
    menu.click()
    page.set_viewport_size({"width": 1280, "height": 800})
    main = page.get_by_role("heading", level=1)
    assert main.bounding_box()["width"] > 800
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("navigation", name="Parts of the console")).to_be_visible()
    assert main.bounding_box()["width"] > 800
    page.set_viewport_size({"width": 794, "height": 1000})
    expect(menu).to_be_visible()
    page.emulate_media(media="print")
    expect(menu).to_be_hidden()
    page.context.close()


def test_on_a_wide_page_nothing_is_folded(stage, chromium):
    page = _desk(stage, chromium, "sunny", "wide", "custodian", scripts=False)
    page.set_viewport_size({"width": 1280, "height": 800})
    parts = page.get_by_role("navigation", name="Parts of the console")
    assert parts.bounding_box()["x"] < page.get_by_role("heading", level=1).bounding_box()["x"]
    page.get_by_role("link", name="Records", exact=True).click()
    expect(page.get_by_label("Circumstance")).to_be_visible()
    for name in ("Parts of the console", "Filters", "Close"):
        assert page.get_by_role("button", name=name, exact=True).count() == 0
    page.context.close()
