"""A real import of a CSV file on SQLite with ``synchronous=FULL``: rows that are sealed and in the ledger.

``python -m bench.intake [ROWS]`` measures another size; a million is what the promise speaks of.
"""

import csv
import random
import resource
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench import installation, row
from bench.row import Row
from bench.server import folder
from epilock.assemble import Parts
from epilock.collect import issue
from epilock.collect.intake.run import run
from epilock.collect.intake.table import Source
from epilock.collect.point import Field, Plan
from epilock.registry import mandate
from epilock.standard.text import Text

ROWS = 200_000
ASKED = {
    "name": "identity.name",
    "mobile": "contact.mobile",
    "temperature": "health.temperature",
    "result": "health.test-result",
}
HEADERS = (
    "姓名",
    "手机号",
    "体温",
    "核酸检测结果",
    "身份证号",
)  # the standard refuses the last here


def write_list(path: Path, rows: int) -> None:
    """Write a made-up list of a workplace; its last column is one that must not be read."""
    chance = random.Random(7)  # noqa: S311 - made-up persons
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(HEADERS)
        for n in range(rows):
            name = f"张{chr(0x4E00 + n % 5000)}{chr(0x4E00 + n // 7 % 5000)}"
            mobile = f"138{chance.randrange(10**8):08d}"
            out.writerow([name, mobile, f"36.{n % 10}", "阴性", "-"])


def open_point(parts: Parts) -> str:
    """Open a workplace's point for imports, on the order of the authority; return its code."""
    now, today = parts.now(), date.today()  # noqa: DTZ011 - any day will do
    ref = parts.standard.ref
    with parts.database.write() as tx:
        mandate.record_assessment(
            tx, parts.log, standard_ref=ref, org="garden", about="workplace-entry", date_=today,
            until=today + timedelta(days=365), sha256="0" * 64, now=now,
        )  # fmt: skip
        mandate.record_mandate(
            tx, parts.log, standard_ref=ref, org="garden", authority="city", emergency="outbreak",
            issuer="City", number="1", date_=today, circumstances=("workplace-entry",), until=None,
            now=now,
        )  # fmt: skip
        fields = tuple(
            Field(id=i, category=c, label=parts.standard.categories[c].name, optional=False)
            for i, c in ASKED.items()
        )
        return issue.open_with_notice(
            tx, parts.press, org="garden", now=now,
            plan=Plan(
                emergency="city/outbreak", circumstance="workplace-entry", fields=fields,
                name=Text("门", "Gate"), method="import",
            ),
        ).point  # fmt: skip


def measure(rows: int = ROWS) -> list[Row]:
    """Return the rows for a list of so many ``rows``."""
    with folder() as home:
        file = home / "list.csv"
        write_list(file, rows)
        parts = installation.make(home / "home")
        try:
            point = open_point(parts)
            began = time.perf_counter()
            done = run(
                parts.intake, Source(path=str(file), name=file.name), org="garden", point=point,
                by="system", now=lambda: datetime.now(UTC),
            )  # fmt: skip
            took = time.perf_counter() - began
        finally:
            parts.close()
    assert (done.stored, done.refused) == (rows, 0)
    ours, theirs = (
        resource.getrusage(whose).ru_maxrss / 1024
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return [
        row.at_least(f"import of {rows:,} rows (CSV), records/s", rows / took, 15_000, 0),
        row.figure("the same, seconds", took, 1),
        row.figure("peak memory of the process that writes, MB", ours),
        row.figure("peak memory of the process that prepares, MB", theirs),
    ]


if __name__ == "__main__":
    for each in measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(*each, sep=" | ")
