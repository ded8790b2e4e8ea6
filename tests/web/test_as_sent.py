"""A form that comes back with an error is as it was sent: what was chosen, ticked and typed stands there again."""

import pytest
import town
from sheet import Form, Sheet, read
from staff_room import badge, settle
from test_console import _approve, _ask
from test_resident import TYPED, _fields
from visitor import Visitor

from epilock.accounts import staff
from epilock.store import bucket as buckets


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


def as_sent(page: Sheet, form: Form, *more: tuple[str, str], without=(), **typed: str) -> Sheet:
    """Send a form that is refused; the one that comes back would send the same, but for the token."""
    values = [(n, v) for n, v in form.values if (n, v) not in without]
    form = Form(form.action, form.method, values, form.boxes, form.fields, form.buttons)
    again = page.send(form, *more, **typed)
    assert again.status >= 400
    sent = {(n, v) for n, v in (*form.values, *more) if n not in typed} | set(typed.items())
    path = form.action.partition("?")[0]
    (back,) = (f for f in again.forms if f.action.partition("?")[0] == path and same_form(f, form))
    differ = {pair for pair in sent ^ set(back.values) if pair[0] != "csrf"}
    assert {pair for pair in differ if pair[1]} == set()
    return again


def same_form(one: Form, other: Form) -> bool:
    return set(one.fields) == set(other.fields)


def options_of(page: Sheet, name: str) -> list[str]:
    """What may be chosen in the list ``name``."""
    _, _, rest = page.html.partition(f'name="{name}"')
    listed, _, _ = rest.partition("</select>")
    return [each.partition('"')[0] for each in listed.split('<option value="')[1:]]


def grants_of(custodian: Visitor, approver: Visitor) -> list[str]:
    """Two grants over the same records, in the order in which they are offered."""
    for _ in range(2):
        _ask(custodian)
        _approve(approver)
    return options_of(read(custodian, "/console/records/sunny/1/0"), "grant")


def test_a_grant_that_is_asked_for_twice_by_one_form_is_one(custodian, given):
    """The button was pressed twice, or once more by Back."""
    page = read(custodian, "/console/grants")
    typed = {"purpose": "personnel", "form": "masked", "subjects": "5", "reason": "gate duty"}
    form = page.with_field("subjects")
    first, again = (
        page.send(form, ("circumstance", "residential-entry"), **typed) for _ in range(2)
    )
    assert (first.status, again.status) == (200, 200)
    assert "nothing was done twice" in again.text
    assert again.html.count("<code>g-") == first.html.count("<code>g-") == 1


class TestOpening:
    def test_the_grant_that_was_chosen(self, custodian, approver, given):
        first, second = grants_of(custodian, approver)
        assert first != second
        page = read(custodian, "/console/records/sunny/1")
        as_sent(page, page.to("/open/sunny"), grant=second)  # nothing is ticked

    def test_a_search_offers_the_grant_that_it_was_made_under(self, custodian, approver, given):
        first, second = grants_of(custodian, approver)
        for made in (first, second):
            page = read(custodian, "/console/records")
            typed = {"grant": made, "category": "contact.mobile", "value": TYPED["f.mobile"]}
            found = page.send(page.to("/search/sunny"), **typed)
            assert ("grant", made) in found.to("/open/sunny").values
            as_sent(found, found.to("/open/sunny"), grant=second)

    def test_a_search_offers_no_grant_that_opens_nothing_of_it(
        self, custodian, approver, given, parts
    ):
        _ask(custodian)
        _approve(approver)
        page = read(custodian, "/console/grants")
        typed = {"purpose": "personnel", "form": "masked", "subjects": "5", "reason": "duty roster"}
        asked = page.send(page.with_field("subjects"), ("circumstance", "staffing"), **typed)
        assert "another person must approve" in asked.text, asked.text
        _approve(approver)
        page = read(custodian, "/console/records")
        entry, other = sorted(
            options_of(page, "grant"), key=lambda code: code not in options_of(
                read(custodian, "/console/records/sunny/1/0"), "grant"
            ),
        )  # fmt: skip
        typed = {"grant": entry, "category": "contact.mobile", "value": TYPED["f.mobile"]}
        found = page.send(page.to("/search/sunny"), **typed)
        assert options_of(found, "grant") == [entry]
        assert other != entry


class TestDestruction:
    def test_an_order_keeps_its_parts_and_its_reason(self, custodian, given, parts):
        with parts.database.read() as tx:
            live = buckets.load(tx, "sunny", 1).live
        page = read(custodian, "/console/destruction/1")
        form = page.to("/1/orders")
        reason = options_of(page, "reason")[-1]
        # nothing is due yet
        as_sent(page, form, *(("part", part) for part in sorted(live)[-1:]), reason=reason)

    def test_a_hold_keeps_its_reason_and_its_day(self, custodian, given, parts):
        town.assess(parts, "sunny", "hold")
        page = read(custodian, "/console/destruction/1")
        as_sent(page, page.to("/1/holds"), reason="investigation", until="2020-01-01")


class TestPoint:
    def test_languages_media_and_columns_that_nobody_knew(self, custodian, parts):
        town.assess(parts, "sunny", "evacuation-shelter")
        path = "/console/points/new/evacuation-shelter?method=interview"
        form = read(custodian, path).with_field("file")
        files = {"file": ("form.csv", "姓名,手机号,神秘栏目甲\n".encode(), "text/csv")}
        page = Sheet(custodian, custodian.post(form.action, data=dict(form.values), files=files))
        form = page.with_field("zh")
        assert ("unknown", "神秘栏目甲") in form.values
        medium = next(pair for pair in form.boxes if pair[0] == "medium")
        again = as_sent(
            page, form, medium, without=[("language", "en")],
            **{"zh": "", "en": "", "is.0": "contact.area"},
        )  # fmt: skip
        assert ("zh", "东门") not in again.with_field("zh").values


class TestAccounts:
    def test_the_roles_of_a_new_account(self, parts, site):
        admin = settle(parts, site, "sunny", "boss", "administrator")
        page = read(admin, "/console/accounts")
        form = page.with_field("login")
        as_sent(page, form, ("role", "collector"), ("role", "custodian"), login="?")

    def test_the_roles_that_an_account_was_to_have(self, parts, site):
        admin = settle(parts, site, "sunny", "boss", "administrator")
        badge(parts, site, "sunny", "li", "collector")
        with parts.database.read() as tx:
            li = next(s for s in staff.listing(tx, "sunny") if s.login == "li")
        page = read(admin, "/console/accounts")
        form = page.to(li.staff)
        roles = [("role", "administrator"), ("role", "supervisor")]  # never together
        as_sent(page, form, *roles, without=[("role", "collector")])


class TestRecord:
    def test_the_day_on_which_a_clock_starts(self, custodian, parts, site):
        town.mandate(parts, "sunny", "quarantine")
        town.assess(parts, "sunny", "quarantine")
        point = town.open_point(parts, "sunny", "quarantine", town.NAME, town.MOBILE)
        page = _fields(Visitor(site), f"/c/sunny/{point.point}")
        typed = {n: v for n, v in TYPED.items() if n != "f.temperature"}
        assert page.send(page.form(), step="send", **typed).status == 200
        page = read(custodian, "/console/records/sunny/1/0")
        as_sent(page, page.to("/event"), day="2020-01-01")
