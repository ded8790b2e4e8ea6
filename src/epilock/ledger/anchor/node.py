"""A node of a chain, spoken to by JSON-RPC 2.0 over HTTP; nothing it says is believed here.

An address often carries a paid-for key, so it stands in no error and no log line. No redirect is
followed (``wire``), no answer beyond 1 MiB is read, and a node that is slow costs at most twice ``SECONDS`` a
call: until its answer begins, and until it is there.
"""

from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from epilock.errors import AnchorRefusedError, InputError, UnreachableError
from epilock.ledger.wire import exchange

SECONDS = 10.0
MOST_BYTES = 1 << 20
MOST_WORDS = 200  # of what a node says in its own words
OK = 200


class Node(Protocol):
    """Whoever answers JSON-RPC calls."""

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of one call.

        Raises:
            AnchorRefusedError: The node answered with an error, such as a refused call.
            UnreachableError: It gave no usable answer.
        """
        ...


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct):
    id: int | None = None
    result: Any = None
    error: _Error | None = None


class HttpNode:
    """A node at an address.

    Raises:
        InputError: The address is none, or holds a password.
    """

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        self._address = check_address(address, "a node's address")
        self._seconds = seconds

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of one call; see ``Node``."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        body = self._post(method, msgspec.json.encode(asked))
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnreachableError(f"the node's answer to {method} is not JSON-RPC") from None
        if answer.error is not None:
            raise AnchorRefusedError(f"{method} was refused: {printable(answer.error.message)}")
        if answer.id != asked["id"]:
            raise UnreachableError(f"the node answered another call than {method}")
        return answer.result

    def _post(self, method: str, body: bytes) -> bytes:
        try:
            answer = exchange(
                self._address, body, limit=MOST_BYTES, seconds=self._seconds,
                kind="application/json",
            )  # fmt: skip
        except InputError:  # its text may hold the address
            raise UnreachableError(f"the node cannot be reached for {method}") from None
        if answer.status != OK:
            raise UnreachableError(f"the node answers {answer.status} to {method}")
        if len(answer.body) > MOST_BYTES:
            raise UnreachableError(
                f"the node's answer to {method} has more than {MOST_BYTES} bytes"
            )
        return answer.body


def check_address(address: str, what: str) -> str:
    """Return ``address`` if it is one of HTTP, without a password.

    Raises:
        InputError: It is none; the message begins with ``what`` and does not repeat it.
    """
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{what} begins with http:// or https://, without a password")
    return address


def is_near(address: str) -> bool:
    """Return whether what is at ``address`` runs on this machine, as far as the address says."""
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def printable(message: str) -> str:
    """Return what someone outside said, the first of it, without anything that could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in message[:MOST_WORDS])
