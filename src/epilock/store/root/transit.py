r"""A root key in a transit engine (the HTTP API of OpenBao and Vault): made there, used there, never let out.

The address is ``transit+https://HOST:PORT/v1/transit/keys/NAME?token-source=file:FILE``; ``transit+http://`` is for
an agent on this machine alone. The token stands in a file of mode 0600, which is read for each request, so that an
agent may renew it. Each installation has a key of its own. ``epoch-keys=transit`` in the query gives each organisation
a key of its own there, of which each epoch is a version; when an epoch ends its version is trimmed: then no copy of
the slot opens, whoever holds it, and no copy of the key database from before the last destruction.

A wrapped secret is ``"epi-trn\0" | id of the root key (16) | length (1) and name of the key | ciphertext``. The
context is associated data there. The root key is the version ``min_encryption_version`` and what the engine itself
rotated it to since: all that it may encrypt with. Its id is a hash of the name and of the instant that version was
made, and stands in the names of the organisations' keys.

A renewal (``renewal``) makes a version and raises ``min_encryption_version`` to it: from there on the engine itself
encrypts with no older one. At the end it raises ``min_decryption_version`` too and trims what is older. What a crash
leaves: a version made and not raised to yet is one more of the old key, and the next call makes another; from raising
to trimming the next call goes on. The organisations' keys of before the renewal go slot by slot, when its cell has
been wrapped anew: they are rotated once more, to a version that wraps nothing, and trimmed to it.

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
from epilock.store.slot import Step, go_on

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


@dataclass(frozen=True, slots=True)
class _Key:
    """What the engine says of a key.

    Attributes:
        made: When each version was made that may open.
        encrypts: The least version that encrypts; 0: the latest.
        trimmed: The least version that is not destroyed; 0 or 1: none was.
    """

    made: Mapping[int, int]
    encrypts: int
    trimmed: int


@dataclass(frozen=True, slots=True)
class _Versions:
    """The root keys that there are: one, or two in the middle of a renewal.

    Attributes:
        newest: The version that the newest root key begins with.
        trimmed: The least version that is not destroyed.
        ids: Of the root key that began with each version, for those that open.
    """

    newest: int
    trimmed: int
    ids: Mapping[int, bytes]

    @property
    def id(self) -> bytes:
        return self.ids[self.newest]


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
        if make and self._about(address.name) is None:
            self._make(address.name)
        self._look()
        self._binds()

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped.

        Raises:
            RootKeyError: The engine doesn't do it.
        """
        root, name = self._look().id, self._address.name
        if scope and self._address.epochs:
            name = self._label(root, scope)
            self._make(name)  # one that is there stays as it is
            self._must("POST", f"keys/{name}/rotate", {})
        sealed = self._encrypt(name, secret, context)
        return MAGIC + root + bytes([len(name)]) + name.encode() + sealed.encode()

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret; see ``RootKey``."""
        if self._began(wrapped) is None:
            raise RootKeyError(f"{context.decode()} was wrapped by another root key, or altered")
        name, sealed, _ = self._parsed(wrapped, context)
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
        """Trim what is older of this ``scope`` than the version that ``wrapped`` names; see ``RootKey``.

        Raises:
            RootKeyError: The engine doesn't do it.
        """
        began = self._began(wrapped) if self._address.epochs else None
        if began is None:
            return
        name, _, version = self._parsed(wrapped, scope.encode())
        if name != self._label(wrapped[len(MAGIC) : len(MAGIC) + ID_BYTES], scope):
            return
        self._trim(name, version)
        before = [id_ for each, id_ in self._seen.ids.items() if each < began]
        for older in (self._label(id_, scope) for id_ in before):
            if self._about(older) is not None:
                self._trim(older, self._rotate(older))

    def begin(self, step: Step) -> None:
        """Make a version that is all that encrypts from here on; see ``Renewable``."""
        seen = self._look()
        if seen.trimmed == seen.newest:
            step("next key")
            version = self._rotate(self._address.name)
            step("next version")
            self._configure(self._address.name, min_encryption_version=version)
            step("next key done")
            self._look()

    def is_newest(self, wrapped: bytes) -> bool:
        """Tell whether no version before the newest root key's opens it; see ``Renewable``."""
        seen = self._seen
        if self._began(wrapped) != seen.newest:
            return False
        name, _, version = self._parsed(wrapped, b"a secret")
        return name != self._address.name or version >= seen.newest

    def end(self, step: Step) -> None:
        """Trim every version before the newest root key's; see ``Renewable``."""
        step("destroy")
        self._trim(self._address.name, self._seen.newest, step)
        step("destroy done")

    def _look(self) -> _Versions:
        """Ask the engine what it has of the root key.

        Raises:
            RootKeyError: It has none, or not the version that counts.
        """
        name = self._address.name
        about = self._about(name)
        if about is None:
            raise RootKeyError(f"the transit engine has no root key named {name}")
        trimmed = max(about.trimmed, 1)
        newest = max(about.encrypts, trimmed)
        ids = {version: _id(name, version, made) for version, made in about.made.items()}
        if newest not in ids:
            raise RootKeyError(
                f"version {newest} of the transit key {name} is gone or disallowed: it is what wrapped"
            )
        self._seen = _Versions(newest, trimmed, ids)
        return self._seen

    def _began(self, wrapped: bytes) -> int | None:
        """Return which version the root key that wrapped it began with; None if it was another's."""
        if not wrapped.startswith(MAGIC):
            return None
        wanted = wrapped[len(MAGIC) : len(MAGIC) + ID_BYTES]
        if wanted not in self._seen.ids.values():
            self._look()
        return next((version for version, id_ in self._seen.ids.items() if id_ == wanted), None)

    def _rotate(self, name: str) -> int:
        """Make another version of a key; return the latest."""
        self._must("POST", f"keys/{name}/rotate", {})
        about = self._about(name)
        if about is None:
            raise RootKeyError(f"the transit engine has lost the key {name}")
        return max(about.made)

    def _trim(self, name: str, version: int, step: Step = go_on) -> None:
        """Destroy the versions of a key before ``version``, if there are any."""
        about = self._about(name)
        if about is None or about.trimmed >= version:
            return
        self._configure(name, min_decryption_version=version, min_encryption_version=version)
        step("disallowed")
        self._must("POST", f"keys/{name}/trim", {"min_available_version": version})

    def _configure(self, name: str, **least: int) -> None:
        self._must("POST", f"keys/{name}/config", least)

    def _label(self, root: bytes, scope: str) -> str:
        return f"{self._address.name}-{sha256(root + scope.encode()).hexdigest()[:24]}"

    def _parsed(self, wrapped: bytes, context: bytes) -> tuple[str, str, int]:
        """Return name of the key, ciphertext and its version; no other key than ours is ever asked for."""
        start = len(MAGIC) + ID_BYTES + 1
        length = wrapped[start - 1] if len(wrapped) >= start else 0
        name = wrapped[start : start + length].decode("ascii", "replace")
        sealed = wrapped[start + length :].decode("ascii", "replace")
        ours = re.fullmatch(rf"{re.escape(self._address.name)}(-[0-9a-f]{{24}})?", name)
        found = _CIPHERTEXT.fullmatch(sealed)
        if not ours or not found:
            raise TamperedError(f"{context.decode()} was altered or moved")
        return name, sealed, int(found[1])

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

    def _about(self, name: str) -> _Key | None:
        """Return what the engine says of a key, or None if there is none.

        Raises:
            RootKeyError: The key is of another kind, or the engine would let it out.
        """
        status, said = self._ask("GET", f"keys/{name}", None)
        if status == MISSING:
            return None
        about = _data(self._checked(status, said))
        if about.get("type") != KIND:
            raise RootKeyError(f"the transit key {name} must be of the type {KIND}")
        if about.get("exportable") or about.get("allow_plaintext_backup"):
            raise RootKeyError(f"the transit engine lets the key {name} out; make another")
        try:
            made = {int(version): int(made) for version, made in about["keys"].items()}
            least = [
                int(about.get(f"min_{each}_version", 0)) for each in ("encryption", "available")
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            made, least = {}, []
        if not made:
            raise RootKeyError("what answers is no transit engine")
        return _Key(made, *least)

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


def _id(name: str, version: int, made: int) -> bytes:
    """Return the id of a root key; that of the first version is of before there were others."""
    which = f"{name}|{made}" + (f"|{version}" if version > 1 else "")
    return sha256(which.encode()).digest()[:ID_BYTES]


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
