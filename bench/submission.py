"""Submissions over HTTP: ours on both databases, a plain FastAPI + ORM insert, a bare echo, in turns.

Each server is one process; all of them run at the same time, and one of them is loaded at a time.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from statistics import median

import msgspec

from bench import filling, installation, postgres, row
from bench.row import Row
from bench.server import Server, folder
from bench.turns import in_turns
from epilock.collect.form import Form

CONNECTIONS = 64
MOST_A_SECOND = 40_000  # bodies made for a second of load, more than any server answers
MOST = 10_000_000  # bodies of one load
_FIRST = count(1000)  # beyond all that ``filling.fill`` stores


def bodies(most: int, form: Form) -> bytes:
    """Return ``most`` submissions, one a line, which no earlier call has returned."""
    made = islice(filling.submissions(form, first=next(_FIRST) * MOST), most)
    return b"\n".join(map(msgspec.json.encode, made))


class Target:
    """A server, the path its submissions go to, and the form they fill in.

    Attributes:
        by_processor: For each load, answers a second of the server's own processor time. On a machine
            with other work to do it says what a quiet one would reach, but for waiting for the disk.
    """

    def __init__(self, server: Server, path: str, form: Form, folder: Path) -> None:
        self.server = server
        self._path = path
        self.form = form
        self.by_processor: list[float] = []
        self._file = folder / f"bodies-{server.port}"

    def load(
        self, seconds: float, *, rate: float = 0.0, connections: int = CONNECTIONS,
        patient: bool = False,
    ) -> dict:  # fmt: skip
        """Send submissions for ``seconds``, at ``rate`` a second or as fast as they are answered.

        With ``patient``, who is turned away comes back when they were told to.

        Raises:
            RuntimeError: One of them was not answered with 2xx.
        """
        most = int(seconds * (rate * 1.1 + 1 if rate else MOST_A_SECOND))
        self._file.write_bytes(bodies(most, self.form))
        job = {
            "port": self.server.port, "path": self._path, "bodies": str(self._file),
            "connections": connections, "seconds": seconds, "rate": rate, "patient": patient,
        }  # fmt: skip
        before = self.server.processor()
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"], input=json.dumps(job), text=True, check=True,
            capture_output=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        if found["failed"]:
            raise RuntimeError(
                f"{found['failed']} of {found['count']} failed: {found['first_failure']}"
            )
        self.by_processor.append(found["count"] / max(self.server.processor() - before, 0.01))
        return found

    def loading(self, seconds: float) -> Callable[[int], float]:
        """Return a work for ``turns.in_turns``: as much as is answered in ``seconds``, a second."""
        return lambda _turn: self.load(seconds)["rate"]


def ours(
    stack: ExitStack, home: Path, *, database: str | None = None, keys: str | None = None
) -> Target:
    """Return our server with a new installation in ``home``, on SQLite if no databases are given."""
    parts = installation.make(home, database=database, keys=keys)
    form = installation.form(parts)
    parts.close()
    settings = [f"EPILOCK_DATABASE={database}", f"EPILOCK_KEY_DATABASE={keys}"] if keys else []
    return serve(stack, home, form, *settings)


def serve(stack: ExitStack, home: Path, form: Form, *settings: str) -> Target:
    """Return our server with the installation in ``home``, stopped with the ``stack``."""
    server = Server("bench.installation", str(home), "PORT", *settings)
    stack.callback(server.stop)
    path = f"/api/points/garden/{form.point.point}/submissions"
    return Target(server, path, form, home)


def measure(seconds: float = 3, rounds: int = 5) -> list[Row]:
    """Return the rows; ``seconds`` of load for each server in each of the ``rounds``."""
    with folder() as home, postgres.server(home / "postgres") as url, ExitStack() as stack:
        here = ours(stack, home / "sqlite")
        idle = here.server.memory()
        targets = {"ours": here}
        for name in ("echo", "orm"):
            server = Server("bench.baseline", name, "PORT", f"sqlite:///{home}/orm.sqlite")
            stack.callback(server.stop)
            targets[name] = Target(server, "/submissions", here.form, home)
        if url is not None:
            postgres.databases(url, "bench", "bench_keys")
            targets["postgresql"] = ours(
                stack, home / "pg", database=f"{url}/bench", keys=f"{url}/bench_keys"
            )
        rates = in_turns(
            {name: target.loading(seconds) for name, target in targets.items()}, rounds
        )
        quiet = {name: median(target.by_processor) for name, target in targets.items()}
        half = [here.load(seconds, rate=rates["ours"] / 2)["p99_ms"] for _ in range(rounds)]
        return [
            *_rates(rates),
            row.figure("ours, a second of the server's processor time", quiet["ours"]),
            row.figure("ours / echo, by processor time", quiet["ours"] / quiet["echo"], 2),
            row.below("p99 at half load, ms", median(half), 50, 1),
            row.below("memory of the server idle, MB", idle, 200),
            row.below("memory of the server under load, MB", here.server.memory(), 200),
        ]


def _rates(rates: dict[str, float]) -> list[Row]:
    rate = rates["ours"]
    rows = [
        row.figure("bare Starlette echo, requests/s", rates["echo"]),
        row.figure("FastAPI + ORM + SQLite, submissions/s", rates["orm"]),
        row.at_least("ours: sealed, in the ledger, synced, submissions/s", rate, 4_000, 0),
        row.at_least("ours / ORM", rate / rates["orm"], 4),
        row.at_least("ours / echo", rate / rates["echo"], 0.25),
    ]
    what = "ours on PostgreSQL / on SQLite"
    if "postgresql" not in rates:
        return [*rows, row.missing(what, "PostgreSQL not found")]
    return [
        *rows,
        row.figure("ours on PostgreSQL, submissions/s", rates["postgresql"]),
        row.at_least(what, rates["postgresql"] / rate, 0.5),
    ]
