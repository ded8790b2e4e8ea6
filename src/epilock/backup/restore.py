"""Restore: from a snapshot, a root key and a replica of the slots to an installation that may serve.

The order, all of it in a folder beside the new home, which takes its name at the very end: whoever looks at the
home finds a whole installation or none, and what a crash leaves is thrown away by the next call.

  1. Every block is proved and written; root key and slots are put beside.
  2. It is opened: keys and slots must fit each other, the log its rows and the snapshot.
  3. The log takes the entries that came after the snapshot, and nobody outside may have seen more (``adopt``).
  4. What they say is done again, above all every erasure (``replay``); what was left open is completed.
  5. Everything stored is proved (``epilock check``); what is missing is named.

On PostgreSQL its own tools put the databases back to a point in time; ``replay_only`` then does 2 to 5 in place.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path

from epilock import durable, inventory
from epilock.assemble import Parts, build
from epilock.backup.adopt import Adopted, adopt, hear
from epilock.backup.replay import Replay, Replayed
from epilock.backup.snapshot import KEYS, MAIN, Repository, Snapshot
from epilock.destroy import run as destruction
from epilock.errors import ConflictError, InputError, IntegrityError, KeysError, StateError
from epilock.ledger.check import Damage
from epilock.ledger.shards import all_of
from epilock.ledger.source import LogSource
from epilock.ledger.witness.ask import Send
from epilock.settings import Settings
from epilock.store import replica
from epilock.store.check import check

FILES = {MAIN: "epilock.sqlite", KEYS: "keys.sqlite"}
Settled = Callable[[Path], Settings]
"""Gives the settings of an installation in a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is asked how long the log is.

    Attributes:
        sources: Mirrors and published copies.
        unheard: Go on though a witness gives no answer, or nobody can be asked.
        send: How witnesses are reached; HTTP by default.
    """

    sources: Sequence[LogSource] = ()
    unheard: bool = False
    send: Send | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did.

    Attributes:
        snapshot: The snapshot, or None on PostgreSQL.
        adopted: Entries that came after it.
        heard: Addresses of the witnesses that agree.
        replayed: What they say, done again.
        damage: What ``epilock check`` finds; the rows of registers that came after the snapshot are missing.
    """

    snapshot: Snapshot | None
    adopted: Adopted
    heard: Sequence[str]
    replayed: Replayed
    damage: Sequence[Damage] = field(default_factory=list)


