"""Before grade 4 is shown, a token made or a factor changed, a factor is shown anew; and nothing is typed twice."""

import re

import pytest
import town
from sheet import read
from staff_room import PASSWORD, code_at, settle, sign_in
from test_use import MOBILE, collecting
from visitor import Visitor

import passwords
from epilock.accounts import credentials, session, staff, totp
from epilock.assemble import INSTALLATION
from epilock.use import grant as grants

ASKED = "Show that it is you"


class Person:
    """Someone with an authenticator, whose key the test holds as the telephone would."""

    def __init__(self, parts, site, clock, login, *roles):
        self.parts, self.site, self.clock, self.login = parts, site, clock, login
        self.browser = settle(parts, site, "sunny", login, *roles)
        self.key = totp.new_key()
        with parts.database.write() as tx:
            self.code = staff.by_login(tx, "sunny", login).staff
            clock.forward(minutes=1)
            credentials.enrol_totp(
                tx, secret=parts.keys.secret(INSTALLATION, "totp"), org="sunny", code=self.code,
                key=self.key, proof=code_at(self.key, clock()), now=clock(),
            )  # fmt: skip

    def wait(self, **span):
        """Let time pass, in which the person is seen now and then."""
        self.clock.forward(**span)
        return self.browser

    def now(self):
        return code_at(self.key, self.clock())


@pytest.fixture
def wang(parts, site, clock):
    return Person(parts, site, clock, "wang", "custodian")


@pytest.fixture
def record(parts):
    """One record of a place of quarantine, where medication and the like, of grade 4, may be asked."""
    collecting(parts, "quarantine", town.NAME, town.MOBILE, town.RESULT)("negative")


def make_token(browser, days="90"):
    page = read(browser, "/console/account")
    return page.send(page.to("/tokens"), days=days)


class TestAsking:
    def test_a_sign_in_counts_for_five_minutes(self, wang):
        assert "The token is made" in make_token(wang.wait(minutes=3)).text
        assert ASKED in make_token(wang.wait(minutes=2)).text

    def test_what_was_filled_in_is_gone_on_with(self, wang):
        page = make_token(wang.wait(minutes=6), days="365")
        assert page.status == 401
        assert page.value("days") == "365"
        done = page.send(page.with_field("proof_code"), proof_code=wang.now())
        assert "The token is made" in done.text
        assert done.path == "/console/account/tokens"
        assert "The token is made" in make_token(wang.browser).text  # asked once for five minutes

    def test_a_wrong_code_goes_on_with_nothing(self, wang):
        page = make_token(wang.wait(minutes=6))
        again = page.send(page.with_field("proof_code"), proof_code="000000")
        assert (again.status, ASKED in again.text) == (401, True)
        assert again.value("days") == "90"
        assert "000000" not in again.html
        with wang.parts.database.read() as tx:
            who = staff.load(tx, "sunny", wang.code)
            assert [s.kind for s in session.listing(tx, who, now=wang.clock())] == ["console"]

    def test_a_code_proves_once(self, wang):
        page = make_token(wang.wait(minutes=6))
        code = wang.now()
        page.send(page.with_field("proof_code"), proof_code=code)
        with wang.parts.database.write() as tx:
            tx.conn.execute(session.proofs.delete())
        page = make_token(wang.browser)
        assert page.send(page.with_field("proof_code"), proof_code=code).status == 401

    def test_who_guesses_waits(self, wang):
        page = make_token(wang.wait(minutes=6))
        for _ in range(20):
            page.send(page.with_field("proof_code"), proof_code="000000")
        assert page.send(page.with_field("proof_code"), proof_code=wang.now()).status == 429

    def test_the_proof_is_this_browsers_alone(self, parts, site, wang):
        page = make_token(wang.wait(minutes=6))
        page.send(page.with_field("proof_code"), proof_code=wang.now())
        with parts.database.read() as tx:
            who = staff.load(tx, "sunny", wang.code)
        assert ASKED in make_token(begun_before(parts, Visitor(site), who, wang.clock)).text

    def test_an_answer_of_no_passkey_is_said(self, wang):
        page = make_token(wang.wait(minutes=6))
        again = page.send(page.with_field("proof_code"), proof_answer="{}")
        assert (again.status, "no answer of a passkey" in again.text) == (401, True)

    def test_a_page_that_is_looked_at_leads_back(self, wang):
        page = read(wang.wait(minutes=6), "/console/second-factor")
        assert ASKED in page.text
        done = page.send(page.with_field("proof_code"), proof_code=wang.now())
        assert done.path == "/console/second-factor"
        assert "Scan this" in done.text

    def test_it_leads_nowhere_else(self, wang):
        page = read(wang.wait(minutes=6), "/console/second-factor")
        done = page.send(page.with_field("proof_code"), proof_code=wang.now(), to="//evil.example")
        assert done.path == "/console"


def begun_before(parts, browser, who, clock):
    """A session that began six minutes ago and was seen just now."""
    with parts.database.write() as tx:
        token = session.begin(tx, who, now=clock())
        key = {"org": who.org, "hash": session._hash(token)}
        tx.update(session.sessions, key, opened=clock() - 2 * session.PROVED)
    browser.cookies.clear()
    browser.cookies.set("epilock", token)
    return browser


