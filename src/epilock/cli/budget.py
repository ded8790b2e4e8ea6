"""Commands about budgets of privacy: in an installation asked for and approved, in a register allotted by its owner."""

from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, clock, instant_text, opened
from epilock.db import Transaction
from epilock.deidentify.noise import budget, budget_register
from epilock.deidentify.noise.budget import Account, Book, micro, shown
from epilock.errors import InputError
from epilock.use import allotment as allotments

app = typer.Typer(no_args_is_help=True, help="Budgets: how much datasets may tell, and to whom.")

Dataset = Annotated[str, typer.Argument(help="Code of the dataset, such as outbreak-7-cases.")]
Purpose = Annotated[str, typer.Option(help="Of the standard, such as situation-monitoring.")]
Recipient = Annotated[str, typer.Option(help="Who gets the answers: an organisation, or public.")]
Epsilon = Annotated[str, typer.Option(help="What the recipient may spend in all, such as 1.5.")]
Ceiling = Annotated[
    str,
    typer.Option(help="What the dataset may tell all recipients together; said the first time."),
]
Folder = Annotated[Path, typer.Option(metavar="DIR", help="Register of budgets, a directory.")]
Code = Annotated[str, typer.Argument(help="The request's code, such as a-k3f7q2xw5mza.")]
Org = Annotated[str, typer.Option("--org", help="Organisation that answers for the dataset.")]


@app.command("allot")
def allot(
    dataset: Dataset,
    *,
    register: Folder,
    purpose: Purpose,
    recipient: Recipient,
    epsilon: Epsilon,
    ceiling: Ceiling = "",
    now: At = None,
) -> None:
    """Let a recipient spend so much of a dataset, in a register; at the first time its ceiling is said too."""
    account = Account(
        org=budget_register.ORG, dataset=dataset, purpose=purpose, recipient=recipient
    )
    amount, whole, at = micro(epsilon), micro(ceiling) if ceiling else None, clock(now)
    with (
        budget_register.opened(register, make=True) as (database, book),
        database.write() as tx,
    ):
        if whole is not None:
            budget.declare(
                tx, book, org=account.org, dataset=dataset, ceiling=whole, by=budget_register.BY,
                now=at,
            )  # fmt: skip
        found = budget.allot(tx, book, account, amount, by=budget_register.BY, now=at)
    print(f"{recipient} can spend {shown(found.left)} of {shown(found.allotted)} epsilon")


@app.command("ask")
def ask(
    dataset: Dataset,
    *,
    purpose: Purpose,
    recipient: Recipient,
    epsilon: Epsilon,
    ceiling: Ceiling = "",
    reason: Annotated[str, typer.Option(help="Why; without personal information.")],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Ask for an allotment as the custodian; nothing can be spent until a second person approves it."""
    amount, whole = micro(epsilon), micro(ceiling) if ceiling else None
    with opened(home, now) as parts:
        found = signed_in(parts, who, "custodian")
        with parts.database.write() as tx:
            asked = allotments.ask(
                tx, parts.standard, found, dataset=dataset, purpose=purpose, recipient=recipient,
                epsilon=amount, ceiling=whole, reason=reason, now=parts.now(),
            )  # fmt: skip
    print(f"{asked.allotment} waits for a second person")


@app.command("approve")
def approve(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """Approve a request as the second person."""
    _decide(code, org, who, home, now, approve=True)
    print(f"{code} is approved")


@app.command("refuse")
def refuse(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """Refuse a request as the second person."""
    _decide(code, org, who, home, now, approve=False)
    print(f"{code} is refused")


@app.command("list")
def list_budgets(
    org: Annotated[str, typer.Argument(help="Organisation; of a register there is one.")] = "",
    *,
    register: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Register of budgets, a directory.")
    ] = None,
    home: Home = None,
) -> None:
    """List what datasets may tell, what recipients have left, and what waits for a second person."""
    if register is not None:
        with budget_register.opened(register) as (database, _), database.read() as tx:
            _print(tx, budget_register.ORG)
        return
    if not org:
        raise InputError("name the organisation, or a register: --register DIR")
    with opened(home) as parts, parts.database.read() as tx:
        _print(tx, org)
        for a in reversed(allotments.listing(tx, org)):
            print(
                f"{a.allotment} waits: {a.dataset} for {a.purpose} to {a.recipient}, {shown(a.epsilon)} epsilon"
            )


def _print(tx: Transaction, org: str) -> None:
    for dataset, whole in budget.ceilings(tx, org).items():
        print(f"{dataset}: {shown(whole.spent)} of {shown(whole.allotted)} epsilon allotted")
        for account, found in budget.accounts(tx, org, dataset).items():
            print(
                f"  {account.recipient} for {account.purpose}: {shown(found.left)} of"
                f" {shown(found.allotted)} epsilon left"
            )
            for paid in budget.releases(tx, account):
                print(f"    {paid.release} {instant_text(paid.at)}: {shown(paid.epsilon)}")


def _decide(code: str, org: str, who: str, home: Home, now: At, *, approve: bool) -> None:
    with opened(home, now) as parts:
        found = signed_in(parts, who, "approver")
        book = Book(log=parts.log, standard_ref=parts.standard.ref)
        with parts.database.write() as tx:
            allotments.decide(
                tx, book, org=org, allotment=code, by=found, approve=approve, now=parts.now()
            )
