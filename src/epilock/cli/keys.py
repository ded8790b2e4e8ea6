"""The root key: where it is, moving it, putting it on paper; and the process that has the keys."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from epilock import durable, migrate
from epilock.cli import approvers, key_service
from epilock.cli.installation import At, Home, clock, opened
from epilock.db import Database, open_engine
from epilock.errors import InputError, NotFoundError
from epilock.settings import Settings
from epilock.store.keyrows import epochs, secrets
from epilock.store.keys import KeyStore
from epilock.store.retagging import rotate
from epilock.store.root import RootKey, shares
from epilock.store.root.keyfile import put, read
from epilock.store.root.moving import Both
from epilock.store.root.moving import move as move_all
from epilock.store.root.opening import is_file, is_missing, kind_of, open_root
from epilock.store.root.renewal import renew

app = typer.Typer(
    no_args_is_help=True,
    help="The root key, and the process that has the keys apart from the pages.",
)
rotating = typer.Typer(no_args_is_help=True, help="Put new keys in the place of old ones.")
app.add_typer(rotating, name="rotate")
app.command("serve")(key_service.serve)
app.command("waiting")(key_service.waiting)
app.command("stop")(key_service.stop)
app.command("go-on")(key_service.go_on)
app.add_typer(approvers.app, name="approvers")
app.add_typer(approvers.signed, name="grants")
_MOST_SHARE = 4_096  # characters of a share's file
_NUMBERED = re.compile(r"\b\d{1,2}\.\s+([a-z]+)")


@app.command("status")
def status(*, now: At = None, home: Home = None) -> None:
    """Tell where the root key is, its age, how many secrets it wraps, and the epoch of each organisation."""
    told = key_service.where_keys_are(home)
    keys = _store(told, open_root(told.root_key))
    try:
        with keys.database.read() as tx:
            count = tx.conn.execute(sa.select(sa.func.count()).select_from(secrets)).scalar_one()
            found = tx.all(epochs, order_by=[epochs.c.org])
        kind = kind_of(told.root_key)
        print(f"the root key is in {kind} and wraps {count} secrets and {len(found)} slots")
        if is_file(told.root_key):
            made = datetime.fromtimestamp(Path(told.root_key).stat().st_mtime, UTC)
            print(f"its file was written on {made:%Y-%m-%d}, {(clock(now) - made).days} days ago")
        for row in found:
            print(f"{row['org']} epoch {row['epoch']}")
    finally:
        keys.close()


@rotating.command("root")
def rotate_root(*, home: Home = None) -> None:
    """Put a new root key in the place of the old one while the server goes on. Repeat it after a crash."""
    told = key_service.where_keys_are(home)
    root = open_root(told.root_key)
    keys = _store(told, root)
    try:
        moved = renew(keys, told.slots, root)
    finally:
        keys.close()
    copied = "on paper" if is_file(told.root_key) else "into a backup, by its maker's means"
    print(f"{moved} secrets and slots are wrapped by the new root key, and by it alone")
    print(f"the old root key is destroyed: put the new one {copied}, and make a backup now")
    print(
        "snapshots and replicas from before open only with a copy of the old one, if there is any"
    )


@rotating.command("tags")
def rotate_tags(
    organisation: Annotated[str, typer.Argument(help="Code of the organisation.")],
    emergency: Annotated[str, typer.Argument(help="Code of the emergency, such as outbreak-7.")],
    *,
    home: Home = None,
) -> None:
    """Rotate the tag key of an emergency while the server goes on; no record is opened. Repeat it after a crash."""
    with opened(home) as parts:
        changed = sum(rotate(parts.database, parts.keys, organisation, emergency))
    print(f"{changed} tags are under the new generation; searches found all of them meanwhile")


@app.command("move")
def move(
    to: Annotated[
        str,
        typer.Argument(
            help="A file, or the address of a token (pkcs11:) or engine (transit+https:)."
        ),
    ],
    *,
    home: Home = None,
) -> None:
    """Move to another root key, made if it is not there; stop the server first. Repeat it after a crash."""
    told = key_service.where_keys_are(home)
    if is_missing(told.root_key):
        raise NotFoundError("the present root key is not there; without it nothing can be moved")
    if to == told.root_key:
        raise InputError("that is where the root key is")
    old, new = open_root(told.root_key), open_root(to, make=True)
    keys = _store(told, Both(new, old))
    try:
        keys.settle()
        moved = move_all(keys.database, told.slots, old, new)
    finally:
        keys.close()
    print(f"{moved} secrets and slots are wrapped by the new root key, and by it alone")
    print(
        "set EPILOCK_ROOT_KEY to it, start the server, run `epilock check`; then destroy the old one"
    )


@app.command("split")
def split(
    to: Annotated[Path, typer.Argument(help="Folder for the sheets; it must be empty or new.")],
    *,
    number: Annotated[int, typer.Option("--shares", help="How many sheets are made.")] = 5,
    needed: Annotated[int, typer.Option(help="How many of them give the key back.")] = 3,
    home: Home = None,
) -> None:
    """Put a key file's root key on paper: print each sheet, give it to one person, destroy the files."""
    told = key_service.where_keys_are(home)
    if not is_file(told.root_key):
        raise InputError(
            f"{kind_of(told.root_key)} never lets its key out; copy it by its maker's means"
        )
    root = read(Path(told.root_key))
    made = shares.split(root, shares=number, needed=needed)
    if shares.join(made[-needed:]) != root:
        raise InputError("the shares do not give the key back")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(to.iterdir()):
        raise InputError(f"the folder {to.name} is not empty")
    for i, share in enumerate(made, 1):
        durable.replace(
            to / f"share-{i}.txt", _sheet(i, number, needed, share).encode(), mode=0o600
        )
    print(f"{number} sheets, any {needed} of which give the root key back: epilock keys join")


@app.command("join")
def join(
    files: Annotated[list[Path], typer.Argument(help="Files of shares, as `split` wrote them.")],
    *,
    to: Annotated[Path, typer.Option(help="The key file that is made.")],
) -> None:
    """Make a key file of shares that were typed in or kept."""
    if to.exists():
        raise InputError(f"{to.name} is there already; a root key is never overwritten")
    put(to, shares.join([_words(path) for path in files]))
    print(f"the root key is in {to.name}; destroy the files of the shares")


def _store(told: Settings, root: RootKey) -> KeyStore:
    engine = open_engine(told.key_database, overwrite=True)
    migrate.upgrade(engine, "keys")
    return KeyStore(Database(engine, b""), root, told.slots)


def _sheet(i: int, number: int, needed: int, share: str) -> str:
    words = share.split()
    lines = [f"{n:2}. {word:<12}" + ("\n" if n % 3 == 0 else "") for n, word in enumerate(words, 1)]
    return (
        f"Epilock root key, share {i} of {number}. Any {needed} give it back; fewer tell nothing.\n"
        "Keep it apart from the others. To bring it back: epilock keys join\n\n" + "".join(lines)
    )


def _words(path: Path) -> str:
    """Return the words of a sheet: what stands after a number and a point, or all words of a file without.

    Raises:
        InputError: The file can't be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_SHARE)
    except (OSError, UnicodeError):
        raise InputError(f"the share {path.name} can't be read") from None
    return " ".join(_NUMBERED.findall(text)) or text
