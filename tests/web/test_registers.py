"""The registers of the console as lists: what their filters find, their order, their pages and their files."""

import csv
import html
import io
import os
import re
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
import town
from sheet import Form, read
from staff_room import badge

from epilock.accounts import staff
from epilock.collect import offline, paper
from epilock.collect.intake import register
from epilock.deidentify.noise import budget
from epilock.deidentify.pseudonyms import study
from epilock.registry import emergency, mandate
from epilock.standard.load import load
from epilock.store import bucket as buckets
from epilock.use import allotment
from epilock.use.aggregate import aggregates
from epilock.use.release.register import releases
from epilock.web.console import allotted, asked, brought, listing, papers, shelf
from epilock.web.console import offline as offline_page
from epilock.web.console import study as study_page
from epilock.web.console.listing import PER_PAGE

ROWS = PER_PAGE + 7
STANDARD = load()
NEXT = re.compile(r'rel="next" href="([^"]+)"')


def put(parts, table, rows) -> None:
    """Write rows given by the names of their columns."""
    with parts.database.write() as tx:
        for row in rows:
            tx.insert(table, **row)


def taken(visitor, path: str) -> list[dict[str, str]]:
    """What the link of a list's page that takes it away gives."""
    link = next(href for href, _ in read(visitor, path).links if "export=csv" in href)
    return list(csv.DictReader(io.StringIO(visitor.get(link).text)))


def _asking(visitor, page, ends: str) -> list[Form]:
    """The forms of the page that asks before the act of the first row whose address ``ends`` so."""
    href = next(href for href, _ in page.links if href.partition("?")[0].endswith(ends))
    asked = read(visitor, href)
    return [f for f in asked.forms if f.action.partition("?")[0].endswith(ends)]


def leafed(visitor, path: str) -> list[str]:
    """The pages of a list from its first to its last, by their links."""
    found = []
    while path:
        page = read(visitor, path)
        assert page.status == 200, page.text
        found.append(page.html)
        link = NEXT.search(page.html)
        path = html.unescape(link[1]) if link else ""
    return found


@pytest.fixture
def custodian(parts, site):
    return badge(parts, site, "sunny", "wang", "custodian")


class TestImports:
    @pytest.fixture
    def lists(self, parts, clock):
        """At two points, one a day: of each third somebody is still to be told, and the last is not finished."""
        first = town.open_point(parts, "sunny", "workplace-entry", town.NAME, method="import")
        second = town.open_point(
            parts, "sunny", "workplace-entry", town.NAME, method="import", en="West Gate"
        )
        rows = [
            {
                "org": "sunny", "import_id": f"i-{n:04d}", "point": (first, second)[n % 2].point,
                "file": os.urandom(32), "targets": {}, "left_out": [], "afterwards": 1,
                "state": "running" if n == ROWS - 1 else "done", "last_row": 9, "stored": 9 + n,
                "refused": n % 4, "problems": 0, "batches": 1, "by": "s-a",
                "started": clock() + timedelta(days=n),
            }
            for n in range(ROWS)
        ]  # fmt: skip
        put(parts, register.imports, rows)
        put(parts, register.told, (
            {
                "org": "sunny", "import_id": row["import_id"], "first_row": 1, "last_row": 99, "way": "letter",
                "records": row["stored"] - (n % 3 == 0), "by": "s-a", "at": clock(),
            }
            for n, row in enumerate(rows)
        ))  # fmt: skip
        return first, second

    def test_all_are_reached_the_latest_first(self, custodian, lists):
        pages = leafed(custodian, "/console/imports")
        assert len(pages) == 2
        assert [f"i-{ROWS - 1:04d}" in page for page in pages] == [True, False]
        assert ["i-0000" in page for page in pages] == [False, True]

    def test_whose_people_are_still_to_be_told_is_a_filter(self, custodian, lists):
        rows = taken(custodian, "/console/imports?state=untold")
        assert [int(row["untold"]) for row in rows] == [1] * len(range(0, ROWS, 3))
        assert [r["import"] for r in taken(custodian, "/console/imports?state=running")] == [
            f"i-{ROWS - 1:04d}"
        ]

    def test_a_point_and_days_and_an_order_stand_in_the_address(self, custodian, lists):
        _, second = lists
        path = (
            f"/console/imports?point={second.point}&since=2026-03-20&until=2026-03-24&order=stored"
        )
        rows = taken(custodian, path)
        assert [row["stored"] for row in rows] == sorted(row["stored"] for row in rows) != []
        assert {row["point"] for row in rows} == {second.point}
        assert "West Gate" in read(custodian, path).text

    def test_the_first_page_of_the_console_leads_to_who_is_to_be_told(self, custodian, lists):
        assert any(
            "/console/imports?" in href and "state=untold" in href
            for href, _ in read(custodian, "/console").links
        )

    def test_nobody_sees_another_organisations(self, parts, site, lists):
        other = badge(parts, site, "jinan", "zhao", "custodian")
        assert "i-0" not in read(other, "/console/imports").html


