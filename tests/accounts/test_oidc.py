"""Which tokens and documents of an identity provider count, and that no other does."""

import contextlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from epilock.accounts import oidc
from epilock.accounts.oidc import Client, Providers
from epilock.errors import EpilockError, InputError, SignInError
from epilock.ledger.wire import Answer

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
ISSUER = "https://login.city.example"
CLIENT = Client(issuer=ISSUER, client="epilock", secret="s", back="https://e.example/back")
SECRET = bytes(range(32))
KEYS = {
    "RS256": RSAKey.generate_key(2048, {"kid": "RS256"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "ES256"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "EdDSA"}),
}
KEYS["PS256"] = RSAKey.import_key({**KEYS["RS256"].as_dict(private=True), "kid": "PS256"})
SHOWN = {"keys": [key.as_dict(private=False) for key in KEYS.values()]}
ABOUT = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}  # fmt: skip


def claims(**more):
    at = int(NOW.timestamp())
    said = {
        "iss": ISSUER, "aud": "epilock", "sub": "u-1", "exp": at + 300, "iat": at, "nonce": "n", "acr": "mfa",
        "amr": ["pwd", "otp"],
    } | more  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def token(algorithm="RS256", key=None, kid=None, **more):
    key = key or KEYS[algorithm]
    header = {"alg": algorithm, "kid": kid or algorithm}
    return jwt.encode(header, claims(**more), key, registry=oidc.Registry())


def verify(given, *, access="", now=NOW):
    keys = oidc.read_keys(json.dumps(SHOWN).encode())
    return oidc.verify(given, keys, CLIENT, nonce="n", now=now, access=access)


@pytest.mark.parametrize("algorithm", oidc.ALGORITHMS)
def test_a_right_token_says_who_and_by_what_means(algorithm):
    found = verify(token(algorithm))
    assert found.sub == "u-1"
    assert found.means == {"mfa", "pwd", "otp"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"iss": "https://login.city.example/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "another application"),
        ({"aud": ["epilock", "other"]}, "another application"),
        ({"aud": ["epilock", "other"], "azp": "other"}, "another application"),
        ({"azp": "other"}, "another application"),
        ({"aud": None}, "another application"),
        ({"exp": int(NOW.timestamp()) - 61}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": True}, "expired"),
        ({"iat": None}, "expired"),
        ({"iat": int(NOW.timestamp()) + 62}, "future"),
        ({"nbf": int(NOW.timestamp()) + 62}, "future"),
        ({"nonce": "m"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"sub": None}, "does not hold"),
        ({"sub": ""}, "does not hold"),
        ({"sub": "u" * 256}, "does not hold"),
        ({"sub": 7}, "does not hold"),
    ],
)
def test_a_token_that_says_otherwise_is_refused(said, why):
    with pytest.raises(SignInError, match=why):
        verify(token(**said))


def test_clocks_may_differ_by_a_minute():
    at = int(NOW.timestamp())
    assert verify(token(exp=at - 59)).sub == "u-1"
    assert verify(token(iat=at + 59)).sub == "u-1"


def test_for_several_applications_ours_must_be_the_one_that_asked():
    assert verify(token(aud=["epilock", "other"], azp="epilock")).sub == "u-1"


def test_without_a_signature_it_is_nothing():
    head, body = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none", "kid": "RS256"}, claims())
    )
    with pytest.raises(SignInError, match="not taken"):
        verify(f"{head}.{body}.")


def test_the_public_key_is_no_password():
    public = KEYS["RS256"].as_pem(private=False)
    octets = OctKey.import_key(urlsafe_b64encode(public).decode())
    given = jws.serialize_compact(
        {"alg": "HS256", "kid": "RS256"}, json.dumps(claims()), octets, algorithms=["HS256"]
    )
    with pytest.raises(SignInError, match="not taken"):
        verify(given)


def test_a_key_of_another_kind_or_hand_does_not_do():
    with pytest.raises(SignInError, match="does not hold"):
        verify(token("ES256", kid="RS256"))
    with pytest.raises(SignInError, match="does not hold"):
        verify(token(key=RSAKey.generate_key(2048)))


def test_what_was_changed_is_refused():
    head, body, signature = token().split(".")
    said = json.loads(urlsafe_b64decode(body + "=="))
    other = urlsafe_b64encode(json.dumps({**said, "sub": "u-2"}).encode()).rstrip(b"=").decode()
    with pytest.raises(SignInError, match="does not hold"):
        verify(f"{head}.{other}.{signature}")


