"""The officer's day: what waits, who saw what, the calendar, the log, the settings."""

import re
from datetime import date, timedelta

import pytest
import town
from sheet import read
from staff_room import badge, renew
from test_console import _approve, _ask
from test_resident import TYPED, _fields
from visitor import Visitor

from epilock.collect import issue
from epilock.destroy import request as requests
from epilock.destroy.erasure import REASONS
from epilock.use import aggregate, search


@pytest.fixture
def given(parts, site):
    """A point that took one record."""
    town.mandate(parts, "sunny", "residential-entry")
    point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)
    page = _fields(Visitor(site), f"/c/sunny/{point.point}")
    assert page.send(page.form(), step="send", **TYPED).status == 200
    return point


@pytest.fixture
def custodian(parts, site):
    return badge(parts, site, "sunny", "wang", "custodian")


@pytest.fixture
def approver(parts, site):
    return badge(parts, site, "jinan", "zhao", "approver")


@pytest.fixture
def opened(custodian, approver, given):
    """One record was opened under a grant, and one opening refused."""
    _ask(custodian)
    _approve(approver)
    page = read(custodian, "/console/records/sunny/1")
    form = page.to("/open/sunny")
    assert "张**" in page.send(form, ("place", "1:0")).text
    revoke = read(custodian, "/console/grants")
    revoke.send(revoke.to("/revoke"))
    assert "Not opened" in page.send(form, ("place", "1:0")).text


class TestToday:
    def test_an_empty_page_means_that_nothing_waits(self, custodian, approver, parts, site):
        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        for who in (custodian, approver, inspector):
            assert "Nothing waits" in read(who, "/console").text

    def test_an_approver_sees_each_kind_with_its_age_and_limit(
        self, custodian, approver, given, parts, clock
    ):
        _ask(custodian)
        with parts.database.write() as tx:
            requests.ask(
                tx, org="sunny", bucket=1, n=0, reason=next(iter(REASONS)), by="s-someone",
                now=clock(),
            )  # fmt: skip
        clock.forward(days=2)
        renew(parts, approver, "jinan", "zhao")
        page = read(approver, "/console")
        assert "requests for a grant, to be decided" in page.text
        assert "days: 2" in page.text
        assert "Decide by 29 March 2026 09:00; days left: 13" in page.text
        clock.forward(days=14)
        renew(parts, approver, "jinan", "zhao")
        assert "was to be decided by 29 March 2026" in read(approver, "/console").text
        page = read(approver, "/console/approvals?kind=erasure")
        assert "late" in page.text
        assert "Request for a grant" not in page.text

    def test_a_level_past_its_expected_end_is_the_authoritys_to_decide_again(
        self, custodian, parts, site, clock
    ):
        clock.forward(minutes=5)
        with parts.database.write() as tx:
            issue.change_level(
                tx, parts.press, authority="jinan", emergency="outbreak-7", level="III",
                issuer="x", instrument="8", date_=date(2026, 3, 14), now=clock(),
                expected_end=date(2026, 3, 15),
            )  # fmt: skip
        authority = badge(parts, site, "jinan", "chen", "custodian")
        assert "Nothing waits" in read(authority, "/console").text
        clock.forward(days=2)
        renew(parts, authority, "jinan", "chen")
        renew(parts, custodian, "sunny", "wang")
        assert "past its expected end" in read(authority, "/console").text
        assert "past its expected end" not in read(custodian, "/console").text

    def test_what_is_due_is_the_custodians_and_what_is_overdue_the_supervisors_too(
        self, custodian, given, parts, site, clock
    ):
        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        clock.forward(days=40)
        renew(parts, custodian, "sunny", "wang")
        renew(parts, inspector, "jinan", "wu")
        assert "parts that should be gone by now" in read(custodian, "/console").text
        page = read(inspector, "/console")
        assert "parts of any organisation that should be gone by now" in page.text
        renew(parts, custodian, "sunny", "wang")
        due = read(custodian, "/console/destruction")
        due.send(due.to("/run"))
        assert "should be gone" not in read(custodian, "/console").text


