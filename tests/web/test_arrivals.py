"""A stranger's sign-in is told to its person, who can end it; the administrator sees it."""

import pytest
from sheet import read
from staff_room import PASSWORD, badge, code_at, hire, settle, sign_in
from town import found as town_found
from visitor import Visitor

from epilock.accounts import arrival, guessing, place
from epilock.web.app import create_app


@pytest.fixture
def wang(parts, site):
    return settle(parts, site, "sunny", "wang", "custodian")


@pytest.fixture
def key(parts, wang, clock):
    """A second factor of wang's whose key the test knows."""
    clock.forward(minutes=2)
    page = read(wang, "/console/second-factor")
    key = page.value("key")
    done = page.send(page.with_field("code"), code=code_at(key, clock()), password=PASSWORD)
    assert "The second factor is on" in done.text
    clock.forward(minutes=2)
    return key


def stranger(site, key, clock) -> Visitor:
    """A browser that knows everything but has never been here."""
    visitor = Visitor(site)
    page = sign_in(visitor, "sunny", "wang", PASSWORD, code=code_at(key, clock()))
    assert page.path == "/console", page.text
    return visitor


class TestNewDevice:
    def test_the_cookie_outlives_the_session_and_no_script_reads_it(self, parts, site):
        once = hire(parts, "sunny", "li", "custodian")
        visitor = Visitor(site)
        page = read(visitor, "/console/sign-in")
        body = {"org": "sunny", "login": "li", "password": once}
        answer = visitor.post(page.form().action, data=body)
        cookie = next(c for c in answer.headers.get_list("set-cookie") if "device" in c)
        for word in ("HttpOnly", "SameSite=strict", "Max-Age=7776000", "Path=/"):
            assert word in cookie

    def test_it_was_me(self, site, wang, key, clock):
        stranger(site, key, clock)
        page = read(wang, "/console")
        assert "Was this sign-in you?" in page.text
        page = page.send(next(f for f in page.forms if ("said", "mine") in f.values))
        assert "It is noted that it was you" in page.text
        assert "Was this sign-in you?" not in page.text

    def test_it_wasnt_me_ends_everything_and_the_administrator_is_told(
        self, parts, site, wang, key, clock
    ):
        chief = badge(parts, site, "sunny", "chief", "administrator")
        other = stranger(site, key, clock)
        page = read(wang, "/console")
        page = page.send(next(f for f in page.forms if ("said", "denied") in f.values))
        assert "The account is shut" in page.text
        for visitor in (other, wang):
            assert read(visitor, "/console").path == "/console/sign-in"
        clock.forward(minutes=1)
        code = code_at(key, clock())
        assert sign_in(Visitor(site), "sunny", "wang", PASSWORD, code=code).status == 401
        assert "1 sign-ins that their person denied" in read(chief, "/console").text
        page = read(chief, "/console/accounts")
        assert "The account is reset" in page.send(page.to("/reset")).text
        assert "that their person denied" not in read(chief, "/console").text

    def test_the_administrator_sees_the_sign_ins_of_their_accounts(self, parts, site, wang):
        chief = badge(parts, site, "sunny", "chief", "administrator")
        page = read(chief, "/console/accounts/arrivals")
        assert "wang" in page.text
        assert read(wang, "/console/accounts/arrivals").status == 403

    def test_a_browser_is_named_among_the_sessions(self, wang):
        assert (
            "unknown device" in read(wang, "/console/account").text
        )  # a test's browser has no name

    def test_a_known_device_gets_in_while_an_organisation_is_sprayed(
        self, parts, site, wang, key, clock
    ):
        with parts.database.write() as tx:
            for _ in range(guessing.SPRAYED):
                guessing.failed(tx, "sunny", "nobody", now=clock())
        page = read(wang, "/console")
        page.send(page.to("/sign-out"))
        code = code_at(key, clock())
        late = sign_in(Visitor(site), "sunny", "wang", PASSWORD, code=code)
        assert late.status == 429
        assert sign_in(wang, "sunny", "wang", PASSWORD, code=code).path == "/console"


class TestTravel:
    @pytest.fixture
    def held(self, parts):
        """The session of wang is held: it began farther from the last than anybody travels."""
        with parts.database.write() as tx:
            row = tx.all(arrival.arrivals, arrival.arrivals.c.org == "sunny")[0]
            tx.update(
                arrival.arrivals, {"org": "sunny", "arrival": row["arrival"]}, state=arrival.NEW,
                reason=arrival.FAR, unproved=True,
            )  # fmt: skip

    def test_the_session_opens_nothing_until_it_is_proved(self, wang, key, held, clock):
        page = read(wang, "/console/points")
        assert page.path == "/console/proof"
        wrong = page.send(page.with_field("proof_code"), proof_code="000000")
        assert wrong.status == 401
        assert read(wang, "/console").path == "/console/proof"
        code = code_at(key, clock())
        page = wrong.send(wrong.with_field("proof_code"), proof_code=code)
        assert page.path == "/console"
        assert "farther from the last than anybody travels" in page.text

    @pytest.mark.parametrize(
        "path", ["password", "second-factor", "account", "account/passkeys", "account/passkeys/new"]
    )
    def test_nor_can_anything_of_the_account_be_changed_in_it(self, wang, key, held, clock, path):
        assert read(wang, f"/console/{path}").path == "/console/proof"
        csrf = read(wang, "/console/proof").value("csrf")
        new = "another sentence that is long enough"
        typed = {"csrf": csrf, "old": PASSWORD, "new": new, "again": new}
        wang.post("/console/password", data=typed)
        code = code_at(key, clock())
        assert sign_in(wang, "sunny", "wang", new, code=code).status == 401

    def test_the_table_comes_from_the_setting(self, tmp_path, clock):
        path = tmp_path / "places.csv"
        path.write_text("network,latitude,longitude,name\n127.0.0.0/8,36.65,117.12,Jinan\n")
        parts = town_found(tmp_path / "home", clock, EPILOCK_PLACES=str(path))
        try:
            assert place.load(parts.settings.places).find("127.0.0.1").name == "Jinan"
            site = create_app(parts)
            settle(parts, site, "sunny", "li", "custodian")
            chief = badge(parts, site, "sunny", "chief", "administrator")
            assert "Jinan" in read(chief, "/console/accounts/arrivals").text
        finally:
            parts.close()
