"""Budgets, counts with noise, and studies, as their people meet them in the console."""

import re

import pytest
import town
from playwright.sync_api import expect
from sheet import Sheet, read
from staff_room import badge, renew
from test_use import collecting, entries, grant
from town_server import CHROMIUM, free_port, serving

from epilock import inventory
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules

WIDTH = 320  # of a small phone
PEOPLE = (
    ("sunny", "wang", "custodian"), ("jinan", "zhao", "approver"), ("lishan-cdc", "lin", "analyst"),
)  # fmt: skip


@pytest.fixture
def people(parts, site):
    """By login, the browser of each."""
    return {login: badge(parts, site, org, login, role) for org, login, role in PEOPLE}


@pytest.fixture
def yesterday(parts, clock, people):
    """Thirty negative samples and twelve positive, a day ago, and the analyst's grant to count."""
    point = (town.NAME, town.MOBILE, town.SAMPLE, town.RESULT)
    take = collecting(parts, "sampling", *point)
    take(*["negative"] * 30, *["positive"] * 12)
    day = clock().date().isoformat()
    clock.forward(days=1)
    for org, login, _ in PEOPLE:
        renew(parts, people[login], org, login)
    grant(people["lin"], people["zhao"])
    return day


def ask_budget(custodian, **typed: str) -> Sheet:
    page = read(custodian, "/console/budgets")
    asked = {
        "dataset": "sampling:outbreak-7", "purpose": "situation-monitoring",
        "recipient": "lishan-cdc", "epsilon": "0.5", "ceiling": "4", "reason": "daily report",
    }  # fmt: skip
    return page.send(page.with_field("ceiling"), **(asked | typed))


def decide(approver, verdict: str = "approve") -> Sheet:
    page = read(approver, "/console/approvals")
    return page.send(next(f for f in page.forms if ("verdict", verdict) in f.values))


def price(analyst, day: str) -> Sheet:
    page = read(analyst, "/console/counts")
    what = "sampling:health.test-result"
    return page.send(
        page.with_field("what"), what=what, emergency="outbreak-7", since=day, until=day
    )


def pay(page: Sheet, epsilon: str, values: str = "negative\npositive") -> Sheet:
    return page.send(page.with_field("values"), epsilon=epsilon, values=values)


def findings(parts):
    auditor = Auditor(StandardRules([parts.standard]))
    with parts.database.read() as tx:
        for index, data in enumerate(parts.log.entries(tx, 0, parts.log.size(tx))):
            auditor.read(index, entry.decode(data))
    return [f.kind for f in auditor.conclude(parts.now()).all()]


class TestBudget:
    def test_error_price_and_rest_are_shown_before_anything_is_spent(
        self, people, yesterday, parts
    ):
        assert "no privacy budget" in price(people["lin"], yesterday).text
        assert "another person must approve" in ask_budget(people["wang"]).text
        assert "Request for a budget" in read(people["zhao"], "/console/approvals").text
        assert "Approved" in decide(people["zhao"]).text
        assert "0.5 0 0.5" in re.sub(r"\s+", " ", read(people["wang"], "/console/budgets").text)

        page = price(people["lin"], yesterday)
        assert "0.5 of 0.5" in page.text
        assert "each number ±12 at 95 %, costs 0.25" in page.text
        assert "0.25 would be left" in page.text
        assert "not so much is left" in page.text, "1 is more than there is"
        assert entries(parts, "aggregate-decision") == entries(parts, "noisy-release") == []

        said = pay(page, "0.25")
        assert "within ±12" in said.text
        assert pay(price(people["lin"], yesterday), "0.25").path == said.path, "the same again"
        assert "0.25 of 0.5" in price(people["lin"], yesterday).text

        assert "spent" in pay(price(people["lin"], yesterday), "0.5", "negative").text
        pay(price(people["lin"], yesterday), "0.25", "negative")
        empty = price(people["lin"], yesterday)
        assert "does not suffice" in empty.text
        assert "epsilon-1" not in empty.html
        assert findings(parts) == []
        assert list(inventory.check(parts.database, parts.log)) == []

    def test_what_could_not_be_approved_is_not_asked(self, people):
        for field, says, typed in (
            ("ceiling", "say its ceiling", {"ceiling": ""}),
            ("ceiling", "Epsilon is a number", {"ceiling": "much"}),
            ("epsilon", "Epsilon is a number", {"epsilon": "much"}),
            ("epsilon", "at most 4 in all", {"epsilon": "5"}),
            ("reason", "A budget needs a reason", {"reason": " "}),
            ("dataset", "Choose whose records", {"dataset": "sampling"}),
        ):
            page = ask_budget(people["wang"], **typed)
            assert says in page.text
            assert f'id="{field}-wrong"' in page.html
        assert "Nothing waits" in read(people["zhao"], "/console/approvals").text

    def test_sent_twice_it_is_asked_once(self, people):
        page = read(people["wang"], "/console/budgets")
        form = page.with_field("ceiling")
        asked = {
            "dataset": "sampling:outbreak-7",
            "epsilon": "0.5",
            "ceiling": "4",
            "reason": "daily",
        }
        page.send(form, **asked)
        assert "nothing was done twice" in page.send(form, **asked).text
        waiting = read(people["zhao"], "/console/approvals").text
        assert waiting.count("Request for a budget") == 1

    def test_the_days_are_looked_at_before_the_price(self, people, yesterday):
        """What could never be counted is said at its field, and no price is offered for it."""
        page = read(people["lin"], "/console/counts")
        what = "sampling:health.test-result"
        asked = {"what": what, "emergency": "outbreak-7", "since": yesterday}
        for until, says in (("2020-01-01", "the first before the last"), ("soon", "Give a day")):
            again = page.send(page.with_field("what"), **asked, until=until)
            assert says in again.text
            assert 'id="until-wrong"' in again.html
            assert again.value("since") == yesterday

    def test_refused_it_is_none(self, people):
        ask_budget(people["wang"])
        assert "Refused" in decide(people["zhao"], "refuse").text
        assert "There is no budget yet" in read(people["wang"], "/console/budgets").text

    def test_approved_twice_it_is_given_once(self, people, parts):
        ask_budget(people["wang"])
        page = read(people["zhao"], "/console/approvals")
        approve = next(f for f in page.forms if ("verdict", "approve") in f.values)
        assert "Approved" in page.send(approve).text
        again = page.send(approve)
        assert (again.status, again.path) == (200, "/console/approvals")
        assert "nothing was done twice" in again.text
        asked = [e for e in entries(parts, "approval") if e.kind == "budget"]
        assert len(asked) == 1


