"""The journeys of staff: a point is opened, a record is opened under a grant, a bucket ends, a level moves."""

import re
import threading
import time
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
import town
from sheet import Sheet, read
from staff_room import badge, renew
from test_resident import TYPED, _fields
from visitor import Visitor

from epilock.accounts import staff
from epilock.collect import tally
from epilock.destroy import request as requests
from epilock.ledger import entry
from epilock.web.app import create_app


@pytest.fixture
def custodian(parts, site):
    return badge(parts, site, "sunny", "wang", "custodian")


@pytest.fixture
def approver(parts, site):
    return badge(parts, site, "jinan", "zhao", "approver")


@pytest.fixture
def given(parts, site):
    """A point that took one record."""
    town.mandate(parts, "sunny", "residential-entry")
    point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)
    visitor = Visitor(site)
    page = _fields(visitor, f"/c/sunny/{point.point}")
    assert page.send(page.form(), step="send", **TYPED).status == 200
    return point


def _entries(parts, kind):
    with parts.database.read() as tx:
        said = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
    return [e for e in said if entry.kind(e) == kind]


def _code(parts, login: str) -> str:
    with parts.database.read() as tx:
        return staff.by_login(tx, "sunny", login).staff


def _ask(custodian: Visitor, **more: str) -> Sheet:
    page = read(custodian, "/console/grants")
    typed = {
        "purpose": "personnel",
        "form": "masked",
        "subjects": "5",
        "reason": "gate duty",
        **more,
    }
    return page.send(page.with_field("subjects"), ("circumstance", "residential-entry"), **typed)


def _approve(approver: Visitor) -> Sheet:
    page = read(approver, "/console/approvals")
    return page.send(page.forms[-2])


def _upload(visitor: Visitor, name: str, content: bytes) -> Any:
    form = read(visitor, "/console/points/new/residential-entry").with_field("file")
    return visitor.post(
        form.action, data=dict(form.values), files={"file": (name, content, "text/csv")}
    )


class TestPoint:
    def test_from_the_standard_to_the_poster(self, custodian, parts):
        town.assess(parts, "sunny", "residential-entry")
        page = read(custodian, "/console/points/new")
        assert "The gate of a housing compound" in page.text
        page = read(
            custodian,
            "/console/points/new/residential-entry",
        )
        assert "You must not ask" in page.text
        form = page.with_field("zh")
        ticked = [v for n, v in form.values if n == "field"]
        assert set(ticked) >= {"identity_name", "contact_mobile", "health_temperature"}
        page = page.send(form, zh="东门", en="East Gate")
        assert page.path.startswith("/console/points/sunny.")
        assert "The point is open" in page.text
        poster = custodian.get(f"{page.path}/poster.pdf")
        assert poster.content.startswith(b"%PDF")
        assert poster.headers["content-type"] == "application/pdf"

    def test_what_only_stands_in_for_something_finer_is_not_ticked_beside_it(self, custodian):
        page = read(
            custodian,
            "/console/points/new/supplies",
        )
        ticked = [v for n, v in page.with_field("zh").values if n == "field"]
        assert "contact_address" in ticked
        assert "contact_area" not in ticked

    def test_what_must_not_be_asked_is_said_in_words(self, custodian):
        page = read(
            custodian,
            "/console/points/new/supplies",
        )
        assert "Any biometric feature" in page.text
        assert "It can never be changed" in page.text
        assert "biometric.*" not in re.sub(r"never/\S+", "", page.text)  # but in the rule's name

    def test_without_an_assessment_it_is_refused_with_the_rule_and_nothing_is_lost(self, custodian):
        page = read(
            custodian,
            "/console/points/new/residential-entry",
        )
        again = page.send(page.with_field("zh"), zh="东门", en="East Gate")
        assert again.status == 403
        assert "duty/assessment" in again.text
        assert ("zh", "东门") in again.with_field("zh").values

    def test_a_name_in_one_language_is_the_name_in_both(self, custodian, parts):
        town.assess(parts, "sunny", "residential-entry")
        page = read(custodian, "/console/points/new/residential-entry")
        page = page.send(page.with_field("zh"), zh="东门")
        assert "东门" in page.text

    def test_a_way_that_is_allowed_only_higher_up_says_from_which_level(
        self, custodian, parts, clock
    ):
        clock.forward(minutes=1)
        town.level(parts, "IV")
        page = read(custodian, "/console/points/new/residential-entry?method=paper")
        assert "At this level you may ask nothing" in page.text
        assert page.text.count("From Level II") >= 3

    def test_without_an_emergency_it_says_so(self, custodian, parts, clock):
        clock.forward(minutes=1)
        town.level(parts, "E")
        page = read(custodian, "/console/points/new/supplies")
        assert page.path == "/console/points/new"
        assert "no point can be opened" in page.text

    def test_from_a_form_that_asks_too_much(self, custodian, parts):
        town.assess(parts, "sunny", "residential-entry")
        answer = _upload(custodian, "gate.csv", "姓名,手机号,身份证号,体温,宗教信仰\n".encode())
        judged = Sheet(custodian, answer)
        assert judged.status == 200
        assert "身份证号" in judged.text
        assert "never/residential-entry/identity.resident-id" in judged.text
        page = judged.send(judged.with_field("zh"), zh="东门", en="East Gate")
        assert page.path.startswith("/console/points/sunny.")

    def test_a_broken_file_gets_one_clear_error(self, custodian):
        assert _upload(custodian, "x.xlsx", b"PK\x03\x04broken").status_code == 422

    def test_the_count_is_of_all_days(self, custodian, given, parts):
        """What was committed to the log this morning counts as much as what came since."""
        with parts.database.write() as tx:
            tally.commit_counts(tx, parts.log, standard_ref=parts.standard.ref, now=parts.now())
        page = read(custodian, f"/console/points/{given.point}/count")
        assert "Given 1" in page.text
        assert 'data-label="Given">1<' in read(custodian, "/console/points").html

    def test_closing_says_so_in_public(self, custodian, given, parts):
        page = read(custodian, f"/console/points/{given.point}")
        page.send(page.to("/close"), reason="moved")
        assert [e.reason for e in _entries(parts, "point-closed")] == ["moved"]
        assert read(custodian, f"/c/sunny/{given.point}").status == 410


