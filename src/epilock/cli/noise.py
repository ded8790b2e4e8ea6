"""Answers with noise about a table in a file; the budget lies in a register's directory or in an installation."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, clock, opened
from epilock.db import Database
from epilock.deidentify.noise import answering, asked, budget, budget_register
from epilock.deidentify.noise.answer import preview
from epilock.deidentify.noise.asked import Questions
from epilock.deidentify.noise.budget import Account, Book, Budget
from epilock.errors import InputError

Register = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Register of budgets, a directory, instead of an installation."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Where a budget is kept, and who spends it.

    Attributes:
        database, book: See ``budget``.
        org: Organisation that answers for the dataset.
        by: Who asks.
        now: When.
    """

    database: Database
    book: Book
    org: str
    by: str
    now: datetime


def noise(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="The table: a CSV, XLSX or Parquet file.")
    ],
    *,
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="Questions, each with its price, TOML.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="The answers; its suffix says the format.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell error and price; charge nothing, read no row."),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a file that is there.")
    ] = False,
    register: Register = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    who: As = "",
    home: Home = None,
    now: At = None,
) -> None:
    """Answer counts, sums, means, histograms and quantiles with noise, paid for before the table is read."""
    questions = asked.read(config)
    if dry_run:
        answering.check(file, questions)
        left = None
        if register is not None or who:
            with purse(register, who, home, now) as from_, from_.database.read() as tx:
                left = budget.load(tx, _account(questions, from_))
        _foretell(questions, left, as_json=as_json)
        return
    if out is None:
        raise InputError("name the output: --out; or say --dry-run, which writes nothing")
    with purse(register, who, home, now) as from_:
        said = answering.answer_file(
            file, questions, out, database=from_.database, book=from_.book, org=from_.org,
            by=from_.by, now=from_.now, replace=replace,
        )  # fmt: skip
        with from_.database.read() as tx:
            left = budget.load(tx, _account(questions, from_))
    if as_json:
        print(json.dumps({**said.to_json(), "left": left.left}, ensure_ascii=False))
        return
    print(f"{out}: {len(said.of)} answers, {budget.shown(said.charged)} epsilon paid")
    _print_left(left)


@contextmanager
def purse(register: Path | None, who: str, home: Path | None, at: str | None) -> Iterator[Purse]:
    """Open the register, or the installation for who signs in.

    Raises:
        InputError: Neither is named.
    """
    if register is not None:
        with budget_register.opened(register) as (database, book):
            yield Purse(
                database=database, book=book, org=budget_register.ORG, by=budget_register.BY,
                now=clock(at),
            )  # fmt: skip
        return
    if not who:
        raise InputError("say whose budget pays: --register DIR, or --as login@organisation")
    with opened(home, at) as parts:
        staff = signed_in(parts, who, "custodian", "analyst")
        book = Book(log=parts.log, standard_ref=parts.standard.ref)
        yield Purse(
            database=parts.database, book=book, org=staff.org, by=staff.staff, now=parts.now()
        )


def _account(questions: Questions, from_: Purse) -> Account:
    return Account(
        org=from_.org, dataset=questions.dataset, purpose=questions.purpose,
        recipient=questions.recipient,
    )  # fmt: skip


def _foretell(questions: Questions, left: Budget | None, *, as_json: bool) -> None:
    """Print what each question will be off by and cost; nothing is charged."""
    told = [(q.name, preview(q.request), q.request.epsilon) for q in questions.asked]
    if as_json:
        found = {
            "questions": [
                {"name": name, "within": f"{error.within:f}", "of": error.of, "epsilon": price}
                for name, error, price in told
            ],
            "epsilon": questions.epsilon,
            "left": None if left is None else left.left,
        }
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, error, price in told:
        print(f"{name}: {error}, costs {budget.shown(price)}")
    print(f"in all: {budget.shown(questions.epsilon)} epsilon; nothing was charged")
    if left is not None:
        _print_left(left)


def _print_left(left: Budget) -> None:
    print(f"left: {budget.shown(left.left)} of {budget.shown(left.allotted)} epsilon")
