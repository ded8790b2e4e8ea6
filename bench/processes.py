"""Two server processes on one PostgreSQL against one, and what it costs to step down to one organisation.

One log has one sequence: processes append in turn, and what they gain is all that happens beside it.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

import sqlalchemy as sa

from bench import installation, postgres, row
from bench.row import Row
from bench.server import folder
from bench.submission import Target, serve
from epilock import migrate, roles
from epilock.db import Database, open_engine


def measure(seconds: float = 3, rounds: int = 5) -> list[Row]:
    """Return the rows; ``seconds`` of load for one process, then for two, in each of the ``rounds``."""
    with folder() as home, postgres.server(home / "postgres") as url, ExitStack() as stack:
        if url is None:
            return [row.missing("two processes / one", "PostgreSQL not found")]
        postgres.databases(url, "bench", "bench_keys")
        main, keys = f"{url}/bench", f"{url}/bench_keys"
        parts = installation.make(home / "pg", database=main, keys=keys)
        form = installation.form(parts)
        parts.close()
        told = (f"EPILOCK_DATABASE={main}", f"EPILOCK_KEY_DATABASE={keys}")
        servers = [serve(stack, home / "pg", form, *told) for _ in range(2)]
        one, two = [], []
        for _ in range(rounds):
            one.append(servers[0].load(seconds)["rate"])
            two.append(_together(servers, seconds))
        plain, scoped = _reading(main)
    return [
        row.figure("one process, submissions/s", median(one)),
        row.figure("two processes, submissions/s", median(two)),
        row.at_least("two processes / one", median(two) / median(one), 1.5),
        row.figure("a reading transaction, ms", 1000 * plain, 3),
        row.figure("the same, stepped down to one organisation, ms", 1000 * scoped, 3),
    ]


def _together(servers: list[Target], seconds: float) -> float:
    with ThreadPoolExecutor(len(servers)) as pool:
        return sum(found["rate"] for found in pool.map(lambda s: s.load(seconds), servers))


def _reading(url: str, times: int = 2000) -> tuple[float, float]:
    """Return the seconds of a small reading transaction, as it is and stepped down."""
    owner = open_engine(url)
    migrate.upgrade(owner, "main")
    with owner.connect() as conn, conn.begin():
        for statement in roles.statements("main", schema="public"):
            conn.exec_driver_sql(statement)
    owner.dispose()
    database = Database(open_engine(url.replace("epilock@", f"{roles.APP}@")), b"")
    took: dict[str | None, list[float]] = {None: [], "garden": []}
    for _ in range(times):
        for org, found in took.items():
            began = time.perf_counter()
            with database.read(org=org) as tx:
                tx.conn.execute(sa.text("SELECT 1 FROM buckets LIMIT 1")).first()
            found.append(time.perf_counter() - began)
    database.close()
    return median(took[None]), median(took["garden"])
