"""Keys of the log: which sign, a new one, the end of an old one, the seal of the whole log, and the log after it.

Nobody changes a key alone: two administrators sign in.
"""

from typing import Annotated

import typer

from epilock import assemble
from epilock.assemble import Parts
from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.destroy import due as dues
from epilock.errors import ApprovalError, StateError
from epilock.ledger import regime, succession
from epilock.ledger.log import Log
from epilock.standard.level import CHINA

app = typer.Typer(
    no_args_is_help=True, help="The keys that sign this log, its seal, and the log after it."
)

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


@app.command("next")
def show_next(
    origin: Annotated[str, typer.Argument(help="Name of the log that is to follow.")],
    *,
    home: Home = None,
) -> None:
    """Print the key of a log that is to follow, for witnesses and a policy, before it begins."""
    with opened(home) as parts:
        print(assemble.successor(parts, origin).signer.vkey)


@app.command("succeed")
def succeed(
    origin: Annotated[
        str, typer.Argument(help="Name of the new log, such as example.org/log/2027.")
    ],
    *,
    who: As,
    second: Second,
    home: Home = None,
    now: At = None,
) -> None:
    """Seal the log and begin another, which goes on where it ends; programs that run are started again."""
    with opened(home, now) as parts:
        _two(parts, who, second)
        log, following = _next(parts, origin)
        if following is not parts.log:  # else an earlier call was broken off after it was done
            with parts.database.write() as tx:
                succession.succeed(
                    tx, log, following, standard_ref=parts.standard.ref, now=parts.now()
                )
        with parts.database.read() as tx:
            print(log.checkpoint(tx), end="")
            listed = regime.in_force(tx, following, parts.now().astimezone(CHINA).date())
    print(f"the log {log.origin} is sealed; have mirrors and witnesses keep this checkpoint")
    print(f"the log {origin} has begun: {following.signer.vkey}")
    if listed is None:
        print(
            "no policy that is in force lists it: announce one, else no witness is asked about it"
        )
    print("start programs that run again: they still know the sealed log alone")


def _next(parts: Parts, origin: str) -> tuple[Log, Log]:
    """Return the log that is to be sealed and the one that follows; of a succession that was done, those."""
    if parts.log.earlier and parts.log.origin == origin:
        return parts.log.earlier[-1], parts.log
    return parts.log, assemble.successor(parts, origin)


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
