r"""A root key in a PKCS#11 token (OASIS PKCS#11 v2.40): made there, used there, never let out.

The address is a PKCS#11 URI (RFC 7512): ``pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=file:FILE``.
The PIN stands in a file of mode 0600, never in the address. ``epoch-keys=token`` in the query gives each epoch
of an organisation a wrapping key of its own in the token, which is destroyed in it when the epoch ends: then no
copy of the slot opens, whoever holds it, and no copy of the key database from before the last destruction.

A wrapped secret is ``"epi-p11\0" | id of the token's object (16) | nonce (12) | AES-256-GCM`` with the context as
associated data.

While it is renewed (``renewal``) the next key lies beside the present one, under the same label; its id is a hash of
the other's, which tells the two apart. Every process looks for them whenever it wraps. The making of the next key and
the end of the old one are one act of the token each, so a crash leaves one or both. The id of an epoch's key begins
with a mark of the root key that it was made under.

What a crash leaves, with keys of epochs: a key is made before the slot's cell that names it, so a crash between
leaves a key that wraps nothing, which goes with the next rotation. The old epoch's key goes after its cell was
overwritten; a crash between leaves it until the next start (``keys.KeyStore.settle``).
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import parse_qsl, unquote

from epilock.errors import InputError, RootKeyError, TamperedError
from epilock.store.root.password import read_password
from epilock.store.slot import Step
from epilock.store.suite import NONCE_BYTES

MAGIC = b"epi-p11\0"
ID_BYTES = 16
_MARK_BYTES = 8
SCHEME = "pkcs11:"
_TAG_BITS = 128
_LABEL = "epilock-epoch"
_TRIES = 20  # at what other processes change meanwhile
_LOOKS, _MOMENT = 4, 0.01  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAddress:
    """Where a root key lies in a token.

    Attributes:
        token: Label of the token.
        object: Label of the key.
        module: The PKCS#11 library.
        pin: File of the PIN.
        epochs: Whether each epoch has a key of its own in the token.
    """

    token: str
    object: str
    module: Path
    pin: Path
    epochs: bool


def read_address(text: str) -> TokenAddress:
    """Return what a PKCS#11 URI says.

    Raises:
        InputError: It is none, or something is missing or unknown; the PIN itself is never taken.
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    told = dict(each.partition("=")[::2] for each in path.split(";"))
    asked = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted((told.keys() - {"token", "object"}) | (asked.keys() - _ASKED))
    if not text.startswith(SCHEME) or unknown:
        raise InputError(
            f"a root key in a token is at {SCHEME}token=..;object=..?module-path=..&pin-source=file:.."
            + (f"; this has {', '.join(unknown)}" if unknown else "")
        )
    pin = asked.get("pin-source", "")
    if (
        not pin.startswith("file:")
        or not asked.get("module-path")
        or not all(told.get(each) for each in ("token", "object"))
    ):
        raise InputError("a root key in a token needs token, object, module-path, pin-source=file:")
    if asked.get("epoch-keys", "token") != "token":
        raise InputError("epoch-keys is token, or left out")
    return TokenAddress(
        token=unquote(told["token"]), object=unquote(told["object"]),
        module=Path(asked["module-path"]), pin=Path(pin.removeprefix("file:")),
        epochs="epoch-keys" in asked,
    )  # fmt: skip


_ASKED = frozenset({"module-path", "pin-source", "epoch-keys"})


