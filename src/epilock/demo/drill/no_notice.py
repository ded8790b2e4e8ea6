"""No notice: somebody collects without having told people what, why and for how long, or past a box they left empty.

The form of a notice is the only way in, and an entry that names a notice nobody issued is found by strangers.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import msgspec

from epilock.assemble import Parts
from epilock.collect.form import Form, Submission
from epilock.demo import city, life
from epilock.demo.drill.stage import Say, Stage, in_a_city, require, silent
from epilock.demo.people import people
from epilock.errors import EpilockError
from epilock.ledger import entry
from epilock.standard.level import CHINA

ORG = "sunny-garden"
_NEVER_ISSUED = "0" * 64


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    in_a_city(folder, say, _play)


def _play(stage: Stage, parts: Parts) -> None:
    say = stage.say
    form = life.open_gate(parts, stage.clock, silent)
    full = _filled(stage, form)
    stored = life.give(parts, stage.clock, form, silent, number=2)
    size = _size(parts)

    say("1. Somebody sends what people gave, and goes past the notice, or past a box of it:")
    tries: Mapping[str, Submission] = {
        "a notice that was never issued": msgspec.structs.replace(full, notice=_NEVER_ISSUED),
        "no box ticked": msgspec.structs.replace(full, given=[]),
        **{
            f"without {act}": msgspec.structs.replace(
                full, given=[a for a in full.given if a != act]
            )
            for act in sorted(form.acts.required)
        },
        "a box that the notice does not have": msgspec.structs.replace(
            full, given=[*full.given, "purpose:advertising"]
        ),
    }
    for what, submission in tries.items():
        require(not _taken(stage, parts, form, submission, what), f"{what} is refused")

    say(
        "2. The level changes, so a new notice is issued; who read only the old one is asked again:"
    )
    accepted = form.accept(full, today=_today(stage))
    stage.clock.instant += timedelta(hours=1)
    life.set_level(parts, "I", "清政发〔2026〕8号", stage.clock())
    after = _size(parts)
    try:
        parts.writer.submit(accepted).result()
    except EpilockError as error:
        say(f"   refused: {error}")
    else:
        require(holds=False, promise="a submission under the notice of yesterday is refused")
    require(_size(parts) == after, "a refusal leaves nothing behind")
    say(
        f"   {len(tries) + 1} tries, 0 stored; the log grew by the level and its notice alone, from {size} to {after}"
    )

    say("3. The operator goes around the program and writes a record into the log by hand:")
    said = _forged(parts, stored.index)
    with parts.database.write() as tx:
        parts.log.append(tx, [entry.encode(said)], now=stage.clock())
    report = stage.monitor(parts, stage.publish(parts, "published")).round(stage.clock())
    found = [f for f in report.findings if f.kind == "undeclared" and _NEVER_ISSUED in f.about]
    require(bool(found), "an entry under a notice that was never issued is found")
    for finding in found:
        say(f"   {finding.severity}: {finding.about}: {finding.detail.en}")
    say(f"   1 forged entry among {report.size}, 1 found")


def _forged(parts: Parts, index: int) -> entry.Collect:
    """Return the entry of a record as the forger writes it: the next number, and a notice of its own."""
    with parts.database.read() as tx:
        real = entry.decode(parts.log.entry(tx, index))
    require(isinstance(real, entry.Collect), "a record has a collect entry")
    assert isinstance(real, entry.Collect)  # noqa: S101 - just required
    return msgspec.structs.replace(real, n=real.n + 1, notice=_NEVER_ISSUED, commitment="1" * 64)


def _taken(stage: Stage, parts: Parts, form: Form, submission: Submission, what: str) -> bool:
    try:
        parts.writer.submit(form.accept(submission, today=_today(stage))).result()
    except EpilockError as error:
        stage.say(f"   {what}: {error}")
        return False
    return True


def _filled(stage: Stage, form: Form) -> Submission:
    person = people(1, seed=14, today=_today(stage))[0]
    return city.fill(form, person, 1)


def _today(stage: Stage) -> date:
    return stage.clock().astimezone(CHINA).date()


def _size(parts: Parts) -> int:
    with parts.database.read() as tx:
        return parts.log.size(tx)
