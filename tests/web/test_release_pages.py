"""Releases in the console: tried out and downloaded by one, approved by another, in numbers until then."""

import time
from datetime import date
from uuid import uuid4

import pytest
import town
from sheet import Sheet, read
from staff_room import badge
from test_chromium import CHROMIUM, Watch
from town_server import free_port, serving
from visitor import Visitor

from epilock.accounts import staff
from epilock.collect import issue
from epilock.collect.form import Submission
from epilock.collect.point import Field
from epilock.standard.text import Text
from epilock.use import grant as grants
from epilock.use.release import register
from epilock.use.release.question import Question
from epilock.web.app import create_app
from held import PATIENT, Held

LOSS = Field(id="loss", category="relief.loss", label=Text("损失", "Loss"), optional=False)
PERSON = {"name": "张三", "id_card": "370102199003070913", "mobile": "13912345678"}
STREETS = ("泉城路", "千佛山")
MOST_LOOKS = 600  # at a page while a release is made, ten a second
ZH = {
    "locale": "zh-CN", "relief": "救助与补偿", "days": ("第一天", "最后一天"), "try": "试做",
    "made": "正在做，记录多时", "request": "请人批准", "look": "看数字", "approve": "批准",
}  # fmt: skip
EN = {
    "locale": "en-GB", "relief": "Relief and compensation", "days": ("First day", "Last day"),
    "try": "Try it out", "made": "It is being made", "request": "Ask for approval",
    "look": "Look at the numbers", "approve": "Approve",
}  # fmt: skip


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A town where eighty people of two streets asked for relief yesterday."""
    port, clock = free_port(), town.Clock()
    parts = town.found(
        tmp_path_factory.mktemp("relief") / "home", clock, url=f"http://127.0.0.1:{port}"
    )
    town.mandate(parts, "sunny", "relief-compensation")
    point = town.open_point(
        parts, "sunny", "relief-compensation", town.NAME, town.ID_CARD, town.MOBILE, town.ADDRESS,
        town.SIZE, LOSS,
    )  # fmt: skip
    with parts.database.read() as tx:
        found, issued = issue.in_force(tx, "sunny", point.point)
    form = issue.form_of(parts.standard, found, issued)
    given = [
        form.accept(
            Submission(
                client=str(uuid4()), notice=form.notice,
                given=[act for act in form.acts.ids if act != "guardian"],
                fields={
                    **PERSON, "address": f"山东省济南市历下区{street}街道{n}号", "size": str(1 + n % 2),
                    "loss": ("房屋", "车辆")[n // 2 % 2],
                },
            ),
            today=clock().date(),
        )
        for street in STREETS
        for n in range(40)
    ]  # fmt: skip
    parts.keeper.store(given, now=clock)
    clock.forward(days=1)
    site = create_app(parts)
    with serving(site, port) as base:
        yield parts, site, base
    parts.close()


@pytest.fixture(scope="module")
def analyst(stage):
    return badge(*stage[:2], "jinan", "wang", "analyst")


@pytest.fixture(scope="module")
def approver(stage):
    return badge(*stage[:2], "jinan", "zhao", "approver")


@pytest.fixture(scope="module")
def leave(analyst, approver):
    """The analyst's grant."""
    page = read(analyst, "/console/grants")
    asked = {
        "purpose": "governance", "form": "deidentified", "source": "sunny", "subjects": "5",
        "reason": "spring report",
    }  # fmt: skip
    page.send(page.with_field("subjects"), ("circumstance", "relief-compensation"), **asked)
    page = read(approver, "/console/approvals")
    assert ": at most 5, until" in page.text
    page.send(next(f for f in page.forms if ("verdict", "approve") in f.values))


def settled(visitor: Visitor, page: Sheet) -> Sheet:
    """Look again until the release is made."""
    for _ in range(MOST_LOOKS):
        if "It is being made" not in page.text:
            return page
        time.sleep(0.1)
        page = read(visitor, page.path)
    raise AssertionError(page.text)


def try_out(analyst: Visitor, **typed: str) -> Sheet:
    page = read(analyst, "/console/releases")
    (new,) = {href for href, _ in page.links if "/releases/new/" in href}
    form = read(analyst, new)
    days = {"since": "2026-03-14", "until": "2026-03-14", **typed}
    return settled(analyst, form.send(form.with_field("emergency"), **days))


