"""Overdue: an operator lets a day of destruction go by and answers nobody. Strangers find both, without being told.

The monitor has the published log and the standard, and computes each day itself.
"""

from datetime import datetime, timedelta
from pathlib import Path

from epilock.assemble import Parts
from epilock.collect.record import Stored
from epilock.demo import life
from epilock.demo.drill.stage import Say, Stage, in_a_city, require, silent
from epilock.destroy import run as destruction
from epilock.destroy import subject_request as requests
from epilock.ledger.finding import CRITICAL, Finding
from epilock.store import bucket as buckets

ORG = "sunny-garden"
_HOUR = timedelta(hours=1)


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    in_a_city(folder, say, _play)


def _play(stage: Stage, parts: Parts) -> None:
    say = stage.say
    say("1. A resident gives, and objects; the operator does nothing from here on.")
    form = life.open_gate(parts, stage.clock, silent)
    stored = life.give(parts, stage.clock, form, silent)
    began = stage.clock()
    _object(parts, stored, began)
    require(not _find(stage, parts), "on the first day nothing is found")
    say("   a stranger who reads the published log finds nothing")

    say("2. Each hour the stranger reads it again; what is found first, and when:")
    first = _watch(stage, parts, began)
    for kind in ("unanswered", "due", "overdue"):
        require(kind in first, f"{kind} is found")
        finding, at = first[kind]
        say(f"   {at:%d %B %H:%M} UTC: {finding.severity}: {finding.detail.en}")
    waited = first["overdue"][1] - first["due"][1]
    require(waited <= timedelta(days=1), "a day late is told within a day")
    say(f"   from the first hour in which it is due to the alarm: {waited / _HOUR:.0f} hours")

    say(
        "3. The operator destroys now. The certificate says in which hour: nothing hides the delay."
    )
    for done in destruction.run(parts.tools, now=stage.clock()):
        say(f"   parts {', '.join(done.parts)} destroyed, entry {done.entry_index}")
    left = {f.kind for f in _find(stage, parts) if f.severity == CRITICAL}
    require("overdue" not in left, "what is destroyed is overdue no more")
    require("unanswered" in left, "a request stays unanswered until it is answered")
    late = stage.clock() - first["due"][1]
    say(
        f"   {late / timedelta(days=1):.1f} days after its day; still found: {', '.join(sorted(left))}"
    )


def _object(parts: Parts, stored: Stored, now: datetime) -> None:
    with parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        requests.ask(
            tx, parts.log, standard_ref=parts.standard.ref, org=ORG, bucket=bucket.id, n=stored.n,
            kind=requests.OBJECTION, ground="not-needed", now=now,
        )  # fmt: skip


def _find(stage: Stage, parts: Parts) -> list[Finding]:
    """Return what a stranger finds who reads the whole log for the first time."""
    return stage.monitor(parts, stage.publish(parts, "published")).round(stage.clock()).findings


def _watch(stage: Stage, parts: Parts, began: datetime) -> dict[str, tuple[Finding, datetime]]:
    """Return each kind of finding with the hour in which it was found first, until all of it is."""
    watch = stage.monitor(parts, stage.publish(parts, "published"))
    first: dict[str, tuple[Finding, datetime]] = {}
    while not {"overdue", "unanswered"} <= first.keys() and stage.clock() < began + timedelta(
        days=60
    ):
        stage.clock.instant += _HOUR
        for finding in watch.round(stage.clock()).findings:
            if finding.detail.en.endswith(" 0 records"):
                continue  # a part in which the resident gave nothing
            first.setdefault(finding.kind, (finding, stage.clock()))
    return first
