"""The journeys of staff: a point is opened, a record is opened under a grant, a bucket ends, a level moves."""

import json
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
from epilock.collect import point as points
from epilock.collect import reissue, tally
from epilock.destroy import intent as intents
from epilock.destroy import request as requests
from epilock.ledger import entry
from epilock.use.search import searches
from epilock.web.app import create_app
from held import Held


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

    def test_what_only_stands_in_for_something_finer_is_not_ticked_beside_it(
        self, custodian, parts
    ):
        town.assess(parts, "sunny", "supplies")
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
        form = page.with_field("zh")
        assert [v for n, v in form.values if n == "field"] == [
            "identity_name"
        ]  # the rest waits for one
        assert page.text.count("needs an impact assessment") > 1
        again = page.send(form, ("field", "contact_mobile"), zh="东门", en="East Gate")
        assert again.status == 403
        assert "duty/assessment" in again.text
        assert "before a point asks for contact_mobile" in again.text
        assert again.html.count("untick this, or have one recorded first") == 1
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

    def test_a_question_of_an_uploaded_form_keeps_its_sense(self, custodian, parts):
        """The day of a test is no result, and what depends on another answer may be left empty."""
        town.assess(parts, "sunny", "residential-entry")
        asked = [
            {"linkId": "name", "type": "string", "text": "Full name"},
            {"linkId": "colour", "type": "choice", "text": "Health code"},
            {
                "linkId": "since",
                "type": "date",
                "text": "Health code: since when",
                "enableWhen": [{"question": "colour"}],
            },
        ]
        form = {"resourceType": "Questionnaire", "item": asked}
        judged = Sheet(custodian, _upload(custodian, "gate.json", json.dumps(form).encode()))
        page = judged.send(judged.with_field("zh"), zh="东门", en="East Gate")
        with parts.database.read() as tx:
            found = points.load(tx, "sunny", page.path.rpartition("/")[2])
        assert {f.id: (f.words, f.optional) for f in found.fields} == {
            "name": (False, False), "colour": (False, False), "since": (True, True),
        }  # fmt: skip

    def test_the_same_form_sent_twice_opens_one_point(self, custodian, parts):
        """The button was pressed twice, or once more by Back."""
        town.assess(parts, "sunny", "residential-entry")
        page = read(custodian, "/console/points/new/residential-entry")
        form = page.with_field("zh")
        first, again = (page.send(form, zh="东门", en="East Gate") for _ in range(2))
        assert first.path == again.path
        assert "nothing was done twice" in again.text
        assert len(_entries(parts, "point")) == 1

    def test_what_is_wrong_stands_at_its_field_and_nothing_is_changed_in_silence(
        self, custodian, parts
    ):
        """A name that is too long is not cut, and a notice without a language is not given two."""
        page = read(custodian, "/console/points/new/residential-entry")
        form = page.with_field("zh")
        form.values = [pair for pair in form.values if pair[0] not in {"field", "language"}]
        again = page.send(form, zh="东" * 101, en="")
        assert again.status == 400
        for field in ("field", "zh", "language"):
            assert f'id="{field}-wrong"' in again.html
            assert f'href="#{field}"' in again.html
        assert "at most 100 characters" in again.text
        assert again.value("zh") == "东" * 101
        assert 'id="en-wrong"' in again.send(form, zh=" ", en=" ").html
        assert _entries(parts, "point") == []

    def test_where_nothing_can_be_asked_yet_there_is_no_form(self, custodian, parts):
        """What a check-in asks needs an assessment: who could not open it is not led to try."""
        tiles = read(custodian, "/console/points/new").html
        for tile in ("venue-check-in", "public-transport"):
            assert f'new/{tile}">' in tiles
            assert (
                "needs an impact assessment"
                in tiles.partition(f'new/{tile}">')[2].partition("</a>")[0]
            )
        assert "assessment" not in tiles.partition('new/school">')[2].partition("</a>")[0]
        page = read(custodian, "/console/points/new/venue-check-in")
        assert "You may ask this once an assessment is recorded" in page.text
        assert not [f for f in page.forms if f.action.endswith("/console/points/new")]
        town.assess(parts, "sunny", "venue-check-in")
        page = read(custodian, "/console/points/new/venue-check-in")
        assert page.to("/console/points/new")

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
        closed = read(custodian, f"/console/points/{given.point}")
        assert "Closed on 14 March 2026" in closed.text
        assert "Asks now" not in closed.text
        assert "/console/points/new/residential-entry" in str(closed.links)
        assert read(custodian, f"/c/sunny/{given.point}").status == 410


