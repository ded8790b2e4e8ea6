"""One's own account: what is signed in can be seen and ended, tokens are shown once, resets leave a trace."""

import re

import pytest
from sheet import read
from staff_room import PASSWORD, badge, code_at, renew, settle, sign_in
from visitor import Visitor

from epilock.accounts import session, staff
from epilock.ledger import entry


@pytest.fixture
def wang(parts, site):
    return settle(parts, site, "sunny", "wang", "custodian")


@pytest.fixture
def chief(parts, site):
    return badge(parts, site, "sunny", "chief", "administrator")


def _token(wang, days="30") -> str:
    page = read(wang, "/console/account")
    made = page.send(page.to("/tokens"), days=days)
    return re.findall(r"sunny\.[A-Za-z0-9_-]{43}", made.text)[0]


def _use(site, token: str) -> int:
    answer = Visitor(site).get("/api/staff/due", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


class TestTokens:
    def test_a_token_works_until_its_end_and_is_shown_once(self, parts, site, wang, clock):
        token = _token(wang)
        assert _use(site, token) == 200
        assert token not in read(wang, "/console/account").html
        clock.forward(days=31)
        assert _use(site, token) == 401

    def test_a_token_can_be_ended(self, site, wang):
        token = _token(wang)
        page = read(wang, "/console/account")
        assert "Ended." in page.send(page.to("/end")).text
        assert _use(site, token) == 401

    def test_no_span_but_those_that_are_offered(self, wang):
        page = read(wang, "/console/account")
        assert page.send(page.to("/tokens"), days="9999").status == 400

    def test_there_are_at_most_ten(self, wang):
        for _ in range(10):
            _token(wang)
        page = read(wang, "/console/account")
        assert page.send(page.to("/tokens"), days="30").status == 400


class TestSessions:
    def test_every_browser_is_listed_and_this_one_is_named(self, parts, site, wang):
        other = Visitor(site)
        renew(parts, other, "sunny", "wang")
        page = read(wang, "/console/account")
        assert page.text.count("this browser") == 1
        assert page.text.count("End it") == 1
        page.send(page.to("/end"))
        assert read(other, "/console").path == "/console/sign-in"
        assert read(wang, "/console").path == "/console"

    def test_nobody_ends_anothers(self, parts, site, wang):
        other = badge(parts, site, "sunny", "li", "custodian")
        with parts.database.read() as tx:
            who = next(s for s in staff.listing(tx, "sunny") if s.login == "wang")
            handle = session.listing(tx, who, now=parts.now())[0].handle
        page = read(other, "/console/account")
        other.post("/console/account/end", data={"csrf": page.value("csrf"), "handle": handle})
        assert read(wang, "/console").path == "/console"

    def test_a_new_password_ends_all_others(self, parts, site, wang):
        token = _token(wang)
        page = read(wang, "/console/password")
        new = "another sentence, long enough"
        page = page.send(page.with_field("old"), old=PASSWORD, new=new, again=new)
        assert "The password is changed" in page.text
        assert _use(site, token) == 401


class TestSecondFactor:
    def test_another_needs_the_password(self, parts, wang, clock):
        clock.forward(minutes=2)
        page = read(wang, "/console/second-factor")
        code = code_at(page.value("key"), clock())
        refused = page.send(page.with_field("code"), code=code, password="not the password at all")
        assert refused.status == 401
        done = refused.send(refused.with_field("code"), code=code, password=PASSWORD)
        assert "The second factor is on" in done.text

    def test_guessing_the_password_there_ends_soon(self, wang):
        page = read(wang, "/console/second-factor")
        tries = [
            page.send(page.with_field("code"), code="0", password="wrong").status for _ in range(20)
        ]
        assert (tries[18], tries[19]) == (401, 429)  # the change of the first password counted too


class TestReset:
    def test_who_lost_the_telephone_gets_in_again_and_the_log_shows_it(
        self, parts, site, wang, chief
    ):
        before = _roles(parts)
        page = read(chief, "/console/accounts")
        made = page.send(page.to("/reset"))
        assert "The account is reset" in made.text
        once = re.findall(r"<code>([a-z2-7]{16})</code>", made.html)[0]
        assert read(wang, "/console").path == "/console/sign-in"
        assert sign_in(Visitor(site), "sunny", "wang", once).path == "/console/password"
        assert _roles(parts) == before + 2

    @pytest.mark.usefixtures("wang")
    def test_who_signed_in_a_while_ago_proves_themselves_first(self, parts, chief, clock):
        """Whoever resets an account could enter it; a browser may have been left open."""
        before, page = _roles(parts), read(chief, "/console/accounts")
        clock.forward(minutes=6)
        asked = page.send(page.to("/reset"))
        assert asked.status == 401
        assert "The account is reset" not in asked.text
        assert _roles(parts) == before

    def test_nobody_resets_their_own(self, parts, site, chief):
        page = read(chief, "/console/accounts")
        own = re.findall(r"<code>(s-[a-z0-9]+)</code>", read(chief, "/console/account").html)[0]
        answer = chief.post(f"/console/accounts/{own}/reset", data={"csrf": page.value("csrf")})
        assert answer.status_code == 403

    def test_a_disabled_account_is_still_listed_and_can_come_back(self, wang, chief):
        page = read(chief, "/console/accounts")
        form = next(f for f in page.forms if ("role", "custodian") in f.values)
        gone = page.send(form, role="")
        assert gone.status == 400
        form.values = [v for v in form.values if v[0] != "role"]
        asked = page.send(form)
        page = asked.send(asked.to(form.action.rpartition("/")[2]), ("sure", "yes"))
        assert "The account is disabled" in page.text
        assert read(wang, "/console").path == "/console/sign-in"


def _roles(parts) -> int:
    with parts.database.read() as tx:
        said = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
    return sum(isinstance(e, entry.Role) for e in said)
