"""Submissions over HTTP: ours against a plain FastAPI + ORM insert and a bare echo, in one run."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from bench import installation

CONNECTIONS = 64
SECONDS = 6.0


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def bodies(count: int, notice: str, acts: tuple[str, ...]) -> bytes:
    """Return ``count`` submissions, one a line, each with a client id of its own."""
    lines = []
    for n in range(count):
        fields = {
            "name": f"张{chr(0x4E00 + n % 5000)}", "mobile": f"138{n % 10**8:08d}",
            "temperature": f"36.{n % 10}", "check_in": "东门",
        }  # fmt: skip
        body = {
            "client": str(UUID(bytes=os.urandom(16), version=4)), "notice": notice, "language": "zh",
            "given": list(acts), "fields": fields,
        }  # fmt: skip
        lines.append(json.dumps(body, ensure_ascii=False).encode())
    return b"\n".join(lines)


class Server:
    """A server process on loopback, stopped by its own id."""

    def __init__(self, *command: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *[c.replace("PORT", str(self.port)) for c in command]]
        )
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"{command} did not start")

    def memory(self) -> float:
        """Return the resident memory in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=30)


def load(
    server: Server, path: str, file: Path, *, rate: float = 0.0, seconds: float = SECONDS
) -> dict:
    """Send the bodies of ``file``; return the load generator's figures."""
    job = {
        "port": server.port, "path": path, "bodies": str(file), "connections": CONNECTIONS,
        "seconds": seconds, "rate": rate,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=json.dumps(job), text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    if found["failed"]:
        raise RuntimeError(
            f"{found['failed']} of {found['count']} failed: {found['first_failure']}"
        )
    return found


def measure(postgres: str | None = None) -> list[tuple[str, str, str]]:
    """Return rows (what, figure, target)."""
    folder = Path(tempfile.mkdtemp(prefix="epilock-bench-", dir="/var/tmp"))
    try:
        return _measure(folder, postgres)
    finally:
        shutil.rmtree(folder)


def _measure(folder: Path, postgres: str | None) -> list[tuple[str, str, str]]:
    parts = installation.make(folder / "home")
    form = installation.form(parts)
    parts.close()
    file = folder / "bodies"
    file.write_bytes(bodies(120_000, form.notice, form.acts.ids))
    path = f"/api/points/garden/{form.point.point}/submissions"

    echo = Server("bench.baseline", "echo", "PORT")
    echo_rate = load(echo, "/submissions", file)["rate"]
    echo.stop()
    orm = Server("bench.baseline", "orm", "PORT", f"sqlite:///{folder}/orm.sqlite")
    orm_rate = load(orm, "/submissions", file)["rate"]
    orm.stop()
    ours = Server("bench.installation", str(folder / "home"), "PORT")
    idle = ours.memory()
    full = load(ours, path, file)
    file.write_bytes(bodies(60_000, form.notice, form.acts.ids))
    half = load(ours, path, file, rate=full["rate"] / 2)
    busy = ours.memory()
    ours.stop()
    rate = full["rate"]
    rows = [
        ("bare Starlette echo, requests/s", f"{echo_rate:,.0f}", ""),
        ("FastAPI + ORM + SQLite, submissions/s", f"{orm_rate:,.0f}", ""),
        ("ours: sealed, in the ledger, fsynced, submissions/s", f"{rate:,.0f}", "4,000"),
        ("ours / ORM", f"{rate / orm_rate:.2f}", ">= 4"),
        ("ours / echo", f"{rate / echo_rate:.2f}", ">= 0.25"),
        ("p99 at half load, ms", f"{half['p99_ms']:.1f}", "< 50"),
        ("memory idle, MB", f"{idle:.0f}", "< 200"),
        ("memory under load, MB", f"{busy:.0f}", "< 200"),
    ]
    if postgres is not None:
        rows += _postgres(folder, postgres, rate)
    return rows


def _postgres(folder: Path, server: str, sqlite_rate: float) -> list[tuple[str, str, str]]:
    urls = {"EPILOCK_DATABASE": f"{server}/bench", "EPILOCK_KEY_DATABASE": f"{server}/bench_keys"}
    parts = installation.make(
        folder / "pg", database=urls["EPILOCK_DATABASE"], keys=urls["EPILOCK_KEY_DATABASE"]
    )
    form = installation.form(parts)
    parts.close()
    file = folder / "bodies-pg"
    file.write_bytes(bodies(80_000, form.notice, form.acts.ids))
    ours = Server(
        "bench.installation", str(folder / "pg"), "PORT", *[f"{k}={v}" for k, v in urls.items()]
    )
    path = f"/api/points/garden/{form.point.point}/submissions"
    rate = load(ours, path, file)["rate"]
    ours.stop()
    return [
        ("ours on PostgreSQL, submissions/s", f"{rate:,.0f}", ""),
        ("PostgreSQL / SQLite", f"{rate / sqlite_rate:.2f}", ">= 0.5"),
    ]


def peak() -> float:
    """Return this process's greatest resident memory in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
