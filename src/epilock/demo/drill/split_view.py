"""Split view: a cheating operator shows two residents, and two witnesses, two logs under one key.

Each of them is convinced, for each holds a receipt that verifies. One checkpoint that reaches a monitor
from the other side is enough to convict.
"""

from pathlib import Path

from epilock.demo import life
from epilock.demo.drill.stage import AUDIT, PRESS, Say, Stage, require, silent
from epilock.ledger import regime
from epilock.ledger.gather import DISAGREES, status
from epilock.ledger.proof import parse
from epilock.ledger.verify import verify
from epilock.ledger.witness.memory import origin_hash


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say("1. A city's log, one key, two witnesses; any one of them is enough for a receipt.")
    honest = stage.found("city")
    form = life.open_gate(honest, stage.clock, silent)
    stage.gatherer(honest).round(stage.clock())
    honest.close()
    say("2. The operator copies the database with its key, and goes on with both.")
    stage.copy("city", "shadow")
    sides = {
        "A": (stage.reopen("city"), AUDIT, 1),
        "B": (stage.reopen("shadow"), PRESS, 2),
    }
    receipts = {}
    for name, (parts, address, number) in sides.items():
        stored = life.give(parts, stage.clock, form, silent, number=number)
        stage.gatherer(parts, [address]).round(stage.clock())
        with parts.database.read() as tx:
            receipts[name] = parts.log.proof(tx, stored.index)
            announced = regime.in_force(tx, parts.log, stage.clock().date())
        require(announced is not None, "the policy is in force")
        policy = announced.policy if announced is not None else None
        done = verify(receipts[name], policy=policy)
        cosigner = ", ".join(key.name for key in done.witnesses)
        say(
            f"   resident {name}: receipt of entry {done.index} in a log of {done.checkpoint.size}, "
            f"root {done.checkpoint.root.hex()[:16]}…, cosigned by {cosigner}: VERIFIED"
        )
    say(
        "3. Alone nobody can know. A monitor reads the log that A was shown, and finds nothing wrong:"
    )
    first, second = sides["A"][0], sides["B"][0]
    watch = stage.monitor(first, stage.publish(first, "published"))
    report = watch.round(stage.clock())
    require(not report.conflicts, "one side alone is consistent")
    say(f"   {report.size} entries, {len(report.conflicts)} contradictions")
    say("4. It hears the checkpoint of the other witness, or the receipt of resident B:")
    watch.hear("press.example", stage.shown_to(PRESS, origin_hash(first.log.origin)))
    watch.hear("resident B", parse(receipts["B"]).checkpoint)
    report = watch.round(stage.clock())
    for each in report.findings:
        say(f"   {each.severity}: {each.detail.en}")
    say("5. Anyone checks the proof with the log's key alone:")
    stage.accuse(report, first.log.signer.verifier)
    say("6. And the operator can't go on: the witness of the other side refuses to cosign.")
    stage.gatherer(first, [AUDIT, PRESS]).round(stage.clock())
    with first.database.read() as tx:
        problems = {each.address: each for each in status(tx, first.log, now=stage.clock())}
    require(problems[PRESS].problem == DISAGREES, "a witness cosigns no second history")
    say(f"   {PRESS}: {problems[PRESS].problem}: {problems[PRESS].why}")
    for parts in (first, second):
        parts.close()
