"""A published log checked anew: each tile and entry against the root, against hashlib's own time; the monitor.

``python -m bench recheck=10000000`` is the whole of it. The monitor runs in a process of its own, which
tells what it held in memory: ``python -m bench.recheck FOLDER``.
"""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from bench import logs, row
from bench.row import Row
from bench.server import folder, peak_memory
from bench.turns import in_turns, rate
from epilock.ledger.audit import StandardRules
from epilock.ledger.monitor import Monitor
from epilock.ledger.proved import ProvedTree
from epilock.ledger.source import Folder
from epilock.ledger.tile import WIDTH
from epilock.standard import load

FEW = 100_000
MOST = 10_000_000  # entries that the promises speak of


def measure(entries: int = 1_000_000, few: int = FEW, rounds: int = 20) -> list[Row]:
    """Return the rows for a log of ``entries``, its memory against that for ``few``."""
    with folder() as home:
        story = logs.storyteller(home / "home")
        said = {size: logs.publish(home / f"{size}", story(), size) for size in (few, entries)}
        check = _Check(ProvedTree(Folder(home / f"{entries}"), said[entries]), rounds)
        speed = in_turns({"ours": check.ours, "hashlib": check.hashlib}, rounds)
        small, large = (_monitor(home / f"{size}") for size in (few, entries))
    return [
        row.figure("hashlib alone, as many hashes: entries/s", speed["hashlib"]),
        row.figure(f"re-check of {entries:,} entries from tiles, entries/s", speed["ours"]),
        row.at_most("its time / hashlib's own", speed["hashlib"] / speed["ours"], 1.5),
        row.at_least("monitor: decoded, audited, hashed, entries/s", large["rate"], 1_000, 0),
        row.below(f"minutes for {MOST:,} entries", MOST / large["rate"] / 60, 10, 1),
        row.at_most(
            f"peak memory of the monitor, {entries:,} / {few:,}", large["mb"] / small["mb"], 1.2
        ),
        row.figure("the same, MB", large["mb"]),
    ]


class _Check:
    """Checks a slice of the bundles in each turn, or has hashlib make as many hashes."""

    def __init__(self, proved: ProvedTree, rounds: int) -> None:
        self._proved = proved
        full = proved.said.size // WIDTH
        self._slices = [range(full * i // rounds, full * (i + 1) // rounds) for i in range(rounds)]

    def ours(self, turn: int) -> float:
        def work() -> int:
            for n in self._slices[turn]:
                self._proved.entries(n)
            return len(self._slices[turn]) * WIDTH

        return rate(work)

    def hashlib(self, turn: int) -> float:
        took = 0.0
        for n in self._slices[turn]:
            messages = [b"\x00" + each for each in self._proved.entries(n)]
            row = self._proved.tile(0, n)
            pairs = [row[at : at + 64] for at in range(0, len(row), 64)]
            messages += [b"\x01" + pair for pair in pairs * 2]  # a tree has as many nodes as leaves
            began = time.thread_time()
            for each in messages:
                sha256(each).digest()
            took += time.thread_time() - began
        return len(self._slices[turn]) * WIDTH / took


def _monitor(published: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.recheck", str(published)], text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def main() -> None:
    """Let a monitor read the log in the folder that is named, once; print its speed and memory."""
    source = Folder(Path(sys.argv[1]))
    monitor = Monitor(source, [logs.SIGNER.verifier], StandardRules([load()]))
    began = time.perf_counter()
    report = monitor.round(datetime.now(UTC))
    took = time.perf_counter() - began
    assert not report.findings, report.findings[:3]
    print(json.dumps({"rate": report.size / took, "mb": peak_memory()}))


if __name__ == "__main__":
    main()
