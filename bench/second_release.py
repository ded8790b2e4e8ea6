"""A large release held against two earlier ones of the same records: time, and memory beyond the program's own.

The rows are made batch by batch: an id, three generalised columns and a sensitive one. All three releases have
the same classes, so that the last one passes. A size runs in a process of its own
(``python -m bench.second_release ROWS``).
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench import row
from bench.row import Row
from epilock.deidentify.leaving.leave import leaving
from epilock.deidentify.leaving.review import Rule

BATCH = 1 << 17
RELEASES = 3
QUASI = ("age", "town", "sex")
FORMS = (10, 50, 2)
ILLNESSES = 20


def measure(rows: int = 1_000_000) -> list[Row]:
    """Return the rows for three releases of ``rows`` each."""
    told = json.loads(
        subprocess.run(
            [sys.executable, "-m", "bench.second_release", str(rows)],
            capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
    name = f"{rows:,} rows with ids"
    return [
        row.figure(f"{name}: counted for a review, s", told["counted"], 1),
        row.figure(f"{name}: held against two releases and registered, s", told["held"], 1),
        row.at_most(f"{name}: memory beyond the program's own, MB", told["memory"], 2048, 0),
    ]


def batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Give ``rows`` made-up rows of a release, the same each time."""
    draw = np.random.default_rng(1)
    for first in range(0, rows, BATCH):
        many = min(BATCH, rows - first)
        columns = [
            pa.DictionaryArray.from_arrays(
                pa.array(draw.integers(0, forms, many, dtype=np.int32)),
                pa.array([f"{name}{i}" for i in range(forms)]),
            )
            for name, forms in zip((*QUASI, "illness"), (*FORMS, ILLNESSES), strict=True)
        ]
        ids = pa.array([f"r{i:09}" for i in range(first, first + many)])
        yield pa.record_batch([*columns, ids], names=[*QUASI, "illness", "id"])


def release(register: Path, rows: int) -> tuple[float, float]:
    """Review and register one release; return the seconds of its count, and of all that follows."""
    rule = Rule(k=5, l=2, rule="bench")
    with leaving(QUASI, rule=rule, register=register, dataset="bench", record="id") as leave:
        began = time.perf_counter()
        for _ in leave.watch(batches(rows)):
            pass
        counted = time.perf_counter()
        leave.passed(levels=None, suppressed=0, now=datetime.now(UTC))
        return counted - began, time.perf_counter() - counted


def main() -> None:
    """Measure one size and print it as JSON."""
    rows = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):  # loads what is loaded once
            release(Path(folder) / "warm", 100_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        told = [release(Path(folder) / "cold", rows) for _ in range(RELEASES)]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted, held = told[-1]
    print(json.dumps({"counted": counted, "held": held, "memory": (after - before) / 1024}))


if __name__ == "__main__":
    main()
