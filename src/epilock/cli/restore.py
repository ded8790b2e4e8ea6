"""Restore an installation from its backups, and bring it up to the log before it serves."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock import settings
from epilock.backup import restore as restoring
from epilock.backup.restore import Outside, Restored
from epilock.cli.backup import Destination, KeyFile, Number, Replica, RootKeyFile, repository
from epilock.cli.installation import At, Home, clock
from epilock.ledger.source import open_source

Logs = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="URL|DIR",
        help="Where the log is mirrored or published; may be repeated.",
        show_default=False,
    ),
]
Unheard = Annotated[
    bool,
    typer.Option(
        "--unheard",
        help="Go on though a witness gives no answer, or nobody outside ever saw the log.",
    ),
]


def restore(
    destination: Destination,
    *,
    home: Annotated[Path, typer.Option("--home", help="New folder of the installation.")],
    key: KeyFile,
    slots: Replica,
    root_key: RootKeyFile = None,
    log: Logs = None,
    unheard: Unheard = False,
    snapshot: Number = None,
    now: At = None,
) -> None:
    """Put an installation back, with every erasure since done again; whole, or not at all."""
    done = restoring.restore(
        repository(destination, key), home, lambda folder: settings.read(os.environ, home=folder),
        slots=slots, root_key=root_key, outside=_outside(log, unheard=unheard), now=clock(now),
        number=snapshot,
    )  # fmt: skip
    _tell(done)
    print(f"restored into {home}")


def replay(*, log: Logs = None, unheard: Unheard = False, home: Home = None) -> None:
    """Do again what the log says came after a backup, to databases that PostgreSQL's own tools put back."""
    told = settings.read(os.environ, home=home)
    _tell(restoring.replay_only(told, _outside(log, unheard=unheard), now=datetime.now(UTC)))


def _outside(log: list[str] | None, *, unheard: bool) -> Outside:
    return Outside(sources=[open_source(where) for where in log or ()], unheard=unheard)


def _tell(done: Restored) -> None:
    if done.snapshot is not None:
        print(f"snapshot {done.snapshot.number} of {done.snapshot.at}")
    adopted, replayed = done.adopted, done.replayed
    print(f"the log has {adopted.end} entries; {adopted.end - adopted.first} came after the backup")
    for address in done.heard:
        print(f"the witness {address} has seen no more")
    print(f"done again: {replayed.erased} erasures, {replayed.destroyed} destructions")
    for bucket, n in replayed.lost:
        print(f"lost: {bucket} number {n}")
    for each in done.damage:
        print(f"missing: {each.row}: {each.problem}")
    if not replayed.lost and not done.damage:
        print("nothing is missing")