class TestOpening:
    def test_a_list_shows_no_value(self, custodian, given):
        page = read(custodian, "/console/records/sunny/1")
        assert "Record 0" in page.text
        assert not [v for v in TYPED.values() if v in page.html]

    def test_without_a_grant_nothing_can_be_opened(self, custodian, given):
        assert "can't be opened" in read(custodian, "/console/records/sunny/1").text

    def test_asked_approved_opened_masked_and_seen_by_its_person(
        self, custodian, approver, given, parts
    ):
        assert "another person must approve" in _ask(custodian).text
        assert "Approved" in _approve(approver).text
        page = read(custodian, "/console/records/sunny/1")
        opened = page.send(page.to("/open/sunny"), ("place", "1:0"))
        assert "张**" in opened.text
        assert TYPED["f.mobile"] not in opened.html
        assert opened.headers["cache-control"] == "no-store"
        decisions = _entries(parts, "decision")
        assert [(d.verdict, d.count) for d in decisions] == [("opened", 1)]

    def test_going_back_to_it_opens_nothing_anew(self, custodian, approver, given, parts, clock):
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1")
        opened = page.send(page.to("/open/sunny"), ("place", "1:0"))
        assert "张**" in read(custodian, opened.path).text
        assert len(_entries(parts, "decision")) == 1
        clock.forward(minutes=16)
        assert "张**" not in read(custodian, opened.path).text

    def test_another_member_of_staff_is_not_shown_it(self, custodian, approver, given, parts, site):
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1")
        opened = page.send(page.to("/open/sunny"), ("place", "1:0"))
        other = badge(parts, site, "sunny", "sun", "custodian")
        assert read(other, opened.path).status == 403

    def test_a_refusal_names_the_rule_and_stands_in_the_log(
        self, custodian, approver, given, parts
    ):
        _ask(custodian, form="raw")
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1")
        form = page.to("/open/sunny")
        code = re.search(r'<option value="(g-[a-z0-9]+)"', page.html)[1]
        revoked = read(custodian, "/console/grants")
        revoked.send(revoked.to("/revoke"))
        refused = page.send(form, ("place", "1:0"), ("grant", code))
        assert "Not opened" in refused.text
        assert "grant/" in refused.text
        assert [d.verdict for d in _entries(parts, "decision")] == ["refused"]

    def test_found_by_a_telephone_that_stands_in_no_address(self, custodian, approver, given):
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/records")
        found = page.send(
            page.with_field("value"), category="contact.mobile", value=TYPED["f.mobile"]
        )
        assert "Found: 1" in found.text
        assert TYPED["f.mobile"] not in found.html
        assert found.path == "/console/records/search/sunny"

    def test_who_asked_cannot_approve(self, parts, site, given):
        both = badge(parts, site, "sunny", "both", "custodian", "approver")
        _ask(both)
        assert "another person decides" in read(both, "/console/approvals").text
        page = read(both, "/console/grants")
        code = re.search(r"<code>(g-[a-z0-9]+)</code>", page.html)[1]
        answer = both.post(
            f"/console/approvals/grants/sunny/{code}",
            data={"csrf": page.value("csrf"), "verdict": "approve"},
        )
        assert answer.status_code == 403