class TestOpening:
    def test_a_list_shows_no_value(self, custodian, given):
        page = read(custodian, "/console/records/sunny/1")
        assert "Record 0" in page.text
        assert not [v for v in TYPED.values() if v in page.html]

    def test_without_a_grant_nothing_can_be_opened(self, custodian, given):
        assert "can't be opened" in read(custodian, "/console/records/sunny/1").text

    def test_more_than_a_grant_has_left_is_said_before_anything_is_decided(
        self, custodian, approver, given, parts, site
    ):
        """Else the refusal stands in the log, and on the receipts of those who were ticked."""
        page = _fields(Visitor(site), f"/c/sunny/{given.point}")
        assert page.send(page.form(), step="send", **TYPED).status == 200
        _ask(custodian, subjects="1")
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1")
        both = [("place", "1:0"), ("place", "1:1")]
        again = page.send(page.to("/open/sunny"), *both)
        assert "this grant opens 1 more; ticked are 2" in again.text
        assert [pair for pair in both if pair not in again.to("/open/sunny").values] == []
        assert _entries(parts, "decision") == []
        assert "张**" in page.send(page.to("/open/sunny"), ("place", "1:0")).text

    def test_asked_approved_opened_masked_and_seen_by_its_person(
        self, custodian, approver, given, parts
    ):
        assert "another person must approve" in _ask(custodian).text
        assert "Approved" in _approve(approver).text
        page = read(custodian, "/console/records/sunny/1")
        opened = page.send(page.to("/open/sunny"), ("place", "1:0"))
        assert "张**" in opened.text
        assert "be seen for this purpose, in this form" in opened.text
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
        assert "nothing was done" not in revoked.send(revoked.to("/revoke")).text
        assert "nothing was done twice" in revoked.send(revoked.to("/revoke")).text
        refused = page.send(form, ("place", "1:0"), ("grant", code))
        assert "Not opened" in refused.text
        assert "grant/" in refused.text
        assert [d.verdict for d in _entries(parts, "decision")] == ["refused"]

    def test_what_is_opened_with_nothing_ticked_comes_back_with_its_list(
        self, custodian, approver, given
    ):
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1?age=adult")
        page = page.send(page.to("/open/sunny"))
        assert (page.status, "tick the records to open first" in page.text) == (400, True)
        assert 'value="adult" selected' in page.html
        assert "张**" in page.send(page.to("/open/sunny"), ("place", "1:0")).text

    def test_what_was_ticked_stays_ticked(self, custodian, approver, given):
        """A form that is wrong otherwise loses nothing: here a record that is none stands beside it."""
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/records/sunny/1")
        page = page.send(page.to("/open/sunny"), ("place", "1:0"), ("place", "1:x"))
        assert page.status == 400
        assert ("place", "1:0") in page.to("/open/sunny").values

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


class TestSearch:
    """What was searched for stands nowhere; what was found has an address."""

    @pytest.fixture
    def looking(self, custodian, approver, given):
        _ask(custodian)
        _approve(approver)
        return read(custodian, "/console/records")

    @staticmethod
    def find(page: Sheet, value: str, category: str = "contact.mobile") -> Sheet:
        return page.send(page.with_field("value"), category=category, value=value)

    def test_found_by_a_telephone_that_stands_in_no_address(self, looking, custodian, parts):
        found = self.find(looking, f"+86 {TYPED['f.mobile']}")
        assert "Found: 1" in found.text
        assert TYPED["f.mobile"] not in found.html
        assert re.fullmatch(r"/console/records/found/sunny/f-\w+\?seal=[\w-]+", found.address)
        with parts.database.read() as tx:
            (row,) = tx.all(searches)
        assert row["found"] == 1

    def test_going_back_or_reloading_searches_nothing_anew(self, looking, custodian, parts, clock):
        found = self.find(looking, TYPED["f.mobile"])
        again = read(custodian, found.address)
        assert "张**" in again.send(again.to("/open/sunny"), ("place", "1:0")).text
        assert "Found: 1" in read(custodian, found.address).text
        assert len(_entries(parts, "search")) == 1
        clock.forward(minutes=16)
        over = read(custodian, found.address)
        assert "Search again if you must" in over.text
        assert ("place", "1:0") not in over.to("/search/sunny").boxes

    def test_nor_is_it_shown_when_the_grant_has_ended(self, looking, custodian):
        found = self.find(looking, TYPED["f.mobile"])
        grants = read(custodian, "/console/grants")
        grants.send(grants.to("/revoke"))
        assert "while the grant is active" in read(custodian, found.address).text

    def test_another_member_of_staff_is_not_shown_it(self, looking, parts, site):
        found = self.find(looking, TYPED["f.mobile"])
        other = badge(parts, site, "sunny", "sun", "custodian")
        assert read(other, found.address).status == 403
        outside = badge(parts, site, "lishan-cdc", "lin", "analyst")
        assert read(outside, found.address).status == 404

    def test_its_address_is_good_for_no_other_search(self, looking, custodian):
        """Nor can anybody write one: it lists records that a search of one's own found."""
        found = self.find(looking, TYPED["f.mobile"])
        none = self.find(looking, "13800000000")
        assert "Found: 0" in none.text
        seal = found.address.partition("seal=")[2]
        for wrong in (seal, seal[:-6], "", "x", "张三"):
            page = read(custodian, f"{none.path}?seal={wrong}")
            assert page.status == 200
            assert "Record 0" not in page.text

    def test_where_nobody_was_found_the_form_is_there_again(self, looking):
        none = self.find(looking, "13800000000")
        assert "Nothing was found" in none.text
        assert "Found: 1" in self.find(none, TYPED["f.mobile"]).text

    @pytest.mark.parametrize(
        ("category", "value", "says"),
        [
            ("contact.mobile", "", "land line"),
            ("contact.mobile", "abc", "land line"),
            ("identity.resident-id", "11010119900307", "18"),
            ("identity.name", " ", "fill in"),
        ],
    )
    def test_what_can_be_nobody_s_is_not_searched_for(self, looking, parts, category, value, says):
        """It is said beside its field; nothing stands in the log, and no search is used up."""
        page = self.find(looking, value, category)
        assert page.status == 422
        assert "#value" in [href for href, _ in page.links]
        said = re.search(r'id="value-wrong">(.*?)</p>', page.html)[1]
        assert says in said, said
        assert (page.value("category"), page.value("value")) == (category, value)
        assert not _entries(parts, "search")

    def test_a_land_line_finds_who_was_mentioned(self, looking):
        assert "Found: 0" in self.find(looking, "0531-8000 0000").text

    def test_what_is_opened_with_nothing_ticked_comes_back_with_what_was_found(self, looking):
        found = self.find(looking, TYPED["f.mobile"])
        page = found.send(found.to("/open/sunny"))
        assert (page.status, "tick the records to open first" in page.text) == (400, True)
        assert "张**" in page.send(page.to("/open/sunny"), ("place", "1:0")).text


