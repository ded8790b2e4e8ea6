"""De-identification: the optimal search against ARX, on the Adult table, case by case in turns.

ARX is run from ``../shared/tools/arx-bench.jar`` (Java 17), which prints the milliseconds of each repetition
in one process; the first ones, in which Java compiles, are left out. Ours is the search of the same case,
after one run in which numba loads its compiled loops; reading files is outside both.
"""

import re
import shutil
import subprocess
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv

from bench import row
from bench.row import Row
from epilock.deidentify.criteria import metric, model
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows import counting, hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.search import optimum

SHARED = Path(__file__).parents[1].parent / "shared"
ADULT = SHARED / "data/adult"
JAR = SHARED / "tools/arx-bench.jar"
ATTRIBUTES = (
    "sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation",
    "salary-class",
)  # fmt: skip
MOST = 0.1  # of ARX's time


class Case(NamedTuple):
    """One case, as ARX's driver and as we take it."""

    k: int
    share: float
    extra: str
    metric: str
    models: tuple[model.Model, ...]

    @property
    def sensitive(self) -> tuple[str, ...]:
        return ("occupation",) if self.extra != "none" else ()


OCCUPATION = "occupation"
CASES = (
    Case(5, 0.05, "none", "loss", ()),
    Case(5, 1, "none", "loss", ()),
    Case(100, 1, "none", "loss", ()),
    Case(5, 0, "none", "loss", ()),
    Case(5, 0.05, "l3", "loss", (model.DistinctLDiversity(OCCUPATION, 3),)),
    Case(5, 0.05, "t0.2", "loss", (model.TCloseness(OCCUPATION, 0.2),)),
    Case(5, 0.05, "none", "entropy", ()),
    Case(5, 0.05, "none", "dm", ()),
    Case(5, 0.05, "none", "aecs", ()),
    Case(5, 0.05, "none", "precision", ()),
)
OURS = {
    "loss": "loss", "entropy": "entropy", "dm": "discernibility", "aecs": "average-class-size",
    "precision": "precision",
}  # fmt: skip


def measure(repetitions: int = 7) -> list[Row]:
    """Return the rows; each side searches each case ``repetitions`` times."""
    if not JAR.exists() or shutil.which("java") is None:
        return [row.missing("optimal search / ARX", "needs Java and ../shared/tools/arx-bench.jar")]
    table = adult()
    hierarchies = {a: hierarchy.read(ADULT / f"adult_hierarchy_{a}.csv", a) for a in ATTRIBUTES}
    found: list[Row] = []
    for case in CASES:
        theirs, score = _arx(case, repetitions)
        ours, seconds = _ours(case, table, hierarchies, repetitions)
        assert abs(ours.score - score) <= 1e-6 * max(1, score), case
        name = f"k={case.k} {case.share:.0%} {case.extra} {case.metric}"
        found += [
            row.figure(f"{name}: ARX, ms", theirs),
            row.figure(f"{name}: ours, ms; {ours.tally.checked} of {ours.tally.lattice} looked at", seconds * 1000),
            row.at_most(f"{name}: ours / ARX", seconds * 1000 / theirs, MOST, 3),
        ]  # fmt: skip
    return found


def adult() -> pa.Table:
    names = csv.ParseOptions(delimiter=";")
    as_text = csv.ConvertOptions(column_types=dict.fromkeys(ATTRIBUTES, pa.string()))
    return csv.read_csv(ADULT / "adult.csv", parse_options=names, convert_options=as_text)


def _arx(case: Case, repetitions: int) -> tuple[float, float]:
    """Return ARX's median milliseconds of the warm repetitions, and its score."""
    out = subprocess.run(
        ["java", "-jar", str(JAR), str(ADULT), str(case.k), str(case.share), case.extra,
         str(repetitions + 3), "all", case.metric],
        capture_output=True, text=True, check=True, timeout=900,
    ).stdout  # fmt: skip
    lines = re.findall(r"ms (\d+) score (\S+)", out)
    return median(int(ms) for ms, _ in lines[3:]), float(lines[0][1])


def _ours(case: Case, table: pa.Table, hierarchies, repetitions: int):
    """Return our optimum and the median seconds of its search."""
    quasi = [hierarchies[a] for a in ATTRIBUTES if a not in case.sensitive]
    counted = counting.count(
        table.to_batches(), counting.Columns(Packing.of(quasi), case.sensitive)
    )
    judge = Judge.of((model.KAnonymity(case.k), *case.models), counted, case.sensitive)
    prepared = metric.prepare(OURS[case.metric], counted.classes)
    limit = int(case.share * counted.classes.rows + 1e-9)
    runs = [
        optimum.search(counted.classes, judge, prepared, limit=limit)
        for _ in range(repetitions + 1)
    ]
    return runs[-1], median(run.seconds for run in runs[1:])
