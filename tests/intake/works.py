"""A made-up factory that has lists, in an installation on either database."""

import csv
import io
from datetime import date, timedelta

from epilock.collect import issue, reissue
from epilock.collect.intake.run import run
from epilock.collect.intake.table import Source
from epilock.collect.point import Field, Plan
from epilock.ledger import entry
from epilock.registry import emergency, mandate, organisation
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import vault

GATE = {
    "name": "identity.name",
    "mobile": "contact.mobile",
    "temperature": "health.temperature",
    "result": "health.test-result",
}
STAFF = {
    "name": "identity.name",
    "mobile": "contact.mobile",
    "employer": "work.employer",
    "occupation": "work.occupation",
}
HEADERS = ("姓名", "手机号", "体温", "核酸检测结果", "身份证号")
ORG = "works"


def person(n):
    return [f"测{chr(0x4E00 + n)}", f"1380000{n:04}", f"36.{n % 10}", "阴性", f"secret-{n}"]


def table(rows, headers=HEADERS, encoding="utf-8"):
    """Bytes of a CSV file."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([headers, *rows])
    return out.getvalue().encode(encoding)


class Works:
    """The installation and what a test does with it again and again."""

    def __init__(self, parts, clock, folder):
        self.parts, self.clock, self.folder = parts, clock, folder
        contact = dict.fromkeys(organisation.CONTACT, "made up")
        with parts.database.write() as tx:
            for org, kind, range_ in (("city", "government", "R4"), (ORG, "workplace", "R1")):
                organisation.register(
                    tx, parts.log, standard_ref=self.ref, org=org, kind=kind, range_=range_,
                    parent=None, area="370102", name=Text("甲", "A"), contact=contact, now=clock(),
                    notice_key=parts.notice_signer(org).vkey,
                )  # fmt: skip
            emergency.declare(
                tx, parts.log, standard_ref=self.ref, authority="city", emergency="flu",
                area="370102", kind="public-health", name=Text("流感", "Flu"), now=clock(),
            )  # fmt: skip
        self.level("II")

    @property
    def ref(self):
        return self.parts.standard.ref

    def level(self, level):
        self.clock.instant += timedelta(seconds=1)  # two changes are never at one instant
        parts = self.parts
        with parts.database.write() as tx:
            emergency.change_level(
                tx, parts.log, standard_ref=self.ref, authority="city", emergency="flu", level=level,
                issuer="City", instrument="No. 1", date_=self.clock().date(), expected_end=None,
                now=self.clock(),
            )  # fmt: skip
        reissue.go_on(parts.database, parts.press, now=self.clock)

    def point(
        self, asked=GATE, circumstance="workplace-entry", *, ordered=True, optional=(), **change
    ):
        """Open a point, on an order of the city if ``ordered``; return its code."""
        parts, now = self.parts, self.clock()
        with parts.database.write() as tx:
            mandate.record_assessment(
                tx, parts.log, standard_ref=self.ref, org=ORG, about=circumstance, now=now,
                date_=date(2026, 3, 14), until=date(2029, 3, 14), sha256="0" * 64,
            )  # fmt: skip
            if ordered:
                mandate.record_mandate(
                    tx, parts.log, standard_ref=self.ref, org=ORG, authority="city",
                    emergency="flu", issuer="City", number="1", date_=date(2026, 3, 14),
                    circumstances=(circumstance,), until=None, now=now,
                )  # fmt: skip
            fields = tuple(
                Field(
                    id=i, category=c, label=parts.standard.categories[c].name, optional=i in optional
                )
                for i, c in asked.items()
            )  # fmt: skip
            plan = Plan(
                **{
                    "emergency": "city/flu", "circumstance": circumstance, "fields": fields,
                    "name": Text("门", "Gate"), "method": "import", **change,
                }
            )  # fmt: skip
            return issue.open_with_notice(tx, parts.press, org=ORG, plan=plan, now=now).point

    def file(self, content, name="list.csv"):
        path = self.folder / name
        path.write_bytes(content)
        return Source(path=str(path), name=name)

    def run(self, point, source, **change):
        values = {"org": ORG, "point": point, "by": "s-tester", "now": self.clock, **change}
        return run(self.parts.intake, source, **values)

    def opened(self):
        """The plaintext of every record, by bucket and number."""
        found = {}
        with self.parts.database.read() as tx:
            for bucket in buckets.listing(tx, ORG):
                for row in tx.all(vault.records, vault.records.c.bucket == bucket.id):
                    opened = vault.open_record(tx, self.parts.keys, ORG, bucket.id, row["n"])
                    found[bucket.name, row["n"]] = b"".join(opened[p] for p in sorted(opened))
        return found

    def said(self, kind):
        """The ledger's entries of one type."""
        with self.parts.database.read() as tx:
            log = self.parts.log
            every = [entry.decode(e) for e in log.entries(tx, 0, log.size(tx))]
        return [e for e in every if entry.kind(e) == kind]

    def tomorrow(self):
        self.clock.instant += timedelta(days=1)