_SLIPS = {"purpose": "tracing", "form": "masked", "subjects": "many", "reason": "gate", "until": "2026-03-13"}  # fmt: skip


class TestAskingForAGrant:
    """What is wrong is said beside its field, in the words of the page, and nothing that was typed is lost."""

    @pytest.mark.parametrize(
        ("language", "says"),
        [
            ("en", ("Tick at least one circumstance", "Give a whole number", "needs the number of the case", "before it begins")),
            ("zh", ("请至少勾选一种情形", "请填整数", "这个目的要填写", "不能早于今天")),
        ],
    )  # fmt: skip
    def test_each_slip_stands_beside_its_field(self, custodian, language, says):
        page = read(custodian, f"/console/grants?lang={language}")
        page = page.send(page.with_field("subjects"), **_SLIPS)
        assert page.status == 400
        fields = ("circumstance", "subjects", "case", "until")
        assert [h for h, _ in page.links if h.startswith("#")][1:] == [f"#{f}" for f in fields]
        for field, said in zip(fields, says, strict=True):
            assert said in re.search(rf'id="{field}-wrong">(.*?)</p>', page.html)[1]
        kept = dict(page.with_field("subjects").values)
        assert {name: kept[name] for name in _SLIPS} == _SLIPS

    def test_why_not_is_said_in_the_language_of_the_page(self, custodian):
        page = read(custodian, "/console/grants?lang=zh")
        typed = {
            "purpose": "tracing",
            "form": "masked",
            "subjects": "5",
            "reason": "duty",
            "case": "C-1",
        }
        page = page.send(page.with_field("subjects"), ("circumstance", "vaccination"), **typed)
        assert page.status == 403
        assert "为“疫情溯源”以“打码”的方式使用“疫苗接种”的记录" in page.text
        assert "本情形只用于" in page.text
        assert "This circumstance" not in page.text

    def test_an_empty_form_says_all_that_is_missing(self, custodian):
        page = read(custodian, "/console/grants")
        empty = dict.fromkeys(("subjects", "case", "reason", "until"), "")
        page = page.send(page.with_field("subjects"), purpose="personnel", **empty)
        wrong = re.findall(r'id="(\w+)-wrong"', page.html)
        assert wrong == ["circumstance", "subjects", "reason", "until"]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"subjects": "10001"}, "1 to 10000 subjects"),
            ({"form": "aggregate", "subjects": "21"}, "1 to 20 tables"),
            ({"form": "deidentified", "subjects": "11"}, "1 to 10 releases"),
            ({"until": "2026-05-01"}, "within 30 days"),
            ({"form": "pseudonymous"}, "study is named"),
        ],
    )
    def test_bounds_are_said_as_they_are(self, custodian, change, says):
        assert says in _ask(custodian, **change).text


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
        with parts.database.read() as tx:
            made = intents.of_bucket(tx, "sunny", 1)
        linked = [int(h.rpartition("/")[2]) for h, _ in again.links if "/log/entry/" in h]
        assert sorted(linked) == sorted(i.entry_index for i in made)
        assert sum(len(i.parts) for i in made) > len(made)
        assert "may be fewer certificates than parts" in again.text

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

    def test_a_hold_keeps_it_and_is_public(self, custodian, given, parts, site, clock):
        town.assess(parts, "sunny", "hold")
        page = read(custodian, "/console/destruction/1")
        form = page.to("/holds")
        until = (clock() + timedelta(days=20)).date().isoformat()
        assert "hold/" not in page.text
        held = page.send(form, until=until)
        assert "Held until" in held.text
        assert held.text.count("the end of 3 April 2026") > 3  # of each part, and above them
        assert "only an inspection may open it" in read(custodian, "/console/records/sunny/1").text
        page = read(custodian, "/console/records/sunny/1/0")
        record = page.text
        assert "it can be approved once the hold has ended" in record
        asked = page.send(next(f for f in page.forms if "/console/requests/1/0" in f.action))
        assert "Asked for; another person must approve it" in asked.text
        again = page.send(next(f for f in page.forms if "/console/requests/1/0" in f.action))
        assert "waits for another person" in again.text
        second = badge(parts, site, "jinan", "zhou", "approver")
        waits = read(second, "/console/approvals")
        assert "Residential entry, 14 March 2026" in waits.text
        held_back = waits.send(next(f for f in waits.forms if ("verdict", "approve") in f.values))
        assert held_back.status == 409
        assert _entries(parts, "erasure") == []
        assert "held until the end of 3 April 2026" in re.sub(r"\s+", " ", record)
        assert "nothing was done twice" in page.send(form, until=until).text
        assert len(_entries(parts, "hold")) == 1

    def test_what_is_ordered_is_not_offered_again(self, custodian, given, parts, clock):
        clock.forward(days=40)
        renew(parts, custodian, "sunny", "wang")
        page = read(custodian, "/console/destruction/1")
        page.send(page.to("/orders"), ("part", "3-IV"))
        page = read(custodian, "/console/destruction/1")
        assert re.search(r"kept Order\W+waiting", page.text)
        assert ("part", "3-IV") not in page.to("/orders").boxes

    def test_an_order_before_the_day_is_refused_with_the_rule(self, custodian, given):
        page = read(custodian, "/console/destruction/1")
        form = page.to("/orders")
        refused = page.send(form, ("part", "3-IV"))
        assert refused.status == 409
        assert "retain/residential-entry" in refused.text


