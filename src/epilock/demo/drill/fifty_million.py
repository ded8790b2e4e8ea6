"""Fifty million: a stolen account, then a stolen process, try to take everything.

What an account can take is the sum of its grants and ten openings in an emergency that nobody has reviewed; what
a process of the pages can take is the key service's bound of a day or, where grants are signed, what approvers'
passkeys signed, records and whole parts, and a few records besides. None of it grows with what is stored.
"""

from collections import Counter
from datetime import timedelta
from itertools import product
from pathlib import Path

import msgspec

from epilock.assemble import INSTALLATION
from epilock.demo.drill.device import ORIGIN, PRESENT, Device
from epilock.demo.drill.insiders import HEALTH, ORG, How, Insiders
from epilock.demo.drill.stage import Say, require
from epilock.errors import ConflictError, EpilockError, ForbiddenError, InputError, RateError
from epilock.store import approval
from epilock.store.approval import Statement, StatementOfMany
from epilock.store.keys import KeyStore
from epilock.store.keyservice import granted
from epilock.store.keyservice.desk import Desk, Limits, sealing
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.grant import Grant

MANY, SUBJECTS = 300, 5
OPENINGS = 20  # of the key service in this drill, for one organisation and day
ALONE = 7  # of them without a grant, where grants are signed
PARTS = 1  # that a count which was signed reads whole


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    drill = Insiders(folder, say, many=MANY)
    doctor, second = drill.hire("doctor", "analyst"), drill.hire("second", "approver")
    say(
        f"1. {MANY} residents gave. A doctor has leave for {SUBJECTS} of them, approved by another."
    )
    grant = drill.approve(drill.ask(doctor, SUBJECTS, reason="contacts of a case"), second)

    say("2. Somebody has the doctor's password and second factor, and asks for everything:")
    taken: set[int] = set()
    why: Counter[str] = Counter()
    ways = (
        How(grant=grant.grant),
        How(grant=None, purpose="treatment", form="raw", reason="patient came in"),
    )
    for n in drill.numbers:
        for how in ways:
            try:
                drill.open(doctor, n, how)
            except ForbiddenError as error:
                why[str(error)] += 1
            else:
                taken.add(n)
                break
    for rule, times in sorted(why.items()):
        say(f"   refused {times} times by {rule}")
    bound = SUBJECTS + reviews.MOST_OUTSTANDING
    say(f"   taken: {len(taken)} of {MANY}; the account's bound was {bound}")
    require(len(taken) <= bound, "an account takes no more than its bound")
    require(len(drill.numbers) > 10 * bound, "there was more to be had")

    say("3. More leave, asked for by the thief, opens nothing alone:")
    more = drill.ask(doctor, 10_000, reason="all contacts")
    last = drill.numbers[-1]
    opened = not drill.refused(
        "10,000 subjects", lambda: drill.open(doctor, last, How(grant=more.grant))
    )
    require(not opened, "a grant that nobody approved opens nothing")
    require(
        drill.refused("to approve it oneself", lambda: drill.approve(more, doctor)),
        "who asks does not approve",
    )

    say("4. Who sees it, and when:")
    with drill.parts.database.read() as tx:
        waiting = len(reviews.outstanding(tx, HEALTH))
    seen = [n for n in taken if drill.seen_by(n)]
    refusals = sum(why.values())
    say(f"   openings without leave that wait for a second person's review: {waiting}")
    say(f"   residents who see it by their receipt: {len(seen)} of {len(taken)}")
    report = drill.stage.monitor(drill.parts, drill.stage.publish(drill.parts, "published")).round(
        drill.stage.clock()
    )
    say(
        f"   entries about it in the public log: {len(taken) + refusals} decisions, before each answer"
    )
    require(len(seen) == len(taken), "each opening is seen by its person")
    require(not report.conflicts, "the log is one")

    say("5. Somebody has the whole process of the pages, and the keys are in another:")
    store = drill.parts.key_store()
    got = _from_service(store, drill, say)
    require(got == OPENINGS, "the key service gives its bound of a day and no more")
    say(
        f"{len(taken)} and {got} of {MANY}; with fifty million stored the same {bound} and, by default, "
        f"{Limits().openings} a day. Seen before the first answer. Not stopped: those."
    )
    say("6. The same, and the key service opens only under grants that a passkey signed:")
    device = Device(HEALTH, second.staff)
    signed = _from_signed(store, drill, grant, device, say)
    require(signed == SUBJECTS + ALONE, "it gives what was signed, a few without, and no more")
    say(
        f"{signed} of {MANY}: {SUBJECTS} by the grant that was signed, {ALONE} a day without one. Not stopped: "
        "these, and an approver who signs more than they read."
    )
    drill.parts.close()


