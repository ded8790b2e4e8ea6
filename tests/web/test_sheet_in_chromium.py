"""A page of paper is keyed in with a browser, with scripts and without: no row is lost, and none is left out."""

import pytest
import town
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from test_officer_in_chromium import _desk, _reach
from town_server import CHROMIUM, every, free_port, serving

from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A town, served on a port of this machine."""
    port = free_port()
    parts = town.found(
        tmp_path_factory.mktemp("town") / "home", town.Clock(), url=f"http://127.0.0.1:{port}"
    )
    with serving(create_app(parts), port) as base:
        yield parts, base
    parts.close()


def _sheet(stage, chromium: Browser, login: str, *, scripts: bool) -> Page:
    """The form of a page of paper, filled in but for its rows."""
    point = town.open_paper_point(stage[0])
    page = _desk(stage, chromium, "sunny", login, "collector", scripts=scripts)
    page.goto(f"{stage[1]}/console/sheets/{point.point}")
    for name, value in (("book", "C-1"), ("page", "1"), ("pages", "9"), ("place", "cabinet")):
        page.locator(f"[name={name}]").fill(value)
    for act in every(page, "[name=act]:not([value=guardian])"):
        act.check()
    return page


def _type_rows(page: Page, rows: range) -> None:
    for n in rows:
        page.locator(f"[name='r{n}.name']").fill("欧阳测试")
        page.locator(f"[name='r{n}.mobile']").fill(f"139{n:08}")


@pytest.mark.parametrize("scripts", [False, True])
def test_a_photograph_that_is_too_large_loses_no_row(stage, chromium, tmp_path, scripts):
    """With scripts it is not even sent; without, its page says so."""
    page = _sheet(stage, chromium, f"large.{scripts}".lower(), scripts=scripts)
    _type_rows(page, range(1, 4))
    large, photo = tmp_path / "large.jpg", tmp_path / "page.jpg"
    large.write_bytes(bytes(15_000_000))
    Image.new("RGB", (300, 400), "white").save(photo)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.locator("[name=photo]").set_input_files(large)
    expect(page.locator("#photo-wrong")).to_have_count(int(scripts))
    page.get_by_role("button", name="Seal and register").click()
    expect(page.locator("#photo-wrong")).to_contain_text("8 MB", use_inner_text=True)
    expect(page.locator("[name='r3.name']")).to_have_value("欧阳测试")
    assert ("POST" in sent) is not scripts
    page.locator("[name=photo]").set_input_files(photo)
    page.get_by_role("button", name="Seal and register").click()
    page.get_by_text("registered").first.wait_for()
    page.context.close()


def test_enter_in_the_last_row_makes_another_up_to_99(stage, chromium):
    page = _sheet(stage, chromium, "rows.with", scripts=True)
    expect(page.locator("tbody tr")).to_have_count(20)
    _type_rows(page, range(1, 20))
    page.locator("[name='r20.name']").fill("欧阳测试")
    page.keyboard.press("Enter")
    page.keyboard.type("诸葛样本")
    expect(page.locator("[name='r21.name']")).to_have_value("诸葛样本")
    expect(page.locator("[name='r21.name']")).to_have_attribute("aria-label", "Row 21 Name")
    expect(page.locator("tbody tr th").last).to_have_text("21", use_inner_text=True)
    page.locator("[name='r20.mobile']").fill("13900000020")
    page.locator("[name='r21.mobile']").fill("12")
    page.keyboard.press("Enter")
    expect(page.locator("[name='r22.mobile']")).to_be_focused()
    expect(page.locator("td.wrong")).to_have_count(1)
    _reach(page, page.get_by_role("button", name="More rows"))
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(42)
    expect(page.locator("[name='r23.name']")).to_be_focused()
    assert (
        page.locator("td.wrong").count() == 1
    )  # what is wrong in a row is not in those made after it
    for _ in range(2):
        page.get_by_role("button", name="More rows").click()
    page.get_by_role("button", name="More rows").click()
    expect(page.locator("tbody tr")).to_have_count(99)
    expect(page.get_by_role("button", name="More rows")).to_be_hidden()
    _type_rows(page, range(22, 100))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Seal and register")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Row 21").wait_for()  # one is wrong: all are still there
    expect(page.locator("[name='r99.mobile']")).to_have_value("13900000099")
    page.locator("[name='r21.mobile']").fill("13900000021")
    page.locator("[name=place]").press("Enter")
    page.get_by_text("registered").first.wait_for()
    page.context.close()


def test_without_scripts_a_button_gives_more_rows_and_enter_goes_to_the_next(
    stage, chromium, tmp_path
):
    page = _sheet(stage, chromium, "rows.without", scripts=False)
    photo = tmp_path / "page.jpg"
    Image.new("RGB", (300, 400), "white").save(photo)
    page.locator("[name=photo]").set_input_files(photo)
    page.locator("[name=place]").fill("")  # what else is missing does not matter yet
    _type_rows(page, range(1, 21))
    page.get_by_role("button", name="More rows").click()
    expect(page.locator("[name='r21.name']")).to_be_focused()
    expect(page.locator("[name='r21.name']")).to_be_in_viewport()
    expect(page.locator("#photo-wrong")).to_contain_text(
        "choose the photograph again", use_inner_text=True
    )
    page.keyboard.insert_text("诸葛样本")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("[name='r22.name']")).to_be_focused()
    expect(page.locator("[name='r21.name']")).to_have_value("诸葛样本")
    page.locator("[name='r21.mobile']").fill("13900000021")
    page.locator("[name=place]").fill("cabinet")
    page.locator("[name=photo]").set_input_files(photo)
    page.get_by_role("button", name="Seal and register").click()
    page.get_by_text("registered").first.wait_for()
    page.context.close()
