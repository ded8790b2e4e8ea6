"""Stolen backup: somebody takes the backups, then their key, then everything else that is kept with care.

What they hold at each step opens nothing; and with all of it, nothing that was erased before the theft.
"""

from pathlib import Path

from epilock.assemble import Parts
from epilock.backup import key as keys
from epilock.backup import restore as restoring
from epilock.backup.snapshot import KEYS, MAIN, Snapshot
from epilock.collect.record import Stored
from epilock.demo import life
from epilock.demo.drill.stage import BACKUPS, SLOTS, Say, Stage, require, silent
from epilock.demo.people import people
from epilock.destroy import certificate, erasure
from epilock.destroy import run as destruction
from epilock.errors import ErasedError, IntegrityError, RootKeyError, TamperedError
from epilock.ledger.note import Verifier
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.slot import Slot

ORG = "sunny-garden"


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say(
        "1. Two residents give; a backup is made; one withdraws, is erased, and another backup is made."
    )
    parts = stage.found("city")
    form = life.open_gate(parts, stage.clock, silent)
    stays = life.give(parts, stage.clock, form, silent)
    goes = life.give(parts, stage.clock, form, silent, number=2)
    first = stage.backup("city")
    proofs = _erase(parts, stage, goes)
    newest = stage.backup("city")
    key = parts.log.signer.vkey
    parts.close()
    say(f"   snapshots {first.number} and {newest.number}; number {goes.n} is erased, with proof")

    say("2. The thief has the backups, and nothing else.")
    _without_key(stage, say)

    say("3. The thief has their key too: every block can be read.")
    _with_key(stage, say)

    say(
        "4. The thief has the root key and the slots of today as well. The first backup, with both records:"
    )
    sealed = sum(file.size for file in first.files.values())
    work = folder / "thief"
    restoring.write(
        stage.repository(), first, work, slots=folder / SLOTS, root_key=folder / "city/root.key"
    )
    try:
        restoring.opened(stage.told("thief"), first, stage.clock())
    except ErasedError as error:
        say(f"   refused: {error}")
    else:
        require(holds=False, promise="keys of before an erasure are dead")
    say(f"   0 of 2 records open in {sealed:,} bytes, though the row of each is there")

    say("5. The newest backup: what lives opens, as it would at home; what was erased does not.")
    opened = [_opens(stage, newest.number, each) for each in (stays, goes)]
    require(opened == [True, False], "of two records the living one opens, and it alone")
    say(f"   {sum(opened)} of 2 records opens: number {stays.n}; number {goes.n} has no key")
    say("   so the four lie in four places: backups, their key, the slots, the root key")

    say("6. And the proof of the erasure holds, with the log's key alone:")
    receipt = goes.proof.encode()
    for gone in certificate.check_all(receipt, proofs, [Verifier.from_vkey(key)]):
        say(f"   part {gone.part} of {gone.place[0]} number {gone.place[1]}: {gone.kind}")


def _erase(parts: Parts, stage: Stage, stored: Stored) -> list[bytes]:
    """Erase a record that its person withdrew; return the proofs that all of it is gone."""
    with parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        erasure.erase(
            tx, parts.log, parts.standard, org=ORG, bucket=bucket.id, n=stored.n,
            reason="unlawful", now=stage.clock(),
        )  # fmt: skip
    destruction.complete(parts.tools, now=stage.clock())
    with parts.database.read() as tx:
        return [
            each.text.encode()
            for each in certificate.prove(tx, parts.log, ORG, bucket.id, stored.n)
        ]


def _without_key(stage: Stage, say: Say) -> None:
    files = [path for path in (stage.folder / BACKUPS).rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files)
    person = people(1, seed=14, today=stage.clock().astimezone(CHINA).date())[0]
    known = [person.name, person.mobile, ORG, "SQLite", "outbreak-7"]
    found = [word for word in known if word.encode() in everything]
    require(not found, "nothing in a destination is readable")
    say(
        f"   {len(files)} files, {len(everything):,} bytes; of {len(known)} words known to be in it: 0"
    )
    keys.make(stage.folder / "thief.key")
    try:
        stage.repository(stage.folder / "thief.key").snapshot()
    except IntegrityError as error:
        say(f"   refused: {error}")
    else:
        require(holds=False, promise="another key reads no backup")


def _with_key(stage: Stage, say: Say) -> None:
    """Read everything, and try to open the keys with all but the root key, and with all but the slots."""
    newest = stage.repository().snapshot()
    held = b"".join(
        block for name in (MAIN, KEYS) for block in stage.repository().blocks(newest.files[name])
    )
    person = people(1, seed=14, today=stage.clock().astimezone(CHINA).date())[0]
    require(person.mobile.encode() not in held, "no plaintext lies in a database")
    say(f"   {len(held):,} bytes of two databases; the telephone number that was given: not there")
    own = stage.folder / "thief.root"
    KeyFileRoot(own, make=True)
    _make_slots(stage, newest)
    right, slots = stage.folder / "city/root.key", stage.folder / SLOTS
    for n, (what, at, root) in enumerate(
        (
            ("the slots, and a root key of their own", slots, own),
            ("the root key, and slots of their own", stage.folder / "forged", right),
        )
    ):
        restoring.write(
            stage.repository(), newest, stage.folder / f"try-{n}", slots=at, root_key=root
        )
        try:
            restoring.opened(stage.told(f"try-{n}"), newest, stage.clock())
        except (RootKeyError, TamperedError) as error:
            say(f"   with {what}: refused: {error}")
        else:
            require(holds=False, promise=f"a backup does not open with {what}")


def _make_slots(stage: Stage, snapshot: Snapshot) -> None:
    """Make slots of the epochs that a snapshot needs, under the right root key, with keys of one's own."""
    root = KeyFileRoot(stage.folder / "city/root.key")
    for org, epoch in snapshot.epochs.items():
        slot = Slot(stage.folder / f"forged/{org}.slot", org, root)
        with slot.lock():
            for number in range(2, epoch + 1):
                slot.next(number, current=number - 1)
                slot.keep(number)


def _opens(stage: Stage, number: int, stored: Stored) -> bool:
    """Tell whether each part of a record has its key in the newest snapshot, for whoever has everything."""
    name = f"all-{stored.n}"
    newest = stage.repository().snapshot(number)
    restoring.write(
        stage.repository(), newest, stage.folder / name, slots=stage.folder / SLOTS,
        root_key=stage.folder / "city/root.key",
    )  # fmt: skip
    parts = restoring.opened(stage.told(name), newest, stage.clock())
    try:
        with parts.database.read() as tx:
            bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        for part in bucket.parts:
            parts.keys.leaf(ORG, bucket.name, part, stored.n)
    except ErasedError:
        return False
    finally:
        parts.close()
    return True
