"""The ledger when it is long: appends and proofs against those of a short log, and the memory they take.

``python -m bench length=50000000`` is the whole of it: 24 GB of disk, and some twenty minutes. The memory is that of a
process of its own: ``python -m bench.length FILE TURNS``.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import logs, row
from bench.row import Row
from bench.server import folder, peak_memory
from bench.turns import in_turns, rate
from epilock.db import Database
from epilock.ledger.log import Log
from epilock.ledger.tile import WIDTH

FEW = 100_000
WAITING = 64  # entries of one transaction
TRANSACTIONS = 20
PROOFS = 50


def measure(entries: int = 1_000_000, few: int = FEW, rounds: int = 15) -> list[Row]:
    """Return the rows: a log of ``entries`` against one of ``few``."""
    with folder() as home:
        files = {size: home / f"{size}.sqlite" for size in (few, entries)}
        story = logs.storyteller(home / "home")
        for size, file in files.items():
            logs.fill(file, story(), size)
        long, short = (_Measured(files[size], size) for size in (entries, few))
        try:
            found = {
                what: in_turns({"long": work(long), "short": work(short)}, rounds)
                for what, work in WORKS.items()
            }
        finally:
            long.base.close()
            short.base.close()
        memory = {size: _memory(file, rounds) for size, file in files.items()}
        disk = files[entries].stat().st_size
    rows = []
    for what, speed in found.items():
        rows.append(row.figure(f"{what} with {few:,} entries", speed["short"]))
        rows.append(row.figure(f"{what} with {entries:,} entries", speed["long"]))
        rows.append(row.at_least("long / short", speed["long"] / speed["short"], 0.8))
    return [
        *rows,
        row.figure(f"bytes on disk for each of {entries:,} entries", disk / entries),
        row.figure("peak memory of appends and proofs, MB", memory[entries]),
        row.at_most(f"the same, {entries:,} / {few:,}", memory[entries] / memory[few], 1.2),
    ]


class _Measured:
    """A log in a file, and what is done with it."""

    def __init__(self, file: Path, size: int) -> None:
        self.base: Database = logs.database(file)
        self.log: Log = logs.log()
        self.size = size
        self._chance = random.Random(size)  # noqa: S311 - which entries are asked for is no secret

    def append(self, _turn: int) -> float:
        """Append durably, each batch with its checkpoint and its receipts' proofs."""
        batches = [
            [b'{"type":"measured","n":%d}' % n for n in range(WAITING)] for _ in range(TRANSACTIONS)
        ]
        began = time.perf_counter()
        for entries in batches:
            with self.base.write() as tx:
                batch = self.log.append(tx, entries, now=logs.NOW)
            self.log.proof_texts(batch, self.log.sign(batch))
        return TRANSACTIONS * WAITING / (time.perf_counter() - began)

    def receipt(self, _turn: int) -> float:
        """Give proofs, with checkpoint, of entries whose tile nobody asked for lately."""
        fresh = logs.log()
        with self.base.read() as tx:
            for index in range(0, self.size, WIDTH * WIDTH):
                fresh.inclusion(tx, index)  # now it knows all tiles but the lowest
        return self._proofs(fresh.proof)

    def cold(self, _turn: int) -> float:
        """Give paths, each from a log that remembers nothing."""
        return self._proofs(lambda tx, index: logs.log().inclusion(tx, index))

    def _proofs(self, prove: Callable) -> float:
        tiles = self._chance.sample(range(self.size // WIDTH), min(PROOFS, self.size // WIDTH))

        def work() -> int:
            with self.base.read() as tx:
                for n in tiles:
                    prove(tx, n * WIDTH + n % WIDTH)
            return len(tiles)

        return rate(work)


WORKS = {
    f"appends of {WAITING}, durable, with receipts: entries/s": lambda of: of.append,
    "receipts of entries not asked for lately, receipts/s": lambda of: of.receipt,
    "paths, nothing remembered: paths/s": lambda of: of.cold,
}


def _memory(file: Path, turns: int) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "bench.length", str(file), str(turns)], text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    """Start on the log in the file that is named, append and prove; print the peak memory in MB."""
    file = Path(sys.argv[1])
    base, log = logs.database(file), logs.log()
    with base.read() as tx:
        log.check_at_start(tx)
        measured = _Measured(file, log.size(tx))
    for turn in range(int(sys.argv[2])):
        measured.append(turn)
        measured._proofs(measured.log.proof)  # noqa: SLF001 - its own
    print(peak_memory())


if __name__ == "__main__":
    main()
