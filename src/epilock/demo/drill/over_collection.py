"""Over-collection: an organisation asks for more than the emergency allows, by the program and around it.

What may be asked is compiled from the standard; a point that asks for more is no point, and one that is written
into the log by hand is found by everybody who has the standard.
"""

from datetime import timedelta
from pathlib import Path

import msgspec

from epilock.assemble import Parts
from epilock.collect import issue, point
from epilock.collect.point import Field, Plan
from epilock.demo import city, life
from epilock.demo.drill.stage import Say, Stage, in_a_city, require, silent
from epilock.demo.people import people
from epilock.errors import EpilockError, RefusedError
from epilock.ledger import entry
from epilock.ledger.shards import entries_at
from epilock.standard.level import CHINA

ORG = "sunny-garden"
GREEDY = (
    "biometric.face",
    "identity.resident-id",
    "finance.bank-account",
    "belief.religion",
    "identity.ethnicity",
)


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    in_a_city(folder, say, _play)


def _play(stage: Stage, parts: Parts) -> None:
    say = stage.say
    form = life.open_gate(parts, stage.clock, silent)
    with parts.database.read() as tx:
        (gate,) = point.listing(tx, ORG)

    say(
        f"1. A compound wants {len(GREEDY)} things more at its gate. Each is refused, with its rule:"
    )
    for category in GREEDY:
        require(not _opened(stage, parts, gate.fields, category), f"{category} is refused")

    say("2. A device sends an answer that the form does not ask; it is refused, not dropped:")
    today = stage.clock().astimezone(CHINA).date()
    full = city.fill(form, people(1, seed=14, today=today)[0], 1)
    more = msgspec.structs.replace(full, fields={**full.fields, "face": "a picture"})
    try:
        form.accept(more, today=today)
    except EpilockError as error:
        say(f"   {error}")
    else:
        require(holds=False, promise="an answer that is not asked is refused")
    _fall(stage, parts)

    say("4. The operator goes around the program and writes the greedy point into the log by hand:")
    said = _point_of(parts)
    forged = msgspec.structs.replace(
        said, point=f"{ORG}.aaaaaa", categories=sorted([*said.categories, *GREEDY])
    )
    with parts.database.write() as tx:
        parts.log.append(tx, [entry.encode(forged)], now=stage.clock())
    report = stage.monitor(parts, stage.publish(parts, "published")).round(stage.clock())
    found = [f for f in report.findings if f.kind == "refused"]
    for finding in found:
        say(f"   {finding.severity}: {finding.about}: {finding.detail.en}")
    told = {f.about.partition(" ")[2] for f in found}
    require(told >= set(GREEDY), "each category that the standard refuses is found")
    say(f"   {len(GREEDY)} asked too much, {len(told & set(GREEDY))} found from the log alone")


def _opened(stage: Stage, parts: Parts, fields: tuple[Field, ...], category: str) -> bool:
    more = Field(
        id=category.partition(".")[2].replace("-", "_"),
        category=category,
        label=parts.standard.categories[category].name,
        optional=True,
    )
    plan = Plan(
        emergency="qinghe/outbreak-7", circumstance="residential-entry", fields=(*fields, more),
        name=parts.standard.circumstances["residential-entry"].name,
    )  # fmt: skip
    try:
        with parts.database.write() as tx:
            issue.open_with_notice(tx, parts.press, org=ORG, plan=plan, now=stage.clock())
    except RefusedError as error:
        stage.say(f"   {category}: {error} ({error.rule})")
        return False
    return True


def _fall(stage: Stage, parts: Parts) -> None:
    """Let the level fall: what it allowed no longer is asked, by the next notice at once."""
    with parts.database.read() as tx:
        (before,) = point.listing(tx, ORG)
    asked = len(before.active(parts.standard, "II"))
    left = len(before.active(parts.standard, "IV"))
    stage.clock.instant += timedelta(hours=1)
    life.set_level(parts, "IV", "清政发〔2026〕9号", stage.clock())
    with parts.database.read() as tx:
        found, issued = issue.in_force(tx, ORG, before.point)
    shown = len(issue.form_of(parts.standard, found, issued).fields)
    stage.say(f"3. The level falls from II to IV: the form asks {shown} things, and asked {asked}.")
    require(shown == left <= asked, "the form asks what the level in force allows")


def _point_of(parts: Parts) -> entry.Point:
    with parts.database.read() as tx:
        every = [entry.decode(data) for data in entries_at(tx, parts.log, 0, parts.log.size(tx))]
    return next(said for said in every if isinstance(said, entry.Point))
