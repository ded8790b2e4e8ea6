"""Nothing that was typed is lost when a session ends; and nobody else is shown it."""

import re
from os import urandom as random

import pytest
import town
from sheet import read
from staff_room import PASSWORD, code_at, settle
from test_use import collecting

from epilock.accounts import administer, credentials, session, staff, totp
from epilock.assemble import INSTALLATION
from epilock.standard import load
from epilock.use import grant as grants
from epilock.web import language
from epilock.web.console import carried
from epilock.web.language import Speaker

TYPED = 'a reason of 张三, "quoted" <b>\nand a second line'
AGAIN = "It was not sent yet"


class Officer:
    """Someone with an authenticator, whose key the test holds."""

    def __init__(self, parts, site, clock, login):
        self.parts, self.clock, self.login, self.key = parts, clock, login, totp.new_key()
        self.browser = settle(parts, site, "sunny", login, "custodian")
        clock.forward(minutes=1)
        with parts.database.write() as tx:
            self.code = staff.by_login(tx, "sunny", login).staff
            credentials.enrol_totp(
                tx, secret=parts.keys.secret(INSTALLATION, "totp"), org="sunny", code=self.code,
                key=self.key, proof=code_at(self.key, clock()), now=clock(),
            )  # fmt: skip

    def type_in(self, page, door, **more):
        self.clock.forward(minutes=1)
        code = code_at(self.key, self.clock())
        return page.send(door, org="sunny", login=self.login, password=PASSWORD, code=code, **more)

    def sign_in(self, browser):
        page = read(browser, "/console/sign-in")
        return self.type_in(page, page.form())

    def out(self):
        with self.parts.database.write() as tx:
            session.end_all(tx, staff.load(tx, "sunny", self.code))


@pytest.fixture
def wang(parts, site, clock):
    collecting(parts, "residential-entry", town.NAME, town.MOBILE)()
    return Officer(parts, site, clock, "wang")


@pytest.fixture
def li(parts, site, clock):
    return Officer(parts, site, clock, "li")


def asked(wang):
    """A grant that is typed in, and what is to be sent."""
    page = read(wang.browser, "/console/grants")
    return page, page.with_field("subjects")


def fill(page, form):
    return page.send(
        form, ("circumstance", "residential-entry"), purpose="personnel", reason=TYPED, subjects="7",
    )  # fmt: skip


def granted(parts):
    with parts.database.read() as tx:
        return tx.all(grants.grants)