class TestSilent:
    def test_a_point_that_asks_nothing_any_more_is_told(self, custodian, given, parts, clock):
        """After a step down its poster still hangs, and who scans it is asked nothing."""
        town.assess(parts, "sunny", "supplies")
        town.open_point(parts, "sunny", "supplies", town.NAME)
        assert "ask nothing" not in read(custodian, "/console").text
        clock.forward(minutes=1)
        town.level(parts, "IV")
        renew(parts, custodian, "sunny", "wang")
        home = read(custodian, "/console")
        assert "1 points that ask nothing at the present level" in home.text
        assert "/console/points?state=open" in str(home.links)


class TestLevel:
    @pytest.fixture
    def authority(self, parts, site):
        return badge(parts, site, "jinan", "chen", "custodian")

    def test_what_would_follow_is_shown_before(self, authority, given, parts):
        page = read(authority, "/console/levels/jinan/outbreak-7?level=N")
        assert "may no longer be asked" in page.text
        assert "Body temperature" in page.text
        assert "Residential entry 14 March 2026 Visit 3-II" in page.text
        assert len(_entries(parts, "level")) == 1

    def test_it_is_set_and_notices_are_issued_anew(self, authority, given, parts, clock):
        clock.forward(minutes=5)
        page = read(authority, "/console/levels/jinan/outbreak-7?level=I")
        done = page.send(page.with_field("instrument"), instrument="2026-8")
        assert "The level is in force" in done.text
        assert _entries(parts, "notice")[-1].level == "I"

    def test_sent_twice_it_is_one_change(self, authority, given, parts, clock):
        clock.forward(minutes=5)
        page = read(authority, "/console/levels/jinan/outbreak-7?level=I")
        for _ in range(2):
            page.send(page.with_field("instrument"), instrument="2026-8")
            clock.forward(minutes=1)
        assert [said.level for said in _entries(parts, "level")] == ["II", "I"]
        assert len(_entries(parts, "notice")) == 2

    def test_what_was_looked_at_before_another_change_is_shown_anew_and_not_set(
        self, authority, given, parts, clock
    ):
        clock.forward(minutes=5)
        first, second = (
            read(authority, f"/console/levels/jinan/outbreak-7?level={level}")
            for level in ("N", "I")
        )
        second.send(second.with_field("instrument"), instrument="2026-8")
        clock.forward(minutes=5)
        again = first.send(first.with_field("instrument"), instrument="2026-9")
        assert again.status == 409
        assert "nothing was set: the level was changed since you looked" in again.text
        assert "Things that may no longer be asked" in again.text
        assert again.value("instrument") == "2026-9"
        assert [said.level for said in _entries(parts, "level")] == ["II", "I"]
        again.send(again.with_field("instrument"))
        assert [said.level for said in _entries(parts, "level")] == ["II", "I", "N"]

    def test_a_form_that_stands_on_no_preview_sets_nothing(self, authority, given, parts, clock):
        clock.forward(minutes=5)
        page = read(authority, "/console/levels/jinan/outbreak-7?level=N")
        for seen in ("", "x", "0", "99"):
            sent = page.send(page.with_field("instrument"), instrument="2026-9", seen=seen)
            assert sent.status == 409
        assert [said.level for said in _entries(parts, "level")] == ["II"]

    @pytest.mark.parametrize(
        ("field", "day"),
        [("date", "2027-05-01"), ("expected_end", "2020-01-01"), ("expected_end", "2026-03-14")],
    )
    def test_an_impossible_day_is_said_beside_its_field_and_all_that_was_typed_stays(
        self, authority, parts, field, day
    ):
        page = read(authority, "/console/levels/jinan/outbreak-7?level=N")
        again = page.send(page.with_field("instrument"), **{"instrument": "2026-9", field: day})
        assert again.status == 400
        assert f'id="{field}-wrong"' in again.html
        assert again.value("instrument") == "2026-9"
        assert again.value(field) == day
        assert [said.level for said in _entries(parts, "level")] == ["II"]

    def test_a_level_is_renewed_with_another_expected_end(self, authority, given, parts, clock):
        clock.forward(minutes=5)
        page = read(authority, "/console/levels/jinan/outbreak-7?level=II")
        assert "names another expected end (now: none named)" in page.text
        assert "Points whose notice is issued anew 0" in page.text
        again = page.send(page.with_field("instrument"), instrument="2026-9")
        assert again.status == 409
        assert "this level is set already" in again.text
        done = again.send(again.with_field("instrument"), expected_end="2026-04-01")
        assert "The level is in force" in done.text
        assert [said.expected_end for said in _entries(parts, "level")] == [None, "2026-04-01"]
        assert len(_entries(parts, "notice")) == 1

    def test_the_end_is_said_to_stay_before_it_is_set(self, authority, given, parts, clock):
        clock.forward(minutes=5)
        other = read(authority, "/console/levels/jinan/outbreak-7?level=N")
        assert "can't be undone" not in other.text
        page = read(authority, "/console/levels/jinan/outbreak-7?level=E")
        assert "The end can't be undone" in page.text
        page.send(page.with_field("instrument"), instrument="2026-9")
        clock.forward(minutes=5)
        late = other.send(other.with_field("instrument"), instrument="2026-10")
        assert late.status == 410
        assert "has ended" in late.text
        assert [said.level for said in _entries(parts, "level")] == ["II", "E"]

    def test_notices_that_take_long_are_watched_or_left(self, authority, given, parts, site, clock):
        """The level counts when the page answers; how far the notices are is seen by whoever comes back."""
        held, go_on = threading.Event(), threading.Event()

        def wait(told):
            told("notices", 30, 40)
            held.set()
            assert go_on.wait(60)

        work = parts.works.begin(("notices", "jinan", "outbreak-7"), wait, wait=0)
        assert held.wait(60)
        clock.forward(minutes=5)
        page = read(authority, "/console/levels/jinan/outbreak-7?level=I")
        left = page.send(page.with_field("instrument"), instrument="2026-8")
        assert _entries(parts, "level")[-1].level == "I"
        assert "Notices still to be issued anew: 1" in left.text
        assert "Issuing the notices anew (75 %)" in left.text
        assert "count.js" in left.html
        assert "were issued anew." not in left.text
        form = read(authority, "/console/levels/jinan/outbreak-7?level=N").html
        assert "count.js" not in form  # what is typed there would be lost
        go_on.set()
        work.wait(60)
        assert "another process may be at it" in read(authority, left.path).text
        reissue.go_on(parts.database, parts.press, now=clock)
        later = read(authority, left.path)
        assert "still to be issued" not in later.text
        assert "count.js" not in later.html

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
        page = read(admin, "/console/accounts")
        form = page.to(f"/console/accounts/{_code(parts, 'wang')}")
        form.values.remove(("role", "custodian"))
        asked = page.send(form)  # nobody is disabled by a tick that was taken out too many
        assert (asked.status, "Please confirm" in asked.text) == (422, True)
        form = asked.to(f"/console/accounts/{_code(parts, 'wang')}")
        done = asked.send(form, ("sure", "yes"))
        assert "The account is disabled" in done.text
        form = done.to(f"/console/accounts/{_code(parts, 'wang')}")
        assert "The roles are changed" in done.send(form, ("role", "custodian")).text
        assert read(wang, "/console").path == "/console/sign-in"

    def test_roles_that_another_changed_meanwhile_are_not_taken_away(self, parts, site):
        """Two pages of the same accounts: the older one does not undo what was done on the newer."""
        admin = badge(parts, site, "sunny", "admin", "administrator")
        badge(parts, site, "sunny", "wang", "custodian")
        old = read(admin, "/console/accounts")
        form = old.to(f"/console/accounts/{_code(parts, 'wang')}")
        old.send(form, ("role", "approver"))
        again = old.send(form, ("role", "analyst"))
        assert again.status == 409
        assert "changed meanwhile" in again.text
        shown = again.to(f"/console/accounts/{_code(parts, 'wang')}").values
        assert {v for n, v in shown if n == "role"} == {"custodian", "approver"}
        with parts.database.read() as tx:
            assert staff.by_login(tx, "sunny", "wang").roles == {"custodian", "approver"}

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


