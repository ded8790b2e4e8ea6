"""Stolen laptop: a volunteer's device is taken while forms that it sealed wait on it.

It holds a public key and sealed boxes. Once its lease has ended, not even the server with all its keys opens them.
"""

import json
from datetime import timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from epilock.assemble import Parts
from epilock.collect import offline
from epilock.collect import point as points
from epilock.collect.form import Form, Submission
from epilock.collect.offline import Lease
from epilock.collect.outbox import Became, Clerk
from epilock.demo import city, life
from epilock.demo.drill.stage import Say, Stage, in_a_city, require, silent
from epilock.demo.people import people
from epilock.errors import ClosedError, ErasedError
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets

ORG = "sunny-garden"
FORMS, SENT = 5, 3
_SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    in_a_city(folder, say, _play)


def _play(stage: Stage, parts: Parts) -> None:
    say, now = stage.say, stage.clock
    life.open_gate(parts, stage.clock, silent)
    say(
        f"1. A laptop takes a gate along for the day, seals {FORMS} forms and sends {SENT} of them."
    )
    lease, form = _take(stage, parts)
    given = _forms(stage, form)
    boxes = [seal(lease, each) for each in given]
    clerk = Clerk(parts.database, parts.keys, parts.standard, parts.writer, ORG)
    for box in boxes[:SENT]:
        became = clerk.bring_in(lease.lease, box, now=now()).became
        require(became is Became.STORED, "what is sent while the lease lasts is stored")
    waiting = boxes[SENT:]
    say(f"   {SENT} stored; {len(waiting)} boxes of {len(waiting[0])} bytes wait on the laptop")

    say("2. It is stolen. The thief has the boxes, the lease and its public key.")
    held = b"".join([*boxes, lease.public, lease.lease.encode()])
    words = [word.encode() for each in given for word in each.fields.values()]
    found = sum(word in held for word in words if len(word) > 4)  # noqa: PLR2004 - shorter ones occur by chance
    say(f"   of {len(words)} answers, those that can be read on it: {found}")
    require(found == 0, "no answer lies on the laptop in the clear")
    _guess(lease, waiting, say)

    say("3. A custodian ends the lease; on the next round the server destroys its half.")
    with parts.database.write() as tx:
        offline.end(tx, offline.load(tx, ORG, lease.lease), now=now())
    gone = offline.forget_ended(parts.database, parts.keys, now=now())
    say(f"   {gone} private key destroyed")
    _too_late(parts, clerk, lease, waiting[0], stage)

    say("4. The thief takes over the whole server too, with its root key and both databases:")
    with parts.database.read() as tx:
        sealed = offline.load(tx, ORG, lease.lease).sealed
        bucket = buckets.load(tx, ORG, lease.bucket).name
    require(sealed is None, "the sealed private key is gone")
    for part in lease.parts:
        try:
            parts.keys.leaf(ORG, bucket, part, lease.number)
        except ErasedError as error:
            say(f"   part {part}: {error}")
        else:
            require(holds=False, promise="the leaves that sealed the private key are gone")

    say("5. The public log tells a stranger what there was, and finds nothing wrong with it:")
    report = stage.monitor(parts, stage.publish(parts, "published")).round(now())
    require(not [f for f in report.findings if f.severity == "critical"], "nothing is found")
    say(f"   {report.size} entries read, {len(report.findings)} findings")
    say(f"   {SENT} of {FORMS} forms kept, {len(waiting)} lost, 0 read by the thief")


def seal(lease: Lease, submission: Submission) -> bytes:
    """Return the box that a browser makes of a filled form."""
    said = {
        "client": submission.client, "notice": submission.notice, "given": submission.given,
        "fields": submission.fields, "language": submission.language,
    }  # fmt: skip
    plain = json.dumps(said).encode()
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), lease.public)
    info = offline.INFO + lease.lease.encode()
    return _SUITE.encrypt(plain + b" " * (-len(plain) % 1024), public, info)


def _take(stage: Stage, parts: Parts) -> tuple[Lease, Form]:
    from_gate = _only_point(parts)
    with parts.database.write() as tx:
        lease = offline.take(
            tx, parts.log, parts.keys, parts.standard, org=ORG, point=from_gate, holder="s-drill",
            most=offline.USUAL, now=stage.clock,
        )  # fmt: skip
        _, _, form = offline.leased_form(tx, parts.standard, lease)
    return lease, form


def _only_point(parts: Parts) -> str:
    with parts.database.read() as tx:
        (found,) = points.listing(tx, ORG)
    return found.point


def _forms(stage: Stage, form: Form) -> list[Submission]:
    today = stage.clock().astimezone(CHINA).date()
    return [
        city.fill(form, person, number)
        for number, person in enumerate(people(FORMS, seed=14, today=today))
    ]


def _guess(lease: Lease, boxes: list[bytes], say: Say) -> None:
    """Try to open the boxes with what a thief can make: keys of their own."""
    tried = 200
    for _ in range(tried):
        own = ec.generate_private_key(ec.SECP256R1())
        for box in boxes:
            try:
                _SUITE.decrypt(box, own, offline.INFO + lease.lease.encode())
            except (InvalidTag, ValueError):
                continue
            require(holds=False, promise="no other key opens a box")
    say(f"   {tried} keys of their own tried: none opens a box (there are about 2^256)")


def _too_late(parts: Parts, clerk: Clerk, lease: Lease, box: bytes, stage: Stage) -> None:
    stage.clock.instant += timedelta(hours=1)
    try:
        clerk.bring_in(lease.lease, box, now=parts.now())
    except ClosedError as error:
        stage.say(f"   a box that comes now is refused: {error}")
    else:
        require(holds=False, promise="nothing comes in under a lease that has ended")
