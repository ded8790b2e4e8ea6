"""Backups of this installation: their key, making them, following, proving them."""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from epilock import assemble, settings
from epilock.backup import archive
from epilock.backup import key as keys
from epilock.backup import make as making
from epilock.backup import verify as verifying
from epilock.backup.place import Folder, Place
from epilock.backup.snapshot import Repository
from epilock.cli.installation import At, Home, clock
from epilock.errors import EpilockError, InputError

app = typer.Typer(no_args_is_help=True, help="Backups that only grow; the epoch slots beside them.")

Destination = Annotated[
    str,
    typer.Argument(
        metavar="DESTINATION",
        help="Folder of the backups, on another machine, or s3://BUCKET/PREFIX.",
    ),
]
KeyFile = Annotated[
    Path,
    typer.Option("--key", help="File of the backups' own key (mode 0600).", show_default=False),
]
Replica = Annotated[
    Path,
    typer.Option(
        "--slots",
        help="Folder that the epoch slots are replicated into; never archived, never beside the backups.",
        show_default=False,
    ),
]


Retain = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=36_500,
        help="Days for which a store with object lock keeps each backup, at least half of them.",
        show_default=False,
    ),
]
RootKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--root-key",
        help="File of the root key; copied into the home. Else EPILOCK_ROOT_KEY.",
        show_default=False,
    ),
]
Number = Annotated[
    int | None,
    typer.Option("--snapshot", min=1, help="Number of the snapshot; the newest if none."),
]


def repository(destination: str, key: Path, *, until: datetime | None = None) -> Repository:
    """Return the backups in a destination; what is put there is locked ``until`` then.

    Raises:
        InputError: The key or the destination can't be used.
        StateError: The destination locks nothing.
    """
    return Repository(_place(destination, until), keys.read(key))


def _place(destination: str, until: datetime | None) -> Place:
    if not destination.startswith("s3://"):
        if until is not None:
            raise InputError("only a store with object lock can --retain; a folder can't")
        return Folder(Path(destination))
    try:
        from epilock.backup.bucket import Bucket  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError("backups to s3:// need boto3: pip install 'epilock[s3]'") from None
    return Bucket(destination, until=until)


@app.command("key")
def make_key(path: Annotated[Path, typer.Argument(help="File to make.")]) -> None:
    """Make a key for backups; keep a copy where the backups are not."""
    keys.make(path)
    print(f"{path} made; without it no backup can be read")


@app.command("make")
def make(
    destination: Destination,
    *,
    key: KeyFile,
    slots: Replica,
    retain: Retain = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Back up both databases while the server runs; only what is new is written."""
    told, at = settings.read(os.environ, home=home), clock(now)
    place = repository(destination, key, until=_until(retain, at))
    print(_said(making.make(told, place, slots, now=at)))


@app.command("follow")
def follow(
    destination: Destination,
    *,
    key: KeyFile,
    slots: Replica,
    retain: Retain = None,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 10,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="End after so many looks.", show_default=False)
    ] = None,
    home: Home = None,
) -> None:
    """Back up again and again, whenever something was committed; stop with Ctrl-C."""
    told = settings.read(os.environ, home=home)
    with making.Watch(told) as watch:
        while rounds is None or rounds > 0:
            if watch.has_changed():
                now = datetime.now(UTC)
                try:
                    place = repository(destination, key, until=_until(retain, now))
                    made = making.make(told, place, slots, now=now)
                except (EpilockError, OSError) as error:  # the place may be back at the next look
                    watch.forget()
                    print(f"not backed up: {error}", flush=True)
                else:
                    print(_said(made), flush=True)
            rounds = None if rounds is None else rounds - 1
            if rounds != 0:
                time.sleep(every)


@app.command("verify")
def verify(
    destination: Destination,
    *,
    key: KeyFile,
    slots: Replica,
    root_key: RootKeyFile = None,
    snapshot: Number = None,
    now: At = None,
) -> None:
    """Restore a snapshot beside everything, open one record, and show that an erased one stays shut."""
    with tempfile.TemporaryDirectory(prefix="epilock-verify-") as folder:
        found = verifying.verify(
            repository(destination, key), Path(folder) / "home",
            lambda home: settings.read(os.environ, home=home),
            slots=slots, root_key=root_key, now=clock(now), number=snapshot,
        )  # fmt: skip
    print(f"snapshot {found.snapshot.number} of {found.snapshot.at}: every block is what was put")
    if found.opened is None:
        print("no record lives in it")
    else:
        (bucket, n), size = found.opened
        print(f"opened: {bucket} number {n}, {size} bytes")
    for (bucket, n), part in found.shut:
        state = "HAS COME BACK" if ((bucket, n), part) in found.came_back else "shut"
        print(f"{state}: {bucket} number {n}, part {part}")
    for each in found.damage:
        print(f"{each.row}: {each.problem}")
    if not found.is_good:
        raise typer.Exit(1)
    print("everything is as it was stored")


@app.command("slots")
def replicate_slots(
    *,
    to: Annotated[Path, typer.Option(help="Folder that they are replicated into; never archived.")],
    wait: Annotated[
        int, typer.Option(min=1, max=3600, help="Seconds that the archive may take.")
    ] = 60,
    home: Home = None,
) -> None:
    """Replicate the slots of an installation on PostgreSQL, after each destruction, as its archive grows."""
    told = settings.read(os.environ, home=home)
    keys_of_all = assemble.open_keys(told)
    try:
        there = archive.follow(keys_of_all, told.slots, to, wait=timedelta(seconds=wait))
    finally:
        keys_of_all.close()
    for org, epoch in there.items():
        print(f"{org}: epoch {epoch}")


@app.command("list")
def list_snapshots(destination: Destination, *, key: KeyFile) -> None:
    """List the snapshots, the oldest first."""
    found = repository(destination, key)
    found.id()
    for number in found.numbers():
        each = found.snapshot(number)
        entries = sum(log.size for log in each.logs)
        size = sum(file.size for file in each.files.values())
        print(f"{number} {each.at}: {entries} entries of the log, {size:,} bytes")


def _until(retain: int | None, now: datetime) -> datetime | None:
    return None if retain is None else now + timedelta(days=retain)


def _said(made: making.Made) -> str:
    entries = sum(log.size for log in made.snapshot.logs)
    return (
        f"snapshot {made.snapshot.number}: {entries} entries of the log, {made.size:,} bytes, of which"
        f" {made.new:,} were new"
    )