@pytest.mark.usefixtures("opened")
class TestWhoSawWhat:
    def test_in_words_with_the_proof_and_without_what_was_given(self, custodian):
        page = read(custodian, "/console/seen")
        assert "Management of persons on site" in page.text
        assert "Sunny Garden Committee" in page.text
        assert len(re.findall(r'href="/log/entry/\d+', page.html)) == 2
        assert not [v for v in TYPED.values() if v in page.html]
        refused = read(custodian, "/console/seen?verdict=refused").html
        assert len(re.findall(r'href="/log/entry/\d+', refused)) == 1

    def test_between_other_days_nobody_did(self, custodian):
        page = read(custodian, "/console/seen?since=2026-03-01&until=2026-03-13")
        assert "Nothing fits" in page.text

    def test_the_extract_has_sums(self, custodian):
        page = read(custodian, "/console/seen/extract?since=2026-03-14&until=2026-03-14")
        assert "14 March 2026 – 14 March 2026" in page.text
        assert page.html.count("Sunny Garden Committee</td>") == 2  # opened once, refused once
        assert read(custodian, "/console/seen/extract?since=&until=").status == 200

    def test_as_fhir_audit_events(self, custodian):
        answer = custodian.get("/console/seen/auditevents.json")
        assert answer.headers["content-type"] == "application/fhir+json"
        assert answer.headers["cache-control"] == "no-store"
        events = [e["resource"] for e in answer.json()["entry"]]
        assert sorted(e["outcome"] for e in events) == ["0", "4"]
        assert not [v for v in TYPED.values() if v in answer.text]

    def test_searches_and_counts_stand_beside_the_openings(self, custodian, parts):
        with parts.database.write() as tx:
            told = {
                "org": "sunny",
                "by": "s-1",
                "by_org": "jinan",
                "at": parts.now(),
                "entry_index": 3,
            }
            tx.insert(
                search.searches, **told, search="f-1", grant="g-1", emergency="outbreak-7",
                category="contact.mobile", found=2,
            )  # fmt: skip
            tx.insert(
                aggregate.aggregates, **told, decision="d-1", grant=None,
                purpose="situation-monitoring", emergency="outbreak-7",
                circumstance="residential-entry", since="2026-03-01", until="2026-03-14",
                counted="by day", verdict="refused", rule="too-few", question=1, days={},
            )  # fmt: skip
        page = read(custodian, "/console/seen")
        assert "/console/seen/searches" in [href.partition("?")[0] for href, _ in page.links]
        page = read(custodian, "/console/seen/searches")
        assert "Jinan" in page.text
        assert "Mobile" in page.text
        assert any(href.startswith("/log/entry/3") for href, _ in page.links)
        rows = custodian.get("/console/seen/searches?export=csv").text.splitlines()
        assert rows[1].endswith(",f-1,s-1,jinan,g-1,outbreak-7,contact.mobile,2,3")
        assert (
            "Nothing fits" in read(custodian, "/console/seen/searches?category=identity.name").text
        )
        page = read(custodian, "/console/seen/counts?verdict=refused")
        assert "too-few" in page.text
        assert "Nothing fits" in read(custodian, "/console/seen/counts?verdict=opened").text
        assert read(custodian, "/console/seen/counts?org=jinan").status == 403

    def test_another_organisations_is_the_supervisors_alone(self, custodian, parts, site):
        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        page = read(inspector, "/console/seen?org=sunny")
        assert "Management of persons on site" in page.text
        assert all("org=sunny" in href for href, _ in page.links if "export=csv" in href)
        assert read(custodian, "/console/seen?org=jinan").status == 403


class TestCalendar:
    def test_a_day_of_it_shows_what_goes_then(self, custodian, given, parts):
        page = read(custodian, "/console/destruction")
        days = re.findall(r"day=(\d{4}-\d\d-\d\d)", page.html)
        assert days
        one = read(custodian, f"/console/destruction?day={days[0]}")
        assert f"Parts: {len(re.findall('<code>retain|<code>step', one.html))}" in one.text
        assert read(custodian, "/console/destruction?day=tomorrow").status == 400

    def test_a_lower_level_is_counted_before_it_is_set(self, given, parts, site):
        authority = badge(parts, site, "jinan", "chen", "custodian")
        page = read(authority, "/console/levels/jinan/outbreak-7?level=N")
        assert "Points whose notice is issued anew 1" in page.text
        assert "Things that may no longer be asked 0" not in page.text


class TestLog:
    def test_entries_of_one_kind_lead_to_their_proofs(self, custodian, given):
        page = read(custodian, "/console/log?org=sunny&kind=point")
        entries = [href for href, _ in page.links if href.startswith("/log/entry/")]
        assert len(entries) == 1
        proof = read(custodian, entries[0])
        assert given.point in proof.text
        assert 'id="check-proof"' in proof.html

    def test_leafing_back_ends_at_the_first_entry(self, custodian, given):
        page = read(custodian, "/console/log?before=1")
        assert "Entry 0" in page.text
        assert 'rel="next"' not in page.html


class TestSettings:
    def test_they_are_shown_without_a_secret(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/settings")
        assert "EPILOCK_COOLING_HOURS" in page.text
        assert "24 hours" in page.text
        assert str(parts.settings.home) not in page.html
        assert [f for f in page.forms if f.method == "post" and "sign-out" not in f.action] == []

    def test_what_each_role_reaches_stands_beside_the_accounts(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/accounts?role=administrator")
        assert "What each role reaches" in page.text
        assert read(admin, "/console/accounts?role=custodian").text.count("not signed in yet") == 0


class TestOversight:
    def test_what_came_and_went_is_a_picture_and_a_table(self, given, parts, site, clock):
        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        page = read(inspector, "/console/oversight?org=sunny")
        assert '<rect class="came"' in page.html
        assert "9 March 2026 1 0" in page.text
        clock.instant += timedelta(days=40)
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        due = read(custodian, "/console/destruction")
        due.send(due.to("/run"))
        renew(parts, inspector, "jinan", "wu")
        assert '<rect class="went"' in read(inspector, "/console/oversight?org=sunny").html