def restore(
    repository: Repository,
    home: Path,
    settled: Settled,
    *,
    slots: Path,
    root_key: Path | None,
    outside: Outside,
    now: datetime,
    number: int | None = None,
) -> Restored:
    """Restore a snapshot (the newest, or of a ``number``) into the new ``home``.

    Raises:
        ConflictError: The home is there already.
        NotFoundError: There is no such snapshot, or a block of it is missing.
        IntegrityError: A block, a row or the log is not what was stored.
        KeysError, ErasedError: The replica of the slots does not fit the snapshot's keys.
        RootKeyError: Another root key wrapped them.
        InputError: As ``inside``.
        InconsistentError, StateError: As ``adopt.adopt`` and ``adopt.hear``; nothing was restored.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ConflictError(f"{home} is there already; restore into a new folder")
    work = home.with_name(f".{home.name}.restoring")
    snapshot = repository.snapshot(number)
    told = inside(settled(work), work, root_key)
    discard(work)
    try:
        write(repository, snapshot, work, slots=slots, root_key=root_key)
        done = _settle(told, snapshot, outside, now)
        for path in (*work.glob("*.sqlite"), work):
            durable.sync_file(path)
        if home.exists():
            home.rmdir()
        work.rename(home)
        durable.sync(home.absolute().parent)
    finally:
        discard(work)
    return done


def inside(told: Settings, folder: Path, root_key: Path | None) -> Settings:
    """Return the settings if they keep everything in a new folder, and touch no other installation.

    Raises:
        InputError: The environment names databases, slots or a root key elsewhere.
    """
    own = {
        "EPILOCK_DATABASE": (told.database, f"sqlite:///{folder / FILES[MAIN]}"),
        "EPILOCK_KEY_DATABASE": (told.key_database, f"sqlite:///{folder / FILES[KEYS]}"),
        "EPILOCK_SLOTS": (str(told.slots), str(folder / "slots")),
    }
    if root_key is not None:
        own["EPILOCK_ROOT_KEY"] = (told.root_key, str(folder / "root.key"))
    for name, (stated, right) in own.items():
        if stated != right:
            raise InputError(
                f"unset {name}: it names what another installation has, and a restore writes into the new home alone"
            )
    return told


def discard(folder: Path) -> None:
    """Throw away what was written for a restore; its slots are overwritten first, for a slot is never kept."""
    replica.wipe(folder / "slots")
    shutil.rmtree(folder, ignore_errors=True)


def replay_only(settings: Settings, outside: Outside, *, now: datetime) -> Restored:
    """Bring an installation up to the log whose databases were put back by other tools; see ``restore``.

    Nobody else may use them meanwhile. Repeating is harmless.
    """
    return _settle(settings, None, outside, now)


def write(
    repository: Repository, snapshot: Snapshot, folder: Path, *, slots: Path, root_key: Path | None
) -> None:
    """Write what a snapshot holds into a new folder, with root key and slots beside.

    Raises:
        NotFoundError, InputError, TooLargeError: A block is missing or can't be read.
        IntegrityError: A block was altered.
        KeysError: The replica has no slot of an organisation that has keys.
    """
    folder.mkdir(mode=0o700, parents=True)
    for name, file in FILES.items():
        (folder / file).touch(0o600, exist_ok=False)
        with (folder / file).open("wb") as out:
            out.writelines(repository.blocks(snapshot.files[name]))
            out.flush()
            os.fsync(out.fileno())
    (folder / "slots").mkdir(mode=0o700)
    for org in snapshot.epochs:
        try:
            cells = (slots / f"{org}.slot").read_bytes()
        except OSError as error:
            raise KeysError(
                f"the replica of the slots has no {org}.slot that can be read ({error.strerror}):"
                " without it the keys of the snapshot are dead"
            ) from None
        durable.replace(folder / "slots" / f"{org}.slot", cells, mode=0o600)
    if root_key is not None:
        try:
            durable.replace(folder / "root.key", root_key.read_bytes(), mode=0o600)
        except OSError as error:
            raise InputError(f"the root key {root_key} can't be read: {error.strerror}") from None


def opened(settings: Settings, snapshot: Snapshot | None, now: datetime) -> Parts:
    """Open what was written; return it if its logs are those of the snapshot.

    Raises:
        IntegrityError: They are not.
        StateError: A key service has the keys.
    """
    if settings.key_service is not None:
        raise StateError(
            "a restore needs the key database itself: run it without EPILOCK_KEY_SERVICE, then split off the keys"
        )
    parts = build(settings, now=lambda: now)
    with parts.database.read() as tx:
        heads = [log.head(tx) for log in all_of(parts.log)]
    found = [(head.origin, head.size, head.root.hex()) for head in heads]
    if snapshot is not None and found != [(h.origin, h.size, h.root) for h in snapshot.logs]:
        parts.close()
        raise IntegrityError("the logs of the snapshot are not those that it names")
    return parts


def damages(parts: Parts) -> Iterator[Damage]:
    """Yield what ``epilock check`` finds."""
    stored = check(parts.database, parts.key_store(), parts.log)
    return chain(stored, inventory.check(parts.database, parts.log))


def _settle(
    settings: Settings, snapshot: Snapshot | None, outside: Outside, now: datetime
) -> Restored:
    parts = opened(settings, snapshot, now)
    try:
        with parts.database.write() as tx:
            adopted = adopt(tx, parts.log, outside.sources, now=now)
            # Policies among the entries say who must be heard, so the entries are read first. If somebody has
            # seen more, no key was destroyed and nothing is kept.
            work = Replay(tx, parts.tools, parts.press, adopted, now)
            work.read()
            heard = hear(
                tx, parts.database, parts.log, sources=len(outside.sources),
                unheard=outside.unheard, now=now, send=outside.send,
            )  # fmt: skip
            replayed = work.end()
        destruction.complete(parts.tools, now=now)
        damage = list(damages(parts))
    finally:
        parts.close()
    return Restored(
        snapshot=snapshot, adopted=adopted, heard=heard, replayed=replayed, damage=damage
    )
