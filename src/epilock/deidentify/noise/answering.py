"""Answers with noise about a table in a file, from beginning to end: told beforehand, paid, drawn, written.

The order, and what a crash or an error leaves:
  1. Everything that can be wrong without a row is told: questions, columns, output.  Nothing is paid.
  2. All questions are charged in one transaction (``budget``).  Crash before its commit: as 1.
  3. The table is read and the noise drawn.  Crash: paid for, and nothing has left.
  4. The answers are kept, in one transaction; those that were kept before are taken as they were.
  5. The output is written, whole or not at all.

The same file of questions again goes on where the crash was, and is not charged again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from epilock.db import Database
from epilock.deidentify.noise import budget, column
from epilock.deidentify.noise.answer import Answer, answer, as_json, preview
from epilock.deidentify.noise.asked import Asked, Questions
from epilock.deidentify.noise.budget import Account, Book
from epilock.deidentify.noise.query import Histogram, Numbers
from epilock.deidentify.table import Parquet, Table, open_table
from epilock.deidentify.writing import check_output, written

_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*$"
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("question", "category", "value", "within", "of", "epsilon")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What left.

    Attributes:
        of: By the question's name, in the order in which they were asked.
        charged: What this run cost, in micro-epsilon; what was paid for before is not in it.
    """

    of: Mapping[str, Answer]
    charged: int

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON has them: numbers as text, so that none is rounded."""
        said = {name: as_json(each) for name, each in self.of.items()}
        return {"answers": said, "charged": self.charged}


def check(path: Path, questions: Questions) -> Table:
    """Return the table in ``path`` if its columns fit the questions; no row is looked at.

    Raises:
        InputError, FileFormatError, TooLargeError: As ``table.open_table``; or a column is missing or of
            another type, and the column is named.
        StateError: The extra ``[privacy]`` is not installed.
    """
    table = open_table(path)
    for each in questions.asked:
        column.check(each.request.query, _schema(table, each))
        preview(each.request)
    return table


def answer_file(
    path: Path,
    questions: Questions,
    out: Path,
    *,
    database: Database,
    book: Book,
    org: str,
    by: str,
    now: datetime,
    replace: bool = False,
) -> Answers:
    """Write the answers about the table in ``path`` to ``out``, paid for by the account that ``questions`` name.

    Args:
        path: The table.
        questions: What is asked.
        out: The answers, a table of ``SCHEMA``; its suffix says the format.
        database: Where the budget is kept.
        book: See ``budget``.
        org: Organisation that answers for the dataset.
        by: Who asks.
        now: When.
        replace: Whether a file that is there is written over.

    Raises:
        BudgetError, ConflictError, NotFoundError: As ``budget.charge``, of any question; nothing was charged.
        InputError, FileFormatError, TooLargeError: As ``check`` and ``writing``; what is charged by then stays so.
    """
    check_output(out, path, replace=replace)
    table = check(path, questions)
    account = Account(
        org=org, dataset=questions.dataset, purpose=questions.purpose,
        recipient=questions.recipient,
    )  # fmt: skip
    by_release = {each.release: each for each in questions.asked}
    told, charged = budget.ask(
        database, book, account,
        requests={release: each.request for release, each in by_release.items()},
        draw=lambda fresh: _draw(table, [by_release[release] for release in fresh]), by=by, now=now,
    )  # fmt: skip
    kept = {by_release[release].name: said for release, said in told.items()}
    with written(out, SCHEMA, table, replace=replace) as writer:
        writer.write(pa.RecordBatch.from_pylist(_rows(kept), SCHEMA))
    return Answers(of=kept, charged=charged)


def _draw(table: Table, asked: Sequence[Asked]) -> dict[str, Answer]:
    """Return new answers by release; the columns that they need are read once."""
    wanted = {name for each in asked for name in _columns(each)}
    schema = pa.schema([f for f in table.schema if f.name in wanted])
    if wanted:
        rows = pa.Table.from_batches(table.batches(sorted(wanted)), schema)
    else:  # the number of rows alone: any column tells it
        first = table.schema.names[:1]
        rows = pa.Table.from_batches(table.batches(first), pa.schema([table.schema.field(0)]))
    return {
        each.release: answer(each.request, _typed(rows, _schema(table, each))) for each in asked
    }


def _columns(each: Asked) -> set[str]:
    query = each.request.query
    own = {query.column} if isinstance(query, Histogram | Numbers) else set()
    return {*query.where, *own}


def _schema(table: Table, each: Asked) -> pa.Schema:
    """Return the columns as the question takes them: of a file of text, what is to be numbers as numbers."""
    query = each.request.query
    if isinstance(table, Parquet) or not isinstance(query, Numbers):
        return table.schema
    return pa.schema(
        [f.with_type(pa.float64()) if f.name == query.column else f for f in table.schema]
    )


def _typed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows with the types of ``schema``; text that is no number is null, each row by itself."""
    for place, name in enumerate(rows.schema.names):
        kind = schema.field(name).type
        if kind != rows.schema.field(place).type:
            text = rows.column(place)
            good = pc.match_substring_regex(text, _NUMBER)
            plain = pc.if_else(good, pc.utf8_trim_whitespace(text), pa.scalar(None, pa.string()))
            rows = rows.set_column(place, name, plain.cast(kind))
    return rows


def _rows(kept: Mapping[str, Answer]) -> list[dict[str, str]]:
    rows = []
    for name, each in kept.items():
        many = each.value if isinstance(each.value, Mapping) else {"": each.value}
        rows += [
            {
                "question": name, "category": category, "value": f"{Decimal(value):f}",
                "within": f"{each.accuracy.within:f}", "of": each.accuracy.of,
                "epsilon": budget.shown(each.epsilon),
            }
            for category, value in many.items()
        ]  # fmt: skip
    return rows
