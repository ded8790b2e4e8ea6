"""A crowd at one gate: many connections at once, each person with an id of their own, who ask again if unanswered."""

import http.client
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

CONNECTIONS = 6
SECONDS = 20


def bodies(notice: str, given: list[str], *, seed: int) -> Iterator[bytes]:
    """Yield submissions without end: made-up persons, client ids that follow from ``seed``."""
    number = 0
    while True:
        number += 1
        client = UUID(int=seed << 64 | number, version=4)
        fields = {
            "name": f"张{chr(0x4E00 + number % 5000)}", "mobile": f"138{number:08d}",
            "temperature": f"36.{number % 10}", "check_in": "东门",
        }  # fmt: skip
        body = {
            "client": str(client), "notice": notice, "given": given, "fields": fields,
            "language": "zh",
        }  # fmt: skip
        yield json.dumps(body).encode()


def is_there(port: int) -> bool:
    """Tell whether anybody listens: a connection that was cut is opened again while somebody does."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Crowd:
    """What was sent and what was answered, over many lives of a server.

    Attributes:
        path: Where submissions go.
        people: Where the next body comes from.
        unanswered: Bodies that were sent and not answered; they are sent again first.
        answered: Client id to what was answered first.
        checkpoints: Every checkpoint that anyone was shown, beside those in proofs.
    """

    path: str
    people: Iterator[bytes]
    unanswered: deque[bytes] = field(default_factory=deque)
    answered: dict[str, dict] = field(default_factory=dict)
    checkpoints: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def come(self, port: int, *, new: bool = True) -> list[threading.Thread]:
        """Send over several connections until the server is gone (``new``), or all were answered."""
        jobs = [lambda: self._submit(port, new=new) for _ in range(CONNECTIONS)]
        threads = [threading.Thread(target=job) for job in (*jobs, lambda: self._watch(port, new))]
        for thread in threads:
            thread.start()
        return threads

    def wait_for(self, answers: int, seconds: float = SECONDS) -> None:
        """Return when so many persons were answered in all, or nobody waits any longer."""
        end = time.monotonic() + seconds
        while len(self.answered) < answers and time.monotonic() < end:
            time.sleep(0.002)

    def _next(self, *, new: bool) -> bytes | None:
        with self._lock:
            if self.unanswered:
                return self.unanswered.popleft()
            return next(self.people) if new else None

    def _submit(self, port: int, *, new: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        while (body := self._next(new=new)) is not None:
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", self.path, body, headers)
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                self.unanswered.append(body)
                connection.close()
                if not is_there(port):
                    break
                continue
            self._note(body, answer.status, said)
        connection.close()

    def _note(self, body: bytes, status: int, said: bytes) -> None:
        client = json.loads(body)["client"]
        if status != http.HTTPStatus.CREATED:
            self.faults.append(f"{status} {said.decode()}")
            return
        answer = json.loads(said)
        first = self.answered.setdefault(client, answer)
        if any(answer[what] != first[what] for what in ("receipt", "bucket", "n", "index")):
            self.faults.append(f"two answers for one person: {first} {answer}")

    def _watch(self, port: int, again: bool) -> None:
        """Look at the public log all the while, as a witness does."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        while True:
            try:
                connection.request("GET", "/log/checkpoint")
                self.checkpoints.add(connection.getresponse().read().decode())
            except (OSError, http.client.HTTPException):
                break
            if not again:
                break
        connection.close()
