"""Rewritten log: the operator puts back an old copy and writes the history of a destroyed bucket anew.

The certificate that a resident keeps, the witnesses and every monitor remember the history that was.
"""

from datetime import timedelta
from pathlib import Path

from epilock.assemble import Parts
from epilock.demo import life
from epilock.demo.drill.stage import Say, Stage, require, silent
from epilock.destroy import certificate
from epilock.destroy import run as destruction
from epilock.errors import InconsistentError
from epilock.ledger.gather import DISAGREES, status
from epilock.store import bucket as buckets


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say(
        "1. A record is collected; a copy of everything is put away; on its day the record is destroyed."
    )
    parts = stage.found("city")
    form = life.open_gate(parts, stage.clock, silent)
    stored = life.give(parts, stage.clock, form, silent)
    stage.gatherer(parts).round(stage.clock())
    parts.close()
    stage.copy("city", "copy")
    parts = stage.reopen("city")
    stage.clock.instant += timedelta(days=40)
    for done in destruction.run(parts.tools, now=stage.clock()):
        say(f"   parts {', '.join(done.parts)} destroyed, entry {done.entry_index}")
    stage.gatherer(parts).round(stage.clock())
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, "sunny-garden", stored.bucket)
        proofs = certificate.prove(tx, parts.log, "sunny-garden", bucket.id, stored.n)
    key = parts.log.signer.verifier
    watch = stage.monitor(parts, stage.publish(parts, "published"))
    require(not watch.round(stage.clock()).conflicts, "the honest log is consistent")
    say(
        f"   both witnesses cosigned, a monitor has read it, the resident keeps {len(proofs)} proofs"
    )
    parts.close()

    say(
        "2. The operator puts the copy back, destroys nothing, and makes the log as long as it was."
    )
    forged = stage.reopen("copy")
    number = 2
    while _size(forged) <= watch.round(stage.clock()).size:
        life.give(forged, stage.clock, form, silent, number=number)
        number += 1
    say(f"   {_size(forged)} entries, and no certificate among them")

    say("3. An honest server does not even start on it: it asks the witnesses what they have seen.")
    try:
        stage.gatherer(forged).compare(stage.clock())
    except InconsistentError as error:
        say(f"   refused: {error}")
    else:
        require(holds=False, promise="a copy that witnesses contradict is not served")

    say("4. A server that was told not to ask gets no cosignature.")
    stage.gatherer(forged).round(stage.clock())
    with forged.database.read() as tx:
        for each in status(tx, forged.log, now=stage.clock()):
            require(each.problem == DISAGREES, "a witness cosigns no second history")
            say(f"   {each.address}: {each.problem}: {each.why}")

    say("5. A monitor that read the log before is shown the new one, and remembers:")
    again = stage.monitor(forged, stage.publish(forged, "rewritten"), watch.seen)
    report = again.round(stage.clock())
    for finding in report.findings:
        say(f"   {finding.severity}: {finding.detail.en}")
    say("6. Anyone checks the proof with the log's key alone:")
    stage.accuse(report, key)

    say(
        "7. And the resident's proofs of destruction hold, whatever the operator's database says now:"
    )
    receipt = stored.proof.encode()
    for gone in certificate.check_all(receipt, [proof.text.encode() for proof in proofs], [key]):
        say(f"   part {gone.part} of {gone.place[0]} number {gone.place[1]}: {gone.kind}")
    forged.close()


def _size(parts: Parts) -> int:
    with parts.database.read() as tx:
        return parts.log.size(tx)
