"""Signing in at an organisation's own identity provider: OpenID Connect Core 1.0, authorization code flow.

PKCE with S256 (RFC 7636), the issuer of an answer (RFC 9207), and the counsel of RFC 9700. What comes back is believed
by nobody before it is checked; what it says of roles, names or addresses is never looked at.

Rules kept in this file:
  1. A provider is asked over https only, but on this machine; no redirect is followed; answers have limits of size
     and time.
  2. What it says of itself must name the very issuer that is configured (Discovery 1.0, section 4.3).
  3. Of a token count: one of ``ALGORITHMS``, by a key of the provider that is made for it; issuer, audience,
     authorised party, nonce, expiry, and ``at_hash`` if it is there (Core 1.0, section 3.1.3.7).
  4. A key that is not known is asked for once more, and not again within ``PAUSE``.
  5. The trip of a browser (state, nonce, verifier) lies sealed in its cookie for ``LASTS``; it comes back once.
"""

import hmac
import json
import threading
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256, sha512
from os import urandom
from secrets import token_urlsafe
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from epilock.errors import InputError, SignInError
from epilock.ledger.anchor.node import is_near
from epilock.ledger.wire import Answer, exchange

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
SKEW = timedelta(seconds=60)
LASTS = timedelta(minutes=10)  # of a trip
KEPT = timedelta(
    hours=1
)  # that what a provider says of itself, and its keys, are believed without asking
PAUSE = timedelta(minutes=1)  # before an unknown key is asked for again
SECONDS = 10.0
MOST_ANSWER = 1 << 18  # bytes of a document
MOST_TOKEN = 1 << 14  # characters
MOST_KEYS = 64
MOST_ADDRESS = 300
MOST_SUB = 255  # characters of a subject (Core 1.0, section 2)
LEAST_RSA = 2048  # bits
CURVES = ("P-256", "Ed25519")
OK = 200
WELL_KNOWN = "/.well-known/openid-configuration"
_FORM = "application/x-www-form-urlencoded"
_BASIC, _POST = "client_secret_basic", "client_secret_post"
_TRIP = b"epilock/provider-trip/v1"
_NO_TRIP = "this sign-in was not begun in this browser, or took more than ten minutes; begin again"
_UNKNOWN_KEY = (
    "the token of the identity provider is signed by a key that the provider does not show"
)

Key = RSAKey | ECKey | OKPKey
_KINDS: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = MappingProxyType(
    {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
)
Fetch = Callable[[str, bytes | None, Mapping[str, str]], Answer]


class Registry(jws.JWSRegistry):
    """Knows ``ALGORITHMS`` alone; of EdDSA, which RFC 9864 calls Ed25519 now, it does not warn: providers say it."""

    def get_alg(self, name: str) -> Any:
        """Return the algorithm ``name``.

        Raises:
            UnsupportedAlgorithmError: It is not taken.
        """
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"{name} is not taken")
        return self.algorithms[name]