class TestDone:
    """That something was done is said by the page after the act, and by no address that somebody typed."""

    def test_after_the_act_alone(self, custodian, given, parts, site):
        asked = _ask(custodian)
        assert "another person must approve" in asked.text
        assert "another person must approve it" in read(custodian, asked.address).text  # again
        said = asked.address.partition("done=")[2]
        assert said.startswith("asked.")
        elsewhere = badge(parts, site, "sunny", "sun", "custodian")
        for visitor, done in (
            (custodian, "erased"), (custodian, said.replace("asked", "erased")), (custodian, "."),
            (custodian, "张三"), (elsewhere, said),
        ):  # fmt: skip
            assert 'role="status"' not in read(visitor, f"/console/grants?done={done}").html


class TestPapers:
    def test_an_assessment_is_known_by_the_hash_of_its_report(self, parts, site):
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/papers/assessments")
        form = page.with_field("report")
        typed = {"about": "supplies", "date": "2026-03-01", "until": "2027-03-01"}
        for _ in range(2):  # the button was pressed twice
            answer = admin.post(
                form.action, data={**dict(form.values), **typed},
                files={"report": ("report.pdf", b"a report", "application/pdf")},
            )  # fmt: skip
            assert answer.status_code == 303
        assert [a.sha256 for a in _entries(parts, "assessment")] == [
            sha256(b"a report").hexdigest()
        ]


