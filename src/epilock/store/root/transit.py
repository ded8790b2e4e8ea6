r"""A root key in a transit engine (the HTTP API of OpenBao and Vault): made there, used there, never let out.

The address is ``transit+https://HOST:PORT/v1/transit/keys/NAME?token-source=file:FILE``; ``transit+http://`` is for
an agent on this machine alone. The token stands in a file of mode 0600, which is read for each request, so that an
agent may renew it. Each installation has a key of its own. ``epoch-keys=transit`` in the query gives each organisation
a key of its own there, of which each epoch is a version; when an epoch ends its version is trimmed: then no copy of
the slot opens, whoever holds it, and no copy of the key database from before the last destruction.

A wrapped secret is ``"epi-trn\0" | id of the root key (16) | length (1) and name of the key | ciphertext``. The
context is associated data there. The id is a hash of the name and of the instant its first version was made.

What a crash leaves, with keys of epochs: a version is made before the slot's cell that names it, so a crash between
leaves one that wraps nothing, and goes with the next rotation. The old epoch's version goes after its cell was
overwritten; a crash between leaves it until the next start (``keys.KeyStore.settle``). The least version that opens
is raised before older ones are trimmed; a crash between leaves versions that open nothing, trimmed at the next start.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from epilock.errors import InputError, RootKeyError, TamperedError
from epilock.ledger.anchor.node import is_near
from epilock.ledger.wire import exchange
from epilock.store.root.password import read_password

SCHEME = "transit+"
MAGIC = b"epi-trn\0"
ID_BYTES = 16
SECONDS = 10.0
MOST_ANSWER = 1 << 20  # bytes; the description of a key grows with its versions
KIND = "aes256-gcm96"
OK, EMPTY, BAD, FORBIDDEN, MISSING, SEALED = 200, 204, 400, 403, 404, 503

_PATH = re.compile(r"(?P<mount>/v1/[A-Za-z0-9/_-]{1,100})/keys/(?P<name>[A-Za-z0-9_-]{1,60})")
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]{1,2500}", re.ASCII)
_ASKED = frozenset({"token-source", "epoch-keys"})
# What engines say of a ciphertext; of all else with the same status nothing is concluded.
_GONE = ("too old", "too new", "larger than the latest", "not found")
_ALTERED = ("authentication failed", "invalid ciphertext", "unable to decrypt", "base64")
_EXAMPLE = "transit+https://HOST:PORT/v1/transit/keys/NAME?token-source=file:FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitAddress:
    """Where a root key lies in a transit engine.

    Attributes:
        engine: Address of the engine, such as ``https://bao.city.example:8200/v1/transit``.
        name: Name of the key.
        token: File of the token.
        epochs: Whether each organisation has a key of its own there, and each epoch a version.
    """

    engine: str
    name: str
    token: Path
    epochs: bool


def read_address(text: str) -> TransitAddress:
    """Return what an address says; the token itself is never taken.

    Raises:
        InputError: It is none, something is missing or unknown, or it leaves this machine without TLS.
    """
    try:
        parts = urlsplit(text.removeprefix(SCHEME))
        parts.port  # noqa: B018 - raises if it is none
    except ValueError:
        raise InputError(f"a root key in a transit engine is at {_EXAMPLE}") from None
    found, asked = _PATH.fullmatch(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
    source = asked.get("token-source", "")
    if (
        not text.startswith(SCHEME) or parts.scheme not in {"http", "https"} or not parts.hostname
        or "@" in parts.netloc or parts.fragment or found is None or asked.keys() - _ASKED
        or not source.startswith("file:")
    ):  # fmt: skip
        raise InputError(f"a root key in a transit engine is at {_EXAMPLE}")
    if asked.get("epoch-keys", "transit") != "transit":
        raise InputError("epoch-keys is transit, or left out")
    engine = f"{parts.scheme}://{parts.netloc}{found['mount']}"
    if parts.scheme == "http" and not is_near(engine):
        raise InputError("a transit engine on another machine must be asked over https")
    return TransitAddress(
        engine=engine, name=found["name"], token=Path(source.removeprefix("file:")),
        epochs="epoch-keys" in asked,
    )  # fmt: skip


class TransitRoot:
    """A root key in a transit engine.

    Args:
        address: Where it is.
        make: Make it, if the engine has none of this name.
        seconds: How long each answer may take.

    Raises:
        RootKeyError: The engine does not answer, is sealed, forbids it, has no such key, or would let it out.
        InputError: Others may read the file of the token.
    """

    def __init__(
        self, address: TransitAddress, *, make: bool = False, seconds: float = SECONDS
    ) -> None:
        self._address = address
        self._seconds = seconds
        about = self._about(address.name)
        if about is None and make:
            self._make(address.name)
            about = self._about(address.name)
        if about is None:
            raise RootKeyError(f"the transit engine has no root key named {address.name}")
        first = about["keys"].get("1")
        if not isinstance(first, int):
            raise RootKeyError(
                f"the first version of the transit key {address.name} is gone or disallowed: it is what wrapped"
            )
        self._id = sha256(f"{address.name}|{first}".encode()).digest()[:ID_BYTES]
        self._binds()

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped.

        Raises:
            RootKeyError: The engine doesn't do it.
        """
        name = self._address.name
        if scope and self._address.epochs:
            name = self._label(scope)
            self._make(name)  # one that is there stays as it is
            self._must("POST", f"keys/{name}/rotate", {})
        sealed = self._encrypt(name, secret, context)
        return MAGIC + self._id + bytes([len(name)]) + name.encode() + sealed.encode()

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret; see ``RootKey``."""
        if not wrapped.startswith(MAGIC + self._id):
            raise RootKeyError(f"{context.decode()} was wrapped by another root key, or altered")
        name, sealed = self._parsed(wrapped, context)
        asked = {"ciphertext": sealed, "associated_data": _base64(context)}
        status, said = self._ask("POST", f"decrypt/{name}", asked)
        if status == BAD:
            if any(words in said for words in _GONE):
                raise RootKeyError(
                    f"{context.decode()} was wrapped by a version that the engine does not have (any more)"
                )
            if any(words in said for words in _ALTERED):
                raise TamperedError(f"{context.decode()} was altered or moved")
        try:
            return b64decode(_data(self._checked(status, said))["plaintext"], validate=True)
        except (KeyError, TypeError, Base64Error, ValueError):
            raise RootKeyError("what answers is no transit engine") from None

    def keep(self, scope: str, wrapped: bytes) -> None:
        """Trim the versions of this ``scope`` before the one that ``wrapped`` names; see ``RootKey``.

        Raises:
            RootKeyError: The engine doesn't do it.
        """
        if not self._address.epochs or not wrapped.startswith(MAGIC + self._id):
            return
        name, sealed = self._parsed(wrapped, scope.encode())
        about = self._about(name) if name == self._label(scope) else None
        if about is None:
            return
        found = _CIPHERTEXT.fullmatch(sealed)
        version = int(found[1]) if found else 0
        if about.get("min_available_version", 0) >= version:
            return
        least = {"min_decryption_version": version, "min_encryption_version": version}
        self._must("POST", f"keys/{name}/config", least)
        self._must("POST", f"keys/{name}/trim", {"min_available_version": version})

    def _label(self, scope: str) -> str:
        return f"{self._address.name}-{sha256(self._id + scope.encode()).hexdigest()[:24]}"

    def _parsed(self, wrapped: bytes, context: bytes) -> tuple[str, str]:
        """Return name of the key and ciphertext; no other key than ours is ever asked for."""
        start = len(MAGIC) + ID_BYTES + 1
        length = wrapped[start - 1] if len(wrapped) >= start else 0
        name = wrapped[start : start + length].decode("ascii", "replace")
        sealed = wrapped[start + length :].decode("ascii", "replace")
        ours = re.fullmatch(rf"{re.escape(self._address.name)}(-[0-9a-f]{{24}})?", name)
        if not ours or not _CIPHERTEXT.fullmatch(sealed):
            raise TamperedError(f"{context.decode()} was altered or moved")
        return name, sealed

    def _binds(self) -> None:
        """Check that the engine binds associated data; one that does not know the field passes over it.

        Raises:
            RootKeyError: It opens a secret in another context.
        """
        name = self._address.name
        asked = {
            "ciphertext": self._encrypt(name, bytes(32), b"epilock/here"),
            "associated_data": _base64(b"epilock/there"),
        }
        if self._ask("POST", f"decrypt/{name}", asked)[0] == OK:
            raise RootKeyError("the transit engine passes over associated data: it is too old")

    def _encrypt(self, name: str, secret: bytes, context: bytes) -> str:
        asked = {"plaintext": _base64(secret), "associated_data": _base64(context)}
        sealed = _data(self._must("POST", f"encrypt/{name}", asked)).get("ciphertext")
        if not isinstance(sealed, str) or not _CIPHERTEXT.fullmatch(sealed):
            raise RootKeyError("what answers is no transit engine")
        return sealed

    def _make(self, name: str) -> None:
        self._must(
            "POST", f"keys/{name}",
            {"type": KIND, "exportable": False, "allow_plaintext_backup": False},
        )  # fmt: skip

    def _about(self, name: str) -> dict[str, Any] | None:
        """Return what the engine says of a key, or None if there is none.

        Raises:
            RootKeyError: The key is of another kind, or the engine would let it out.
        """
        status, said = self._ask("GET", f"keys/{name}", None)
        if status == MISSING:
            return None
        about = _data(self._checked(status, said))
        if about.get("type") != KIND or not isinstance(about.get("keys"), dict):
            raise RootKeyError(f"the transit key {name} must be of the type {KIND}")
        if about.get("exportable") or about.get("allow_plaintext_backup"):
            raise RootKeyError(f"the transit engine lets the key {name} out; make another")
        return about

    def _must(self, how: str, where: str, asked: Mapping[str, object]) -> str:
        return self._checked(*self._ask(how, where, asked))

    def _checked(self, status: int, said: str) -> str:
        """Return what the engine said, if it did it; what it says of an error is not repeated."""
        if status in {OK, EMPTY}:
            return said
        why = {
            FORBIDDEN: "forbids it: the token has ended, or its policy lacks the path",
            MISSING: "has no such key or engine",
            SEALED: "is sealed: unseal it first",
        }.get(status, f"answers {status}")
        raise RootKeyError(f"the transit engine {why}")

    def _ask(self, how: str, where: str, asked: Mapping[str, object] | None) -> tuple[int, str]:
        """Return status and text of an answer; to no other address is the token ever sent."""
        token = read_password(self._address.token, "token")
        try:
            answer = exchange(
                f"{self._address.engine}/{where}",
                None if how == "GET" else json.dumps(asked).encode(),
                limit=MOST_ANSWER, seconds=self._seconds, kind="application/json",
                more={"X-Vault-Token": token, "X-Vault-Request": "true"},
            )  # fmt: skip
        except InputError:
            raise RootKeyError(
                f"the transit engine at {urlsplit(self._address.engine).netloc} can't be reached, "
                "or its certificate is not trusted"
            ) from None
        if len(answer.body) > MOST_ANSWER:
            raise RootKeyError(f"the transit engine answers with more than {MOST_ANSWER} bytes")
        return answer.status, answer.body.decode("utf-8", "replace")


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _data(said: str) -> dict[str, Any]:
    try:
        data = json.loads(said)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise RootKeyError("what answers is no transit engine")
    return data