class UnknownKeyError(Exception):
    """A token names a key that is not among those that were shown: they may have been changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What we are to a provider.

    Attributes:
        issuer: The provider's name, as it is configured.
        client: Our id there.
        secret: Our secret there.
        back: Where it sends browsers back to.
    """

    issuer: str
    client: str
    secret: str
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a provider says of itself.

    Attributes:
        authorization, token, keys: Where browsers, codes and keys are sent to and come from.
        basic: Whether the client's secret goes into a header; else into the form.
        says_issuer: Whether its answers name it (RFC 9207).
    """

    authorization: str
    token: str
    keys: str
    basic: bool
    says_issuer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One browser on its way to a provider and back.

    Attributes:
        org: Whose provider.
        issuer: Its name.
        state, nonce, verifier: As RFC 6749, Core 1.0 and RFC 7636 call them.
        to: The page that it wanted.
        until: When it is too late, in seconds since 1970.
    """

    org: str
    issuer: str
    state: str
    nonce: str
    verifier: str
    to: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who signed in at a provider, and how: all that is taken from a token."""

    sub: str
    means: frozenset[str]


def check_issuer(issuer: str) -> str:
    """Return ``issuer`` if it can be one (rule 1).

    Raises:
        InputError: It is no address of a provider, or would be asked without TLS.
    """
    if not issuer.isascii() or not issuer.isprintable() or len(issuer) > MOST_ADDRESS:
        raise InputError(_ISSUER)
    try:
        parts = urlsplit(issuer)
        parts.port  # noqa: B018 - raises if it is none
    except ValueError:
        raise InputError(_ISSUER) from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_near(issuer))
    if (
        not safe
        or not parts.hostname
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or " " in issuer
    ):
        raise InputError(_ISSUER)
    return issuer


_ISSUER = "an issuer is an address such as https://login.city.example, without ? or #"


def read_known(body: bytes, issuer: str) -> Known:
    """Return what a provider says of itself (rule 2).

    Raises:
        SignInError: It is no such document, names another issuer, or can't do what is needed.
    """
    said = _object(body)
    if said.get("issuer") != issuer:
        raise SignInError("the identity provider names another issuer than the one configured")
    found = [said.get(f"{name}_endpoint") for name in ("authorization", "token")]
    where = [
        one for one in (*found, said.get("jwks_uri")) if isinstance(one, str) and _is_safe(one)
    ]
    methods = said.get("token_endpoint_auth_methods_supported", [_BASIC])
    challenges = said.get("code_challenge_methods_supported", ["S256"])
    if len(where) != 3 or not isinstance(methods, list) or not isinstance(challenges, list):  # noqa: PLR2004 - see above
        raise SignInError(_NO_PROVIDER)
    if not {_BASIC, _POST} & set(map(str, methods)) or "S256" not in challenges:
        raise SignInError("the identity provider knows no client secret, or no S256 of PKCE")
    return Known(
        authorization=where[0], token=where[1], keys=where[2], basic=_BASIC in methods,
        says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )  # fmt: skip


_NO_PROVIDER = "what answers is no OpenID provider"


def read_keys(body: bytes) -> dict[str, Key]:
    """Return the keys for signatures of a JWK set (RFC 7517) by their id; others are passed over.

    Raises:
        SignInError: It is no set of keys, or one with too many.
    """
    listed = _object(body).get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise SignInError(_NO_PROVIDER)
    found: dict[str, Key] = {}
    for one in listed:
        if isinstance(one, dict) and one.get("use", "sig") == "sig" and (key := _key(one)):
            found.setdefault(str(one.get("kid", "")), key)
    return found


def verify(
    token: str,
    keys: Mapping[str, Key],
    client: Client,
    *,
    nonce: str,
    now: datetime,
    access: str = "",
) -> Claims:
    """Return who a token speaks of (rule 3).

    Args:
        token: The ID token.
        keys: Of the provider, by id.
        client: Whom it must be for.
        nonce: What this browser's trip was given.
        now: The instant.
        access: The access token that came with it, or "".

    Raises:
        UnknownKeyError: It is signed by a key that is not among ``keys``.
        SignInError: It does not hold.
    """
    algorithm, said = _signed(token, keys)
    audience = said.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = said.get("azp", client.client if len(audiences) == 1 else None)
    at, sub = now.timestamp(), said.get("sub")
    ends, made, begins = (_number(said.get(name)) for name in ("exp", "iat", "nbf"))
    if said.get("iss") != client.issuer:
        raise SignInError("the token of the identity provider is of another issuer")
    if client.client not in audiences or party != client.client:
        raise SignInError("the token of the identity provider is for another application")
    if ends is None or made is None or at >= ends + SKEW.total_seconds():
        raise SignInError("the token of the identity provider has expired; begin again")
    if max(made, begins or made) > at + SKEW.total_seconds():
        raise SignInError("the token of the identity provider is of the future; compare the clocks")
    if not _same(said.get("nonce"), nonce):
        raise SignInError("the token of the identity provider is of another sign-in; begin again")
    if "at_hash" in said and not (access and _same(said["at_hash"], _half(access, algorithm))):
        raise SignInError(_NO_TOKEN)
    if not isinstance(sub, str) or not 0 < len(sub) <= MOST_SUB:
        raise SignInError(_NO_TOKEN)
    means = said.get("amr", [])
    listed = [*(means if isinstance(means, list) else []), said.get("acr")]
    return Claims(sub=sub, means=frozenset(one for one in listed if isinstance(one, str)))


_NO_TOKEN = "the token of the identity provider does not hold"  # noqa: S105 - a sentence


def begin(org: str, issuer: str, *, to: str, now: datetime) -> Trip:
    """Return a new trip."""
    state, nonce, verifier = (token_urlsafe(32) for _ in range(3))
    return Trip(
        org=org, issuer=issuer, state=state, nonce=nonce, verifier=verifier, to=to,
        until=int((now + LASTS).timestamp()),
    )  # fmt: skip


def seal(trip: Trip, secret: bytes) -> str:
    """Return what the browser's cookie holds of a trip (rule 5)."""
    at = urandom(12)
    sealed = AESGCM(secret).encrypt(at, json.dumps(asdict(trip)).encode(), _TRIP)
    return urlsafe_b64encode(at + sealed).decode()