class TestPages:
    """The register of pages of paper."""

    @pytest.fixture
    def point(self, parts, clock):
        """A point with a page of each day; the tenth and every tenth after it are destroyed."""
        point = town.open_paper_point(parts)
        put(parts, paper.paper_pages, (
            {
                "org": "sunny", "point": point.point, "book": "A-12", "page": n, "pages": 99, "rows": n % 7,
                "written": f"{date(2026, 3, 1) + timedelta(days=n)}", "place": "filing cabinet",
                "keyed": clock(), "keyed_by": "s-a", "due": f"{date(2026, 3, 8) + timedelta(days=n)}",
                "destroyed": clock() if n % 10 == 0 else None,
            }
            for n in range(1, ROWS + 10)
        ))  # fmt: skip
        return point

    def test_those_still_there_are_shown_first_the_next_due_on_top(self, custodian, point):
        pages = leafed(custodian, "/console/sheets")
        found = [int(n) for each in pages for n in re.findall(r"/A-12/(\d+)\"", each)]
        assert found == [n for n in range(1, ROWS + 10) if n % 10]
        assert len(pages) == 2

    def test_what_is_overdue_and_what_is_destroyed_are_found(self, custodian, point):
        overdue = taken(custodian, "/console/sheets?state=overdue")
        assert [row["page"] for row in overdue] == [str(n) for n in range(1, 6)]
        gone = taken(custodian, "/console/sheets?state=destroyed&order=-ledger")
        assert [row["page"] for row in gone] == ["60", "50", "40", "30", "20", "10"]
        everything = taken(custodian, "/console/sheets?state=all&order=ledger")
        assert [int(row["page"]) for row in everything] == list(range(1, ROWS + 10))
        assert not {"place", "org"} & everything[0].keys()

    def test_after_an_act_on_a_row_the_list_is_there_as_it_was(self, custodian, point):
        first = read(custodian, "/console/sheets?order=-due&since=2026-03-02")
        page = read(custodian, html.unescape(NEXT.search(first.html)[1]))
        (form,) = _asking(custodian, page, "/A-12/6/destroyed")
        said = custodian.post(form.action, data=dict(form.values)).headers["location"]
        asked = dict(parse_qsl(urlsplit(said).query))
        assert asked.pop("done").partition(".")[0] == "paper_destroyed"
        before = dict(parse_qsl(urlsplit(NEXT.search(first.html)[1].replace("&amp;", "&")).query))
        assert asked == {n: v for n, v in before.items() if v}
        again = read(custodian, said)
        assert "/A-12/7/destroyed" in again.html
        assert "/A-12/6/destroyed" not in again.html

    def test_whoever_chose_all_still_sees_all_after_an_act(self, custodian, point):
        page = read(custodian, "/console/sheets")
        (everything,) = re.findall(r'name="state"><option value="(\w+)">all</option>', page.html)
        page = read(custodian, f"/console/sheets?state={everything}&order=ledger")
        page = page.send(*_asking(custodian, page, "/destroyed"))
        assert "A-12" in page.text
        assert "state=destroyed" not in page.path
        assert len(re.findall("tag good", page.html)) > 1

    def test_a_page_is_found_by_the_day_on_it(self, custodian, point):
        path = f"/console/sheets?point={point.point}&since=2026-03-04&until=2026-03-05"
        assert [row["page"] for row in taken(custodian, path)] == ["3", "4"]

    def test_a_row_that_was_changed_past_the_program_is_not_shown(self, custodian, parts, point):
        with parts.database.write() as tx:
            tx.conn.execute(sa.update(paper.paper_pages).values(rows=99))
        answer = custodian.get("/console/sheets")
        assert answer.status_code == 500
        assert "A-12" not in answer.text