def test_the_access_token_must_be_the_one_it_names():
    half = urlsafe_b64encode(sha256(b"access").digest()[:16]).rstrip(b"=").decode()
    assert verify(token(at_hash=half), access="access").sub == "u-1"
    for access in ("other", ""):
        with pytest.raises(SignInError, match="does not hold"):
            verify(token(at_hash=half), access=access)


def test_short_rsa_keys_and_keys_to_encrypt_with_are_passed_over():
    made = (
        rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that it is too short is the point
        .public_key()
        .public_numbers()
    )
    short = {
        "kty": "RSA",
        "kid": "short",
        "e": "AQAB",
        "n": urlsafe_b64encode(made.n.to_bytes(128)).rstrip(b"=").decode(),
    }
    other = {**KEYS["RS256"].as_dict(private=False), "kid": "enc", "use": "enc"}
    secret = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
    assert oidc.read_keys(json.dumps({"keys": [short, other, secret, 7, {}]}).encode()) == {}
    with pytest.raises(SignInError):
        oidc.read_keys(json.dumps({"keys": [secret] * 65}).encode())


class TestDiscovery:
    def test_it_must_name_the_issuer_that_is_configured(self):
        assert oidc.read_known(json.dumps(ABOUT).encode(), ISSUER).token == f"{ISSUER}/token"
        for other in (f"{ISSUER}/", "https://evil.example", None):
            with pytest.raises(SignInError, match="another issuer"):
                oidc.read_known(json.dumps({**ABOUT, "issuer": other}).encode(), ISSUER)

    @pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
    @pytest.mark.parametrize(
        "where", ["http://login.city.example/x", "javascript:alert(1)", 7, None, "https://[x"]
    )
    def test_nothing_is_asked_without_tls(self, name, where):
        with pytest.raises(SignInError, match="no OpenID provider"):
            oidc.read_known(json.dumps({**ABOUT, name: where}).encode(), ISSUER)

    def test_without_a_client_secret_or_pkce_it_does_not_do(self):
        for more in (
            {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
            {"code_challenge_methods_supported": ["plain"]},
        ):
            with pytest.raises(SignInError, match="knows no"):
                oidc.read_known(json.dumps({**ABOUT, **more}).encode(), ISSUER)

    @pytest.mark.parametrize(
        "issuer",
        [
            "http://login.city.example",
            "login",
            "https://a@b",
            "https://a?b",
            "https://a#b",
            "https://a:x",
            "https://" + "a" * 300,
            "",
        ],
    )
    def test_what_is_no_issuer_is_refused(self, issuer):
        with pytest.raises(InputError, match="an issuer is"):
            oidc.check_issuer(issuer)

    def test_on_this_machine_it_does_without_tls(self):
        assert oidc.check_issuer("http://127.0.0.1:8000/o") == "http://127.0.0.1:8000/o"


class Far:
    """A provider that answers from memory, and counts what it is asked."""

    def __init__(self):
        self.asked, self.shown, self.token = [], SHOWN, token()

    def __call__(self, address, body, more):
        self.asked.append((address, body, dict(more)))
        said = {
            f"{ISSUER}{oidc.WELL_KNOWN}": ABOUT, ABOUT["jwks_uri"]: self.shown,
            ABOUT["token_endpoint"]: {"id_token": self.token, "access_token": "a"},
        }[address]  # fmt: skip
        return Answer(200, json.dumps(said).encode())

    def count(self, address):
        return sum(one[0] == address for one in self.asked)


def trip(now=NOW):
    made = oidc.begin("sunny", ISSUER, to="/console", now=now)
    return oidc.Trip(**{name: getattr(made, name) for name in made.__slots__} | {"nonce": "n"})


class TestComingBack:
    def test_the_code_goes_with_the_verifier_and_the_secret_in_a_header(self):
        far, went = Far(), trip()
        assert Providers(far).come_back(CLIENT, went, code="c", now=NOW).sub == "u-1"
        _, body, headers = next(one for one in far.asked if one[0] == ABOUT["token_endpoint"])
        assert f"code_verifier={went.verifier}".encode() in body
        assert b"client_secret" not in body
        assert headers["Authorization"] == "Basic ZXBpbG9jazpz"

    def test_an_unknown_key_is_asked_for_once_more_and_then_not_for_a_minute(self):
        far = Far()
        providers = Providers(far)
        assert providers.come_back(CLIENT, trip(), code="c", now=NOW)
        new = RSAKey.generate_key(2048, {"kid": "new"})
        far.token, later = token(key=new, kid="new"), NOW + timedelta(seconds=61)
        with pytest.raises(SignInError, match="does not show"):
            providers.come_back(CLIENT, trip(), code="c", now=later)
        with pytest.raises(SignInError, match="does not show"):
            providers.come_back(CLIENT, trip(), code="c", now=later + timedelta(seconds=1))
        assert far.count(ABOUT["jwks_uri"]) == 2
        far.shown = {"keys": [*SHOWN["keys"], new.as_dict(private=False)]}
        assert providers.come_back(CLIENT, trip(), code="c", now=later + oidc.PAUSE).sub == "u-1"
        assert far.count(f"{ISSUER}{oidc.WELL_KNOWN}") == 1

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(400, b"{}"),
            Answer(302, b"{}"),
            Answer(200, b" " * (oidc.MOST_ANSWER + 1)),
            Answer(200, b"[]"),
        ],
    )
    def test_what_is_no_answer_is_refused(self, answer):
        with pytest.raises(SignInError):
            Providers(lambda *_: answer).known(ISSUER, now=NOW)


