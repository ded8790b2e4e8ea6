"""What the drills about people with accounts share: a compound with many records, staff, grants, attempts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from epilock.accounts import staff
from epilock.accounts.staff import Staff
from epilock.assemble import Parts
from epilock.demo import city, life
from epilock.demo.drill.stage import Say, Stage, silent
from epilock.demo.people import people
from epilock.errors import AccessError, ForbiddenError, KeysError, RefusedError, StateError
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket
from epilock.use import decision as decisions
from epilock.use import grant as grants
from epilock.use.decision import OPENED, Decision
from epilock.use.grant import Grant

ORG, HEALTH = "sunny-garden", "qinghe-cdc"
WHERE = "residential-entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How somebody asks to open a record; as ``Gate.decide`` takes it."""

    grant: str | None
    purpose: str = "tracing"
    form: str = "masked"
    reason: str = ""


class Insiders:
    """An installation whose compound took in ``many`` records, and what its people do.

    Attributes:
        stage: The stage.
        parts: The installation.
        bucket: Where the records are.
    """

    def __init__(self, folder: Path, say: Say, *, many: int) -> None:
        self.stage = Stage(folder, say)
        self.parts: Parts = self.stage.found("city")
        form = life.open_gate(self.parts, self.stage.clock, silent)
        today = self.stage.clock().astimezone(CHINA).date()
        given = [
            form.accept(city.fill(form, person, number), today=today)
            for number, person in enumerate(people(many, seed=7, today=today), 1)
        ]
        waiting = [self.parts.writer.submit(each) for each in given]
        stored = [each.result() for each in waiting]
        self.numbers = [each.n for each in stored]
        with self.parts.database.read() as tx:
            self.bucket: Bucket = buckets.load_by_name(tx, ORG, stored[0].bucket)

    def hire(self, login: str, *roles: str, org: str = HEALTH) -> Staff:
        """Give somebody an account."""
        with self.parts.database.write() as tx:
            made, _ = staff.add_staff(
                tx, self.parts.log, standard_ref=self.parts.standard.ref, org=org, login=login,
                roles=roles, now=self.stage.clock(),
            )  # fmt: skip
        return made

    def ask(self, who: Staff, subjects: int, *, reason: str, form: str = "masked") -> Grant:
        """Ask for a grant to trace contacts; approved by nobody yet."""
        now = self.stage.clock()
        with self.parts.database.write() as tx:
            return grants.request(
                tx, self.parts.standard, who, source=ORG, purpose="tracing", form=form,
                circumstances=(WHERE,), subjects=subjects, case="QH-2026-0001", reason=reason,
                until=now + timedelta(days=3), now=now,
            )  # fmt: skip

    def approve(self, grant: Grant, by: Staff) -> Grant:
        """Approve it."""
        with self.parts.database.write() as tx:
            return grants.decide(
                tx, self.parts.log, self.parts.keys, standard_ref=self.parts.standard.ref, org=grant.org,
                grant=grant.grant, by=by, approve=True, now=self.stage.clock(),
            )  # fmt: skip

    def open(self, who: Staff, n: int, how: How) -> Decision:
        """Have the gate decide about record ``n``, and open what it lets.

        Raises:
            ForbiddenError: It refused; by which rule is said.
        """
        now = self.stage.clock()
        with self.parts.database.write() as tx:
            decided = self.parts.gate.decide(
                tx, who, source=ORG, places=[(self.bucket.id, n)], purpose=how.purpose,
                form=how.form, grant=how.grant, reason=how.reason, now=now,
            )  # fmt: skip
        if decided.verdict != OPENED:
            raise ForbiddenError(decided.rule)
        with self.parts.database.read() as tx:
            self.parts.gate.reveal(tx, decided)
        return decided

    def seen_by(self, n: int) -> list[Decision]:
        """Return what the person of record ``n`` sees of openings, by the receipt."""
        with self.parts.database.read() as tx:
            return decisions.history(tx, ORG, self.bucket.id, n)

    def refused(self, what: str, attempt: Callable[[], object]) -> bool:
        """Say that an attempt was refused, and why; tell whether it was."""
        try:
            attempt()
        except (AccessError, RefusedError, KeysError, StateError) as error:
            self.stage.say(f"   {what}: refused: {error}")
            return True
        return False
