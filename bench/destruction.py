"""The end of a bucket: keys gone and certificate issued, whatever its size; then its rows.

One database holds small buckets and a large one, of days so far apart that each is due alone. They are
destroyed by the run that serves, one after the other: small, large, small.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import TypeVar

from bench import filling, installation, row
from bench.row import Row
from bench.server import folder
from epilock import assemble, settings
from epilock.assemble import Parts
from epilock.destroy import due as dues
from epilock.destroy import run
from epilock.store import bucket as buckets

SMALL = 1_000
APART = timedelta(days=400)  # longer than anything of the measured form is kept
T = TypeVar("T")


def measure(records: int = 1_000_000, small: int = SMALL) -> list[Row]:
    """Return the rows for a bucket of ``records`` between buckets of ``small``."""
    sizes = (small, small, records, small, small)
    with folder() as place:
        home = place / "home"
        parts = installation.make(home)
        began = parts.now()
        parts.close()
        for turn, count in enumerate(sizes):
            filling.fill(home, count, now=began + turn * APART)
        parts = assemble.build(settings.read({}, home=home), now=lambda: began)
        try:
            took = [_destroy(parts, count) for count in sizes]
        finally:
            parts.close()
    runs = [seconds for seconds, _ in took]
    usual = median(seconds for count, seconds in zip(sizes, runs, strict=True) if count == small)
    large, speed = took[sizes.index(records)]
    return [
        row.figure(f"destroying a bucket of {small:,}, ms", 1000 * usual, 1),
        row.figure(f"destroying a bucket of {records:,}, ms", 1000 * large, 1),
        row.below("the same, seconds", large, 1, 3),
        row.at_most(f"{records:,} / {small:,}", large / usual, 2),
        row.at_least("purge of its rows, rows/s", speed, 200_000, 0),
    ]


def _destroy(parts: Parts, count: int) -> tuple[float, float]:
    """Destroy and purge the oldest bucket; return the seconds of the run, and rows purged a second."""
    with parts.database.read() as tx:
        oldest = buckets.listing(tx, "garden")[0]
        due = [dues.part_due(tx, parts.standard, oldest, part).at for part in oldest.live]
    now = max(at for at in due if at is not None)
    done, seconds = _timed(lambda: run.run(parts.tools, now=now, org="garden"))
    assert {intent.bucket for intent in done} == {oldest.id}
    assert all(intent.done for intent in done)
    rows, purging = _timed(lambda: run.purge(parts.tools, now=now, org="garden"))
    assert rows >= count
    return seconds, rows / purging


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began