def _from_service(store: KeyStore, drill: Insiders, say: Say) -> int:
    """Return how many records a client that does as it likes opens in a day."""
    limits = Limits(openings=OPENINGS, wait=timedelta(hours=24))
    desk, part, name = (
        Desk(store, limits, drill.stage.clock),
        drill.bucket.parts[0],
        drill.bucket.name,
    )
    desk.adopt([(ORG, name, drill.bucket.parts, 0)])
    opened = 0
    for n in drill.numbers:
        try:
            desk.leaf(ORG, name, part, n)
        except RateError as error:
            say(f"   after {opened}: {error}")
            break
        opened += 1
    tried = {
        "the seed of all of them": lambda: desk.lease(ORG, name, part, 0, b"t" * 16),
        "the whole part": lambda: desk.whole(ORG, name, part),
        "to destroy them": lambda: desk.destroy(ORG, drops=[(name, part)]),
        "the key that signs the log": lambda: desk.secret(INSTALLATION, "log"),
    }
    for what, attempt in tried.items():
        require(drill.refused(what, attempt), f"a client does not get {what}")
    return opened


def _from_signed(store: KeyStore, drill: Insiders, grant: Grant, device: Device, say: Say) -> int:
    """Return how many records a client opens that has the main database, its seals and the wire."""
    clock, site = drill.stage.clock, approval.site(ORIGIN)
    limits = Limits(alone=ALONE, parts=len(drill.bucket.parts), wait=timedelta(hours=24))
    desk = Desk(store, limits, clock, site=site)
    granted.add(sealing(store), HEALTH, device.approver, now=clock())
    said = grant.statement()
    answer = device.sign(said.challenge())
    desk.register(said.encoded(), answer)
    more = msgspec.structs.replace(said, grant="g-aaaaaaaaaaaa", subjects=10_000)
    thief = Device(HEALTH, device.approver.staff, 2)
    wider = msgspec.structs.replace(said, subjects=10_000)
    tries = {
        "the answer replayed for another grant": (more, answer),
        "the signed grant, with more subjects": (wider, answer),
        "a grant that the thief's own passkey signed": (more, thief.sign(more.challenge())),
        "one signed at another site": (more, device.sign(more.challenge(), origin="https://e.example")),
        "one signed by a device that nobody unlocked": (more, device.sign(more.challenge(), flags=PRESENT)),
    }  # fmt: skip
    for what, (statement, assertion) in tries.items():
        try:
            desk.register(statement.encoded(), assertion)
        except (ForbiddenError, ConflictError, InputError) as error:
            say(f"   {what}: refused: {error}")
        else:
            require(holds=False, promise=f"the key service refuses {what}")
    with drill.parts.database.write() as tx:  # it has the secret of the rows' seals
        tx.update(grants.grants, {"org": HEALTH, "grant": grant.grant}, subjects=10_000, used=0)
    ways = ((HEALTH, grant.grant), (HEALTH, more.grant), (ORG, grant.grant), None)
    part, name = drill.bucket.parts[0], drill.bucket.name
    opened = set()
    for n in drill.numbers:
        for under in ways:
            try:
                desk.leaf(ORG, name, part, n, under)
            except EpilockError:
                continue
            opened.add(n)
            break
    say(f"   with the grant's row rewritten to 10,000 subjects: {len(opened)} records open")
    _whole_parts(desk, drill, said, device, say)
    return len(opened)


def _whole_parts(desk: Desk, drill: Insiders, said: Statement, device: Device, say: Say) -> None:
    """Try to have whole parts, each of which is all records of the day."""
    count = {"grant": "g-bbbbbbbbbbbb", "form": "aggregate"}
    many = StatementOfMany(**(msgspec.structs.asdict(said) | count), parts=PARTS)
    under = (many.org, many.grant)

    def got() -> int:
        found = 0
        for part, way in product(drill.bucket.parts, (None, (said.org, said.grant), under)):
            try:
                desk.whole(ORG, drill.bucket.name, part, way)
            except EpilockError:
                continue
            found += 1
        return found

    before = got()
    desk.register(many.encoded(), device.sign(many.challenge()))
    after = got()
    say(
        f"   whole parts: {before} of {len(drill.bucket.parts)}; when an approver signed a count that reads "
        f"{PARTS}: {after}"
    )
    require((before, after) == (0, PARTS), "whole parts are as many as were signed for")
