"""A yard for faults: the real program, whose disk, clock and memory can be made faulty while it runs, under load."""

import http.client
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crowd import Crowd
from program import Program

from epilock import verifier

HERE = Path(__file__).parent
BUSY = 503
NONE, NO_SPACE, BROKEN = range(3)
_CONTROL = struct.Struct("@5l")
RECOVERY = 30  # seconds in which a server that was not restarted stores again


@dataclass
class PatientCrowd(Crowd):
    """A crowd that comes back when it is told to: 503 is no answer, and no fault.

    Attributes:
        turned_away: How often that was.
    """

    turned_away: int = 0
    _seen: threading.Lock = field(default_factory=threading.Lock)

    def _note(self, body: bytes, status: int, said: bytes) -> None:
        if status != BUSY:
            super()._note(body, status, said)
            return
        with self._seen:
            self.turned_away += 1
        self.unanswered.append(body)
        time.sleep(0.05)


class Faults:
    """The file by which a running program's disk, clock and memory are made faulty.

    Args:
        folder: Where the file and the compiled library lie.
        home: What lies below is on the faulty disk.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        library, control = folder / "faulty.so", folder / "control"
        command = [
            "cc",
            "-shared",
            "-fPIC",
            "-O1",
            "-o",
            str(library),
            str(HERE / "faulty.c"),
            "-ldl",
        ]
        subprocess.run(command, check=True, capture_output=True)
        control.write_bytes(bytes(_CONTROL.size))
        with control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _CONTROL.size)
        self.environ = {
            "LD_PRELOAD": str(library), "FAULTY_CONTROL": str(control), "FAULTY_UNDER": str(home),
        }  # fmt: skip

    def set(
        self, *, fault: int = NONE, milliseconds: int = 0, seconds: int = 0, memory: int = 0
    ) -> None:
        """Make disk, clock and memory so from now on; of ``memory`` large pieces one is refused."""
        self._map[:] = _CONTROL.pack(fault, milliseconds, seconds, memory, self.refused)

    @property
    def refused(self) -> int:
        """How many pieces of memory were refused so far."""
        return int(_CONTROL.unpack(self._map[:])[-1])

    def close(self) -> None:
        """Forget the file."""
        self._map.close()


class Yard:
    """One installation, its program, and the crowd at its gate.

    Args:
        program: Starts the program.
        crowd: Who comes.
        say: Is told each step.
    """

    def __init__(self, program: Program, crowd: PatientCrowd, say: Callable[[str], None]) -> None:
        self.program, self.crowd, self.say = program, crowd, say
        self.survived: list[str] = []
        self.pid = self.port = 0
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Start the server, and let the crowd come."""
        self.pid, self.port = self.program.serve()
        self._threads = self.crowd.come(self.port)
        self.crowd.wait_for(len(self.crowd.answered) + 20)

    def suffer(
        self, name: str, fault: Callable[[], object], end: Callable[[], object], seconds: float
    ) -> None:
        """Make something faulty for a while; then the same process must store again."""
        fault()
        time.sleep(seconds)
        end()
        self.recover(name)

    def recover(self, name: str) -> None:
        """Wait until new people are answered again."""
        there = len(self.crowd.answered)
        self.crowd.wait_for(there + 20, RECOVERY)
        assert len(self.crowd.answered) >= there + 20, (
            f"after {name}: {self.program.said()[-2000:]}"
        )
        self.survived.append(name)
        self.say(
            f"{name}: {there} answered before, {self.crowd.turned_away} times told to come back"
        )

    def wait_until(self, *, ready: bool) -> None:
        """Wait until the server says by itself that it is ready, or is not."""
        end, said = time.monotonic() + RECOVERY, ""
        while time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=RECOVERY)
            try:
                connection.request("GET", "/ready")
                said = connection.getresponse().read().decode()
            except (OSError, http.client.HTTPException):
                said = ""  # without memory it may give no answer
            finally:
                connection.close()
            if said and json.loads(said).get("ready") is ready:
                return
            time.sleep(0.05)
        raise AssertionError(f"ready is not {ready}: {said}")

    def kill(self) -> None:
        """Kill the server in the middle of it, and start it anew."""
        assert self.program.kill(self.pid) == -signal.SIGKILL
        for thread in self._threads:
            thread.join()
        self.survived.append("kill -9")
        self.open()

    def close(self) -> None:
        """End the server under load, let who was not answered ask once more, and end it in peace."""
        self.program.kill(self.pid)
        for thread in self._threads:
            thread.join()
        pid, port = self.program.serve()
        for thread in self.crowd.come(port, new=False):
            thread.join()
        os.kill(pid, signal.SIGTERM)
        assert self.program.wait(pid) == 0
        assert not self.crowd.unanswered


def check(crowd: Crowd, database: str, key: str, folder: Path) -> dict[str, int]:
    """Have it checked by a program that imports nothing of ours."""
    answers, alone = folder / "answers.json", folder / verifier.NAME
    answers.write_text(json.dumps(crowd.answered), encoding="utf-8")
    alone.write_bytes(verifier.source())
    done = subprocess.run(
        [sys.executable, "-P", str(HERE / "invariants.py"), str(answers), database, key, str(alone)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == 0, found
    return found
