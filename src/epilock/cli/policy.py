"""Which witnesses must cosign this log: policies (C2SP tlog-policy), and how it stands with the witnesses."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.installation import At, Home, day, opened
from epilock.errors import InputError, NotFoundError
from epilock.ledger import regime
from epilock.ledger.gather import Gatherer, State, status
from epilock.ledger.shards import all_of
from epilock.standard.level import CHINA

app = typer.Typer(no_args_is_help=True, help="Policies: which witnesses must cosign this log.")


@app.command("announce")
def announce(
    file: Annotated[Path, typer.Argument(help="A policy: logs, witnesses with addresses, quorum.")],
    *,
    since: Annotated[str | None, typer.Option(help="Its first day; today if left out.")] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Announce a policy in the log; its witnesses are asked from its first day on."""
    with opened(home, now) as parts:
        today = parts.now().astimezone(CHINA).date()
        with parts.database.write() as tx:
            made = regime.announce(
                tx, parts.log, standard_ref=parts.standard.ref, text=_bytes(file),
                since=today if since is None else day(since), now=parts.now(),
            )  # fmt: skip
    print(f"policy {made.sha256} holds from {made.since}, entry {made.index}")


@app.command("list")
def list_policies(*, home: Home = None) -> None:
    """List the policies, the last announced first."""
    with opened(home) as parts, parts.database.read() as tx:
        for each in regime.listing(tx, parts.log):
            many = len(each.policy.witnesses)
            print(f"{each.since} {each.sha256} {many} witnesses, entry {each.index}")


@app.command("show")
def show(
    *,
    on: Annotated[str | None, typer.Option(help="The day; today if left out.")] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Print the policy of a day, for `epilock verify --policy`."""
    with opened(home, now) as parts, parts.database.read() as tx:
        wanted = parts.now().astimezone(CHINA).date() if on is None else day(on)
        found = regime.in_force(tx, parts.log, wanted)
    if found is None:
        raise NotFoundError(f"no policy was in force on {wanted}")
    print(found.text.decode("utf-8", "backslashreplace"), end="")


@app.command("gather")
def gather(*, home: Home = None, now: At = None) -> None:
    """Ask the witnesses once, as the server does all the time; then say how it stands."""
    with opened(home, now) as parts:
        for log in all_of(parts.log):
            Gatherer(parts.database, log).round(parts.now())
    tell_status(home=home, now=now)


@app.command("status")
def tell_status(*, home: Home = None, now: At = None) -> None:
    """Say how it stands with each witness: exit code 1 if one does not answer or is at odds."""
    with opened(home, now) as parts, parts.database.read() as tx:
        found = status(tx, parts.log, now=parts.now())
        size = parts.log.size(tx)
    for each in found:
        print(_line(each, size))
    if not found:
        print("no policy is in force: nobody is asked to cosign")
    if any(each.problem for each in found):
        raise typer.Exit(1)


def _line(state: State, size: int) -> str:
    last = "never" if state.cosigned is None else _instant(state.cosigned)
    line = f"{state.address} ({', '.join(state.names)}): cosigned {state.size} of {size}, {last}"
    if state.problem is None or state.since is None:
        return line
    return f"{line}\n  {state.problem.upper()} since {_instant(state.since)}: {state.why}"


def _instant(instant: datetime) -> str:
    return instant.astimezone(CHINA).isoformat(timespec="seconds")


def _bytes(file: Path) -> bytes:
    """Return the bytes of a policy.

    Raises:
        InputError: It can't be read.
    """
    try:
        with file.open("rb") as opened_:
            return opened_.read(regime.MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