def _again(page: Sheet) -> str:
    """Return the address under which the progress of a run is looked at again, in the page's language."""
    return [href for href, _ in page.links if "since=" in href][-1]


class TestEnding:
    def test_what_is_due_is_said_run_and_certified(self, custodian, given, clock, parts):
        clock.forward(days=40)
        renew(parts, custodian, "sunny", "wang")
        page = read(custodian, "/console/destruction")
        assert "due now" in page.text
        done = page.send(page.to("/run"))
        assert "certificates are in the log" in done.text
        assert sum(c.destroyed for c in _entries(parts, "certificate")) >= 1
        assert done.path == "/console/destruction/run"
        again = read(custodian, _again(done))
        assert "certificates are in the log" in again.text

    @pytest.mark.usefixtures("given")
    def test_a_run_that_takes_long_is_left_and_found_again(self, parts, clock):
        clock.forward(days=40)
        arrived, go_on = threading.Event(), threading.Event()

        def step(name):
            if name == "keys":
                arrived.set()
                assert go_on.wait(60)

        slow = create_app(replace(parts, tools=replace(parts.tools, step=step)))
        custodian = badge(parts, slow, "sunny", "li", "custodian")
        page = read(custodian, "/console/destruction")
        try:
            during = page.send(page.to("/run"))
            assert arrived.is_set()
            assert "You can leave this page" in during.text
            assert "count.js" in during.html
        finally:
            go_on.set()
        address = _again(during)
        for _ in range(600):
            later = read(custodian, address)
            if "You can leave this page" not in later.text:
                break
            time.sleep(0.05)
        assert "certificates are in the log" in later.text
        assert "count.js" not in later.html

    @pytest.mark.parametrize("since", ["", "x", "-1", "99999999999999", "1e3"])
    def test_a_beginning_that_is_none_is_refused(self, custodian, since):
        assert read(custodian, f"/console/destruction/run?since={since}").status == 422

    def test_a_hold_keeps_it_and_is_public(self, custodian, given, parts, clock):
        town.assess(parts, "sunny", "hold")
        page = read(custodian, "/console/destruction/1")
        form = page.to("/holds")
        until = (clock() + timedelta(days=20)).date().isoformat()
        held = page.send(form, until=until)
        assert "Held until" in held.text
        assert len(_entries(parts, "hold")) == 1

    def test_an_order_before_the_day_is_refused_with_the_rule(self, custodian, given):
        page = read(custodian, "/console/destruction/1")
        form = page.to("/orders")
        refused = page.send(form, ("part", "3-IV"))
        assert refused.status == 409
        assert "retain/residential-entry" in refused.text


