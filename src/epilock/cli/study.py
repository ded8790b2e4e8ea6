"""Commands about studies: a key for codes instead of names, from its first day to its destruction."""

from typing import Annotated

import typer

from epilock.cli.identity import As, check_over, signed_in
from epilock.cli.installation import At, Home, instant_text, opened
from epilock.deidentify.noise.budget import Book
from epilock.deidentify.pseudonyms import study as studies
from epilock.destroy import freeze
from epilock.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Studies: keys for codes instead of names.")

Code = Annotated[str, typer.Argument(help="The study's code, such as long-covid.")]


@app.command("open")
def open_study(
    code: Code,
    *,
    purpose: Annotated[str, typer.Option(help="Of the standard, such as research.")],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Open a study of the own organisation and make its key."""
    with opened(home, now) as parts:
        if purpose not in parts.standard.purposes:
            raise InputError(f"{purpose} is no purpose of the standard")
        found = signed_in(parts, who, "custodian")
        book = Book(log=parts.log, standard_ref=parts.standard.ref)
        with parts.database.write() as tx:
            studies.begin(
                tx, parts.keys, book, org=found.org, study=code, purpose=purpose, by=found.staff,
                now=parts.now(),
            )  # fmt: skip
    print(f"{code} is open; its codes are made by `epilock pseudonymise`")


@app.command("list")
def list_studies(
    org: Annotated[str, typer.Argument(help="Organisation that holds the keys.")],
    *,
    home: Home = None,
) -> None:
    """List the studies of an organisation, the latest first."""
    with opened(home) as parts, parts.database.read() as tx:
        for s in studies.listing(tx, org):
            if s.destroyed is not None:
                state = f"key destroyed {instant_text(s.destroyed)}"
            elif s.waits:
                state = "its end waits for a second person"
            else:
                state = "open"
            print(f"{s.study} {s.purpose} since {instant_text(s.opened)}: {state}")


@app.command("end")
def end(code: Code, *, who: As, home: Home = None, now: At = None) -> None:
    """Ask for the end of a study as its custodian; a second person destroys the key."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, "custodian")
        with parts.database.write() as tx:
            studies.ask_end(tx, org=found.org, study=code, by=found.staff, now=parts.now())
    print(f"the end of {code} waits for a second person: `epilock study destroy {code}`")


@app.command("destroy")
def destroy(
    code: Code,
    *,
    org: Annotated[str, typer.Option("--org", help="Organisation that holds the key.")],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Destroy the key of a study as the second person: its codes are anonymous from then on, for ever."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, "approver")
        with parts.database.read() as tx:
            check_over(tx, found, org)
            freeze.check_thawed(tx)
        book = Book(log=parts.log, standard_ref=parts.standard.ref)
        studies.end(
            parts.database, parts.keys, book, org=org, study=code, by=found.staff,
            cooling=parts.settings.cooling, now=parts.now(),
        )  # fmt: skip
    print(f"the key of {code} is destroyed")