@pytest.mark.usefixtures("given")
class TestRequests:
    def _asked(self, custodian):
        page = read(custodian, "/console/records/sunny/1/0")
        return page.send(page.to("/console/requests/1/0"), reason="objection")

    def test_a_request_that_waits_is_not_recorded_twice(self, custodian, parts):
        page = read(custodian, "/console/records/sunny/1/0")
        form = page.to("/console/requests/1/0")
        for said in ("waiting", "nothing was done twice"):
            assert said in page.send(form, reason="objection").text
        with parts.database.read() as tx:
            assert len(requests.listing(tx, "sunny")) == 1
        page = read(custodian, "/console/records/sunny/1/0")
        assert "a request to erase this record waits" in page.text
        assert not [f for f in page.forms if "/console/requests" in f.action]

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

    def test_an_approval_does_not_wait_for_the_destruction(self, custodian, approver, parts):
        self._asked(custodian)
        with parts.database.read() as tx:
            (asked,) = requests.listing(tx, "sunny")
        held = Held()
        parts.works.begin(("erasure", "sunny", asked.request), held, wait=0)
        page = read(approver, "/console/approvals")
        done = page.send(next(f for f in page.forms if ("verdict", "approve") in f.values))
        assert "Approved" in done.text
        assert "the record is destroyed" not in done.text
        assert len(_entries(parts, "erasure")) == 1
        held.open.set()

    def test_the_same_answer_again_leads_to_what_was_decided_and_another_is_a_conflict(
        self, custodian, approver, site, parts
    ):
        self._asked(custodian)
        page = read(approver, "/console/approvals")
        refuse, approve = (
            next(f for f in page.forms if ("verdict", verdict) in f.values)
            for verdict in ("refuse", "approve")
        )
        assert "Refused" in page.send(refuse).text
        assert "nothing was done twice" in page.send(refuse).text
        other = page.send(approve)
        assert other.status == 409
        assert "with another answer" in other.text
        colleague = badge(parts, site, "jinan", "qian", "approver")
        data = {"csrf": read(colleague, "/console/approvals").value("csrf"), "verdict": "refuse"}
        answer = colleague.post(refuse.action, data=data)
        assert answer.status_code == 409
        assert "by another person" in answer.text
        assert _entries(parts, "erased") == []

    def test_what_is_not_there_is_not_said_to_be_decided(self, custodian, approver, parts, site):
        self._asked(custodian)
        page = read(approver, "/console/approvals")
        refuse = next(f for f in page.forms if ("verdict", "refuse") in f.values)
        page.send(refuse)
        beside = badge(parts, site, "lishan-cdc", "qian", "approver")
        data = {"csrf": read(beside, "/console/approvals").value("csrf"), "verdict": "refuse"}
        assert beside.post(refuse.action, data=data).status_code in {403, 404}
        nothing = refuse.action.split("?")[0].rpartition("/")[0] + "/r-nothing"
        data["csrf"] = page.value("csrf")
        assert approver.post(nothing, data=data).status_code == 404

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
        assert "Nobody has opened" not in page.text  # of none before one is chosen
        row = re.findall(r"<tr><td><a[^>]*org=sunny.*?</tr>", page.html, re.DOTALL)[0]
        assert '<span class="tag bad">' in row
        turned = read(inspector, "/console/oversight?order=-organisation")
        shown = [
            [
                h.rpartition("org=")[2].partition("&")[0]
                for h, _ in p.links
                if "/oversight?" in h and "org=" in h
            ]
            for p in (page, turned)
        ]
        assert len(set(shown[0])) > 1
        assert list(dict.fromkeys(shown[0])) == list(dict.fromkeys(shown[1]))[::-1]
        answer = inspector.get("/console/oversight?export=csv&has=overdue")
        assert answer.text.splitlines()[0] == "organisation,points,due,overdue,orders,holds,review"
        one = read(inspector, "/console/oversight?org=sunny")
        assert "All organisations" not in one.text
        assert "Overdue: " in one.text

    def test_orders_holds_and_days_are_the_supervisor_s_to_read_and_nobody_else_s(
        self, parts, site, clock, custodian
    ):
        town.assess(parts, "sunny", "hold")
        clock.forward(days=40)
        renew(parts, custodian, "sunny", "wang")
        bucket = read(custodian, "/console/destruction/1")
        order = bucket.to("/orders")
        assert "waiting" in bucket.send(order, part="3-II", reason="due").text
        until = (clock() + timedelta(days=20)).date().isoformat()
        assert "Held until" in bucket.send(bucket.to("/holds"), until=until).text

        inspector = badge(parts, site, "jinan", "wu", "supervisor")
        one = read(inspector, "/console/oversight?org=sunny")
        assert "Orders of destruction : 1 waiting" in one.text
        assert "Holds : 1 in force" in one.text
        for path, said in (
            ("?org=sunny", "Sunny Garden"), ("?org=sunny&state=held", "Residential entry"),
            ("/orders?org=sunny&stage=proposed", "2026-03-14"), ("/orders?org=sunny&stage=lapsed", "Nothing fits"),
        ):  # fmt: skip
            page = read(inspector, f"/console/destruction{path}")
            assert said in page.text
            acts = {f.action for f in page.forms if f.method == "post"}
            assert [a for a in acts if "/sign-out" not in a and "/release" not in a] == []
            assert [h for h, _ in page.links if "/destruction/1" in h] == []
            stranger = badge(parts, site, "jinan", f"li{len(path)}", "custodian", "approver")
            assert read(stranger, f"/console/destruction{path}").status == 403
        assert inspector.get("/console/destruction/orders?org=nope&export=csv").status_code == 404
        assert "parts kept: 5." in one.text
        table = inspector.get("/console/destruction/orders?org=sunny&export=csv").text.splitlines()
        assert table[0].startswith("order,bucket,parts,reason,stage,proposed_by,proposed")
        assert "3-II,due,proposed" in table[1]
        own = inspector.get("/console/destruction/orders?export=csv").text.splitlines()
        assert len(own) == 1
        mine = read(custodian, "/console/destruction/orders?stage=proposed")
        done = mine.send(mine.to("/cancel"))
        assert "Nothing fits" in done.text
        assert "nothing was done twice" in mine.send(mine.to("/cancel")).text

    @pytest.mark.parametrize(
        "who",
        ["sunny approver", "sunny supervisor", "jinan approver", "jinan custodian", "jinan supervisor"],
    )  # fmt: skip
    def test_a_hold_is_released_by_another_person_here_or_above(
        self, parts, site, clock, custodian, who
    ):
        town.assess(parts, "sunny", "hold")
        bucket, until = (
            read(custodian, "/console/destruction/1"),
            (clock() + timedelta(days=20)).date(),
        )
        bucket.send(bucket.to("/holds"), until=until.isoformat())
        for path in ("", "/holds"):  # who placed it has no button, and reads who has
            own = read(custodian, f"/console/destruction{path}")
            assert "another person releases it" in own.text
            assert [f for f in own.forms if f.action.endswith("/release")] == []
        org, role = who.split()
        second = badge(parts, site, org, "zhao", role)
        held = read(second, "/console/destruction/holds?state=lasting")
        if org == "jinan":
            assert "Holds of organisations below Sunny Garden" in held.text
            held = read(second, next(h for h, _ in held.links if "org=sunny" in h))
        assert held.to("/release").action.count("org=sunny") == (org == "jinan")
        done = held.send(held.to("/release"))
        again = held.send(held.to("/release"))
        assert (again.status, "nothing was done twice" in again.text) == (200, True)
        assert "Nothing fits" in done.text
        assert "The hold is released" in done.text
        assert len(_entries(parts, "hold-released")) == 1

    def test_one_of_two_that_is_released_leaves_the_other(self, parts, site, clock, custodian):
        town.assess(parts, "sunny", "hold")
        until = (clock() + timedelta(days=20)).date().isoformat()
        for _ in range(2):  # two investigations, each by a form of its own
            bucket = read(custodian, "/console/destruction/1")
            bucket.send(bucket.to("/holds"), until=until)
        second = badge(parts, site, "sunny", "zhao", "approver")
        held = read(second, "/console/destruction/holds?state=lasting")
        done = held.send(held.to("/release"))
        assert "another one still keeps these records" in done.text
        assert "The hold is released." in done.send(done.to("/release")).text

    def test_nobody_beside_sees_or_releases_it(self, parts, site, clock, custodian):
        town.assess(parts, "sunny", "hold")
        bucket, until = (
            read(custodian, "/console/destruction/1"),
            (clock() + timedelta(days=20)).date(),
        )
        bucket.send(bucket.to("/holds"), until=until.isoformat())
        code = next(
            f.action
            for f in read(
                badge(parts, site, "sunny", "qian", "approver"), "/console/destruction/holds"
            ).forms
            if f.action.endswith("/release")
        )
        beside = badge(parts, site, "lishan-cdc", "sun", "custodian", "approver")
        assert read(beside, "/console/destruction/holds?org=sunny").status == 403
        watching = badge(parts, site, "lishan-cdc", "wu", "supervisor")
        page = read(watching, "/console/destruction/holds?org=sunny")
        assert "held" in page.text
        assert [f for f in page.forms if f.action.endswith("/release")] == []
        for browser in (beside, watching):
            csrf = read(browser, "/console").value("csrf")
            for org, status in (("sunny", 403), ("", 404), ("nope", 404)):
                answer = browser.post(f"{code}?org={org}", data={"csrf": csrf})
                assert answer.status_code == status
        assert _entries(parts, "hold-released") == []


