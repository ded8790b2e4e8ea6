"""Who comes in, and what an account must have before it sees anything."""

import pytest
from sheet import read
from staff_room import PASSWORD, badge, code_at, hire, settle, sign_in
from visitor import Visitor

from epilock.web.app import create_app
from epilock.web.console.proof import ATTEMPTS, inside


@pytest.fixture
def once(parts):
    return hire(parts, "sunny", "wang", "custodian")


class TestSignIn:
    def test_without_a_session_every_page_leads_to_the_door_and_back(self, visitor):
        answer = visitor.get("/console/points")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/sign-in?to=%2Fconsole%2Fpoints"

    def test_a_query_that_is_too_long_is_left_out(self, visitor):
        answer = visitor.get(f"/console/points?state={'x' * 1000}")
        assert answer.headers["location"] == "/console/sign-in?to=%2Fconsole%2Fpoints"

    def test_what_was_wrong_is_not_said(self, visitor, once):
        for login, password in (("wang", "wrong"), ("nobody", once)):
            page = sign_in(visitor, "sunny", login, password)
            assert page.status == 401
            assert "it is not said which" in page.text
            assert once not in page.html

    def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(self, visitor, once):
        page = read(visitor, "/console/sign-in")
        body = {"org": "sunny", "login": "wang", "password": once}
        answer = visitor.post(page.form().action, data=body)
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie

    @pytest.mark.usefixtures("once")
    def test_a_guesser_waits(self, visitor):
        pages = [sign_in(visitor, "sunny", "wang", "wrong") for _ in range(6)]
        assert pages[-1].status == 429
        assert int(pages[-1].headers["retry-after"]) > 0

    def test_an_office_behind_one_address_comes_in(self, visitor, once):
        """Who gets in was no guesser: what they tried does not count against those beside them."""
        for _ in range(ATTEMPTS + 5):
            assert sign_in(visitor, "sunny", "wang", once).path == "/console/password"

    def test_one_address_guesses_so_often_and_no_more_whoever_else_gets_in(self, visitor, once):
        """Neither a colleague's sign-ins nor the guesser's own account give a guess more."""
        for n in range(ATTEMPTS):
            assert sign_in(visitor, "sunny", f"nobody-{n}", "wrong").status == 401
            if n < ATTEMPTS - 1:
                assert sign_in(visitor, "sunny", "wang", once).path == "/console/password"
        page = sign_in(visitor, "sunny", "nobody-20", "wrong")
        assert page.status == 429
        assert int(page.headers["retry-after"]) > 0
        assert sign_in(visitor, "sunny", "wang", once).status == 429

    def test_no_redirect_leads_out_of_the_console(self):
        for to in (
            "https://evil.example",
            "//evil.example",
            "/console/..//evil.example?to=/console",
            "/console//evil",
            "/console/../r",
            "/r",
            "/offlines",
        ):
            assert inside(to) == "/console"
        for to in ("/console/points", "/offline", "/offline/l-k3f7q2xw5mza?lang=en"):
            assert inside(to) == to


class TestSettingUp:
    def test_a_one_time_password_reaches_no_page_but_its_change(self, visitor, once):
        page = sign_in(visitor, "sunny", "wang", once, to="/console/points")
        assert page.path == "/console/password"
        assert read(visitor, "/console").path == "/console/password"

    def test_without_a_second_factor_nothing_else_is_reached(self, visitor, once):
        page = sign_in(visitor, "sunny", "wang", once)
        page = page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
        assert page.path == "/console/second-factor"
        assert read(visitor, "/console/points").path == "/console/second-factor"

    def test_a_wrong_first_code_is_said_and_the_key_stays(self, visitor, once):
        page = sign_in(visitor, "sunny", "wang", once)
        page = page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
        again = page.send(page.with_field("code"), code="000000")
        assert again.status == 400
        assert again.value("key") == page.value("key")

    def test_two_new_passwords_that_differ_are_refused(self, visitor, once):
        page = sign_in(visitor, "sunny", "wang", once)
        page = page.send(
            page.with_field("old"), old=once, new=PASSWORD, again="another one, also long"
        )
        assert page.status == 400

    def test_afterwards_password_and_code_let_in_once_each(self, parts, site, clock):
        visitor = Visitor(site)
        once = hire(parts, "sunny", "li", "custodian")
        page = sign_in(visitor, "sunny", "li", once)
        page = page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
        key = page.value("key")
        page.send(page.with_field("code"), code=code_at(key, clock()))
        clock.forward(minutes=2)
        code = code_at(key, clock())
        assert sign_in(Visitor(site), "sunny", "li", PASSWORD, code=code).path == "/console"
        assert sign_in(Visitor(site), "sunny", "li", PASSWORD, code=code).status == 401

    def test_a_demonstration_may_do_without_and_says_so_on_each_page(self, parts):
        visitor = Visitor(create_app(parts, insist=False))
        once = hire(parts, "sunny", "wang", "custodian")
        page = sign_in(visitor, "sunny", "wang", once)
        page = page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
        assert page.path == "/console"
        assert "no second factor" in page.text


class TestSession:
    def test_a_list_is_come_back_to_as_it_was_filtered(self, parts, clock):
        visitor = Visitor(create_app(parts, insist=False))
        once = hire(parts, "sunny", "wang", "custodian")
        page = sign_in(visitor, "sunny", "wang", once)
        page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
        clock.forward(minutes=31)
        door = read(visitor, "/console/points?state=closed&order=-name&done=opened&lang=en")
        who = {"org": "sunny", "login": "wang", "password": PASSWORD}
        answer = visitor.post(door.form().action, data=dict(door.form().values) | who)
        assert answer.headers["location"] == "/console/points?lang=en&state=closed&order=-name"
        visitor.cookies.delete("epilock")
        door = read(visitor, "/console/seen?since=")  # of all days: an empty answer is one
        answer = visitor.post(door.form().action, data=dict(door.form().values) | who)
        assert answer.headers["location"] == "/console/seen?since="

    def test_it_ends_after_half_an_hour_of_silence(self, parts, site, clock):
        visitor = settle(parts, site, "sunny", "wang", "custodian")
        clock.forward(minutes=29)
        assert read(visitor, "/console").path == "/console"
        clock.forward(minutes=31)
        assert read(visitor, "/console").path == "/console/sign-in"

    def test_signing_out_ends_it_for_every_browser_that_has_it(self, parts, site):
        visitor = settle(parts, site, "sunny", "wang", "custodian")
        token = visitor.cookies["epilock"]
        page = read(visitor, "/console")
        page.send(page.to("/sign-out"))
        other = Visitor(site)
        other.cookies.set("epilock", token)
        assert read(other, "/console").path == "/console/sign-in"

    def test_a_form_without_the_sessions_token_does_nothing(self, parts, site):
        visitor = settle(parts, site, "sunny", "admin", "administrator")
        before = read(visitor, "/console/accounts").text
        answer = visitor.post("/console/accounts", data={"login": "evil", "role": "custodian"})
        assert answer.status_code == 303
        assert read(visitor, "/console/accounts").text == before

    def test_a_form_of_another_site_is_refused(self, parts, site):
        visitor = settle(parts, site, "sunny", "admin", "administrator")
        answer = visitor.post("/console/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403


class TestAlert:
    def test_failed_sign_ins_are_on_the_administrators_first_page(self, parts, site, visitor):
        chief = badge(parts, site, "sunny", "chief", "administrator")
        for login in ("a", "b"):
            for _ in range(5):
                sign_in(visitor, "sunny", login, "wrong")
        page = read(chief, "/console")
        assert "10 sign-ins that failed within a day" in page.text
