"""A resident's journeys in a real browser: with scripts and without, on a phone and at a desk, in both languages.

One site, one browser, a page of its own for each journey.
"""

import re

import pytest
import town
from playwright.sync_api import Error, Page, expect
from test_chromium import CHROMIUM, MOBILE, Watch
from town_server import free_port, serving, tick

from epilock.store import vault
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
PHONE, DESK = (320, 640), (1280, 800)
NAME = "张三"
RECEIPT = re.compile(r"[0-9A-Z]{5}(?:\s+[0-9A-Z]{5}){5}")


class Town:
    """A town whose site can go away and come back on the same port."""

    def __init__(self, parts, port):
        self.parts, self.app = parts, create_app(parts)
        self.port, self.base = port, f"http://127.0.0.1:{port}"
        town.mandate(parts, "sunny", "venue-check-in")
        fields = (town.NAME, town.MOBILE, town.HEAT)
        self.gate = town.open_point(parts, "sunny", "residential-entry", *fields).point
        self.shop = town.open_point(parts, "sunny", "venue-check-in", town.MOBILE).point
        self._served = None
        self.up()

    def up(self):
        self._served = serving(self.app, self.port)
        self._served.__enter__()

    def down(self):
        self._served.__exit__(None, None, None)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    port = free_port()
    home = tmp_path_factory.mktemp("town") / "home"
    parts = town.found(home, town.Clock(), url=f"http://127.0.0.1:{port}")
    found = Town(parts, port)
    yield found
    found.down()
    parts.close()


@pytest.fixture
def visit(chromium, place):
    """Open a page; at the end it has neither complained nor asked a stranger."""
    opened = []

    def go(*, scripts=True, size=PHONE, locale="en-GB") -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=locale,
            java_script_enabled=scripts,
        )  # fmt: skip
        page = context.new_page()
        opened.append((context, Watch(page, place.base)))
        return page

    yield go
    for context, watch in opened:
        assert watch.strangers == []
        assert [c for c in watch.complaints if "ERR_CONNECTION_REFUSED" not in c] == []
        context.close()


SHIFT = """
() => new Promise((done) => {
  let sum = 0;
  const watch = new PerformanceObserver((list) => {
    for (const each of list.getEntries()) sum += each.hadRecentInput ? 0 : each.value;
  });
  watch.observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})
"""


def press(page: Page, step: str) -> None:
    page.locator(f"button[name=step][value={step}]").first.click()


def fill(page: Page, place: Town) -> None:
    """To the filled form of the gate, nothing sent."""
    page.goto(f"{place.base}/c/sunny/{place.gate}")
    press(page, "authorise")
    tick(page)
    press(page, "fields")
    page.locator("#f-name").fill(NAME)
    page.locator("#f-mobile").fill(MOBILE)
    page.locator("#f-temperature").fill("36.5")


def code_of(page: Page) -> str:
    return "-".join(page.locator("p#code").inner_text().split())


def stored(place: Town) -> int:
    with place.parts.database.read() as tx:
        return len(tx.all(vault.records))


def seen(page: Page) -> str:
    """All that the page holds, also what is typed into it or hidden."""
    values = page.evaluate("[...document.querySelectorAll('input,textarea')].map((e) => e.value)")
    return " ".join([page.locator("body").inner_text(), *values])


