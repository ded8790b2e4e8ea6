"""The console beyond opening: counting, what was opened in an emergency and its review, searching."""

import re
from datetime import date
from uuid import uuid4

import pytest
import town
from sheet import Sheet, read
from staff_room import badge, renew
from visitor import Visitor

from epilock.accounts import session, staff
from epilock.collect import issue
from epilock.collect.form import Submission
from epilock.ledger import entry
from epilock.use import aggregate
from epilock.use import grant as grants
from held import PATIENT, Held

MOBILE = "13912345678"


@pytest.fixture
def doctor(parts, site):
    return badge(parts, site, "lishan-cdc", "lin", "analyst")


@pytest.fixture
def approver(parts, site):
    return badge(parts, site, "jinan", "zhao", "approver")


@pytest.fixture
def samples(parts):
    """A point that takes samples; what it returns stores a record for each result."""
    return collecting(parts, "sampling", town.NAME, town.MOBILE, town.SAMPLE, town.RESULT)


@pytest.fixture
def isolated(parts):
    """A place of quarantine, whose numbers are for sharing out resources; returns as ``samples``."""
    return collecting(parts, "quarantine", town.NAME, town.MOBILE, town.RESULT)


def collecting(parts, circumstance, *fields):
    town.mandate(parts, "sunny", circumstance)
    point = town.open_point(parts, "sunny", circumstance, *fields)
    given = {"name": "张三", "mobile": MOBILE, "sample": "S-1"}
    asked = {field.id for field in fields}

    def take(*results):
        with parts.database.read() as tx:
            found, issued = issue.in_force(tx, "sunny", point.point)
        form = issue.form_of(parts.standard, found, issued)
        today = parts.now().date()
        answers = {k: v for k, v in given.items() if k in asked}
        accepted = [
            form.accept(
                Submission(
                    client=str(uuid4()), notice=form.notice, given=list(form.acts.ids),
                    fields={**answers, "result": result},
                ),
                today=today,
            )
            for result in results
        ]  # fmt: skip
        parts.keeper.store(accepted, now=parts.now)

    return take


@pytest.fixture
def yesterday(isolated, parts, clock, doctor, approver):
    """Store a record for each result, let the day pass and grant the doctor counts; return that day."""

    def take(*results):
        day = clock().date().isoformat()
        isolated(*results)
        clock.forward(days=1)
        renew(parts, doctor, "lishan-cdc", "lin")
        renew(parts, approver, "jinan", "zhao")
        grant_resources(doctor, approver)
        return day

    return take


def entries(parts, kind):
    with parts.database.read() as tx:
        said = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
    return [e for e in said if entry.kind(e) == kind]


def grant_resources(doctor: Visitor, approver: Visitor) -> None:
    grant(doctor, approver, circumstance="quarantine", purpose="resource-allocation")


def grant(doctor: Visitor, approver: Visitor, circumstance: str = "sampling", **typed: str) -> None:
    page = read(doctor, "/console/grants")
    asked = {
        "purpose": "situation-monitoring", "form": "aggregate", "source": "sunny", "subjects": "3",
        "reason": "daily report", **typed,
    }  # fmt: skip
    done = page.send(page.with_field("subjects"), ("circumstance", circumstance), **asked)
    assert "another person must approve" in done.text, done.text
    page = read(approver, "/console/approvals")
    form = next(f for f in page.forms if ("verdict", "approve") in f.values)
    assert "Approved" in page.send(form).text
    assert "nothing was done twice" in page.send(form).text


def count(doctor: Visitor, what: str = "quarantine:health.test-result", **typed: str) -> Sheet:
    page = read(doctor, "/console/counts")
    days = {"since": "2026-03-14", "until": "2026-03-14", **typed}
    return page.send(page.with_field("what"), what=what, emergency="outbreak-7", **days)


