"""A connection is bounded in time and number, and the end of the process fails nobody (real sockets)."""

import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from epilock.web.connection import Server, bounded
from epilock.web.hall import Hall

LONG = 40_000_000


async def _read(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())}")


async def _long(request: Request) -> Response:
    return PlainTextResponse("x" * LONG)


def _slow(request: Request) -> Response:
    time.sleep(0.4)
    return PlainTextResponse("done")


@contextmanager
def serving(hall: Hall, **seconds: float):
    """Give the address of a server and the server."""
    app = Starlette(
        routes=[Route("/", _read, methods=["GET", "POST"]), Route("/long", _long), Route("/slow", _slow)]
    )  # fmt: skip
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=bounded(hall, **seconds), log_level="critical", lifespan="off", ws="none",
        timeout_graceful_shutdown=10, loop="asyncio",
    )  # fmt: skip
    server = Server(config, hall)
    thread = threading.Thread(target=server.run, args=([listening],))
    address = listening.getsockname()
    thread.start()
    try:
        yield address, server
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def _said(there: socket.socket) -> bytes:
    """Return all that is said until the connection closes."""
    there.settimeout(10)
    said = b""
    try:
        while piece := there.recv(1 << 20):
            said += piece
    except ConnectionResetError:
        pass
    return said


def _one(there: socket.socket) -> bytes:
    """Return one whole answer."""
    there.settimeout(10)
    answer = HTTPResponse(there)
    answer.begin()
    return f"{answer.status} {answer.headers}".encode() + answer.read()


class TestTime:
    @pytest.mark.parametrize(
        "begun",
        [
            b"",
            b"GET / HTTP/1.1\r\nhost: a\r\n",
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n12",
        ],
        ids=["silent", "half-a-head", "half-a-body"],
    )
    def test_a_request_that_does_not_arrive_is_given_up(self, begun):
        with (
            serving(Hall(), head=0.2, whole=0.4) as (address, _),
            socket.create_connection(address) as there,
        ):
            there.sendall(begun)
            assert _said(there).startswith(b"HTTP/1.1 408 ")

    def test_dripping_does_not_stretch_it(self):
        """An octet now and then keeps no connection: the clock runs from the first one."""
        with (
            serving(Hall(), head=0.3, whole=0.3) as (address, _),
            socket.create_connection(address) as there,
        ):
            began = time.monotonic()
            with pytest.raises(OSError):  # noqa: PT012 - one of the octets finds it closed
                for octet in b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100:
                    there.sendall(bytes([octet]))
                    time.sleep(0.02)
            assert time.monotonic() - began < 5

    def test_an_answer_that_nobody_fetches_is_dropped(self):
        with (
            serving(Hall(), fetch=0.3) as (address, server),
            socket.create_connection(address) as there,
        ):
            there.sendall(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.1)
            assert len(server.server_state.connections) == 1
            time.sleep(0.7)
            assert not server.server_state.connections

    def test_who_is_quick_is_served_as_often_as_they_ask(self):
        with (
            serving(Hall(), head=0.3, whole=0.3) as (address, _),
            socket.create_connection(address) as there,
        ):
            for _ in range(8):
                there.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok")
                assert _one(there).startswith(b"200 ")
                time.sleep(0.1)


class TestNumber:
    def test_beyond_the_most_one_is_told_and_beyond_twice_closed(self):
        hall = Hall(connections=2)
        with serving(hall) as (address, _):
            inside = [socket.create_connection(address) for _ in range(2)]
            for each in inside:
                each.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                assert _one(each).startswith(b"200 ")
            waiting = [socket.create_connection(address) for _ in range(2)]
            time.sleep(0.2)
            with socket.create_connection(address) as outside:
                assert _said(outside) == b""
            waiting[0].sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            said = _said(waiting[0])
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: " in said
            inside[0].sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")  # who was there still is
            assert _one(inside[0]).startswith(b"200 ")
            for each in (*inside, *waiting):
                each.close()
        assert hall.turned_away == 2


class TestEnd:
    def test_what_has_arrived_is_answered_and_told_that_the_connection_closes(self):
        with (
            serving(Hall()) as (address, server),
            socket.create_connection(address) as there,
        ):
            there.sendall(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.1)
            server.should_exit = True
            said = _said(there)
        assert said.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in said
        assert said.endswith(b"done")

    def test_a_kept_connection_may_ask_once_more(self):
        """It heard no word of the end, so its next request is no mistake of its own."""
        with (
            serving(Hall()) as (address, server),
            socket.create_connection(address) as there,
        ):
            there.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b"connection: close" not in _one(there)
            server.should_exit = True
            time.sleep(0.4)
            there.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b"connection: close" in _said(there)

    def test_a_silent_connection_does_not_hold_it_up(self):
        with (
            serving(Hall()) as (address, server),
            socket.create_connection(address) as there,
        ):
            there.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert _one(there)
            began = time.monotonic()
            server.should_exit = True
            assert _said(there) == b""
            assert time.monotonic() - began < 5