class TokenRoot:
    """A root key in a token.

    Args:
        address: Where it is.
        make: Make it, if the token has none of this label.

    Raises:
        RootKeyError: Library, token, PIN or key are not there, others may read the file of the PIN, or there are
            two keys of the label and neither is the next of the other.
    """

    _lock = RLock()  # of the whole process: the library is begun without a word of threads

    def __init__(self, address: TokenAddress, *, make: bool = False) -> None:
        self._address = address
        self._session: Any = None
        self._pid = 0
        self._keys: dict[bytes, Any] = {}
        with self._lock:
            if make and not self._labelled(address.object):
                self._make(address.object, os.urandom(ID_BYTES))
            self._look()

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped; 52 bytes longer.

        Raises:
            RootKeyError: The token doesn't answer.
        """
        with self._lock:
            name = self._look()[0]
            if scope and self._address.epochs:
                label, name = self._label(name, scope), _mark(name) + os.urandom(_MARK_BYTES)
                self._make(label, name)
            nonce = os.urandom(NONCE_BYTES)
            sealed = self._use(name, "encrypt", secret, nonce, context)
        return MAGIC + name + nonce + sealed

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret; see ``RootKey``."""
        start = len(MAGIC) + ID_BYTES
        if wrapped[: len(MAGIC)] != MAGIC or len(wrapped) < start + NONCE_BYTES:
            raise RootKeyError(f"{context.decode()} was wrapped by another root key, or altered")
        nonce = wrapped[start : start + NONCE_BYTES]
        with self._lock:
            name = wrapped[len(MAGIC) : start]
            return self._use(name, "decrypt", wrapped[start + NONCE_BYTES :], nonce, context)

    def keep(self, scope: str, wrapped: bytes) -> None:
        """Destroy the token's keys of this ``scope`` but the one that ``wrapped`` names.

        If it names none of them, another root key wrapped it, and a move is on its way: nothing is destroyed,
        since the cell beside it may hang from the one that is there.

        Raises:
            RootKeyError: The token doesn't answer, or does not let them be destroyed.
        """
        if not self._address.epochs:
            return
        kept = _name(wrapped)
        with self._lock:
            labels = [self._label(root, scope) for root in self._look()]
            found = {name: key for label in labels for name, key in self._labelled(label).items()}
            if kept in found:
                self._destroy({name: key for name, key in found.items() if name != kept})

    def begin(self, step: Step) -> None:
        """Make the next key beside the present one; see ``Renewable``."""
        with self._lock:
            roots = self._look()
            if len(roots) == 1:
                step("next key")
                self._make(self._address.object, _next_of(roots[0]))
                step("next key done")
                self._look()

    def is_newest(self, wrapped: bytes) -> bool:
        """Tell whether the newest root key wrapped it, or an epoch's key made under that; see ``Renewable``."""
        newest, name = self._roots[0], _name(wrapped)
        return name is not None and (name == newest or name.startswith(_mark(newest)))

    def end(self, step: Step) -> None:
        """Destroy the old key in the token; see ``Renewable``."""
        with self._lock:
            newest = self._look()[0]
            found = self._labelled(self._address.object)
            step("destroy")
            self._destroy({name: key for name, key in found.items() if name != newest})
            step("destroy done")

    def _look(self) -> list[bytes]:
        """Return the ids of the root keys that there are, the newest first: one, or two in the middle of a renewal.

        Raises:
            RootKeyError: There is none, or there are others of this label.
        """
        label = self._address.object
        names = list(self._labelled(label))
        old = [name for name in names if _next_of(name) in names]
        found = names if len(names) == 1 else [*map(_next_of, old), *old]
        if not names or len(found) != len(names):
            many = "has two root keys" if names else "has no root key"
            raise RootKeyError(f"the token {self._address.token} {many} labelled {label}")
        self._roots = found
        return found

    def _labelled(self, label: str) -> dict[bytes, Any]:
        """Return the keys of this label by their ids, without those that another process destroys meanwhile."""
        pkcs11 = _library()
        found = {}
        for key in self._find({pkcs11.Attribute.LABEL: label}):
            with _said(self._address), suppress(pkcs11.ObjectHandleInvalid):
                found[bytes(key.id)] = key
        return found

    def _destroy(self, keys: Mapping[bytes, Any]) -> None:
        pkcs11 = _library()
        for name, key in keys.items():
            self._keys.pop(name, None)
            with _said(self._address), suppress(pkcs11.ObjectHandleInvalid):  # another did
                key.destroy()

    def _use(self, name: bytes, how: str, data: bytes, nonce: bytes, context: bytes) -> bytes:
        """Encrypt or decrypt with the key of this id.

        A key that another process destroys meanwhile may give any error, so each is tried once more with the key
        looked for again; of one that is gone that is said, and not that the data were altered.
        """
        pkcs11 = _library()
        asked = {
            "mechanism": pkcs11.Mechanism.AES_GCM,
            "mechanism_param": pkcs11.GCMParams(nonce, context, _TAG_BITS),
        }
        with _said(self._address), suppress(pkcs11.PKCS11Error):
            return bytes(getattr(self._key(name, context), how)(data, **asked))
        self._keys.pop(name, None)
        key = self._key(name, context)
        with _said(self._address, altered=context if how == "decrypt" else None):
            return bytes(getattr(key, how)(data, **asked))

    def _key(self, name: bytes, context: bytes) -> Any:
        """Return the key of this id; where it lies in the token is remembered.

        One that another process has just made may be seen a moment later: it is looked for ``_LOOKS`` times.
        """
        self._connect()
        if name in self._keys:
            return self._keys[name]
        for n in range(_LOOKS):
            time.sleep(n * _MOMENT)
            found = self._find({_library().Attribute.ID: name})
            if len(found) == 1:
                self._keys[name] = found[0]
                return found[0]
        raise RootKeyError(
            f"{context.decode()} was wrapped by a key that the token does not have (any more)"
        )

    def _make(self, label: str, name: bytes) -> None:
        """Make an AES-256 key in the token that never leaves it, can't be changed, and wraps by GCM alone."""
        pkcs11 = _library()
        a = pkcs11.Attribute
        template = {
            a.PRIVATE: True, a.SENSITIVE: True, a.EXTRACTABLE: False, a.MODIFIABLE: False,
            a.ENCRYPT: True, a.DECRYPT: True, a.WRAP: False, a.UNWRAP: False, a.SIGN: False,
            a.VERIFY: False,
        }  # fmt: skip
        session = self._connect()
        with _said(self._address):
            session.generate_key(
                pkcs11.KeyType.AES, 256, label=label, id=name, store=True, template=template
            )  # fmt: skip

    @staticmethod
    def _label(root: bytes, scope: str) -> str:
        """Return the label of a scope's keys under a root key: 32 bytes, which every token takes."""
        return f"{_LABEL}-{sha256(root + scope.encode()).hexdigest()[:18]}"

    def _find(self, wanted: Mapping[Any, Any]) -> list[Any]:
        pkcs11 = _library()
        session = self._connect()
        secret = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}
        with _said(self._address):
            for _ in range(_TRIES):
                with suppress(pkcs11.ObjectHandleInvalid):  # of one that was destroyed meanwhile
                    return list(session.get_objects({**secret, **wanted}))
        raise RootKeyError(f"the token {self._address.token} can't list its keys; try again")

    def _connect(self) -> Any:
        """Return the session, opened anew in a process that was forked."""
        if self._session is None or self._pid != os.getpid():
            pkcs11 = _library()
            pin = read_password(self._address.pin, "PIN")
            self._keys.clear()
            with _said(self._address):
                token = pkcs11.lib(str(self._address.module)).get_token(
                    token_label=self._address.token
                )
                try:
                    self._session = token.open(rw=True, user_pin=pin)
                except (
                    pkcs11.UserAlreadyLoggedIn
                ):  # this process is: a login is for all its sessions
                    self._session = token.open(rw=True)
            self._pid = os.getpid()
        return self._session