class TestTrip:
    def test_it_comes_back_in_its_browser_within_ten_minutes(self):
        went = trip()
        cookie = oidc.seal(went, SECRET)
        soon, late = NOW + timedelta(seconds=599), NOW + oidc.LASTS
        assert oidc.unseal(cookie, SECRET, state=went.state, now=soon) == went
        for one in (
            {"cookie": cookie, "state": went.state, "now": late},
            {"cookie": cookie, "state": "other", "now": soon},
            {"cookie": oidc.seal(trip(), SECRET), "state": went.state, "now": soon},
            {"cookie": oidc.seal(went, bytes(32)), "state": went.state, "now": soon},
            {"cookie": "", "state": went.state, "now": soon},
        ):
            with pytest.raises(SignInError, match="not begun in this browser"):
                oidc.unseal(one["cookie"], SECRET, state=one["state"], now=one["now"])

    def test_the_way_there_shows_neither_verifier_nor_secret(self):
        went, known = trip(), oidc.read_known(json.dumps(ABOUT).encode(), ISSUER)
        address = oidc.there(known, CLIENT, went)
        assert went.verifier not in address
        assert "code_challenge_method=S256" in address


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ABOUT, "keys", "kty", "n", "e", "crv", "x", "y", "kid", "use", "alg", "token_endpoint_auth_methods_supported", "code_challenge_methods_supported"]), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@given(st.binary(max_size=200) | ODD.map(lambda said: json.dumps(said).encode()))
def test_no_document_breaks_the_readers(body):
    for read in (oidc.read_keys, lambda b: oidc.read_known(b, ISSUER)):
        with contextlib.suppress(SignInError):
            read(body)


@given(ODD)
def test_no_document_of_a_provider_breaks_the_reader(said):
    body = json.dumps(
        {**ABOUT, **(said if isinstance(said, dict) else {"keys": said}), "issuer": ISSUER}
    )
    with contextlib.suppress(SignInError):
        oidc.read_known(body.encode(), ISSUER)


@given(
    st.text(max_size=200)
    | st.dictionaries(st.sampled_from(["alg", "kid", "b64", "crit", "typ"]), ODD).map(
        lambda head: urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=") + ".e30.AAAA"
    )
)
def test_no_token_breaks_the_reader(given):
    with pytest.raises(EpilockError):
        verify(given)


@given(
    st.dictionaries(
        st.sampled_from(
            ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub", "acr", "amr", "at_hash"]
        ),
        ODD,
        max_size=4,
    )
)
def test_no_claims_break_the_reader(said):
    with contextlib.suppress(SignInError):
        verify(token("EdDSA", **said), access="a")


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_cookie_breaks_the_reader(cookie, state):
    with pytest.raises(SignInError):
        oidc.unseal(cookie, SECRET, state=state, now=NOW)


@given(st.text(max_size=40))
def test_no_address_breaks_the_reader(text):
    with contextlib.suppress(InputError):
        assert oidc.check_issuer(text).startswith(("https://", "http://"))
