"""Old snapshot: a machine is lost and its last backup is old. Put back carelessly, it would revive and fork.

The witnesses and the mirror know what came after; the restore asks them before it serves anything.
"""

from pathlib import Path

from epilock.assemble import Parts
from epilock.backup.restore import Outside
from epilock.collect.record import Stored
from epilock.demo import life
from epilock.demo.drill.stage import PRESS, Say, Stage, require, silent
from epilock.destroy import erasure
from epilock.destroy import run as destruction
from epilock.errors import ErasedError, InconsistentError, StateError
from epilock.ledger.gather import status
from epilock.ledger.source import Folder
from epilock.store import bucket as buckets
from epilock.store import vault

ORG = "sunny-garden"


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say("1. Two residents give, and a backup is made. A mirror has the log until here.")
    parts = stage.found("city")
    form = life.open_gate(parts, stage.clock, silent)
    stays = life.give(parts, stage.clock, form, silent)
    goes = life.give(parts, stage.clock, form, silent, number=2)
    stage.gatherer(parts).round(stage.clock())
    stage.backup("city")
    before = _size(parts)
    early = stage.publish(parts, "early")
    say(
        "2. One of them withdraws and is erased; a third one gives. Both witnesses cosign. The machine burns."
    )
    _erase(parts, stage, goes)
    late = life.give(parts, stage.clock, form, silent, number=3)
    stage.gatherer(parts).round(stage.clock())
    published = stage.publish(parts, "published")
    seen = _size(parts)
    say(f"   the backup has {before} entries, the witnesses {seen}")
    watch = stage.monitor(parts, published)
    require(not watch.round(stage.clock()).findings, "the honest log is consistent")
    parts.close()

    say("3. The backup is put back, and nobody outside answers:")
    _refused(stage, Outside(send=stage.send([])))
    say("4. With a mirror that stopped with the backup, while one witness answers:")
    _refused(stage, Outside(sources=[Folder(early)], send=stage.send([PRESS]), unheard=True))

    say("5. With a mirror that has it all:")
    done = stage.restore(
        "restored", "city", Outside(sources=[Folder(published)], send=stage.send())
    )
    adopted = done.adopted.end - done.adopted.first
    say(f"   {adopted} entries adopted; agreed by {', '.join(done.heard)}")
    require(adopted == seen - before, "every entry that anybody saw is in the log again")
    require(done.replayed.lost == [(late.bucket, late.n)], "what is lost is named")
    require(not done.damage, "nothing else is missing")
    say(f"   lost, and said so in the log: {late.bucket} number {late.n}")
    restored = stage.reopen("restored")
    opened = [_opens(restored, each) for each in (stays, goes, late)]
    require(opened == [True, False, False], "nothing that was erased comes back")
    say(f"   1 of 1 living record opens, 0 of 1 erased, 0 of 1 lost ({opened})")

    say(
        "6. It goes on, in one history: both witnesses cosign, and a monitor of before finds nothing."
    )
    life.give(restored, stage.clock, form, silent, number=4)
    stage.gatherer(restored).round(stage.clock())
    with restored.database.read() as tx:
        states = status(tx, restored.log, now=stage.clock())
    require(all(each.problem is None for each in states), "both witnesses cosign")
    again = stage.monitor(restored, stage.publish(restored, "again"), watch.seen)
    report = again.round(stage.clock())
    require(not report.findings, "nothing is wrong with the restored log")
    say(f"   {report.size} entries, {len(report.conflicts)} contradictions")
    restored.close()


def _refused(stage: Stage, outside: Outside) -> None:
    try:
        stage.restore("careless", "city", outside)
    except (InconsistentError, StateError) as error:
        stage.say(f"   refused: {error}")
    else:
        require(holds=False, promise="a log whose length is not known is not served")
    require(not (stage.folder / "careless").exists(), "a refused restore leaves nothing")


def _erase(parts: Parts, stage: Stage, stored: Stored) -> None:
    with parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        erasure.erase(
            tx, parts.log, parts.standard, org=ORG, bucket=bucket.id, n=stored.n,
            reason="unlawful", now=stage.clock(),
        )  # fmt: skip
    destruction.complete(parts.tools, now=stage.clock())


def _opens(parts: Parts, stored: Stored) -> bool:
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        try:
            return bool(vault.open_record(tx, parts.keys, ORG, bucket.id, stored.n))
        except ErasedError:
            return False


def _size(parts: Parts) -> int:
    with parts.database.read() as tx:
        return parts.log.size(tx)