def _next_of(root: bytes) -> bytes:
    """Return the id of the key that takes the place of another."""
    return sha256(b"epilock/next|" + root).digest()[:ID_BYTES]


def _mark(root: bytes) -> bytes:
    """Return what the ids of the epochs' keys begin with that were made under a root key."""
    return sha256(b"epilock/epochs|" + root).digest()[:_MARK_BYTES]


def _name(wrapped: bytes) -> bytes | None:
    """Return the id of the key that wrapped a secret; None if it was none of a token."""
    return wrapped[len(MAGIC) : len(MAGIC) + ID_BYTES] if wrapped.startswith(MAGIC) else None


class _said:  # noqa: N801 - used like a function
    """Turn the library's errors into ours, without what it was given.

    Args:
        address: Of the key.
        altered: Context of what is being unwrapped: the library's error then means that it does not fit.
    """

    def __init__(self, address: TokenAddress, *, altered: bytes | None = None) -> None:
        self._address, self._altered = address, altered

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        """Raise ours in place of the library's."""
        if error is None:
            return
        exceptions = _library().exceptions
        if self._altered is not None and isinstance(
            error,
            exceptions.EncryptedDataInvalid
            | exceptions.EncryptedDataLenRange
            | exceptions.GeneralError,
        ):
            raise TamperedError(f"{self._altered.decode()} was altered or moved") from None
        if isinstance(error, exceptions.PKCS11Error | RuntimeError | OSError):
            raise RootKeyError(
                f"the token {self._address.token} does not do it: {type(error).__name__}"
            ) from None


def _library() -> Any:
    """Return the package ``pkcs11``, which is an extra.

    Raises:
        RootKeyError: It is not installed.
    """
    try:
        import pkcs11  # noqa: PLC0415 - only who has a token needs it
    except ImportError:
        raise RootKeyError("a root key in a token needs the extra `hsm`: epilock[hsm]") from None
    return pkcs11