class TestGradeFour:
    @pytest.fixture
    def officer(self, parts, wang, record):
        del record
        with parts.database.write() as tx:
            for form in ("raw", "masked"):
                asked = grants.request(
                    tx, parts.standard, staff.load(tx, "sunny", wang.code), case=None,
                    source="sunny", purpose="personnel", form=form,
                    circumstances=("quarantine",), subjects=5,
                    until=wang.clock.instant.replace(day=20), reason="gate", now=wang.clock(),
                )  # fmt: skip
                key = {"org": "sunny", "grant": asked.grant}
                tx.update(grants.grants, key, stage=grants.ACTIVE, approved_by="s-another")
        return wang

    def open(self, officer, form):
        page = read(officer.browser, "/console/records/sunny/1")
        with officer.parts.database.read() as tx:
            under = next(
                g for g in grants.listing(tx, "sunny", stages=(grants.ACTIVE,)) if g.form == form
            )
        return page.send(page.with_field("grant"), ("place", "1:0"), grant=under.grant)

    def test_raw_asks_before_anything_is_decided(self, officer):
        officer.wait(minutes=6)
        page = self.open(officer, "raw")
        assert ASKED in page.text
        assert MOBILE not in page.html
        assert page.path == "/console/records/open/sunny"
        done = page.send(page.with_field("proof_code"), proof_code=officer.now())
        assert MOBILE in done.text
        officer.wait(minutes=6)
        again = read(officer.browser, done.path)
        assert ASKED in again.text
        assert MOBILE not in again.html

    def test_masked_asks_nothing(self, officer):
        officer.wait(minutes=6)
        assert ASKED not in self.open(officer, "masked").text


class TestFactors:
    def test_recovery_codes_are_shown_once_and_let_in(self, parts, site, wang, clock):
        page = read(wang.browser, "/console/account")
        assert "0 left" in page.text
        made = page.send(page.to("/recovery"))
        codes = re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", made.text)
        assert len(codes) == 10
        page = read(wang.browser, "/console/account")
        assert "10 left" in page.text
        assert codes[0] not in page.html
        clock.forward(minutes=1)
        other = Visitor(site)
        entered = sign_in(other, "sunny", "wang", PASSWORD, code=codes[0])
        assert "You signed in with a recovery code" in entered.text
        assert "9 left" in read(other, "/console/account").text
        assert sign_in(Visitor(site), "sunny", "wang", PASSWORD, code=codes[0]).status == 401
        assert parts is wang.parts

    @pytest.mark.parametrize(
        "path", ["/console/account/recovery", "/console/account/authenticator/remove",
                 "/console/account/passkeys", "/console/account/passkeys/k-1/remove",
                 "/console/account/tokens", "/console/second-factor"],
    )  # fmt: skip
    def test_each_change_of_a_factor_asks(self, wang, path):
        browser = wang.wait(minutes=6)
        csrf = read(browser, "/console").value("csrf")
        answer = browser.post(path, data={"csrf": csrf, "days": "30"})
        assert (answer.status_code, ASKED in answer.text) == (401, True)

    def test_a_password_is_typed_again_and_not_repeated(self, wang):
        browser = wang.wait(minutes=6)
        csrf = read(browser, "/console").value("csrf")
        answer = browser.post("/console/second-factor", data={"csrf": csrf, "password": PASSWORD})
        assert PASSWORD not in answer.text
        assert 'name="password"' in answer.text

    def test_the_last_second_factor_stays(self, wang):
        csrf = read(wang.browser, "/console").value("csrf")
        answer = wang.browser.post("/console/account/authenticator/remove", data={"csrf": csrf})
        assert answer.status_code == 409

    def test_after_a_reset_they_are_gone(self, parts, wang):
        with parts.database.write() as tx:
            credentials.renew_recovery(tx, org="sunny", code=wang.code)
            staff.reset(
                tx, parts.log, standard_ref=parts.standard.ref, org="sunny", code=wang.code,
                now=wang.clock(),
            )  # fmt: skip
            assert staff.recovery.left(tx, "sunny", wang.code) == 0
            assert not staff.load(tx, "sunny", wang.code).has_factor

    def test_without_any_factor_the_password_proves(self, parts, site, wang):
        """In a demonstration, and while an account is set up."""
        browser = Visitor(site)
        once = _new(parts)
        page = sign_in(browser, "sunny", "new", once)
        page = page.send(page.with_field("old"), old=once, new=PASSWORD, again=PASSWORD)
        wang.clock.forward(minutes=6)
        page = read(browser, "/console/second-factor")
        assert page.send(page.with_field("proof_password"), proof_password="no").status == 401
        done = page.send(page.with_field("proof_password"), proof_password=PASSWORD)
        assert "Scan this" in done.text


def _new(parts):
    with parts.database.write() as tx:
        return staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org="sunny", login="new",
            roles=("custodian",), now=parts.now(), once=passwords.once(),
        )[1]  # fmt: skip
