"""Witnesses that don't answer, answer late, are cut off or talk nonsense: people are answered, it is said, and caught up."""

import http.client
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import yard
from crowd import Crowd, bodies
from office import Office
from program import Program

pytestmark = pytest.mark.timeout(200)
GOOD, SILENT, LATE, CUT, NONSENSE = "good", "silent", "late", "cut", "nonsense"
LATER = 7.0  # seconds, more than a round waits
PATIENCE = 40.0


class Line:
    """The network between a log and a witness, which may be bad; a request a connection.

    Args:
        port: Where the witness is.
    """

    def __init__(self, port: int) -> None:
        self.way, self._port = GOOD, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                come, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(come, self.way), daemon=True).start()

    def _carry(self, come: socket.socket, way: str) -> None:
        self.asked += 1
        with come, suppress(OSError):
            come.settimeout(30)
            if way == SILENT:
                while come.recv(1 << 16):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as there:
                threading.Thread(target=_pour, args=(come, there), daemon=True).start()
                answer = there.recv(1 << 16)
                if way == LATE:
                    time.sleep(LATER)
                if way == NONSENSE:
                    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\xff\x00 signed"
                come.sendall(answer[: len(answer) // 2] if way == CUT else answer)
                if way == GOOD:
                    _pour(there, come)


def _pour(come: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while piece := come.recv(1 << 16):
            there.sendall(piece)


@pytest.fixture
def clock(clock):
    """The program looks at the machine's clock, whatever that says today."""
    clock.instant = datetime.now(UTC) - timedelta(hours=1)
    return clock


@pytest.fixture
def key(town):
    return town.parts.log.signer.vkey


@pytest.fixture
def ground(town, environ, home, tmp_path):
    """The program, and the crowd at its gate."""
    form = town.form()
    given = [act for act in form.acts.ids if act != "guardian"]
    town.parts.close()
    program = Program({**environ, "EPILOCK_HOME": str(home)}, tmp_path / "said")
    yield (
        program,
        Crowd(f"/api/points/garden/{town.point}/submissions", bodies(form.notice, given, seed=4)),
    )
    program.close()


def until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def read(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def witnessed(port):
    """Tell whether the checkpoint that the log shows bears a line of the witness."""
    return "\n— witness.example/department " in read(port, "/log/checkpoint")[1]


def test_people_are_answered_and_the_log_catches_up(ground, key, database_url, tmp_path):
    program, crowd = ground
    office = Office(program, tmp_path / "department", key)
    office.start()
    line = Line(office._port)
    text = office.lines().replace(f"127.0.0.1:{office._port}", f"127.0.0.1:{line.port}")
    names = " ".join(each.split()[1] for each in text.splitlines())
    (tmp_path / "policy").write_text(f"log {key}\n{text}group both all {names}\nquorum both\n")
    program.run("policy", "announce", tmp_path / "policy")
    pid, port = program.serve()
    threads = crowd.come(port)
    for turn, way in enumerate((SILENT, LATE, CUT, NONSENSE), 1):
        line.way, there, asked = way, len(crowd.answered), line.asked
        until(lambda n=turn: program.said().count("is unreachable") >= n, f"{way} was not said")
        assert line.asked > asked
        crowd.wait_for(there + 30)
        assert len(crowd.answered) >= there + 30, way
        if way == SILENT:  # metrics of the database are read once a minute
            assert (
                'epilock_witness_in_trouble{witness="witness.example/department"} 1.0'
                in read(port, "/metrics")[1]
            )
        assert read(port, "/ready")[0] == 200, "who is unwitnessed still takes what people say"
        until(lambda: not witnessed(port), f"{way}: the log still shows a cosignature")
        line.way = GOOD
        until(lambda: witnessed(port), f"after {way} nothing was caught up")
    program.kill(pid)
    for thread in threads:
        thread.join()
    pid, port = program.serve()
    for thread in crowd.come(port, new=False):
        thread.join()
    until(
        lambda: (
            office.cosigned().split("\n")[:3] == read(port, "/log/checkpoint")[1].split("\n")[:3]
        ),
        "the last was not cosigned",
    )
    os.kill(pid, signal.SIGTERM)
    assert program.wait(pid) == 0
    office.remembered()
    line.close()
    assert crowd.faults == []
    where = database_url[0].removeprefix("sqlite:///").replace("+psycopg", "")
    found = yard.check(crowd, where, key, tmp_path)
    assert found["answered"] == found["records"] == len(crowd.answered) > 120