class TestLevel:
    @pytest.fixture
    def authority(self, parts, site):
        return badge(parts, site, "jinan", "chen", "custodian")

    def test_what_would_follow_is_shown_before(self, authority, given, parts):
        page = read(authority, "/console/levels/jinan/outbreak-7?level=N")
        assert "may no longer be asked" in page.text
        assert "Body temperature" in page.text
        assert "sunny/outbreak-7/residential-entry" in page.text
        assert len(_entries(parts, "level")) == 1

    def test_it_is_set_and_notices_are_issued_anew(self, authority, given, parts, clock):
        clock.forward(minutes=5)
        page = read(authority, "/console/levels/jinan/outbreak-7?level=I")
        done = page.send(page.with_field("instrument"), instrument="2026-8")
        assert "The level is in force" in done.text
        assert _entries(parts, "notice")[-1].level == "I"

    def test_only_the_authority_sets_it(self, custodian, given):
        page = read(custodian, "/console/levels/jinan/outbreak-7?level=I")
        assert "Confirm" not in page.text
        answer = custodian.post(
            "/console/levels/jinan/outbreak-7", data={"csrf": page.value("csrf"), "level": "I"}
        )
        assert answer.status_code == 403

    def test_an_emergency_is_declared_by_a_government_alone(self, authority, custodian, parts):
        page = read(authority, "/console/levels")
        made = page.send(
            page.with_field("emergency"),
            zh="洪水",
            en="Flood",
            emergency="flood-1",
            kind="natural-disaster",
        )
        assert made.path == "/console/levels/jinan/flood-1"
        assert "Declare an emergency" not in read(custodian, "/console/levels").text


