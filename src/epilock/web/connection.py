"""Connections: how many there are, how long a request may take to arrive and an answer to be fetched.

uvicorn's protocol with bounds, and an end that fails nobody.

Rules kept in this file:
  1. A request's head arrives within ``HEAD`` seconds and the whole of it within ``WHOLE``; then 408.
  2. An answer that nobody fetches for ``FETCH`` seconds is dropped with its connection.
  3. Beyond the hall's connections one is told 503 when it asks; beyond twice as many it is closed unheard.
  4. When the process is told to end, every request that has arrived is answered, each answer says that its
     connection closes, and a connection that is silent is closed after ``LINGER`` seconds. A client that
     heard an answer without that word may still send: it is answered too.
"""

import asyncio
import resource
import socket
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from epilock.web.hall import Hall

HEAD = 10.0
WHOLE = 60.0
FETCH = 60.0
LINGER = 1.0
END = 30  # seconds that requests under way have when the process is told to end
BACKLOG = 2_048
SPARE_FILES = 200  # for databases, logs and answers


def _answer(status: str, text: str, header: str = "") -> bytes:
    """Return an answer for one whose request was not heard to its end."""
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"
        f"{header}connection: close\r\ncontent-length: {len(text)}\r\n\r\n{text}"
    ).encode()


def _busy(wait: int) -> bytes:
    text = "too many are connected; try again later\n"
    return _answer("503 Service Unavailable", text, f"retry-after: {wait}\r\n")


_LATE = _answer("408 Request Timeout", "the request did not arrive in time\n")


class Connection(HttpToolsProtocol):
    """One connection; ``bounded`` gives the class for a hall.

    Attributes:
        hall: Whose bounds hold.
        head: Seconds for a head to arrive.
        whole: Seconds for a whole request to arrive.
        fetch: Seconds for an answer to be taken.
    """

    hall: ClassVar[Hall]
    head: ClassVar[float] = HEAD
    whole: ClassVar[float] = WHOLE
    fetch: ClassVar[float] = FETCH

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._leaving = False
        self._unheard = False
        self._arrival: asyncio.TimerHandle | None = None
        self._fetching: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a connection, or know that it will be turned away."""
        most, there = self.hall.connections, len(self.connections)
        super().connection_made(transport)
        if there >= 2 * most:
            self.hall.turn_away()
            transport.abort()
            return
        self._unheard = there >= most
        self._wait(self.head)
        if self.hall.leaving:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """End whatever waits for this connection."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take octets of a request."""
        if self._unheard:
            self._say(_busy(self.hall.turn_away()))
            return
        if self._arrival is None and (self.cycle is None or self.cycle.response_complete):
            self._wait(self.head)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._wait(self.whole)
        super().on_headers_complete()
        if self._leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Stop the clock of the arrival."""
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or let the connection rest."""
        super().on_response_complete()
        if self._leaving and not self.transport.is_closing() and not self.pipeline:
            self._linger()

    def shutdown(self) -> None:
        """Close after the request under way, or after a little silence."""
        self._leaving = True
        if self.cycle is None or self.cycle.response_complete:
            self._linger()
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """Begin to wait for the other side to read."""
        super().pause_writing()
        if self._fetching is None:
            self._fetching = self.loop.call_later(self.fetch, self.transport.abort)

    def resume_writing(self) -> None:
        """The other side has read."""
        super().resume_writing()
        if self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None

    def _linger(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(LINGER, self.timeout_keep_alive_handler)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._arrival = self.loop.call_later(seconds, self._late)

    def _stop_waiting(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _late(self) -> None:
        self._arrival = None
        if (
            self.pipeline
        ):  # it has arrived as far as it was let in: an earlier one is being answered
            self._wait(self.whole)
        elif self.cycle is not None and self.cycle.response_started:
            self.transport.close()
        else:
            self._say(_LATE)

    def _say(self, answer: bytes) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, whose connections know when it is told to end.

    Args:
        config: uvicorn's.
        hall: Whose bounds hold.
    """

    def __init__(self, config: uvicorn.Config, hall: Hall) -> None:
        super().__init__(config)
        self._hall = hall

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has arrived, then end."""
        self._hall.leaving = True
        await super().shutdown(sockets)


def bounded(hall: Hall, **seconds: float) -> type[Connection]:
    """Return the class of connections that keep to ``hall``; ``seconds`` changes how long they wait."""
    return type("BoundedConnection", (Connection,), {"hall": hall, **seconds})


def run(  # noqa: PLR0917 - the last is rarely given
    app: ASGIApp,
    hall: Hall,
    host: str,
    port: int,
    behind: str | None = None,
    inherited: socket.socket | None = None,
) -> None:
    """Serve ``app`` until the process is told to end.

    Args:
        app: What answers.
        hall: Whose bounds hold; with few files allowed, fewer connections are.
        host: Address to listen at.
        port: Port to listen at.
        behind: Address of the web server before it, whose ``X-Forwarded-For`` is believed.
        inherited: A socket that listens already; then ``host`` and ``port`` mean nothing.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY:
        hall.connections = max(1, min(hall.connections, (hard - SPARE_FILES) // 2))
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", log_config=None, access_log=False, loop="uvloop",
        http=bounded(hall), server_header=False, proxy_headers=behind is not None,
        forwarded_allow_ips=behind, ws="none", lifespan="off", backlog=BACKLOG,
        timeout_graceful_shutdown=END,
    )  # fmt: skip
    Server(config, hall).run(None if inherited is None else [inherited])
