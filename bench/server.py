"""Server processes to measure: on loopback, each stopped by its own id."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder on a real disk (``/tmp`` may lie in memory, where a sync costs nothing)."""
    path = Path(tempfile.mkdtemp(prefix="epilock-bench-", dir="/var/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def peak_memory() -> float:
    """Return the most that this process held, in megabytes (``ru_maxrss`` would tell its parent's)."""
    return _kilobytes("self", "VmHWM") / 1024


def _kilobytes(process: int | str, name: str) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(x for x in status.splitlines() if x.startswith(name)).split()[1])


class Server:
    """A Python module that serves the port given to it as ``PORT``."""

    def __init__(self, *command: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *[c.replace("PORT", str(self.port)) for c in command]]
        )
        wait_for(self.port, " ".join(command))

    def memory(self) -> float:
        """Return the resident memory in megabytes."""
        return _kilobytes(self.process.pid, "VmRSS") / 1024

    def processor(self) -> float:
        """Return the seconds of processor time that it has used."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=30)


def wait_for(port: int, what: str) -> None:
    """Return when something listens on ``port`` of loopback.

    Raises:
        RuntimeError: Nothing did within 20 seconds.
    """
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{what} did not start")