class TestRights:
    @pytest.mark.parametrize(
        ("role", "closed"),
        [
            (
                "collector",
                ["records", "grants", "approvals", "destruction", "accounts", "oversight"],
            ),
            ("custodian", ["approvals", "accounts", "oversight"]),
            ("approver", ["points", "records", "accounts", "oversight"]),
            ("supervisor", ["points", "records", "grants", "approvals", "accounts"]),
            (
                "administrator",
                ["points", "records", "grants", "approvals", "destruction", "oversight"],
            ),
            ("operator", ["points", "records", "grants", "approvals", "destruction", "accounts"]),
        ],
    )
    def test_each_role_reaches_its_parts_alone(self, parts, site, role, closed):
        visitor = badge(parts, site, "sunny", "wang", role)
        home = read(visitor, "/console")
        assert home.status == 200
        for part in closed:
            assert read(visitor, f"/console/{part}").status == 403
            assert f'href="/console/{part}"' not in home.html

    def test_a_new_account_shows_its_password_once(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/accounts")
        made = page.send(page.with_field("login"), ("role", "custodian"), login="li")
        assert "shown this once" in made.text
        assert made.headers["cache-control"] == "no-store"

    def test_what_was_disabled_and_given_back_signs_in_anew(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        wang = badge(parts, site, "sunny", "wang", "custodian")
        csrf, path = (
            read(admin, "/console/accounts").value("csrf"),
            f"/console/accounts/{_code(parts, 'wang')}",
        )
        for roles in ([], ["custodian"]):
            assert admin.post(path, data={"csrf": csrf, "role": roles}).status_code == 303
        assert read(wang, "/console").path == "/console/sign-in"

    @pytest.mark.parametrize(
        ("language", "says"),
        [("zh", "由另一位管理员更改"), ("en", "another administrator changes")],
    )
    def test_nobody_changes_or_disables_their_own_account(self, parts, site, language, says):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        csrf = read(admin, "/console/accounts").value("csrf")
        path = f"/console/accounts/{_code(parts, 'admin')}?lang={language}"
        for roles in ([], ["custodian"], ["administrator"]):
            answer = admin.post(path, data={"csrf": csrf, "role": roles})
            assert answer.status_code == 403
            assert says in answer.text
        with parts.database.read() as tx:
            assert staff.by_login(tx, "sunny", "admin").roles == {"administrator"}

    def test_roles_that_must_be_apart_are_refused(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/accounts")
        both = (("role", "operator"), ("role", "custodian"))
        assert page.send(page.with_field("login"), *both, login="li").status == 400

    def test_a_supervisor_reads_who_saw_what_and_changes_nothing(
        self, parts, site, custodian, approver, given
    ):
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1")
        page.send(page.to("/open/sunny"), ("place", "1:0"))
        supervisor = badge(parts, site, "jinan", "qian", "supervisor")
        seen = read(supervisor, "/console/oversight?org=sunny")
        assert "opened" in seen.text
        assert [f for f in seen.forms if f.method == "post" and "sign-out" not in f.action] == []


class TestPapers:
    def test_an_assessment_is_known_by_the_hash_of_its_report(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/papers")
        form = page.with_field("report")
        answer = admin.post(
            form.action,
            data={
                "csrf": dict(form.values)["csrf"],
                "about": "supplies",
                "date": "2026-03-01",
                "until": "2027-03-01",
            },
            files={"report": ("report.pdf", b"a report", "application/pdf")},
        )
        assert answer.status_code == 303
        assert [a.sha256 for a in _entries(parts, "assessment")] == [
            sha256(b"a report").hexdigest()
        ]


@pytest.mark.usefixtures("given")
class TestRequests:
    def _asked(self, custodian):
        page = read(custodian, "/console/records/sunny/1/0")
        return page.send(page.to("/console/requests/1/0"), reason="objection")

    def test_a_lost_receipt_takes_two_persons_and_then_it_is_gone(self, custodian, approver, parts):
        page = self._asked(custodian)
        assert "waiting" in page.text
        assert _entries(parts, "erasure") == []
        page = read(approver, "/console/approvals")
        done = page.send(next(f for f in page.forms if ("verdict", "approve") in f.values))
        assert "the record is destroyed" in done.text
        assert [e.reason for e in _entries(parts, "erasure")] == ["objection"]
        assert len(_entries(parts, "erased")) == 1
        assert "approved and destroyed" in read(custodian, "/console/requests").text

    def test_who_recorded_it_cannot_approve_it(self, parts, site):
        both = badge(parts, site, "sunny", "both", "custodian", "approver")
        self._asked(both)
        page = read(both, "/console/approvals")
        assert "another person decides" in page.text
        with parts.database.read() as tx:
            (asked,) = requests.listing(tx, "sunny")
        answer = both.post(
            f"/console/approvals/requests/sunny/{asked.request}",
            data={"csrf": page.value("csrf"), "verdict": "approve"},
        )
        assert answer.status_code == 403
        assert _entries(parts, "erasure") == []

    def test_an_organisation_beside_it_sees_nothing(self, custodian, parts, site):
        self._asked(custodian)
        beside = badge(parts, site, "lishan-cdc", "qian", "approver")
        assert "Nothing waits" in read(beside, "/console/approvals").text

    def test_every_part_that_is_named_has_a_page(self, parts, site):
        """A custodian reaches each part of the console that the menu names."""
        everyone = badge(
            parts,
            site,
            "sunny",
            "all",
            "custodian",
            "approver",
            "supervisor",
            "analyst",
            "collector",
        )
        home = read(everyone, "/console")
        paths = {href for href, _ in home.links if href.startswith("/console")}
        assert "/console/requests" in paths
        assert {p: s for p in paths if (s := read(everyone, p).status) != 200} == {}


class TestWhatPeopleSaw:
    def test_each_version_of_the_notice_with_its_counts(self, given, custodian, parts):
        with parts.database.write() as tx:
            tally.keep(tx, parts.tally.take(), now=parts.now())
            tally.commit_counts(tx, parts.log, standard_ref=parts.standard.ref, now=parts.now())
        page = read(custodian, f"/console/points/{given.point}")
        assert "What people saw, version by version" in page.text
        version = read(custodian, f"/console/points/{given.point}/notice/1")
        assert "given 1" in version.text
        assert read(custodian, f"/console/points/{given.point}/notice/9").status == 404


@pytest.mark.usefixtures("given")
class TestOversight:
    def test_every_organisation_has_its_row_and_the_overdue_one_stands_out(
        self, parts, site, clock
    ):
        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        clock.forward(days=40)
        renew(parts, inspector, "jinan", "wu")
        page = read(inspector, "/console/oversight")
        assert "All organisations" in page.text
        row = re.findall(r"<tr><td><a[^>]*org=sunny.*?</tr>", page.html, re.DOTALL)[0]
        assert '<span class="tag bad">' in row
        one = read(inspector, "/console/oversight?org=sunny")
        assert "All organisations" not in one.text
        assert "Overdue: " in one.text
