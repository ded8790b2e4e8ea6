"""Rogue operator: who runs the machine and the database wants to open a record, destroy evidence, and leave no trace.

It can write any row, but it has no integrity key, no second person and no way to make strangers forget.
"""

from collections.abc import Callable
from pathlib import Path

from epilock.accounts import staff
from epilock.accounts.staff import Staff
from epilock.assemble import Parts
from epilock.caretaker import watcher
from epilock.collect.record import Stored
from epilock.demo import life
from epilock.demo.drill.stage import Say, Stage, require, silent
from epilock.demo.people import people
from epilock.destroy import freeze
from epilock.destroy import order as orders
from epilock.errors import EpilockError
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets

ORG, HEALTH = "sunny-garden", "qinghe-cdc"
ROLLING = 30.0  # seconds
Attempt = Callable[[], object]


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say(
        "1. A resident gives. The operator has an account of its role, the machine and the database."
    )
    parts = stage.found("city")
    form = life.open_gate(parts, stage.clock, silent)
    stored = life.give(parts, stage.clock, form, silent)
    operator = _hire(parts, stage, "root", "operator")
    require(not _look(parts, stage), "nothing is found before")
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
    tried = 0

    say("2. It reads the database's file, as it lies on the disk:")
    parts.close()
    given = people(1, seed=14, today=stage.clock().astimezone(CHINA).date())[-1]
    words = [given.name, given.mobile]
    raw = b"".join(path.read_bytes() for path in sorted((folder / "city").glob("epilock.sqlite*")))
    hits = sum(word.encode() in raw for word in words)
    say(f"   {len(raw):,} bytes; of {len(words)} words known to be given: {hits}")
    require(not hits, "nothing that was given lies there in the clear")
    parts = stage.reopen("city")

    say("3. It asks the program, in its own name:")
    for what, attempt in {
        "to open the record": lambda: _open(parts, stage, operator, stored, bucket.id),
        "to destroy it today": lambda: _order(parts, stage, operator, bucket.id),
    }.items():
        _refused(stage, what, attempt)
        tried += 1

    say("4. It writes what it needs into the database:")
    _sql(parts, "UPDATE staff SET roles = '[\"analyst\"]'")
    _refused(stage, "to be an analyst", lambda: _load(parts, operator))
    tried += 1
    found = _look(parts, stage)
    require(any(row.startswith("staff (") for row in found), "the changed role is seen")
    say(f"   and it is seen: {next(row for row in found if row.startswith('staff ('))}")

    say("5. It takes away the freeze that this began, and the traces in the log:")
    _sql(parts, "DELETE FROM freezes")
    found = _look(parts, stage)
    require(any(row.startswith("freezes (") for row in found), "a freeze that was deleted is seen")
    say(f"   seen: {next(row for row in found if row.startswith('freezes ('))}")
    _refused(stage, "to lift the new one", lambda: _lift(parts, stage, operator))
    tried += 1

    say("6. What strangers read of it in the public log:")
    report = stage.monitor(parts, stage.publish(parts, "published")).round(stage.clock())
    for finding in report.findings:
        say(f"   {finding.severity}: {finding.detail.en}")
    require(any(f.kind == "frozen" for f in report.findings), "strangers see the freeze")
    say(
        f"{tried} of {tried} attempts refused, 2 of 2 changes seen. Not stopped: who reads the memory of the"
        " process that runs reads what it holds."
    )
    parts.close()


def _hire(parts: Parts, stage: Stage, login: str, role: str) -> Staff:
    with parts.database.write() as tx:
        made, _ = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org=HEALTH, login=login, roles=(role,),
            now=stage.clock(),
        )  # fmt: skip
    return made


def _open(parts: Parts, stage: Stage, who: Staff, stored: Stored, bucket: int) -> None:
    with parts.database.write() as tx:
        decision = parts.gate.decide(
            tx, who, source=ORG, places=[(bucket, stored.n)], purpose="tracing", form="raw",
            grant=None, now=stage.clock(),
        )  # fmt: skip
    with parts.database.read() as tx:
        parts.gate.reveal(tx, decision)


def _order(parts: Parts, stage: Stage, who: Staff, bucket: int) -> None:
    with parts.database.write() as tx:
        live = buckets.load(tx, ORG, bucket).live
        orders.propose(
            tx, parts.log, parts.standard, org=ORG, bucket=bucket, parts=live, reason="instructed",
            by=who.staff, now=stage.clock(),
        )  # fmt: skip


def _load(parts: Parts, who: Staff) -> None:
    with parts.database.read() as tx:
        staff.load(tx, who.org, who.staff)


def _lift(parts: Parts, stage: Stage, who: Staff) -> None:
    with parts.database.write() as tx:
        freeze.ask(
            tx, by=who.staff, by_org=who.org, roles=who.roles, reason="false-alarm",
            now=stage.clock(),
        )  # fmt: skip


def _refused(stage: Stage, what: str, attempt: Attempt) -> None:
    try:
        attempt()
    except EpilockError as error:
        stage.say(f"   {what}: refused: {error}")
    else:
        require(holds=False, promise=f"the operator is not allowed {what}")


def _look(parts: Parts, stage: Stage) -> list[str]:
    """Return the places of what a watcher finds."""
    watching = watcher(parts, seconds=ROLLING, pause=0)
    return [found.row for found in watching.round(stage.clock())]


def _sql(parts: Parts, text: str) -> None:
    with parts.database.write() as tx:
        tx.conn.exec_driver_sql(text)
