"""A restart under load fails nobody: the supervisor keeps the socket, the old process answers what has arrived."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from crowd import CONNECTIONS, bodies

from epilock import assemble, settings
from epilock.store import vault

RESTARTS = 1
EACH = 60  # answers in each life


@pytest.fixture
def clock(clock):
    """The program looks at the machine's clock, whatever that says today."""
    clock.instant = datetime.now(UTC) - timedelta(hours=1)
    return clock


class Queue:
    """People who come once: whoever is not answered with "stored" is a failure."""

    def __init__(self, path, people, address):
        self.stored, self.failures = [], []
        self._path, self._people, self._address = path, people, address
        self._lock, self._end = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._come) for _ in range(CONNECTIONS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, answers):
        end = time.monotonic() + 30
        while len(self.stored) < answers and time.monotonic() < end:
            time.sleep(0.005)
        assert len(self.stored) >= answers, self.failures

    def close(self):
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _come(self):
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        while not self._end.is_set():
            with self._lock:
                body = next(self._people)
            try:
                connection.request("POST", self._path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                break
            if answer.status == http.HTTPStatus.CREATED:
                self.stored.append(said)
            else:
                self.failures.append(f"{answer.status} {said!r}")
        connection.close()


def _serve(environ, listening):
    """Start the program as a supervisor does: the socket is its file descriptor 3."""
    script = (
        f'exec 3<&{listening.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" -c '
        '"from epilock.cli import main; main()" serve'
    )
    return subprocess.Popen(
        ["/bin/bash", "-c", script, sys.executable], env={**os.environ, **environ},
        pass_fds=[listening.fileno()], stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _records(parts):
    with parts.database.read() as tx:
        return tx.conn.execute(sa.select(vault.records.c.handle)).scalars().all()


def test_restarts_under_load_fail_nobody(town, environ, home, clock, tmp_path):
    form = town.form()
    given = [act for act in form.acts.ids if act != "guardian"]
    before = len(_records(town.parts))
    town.parts.close()
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(tmp_path / "notify"))
    notices.settimeout(30)
    told = {**environ, "EPILOCK_HOME": str(home), "NOTIFY_SOCKET": str(tmp_path / "notify")}
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening, notices:
        process = _serve(told, listening)
        queue = Queue(
            f"/api/points/garden/{town.point}/submissions", bodies(form.notice, given, seed=5),
            listening.getsockname(),
        )  # fmt: skip
        try:
            for life in range(1, RESTARTS + 1):
                assert notices.recv(100) == b"READY=1"
                queue.wait_for(life * EACH)
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0  # and so the finally of the command was run
                assert notices.recv(100) == b"STOPPING=1"
                process = _serve(told, listening)
            queue.wait_for((RESTARTS + 1) * EACH)
        finally:
            queue.close()
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert queue.failures == []
    parts = assemble.build(settings.read(environ, home=home), now=clock)
    assert len(_records(parts)) == before + len(queue.stored)
    parts.close()
