"""A made-up town whose data ends: an office under a city, an emergency with levels, records in buckets.

Everything is real: database, ledger, key store, standard, clock. ``Estate.findings`` reads the whole log as a
stranger would, so that each test can ask whether what was done can stand in public.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import msgspec

from epilock.db import Database, Transaction
from epilock.destroy import run
from epilock.destroy.run import Tools
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard import load
from epilock.standard.level import CHINA
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import Bucket
from epilock.store.keys import KeyStore

CITY, ORG, OTHER, EMERGENCY = "jinan", "sunny", "school-3", "outbreak-7"
CUSTODIAN, APPROVER, SUPERVISOR = "s-anna", "s-bao", "s-chen"
START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
DAY = date(2026, 3, 14)
NOTICE = "ab" * 32
POINT = {ORG: f"{ORG}.k3f7q2", OTHER: f"{OTHER}.k3f7q2"}
GATE, DELIVERY, VACCINE, CLINIC = "residential-entry", "supplies", "vaccination", "quarantine"
CONTACT = dict.fromkeys(organisations.CONTACT, "made up")


def noon(day: date) -> datetime:
    """Noon of a day in China."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=CHINA).astimezone(UTC)


def midnight_after(day: date) -> datetime:
    """The first instant after a day in China."""
    return noon(day) + timedelta(hours=12)


class Crash(Exception):  # noqa: N818 - it is the machine that goes, not an error of ours
    """The process ends here."""


class Crashing:
    """A ``step`` that goes on until the named one, where the process ends; ``None`` never ends."""

    def __init__(self, at: str | None = None) -> None:
        self.at = at
        self.seen: list[str] = []

    def __call__(self, step: str) -> None:
        self.seen.append(step)
        if step == self.at:
            raise Crash(step)