class TestProblems:
    """Within the console, with the way back: nobody is put out of it for a refusal."""

    @pytest.fixture
    def wang(self, parts, site):
        return badge(parts, site, "sunny", "wang", "custodian")

    @pytest.mark.parametrize(
        ("path", "status", "back"),
        [
            ("/console/points?state=x", 400, "/console/points"),
            ("/console/oversight", 403, "/console"),
            ("/console/destruction?org=jinan", 403, "/console/destruction"),
            ("/console/destruction/77", 404, "/console/destruction"),
            ("/console/destruction/x/y/z", 404, "/console/destruction"),
            ("/console/destruction/run?since=x", 422, "/console/destruction"),
            ("/console/nowhere", 404, "/console"),
            ("/console/points?state=x&lang=zh", 400, "/console/points?lang=zh"),
        ],
    )
    def test_a_page_that_is_not_shown(self, wang, path, status, back):
        page = read(wang, path)
        assert page.status == status
        assert page.to("/console/sign-out")
        assert "scanned a code" not in page.text
        assert [href for href, _ in page.links].count(back) >= 1

    @pytest.mark.parametrize(
        ("path", "back"),
        [
            ("/console/destruction/holds/h-x/release?state=lasting&done=x", "/console/destruction/holds?state=lasting"),
            ("/console/destruction/77/orders", "/console/destruction"),
            ("/console/grants/x/revoke?to=//evil.example", "/console/grants?to=%2F%2Fevil.example"),
        ],
    )  # fmt: skip
    def test_a_form_that_is_refused(self, wang, path, back):
        csrf = read(wang, "/console").value("csrf")
        answer = wang.post(path, data={"csrf": csrf})
        assert answer.status_code == 404
        page = Sheet(wang, answer)
        assert page.to("/console/sign-out")
        assert back in [href for href, _ in page.links]

    def test_somebody_who_is_not_signed_in_sees_nothing_of_it(self, site):
        page = read(Visitor(site), "/console/nowhere")
        assert page.status == 404
        assert "sign-out" not in page.html