class TestJourney:
    @pytest.mark.parametrize(
        ("scripts", "size", "locale"),
        [(True, PHONE, "zh-CN"), (False, PHONE, "zh-CN"), (False, DESK, "en-GB")],
    )
    def test_from_the_notice_to_my_data(self, place, visit, scripts, size, locale):
        page = visit(scripts=scripts, size=size, locale=locale)
        fill(page, place)
        page.locator("#f-mobile").fill("12")
        press(page, "send")
        page.locator(".box.bad").wait_for()
        expect(page.locator(".box.bad")).to_be_focused()
        page.locator("#f-mobile").fill(MOBILE)
        press(page, "send")
        expect(page.locator("p#code")).to_have_text(RECEIPT)
        page.locator(
            "form[action^='/r'] button", has_text=re.compile("查看我的信息|See my data")
        ).click()
        page.locator("form[action='/r/data']").wait_for()

        def go(action):
            before = page.locator("h1").inner_text()
            page.locator(f"form[action='{action}'] button").last.click()
            expect(page.locator("h1")).not_to_have_text(before)
            page.wait_for_load_state()

        for path in ("data", "correct", "withdraw"):
            go(f"/r/{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            go("/r")
        with page.expect_download() as file:
            page.locator("input[value=pdf] ~ button").click()
        assert file.value.path().read_bytes().startswith(b"%PDF")

    @pytest.mark.parametrize("scripts", [True, False])
    def test_a_venue_takes_three_taps_and_one_field(self, place, visit, scripts):
        page = visit(scripts=scripts)
        page.goto(f"{place.base}/c/sunny/{place.shop}")
        taps = [
            lambda: press(page, "authorise"),
            lambda: page.locator("input[required]").check(),
            lambda: press(page, "send"),
        ]
        for tap in taps[:2]:
            tap()
        page.get_by_label("Mobile").fill(MOBILE)
        taps[2]()
        page.locator("p#code").wait_for()

    def test_every_target_is_as_large_as_a_fingertip(self, place, visit):
        page = visit()
        small = (
            "[...document.querySelectorAll('main button, main .button, main .tick, main input:not([type=hidden])"
            ":not([type=checkbox]), main select, .bar a, .foot a')].filter(e => e.offsetParent"
            " && e.getBoundingClientRect().height < 44 && !e.classList.contains('small')).map(e => e.outerHTML)"
        )
        page.goto(f"{place.base}/c/sunny/{place.gate}")
        for step in ("authorise", "fields"):
            assert page.evaluate(small) == []
            press(page, step)
        assert page.evaluate(small) == []

    def test_nothing_on_a_page_moves_while_it_is_read(self, place, visit):
        page = visit()
        fill(page, place)
        moved = [page.evaluate(SHIFT)]
        press(page, "send")
        page.locator("p#code").wait_for()
        moved.append(page.evaluate(SHIFT))
        page.locator("form[action='/r'] button").click()
        page.locator("#check-answer.good").wait_for()
        moved.append(page.evaluate(SHIFT))
        assert moved == [0, 0, 0]

    @pytest.mark.parametrize("size", [PHONE, DESK])
    def test_nothing_on_the_pages_of_the_log_moves_while_they_are_read(self, place, visit, size):
        page = visit(size=size)
        moved = {}
        for path in ("/log", "/log/check", "/log/entry/1", "/log/keys"):
            page.goto(place.base + path)
            if path.endswith("1"):
                page.locator("#check-answer.good").wait_for()
            moved[path] = page.evaluate(SHIFT)
        assert set(moved.values()) == {0}

    @pytest.mark.parametrize("size", [PHONE, DESK])
    def test_nothing_on_the_page_that_a_device_keeps_moves_while_it_loads(self, place, visit, size):
        page = visit(size=size)
        page.goto(f"{place.base}/offline")
        page.locator("#no-leases").wait_for()
        assert page.evaluate(SHIFT) == 0


class TestBadConnection:
    def test_the_receipt_stays_until_my_data_can_be_reached(self, place, visit):
        page = visit()
        fill(page, place)
        press(page, "send")
        code = code_of(page)
        page.wait_for_load_state()
        place.down()
        page.locator("form[action='/r'] button").click()
        page.get_by_text("This page is still here").wait_for()
        assert code_of(page) == code
        place.up()
        page.locator("form[action='/r'] button").click()
        page.locator("form[action='/r/correct'] button").wait_for()
        page.wait_for_load_state()
        place.down()
        page.locator("form[action='/r/correct'] button").click()
        page.get_by_text("This page is still here").wait_for()
        place.up()
        page.locator("form[action='/r/correct'] button").click()
        expect(page.locator("#f-name")).to_have_value(NAME)

    def test_with_scripts_the_form_stays_and_is_sent_once(self, place, visit):
        page = visit()
        fill(page, place)
        before = stored(place)
        place.down()
        press(page, "send")
        page.locator("#offline").wait_for(state="visible")
        expect(page.locator("#f-name")).to_have_value(NAME)
        place.up()
        press(page, "send")
        page.locator("p#code").wait_for()
        assert stored(place) == before + 1

    @pytest.mark.parametrize("step", ["authorise", "notice"])
    def test_answers_that_are_carried_back_are_not_lost_either(self, place, visit, step):
        page = visit()
        fill(page, place)
        press(page, "authorise")
        if step == "notice":
            page.wait_for_load_state()
            press(page, "notice")
        on = "authorise" if step == "notice" else "fields"
        page.locator(f"button[value={on}]").first.wait_for()
        page.wait_for_load_state()
        place.down()
        press(page, on)
        page.locator("#offline").wait_for(state="visible")
        place.up()
        press(page, on)
        if step == "notice":
            page.locator("button[value=fields]").wait_for()
            page.wait_for_load_state()
            press(page, "fields")
        expect(page.locator("#f-name")).to_have_value(NAME)

    def test_an_objection_is_not_lost_either(self, place, visit):
        page = visit()
        fill(page, place)
        press(page, "send")
        page.goto(f"{place.base}/r#{code_of(page)}")
        page.locator("form[action='/r/ask'] button").first.click()
        page.locator("#ask input[type=radio]").first.check()
        page.wait_for_load_state()
        place.down()
        page.locator("#ask button").click()
        page.get_by_text("This page is still here").wait_for()
        place.up()
        page.locator("#ask button").click()
        page.get_by_text("We have it").first.wait_for()

    @pytest.mark.parametrize("typed", [True, False])
    def test_the_browser_s_own_way_back_asks_before_what_was_typed_is_lost(
        self, place, visit, typed
    ):
        page, asked = visit(), []
        fill(page, place)
        if not typed:
            for name in ("name", "mobile", "temperature"):
                page.locator(f"#f-{name}").fill("")
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.go_back()
        page.locator("button[value=fields]").wait_for()
        assert asked == (["beforeunload"] if typed else [])

    def test_without_scripts_reloading_sends_what_was_typed(self, place, visit):
        page = visit(scripts=False)
        fill(page, place)
        before = stored(place)
        place.down()
        with page.expect_event(
            "framenavigated", lambda frame: frame.url.startswith("chrome-error")
        ):
            press(page, "send")
        place.up()
        page.reload()
        code = code_of(page)
        page.reload()  # an answer that was lost on the way is asked for once more
        assert code_of(page) == code
        assert stored(place) == before + 1


class TestOneScan:
    def test_the_code_on_the_receipt_leads_straight_to_what_happened(self, place, visit):
        page = visit()
        fill(page, place)
        press(page, "send")
        code = code_of(page)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("about:blank")
        page.goto(f"{place.base}/r#{code}")
        page.get_by_text("Nobody has opened it").first.wait_for()
        page.get_by_text("no other department has signed it yet").wait_for()
        expect(page).to_have_url(f"{place.base}/r")
        assert not [url for url in asked if code in url.partition("#")[0]]

    def test_a_code_that_is_scanned_while_such_a_page_is_open_is_looked_up_too(self, place, visit):
        page = visit()
        fill(page, place)
        press(page, "send")
        code = code_of(page)
        page.goto(f"{place.base}/r")
        page.goto(f"{place.base}/r#{code}")  # only what stands behind "#" changes
        page.get_by_text("Nobody has opened it").first.wait_for()
        page.goto(f"{place.base}/r#{code}")
        page.get_by_text("Nobody has opened it").first.wait_for()
        expect(page).to_have_url(f"{place.base}/r")


class TestSharedComputer:
    def test_back_after_finishing_shows_nothing(self, place, visit):
        page = visit()
        fill(page, place)
        press(page, "send")
        code = code_of(page)
        for path in ("/r", "/r/data"):
            page.wait_for_load_state()  # its script has run: whoever is faster is shown an error for it
            before = page.locator("h1").inner_text()
            page.locator(f"form[action='{path}'] button").click()
            expect(page.locator("h1")).not_to_have_text(before)
            page.wait_for_load_state()
        assert MOBILE in seen(page)
        page.locator("#leave").click()
        page.get_by_text("you can close this page").wait_for()
        for _ in range(
            3
        ):  # my answers, my data, the receipt: each is now the page that asks for a code
            page.go_back()
            expect(page).to_have_url(f"{place.base}/r")
            for secret in (NAME, MOBILE, code, code.replace("-", " ")):
                assert secret not in seen(page)
        with pytest.raises(Error):  # the form itself: the browser has no copy to show
            page.go_back()

    def test_back_within_the_walk_leads_to_the_boxes(self, place, visit):
        page = visit(scripts=False)
        fill(page, place)
        page.go_back()
        assert page.locator("input[type=checkbox]").count() > 1


class TestReadOut:
    """What a screen reader is given from the notice to the proof: names, states, in this order."""

    def test_in_english(self, visit, place):
        page = visit()
        page.goto(f"{place.base}/c/sunny/{place.gate}")
        heard(
            page,
            """
          - main:
            - paragraph: Step 1 of 3
            - heading "East Gate" [level=1]
            - term: Who asks
            - term: What for
            - term: How long
            - term: Who sees it
            - button "Continue"
            - button "I do not agree; send nothing"
        """,
        )
        page.locator("form button").first.click()
        assert said_to_be_wrong(page) == []
        page.locator("form button").first.click()  # nothing is ticked
        expect(page).to_have_title(re.compile("^Error: "))
        assert len(said_to_be_wrong(page)) == 2
        heard(
            page,
            """
          - main:
            - heading "Please tick, one by one" [level=1]
            - alert "There is a problem":
              - list:
                - listitem:
                  - 'link "Not ticked: I agree that it is used for: Tracing"'
            - group "What it is used for":
              - 'checkbox "I agree that it is used for: Tracing needed" [invalid]'
              - 'checkbox "I agree that it is used for: Management of persons on site your choice"'
            - group "Sensitive information":
              - 'checkbox /I agree separately .* Body temperature needed/ [invalid]'
        """,
        )
        tick(page)
        page.locator("form button").first.click()
        page.locator("form button").first.click()  # nothing is filled in
        heard(
            page,
            """
          - main:
            - alert "There is a problem":
              - list:
                - listitem:
                  - 'link "Mobile: Please fill in this field."'
            - textbox "Name" [invalid]
            - textbox "Mobile" [invalid]
            - textbox "Temperature" [invalid]
            - button "Send"
        """,
        )
        for name, value in (("name", NAME), ("mobile", MOBILE), ("temperature", "36.6")):
            page.locator(f"#f-{name}").fill(value)
        page.locator("form button").first.click()
        heard(
            page,
            """
          - main:
            - heading "Received and sealed" [level=1]
            - 'img "Picture of the receipt: the code above, and its QR code."'
            - button "See my data"
        """,
        )
        page.locator("form[action='/r'] button").click()
        page.locator("#check-answer.good").wait_for()
        heard(
            page,
            """
          - main:
            - heading "Your data" [level=1]
            - term: When all of it goes
            - term: Was it opened?
            - term: Who asks
            - button "See what I gave"
            - button "Correct it"
            - button "Withdraw it"
            - heading "What is kept, and until when" [level=2]
            - heading "Who opened it, and why" [level=2]
            - heading "Object or complain" [level=2]
            - heading "A copy to take away" [level=2]
            - heading "Checked in your browser" [level=2]
            - status:
              - paragraph: Everything holds.
              - paragraph: /entry \\d+ · entries in all. \\d+ · no other department has signed it yet/
            - list:
              - listitem: /The file can be read ✓/
            - heading /check it yourself/ [level=2]
            - link "Finish and leave"
        """,
        )
        page.locator("form[action='/r/ask'] button").first.click()
        page.locator("form#ask button").click()  # no reason is chosen
        page.locator(".box.bad").wait_for()
        heard(
            page,
            """
          - main:
            - heading "Complain to the supervisor" [level=1]
            - alert "There is a problem":
              - list:
                - listitem:
                  - link "Choose a reason"
            - radiogroup "What is wrong?" [invalid]:
              - radio "Too much was asked"
            - button "Complain"
        """,
        )
        assert "What is wrong?" in said_to_be_wrong(page)

    def test_in_chinese(self, visit, place):
        page = visit(locale="zh-CN")
        page.goto(f"{place.base}/c/sunny/{place.gate}")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        page.locator("form button").first.click()
        page.locator("form button").first.click()
        expect(page).to_have_title(re.compile("^要改"))
        heard(
            page,
            """
          - main:
            - heading "请逐项勾选" [level=1]
            - alert:
              - list:
                - listitem:
                  - link
            - group:
              - checkbox /必须勾选/ [invalid]
        """,
        )
        tick(page)
        press(page, "fields")
        for name, value in (("name", NAME), ("mobile", MOBILE), ("temperature", "36.6")):
            page.locator(f"#f-{name}").fill(value)
        press(page, "send")
        page.locator("form[action='/r'] button").click()
        page.locator("#check-answer.good").wait_for()
        heard(
            page,
            """
          - main:
            - heading "您的信息" [level=1]
            - term: 哪天全部销毁
            - term: 被打开过吗
            - term: 谁在收集
            - button "看我填的内容"
            - heading "在您的浏览器里核对" [level=2]
            - status:
              - paragraph: 全部成立。
              - paragraph: /第\\d+条 · 共\\d+条 · 还没有别的部门签名作证/
            - link "完成，离开"
        """,
        )


def said_to_be_wrong(page: Page) -> list[str]:
    """The names of what the browser tells a screen reader is filled in wrongly."""
    page.wait_for_load_state()
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        node["name"]["value"]
        for node in tree
        for has in node.get("properties", ())
        if has["name"] == "invalid" and has["value"]["value"] not in {"false", False}
    ]


def heard(page: Page, snapshot: str) -> None:
    expect(page.locator("body")).to_match_aria_snapshot(snapshot)