class Estate:
    """The town."""

    def __init__(self, database: Database, keys: KeyStore, log: Log) -> None:
        self.standard = load()
        self.tools = Tools(database=database, keys=keys, log=log, standard=self.standard)
        self.database, self.keys, self.log = database, keys, log
        with database.write() as tx:
            for org, parent in ((CITY, None), (ORG, CITY), (OTHER, CITY)):
                organisations.register(
                    tx, log, standard_ref=self.ref, org=org, kind="government", range_="R3",
                    parent=parent, area="370102", name=Text(org, org), contact=CONTACT,
                    notice_key="made-up", now=START,
                )  # fmt: skip
            emergencies.declare(
                tx, log, standard_ref=self.ref, authority=CITY, emergency=EMERGENCY,
                kind="public-health", area="370102", name=Text("疫情", "outbreak"), now=START,
            )  # fmt: skip
        self.level("I", START)
        self._points: set[str] = set()

    @property
    def ref(self) -> str:
        return self.standard.ref

    def level(self, code: str, at: datetime) -> None:
        with self.database.write() as tx:
            emergencies.change_level(
                tx, self.log, standard_ref=self.ref, authority=CITY, emergency=EMERGENCY, level=code,
                issuer="市指挥部", instrument="3号", date_=at.date(), expected_end=None, now=at,
            )  # fmt: skip

    def assess(self, about: str = "hold", until: date = date(2027, 3, 1), org: str = ORG) -> str:
        with self.database.write() as tx:
            return mandates.record_assessment(
                tx, self.log, standard_ref=self.ref, org=org, about=about, date_=DAY, until=until,
                sha256="0" * 64, now=noon(DAY),
            )  # fmt: skip

    def ensure(
        self, tx: Transaction, circumstance: str = GATE, day: date = DAY, org: str = ORG
    ) -> Bucket:
        return buckets.ensure(
            tx, self.log, self.keys, self.standard, org=org, authority=CITY, emergency=EMERGENCY,
            circumstance=circumstance, day=day, now=noon(day),
        )  # fmt: skip

    def bucket(
        self,
        many: int = 3,
        *,
        circumstance: str = GATE,
        day: date = DAY,
        org: str = ORG,
        parts: Sequence[str] | None = None,
        lease_until: datetime | None = None,
    ) -> Bucket:
        """A bucket with ``many`` more records, each of all its parts (or of ``parts``)."""
        with self.database.write() as tx:
            self._declare_point(tx, org, circumstance)
            bucket = self.ensure(tx, circumstance, day, org)
            sealer = vault.take_sealer(
                tx, self.log, self.keys, bucket, standard_ref=self.ref, holder="w",
                until=lease_until or buckets.lease_end(bucket, noon(day)), now=noon(day),
            )  # fmt: skip
            for _ in range(many):
                self.keep(tx, bucket, sealer, parts)
        return self.load(bucket)

    def keep(self, tx, bucket, sealer, names=None) -> int:
        """Seal and keep one record."""
        n = sealer.take()
        plain = self.plain(bucket, n, names)
        sealed = sealer.seal(n, plain)
        said = entry.Collect(
            org=bucket.org, standard=self.ref, point=self._point(bucket), bucket=bucket.name, n=n,
            notice=NOTICE, parts=sorted(plain), commitment=sealed.commitment.hex(),
        )  # fmt: skip
        index = self.log.append(tx, [entry.encode(said)], now=noon(bucket.day)).first
        row = vault.record_row(
            org=bucket.org, bucket=bucket.id, n=n, point=self._point(bucket), entry_index=index,
            handle=handle(bucket, n), notice=NOTICE, parts=sorted(plain), language="zh", given=1,
            minor=0, at=noon(bucket.day), digest=bytes(16),
        )  # fmt: skip
        vault.keep(tx, [row], sealed.rows)
        key = self.keys.tag_key(bucket.org, bucket.emergency)
        terms = tags.terms(tags.parse(plain))
        tags.keep(
            tx,
            tags.tag_rows(self.keys.suite_of(bucket.org), key, (bucket.org, bucket.id, n), terms),
        )
        return n

    def plain(self, bucket: Bucket, n: int, names: Sequence[str] | None = None) -> dict[str, bytes]:
        """What record ``n`` says: a made-up value for each category."""
        parts = {p.name: p for p in self.standard.parts(bucket.circumstance)}
        return {
            name: msgspec.json.encode(
                {c: {"f": f"138{n:08}"} for c in parts[name].categories}, order="sorted"
            )
            for name in names or bucket.live
        }

    def run(self, now: datetime, step: Crashing | None = None, **how):
        return run.run(replace(self.tools, step=step or Crashing()), now=now, **how)

    def complete(self, now: datetime):
        return run.complete(self.tools, now=now)

    def load(self, bucket: Bucket) -> Bucket:
        with self.database.read() as tx:
            return buckets.load(tx, bucket.org, bucket.id)

    def states(self, bucket: Bucket) -> dict[str, str]:
        with self.database.read() as tx:
            return dict(buckets.part_states(tx, bucket.org, bucket.id))

    def record(self, bucket: Bucket, n: int) -> vault.Record:
        with self.database.read() as tx:
            return vault.find_record(tx, bucket.org, bucket.id, n)

    def open(self, bucket: Bucket, n: int, *names: str) -> dict[str, bytes]:
        with self.database.read() as tx:
            return vault.open_record(tx, self.keys, bucket.org, bucket.id, n, names or None)

    def receipt(self, bucket: Bucket, n: int) -> str:
        """The ``.tlog-proof`` of the record's entry."""
        with self.database.read() as tx:
            record = vault.find_record(tx, bucket.org, bucket.id, n)
            return self.log.proof(tx, record.entry_index)

    def said(self, *kinds: type[entry.Entry]) -> list[entry.Entry]:
        """Entries of the log, of these types."""
        with self.database.read() as tx:
            data = self.log.entries(tx, 0, self.log.size(tx))
        return [e for e in map(entry.decode, data) if isinstance(e, kinds or entry.Entry)]

    def findings(self, now: datetime) -> list[tuple[str, str]]:
        """What a stranger finds wrong with the log: (kind, about)."""
        auditor = Auditor(StandardRules([self.standard]))
        for index, each in enumerate(self.said()):
            auditor.read(index, each)
        return [(f.kind, f.about) for f in auditor.conclude(now).all()]

    def _point(self, bucket: Bucket) -> str:
        return f"{bucket.org}.{bucket.circumstance.replace('-', '')[:6]}"

    def _declare_point(self, tx: Transaction, org: str, circumstance: str) -> None:
        point = f"{org}.{circumstance.replace('-', '')[:6]}"
        if point in self._points:
            return
        self._points.add(point)
        head = {"org": org, "standard": self.ref, "at": entry.stamp(START + timedelta(minutes=1))}
        said = [
            entry.Point(
                **head, point=point, authority=CITY, emergency=EMERGENCY, circumstance=circumstance,
                method="qr-form", media=["vault"], categories=[], optional=[], mandate=None,
                basis="emergency", assessment=None,
            ),
            entry.Notice(
                **head, point=point, version=1, level="I", languages=["zh"], sha256=NOTICE
            ),
        ]  # fmt: skip
        self.log.append(tx, [entry.encode(e) for e in said], now=START)


def handle(bucket: Bucket, n: int) -> bytes:
    return vault.handle_of(f"{bucket.name} {n}".encode()[-16:].rjust(16))