class TestPages:
    def test_without_a_grant_nothing_is_asked(self, stage):
        other = badge(*stage[:2], "jinan", "sun", "analyst")
        page = read(other, "/console/releases")
        assert "needs an active grant" in page.text

    def test_only_what_was_asked_of_people_and_never_who_they_are(self, analyst, leave):
        page = read(analyst, "/console/releases")
        form = read(analyst, next(href for href, _ in page.links if "/releases/new/" in href))
        named = {name for name in form.with_field("emergency").fields if name.startswith("as.")}
        assert named == {"as.day", "as.contact.address", "as.need.household-size", "as.relief.loss"}

    def test_a_refusal_says_why(self, analyst, leave):
        page = try_out(analyst, since="2026-03-01", until="2026-03-10")
        assert "These days have fewer than 20 records" in page.text

    def test_how_far_it_is_stands_on_the_page_in_hundredths_and_for_no_other(
        self, stage, analyst, leave
    ):
        """A number of records would tell, before anybody approved, who came between two tries."""
        parts, site, _ = stage
        at = read(analyst, "/console/releases").path
        held = Held("read", 1809, 3918)
        with parts.database.read() as tx:
            grant = next(g for g in grants.listing(tx, "jinan") if g.form == "deidentified")
            who = staff.load(tx, "jinan", grant.staff)
        asked = Question(
            source="sunny", emergency="outbreak-7", circumstance="relief-compensation",
            since=date(2026, 3, 14), until=date(2026, 3, 14),
            fields={"contact.address": "address"}, suppressed=5, search="optimal",
        )  # fmt: skip
        with parts.database.write() as tx:
            found = register.decide(
                parts.gate, tx, who, question=asked, grant=grant.grant, now=parts.now()
            )
        parts.works.begin(("release", found.org, found.release), held, wait=0)
        assert held.reached.wait(PATIENT)
        page = read(analyst, f"{at}/{found.org}/{found.release}")
        assert "Reading the records (46 %)" in page.text
        assert "1809" not in page.text
        other = badge(parts, site, "jinan", "qian", "analyst")
        assert read(other, page.path).status == 403
        held.open.set()

    def test_two_persons_two_files(self, stage, analyst, approver, leave):
        """Who asked sees numbers until another approved; who approves sees the report, and never the table."""
        page = try_out(analyst)
        assert "20 (at least 20 are asked)" in page.text
        at = page.path
        assert "SHA-256" not in page.text  # who can guess a small table could check the guess
        assert read(analyst, f"{at}/report.html").status == 403
        assert read(analyst, f"{at}/table.csv").status == 404
        other = badge(*stage[:2], "jinan", "li", "analyst")
        assert read(other, at).status == 403
        page = page.send(next(f for f in page.forms if f.action.endswith("/request")))
        assert not [f for f in page.forms if f.action.endswith("/judge")]
        waiting = read(approver, "/console/approvals")
        assert at in {href for href, _ in waiting.links}
        assert "山东省济南市历下区泉城路街道" in approver.get(f"{at}/report.html").text
        page = read(approver, at)
        assert "SHA-256" in page.text
        forms = [f for f in page.forms if f.action.endswith("/judge")]
        approve, refuse = (
            next(f for f in forms if ("verdict", verdict) in f.values)
            for verdict in ("approve", "refuse")
        )
        seen = page
        page = settled(approver, page.send(approve))
        assert "handed out" in page.text
        again = seen.send(approve)
        assert (again.status, again.path.partition("?")[0]) == (200, at)
        assert "nothing was done twice" in again.text
        assert seen.send(refuse).status == 409
        assert read(approver, f"{at}/table.csv").status == 403
        table = analyst.get(f"{at}/table.csv")
        assert table.headers["content-disposition"].endswith(f'{at.rpartition("/")[2]}.csv"')
        assert len(table.text.splitlines()) == 81
        assert "张三" not in table.text
        assert analyst.get(f"{at}/report.html").status_code == 200


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
@pytest.mark.parametrize("words", [ZH, EN], ids=["zh", "en"])
@pytest.mark.usefixtures("leave")
def test_in_a_browser_on_a_telephone(stage, chromium, analyst, approver, words):
    """No page of the way is wider than the screen, complains or asks another host; scripts are off."""
    base = stage[2]
    mine, watch = _telephone(chromium, base, analyst, words["locale"])
    mine.goto(f"{base}/console/releases")
    _fits(mine)
    mine.get_by_role("link", name=words["relief"]).click()
    _fits(mine)
    for label in words["days"]:
        mine.get_by_label(label).fill("2026-03-14")
    mine.get_by_role("button", name=words["try"]).click()
    _settle(mine, words["made"])
    _fits(mine)
    mine.get_by_role("button", name=words["request"]).click()
    theirs, watched = _telephone(chromium, base, approver, words["locale"])
    theirs.goto(f"{base}/console/approvals")
    _fits(theirs)
    theirs.get_by_role("link", name=words["look"]).first.click()
    theirs.get_by_role("button", name=words["approve"], exact=True).click()
    _settle(theirs, words["made"])
    mine.reload()
    _fits(mine)
    with mine.expect_download() as got:
        mine.get_by_role("link", name="CSV").click()
    assert got.value.suggested_filename.endswith(".csv")
    assert [*watch.complaints, *watch.strangers, *watched.complaints, *watched.strangers] == []
    for page in (mine, theirs):
        page.context.close()


def _telephone(chromium, base, visitor, locale):
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, locale=locale, java_script_enabled=False
    )
    context.add_cookies([{"name": "epilock", "value": visitor.cookies["epilock"], "url": base}])
    page = context.new_page()
    return page, Watch(page, base)


def _settle(page, made):
    for _ in range(MOST_LOOKS):
        if not page.get_by_text(made).count():
            return
        page.wait_for_timeout(100)
        page.goto(page.url)
    raise AssertionError(page.content())


def _fits(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
