"""Commands for who comes to the counter with a receipt and without a browser; as the pages under ``/r``.

The code opens a record, so it is asked for unless it is given: an argument stays in a shell's history.
"""

from pathlib import Path
from typing import Annotated

import typer

from epilock.assemble import Parts
from epilock.cli.identity import ask
from epilock.cli.installation import At, Home, instant_text, make_folder, opened
from epilock.db import Transaction
from epilock.destroy.move import Mover
from epilock.errors import InputError
from epilock.ledger.shards import proof_at
from epilock.web import holding as holdings
from epilock.web.holding import Holding
from epilock.web.page import pages_in
from epilock.web.receipt import erase
from epilock.web.request import Site

app = typer.Typer(no_args_is_help=True, help="Receipts: what is held, proofs, withdrawal.")

Code = Annotated[
    str | None, typer.Argument(help="The 30 characters; asked for if left out.", show_default=False)
]


@app.command("show")
def show(
    code: Code = None,
    *,
    proofs: Annotated[
        Path | None, typer.Option(help="Folder to write the receipt's proofs into.")
    ] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Show what is held, until when, who opened it and what is gone; nothing is opened."""
    asked = _code(code)
    with opened(home, now) as parts, parts.database.read() as tx:
        site = _site(parts)
        held = holdings.find(tx, site, asked)
        _print(tx, site, held)
        if proofs is not None:
            _write(tx, site, held, proofs)


@app.command("withdraw")
def withdraw(
    code: Code = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask again.")] = False,
    home: Home = None,
    now: At = None,
) -> None:
    """Erase at once what rests on the person's consent; exit code 1 if nothing does."""
    asked = _code(code)
    with opened(home, now) as parts:
        site = _site(parts)
        with parts.database.read() as tx:
            held = holdings.find(tx, site, asked)
            going, kept = holdings.withdrawable(tx, site, held)
        for part, due in kept.items():
            print(f"part {part} is kept by law until {due.last_day} ({due.rule})")
        if not going:
            print("nothing of this record rests on consent alone: it goes on its day")
            raise typer.Exit(1)
        if not yes and ask(f"Erase {', '.join(going)} for ever? Type yes") != "yes":
            raise InputError("nothing was erased")
        erase(site, held, going)
    print(f"erased: {', '.join(going)}; `epilock receipt show --proofs FOLDER` writes the proofs")


def _code(given: str | None) -> str:
    return given or ask("receipt code")


def _site(parts: Parts) -> Site:
    return Site(parts, pages_in(), Mover(parts.log, parts.keys, parts.standard))


def _print(tx: Transaction, site: Site, held: Holding) -> None:
    name = held.organisation.name
    print(f"{held.org} ({name.zh} / {name.en}), point {held.record.point}")
    print(f"number {held.record.n} of {held.bucket.name}, entry {held.record.entry_index}")
    for each in holdings.days(tx, site, held, today=site.today()):
        last = "the emergency's end" if each.due.last_day is None else str(each.due.last_day)
        what = ", ".join(each.categories)
        print(f"  kept   {each.part} to {last} ({each.due.rule}): {what}")
    for made in holdings.openings(tx, held):
        who = made.by if made.by == "subject" else made.by_org
        print(
            f"  {made.verdict:8} {instant_text(made.at)} by {who} for {made.purpose}"
            f" ({made.form}), entry {made.entry_index}: {made.rule}"
        )
    for proof in holdings.proofs(tx, site, held):
        print(f"  gone   {', '.join(proof.parts)} ({proof.kind}, entry {proof.index})")
    if not held.left:
        print("nothing of it is left")


def _write(tx: Transaction, site: Site, held: Holding, folder: Path) -> None:
    make_folder(folder)
    index = held.first.entry_index
    texts = {"receipt": proof_at(tx, site.parts.log, index)}
    texts |= {f"gone-{p.index}": p.text for p in holdings.proofs(tx, site, held)}
    for name, text in texts.items():
        file = folder / f"{name}.tlog-proof"
        file.write_text(text, encoding="utf-8")
        print(f"written: {file}")
