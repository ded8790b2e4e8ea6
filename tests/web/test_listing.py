"""Lists: whatever the address asks for, each row is met once, in one order, and only those that may be shown."""

import contextlib
import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
import town
from hypothesis import given, settings
from hypothesis import strategies as st
from sheet import read
from staff_room import badge
from test_resident import TYPED, _fields
from visitor import Visitor

from epilock.db import Database, Instant, Transaction, microseconds, open_engine
from epilock.destroy.request import erasure_requests
from epilock.errors import InputError, NotFoundError
from epilock.web.console import account, approval, listing, request
from epilock.web.console.listing import PER_PAGE, Plan

ROWS = 2 * PER_PAGE + 7
things = sa.Table(
    "listed_things", sa.MetaData(),
    sa.Column("org", sa.String(8), primary_key=True), sa.Column("code", sa.String(8), primary_key=True),
    sa.Column("colour", sa.String(8), nullable=False), sa.Column("at", Instant, nullable=False),
)  # fmt: skip
C = things.c
PLAN: Plan[dict] = Plan(
    path="/things", table=things, key=C.code, read=lambda _, rows: rows, order="-at",
    sorts={"at": C.at, "colour": C.colour, "code": C.code},
    filters={
        "colour": listing.equal(C.colour, ("red", "blue")), "since": listing.since(C.at),
        "until": listing.until(C.at),
    },
    columns={"code": lambda t: t["code"], "colour": lambda t: t["colour"]},
)  # fmt: skip
MINE = C.org == "mine"


def _fill(database: Database) -> None:
    things.metadata.create_all(database.engine)
    with database.write() as tx:
        tx.bulk(
            things,
            [
                (org, f"t-{n:04d}", ("red", "blue")[n % 3 == 0], microseconds(_at(n)))
                for org in ("mine", "other")
                for n in range(ROWS)
            ],
        )