def unseal(cookie: str, secret: bytes, *, state: str, now: datetime) -> Trip:
    """Return the trip that a browser comes back from; whether it came back before is for the caller.

    Raises:
        SignInError: It has no trip, another one than ``state`` says, or it is too late.
    """
    try:
        sealed = urlsafe_b64decode(cookie)
        trip = Trip(**json.loads(AESGCM(secret).decrypt(sealed[:12], sealed[12:], _TRIP)))
    except (ValueError, InvalidTag):
        raise SignInError(_NO_TRIP) from None
    if not _same(state, trip.state) or now.timestamp() >= trip.until:
        raise SignInError(_NO_TRIP)
    return trip


def there(known: Known, client: Client, trip: Trip) -> str:
    """Return where a browser is sent to sign in."""
    challenge = urlsafe_b64encode(sha256(trip.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "scope": "openid", "client_id": client.client, "redirect_uri": client.back,
        "state": trip.state, "nonce": trip.nonce, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    joint = "&" if urlsplit(known.authorization).query else "?"
    return f"{known.authorization}{joint}{urlencode(asked)}"


def ask(address: str, body: bytes | None, more: Mapping[str, str]) -> Answer:
    """Ask a provider (rule 1).

    Raises:
        InputError: It does not answer.
    """
    return exchange(address, body, limit=MOST_ANSWER, seconds=SECONDS, kind=_FORM, more=more)


class Providers:
    """Providers as they are known here: what they say of themselves, and their keys, for ``KEPT`` (rule 4).

    Args:
        fetch: Asks a provider.
    """

    def __init__(self, fetch: Fetch = ask) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._known: dict[str, tuple[datetime, Known]] = {}
        self._keys: dict[str, tuple[datetime, dict[str, Key]]] = {}

    def known(self, issuer: str, *, now: datetime) -> Known:
        """Return what a provider says of itself.

        Raises:
            SignInError: It does not answer, or says what does not do.
        """
        with self._lock:
            held = self._known.get(issuer)
        if held is None or not timedelta() <= now - held[0] < KEPT:
            body = self._get(check_issuer(issuer).rstrip("/") + WELL_KNOWN)
            held = (now, read_known(body, issuer))
            with self._lock:
                self._known[issuer] = held
        return held[1]

    def come_back(self, client: Client, trip: Trip, *, code: str, now: datetime) -> Claims:
        """Return who signed in, for the ``code`` that a browser brought back.

        Raises:
            SignInError: The provider does not take the code, or its token does not hold.
        """
        known = self.known(client.issuer, now=now)
        asked = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": client.back,
            "code_verifier": trip.verifier,
        }  # fmt: skip
        headers = {"Accept": "application/json"}
        if known.basic:  # each half is encoded as in a form (RFC 6749, section 2.3.1)
            halves = f"{quote(client.client, safe='')}:{quote(client.secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(halves.encode()).decode()}"
        else:
            asked |= {"client_id": client.client, "client_secret": client.secret}
        said = _object(self._get(known.token, urlencode(asked).encode(), headers))
        token, access = said.get("id_token"), said.get("access_token", "")
        if not isinstance(token, str) or not isinstance(access, str):
            raise SignInError(_NO_TOKEN)
        for older in (KEPT, PAUSE):
            keys = self._keys_of(known.keys, now, older=older)
            with suppress(UnknownKeyError):
                return verify(token, keys, client, nonce=trip.nonce, now=now, access=access)
        raise SignInError(_UNKNOWN_KEY)

    def _keys_of(self, address: str, now: datetime, *, older: timedelta) -> dict[str, Key]:
        """Return the keys at ``address``; they are asked for if those that are held are ``older``."""
        with self._lock:
            held = self._keys.get(address)
        if held is None or not timedelta() <= now - held[0] < older:
            held = (now, read_keys(self._get(address)))
            with self._lock:
                self._keys[address] = held
        return held[1]

    def _get(
        self, address: str, body: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> bytes:
        """Return what a provider answers; what it says of an error is not repeated.

        Raises:
            SignInError: It does not answer, answers with an error, or with too much.
        """
        try:
            answer = self._fetch(address, body, more or {"Accept": "application/json"})
        except InputError:
            raise SignInError("the identity provider does not answer; try again later") from None
        if answer.status != OK or len(answer.body) > MOST_ANSWER:
            raise SignInError(
                "the identity provider refuses; begin again, or tell the administrator"
            )
        return answer.body


def _signed(token: str, keys: Mapping[str, Key]) -> tuple[str, dict[str, Any]]:
    """Return algorithm and claims of a token whose signature holds."""
    if len(token) > MOST_TOKEN:
        raise SignInError(_NO_TOKEN)
    try:
        header = jws.extract_compact(token.encode()).headers()
        algorithm, kid = header.get("alg"), header.get("kid", "")
        if algorithm not in ALGORITHMS or not isinstance(kid, str):
            raise SignInError(
                "the token of the identity provider is signed in a way that is not taken"
            )
        key = keys.get(kid) if kid or len(keys) != 1 else next(iter(keys.values()))
        if key is None:
            raise UnknownKeyError
        found = jws.deserialize_compact(token, key, registry=Registry())
        return algorithm, _object(found.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise SignInError(_NO_TOKEN) from None


def _key(said: dict[str, Any]) -> Key | None:
    """Return the public key that a JWK states, if it is of a kind that is taken."""
    kind = _KINDS.get(str(said.get("kty")))
    if kind is None or (kind is RSAKey and len(str(said.get("n"))) < LEAST_RSA // 6):
        return None
    try:
        found = kind.import_key(said)
        long = not isinstance(found, RSAKey) or found.public_key.key_size >= LEAST_RSA
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    known = isinstance(found, RSAKey) or found.curve_name in CURVES
    return found if long and known else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise SignInError(_NO_PROVIDER)
    return said


def _is_safe(address: str) -> bool:
    """Tell whether browsers and codes may be sent to ``address``."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises if it is none
    except ValueError:
        return False
    clean = address.isascii() and address.isprintable() and " " not in address
    near = parts.scheme == "http" and is_near(address)
    return bool(
        clean and parts.hostname and not parts.fragment and (parts.scheme == "https" or near)
    )


def _number(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not abs(said) < 1 << 53:
        return None  # a number that JSON's readers agree on; not NaN either
    return float(said)


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(
        given.encode(errors="replace"), wanted.encode()
    )


def _half(access: str, algorithm: str) -> str:
    """Return what ``at_hash`` must be (Core 1.0, section 3.1.3.6); of Ed25519 the hash is SHA-512."""
    made = (sha512 if algorithm == "EdDSA" else sha256)(access.encode()).digest()
    return urlsafe_b64encode(made[: len(made) // 2]).rstrip(b"=").decode()