class TestStudy:
    def test_opened_by_one_ended_by_two(self, people, parts, clock):
        page = read(people["wang"], "/console/studies")
        form = page.with_field("study")
        assert "not an entry" not in page.send(form, study="Long Covid", purpose="research").text
        assert "study is open" in page.send(form, study="long-covid", purpose="research").text
        page = read(people["wang"], "/console/studies")
        end = next(f for f in page.forms if f.action.endswith("/long-covid/end"))
        assert "another person must approve" in page.send(end).text
        assert "End of a study" in read(people["zhao"], "/console/approvals").text
        page = read(people["zhao"], "/console/approvals")
        refuse = next(f for f in page.forms if ("verdict", "refuse") in f.values)
        assert "refused" in page.send(refuse).text.lower()
        assert "no end of long-covid waits" in page.send(refuse).text  # as if nobody had asked

        page = read(people["wang"], "/console/studies")
        page.send(next(f for f in page.forms if f.action.endswith("/long-covid/end")))
        assert "not before" in decide(people["zhao"]).text
        clock.forward(hours=24)
        for org, login, _ in PEOPLE:
            renew(parts, people[login], org, login)
        assert "The key is destroyed" in decide(people["zhao"]).text
        assert "key destroyed" in read(people["wang"], "/console/studies").text
        assert [e.stage for e in entries(parts, "study")] == ["opened", "ending", "destroyed"]
        assert findings(parts) == []


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
def test_in_a_browser_without_scripts_on_a_small_phone(people, yesterday, site, tmp_path, chromium):
    """From the price to the answer with a browser's own means; nothing overflows, nothing is blocked."""
    ask_budget(people["wang"])
    decide(people["zhao"])
    told = []
    with serving(site, free_port()) as base:
        context = chromium.new_context(
            viewport={"width": WIDTH, "height": 640}, locale="en-GB", java_script_enabled=False,
            color_scheme="dark",
        )  # fmt: skip
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))

        def enter(login: str) -> None:
            token = people[login].cookies["epilock"]
            context.add_cookies([{"name": "epilock", "value": token, "url": base}])

        def look(path: str = "") -> None:
            if path:
                page.goto(f"{base}{path}")
            expect(page.locator("h1")).to_have_count(1)
            page.wait_for_load_state()
            assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH

        enter("wang")
        look("/console/budgets")
        look("/console/studies")
        enter("lin")
        look("/console/counts")
        page.get_by_label("What is counted").select_option("sampling:health.test-result")
        for label in ("First day", "Last day"):
            page.get_by_label(label).fill(yesterday)
        page.get_by_role("button", name="Count").click()
        look()
        page.get_by_label("Values to be counted apart").fill("negative\npositive")
        page.get_by_label("±12").check()
        page.get_by_role("button", name="Ask at this price").click()
        look()
        assert "lies within ±12" in page.content()
        context.close()
    assert told == []