class TestSignedOut:
    @pytest.fixture(params=["elsewhere", "time"])
    def door(self, request, wang):
        page, form = asked(wang)
        if request.param == "time":
            wang.clock.forward(minutes=31)
        else:
            wang.out()
        return fill(page, form)

    def test_it_is_said_and_nothing_of_it_can_be_read(self, door, parts):
        assert (door.status, door.path) == (401, "/console/grants")
        assert "You had been signed out. Nothing was stored." in door.text
        assert "张三" not in door.html
        assert door.value("to") == "/console/grants"
        assert granted(parts) == []

    def test_the_same_account_sends_it_again(self, wang, door, parts):
        page = wang.type_in(door, door.with_field("login"))
        assert AGAIN in page.text
        assert page.value("reason") == TYPED
        for said in (
            "To Grants /console/grants",
            "Purpose Management of persons on site",
            "Form partly hidden",
            "how many people 7",
        ):
            assert said in page.text  # what is sent can be looked at, in words
        assert " ".join(TYPED.split()) in page.text
        done = page.send(page.to("/grants"))
        assert done.path == "/console/grants"
        (row,) = granted(parts)
        assert (row["subjects"], row["staff"]) == (7, wang.code)

    def test_a_page_of_paper_is_shown_by_rows_and_columns(self):
        """Not by the names that fields have in the form."""
        sent = [
            ("act", "purpose:resource-allocation"), ("r1.identity_name", "李二"), ("book", "A-1"),
            ("row", "x"), ("zh.x", "甲"), ("field", "contact_mobile"),
        ]  # fmt: skip
        held = carried.Carried(
            org="sunny", staff="s-1", to="/console/sheets/p", fields=sent, files=[], until=0
        )
        phrases = language.load()
        t = Speaker(phrases, language.languages(phrases, language.LANGUAGES)["en"])
        assert carried.named(held, t, load()) == [
            ("Each person on this page signed for, or has read:", "Allocation of resources"),
            ("Row 1 Name", "李二"),
            ("Number of the ledger", "A-1"),
            ("Asks now", "Mobile number"),
        ]

    def test_a_wrong_password_loses_nothing(self, wang, door):
        again = door.send(door.with_field("login"), org="sunny", login="wang", password="wrong")
        assert again.status == 401
        assert "What you filled in is kept in this page" in again.text
        assert AGAIN in wang.type_in(again, again.with_field("login")).text

    def test_another_account_is_shown_nothing(self, li, door):
        li.out()
        page = li.type_in(door, door.with_field("login"))
        assert "Somebody else was signed in" in page.text
        assert ("/console/grants", "张三" in page.html) in [(h, False) for h, _ in page.links]

    def test_after_an_hour_it_is_gone(self, wang, door, clock):
        clock.forward(hours=1)
        page = wang.type_in(door, door.with_field("login"))
        assert "kept for an hour at most, and is gone now" in page.text
        assert "张三" not in page.html

    def test_what_was_altered_is_not_taken(self, wang, door):
        held = door.value("carried")
        for other in ("A", "é", held[: len(held) // 2], held[:30] + "AAAA" + held[34:]):
            page = wang.type_in(door, door.with_field("login"), carried=other)
            assert "is gone now" in page.text
        page = wang.type_in(door, door.with_field("login"), carried="")
        assert page.path == "/console/grants"

    def test_an_account_that_is_to_be_set_up_does_that_first_and_loses_nothing(
        self, wang, door, parts
    ):
        with parts.database.write() as tx:
            once = administer.reset(
                tx, parts.log, standard_ref=parts.standard.ref, org="sunny", code=wang.code,
                by=None, now=parts.now(),
            )  # fmt: skip
        page = door.send(door.with_field("login"), org="sunny", login="wang", password=once)
        for _ in range(2):
            page = page.send(page.to("/grants"))
            assert (page.status, "Your account has something to finish first" in page.text) == (
                401,
                True,
            )
            assert page.value("reason") == TYPED
        assert granted(parts) == []
        there = read(wang.browser, next(h for h, _ in page.links if "/console/password" in h))
        new = PASSWORD[::-1]
        there = there.send(there.with_field("old"), old=once, new=new, again=new)
        key = there.value("key") if "key" in there.html else ""
        if key:
            there.send(there.with_field("code"), code=code_at(key, parts.now()))
        done = page.send(page.to("/grants"))
        assert done.path == "/console/grants"
        assert len(granted(parts)) == 1


class TestSignedInAgain:
    """In another tab, while the form was open in this one."""

    def test_it_is_sent_again_from_the_page_that_says_so(self, wang, parts):
        page, form = asked(wang)
        wang.out()
        wang.sign_in(wang.browser)
        again = fill(page, form)
        assert (again.status, again.path) == (401, "/console/grants")
        assert AGAIN in again.text
        assert "Sign out" in again.text  # within the console
        assert granted(parts) == []
        assert again.send(again.to("/console/grants")).status == 200
        assert len(granted(parts)) == 1

    def test_somebody_else_is_shown_nothing(self, wang, li, parts):
        page, form = asked(wang)
        wang.out()
        li.sign_in(wang.browser)
        again = fill(page, form)
        assert "Somebody else was signed in" in again.text
        assert "张三" not in again.html
        assert granted(parts) == []

    def test_a_form_that_no_page_made_is_not_carried(self, wang, li):
        """Also not one that somebody made of the token of their own page and another's account."""
        page = read(li.browser, "/console/grants")
        own = page.value("csrf")
        assert own.split(".")[2] == li.code
        for csrf in ("", "x", "a.b.c.d", own.replace(li.code, wang.code), own[:-1] + "~"):
            answer = wang.browser.post("/console/grants", data={"csrf": csrf, "reason": TYPED})
            assert (answer.status_code, "张三" in answer.text) == (303, False), csrf


def test_a_file_is_to_be_chosen_again(wang, parts):
    page = read(wang.browser, "/console/offline")
    wang.out()
    wang.sign_in(wang.browser)
    answer = wang.browser.post(
        "/console/offline/outbox", data={"csrf": page.value("csrf")},
        files={"file": ("outbox-1.bin", b"not carried")},
    )  # fmt: skip
    assert "Choose the file outbox-1.bin again" in answer.text
    assert "not carried" not in answer.text


def test_a_photograph_that_a_page_can_do_without_stays_optional(wang, parts):
    point = town.open_paper_point(parts).point
    page = read(wang.browser, f"/console/sheets/{point}")
    typed = {**dict(page.with_field("book").values), "book": "A-12", "r1.name": "诸葛样本"}
    wang.out()
    wang.sign_in(wang.browser)
    answer = wang.browser.post(
        f"/console/sheets/{point}", data=typed, files={"photo": ("page.jpg", b"not carried")}
    )
    assert "Choose the file page.jpg again" in answer.text
    (field,) = re.findall(r'<input id="photo"[^>]*>', answer.text)
    assert "required" not in field
    assert typed["sheet"] not in re.sub(r"<input[^>]*>", "", answer.text)  # nobody reads an id


def test_what_shows_who_somebody_is_is_not_carried(wang):
    page = read(wang.browser, "/console/account")
    wang.out()
    typed = {"csrf": page.value("csrf"), "old": PASSWORD, "new": "another", "again": "another"}
    answer = wang.browser.post("/console/password", data=typed)
    assert answer.headers["location"] == "/console/sign-in?to=%2Fconsole"


def test_so_much_that_no_page_can_keep_it_is_not_sealed():
    noise = random(2 * carried.MOST).hex()
    much = carried.Carried(
        org="sunny", staff="s-1", to="/console/sheets/x", fields=[("r", noise)], files=[], until=0
    )
    assert carried.seal(much, bytes(32)) == ""
