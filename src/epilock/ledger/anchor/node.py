"""A node of a chain, spoken to by JSON-RPC 2.0 over HTTP; nothing it says is believed here.

An address often carries a paid-for key, so it stands in no error and no log line. No redirect is
followed, no answer beyond 1 MiB is read, and a node that is slow costs at most ``SECONDS`` a call.
"""

from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from epilock.errors import AnchorRefusedError, InputError, UnreachableError

SECONDS = 10.0
MOST_BYTES = 1 << 20
MOST_WORDS = 200  # of what a node says in its own words


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


class _NoRedirect(HTTPRedirectHandler):
    """A node does not move while one speaks to it."""

    def redirect_request(self, *_args: object, **_values: object) -> None:
        """Return None: the answer itself is the error."""


class HttpNode:
    """A node at an address.

    Raises:
        InputError: The address is none, or holds a password.
    """

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise InputError("a node's address begins with http:// or https://, without a password")
        self._address = address
        self._seconds = seconds
        self._opener = build_opener(_NoRedirect)

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of one call; see ``Node``."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        body = self._post(method, msgspec.json.encode(asked))
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnreachableError(f"the node's answer to {method} is not JSON-RPC") from None
        if answer.error is not None:
            raise AnchorRefusedError(f"{method} was refused: {_words(answer.error.message)}")
        if answer.id != asked["id"]:
            raise UnreachableError(f"the node answered another call than {method}")
        return answer.result

    def _post(self, method: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "epilock-anchor"}
        request = Request(self._address, body, headers)  # noqa: S310 - checked when it was given
        try:
            with self._opener.open(request, timeout=self._seconds) as answer:
                found: bytes = answer.read(MOST_BYTES + 1)
        except HTTPError as error:
            error.close()
            raise UnreachableError(f"the node answers {error.code} to {method}") from None
        except (URLError, OSError, ValueError):  # their texts may hold the address
            raise UnreachableError(f"the node cannot be reached for {method}") from None
        if len(found) > MOST_BYTES:
            raise UnreachableError(
                f"the node's answer to {method} has more than {MOST_BYTES} bytes"
            )
        return found


def is_near(address: str) -> bool:
    """Return whether the node at ``address`` runs on this machine, as far as the address says."""
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _words(message: str) -> str:
    """Return what the node said, without anything that could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in message[:MOST_WORDS])