def _at(n: int) -> datetime:
    return town.START + timedelta(hours=n // 4)


@pytest.fixture(scope="module")
def filled():
    """A database with two organisations' things, on SQLite in memory."""
    made = Database(open_engine("sqlite://"), bytes(32))
    _fill(made)
    yield made
    made.close()


@pytest.fixture
def tx(filled):
    with filled.read() as tx:
        yield tx


def _walk(tx: Transaction, query: dict[str, str], way: str = "after") -> list[str]:
    """Leaf through a list from where ``query`` begins; return the codes in the order they are shown."""
    found: list[str] = []
    for _ in range(10):
        page = listing.find(tx, PLAN, query, MINE)
        codes = [row["code"] for row in page.rows]
        found = found + codes if way == "after" else codes + found
        place = getattr(page, way)
        if not place:
            return found
        query = {k: v for k, v in query.items() if k not in {"after", "before"}} | {way: place}
    raise AssertionError("the list has no end")


class TestLeafing:
    @pytest.mark.parametrize("order", ["at", "-at", "colour", "-colour", "code", "-code"])
    @pytest.mark.parametrize("colour", ["", "red"])
    def test_each_row_is_met_once_and_in_order_there_and_back(self, tx, order, colour):
        query = {"order": order, "colour": colour}
        there = _walk(tx, query)
        rows = {r["code"]: r for r in tx.all(things, MINE)}
        assert sorted(there) == sorted(c for c, r in rows.items() if colour in {"", r["colour"]})
        name = order.removeprefix("-")
        keys = [(rows[code][name], code) for code in there]
        assert keys == sorted(keys, reverse=order.startswith("-"))
        last = listing.find(tx, PLAN, query | {"after": there[-2]}, MINE)
        assert [r["code"] for r in last.rows] == there[-1:]
        back = _walk(tx, query | {"before": there[-1]}, "before")
        assert back == there[:-1]

    def test_a_row_that_comes_in_meanwhile_moves_nothing(self, filled):
        with filled.read() as tx:
            first = listing.find(tx, PLAN, {}, MINE)
            wanted = [r["code"] for r in listing.find(tx, PLAN, {"after": first.after}, MINE).rows]
        with filled.write() as tx:
            tx.insert(
                things, org="mine", code="t-new", colour="red", at=town.START.replace(year=2030)
            )
        try:
            with filled.read() as tx:
                page = listing.find(tx, PLAN, {"after": first.after}, MINE)
            assert [r["code"] for r in page.rows] == wanted
        finally:
            with filled.write() as tx:
                tx.delete(things, org="mine", code="t-new")

    @pytest.mark.parametrize("way", ["after", "before"])
    def test_where_nothing_is_left_it_is_the_first_page(self, tx, way):
        """Who deals with the last row of the last page is not told that there is none."""
        order = "code" if way == "after" else "-code"
        last = max(r["code"] for r in tx.all(things, MINE))
        page = listing.find(tx, PLAN, {"order": order, way: last}, MINE)
        assert page.rows == listing.find(tx, PLAN, {"order": order}, MINE).rows

    def test_a_place_that_is_not_there_is_said(self, tx):
        with pytest.raises(NotFoundError, match="begin at its first page"):
            listing.find(tx, PLAN, {"after": "t-nowhere"}, MINE)

    def test_a_place_among_what_may_not_be_shown_is_no_place(self, tx):
        with pytest.raises(NotFoundError):
            listing.find(tx, PLAN, {"after": "t-0001"}, C.org == "nobody")


class TestDatabases:
    """The comparison of pairs and the registers in one list are the same on both databases."""

    def test_leafing(self, database):
        _fill(database)
        try:
            with database.read() as tx:
                for order in ("at", "-colour"):
                    there = _walk(tx, {"order": order})
                    assert len(set(there)) == len(there) == ROWS
                    assert _walk(tx, {"order": order, "before": there[-1]}, "before") == there[:-1]
                with pytest.raises(NotFoundError):
                    listing.find(tx, PLAN, {"after": "t-\0"}, MINE)
        finally:
            things.metadata.drop_all(database.engine)

    @pytest.mark.parametrize("plan", [account._PLAN, request._PLAN], ids=lambda p: p.path)
    def test_each_filter_and_order_of_a_list(self, database, plan):
        with database.read() as tx:
            for name, asked in plan.filters.items():
                for value in asked.options or ("2026-03-14",):
                    assert listing.find(tx, plan, {name: value}).rows == []
            for name in plan.sorts:
                assert listing.find(tx, plan, {"order": f"-{name}"}).rows == []

    def test_what_waits_in_four_registers(self, database, clock):
        with database.write() as tx:
            tx.insert(
                erasure_requests, org="sunny", request="q-a", bucket=1, n=0, reason="objection",
                stage="asked", by="s-a", asked=clock(),
            )  # fmt: skip
        with database.read() as tx:
            (found,) = tx.all(approval.waiting(["sunny", "jinan"]))
        assert (found["kind"], found["code"], found["since"]) == ("erasure", "q-a", clock())


class TestAsking:
    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ({"colour": "green"}, "colour must be one of red, blue"),
            ({"order": "mac"}, "order must be one of at, colour, code"),
            ({"since": "14/3/2026"}, "since: a day is written 2026-03-14"),
        ],
    )
    def test_what_the_list_cannot_do_is_said(self, tx, query, said):
        with pytest.raises(InputError, match=said):
            listing.find(tx, PLAN, query, MINE)

    @pytest.mark.parametrize("taken_away", [{"colour": "all"}, {"colour": ""}])
    def test_a_filter_that_a_list_begins_with_can_be_taken_away_and_stays_away(
        self, tx, taken_away
    ):
        plan = replace(PLAN, first={"colour": "red"})
        begun = listing.find(tx, plan, {}, MINE)
        assert {row["colour"] for row in begun.rows} == {"red"}
        assert begun.everything() == {"colour": "all"}
        page = listing.find(tx, plan, taken_away, MINE)
        assert {row["colour"] for row in page.rows} == {"red", "blue"}
        beyond = listing.find(tx, plan, page.query(after=page.after), MINE)
        assert {row["colour"] for row in beyond.rows} == {"red", "blue"}
        assert listing.find(tx, plan, {"colour": "blue"}, MINE).query()["colour"] == "blue"

    def test_days_are_chinas_and_both_count(self, tx):
        """The first hour of 15 March in China is 16:00 of the 14th in UTC."""
        page = listing.find(
            tx, PLAN, {"since": "2026-03-15", "until": "2026-03-15"}, MINE, whole=True
        )
        hours = {int((row["at"] - town.START).total_seconds()) // 3600 for row in page.rows}
        assert hours == set(range(15, 27))

    @settings(max_examples=60)
    @given(
        st.dictionaries(
            st.sampled_from(["colour", "since", "until", "order", "after", "before", "export"]),
            st.text(max_size=12) | st.sampled_from(["red", "2026-03-14", "9999-12-31", "t-0003", "-at", "csv"]),
        )
    )  # fmt: skip
    def test_any_query_gives_a_page_or_one_clear_error(self, query):
        engine = open_engine("sqlite://")
        things.metadata.create_all(engine)
        empty = Database(engine, bytes(32))
        with contextlib.suppress(InputError, NotFoundError), empty.read() as tx:
            assert listing.find(tx, PLAN, query, MINE).rows == []
        engine.dispose()


class TestTakingAway:
    def test_an_export_has_all_that_the_filter_lets_pass(self, tx):
        page = listing.find(tx, PLAN, {"colour": "blue", "export": "csv"}, MINE)
        lines = list(csv.reader(io.StringIO(bytes(page.file("things").body).decode())))
        assert lines[0] == ["code", "colour"]
        assert len(lines) == 1 + len(range(0, ROWS, 3))

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
    def test_a_cell_that_a_spreadsheet_would_compute_is_none(self, text):
        assert listing._cell(text) == f"'{text}"


class TestInTheConsole:
    """The lists of the console use it: filters stay in the links, and the export says what the page says."""

    def test_points_are_filtered_and_taken_away(self, parts, site):
        here = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.HEAT)
        gone = town.open_point(parts, "sunny", "supplies", town.NAME, town.NEEDS, en="West Gate")
        town.close_point(parts, "sunny", gone.point)
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        page = read(custodian, "/console/points?state=open")
        assert here.point in page.html
        assert gone.point not in page.html
        link = next(href for href, _ in page.links if "export=csv" in href)
        answer = custodian.get(link)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["point"] for row in rows] == [here.point]
        assert read(custodian, "/console/points?state=all").status == 400

    def test_records_of_a_day_are_filtered_and_taken_away(self, parts, site):
        town.mandate(parts, "sunny", "residential-entry")
        points = [
            town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT, en=en)
            for en in ("North Gate", "West Gate")
        ]  # fmt: skip
        for point in points:
            visitor = Visitor(site)
            page = _fields(visitor, f"/c/sunny/{point.point}")
            assert page.send(page.form(), step="send", **TYPED).status == 200
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        page = read(custodian, f"/console/records/sunny/1?point={points[1].point}&lang=en")
        assert ("Record 1" in page.text, "Record 0" in page.text) == (True, False)
        link = next(href for href, _ in page.links if "export=csv" in href)
        (row,) = csv.DictReader(io.StringIO(custodian.get(link).text))
        assert (row["record"], row["point"], row["age"]) == ("1", points[1].point, "adult")
        assert not set(TYPED.values()) & set(row.values())
        page = read(custodian, "/console/records/sunny/1?age=under14&lang=en")
        assert "Nothing fits the filter" in page.text

    def test_where_there_is_nothing_there_is_nothing_to_filter(self, parts, site):
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        assert 'id="filters"' not in read(custodian, "/console/grants").html
        assert 'id="filters"' in read(custodian, "/console/grants?stage=ended").html

    @pytest.mark.parametrize(
        "path", ["received", "seen", "seen/searches", "seen/counts", "seen/releases"]
    )
    def test_what_a_list_begins_with_is_taken_away_by_one_link(self, parts, site, path):
        everyone = badge(parts, site, "sunny", "all", "custodian")
        page = read(everyone, f"/console/{path}?lang=en")
        assert "Show all" in page.text
        page = read(everyone, next(href for href, _ in page.links if "=all" in href))
        assert page.status == 200
        assert "Show all" not in page.text

    @pytest.mark.parametrize(
        "path",
        [
            "points",
            "records",
            "grants",
            "requests",
            "destruction/holds",
            "seen",
            "seen/searches",
            "seen/counts",
            "seen/releases",
            "received",
            "approvals",
            "destruction",
            "log",
        ],
    )
    def test_each_list_can_be_taken_away_without_what_someone_gave(self, parts, site, path):
        everyone = badge(parts, site, "sunny", "all", "custodian", "approver")
        answer = everyone.get(f"/console/{path}?export=csv")
        assert answer.headers["content-disposition"].startswith("attachment")
        heads = next(csv.reader(io.StringIO(answer.text)))
        assert not {"name", "reason_text", "login", "stated", "value"} & set(heads)
