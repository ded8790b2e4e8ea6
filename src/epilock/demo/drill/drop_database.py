"""Drop database: somebody with the database's password drops, deletes, changes, and puts an old copy back.

The watcher looks at what nobody can make fit all at once; destruction waits until two persons have looked.
"""

import shutil
import time
from pathlib import Path

from epilock.assemble import Parts
from epilock.caretaker import watcher
from epilock.demo import life
from epilock.demo.drill.stage import Say, Stage, require, silent
from epilock.destroy import freeze
from epilock.destroy import run as destruction
from epilock.errors import FrozenError
from epilock.ledger.check import Damage

ROLLING = 30.0  # seconds; for a handful of rows a part of one is enough
MINUTE = 60.0
ATTEMPTS = {
    "drops a table": "DROP TABLE decisions",
    "deletes all records": "DELETE FROM records",
    "deletes one record": "DELETE FROM records WHERE n = 1",
    "deletes what one record says": "DELETE FROM parts WHERE n = 1",
    "changes one record": "UPDATE records SET minor = 1 WHERE n = 1",
    "deletes the entry of the log that tells of it": "DELETE FROM ledger_entries WHERE idx = 9",
    "has the database do it": "CREATE TRIGGER x AFTER INSERT ON records BEGIN DELETE FROM parts; END",
}


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say("1. Two residents give; the watcher looks, finds nothing, and remembers what it saw.")
    parts = stage.found("city")
    form = life.open_gate(parts, stage.clock, silent)
    for number in (1, 2):
        life.give(parts, stage.clock, form, silent, number=number)
    found, _ = _look(parts, stage)
    require(not found, "nothing is found while all goes through the program")
    parts.close()

    say("2. Somebody with the database's password …")
    took = []
    for n, (what, text) in enumerate(ATTEMPTS.items()):
        name = f"hurt-{n}"
        stage.copy("city", name)
        hurt = stage.reopen(name)
        with hurt.database.write() as tx:
            tx.conn.exec_driver_sql(text)
        took.append(_seen(hurt, stage, what))
        if n == len(ATTEMPTS) - 1:
            _told(stage, hurt)
        hurt.close()

    say("3. … puts yesterday's database back:")
    stage.copy("city", "late")
    late = stage.reopen("late")
    life.give(late, stage.clock, form, silent, number=3)
    _look(late, stage)
    late.close()
    _put_back(folder / "city", folder / "late")
    late = stage.reopen("late")
    took.append(_seen(late, stage, "puts an old copy back"))
    late.close()
    say(
        f"{len(took)} of {len(ATTEMPTS) + 1} attempts seen, the slowest in {max(took):.1f} s of looking;"
        f" a round comes every {MINUTE:.0f} s"
    )


def _look(parts: Parts, stage: Stage) -> tuple[list[Damage], float]:
    watching = watcher(parts, seconds=ROLLING, pause=0)
    began = time.monotonic()
    found = watching.round(stage.clock())
    return found, time.monotonic() - began


def _seen(parts: Parts, stage: Stage, what: str) -> float:
    """Show that it is found and that nothing is destroyed any more; return the seconds of looking."""
    found, took = _look(parts, stage)
    require(bool(found), f"it is seen when somebody {what}")
    stage.say(f"   {what}: {found[0].row}: {found[0].problem}")
    try:
        destruction.run(parts.tools, now=stage.clock())
    except FrozenError as error:
        stage.say(f"   refused: {error}")
    else:
        require(holds=False, promise="destruction waits")
    return took


def _told(stage: Stage, parts: Parts) -> None:
    """Show that strangers read of the freeze, and who lifts it."""
    report = stage.monitor(parts, stage.publish(parts, "published")).round(stage.clock())
    kinds = [finding.kind for finding in report.findings]
    require("frozen" in kinds, "the public log says that destruction is frozen")
    stage.say(f"   the public log tells strangers: {', '.join(kinds)}")
    with parts.database.write() as tx:
        freeze.ask(
            tx, by="s-ren", by_org="qinghe", roles={"supervisor"}, reason="exercise",
            now=stage.clock(),
        )  # fmt: skip
        lifted = freeze.lift(
            tx, parts.log, standard_ref=parts.standard.ref, by="s-hua", by_org="qinghe",
            roles={"custodian"}, now=stage.clock(),
        )  # fmt: skip
    stage.say(f"   lifted by two persons: {lifted.asked_by} asked, {lifted.lifted_by} agreed")


def _put_back(old: Path, new: Path) -> None:
    """Put the database of ``old`` into the place of that of ``new``, whose slots, keys and memory stay."""
    for name in ("epilock.sqlite", "epilock.sqlite-wal", "epilock.sqlite-shm"):
        (new / name).unlink(missing_ok=True)
        if (old / name).exists():
            shutil.copy(old / name, new / name)
