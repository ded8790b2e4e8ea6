"""Points of other circumstances in the town: one takes samples, others what a test asks for."""

from datetime import timedelta
from uuid import uuid4

import passwords
from epilock.accounts import staff
from epilock.collect import issue
from epilock.collect.form import Submission
from epilock.collect.point import Field, Plan
from epilock.registry import mandate
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.use import grant

ASKED = {
    "name": "identity.name", "id": "identity.resident-id", "mobile": "contact.mobile",
    "sample": "health.sample-id", "result": "health.test-result",
}  # fmt: skip
PERSON = {
    "name": "欧阳测试", "id": "370102199003070913", "mobile": "13912345678", "sample": "S-1",
}  # fmt: skip


class Clinic:
    """A point, and what a test does with it again and again."""

    def __init__(self, town, circumstance="sampling", asked=ASKED):
        self.town, self.parts, self.circumstance, self.asked = town, town.parts, circumstance, asked
        self.ref, today = self.parts.standard.ref, town.clock().date()
        fields = tuple(
            Field(id=i, category=c, label=self.parts.standard.categories[c].name, optional=False)
            for i, c in asked.items()
        )
        methods = self.parts.standard.circumstances[circumstance].methods
        plan = Plan(
            method="qr-form" if "qr-form" in methods else "interview",
            emergency="city/flu", circumstance=circumstance, name=Text("采样", "Samples"),
            fields=fields,
        )  # fmt: skip
        with self.parts.database.write() as tx:
            mandate.record_assessment(
                tx, self.parts.log, standard_ref=self.ref, org="garden", about=circumstance,
                date_=today, until=today + timedelta(days=90), sha256="0" * 64, now=town.clock(),
            )  # fmt: skip
            self.point = issue.open_with_notice(
                tx, self.parts.press, org="garden", plan=plan, now=town.clock()
            ).point

    def take(self, *results, without=(), **person):
        """Store a record for each result; return their places. ``without``: acts not given."""
        given = {k: v for k, v in {**PERSON, **person}.items() if k in self.asked}
        return self.keep(*({**given, "result": r} for r in results), without=without)

    def keep(self, *answers, without=()):
        """Store a record for each of ``answers``; return their places."""
        with self.parts.database.read() as tx:
            point, issued = issue.in_force(tx, "garden", self.point)
        form = issue.form_of(self.parts.standard, point, issued)
        given = [a for a in form.acts.ids if a != "guardian" and a not in without]
        accepted = [
            form.accept(
                Submission(
                    client=str(uuid4()), notice=form.notice, given=given,
                    fields=fields,
                ),
                today=self.town.clock().date(),
            )
            for fields in answers
        ]  # fmt: skip
        stored = self.town.store(*accepted)
        with self.parts.database.read() as tx:
            return [(buckets.load_by_name(tx, "garden", s.bucket).id, s.n) for s in stored]

    def hire(self, org, login, *roles):
        with self.parts.database.write() as tx:
            return staff.add_staff(
                tx, self.parts.log, standard_ref=self.ref, org=org, login=login, roles=roles,
                now=self.town.clock(), once=passwords.once(),
            )[0]  # fmt: skip

    def leave(self, who, by, **change):
        """A grant, asked for and approved."""
        now = self.town.clock()
        with self.parts.database.write() as tx:
            asked = grant.request(
                tx, self.parts.standard, who, now=now,
                **{
                    "source": "garden", "purpose": "situation-monitoring", "form": "aggregate",
                    "circumstances": ("sampling",), "subjects": 5, "case": None,
                    "reason": "daily report", "until": now + timedelta(days=20), **change,
                },
            )  # fmt: skip
            return grant.decide(
                tx, self.parts.log, self.parts.keys, standard_ref=self.ref, org=who.org, grant=asked.grant, by=by,
                approve=True, assertion=self.sign(by, asked), now=now,
            )  # fmt: skip

    def sign(self, by, asked):
        """What the passkey of ``by`` signs."""
        return ""
