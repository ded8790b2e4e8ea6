"""Signing in at an identity provider that answers from memory: who is let in, who is not, and who may set it up."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import RSAKey
from sheet import read
from staff_room import badge, code_at, hire, renew
from visitor import Visitor

from epilock.accounts import administer, credentials, oidc, provider, session, staff, totp
from epilock.assemble import INSTALLATION
from epilock.errors import ForbiddenError, SignInError, StateError
from epilock.ledger.wire import Answer
from epilock.web.app import create_app
from epilock.web.console.proof import ATTEMPTS

ISSUER = "https://login.city.example"
KEY = RSAKey.generate_key(2048, {"kid": "1"})
ABOUT = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys", "authorization_response_iss_parameter_supported": True,
}  # fmt: skip


class Login:
    """The provider: its next token says what it is told to say."""

    def __init__(self, clock):
        self.clock, self.said, self.codes = clock, {}, 0

    def __call__(self, address, body, more):
        if address == ABOUT["token_endpoint"]:
            self.codes += 1
            return Answer(200, json.dumps({"id_token": self.token(), "access_token": "a"}).encode())
        said = {"keys": [KEY.as_dict(private=False)]} if address == ABOUT["jwks_uri"] else ABOUT
        return Answer(200, json.dumps(said).encode())

    def token(self):
        at = int(self.clock().timestamp())
        said = {
            "iss": ISSUER,
            "aud": "epilock",
            "sub": "u-1",
            "exp": at + 60,
            "iat": at,
        } | self.said
        return jwt.encode({"alg": "RS256", "kid": "1"}, said, KEY)


class Place:
    """A town whose compound has a provider, and one account of it that is linked."""

    def __init__(self, parts, clock):
        self.parts, self.clock, self.login = parts, clock, Login(clock)
        self.site = create_app(parts, providers=oidc.Providers(self.login))
        badge(parts, self.site, "sunny", "wang", "custodian")
        self.chief = badge(parts, self.site, "sunny", "chief", "administrator")
        self.key = totp.new_key()
        secret = parts.keys.secret(INSTALLATION, "totp")
        with parts.database.write() as tx:
            self.who = staff.by_login(tx, "sunny", "wang").staff
            credentials.enrol_totp(
                tx, secret=secret, org="sunny", code=self.who, key=self.key,
                proof=code_at(self.key, clock()), now=clock(),
            )  # fmt: skip
            provider.configure(
                tx, secret=parts.keys.secret(INSTALLATION, "provider"), org="sunny", issuer=ISSUER,
                client="epilock", client_secret="hush", factors=("mfa",), now=clock(),
            )  # fmt: skip
        self.link()

    def link(self, login="wang", by="chief"):
        with self.parts.database.write() as tx:
            return administer.link(
                tx, self.parts.log, standard_ref=self.parts.standard.ref, org="sunny", login=login,
                sub="u-1", by=staff.by_login(tx, "sunny", by), now=self.parts.now(),
            )  # fmt: skip

    def leave(self, browser, to="/console", **said):
        """Go to the provider, which is told what its token says; return what the address there asks."""
        page = read(browser, f"/console/sign-in?to={to}")
        page = page.send(page.with_field("provider_org"), provider_org="sunny")
        where = next(a for a, _ in page.links if a.startswith(ISSUER))
        asked = {name: value for name, (value,) in parse_qs(urlsplit(where).query).items()}
        self.login.said = {"nonce": asked["nonce"]} | said
        return asked

    def back(self, browser, state, **more):
        query = {"state": state, "code": "c", "iss": ISSUER} | more
        return browser.get("/console/sign-in/provider/back", params=query)

    def enter(self, browser, **said):
        return self.back(browser, self.leave(browser, **said)["state"])


@pytest.fixture
def place(parts, clock):
    return Place(parts, clock)


@pytest.fixture
def browser(place):
    return Visitor(place.site)


def test_a_linked_account_with_a_second_factor_there_comes_in(place, browser):
    answer = place.back(browser, place.leave(browser, to="/console/points", amr=["mfa"])["state"])
    assert answer.headers["location"] == "/console/points"
    assert read(browser, "/console/points").path == "/console/points"


def test_without_one_nothing_opens_before_the_sites_own_is_shown(place, browser):
    assert place.enter(browser, amr=["pwd"]).status_code == 303
    for path in ("/console", "/console/points", "/console/records"):
        assert read(browser, path).path == "/console/proof"
    page = read(browser, "/console/proof")
    assert page.send(page.with_field("proof_code"), proof_code="000000").status == 401
    assert read(browser, "/console").path == "/console/proof"
    place.clock.forward(minutes=1)
    code = code_at(place.key, place.clock())
    assert page.send(page.with_field("proof_code"), proof_code=code).path == "/console"


def test_an_office_behind_one_address_comes_in(place, browser):
    for _ in range(ATTEMPTS + 5):
        assert place.enter(browser, amr=["mfa"]).status_code == 303


def test_one_address_asks_for_a_provider_so_often_without_coming_in(place, browser):
    for _ in range(ATTEMPTS):
        place.leave(browser)
    page = read(browser, "/console/sign-in")
    assert page.send(page.with_field("provider_org"), provider_org="sunny").status == 429


def test_many_sign_ins_that_are_asked_about_do_not_hide_that_one_is_unproved(place, browser):
    place.enter(browser, amr=["pwd"])
    for _ in range(21):
        place.clock.forward(minutes=1)
        place.enter(Visitor(place.site), amr=["pwd"])
    assert read(browser, "/console").path == "/console/proof"


@pytest.mark.parametrize(
    "said",
    [
        {"sub": "u-2"}, {"sub": "wang", "preferred_username": "wang", "email": "wang@sunny.example"},
        {"nonce": "other"}, {"aud": "other"}, {"iss": "https://evil.example"}, {"exp": 1},
    ],
)  # fmt: skip
def test_nobody_else_comes_in(place, browser, said):
    assert place.enter(browser, amr=["mfa"], **said).status_code == 401
    assert read(browser, "/console").path == "/console/sign-in"


@pytest.mark.parametrize(
    ("language", "says"),
    [("zh", "令牌是给另一个应用的"), ("en", "is for another application")],
)
def test_what_is_wrong_with_a_token_is_said_in_the_persons_language(place, language, says):
    browser = Visitor(place.site, language=language)
    state = place.leave(browser, aud="other")["state"]
    answer = place.back(browser, state)
    assert says in answer.text


def test_a_person_sees_since_when_their_account_is_linked(place, browser):
    place.enter(browser, amr=["mfa"])
    page = read(browser, "/console/account")
    assert f"{ISSUER} linked by an administrator 14 March 2026" in page.text


def test_an_answer_counts_once(place, browser):
    state = place.leave(browser, amr=["mfa"])["state"]
    kept = dict(browser.cookies)
    assert place.back(browser, state).status_code == 303
    again = Visitor(place.site)
    for name, value in kept.items():
        again.cookies.set(name, value)
    assert place.back(again, state).status_code == 401
    assert place.login.codes == 1


def test_an_answer_counts_in_the_browser_that_asked_and_for_ten_minutes(place, browser):
    state = place.leave(browser, amr=["mfa"])["state"]
    assert place.back(Visitor(place.site), state).status_code == 401
    place.clock.forward(minutes=10)
    assert place.back(browser, state).status_code == 401
    assert place.login.codes == 0


@pytest.mark.parametrize(
    "more",
    [{"iss": "https://evil.example"}, {"error": "access_denied"}, {"code": ""}, {"state": "x"}],
)
def test_an_answer_of_another_provider_or_none_is_not_asked_about(place, browser, more):
    state = place.leave(browser, amr=["mfa"])["state"]
    assert place.back(browser, **({"state": state} | more)).status_code == 401
    assert place.login.codes == 0


def test_a_disabled_account_stays_out(place, browser):
    with place.parts.database.write() as tx:
        staff.set_roles(
            tx, place.parts.log, standard_ref=place.parts.standard.ref, org="sunny", code=place.who,
            roles=(), now=place.clock(),
        )  # fmt: skip
        assert provider.of(tx, "sunny") == []
    with pytest.raises(StateError):
        place.link()
    assert place.enter(browser, amr=["mfa"]).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_tells_nothing(place, browser):
    answer = browser.post("/console/sign-in/provider", data={"provider_org": "sunny"})
    cookie = next(c for c in answer.headers.get_list("set-cookie") if "-provider=" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "form-action 'self'" in answer.headers["content-security-policy"]


def test_an_organisation_without_a_provider_says_so(place, browser):
    page = read(browser, "/console/sign-in")
    page = page.send(page.with_field("provider_org"), provider_org="jinan")
    assert page.status == 404
    assert "no identity provider" in page.text


def test_a_link_stands_in_the_log_and_nobody_links_themselves(place):
    count = sa.text("select count(*) from ledger_entries")
    with place.parts.database.read() as tx:
        before = tx.conn.execute(count).scalar()
    with pytest.raises(ForbiddenError):
        place.link(by="wang")
    with place.parts.database.write() as tx:
        provider.unlink(tx, "sunny", place.who)
    place.link()
    with place.parts.database.read() as tx:
        assert tx.conn.execute(count).scalar() == before + 2


class TestAdministrator:
    @pytest.fixture
    def chief(self, place):
        return place.chief

    def test_sets_the_provider_and_links(self, place, chief):
        page = read(chief, "/console/accounts/provider")
        assert "hush" not in page.html
        page = page.send(
            page.with_field("issuer"),
            issuer=ISSUER,
            client="new",
            client_secret="s2",
            factors="mfa phr",
        )
        assert "is changed" in page.text
        hire(place.parts, "sunny", "li", "custodian")
        page = page.send(page.to("/link"), login="li", sub="u-7")
        assert "u-7" in page.text
        page = page.send(page.to("/link"), login="li", sub="")
        assert "u-7" not in page.text
        page = page.send(page.to("/remove"))
        assert "Client secret" in page.text

    @pytest.mark.parametrize("path", ["/provider", "/link", "/remove"])
    def test_proves_themselves_first(self, place, chief, path):
        place.clock.forward(minutes=6)
        page = read(chief, "/console/accounts/provider")
        typed = {
            "/provider": {"issuer": "https://other.example"},
            "/link": {"login": "wang", "sub": "u-9"},
        }
        assert page.send(page.to(path), **typed.get(path, {})).status == 401
        with place.parts.database.read() as tx:
            assert provider.load(tx, "sunny").issuer == ISSUER
            assert [one.sub for one in provider.of(tx, "sunny")] == ["u-1"]

    @pytest.mark.parametrize(
        ("act", "ends"),
        [
            (("/remove", {}), True), (("/provider", {"factors": ""}), True),
            (("/provider", {"client_secret": "new"}), True),
            (("/provider", {"client": "new", "client_secret": "new"}), True), (("/provider", {}), False),
        ],
    )  # fmt: skip
    def test_a_change_or_removal_ends_the_sessions_of_who_is_linked(
        self, place, chief, browser, act, ends
    ):
        hire(place.parts, "sunny", "li", "custodian")
        other = badge(place.parts, place.site, "sunny", "zhao", "custodian")
        place.enter(browser, amr=["mfa"])
        with place.parts.database.write() as tx:
            who = staff.by_login(tx, "sunny", "wang")
            token = session.begin(tx, who, now=place.clock(), kind="api")
        page = read(chief, "/console/accounts/provider")
        path, typed = act
        assert page.send(page.to(path), **typed).status == 200
        assert (read(browser, "/console").path == "/console/sign-in") is ends
        with place.parts.database.read() as tx:
            if ends:
                with pytest.raises(SignInError):
                    session.find(tx, token, now=place.clock())
            else:
                assert session.find(tx, token, now=place.clock()).staff == who
        assert read(other, "/console").path == "/console"

    def test_keeps_their_own_session_though_linked(self, place, chief):
        renew(place.parts, elsewhere := Visitor(place.site), "sunny", "chief")
        with place.parts.database.write() as tx:
            own = staff.by_login(tx, "sunny", "chief").staff
            provider.link(tx, org="sunny", staff=own, sub="u-2", now=place.clock())
        page = read(chief, "/console/accounts/provider")
        assert "is changed" in page.send(page.to("/remove")).text
        assert read(elsewhere, "/console").path == "/console/sign-in"

    def test_is_told_what_can_not_be(self, chief):
        page = read(chief, "/console/accounts/provider")
        assert (
            page.send(page.with_field("issuer"), issuer="http://login.city.example").status == 400
        )
        assert page.send(page.to("/link"), login="nobody", sub="u-9").status in {400, 404}

    def test_nobody_else_does(self, place):
        browser = badge(place.parts, place.site, "sunny", "li", "custodian")
        assert read(browser, "/console/accounts/provider").status == 403