class TestPapers:
    """Orders, assessments and agreements: a list of each."""

    @pytest.fixture
    def orders(self, parts, clock):
        """One of each day, the last four dated after today; each fifth is over, the others have no end."""
        put(parts, mandate.mandates, (
            {
                "org": "sunny", "mandate": f"m-{n:04d}", "authority": "jinan", "emergency": "outbreak-7",
                "issuer": "Health Commission", "number": f"No. {n}", "date": f"{date(2026, 1, 1) + timedelta(days=n)}",
                "circumstances": ["supplies"] if n % 2 else ["residential-entry", "supplies"],
                "until": "2026-03-13" if n % 5 == 0 else None, "recorded": clock() + timedelta(days=n),
            }
            for n in range(ROWS + 20)
        ))  # fmt: skip

    def test_orders_in_force_are_shown_the_latest_first(self, custodian, orders):
        pages = leafed(custodian, "/console/papers")
        found = [int(n) for each in pages for n in re.findall(r"<code>m-(\d{4})", each)]
        assert found == [n for n in reversed(range(ROWS + 16)) if n % 5]
        assert len(pages) == 2

    def test_an_order_is_not_in_force_before_its_date(self, custodian, orders):
        rows = taken(custodian, "/console/papers?state=to-come&order=date")
        assert [row["mandate"] for row in rows] == ["m-0073", "m-0074", "m-0076"]

    def test_an_order_is_found_by_what_it_reaches(self, custodian, orders):
        rows = taken(
            custodian, "/console/papers?state=over&circumstance=residential-entry&order=date"
        )
        assert [row["mandate"] for row in rows] == [f"m-{n:04d}" for n in range(0, ROWS + 20, 10)]
        assert not {"issuer", "number"} & rows[0].keys()
        everything = "/console/papers?state=all&emergency=jinan/outbreak-7"
        assert len(taken(custodian, everything)) == ROWS + 20

    def test_an_assessment_and_an_agreement_are_found(self, custodian, parts, clock):
        with parts.database.write() as tx:
            mandate.record_agreement(
                tx, parts.log, standard_ref=parts.standard.ref, org="sunny", processor="jinan",
                purpose="treatment", categories=("identity.name",), until=date(2027, 1, 1), now=clock(),
            )  # fmt: skip
        town.assess(parts, "sunny", "supplies")
        (row,) = taken(custodian, "/console/papers/agreements?organisation=jinan&order=until")
        assert (row["purpose"], row["categories"]) == ("treatment", "identity.name")
        (row,) = taken(custodian, "/console/papers/assessments?about=supplies")
        assert row["about"] == "supplies"
        nothing = read(custodian, "/console/papers/assessments?about=hold&lang=en")
        assert "Nothing fits" in nothing.text

    def test_an_assessment_that_was_recorded_with_a_date_to_come_is_not_in_force(
        self, custodian, parts, site, clock
    ):
        put(parts, mandate.assessments, [{
            "org": "sunny", "assessment": "d-old", "about": "supplies", "date": "2026-05-01",
            "until": "2027-05-01", "sha256": "0" * 64, "recorded": clock(),
        }])  # fmt: skip
        path = "/console/papers/assessments"
        assert "d-old" not in read(custodian, path).text
        assert "d-old" in read(custodian, f"{path}?state=to-come").text
        clock.forward(days=60)
        assert "d-old" in read(badge(parts, site, "sunny", "li", "custodian"), path).text

    def test_what_was_typed_stays_when_something_is_wrong(self, custodian):
        page = read(custodian, "/console/papers")
        form = page.with_field("issuer")
        page = page.send(
            form, issuer="Health Commission", number="12", date="2026-03-01", until="2026-02-01"
        )
        assert page.status == 400
        assert "Health Commission" in page.html
        assert "<details open>" in page.html


