"""What a process holds that has no keys: each question goes to the key service.

Connections are kept and shared by threads. A request that finds its connection cut is sent once more on a
new one: each may be repeated (``wire``).
"""

import os
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from copy import copy
from datetime import timedelta
from queue import Empty, Full, LifoQueue
from typing import TypeVar

import msgspec

from epilock.errors import InputError, KeysError
from epilock.store import keytree
from epilock.store.access import Waiting
from epilock.store.keyservice import wire
from epilock.store.keyservice.address import Address, tls_context
from epilock.store.keytree import Node
from epilock.store.suite import SUITES, Suite

SECONDS = 60.0  # a destruction of much may take that long
KEPT = 8  # idle connections

T = TypeVar("T")


class RemoteKeys:
    """The keys of all organisations, in another process; see ``access.Keys``.

    Args:
        address: Of the key service.

    Raises:
        KeysError: It doesn't answer.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._tls = None if address.path is not None else tls_context(address, server=False)
        self._session = os.urandom(wire.SESSION_BYTES)
        self._idle: LifoQueue[socket.socket] = LifoQueue(KEPT)
        self._secrets: dict[tuple[str, str], bytes] = {}
        self._under: tuple[str, str] | None = None
        about = self._ask(wire.Ask(), wire.About)
        self._notice = timedelta(seconds=about.wait)
        self._suites: dict[str, Suite] = {}
        self._signed = about.signed

    def suite_of(self, org: str) -> Suite:
        """Return the algorithms of ``org``; asked for once in this process, when it has something sealed.

        Raises:
            KeysError: This program doesn't know them: it is older than the key service.
        """
        if org not in self._suites:
            found = self._ask(wire.SuiteOf(org), wire.SuiteIs)
            if found.name not in SUITES:
                raise KeysError("the key service has another suite; run the same epilock on both")
            if not found.settled:
                return SUITES[found.name]
            self._suites[org] = SUITES[found.name]
        return self._suites[org]

    def choose_suite(self, org: str, name: str) -> None:
        """Choose the algorithms of ``org``; errors as ``KeyStore.choose_suite``."""
        self._ask(wire.ChooseSuite(org, name), type(None))

    @property
    def notice(self) -> timedelta:
        """How long before its day a destruction is to be announced."""
        return self._notice

    @property
    def signed(self) -> bool:
        """Whether records open under signed grants only."""
        return self._signed

    def under(self, org: str, grant: str) -> "RemoteKeys":
        """Return the same keys, on the same connections, that open under a grant."""
        found = copy(self)
        found._under = (org, grant)  # noqa: SLF001 - its own class
        return found

    def register(self, statement: bytes, assertion: str) -> None:
        """Make a signed grant known; errors as ``Desk.register``."""
        self._ask(wire.Grant(statement, assertion), type(None))

    def secret(self, org: str, name: str) -> bytes:
        """Return a secret; asked for once in this process.

        Raises:
            ForbiddenError: The key service doesn't give it out.
        """
        if (org, name) not in self._secrets:
            self._secrets[org, name] = self._ask(wire.Secret(org, name), bytes)
        return self._secrets[org, name]

    def signing_key(self, org: str, name: str) -> "RemoteKey":
        """Return a signing key that stays where it is."""
        return RemoteKey(self, org, name)

    def public_key(self, org: str, name: str) -> bytes:
        """Return the public half of a signing key."""
        return self._ask(wire.PublicKey(org, name), bytes)

    def sign(self, org: str, name: str, data: bytes) -> bytes:
        """Return the signature of ``data``; what is refused, ``Desk.sign`` says."""
        return self._ask(wire.Sign(org, name, data), bytes)

    def add_bucket(self, org: str, bucket: str, parts: Sequence[str]) -> None:
        """Make a seed for each of ``parts`` that has none."""
        self._ask(wire.AddBucket(org, bucket, tuple(parts)), type(None))

    def add_tag_key(self, org: str, emergency: str) -> None:
        """Make the tag key of ``emergency`` if it has none."""
        self._ask(wire.AddTagKey(org, emergency), type(None))

    def extend_tag_key(self, org: str, emergency: str, generations: int) -> None:
        """Give the tag key one more generation; errors as ``KeyStore.extend_tag_key``."""
        self._ask(wire.ExtendTagKey(org, emergency, generations), type(None))

    def tag_key(self, org: str, emergency: str) -> bytes:
        """Return the tag key of ``emergency``; errors as ``KeyStore.tag_key``."""
        return self._ask(wire.TagKey(org, emergency), bytes)

    def cover(
        self, org: str, bucket: str, part: str, nodes: Collection[Node] | None = None
    ) -> dict[Node, bytes]:
        """Return all seeds of a part, or the leaf of the record whose path ``nodes`` are.

        Raises:
            ForbiddenError: The grant is missing where one must be signed, is not signed, is over, or reaches others.
            RateError: The bound of the grant or of the day is reached.
            ErasedError, KeysError, TamperedError: As ``KeyStore.cover``.
        """
        if nodes is None:
            asked = wire.Whole(org, bucket, part, self._under)
            found = self._ask(asked, list[tuple[Node, bytes]])
            return dict(found)
        deepest = max(nodes)
        if deepest[0] != keytree.DEPTH or set(nodes) != set(keytree.path(deepest[1])):
            raise InputError("the key service gives a whole part or the path of one record")
        return {deepest: self.leaf(org, bucket, part, deepest[1])}

    def leaf(self, org: str, bucket: str, part: str, n: int) -> bytes:
        """Return the leaf key of record number ``n``; errors as ``cover``."""
        return self._ask(wire.Leaf(org, bucket, part, n, self._under), bytes)

    def lease_seed(self, org: str, bucket: str, part: str, block: int) -> bytes:
        """Return the seed of ``block``.

        Raises:
            LeasedError: Another process has it.
            ErasedError, KeysError, TamperedError: As ``KeyStore.lease_seed``.
        """
        return self._ask(wire.Lease(org, bucket, part, block), bytes)

    def waiting(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> Waiting:
        """Announce what is to be destroyed; return what of it must wait."""
        request = wire.Announce(org, tuple(punctures), tuple(drops), tuple(tags))
        return self._ask(request, Waiting)

    def destroy(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> int:
        """Destroy keys for ever; errors as ``Desk.destroy``."""
        return self._ask(wire.Destroy(org, tuple(punctures), tuple(drops), tuple(tags)), int)

    def organisations(self) -> list[str]:
        """Return who has a tag key."""
        return self._ask(wire.Organisations(), list[str])

    def emergencies(self, org: str) -> list[str]:
        """Return the emergencies of ``org`` whose tag key is there."""
        return self._ask(wire.Emergencies(org), list[str])

    def close(self) -> None:
        """Close the connections; repeating is harmless."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def _ask(self, request: wire.Request, kind: type[T]) -> T:
        """Return the answer to ``request``, of that kind."""
        answer = self._exchange(request)
        if isinstance(answer, wire.Failed):
            raise wire.error_of(answer)
        try:
            return msgspec.msgpack.decode(answer.value, type=kind)
        except msgspec.MsgspecError:
            raise KeysError("an answer of the key service makes no sense") from None

    def _exchange(self, request: wire.Request) -> wire.Done | wire.Failed:
        with suppress(Empty):
            while True:
                kept = self._idle.get_nowait()
                with suppress(OSError):
                    answer = self._on(kept, request)
                    if answer is not None:
                        return answer
        try:
            answer = self._on(self._connect(), request)
        except OSError as error:
            raise KeysError(f"the key service doesn't answer ({type(error).__name__})") from None
        if answer is None:
            raise KeysError("the key service let the connection go; may this user ask it?")
        return answer

    def _on(self, link: socket.socket, request: wire.Request) -> wire.Done | wire.Failed | None:
        try:
            wire.send(link, request)
            answer = wire.receive_answer(link)
        except BaseException:
            link.close()
            raise
        if answer is None:
            link.close()
            return None
        try:
            self._idle.put_nowait(link)
        except Full:
            link.close()
        return answer

    def _connect(self) -> socket.socket:
        link = self._raw()
        try:
            if self._tls is not None:
                link = self._tls.wrap_socket(link, server_hostname=self._address.host)
            wire.send(link, wire.Hello(wire.VERSION, self._session))
        except BaseException:
            link.close()
            raise
        return link

    def _raw(self) -> socket.socket:
        if self._address.path is None:
            place = (self._address.host, self._address.port)
            return socket.create_connection(place, timeout=SECONDS)
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(SECONDS)
            link.connect(str(self._address.path))
        except BaseException:
            link.close()
            raise
        return link


class RemoteKey:
    """A signing key in the key service; see ``ledger.note.Ed25519Key``."""

    def __init__(self, keys: RemoteKeys, org: str, name: str) -> None:
        self._keys, self._org, self._name = keys, org, name
        self._public = keys.public_key(org, name)

    def public(self) -> bytes:
        """Return the public half."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""
        return self._keys.sign(self._org, self._name, data)
