"""De-identification of large tables: Adult scaled up with noise, so that different combinations grow too.

Each row is a row of Adult in which every value is, with one chance in ten, another of its hierarchy. Rows
are made batch by batch and never held, so that the memory told is the engine's own. Each size runs in a
process of its own (``python -m bench.deidentify_scale ROWS``).
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from bench import row
from bench.deidentify import ADULT, ATTRIBUTES, adult
from bench.row import Row
from epilock.deidentify.criteria import metric, model
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows import counting, hierarchy
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.rows.recoding import FullDomain
from epilock.deidentify.search import optimum

BATCH = 1 << 17
NOISE = 0.1
K, SHARE = 5, 0.05


def measure(rows: int = 1_000_000) -> list[Row]:
    """Return the rows: tables of a tenth of ``rows`` and of ``rows``."""
    found: list[Row] = []
    for many in (rows // 10, rows):
        told = json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.deidentify_scale", str(many)],
                capture_output=True, text=True, check=True,
            ).stdout
        )  # fmt: skip
        name = f"{many:,} rows, 9 attributes"
        found += [
            row.figure(f"{name}: different combinations", told["combinations"]),
            row.figure(f"{name}: counted, s", told["counted"], 1),
            row.figure(f"{name}: searched, s; {told['checked']} nodes looked at", told["searched"], 1),
            row.figure(f"{name}: recoded, s", told["recoded"], 1),
            row.at_most(f"{name}: memory beyond the program's own, MB", told["memory"], 2048, 0),
        ]  # fmt: skip
    return found


def batches(rows: int, hierarchies: list[Hierarchy]) -> Iterator[pa.RecordBatch]:
    """Give ``rows`` made-up rows, the same each time."""
    chance = np.random.default_rng(1)
    table = adult()
    known = [
        np.array([h.number_of[v] for v in table[h.attribute].to_pylist()], np.int32)
        for h in hierarchies
    ]
    for first in range(0, rows, BATCH):
        many = min(BATCH, rows - first)
        chosen = chance.integers(0, table.num_rows, many)
        arrays = []
        for codes, h in zip(known, hierarchies, strict=True):
            other = chance.integers(0, h.size, many, dtype=np.int32)
            code = np.where(chance.random(many) < NOISE, other, codes[chosen])
            arrays.append(pa.DictionaryArray.from_arrays(pa.array(code), pa.array(h.forms[0])))
        yield pa.record_batch(arrays, names=[h.attribute for h in hierarchies])


def adult_columns() -> counting.Columns:
    """Return all attributes of Adult as quasi-identifiers."""
    quasi = [hierarchy.read(ADULT / f"adult_hierarchy_{a}.csv", a) for a in ATTRIBUTES]
    return counting.Columns(Packing.of(quasi))


def main() -> None:
    """Measure one size and print it as JSON."""
    rows = int(sys.argv[1])
    columns = adult_columns()
    run(columns, 1000)  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = run(columns, rows)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**told, "memory": (after - before) / 1024}))


def run(columns: counting.Columns, rows: int) -> dict[str, float]:
    """Return what a table of ``rows`` took: combinations, nodes looked at, seconds of each step."""
    quasi = list(columns.quasi)
    began = time.perf_counter()
    counted = counting.count(batches(rows, quasi), columns)
    at_counted = time.perf_counter()
    judge = Judge.of((model.KAnonymity(K),), counted)
    prepared = metric.prepare("loss", counted.classes)
    best = optimum.search(counted.classes, judge, prepared, limit=int(SHARE * rows))
    at_found = time.perf_counter()
    node = counted.classes.rolled_up(best.levels)
    fails, _ = judge.judge(node)
    recoding = FullDomain.of(columns, node, fails)
    kept = sum(recoding.recode(batch, 0).num_rows for batch in batches(rows, quasi))
    assert rows - kept == best.suppressed
    return {
        "combinations": len(counted.classes), "checked": best.tally.checked,
        "counted": at_counted - began, "searched": at_found - at_counted,
        "recoded": time.perf_counter() - at_found,
    }  # fmt: skip


if __name__ == "__main__":
    main()
