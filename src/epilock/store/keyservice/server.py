"""The key service's server: a thread for each client, on a Unix socket or mTLS.

A Unix socket lies in a folder that only its owner and the clients' group enter, and asks the kernel for the
client's user (``SO_PEERCRED``, unix(7)); over TCP both sides show certificates of one authority (TLS 1.3). Rules
kept in this file:
  1. Nothing that a client sends is logged, and no message of an error inside leaves.
  2. At most ``MOST_CLIENTS`` connections are open; who sends nothing for ``IDLE`` seconds is let go.
"""

import logging
import os
import socket
import struct
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Any

import msgspec

from epilock.errors import EpilockError, KeysError
from epilock.store.keyservice import wire
from epilock.store.keyservice.address import Address, tls_context
from epilock.store.keyservice.desk import Desk

MOST_CLIENTS = 256
IDLE = 600.0  # seconds
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_POLL = 0.5  # seconds between two looks whether to stop
_log = logging.getLogger(__name__)


class Server:
    """Serves a desk until it is stopped.

    Args:
        desk: What it gives.
        address: Where it listens.
        users: User ids that may connect over the Unix socket.
    """

    def __init__(self, desk: Desk, address: Address, *, users: Collection[int] = ()) -> None:
        self._desk = desk
        self._address = address
        self._users = frozenset(users) or frozenset({os.getuid()})
        self._free = BoundedSemaphore(MOST_CLIENTS)
        self._stop = Event()
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._tls = None if address.path is not None else tls_context(address, server=True)
        self._listener = _listen(address)

    @property
    def port(self) -> int:
        """The TCP port it listens at; 0 on a Unix socket."""
        return 0 if self._address.path is not None else int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Accept clients until ``stop``."""
        self._listener.settimeout(_POLL)
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                break
            if not self._free.acquire(blocking=False):
                client.close()
                continue
            Thread(target=self._attend, args=(client,), daemon=True).start()
        self._listener.close()
        if self._address.path is not None:
            self._address.path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End; connections are cut between two answers or in the middle of one: requests may be repeated."""
        self._stop.set()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _attend(self, client: socket.socket) -> None:
        try:
            client.settimeout(IDLE)
            with self._secured(client) as secured:
                with self._lock:
                    self._open.add(secured)
                try:
                    self._answer_all(secured)
                finally:
                    with self._lock:
                        self._open.discard(secured)
        except (OSError, KeysError):  # it left, or speaks something else
            client.close()
        finally:
            self._free.release()

    def _secured(self, client: socket.socket) -> socket.socket:
        """Return the client's socket when it is known who it is.

        Raises:
            KeysError: It is nobody who may ask.
        """
        if self._tls is not None:
            return self._tls.wrap_socket(client, server_side=True)
        raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(raw)
        if user not in self._users:
            raise KeysError("this user may not ask the key service")
        return client

    def _answer_all(self, client: socket.socket) -> None:
        hello = wire.receive_hello(client)
        if hello is None:
            return
        while (request := wire.receive_request(client)) is not None:
            wire.send(client, self._answer(request, hello.session))

    def _answer(self, request: wire.Request, session: bytes) -> wire.Done | wire.Failed:
        try:
            value = _ANSWERS[type(request)](self._desk, request, session)
        except EpilockError as error:
            return wire.failed(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, its message stays here
            _log.error("a request failed: %s", type(error).__name__)
            return wire.Failed("KeysError", "the key service failed inside; its log names the kind")
        return wire.Done(msgspec.msgpack.encode(value))


def _listen(address: Address) -> socket.socket:
    if address.path is None:
        return socket.create_server((address.host, address.port))
    path: Path = address.path
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if _is_answered(path):
            raise KeysError(f"another key service answers at {path.name}")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)  # the socket: owner and group
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(MOST_CLIENTS)
    return listener


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            raise
        except OSError:
            return False
        return True


_Answer = Callable[[Desk, Any, bytes], Any]
_ANSWERS: dict[type, _Answer] = {
    wire.Secret: lambda d, r, _: d.secret(r.org, r.name),
    wire.PublicKey: lambda d, r, _: d.public_key(r.org, r.name),
    wire.Sign: lambda d, r, _: d.sign(r.org, r.name, r.data),
    wire.AddBucket: lambda d, r, _: d.keys.add_bucket(r.org, r.bucket, r.parts),
    wire.AddTagKey: lambda d, r, _: d.keys.add_tag_key(r.org, r.emergency),
    wire.ExtendTagKey: lambda d, r, _: d.keys.extend_tag_key(r.org, r.emergency, r.generations),
    wire.TagKey: lambda d, r, _: d.keys.tag_key(r.org, r.emergency),
    wire.Leaf: lambda d, r, _: d.leaf(r.org, r.bucket, r.part, r.n, r.under),
    wire.Grant: lambda d, r, _: d.register(r.statement, r.assertion),
    wire.Whole: lambda d, r, _: list(d.whole(r.org, r.bucket, r.part, r.under).items()),
    wire.Lease: lambda d, r, session: d.lease(r.org, r.bucket, r.part, r.block, session),
    wire.Announce: lambda d, r, _: d.waiting(
        r.org, punctures=r.punctures, drops=r.drops, tags=r.tags
    ),
    wire.Destroy: lambda d, r, _: d.destroy(
        r.org, punctures=r.punctures, drops=r.drops, tags=r.tags
    ),
    wire.Organisations: lambda d, _r, _: d.keys.organisations(),
    wire.Emergencies: lambda d, r, _: d.keys.emergencies(r.org),
    wire.Ask: lambda d, _r, _: wire.About(d.limits.wait.total_seconds(), d.site is not None),
    wire.SuiteOf: lambda d, r, _: d.suite_of(r.org),
    wire.ChooseSuite: lambda d, r, _: d.keys.choose_suite(r.org, r.name),
}
