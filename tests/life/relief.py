"""A point that registers people for relief, analysts of the city, and what a test does with releases of it."""

from datetime import date

from sampled import Clinic

from epilock.beside import Works
from epilock.destroy import erasure
from epilock.destroy import run as destruction
from epilock.ledger import entry
from epilock.use.release import register
from epilock.use.release.question import Question
from epilock.use.release.run import Maker

DAY = date(2026, 3, 14)
ASKED = {
    "name": "identity.name", "id": "identity.resident-id", "mobile": "contact.mobile",
    "address": "contact.address", "household": "need.household-size", "loss": "relief.loss",
}  # fmt: skip
PERSON = {"name": "欧阳测试", "id": "370102199003070913", "mobile": "13912345678"}
FIELDS = {
    "contact.address": "address", "need.household-size": "household", "relief.loss": "sensitive",
}  # fmt: skip
LOSSES = ("roof", "car", "crops")


class Relief(Clinic):
    """The point, its analyst and approver."""

    def __init__(self, town):
        super().__init__(town, "relief-compensation", ASKED)
        self.analyst = self.hire("city", "analyst", "analyst")
        self.approver = self.hire("city", "approver", "approver")
        self.maker = Maker(self.parts.gate, self.parts.database, town.clock, Works())
        self.grant = self.leave(
            self.analyst, self.approver, purpose="governance", form="deidentified", subjects=10,
            circumstances=("relief-compensation",),
        )  # fmt: skip

    def register(self, many, street="泉城路街道", *, loss=None, without=()):
        """Store ``many`` records of one street; return their places."""
        answers = (
            {
                **PERSON, "address": f"山东省济南市历下区{street}{i}号", "household": str(1 + i % 2),
                "loss": loss or LOSSES[i % 3],
            }
            for i in range(many)
        )  # fmt: skip
        return self.keep(*answers, without=without)

    def question(self, **change):
        return Question(
            **{
                "source": "garden", "emergency": "flu", "circumstance": "relief-compensation",
                "since": DAY, "until": DAY, "fields": FIELDS, "suppressed": 5, "search": "optimal",
                **change,
            }
        )  # fmt: skip

    def ask(self, who=None, grant=None, **change):
        with self.parts.database.write() as tx:
            return register.decide(
                self.parts.gate, tx, who or self.analyst, question=self.question(**change),
                grant=(grant or self.grant).grant, now=self.town.clock(),
            )  # fmt: skip

    def step(self, found):
        return self.maker.step(found.org, found.release)

    def request(self, found):
        with self.parts.database.write() as tx:
            return register.request(tx, found, self.analyst, now=self.town.clock())

    def judge(self, found, *, by=None, approve=True):
        with self.parts.database.write() as tx:
            return register.judge(
                tx, self.parts.log, found, by or self.approver, standard_ref=self.ref,
                approve=approve, read=found.sha256 or "", now=self.town.clock(),
            )  # fmt: skip

    def previewed(self, **change):
        return self.step(self.ask(**change))

    def released(self, **change):
        """A release that left, or what became of it instead."""
        found = self.previewed(**change)
        if found.stage != register.PREVIEWED:
            return found
        return self.step(self.judge(self.request(found)))

    def erase(self, *places):
        """Erase records, as when people withdraw."""
        for bucket, n in places:
            with self.parts.database.write() as tx:
                erasure.erase(
                    tx, self.parts.log, self.parts.standard, org="garden", bucket=bucket, n=n,
                    reason="withdrawal", now=self.town.clock(),
                )  # fmt: skip
        destruction.run(self.parts.tools, now=self.town.clock())

    def said(self, *kinds):
        """The entries of these kinds."""
        with self.parts.database.read() as tx:
            log = self.parts.log
            told = [entry.decode(d) for d in log.entries(tx, 0, log.size(tx))]
        return [e for e in told if isinstance(e, kinds)]