class TestCounts:
    def test_without_a_grant_there_is_no_question(self, doctor):
        assert "needs an active grant" in read(doctor, "/console/counts").text

    def test_asked_witnessed_shown(self, doctor, yesterday, parts):
        day = yesterday(*["negative"] * 12, *["positive"] * 11)
        page = count(doctor, since=day, until=day)
        assert re.search(r"negative\s+12\s+positive\s+11", page.text), page.text
        assert page.path.startswith("/console/counts/sunny/c-")
        (said,) = entries(parts, "aggregate-decision")
        assert (said.counted, said.records, said.question) == ("health.test-result", 20, 1)
        again = read(doctor, page.path)
        assert "23" in again.text
        assert len(entries(parts, "aggregate-decision")) == 1

    def test_a_refusal_says_why(self, doctor, approver, isolated, parts, clock):
        day = clock().date().isoformat()
        isolated("negative")
        grant_resources(doctor, approver)
        assert "Only days that are over" in count(doctor, since=day, until=day).text
        clock.forward(days=1)
        renew(parts, doctor, "lishan-cdc", "lin")
        page = count(doctor, since=day, until=day)
        assert "fewer than 10 records" in page.text
        assert [e.verdict for e in entries(parts, "aggregate-decision")] == ["refused"] * 2

    def test_no_person_can_be_asked_for(self, doctor, approver, samples):
        samples("negative")
        grant(doctor, approver)
        page = read(doctor, "/console/counts")
        assert "sampling:health.test-result" in page.html
        assert "sampling:identity.name" not in page.html
        assert "sampling:health.sample-id" not in page.html

    def test_a_grant_to_count_lists_no_record(self, doctor, approver, samples):
        samples("negative")
        grant(doctor, approver)
        assert read(doctor, "/console/records/sunny/1").status == 403
        assert read(doctor, "/console/records?source=sunny").status == 403

    def test_while_it_is_counted_the_page_says_so_and_can_be_left(self, doctor, yesterday, parts):
        day = date.fromisoformat(yesterday(*["negative"] * 12))
        held = Held("count", 3, 12)
        with parts.database.read() as tx:
            leave = next(iter(grants.listing(tx, "lishan-cdc")))
            who = staff.load(tx, "lishan-cdc", leave.staff)
        asked = aggregate.Question(
            source="sunny", emergency="outbreak-7", circumstance="quarantine", since=day, until=day,
            counted="health.test-result",
        )  # fmt: skip
        with parts.database.write() as tx:
            found = aggregate.decide(
                parts.gate, tx, who, question=asked, grant=leave.grant, now=parts.now()
            )
        parts.works.begin(("count", "sunny", found.decision), held, wait=0)
        assert held.reached.wait(PATIENT)
        page = read(doctor, f"/console/counts/sunny/{found.decision}")
        assert "It is being counted. You can leave this page" in page.text
        assert "(25 %)" in page.text
        assert not re.search(r"negative\s+\d", page.text)
        held.open.set()
        assert re.search(r"negative\s+12", read(doctor, page.path).text)
        assert len(entries(parts, "aggregate-decision")) == 1

    def test_a_table_is_shown_to_who_asked_alone(self, doctor, yesterday, parts, site):
        day = yesterday(*["negative"] * 12)
        page = count(doctor, since=day, until=day)
        other = badge(parts, site, "lishan-cdc", "sun", "analyst")
        assert read(other, page.path).status == 403

    def test_a_program_counts_with_a_token(self, yesterday, parts, site):
        day = yesterday(*["negative"] * 12)
        code = entries(parts, "grant")[0].grant
        with parts.database.write() as tx:
            who = staff.by_login(tx, "lishan-cdc", "lin")
            token = session.begin(tx, who, now=parts.now(), kind="api")
        answer = Visitor(site).post(
            "/api/staff/count",
            headers={"Authorization": f"Bearer {token}"},
            json={
                "grant": code, "emergency": "outbreak-7", "circumstance": "quarantine",
                "by": "health.test-result", "since": day, "until": day,
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["verdict"], said["cells"], said["others"]) == ("opened", {"negative": 12}, 0)


class TestEmergency:
    def opened(self, doctor, approver):
        """Who sees the record by a grant opens it without one, for treatment."""
        grant(doctor, approver, purpose="tracing", form="masked", case="C-1")
        page = read(doctor, "/console/records/sunny/1/0")
        form = next(f for f in page.forms if f.action.endswith("/open/sunny") and
                    "reason" in dict(f.values))  # fmt: skip
        done = page.send(form, reason="found unconscious")
        assert "张三" in done.text
        assert "wait for their review" not in done.text  # is said of a refusal alone
        return done

    def test_without_a_reason_nothing_is_decided(self, doctor, approver, samples, parts):
        samples("negative")
        grant(doctor, approver, purpose="tracing", form="masked", case="C-1")
        page = read(doctor, "/console/records/sunny/1/0")
        form = next(f for f in page.forms if "reason" in dict(f.values))
        again = page.send(form, reason=" ")
        assert "needs a reason" in again.text
        assert entries(parts, "decision") == []

    def test_it_waits_and_another_reviews_it(self, doctor, approver, samples, parts):
        samples("negative")
        self.opened(doctor, approver)
        page = read(approver, "/console/approvals")
        assert "Review of an opening in an emergency" in page.text
        assert "found unconscious" in page.text
        form = next(f for f in page.forms if "/reviews/" in f.action)
        again = page.send(form)  # no finding stands there before one is chosen
        assert (again.status, "Choose a finding first." in again.text) == (422, True)
        assert entries(parts, "review") == []
        done = page.send(form, reason="could-have-asked")
        assert "The review stands in the public log" in done.text
        assert "found unconscious" not in done.text
        (said,) = entries(parts, "review")
        assert (said.verdict, said.reason) == ("unjustified", "could-have-asked")

    def test_whose_record_it_was_finds_it_among_what_was_opened(
        self, doctor, approver, samples, parts, site
    ):
        samples("negative")
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        assert "Nothing fits" in read(custodian, "/console/seen?review=emergency").text
        self.opened(doctor, approver)
        found = read(custodian, "/console/seen?review=emergency")
        assert len(re.findall(r'href="/log/entry/\d+', found.html)) == 1

    def test_overdue_it_stands_out(  # noqa: PLR0917 - three persons, and time
        self, doctor, approver, samples, parts, site, clock
    ):
        samples("negative")
        self.opened(doctor, approver)
        clock.forward(days=3)
        renew(parts, approver, "jinan", "zhao")
        assert "overdue" in read(approver, "/console/approvals").text
        supervisor = badge(parts, site, "jinan", "qian", "supervisor")
        row = re.findall(
            r"<tr><td><a[^>]*org=lishan-cdc.*?</tr>",
            read(supervisor, "/console/oversight").html,
            re.DOTALL,
        )[0]
        assert '<span class="tag bad">1</span>' in row
        seen = read(supervisor, "/console/oversight?org=lishan-cdc")
        assert "overdue" in seen.text

    def test_who_opened_it_is_not_asked(self, doctor, approver, samples, parts):
        samples("negative")
        self.opened(doctor, approver)
        with parts.database.write() as tx:
            who = staff.by_login(tx, "lishan-cdc", "lin")
            staff.set_roles(
                tx, parts.log, standard_ref=parts.standard.ref, org="lishan-cdc", code=who.staff,
                roles=("analyst", "approver"), now=parts.now(),
            )  # fmt: skip
        page = read(doctor, "/console/approvals")
        assert "another person decides" in page.text
        assert "/reviews/" not in page.html


class TestReach:
    """Of another organisation a grant lists what it opens, and nothing else."""

    @pytest.fixture
    def shelves(self, doctor, approver, samples, isolated):
        """Samples, which the doctor may open one of, and records of a quarantine, which they may not."""
        samples("negative")
        isolated("positive")
        grant(doctor, approver, purpose="tracing", form="masked", case="C-1", subjects="1")

    def test_no_record_of_another_circumstance_is_listed(self, doctor, shelves):
        page = read(doctor, "/console/records?source=sunny")
        shown = [href for href, _ in page.links if href.startswith("/console/records/sunny/")]
        assert [href.partition("?")[0] for href in shown] == ["/console/records/sunny/1"]
        for path in ("/console/records/sunny/2", "/console/records/sunny/2/0"):
            assert doctor.get(path).status_code == 403
        assert "/console/destruction/1" not in read(doctor, "/console/records/sunny/1").html

    def test_used_up_it_lists_and_searches_nothing_more(self, doctor, shelves, parts):
        before = read(doctor, "/console/records?source=sunny")
        record = read(doctor, "/console/records/sunny/1/0")
        form = next(f for f in record.forms if "grant" in dict(f.values))
        assert "张*" in record.send(form).text

        assert "used up" in read(doctor, "/console/grants").text
        assert doctor.get("/console/records?source=sunny").status_code == 403
        again = record.send(form)
        assert "this grant has opened all that it may" in again.text
        asked = {"category": "contact.mobile", "value": MOBILE, "emergency": "outbreak-7"}
        found = before.send(before.with_field("value"), **asked)
        assert (found.status, entries(parts, "search")) == (403, [])
        assert [e.verdict for e in entries(parts, "decision")] == ["opened"]


class TestSearch:
    def test_it_stands_in_the_log_without_what_was_searched(self, doctor, approver, samples, parts):
        samples("negative")
        grant(doctor, approver, purpose="tracing", form="masked", case="C-1")
        page = read(doctor, "/console/records?source=sunny")
        found = page.send(
            page.with_field("value"), category="contact.mobile", value=MOBILE,
            emergency="outbreak-7",
        )  # fmt: skip
        assert "Found: 1" in found.text
        (said,) = entries(parts, "search")
        assert (said.category, said.found) == ("contact.mobile", 1)
        assert MOBILE not in str(said)