class TestLevels:
    """Emergencies, and the days that another level would change."""

    PREVIEW = "/console/levels/jinan/outbreak-7?level=N"

    @pytest.fixture
    def authority(self, parts, site):
        return badge(parts, site, "jinan", "chen", "custodian")

    @pytest.fixture
    def many(self, parts, clock):
        """Buckets of many days, so that more days would change than one page shows."""
        with parts.database.write() as tx:
            for n in range(ROWS):
                day = date(2026, 3, 14) - timedelta(days=n // 4)
                where = ("residential-entry", "supplies", "workplace-entry", "school")[n % 4]
                buckets.ensure(
                    tx, parts.log, parts.keys, parts.standard, org="sunny", authority="jinan", now=clock(),
                    emergency="outbreak-7", circumstance=where, day=day, clock="collection",
                )  # fmt: skip

    @pytest.fixture
    def declared(self, parts, clock):
        """Emergencies, one a day; none but the town's own has a level."""
        put(parts, emergency.emergencies, (
            {
                "org": "sunny", "emergency": f"flood-{n:03d}", "kind": "natural-disaster" if n % 3 else "accident",
                "area": "370102", "name": {"zh": "洪水", "en": f"Flood {n}"}, "declared": clock() + timedelta(days=n + 1),
            }
            for n in range(ROWS)
        ))  # fmt: skip

    def test_each_day_that_would_change_can_be_read(self, authority, many):
        """The sums above count what the pages list and the file holds."""
        pages = leafed(authority, self.PREVIEW)
        rows = taken(authority, self.PREVIEW)
        assert len(pages) > 1
        shown = sum(page.count('data-label="Part"') for page in pages)
        assert shown == len(rows) > PER_PAGE
        first = read(authority, self.PREVIEW).text
        for effect, label in (
            ("at_once", "due at once"),
            ("sooner", "go sooner"),
            ("later", "longer"),
        ):
            parts = sum(int(row["parts"]) for row in rows if row["effect"] == effect)
            assert re.search(rf"Parts that [a-z ]*{label} {parts}\b", first)

    def test_they_are_found_by_circumstance_effect_and_last_day(self, authority, many):
        every = taken(authority, self.PREVIEW)
        for name, column in (
            ("circumstance", "circumstance"),
            ("effect", "effect"),
            ("day", "last_day_then"),
        ):
            value = every[0][column]
            found = taken(authority, f"{self.PREVIEW}&{name}={value}&order=-day")
            assert {row[column] for row in found} == {value}
            assert len(found) == sum(row[column] == value for row in every)
            assert [r["day"] for r in found] == sorted((r["day"] for r in found), reverse=True)

    def test_the_page_and_the_file_say_the_same_last_day(self, authority, many):
        (row, *_) = taken(authority, self.PREVIEW)
        last = date.fromisoformat(row["last_day_then"])
        assert f"the end of {last.day} {last:%B %Y}" in read(authority, self.PREVIEW).text

    def test_emergencies_are_reached_the_latest_first(self, authority, declared):
        pages = leafed(authority, "/console/levels")
        found = [int(n) for page in pages for n in re.findall(r"sunny/flood-(\d{3})", page)]
        assert found == list(reversed(range(ROWS)))
        assert len(pages) == 2

    def test_an_emergency_is_found_by_level_type_and_authority(self, authority, declared):
        assert [row["emergency"] for row in taken(authority, "/console/levels?level=II")] == [
            "jinan/outbreak-7"
        ]
        assert len(taken(authority, "/console/levels?level=none")) == ROWS
        rows = taken(authority, "/console/levels?kind=accident&organisation=sunny&order=emergency")
        assert [row["emergency"] for row in rows] == [
            f"sunny/flood-{n:03d}" for n in range(0, ROWS, 3)
        ]
        assert not {"name", "zh", "en"} & rows[0].keys()


class TestAsked:
    """Releases and counts: each sees what they asked for."""

    @pytest.fixture
    def asked(self, parts, clock, custodian):
        """One of each, every day, by the custodian; and one of each by a colleague."""
        with parts.database.read() as tx:
            who = staff.by_login(tx, "sunny", "wang").staff
        both = [
            {
                "org": "sunny", "by": who if n else "s-other", "by_org": "sunny", "grant": "g-a",
                "purpose": ("research", "situation-monitoring")[n % 2], "emergency": "outbreak-7",
                "circumstance": ("sampling", "quarantine")[n % 3 == 0], "since": f"{date(2026, 1, 1) + timedelta(days=n)}",
                "until": "2026-03-13", "rule": "allowed", "at": clock() + timedelta(days=n), "entry_index": n,
            }
            for n in range(ROWS + 1)
        ]  # fmt: skip
        put(parts, releases, (
            row | {
                "release": f"r-{n:04d}", "question": {}, "parts": [], "verdict": "opened", "number": 1,
                "stage": "approved" if n % 10 == 5 else "withdrawn", "changed": row["at"],
            }
            for n, row in enumerate(both)
        ))  # fmt: skip
        put(parts, aggregates, (
            row | {
                "decision": f"c-{n:04d}", "counted": "day", "question": 1, "days": {},
                "verdict": "refused" if n % 10 == 5 else "opened",
            }
            for n, row in enumerate(both)
        ))  # fmt: skip

    @pytest.mark.parametrize(("part", "letter"), [("releases", "r"), ("counts", "c")])
    def test_all_of_ones_own_are_reached_the_latest_first(self, custodian, asked, part, letter):
        pages = leafed(custodian, f"/console/{part}")
        link = re.compile(rf"/console/{part}/sunny/{letter}-(\d{{4}})")
        found = [int(n) for each in pages for n in link.findall(each)]
        assert found == list(range(ROWS, 0, -1))
        assert len(pages) == 2

    def test_what_was_handed_out_or_refused_is_found(self, custodian, asked):
        rows = taken(
            custodian, "/console/releases?stage=approved&purpose=situation-monitoring&order=at"
        )
        assert [row["release"] for row in rows] == [f"r-{n:04d}" for n in range(5, ROWS, 10)]
        rows = taken(custodian, "/console/counts?verdict=refused&circumstance=quarantine")
        assert [row["decision"] for row in rows] == [f"c-{n:04d}" for n in range(45, 5, -30)]

    @pytest.mark.parametrize("part", ["releases", "counts"])
    def test_the_days_in_the_address_are_those_on_which_it_was_asked(self, custodian, asked, part):
        rows = taken(custodian, f"/console/{part}?since=2026-03-20&until=2026-03-21")
        assert [row["at"][:10] for row in rows] == ["2026-03-21", "2026-03-20"]
        assert {row["source"] for row in rows} == {"sunny"}


class TestStudies:
    @pytest.fixture
    def studies(self, parts, clock):
        """One opened each day; each fifth is destroyed, of each fifth after it the end was asked for."""
        put(parts, study.studies, (
            {
                "org": "sunny", "study": f"cohort-{n:03d}", "purpose": ("research", "treatment")[n % 2],
                "opened": clock() + timedelta(days=n), "ended": clock() if n % 5 == 0 else None,
                "destroyed": clock() if n % 5 == 0 else None,
            }
            for n in range(ROWS)
        ))  # fmt: skip
        put(parts, study.study_ends, (
            {"org": "sunny", "study": f"cohort-{n:03d}", "by": "s-a", "asked": clock()}
            for n in range(ROWS)
            if n % 5 < 2
        ))  # fmt: skip

    def test_all_are_reached_and_their_ends_asked_where_they_live(self, custodian, studies):
        pages = leafed(custodian, "/console/studies")
        assert [len(re.findall(r"<code>cohort-", each)) for each in pages] == [PER_PAGE, 7]
        ends = [n for each in pages for n in re.findall(r"studies/cohort-(\d+)/end", each)]
        assert [int(n) for n in ends] == [n for n in reversed(range(ROWS)) if n % 5 > 1]

    def test_each_state_is_found(self, custodian, studies):
        for state, rest in {"open": {2, 3, 4}, "waits": {1}, "destroyed": {0}}.items():
            rows = taken(custodian, f"/console/studies?state={state}&order=study")
            assert [row["study"] for row in rows] == [
                f"cohort-{n:03d}" for n in range(ROWS) if n % 5 in rest
            ]
        rows = taken(custodian, "/console/studies?purpose=treatment&until=2026-03-17")
        assert [row["study"] for row in rows] == ["cohort-003", "cohort-001"]
        assert rows[1]["end_asked_by"] == "s-a"


class TestBudgets:
    @pytest.fixture
    def budgets(self, parts, clock):
        """Two datasets with an account for each of many, one with none yet; and a request of each day."""
        put(parts, budget.privacy_datasets, (
            {"org": "sunny", "dataset": name, "ceiling": 9_000_000, "allotted": 4_000_000}
            for name in ("sampling--outbreak-7", "sampling--quake", "supplies--quake")
        ))  # fmt: skip
        put(parts, budget.privacy_budgets, (
            {
                "org": "sunny", "dataset": ("sampling--outbreak-7", "sampling--quake")[n % 2],
                "purpose": "situation-monitoring", "recipient": f"org-{n:03d}" if n else "jinan",
                "allotted": 500_000, "spent": 500_000 if n % 5 == 0 else 250_000,
            }
            for n in range(ROWS)
        ))  # fmt: skip
        put(parts, allotment.allotments, (
            {
                "org": "sunny", "allotment": f"a-{n:04d}", "dataset": "sampling--quake",
                "purpose": "situation-monitoring", "recipient": "jinan", "epsilon": 1000 + n, "reason": "a reason",
                "by": "s-a", "stage": "asked" if n % 10 else "refused", "asked": clock() + timedelta(days=n),
            }
            for n in range(ROWS + 10)
        ))  # fmt: skip

    def test_each_account_is_reached_and_the_dataset_that_has_none(self, custodian, budgets):
        pages = leafed(custodian, "/console/budgets?lang=en")
        rows = [n for each in pages for n in re.findall(r"<code>(jinan|org-\d+)<", each)]
        assert len(rows) == len(set(rows)) == ROWS
        assert [each.count("Nobody has an allotment yet") for each in pages] == [0, 1]
        assert "Ceiling 9, of which 4 is allotted" in pages[0]

    def test_what_is_used_up_and_what_one_may_be_told_is_found(self, custodian, budgets):
        rows = taken(custodian, "/console/budgets?state=empty")
        assert {row["left"] for row in rows} == {"0"}
        assert len(rows) == len(range(0, ROWS, 5))
        (row,) = taken(custodian, "/console/budgets?recipient=jinan&dataset=sampling--outbreak-7")
        assert (row["allotted"], row["spent"], row["ceiling"]) == ("0.5", "0.5", "9")

    def test_requests_begin_with_those_that_wait(self, custodian, budgets):
        pages = leafed(custodian, "/console/budgets/asked")
        found = [int(n) for each in pages for n in re.findall(r"<code>a-(\d{4})", each)]
        assert found == [n for n in reversed(range(ROWS + 10)) if n % 10]
        rows = taken(custodian, "/console/budgets/asked?stage=refused&order=epsilon")
        assert [row["allotment"] for row in rows] == [f"a-{n:04d}" for n in range(0, ROWS + 10, 10)]
        assert "reason" not in rows[0]


class TestLeases:
    @pytest.fixture
    def leases(self, parts, clock, custodian):
        """One taken on each day before today, over; and two of today, of which one is full and the custodian's."""
        with parts.database.read() as tx:
            who = staff.by_login(tx, "sunny", "wang").staff
        points = [
            town.open_point(parts, "sunny", "residential-entry", town.NAME, en=en) for en in "NS"
        ]
        taken = [clock() - timedelta(days=n // 2) for n in range(ROWS)]
        put(parts, offline.offline_leases, (
            {
                "org": "sunny", "lease": f"l-{n:04d}", "point": points[n % 2].point, "version": 1,
                "holder": "s-other" if n else who, "bucket": 1, "block": n, "parts": [], "day": f"{at.date()}",
                "taken": at, "until": at + timedelta(days=1), "public": b"p",
                "sealed": None if n > 3 else b"s",
            }
            for n, at in enumerate(taken)
        ))  # fmt: skip
        put(parts, offline.offline_counts, (
            {"org": "sunny", "lease": f"l-{n:04d}", "most": 20, "stored": 20 if n % 2 == 0 else 3}
            for n in range(ROWS)
        ))  # fmt: skip
        return points

    def test_all_are_reached_the_latest_first(self, custodian, leases):
        pages = leafed(custodian, "/console/offline")
        assert [len(re.findall(r"<code>l-", each)) for each in pages] == [PER_PAGE, 7]

    def test_the_full_and_ones_own_are_found(self, custodian, leases):
        found = lambda query: [  # noqa: E731
            row["lease"] for row in taken(custodian, f"/console/offline?{query}")
        ]
        assert found("state=running") == ["l-0001", "l-0000"]
        assert found("state=full") == found("holder=me") == ["l-0000"]
        assert len(found("state=ended")) == ROWS - 2
        day = "since=2026-03-12&until=2026-03-12&order=taken"
        assert found(f"point={leases[0].point}&{day}") == ["l-0004"]


def every_question(tx, plan) -> None:
    """Ask an empty list everything that it can be asked."""
    for name, one in plan.filters.items():
        for value in one.options or ("2026-03-14",):
            assert listing.find(tx, plan, {name: value}).rows == []
    for name in plan.sorts:
        assert listing.find(tx, plan, {"order": f"-{name}"}).rows == []


@pytest.mark.parametrize(
    "plan",
    [
        brought.plan(("sunny.aaaaaa",)),
        shelf.plan(shelf.listed(), ("sunny.aaaaaa",), today=date(2026, 3, 14)),
        papers.mandates(STANDARD, ("jinan/outbreak-7",), date(2026, 3, 14)),
        papers.assessments(("supplies", "hold/supplies"), date(2026, 3, 14)),
        papers.agreements(STANDARD, ("jinan",), date(2026, 3, 14)),
        asked.released(STANDARD),
        study_page.plan(("research",)),
        offline_page.plan(("sunny.aaaaaa",), "s-a", town.START),
        allotted.plan(
            allotted.accounts(), datasets=["a"], purposes=["research"], recipients=["jinan"]
        ),
        allotted.asked(datasets=["a"], purposes=["research"], recipients=["jinan"]),
        asked.counted(STANDARD),
    ],
    ids=lambda p: p.path,
)
def test_each_filter_and_order_works_on_both_databases(database, plan):
    with database.read() as tx:
        every_question(tx, plan)


def test_rows_of_joined_registers_are_read_from_the_sealed_ones_on_both_databases(database, clock):
    page = {
        "org": "sunny", "point": "sunny.aaaaaa", "book": "A-12", "pages": 99, "rows": 3, "written": "2026-03-01",
        "place": "filing cabinet", "keyed": clock(), "keyed_by": "s-a", "due": "2026-03-08",
    }  # fmt: skip
    account = {"org": "sunny", "dataset": "cases", "purpose": "research", "recipient": "jinan"}
    with database.write() as tx:
        for n in (2, 10):
            tx.insert(paper.paper_pages, **page, page=n)
        for name in ("cases", "others"):
            tx.insert(budget.privacy_datasets, org="sunny", dataset=name, ceiling=9, allotted=4)
        tx.insert(budget.privacy_budgets, **account, allotted=4, spent=1)
    pages, accounts = shelf.listed(), allotted.accounts()
    with database.read() as tx:
        plan = shelf.plan(pages, (), today=date(2026, 3, 14))
        assert [p.page for p in listing.find(tx, plan, {}).rows] == [2, 10]
        back = listing.find(tx, plan, {"before": "sunny.aaaaaa/A-12/00010"})
        assert [p.page for p in back.rows] == [2]
        plan = allotted.plan(accounts, datasets=[], purposes=[], recipients=[])
        found = [(line.account.dataset, line.budget) for line in listing.find(tx, plan, {}).rows]
        assert found == [("cases", budget.Budget(allotted=4, spent=1)), ("others", None)]
        rest = listing.find(tx, plan, {"order": "-left", "after": "cases/research/jinan"})
        assert [line.account.dataset for line in rest.rows] == ["others"]
