"""Keys of the log: which sign, a new one, the end of an old one, and the seal of the whole log.

Nobody changes a key alone: two administrators sign in.
"""

from typing import Annotated

import typer

from epilock.assemble import Parts
from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.destroy import due as dues
from epilock.errors import ApprovalError, StateError
from epilock.ledger import succession

app = typer.Typer(no_args_is_help=True, help="The keys that sign this log, and its seal.")

Second = Annotated[
    str, typer.Option("--second", help="The second administrator: login@organisation.")
]


@app.command("list")
def list_keys(*, home: Home = None) -> None:
    """List the keys, the oldest first, with the sizes of the trees that each signs."""
    with opened(home) as parts, parts.database.read() as tx:
        for key in parts.log.ring(tx):
            until = "in use" if key.last is None else f"to {key.last}"
            print(f"{key.number} from {key.first} {until}: {key.signer.vkey}")


@app.command("announce")
def announce(*, who: As, second: Second, home: Home = None, now: At = None) -> None:
    """Announce a new key; from then on both sign, until the old one is ended."""
    with opened(home, now) as parts:
        _two(parts, who, second)
        with parts.database.write() as tx:
            made = succession.rotate(
                tx, parts.log, standard_ref=parts.standard.ref, now=parts.now()
            )
    print(f"the new key: {made}")
    print("give it to the witnesses, announce a policy that lists it, then end the old key")


@app.command("end")
def end(
    vkey: Annotated[str, typer.Argument(help="The key that ends, as `list` prints it.")],
    *,
    who: As,
    second: Second,
    home: Home = None,
    now: At = None,
) -> None:
    """End an old key: the tree that says so is the last that it signs."""
    with opened(home, now) as parts:
        _two(parts, who, second)
        with parts.database.write() as tx:
            last = succession.retire(
                tx, parts.log, standard_ref=parts.standard.ref, vkey=vkey, now=parts.now()
            )
    print(f"it signs trees up to {last} and no larger one")


@app.command("seal")
def seal(*, who: As, second: Second, home: Home = None, now: At = None) -> None:
    """Seal the log when nothing is kept any more: its last checkpoint is for ever."""
    with opened(home, now) as parts:
        _two(parts, who, second)
        with parts.database.write() as tx:
            if dues.calendar(tx, parts.standard, now=parts.now()):
                raise StateError("records are still kept: destroy them first, then seal the log")
            size = succession.seal(tx, parts.log, standard_ref=parts.standard.ref, now=parts.now())
        with parts.database.read() as tx:
            print(parts.log.checkpoint(tx), end="")
    print(f"the log is sealed with {size} entries; have mirrors and witnesses keep this checkpoint")


def _two(parts: Parts, who: str, second: str) -> None:
    """Return if two administrators, who are not the same person, have signed in.

    Raises:
        ApprovalError: They are one.
        SignInError, ForbiddenError, InputError: See ``signed_in``.
    """
    if who == second:
        raise ApprovalError("nobody changes a key alone: --second is another administrator")
    signed_in(parts, who, "administrator")
    signed_in(parts, second, "administrator")
