"""The officer's day: what waits, who saw what, the calendar, the log, the settings."""

import csv
import html
import io
import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
import town
from sheet import read
from staff_room import badge, renew
from test_console import _approve, _ask
from test_resident import TYPED, _fields
from visitor import Visitor

from epilock.collect import reissue
from epilock.db import microseconds
from epilock.destroy import request as requests
from epilock.destroy.erasure import REASONS
from epilock.registry import emergency as emergencies
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.use import aggregate, search
from epilock.use import decision as decisions
from epilock.use.release import register
from epilock.web.console import log as log_page


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
            emergencies.change_level(
                tx, parts.log, standard_ref=parts.standard.ref, authority="jinan",
                emergency="outbreak-7", level="III", issuer="x", instrument="8",
                date_=date(2026, 3, 14), now=clock(), expected_end=date(2026, 3, 15),
            )  # fmt: skip
        reissue.go_on(parts.database, parts.press, now=clock)
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

    def test_a_record_that_is_opened_again_is_one_record(self, custodian):
        page = read(custodian, "/console/grants")
        code = re.search(r"<code>(g-[a-z0-9]+)</code>", page.html)[1]
        again = {"csrf": page.value("csrf"), "place": "1:0", "grant": code}
        assert custodian.post("/console/records/open/sunny", data=again).is_redirect
        page = read(custodian, "/console/seen/extract")
        lines = re.findall(
            r'Times">(\d+)</td><td class="number" data-label="Different records">(\d+)', page.html
        )
        assert sorted(lines) == [("1", "1"), ("2", "1")]

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
            tx.insert(
                register.releases, **told, release="r-1", grant="g-1", purpose="research",
                emergency="outbreak-7", circumstance="residential-entry", since="2026-03-01",
                until="2026-03-14", question={}, parts=[], verdict="opened", rule="use/research",
                number=1, stage="approved", changed=parts.now(), left_index=4,
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
        page = read(custodian, "/console/seen/releases?stage=approved")
        assert "handed out" in page.text
        assert any(href.startswith("/log/entry/4") for href, _ in page.links)
        assert "Nothing fits" in read(custodian, "/console/seen/releases?stage=failed").text
        for other in ("counts", "releases"):
            assert read(custodian, f"/console/seen/{other}?org=jinan").status == 403

    def test_another_organisations_is_the_supervisors_alone(self, custodian, parts, site):
        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        page = read(inspector, "/console/seen?org=sunny")
        assert "Management of persons on site" in page.text
        assert all("org=sunny" in href for href, _ in page.links if "export=csv" in href)
        assert read(custodian, "/console/seen?org=jinan").status == 403


class TestManyBuckets:
    """What a year of decisions is about is looked up together: a query for each would be thousands of them."""

    @pytest.mark.parametrize("path", ["", "/extract", "/auditevents.json"])
    def test_as_many_queries_as_for_one(self, custodian, given, parts, clock, path):
        self.decide(parts, clock(), range(1))
        few = self.queries(parts, custodian, path)
        self.decide(parts, clock(), range(1, 40))
        assert self.queries(parts, custodian, path) == few

    def test_each_decision_names_its_own(self, custodian, given, parts, clock):
        self.decide(parts, clock(), range(40))
        events = custodian.get("/console/seen/auditevents.json").json()["entry"]
        named = [each["resource"]["entity"][0]["what"]["identifier"]["value"] for each in events]
        assert named == [f"sunny/old/{n}" for n in range(40)]

    def decide(self, parts, now, numbers):
        """Write one decision about each of some buckets more, the latest first."""
        at = microseconds(now)
        with parts.database.write() as tx:
            tx.bulk(
                buckets.buckets,
                [
                    ("sunny", 100 + n, f"sunny/old/{n}", "jinan", "outbreak-7", "residential-entry",
                     "2026-03-01", "collection", at, 0)
                    for n in numbers
                ],
            )  # fmt: skip
            tx.bulk(
                decisions.decisions,
                [
                    ("sunny", f"d-made-up-{n:02}", "s-made-up", "sunny", None, "personnel", "masked",
                     "opened", "see/x", f"[[{100 + n},0]]", "[]", False, at - n, n)
                    for n in numbers
                ],
            )  # fmt: skip

    def queries(self, parts, who, path):
        """Return how many statements the page takes, once what is looked up once was."""
        found = []

        def watch(raw, _):
            raw.set_trace_callback(found.append)

        engine = parts.database.engine
        who.get(f"/console/seen{path}")
        sa.event.listen(engine, "connect", watch)
        engine.dispose()
        try:
            assert who.get(f"/console/seen{path}").status_code == 200
        finally:
            sa.event.remove(engine, "connect", watch)
            engine.dispose()
        return len(found)


class TestCalendar:
    def test_a_day_of_it_shows_what_goes_then(self, custodian, given, parts):
        page = read(custodian, "/console/destruction")
        days = re.findall(r"day=(\d{4}-\d\d-\d\d)", page.html)
        assert days
        one = read(custodian, f"/console/destruction?day={days[0]}")
        said = re.search(rf"day={days[0]}[^>]*><strong>(\d+)", page.html)
        assert len(re.findall("<code>retain|<code>step", one.html)) == int(said[1])
        assert read(custodian, "/console/destruction?day=tomorrow").status == 400

    def test_it_is_sorted_filtered_and_taken_away(self, custodian, given):
        page = read(custodian, "/console/destruction")
        turned = read(custodian, next(h for h, _ in page.links if "order=-due" in h))
        assert 'aria-sort="descending"' in turned.html
        dues = [re.findall(r"<code>(\d-[IVN]+)</code>", p.html) for p in (page, turned)]
        assert dues[0] == dues[1][::-1]
        assert len(dues[0]) > 1
        assert "Nothing fits" in read(custodian, "/console/destruction?state=due").text
        answer = custodian.get(next(h for h, _ in turned.links if "export=csv" in h))
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [r["part"] for r in rows] == dues[1]
        assert {r["state"] for r in rows} == {"waits"}
        assert set(rows[0]) >= {"last_day", "circumstance", "day", "bucket", "rule", "held_until"}

    def test_a_last_day_is_the_same_day_wherever_it_stands(self, custodian, given, parts):
        """Calendar, list of holds, public log and files say the last day, not the midnight after it."""
        town.assess(parts, "sunny", "hold")
        (first, *_) = re.findall(
            r"the end of (\d+ \w+ \d{4})", read(custodian, "/console/destruction").text
        )
        answer = custodian.get("/console/destruction?export=csv")
        last = next(iter(csv.DictReader(io.StringIO(answer.text))))["last_day"]
        assert first == f"{date.fromisoformat(last):%-d %B %Y}"
        page = read(custodian, "/console/destruction/1")
        page.send(page.to("/holds"), until="2026-04-20")
        for path in ("/console/destruction", "/console/destruction/holds", "/log"):
            shown = read(custodian, path).text
            assert "the end of 20 April 2026" in shown, path
            assert "21 April 2026" not in shown, path
        answer = custodian.get("/console/destruction?export=csv&state=held")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert {row["held_until"] for row in rows} == {"2026-04-20"}

    def test_a_day_of_the_calendar_names_its_month_in_words(self, custodian, given):
        """12/4 would be another day to readers of another country."""
        english = read(custodian, "/console/destruction?lang=en").text
        assert "9 Mar" in english
        assert "1 Apr" in english
        assert not re.search(r"\b\d{1,2}/ ?\d{1,2}\b", english)
        assert "4月1日" in read(custodian, "/console/destruction?lang=zh").text

    def test_what_lies_in_a_part_and_what_a_rule_says_stands_in_plain_words(self, custodian, given):
        page = read(custodian, "/console/destruction")
        assert "days from collection, then" in page.text
        assert 'title="Grade 3, may be asked from Level IV on"' in page.html
        bucket = next(h for h, _ in page.links if re.search(r"/destruction/\d+", h))
        for path in (bucket, "/console/records/sunny/1/0"):
            shown = read(custodian, path)
            assert "days from collection, then" in shown.text
            assert "mobile" in shown.text.lower()
        chinese = read(custodian, "/console/destruction?lang=zh")
        assert "信息三级，响应为四级时起可以收集" in chinese.html
        assert "收集后" in chinese.text

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

    def test_days_bound_it_either_way_round_and_what_fits_is_taken_away(
        self, custodian, given, clock, parts
    ):
        first = clock().astimezone(CHINA).date()
        clock.forward(days=3)
        renew(parts, custodian, "sunny", "wang")
        with parts.database.read() as tx:
            size = parts.log.size(tx)
        town.mandate(parts, "sunny", "sampling")
        later = clock().astimezone(CHINA).date()

        def indexes(query):
            answer = custodian.get(f"/console/log?export=csv&{query}")
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            assert (
                {"index", "kind", "hour", "organisation", "about"} == set(rows[0]) if rows else True
            )
            return [int(row["index"]) for row in rows]

        new = indexes(f"since={later}&order=index")
        assert new
        assert new == sorted(new)
        assert min(new) == size
        assert indexes(f"until={first}") == list(range(size))[::-1]
        assert indexes(f"since={first}&until={later}&kind=mandate&org=sunny")
        assert indexes(f"until={first - timedelta(days=1)}") == []
        assert indexes(f"since={later}&until={first}") == []
        page = read(custodian, f"/console/log?since={later}&order=index")
        shown = [
            int(h.rpartition("/")[2].partition("?")[0]) for h, _ in page.links if "/log/entry/" in h
        ]
        assert shown == new
        assert 'aria-sort="ascending"' in page.html
        assert custodian.get("/console/log?since=yesterday").status_code == 400
        assert custodian.get("/console/log?order=kind").status_code == 400

    def test_each_entry_is_met_once_whichever_way_it_is_leafed_through(
        self, custodian, given, parts, monkeypatch
    ):
        monkeypatch.setattr(log_page, "PER_PAGE", 3)
        monkeypatch.setattr(log_page, "MOST_READ", 5)
        with parts.database.read() as tx:
            size = parts.log.size(tx)
        for order in ("-index", "index"):
            path, met = f"/console/log?order={order}", []
            while path:
                assert len(met) <= size
                page = read(custodian, path)
                met += [
                    int(h.rpartition("/")[2].partition("?")[0])
                    for h, _ in page.links
                    if "/log/entry/" in h
                ]
                found = re.search(r'href="([^"]+)" rel="next"|rel="next" href="([^"]+)"', page.html)
                path = html.unescape(found[1] or found[2]) if found else ""
            assert met == sorted(range(size), reverse=order == "-index")

    def test_no_more_is_looked_at_for_a_file_than_is_said(self, custodian, given, monkeypatch):
        monkeypatch.setattr(log_page, "MOST_SEARCHED", 3)
        answer = custodian.get("/console/log?export=csv")
        assert answer.status_code == 400
        assert "ask for fewer days" in answer.text


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
