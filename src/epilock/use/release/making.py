"""Making: a table of records becomes a release, reviewed, as the bytes that would leave, and what is told of it.

Rules kept in this file:
  1. The same records give the same bytes: rows are sorted by what they say, so that their order tells nothing.
  2. Numbers of rows that are told before the release leaves are rounded down to tens, so that two previews do
     not tell who came between.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from epilock.beside import Told, nobody
from epilock.deidentify.leaving.intersection import Earlier, check_together
from epilock.deidentify.leaving.leave import Leave
from epilock.deidentify.leaving.review import Review, Reviewed, Rule
from epilock.deidentify.release.dispatch import report_of
from epilock.deidentify.release.run import Result, deidentify
from epilock.deidentify.reports.report import Report
from epilock.standard.model import Release as Asked
from epilock.use.release.joint import Assignment, table_of
from epilock.use.release.question import RECORD, Question
from epilock.use.release.reading import Opened
from epilock.use.release.register import ROUNDED

_COMPUTED = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """A release that may leave by its rule.

    Attributes:
        body: Its file: CSV, UTF-8, a header, lines end with LF.
        sha256: Of ``body``, in hex.
        rows, suppressed: Of the release.
        smallest, fewest: What was measured, beside the earlier releases too.
        assignment: Who is in which class.
        report: What is told of it.
        found: What the register keeps of it.
    """

    body: bytes
    sha256: str
    rows: int
    suppressed: int
    smallest: int
    fewest: int | None
    assignment: Assignment
    report: Report
    found: dict[str, Any]


def make(
    question: Question,
    opened: Opened,
    asked: Asked,
    earlier: Sequence[Earlier],
    *,
    now: datetime,
    told: Told = nobody,
) -> Made:
    """Return the release of the records ``opened`` by the rule ``asked``, beside the ``earlier`` ones.

    ``told`` is told how far it is.

    Raises:
        RefusedError: It may not leave.
        UnattainableError: No release keeps the rule within the limit.
        InputError: There are no records.
    """
    config, rule = question.config(asked), Rule.of(asked)
    result = deidentify(opened.table, config, told=told, reviewed=True)
    leave = Leave(Review(config.quasi_identifiers, record=RECORD), rule, RECORD, None)
    ids: list[str] = []
    passing = list(leave.watch(_noting(ids, result.batches(told))))
    reviewed = leave.review.conclude(rule)
    assignment = _assignment(ids, leave.review.assignment(), codes=rule.l > 1)
    if earlier:
        joint = check_together(
            table_of(assignment), earlier, k=rule.k, l=rule.l, rule=rule.rule, source=rule.source
        )
        reviewed = replace(reviewed, joint=joint)
    leave.reviewed = reviewed
    body = _csv(leave.schema(result.schema).names, passing)
    sha256 = hashlib.sha256(body).hexdigest()
    report = report_of(result, config, leave, sha256, now, told=told)
    rows = leave.review.rows
    return Made(
        body=body, sha256=sha256, rows=rows, suppressed=result.suppressed,
        smallest=reviewed.smallest, fewest=reviewed.least_diverse, assignment=assignment,
        report=report, found=_found(result, report, reviewed, len(earlier)),
    )  # fmt: skip


def rounded(rows: int) -> int:
    """Return a number of rows rounded down to tens."""
    return rows - rows % ROUNDED


def _noting(ids: list[str], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ids += batch.column(RECORD).to_pylist()
        yield batch


def _assignment(ids: Sequence[str], found: pa.Table, *, codes: bool) -> Assignment:
    """Return who is in which class, by the records' own ids instead of the review's hashes of them."""
    names = [n for n in found.column_names if n == "class" or (codes and n != "record")]
    members = zip(*(found.column(name).to_pylist() for name in names), strict=True)
    return dict(zip(ids, members, strict=True))


def _csv(header: Sequence[str], batches: Sequence[pa.RecordBatch]) -> bytes:
    rows: list[tuple[str, ...]] = []
    for batch in batches:
        columns = ([_cell(text) for text in batch.column(name).to_pylist()] for name in header)
        rows += zip(*columns, strict=True)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(sorted(rows))
    return out.getvalue().encode()


def _cell(text: str) -> str:
    """Return a cell that no spreadsheet computes: one that would be gets an apostrophe (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_COMPUTED) else text


def _found(result: Result, report: Report, reviewed: Reviewed, earlier: int) -> dict[str, Any]:
    measures = reviewed.measures
    return {
        "rows": rounded(measures.rows), "suppressed": rounded(result.suppressed),
        "classes": measures.classes, "levels": result.optimum, "loss": result.score,
        "smallest": max(reviewed.rule.k, rounded(reviewed.smallest)),
        "fewest": reviewed.least_diverse,
        "earlier": earlier,
        "frontier": [
            [each.k, each.chosen, each.score, None if each.suppressed is None else rounded(each.suppressed)]
            for each in report.frontier
        ],
    }  # fmt: skip
