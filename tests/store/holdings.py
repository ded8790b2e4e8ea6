"""Made-up buckets, records and plaintext for the tests of the store."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import SimpleNamespace

import msgspec

from epilock.db import Transaction
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import Bucket
from epilock.store.keys import KeyStore
from epilock.store.seal import Sealer

ORG, POINT = "sunny-garden", "sunny-garden.k3f7q2"
NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
DAY = date(2026, 3, 14)
NOTICE = "ab" * 32


class Rules:
    """The two things the store asks of a standard: its reference, and the parts of a circumstance."""

    ref = "2026.1+0123456789abcdef"

    def __init__(self, *names: str) -> None:
        self._names = names or ("2-IV", "3-II")

    def parts(self, circumstance: str) -> tuple[SimpleNamespace, ...]:
        del circumstance
        return tuple(SimpleNamespace(name=name) for name in self._names)


RULES = Rules()


def plaintext(i: int = 0) -> dict[str, dict[str, dict[str, str]]]:
    """A record of ``RULES``' parts: a made-up subject, and a made-up emergency contact."""
    return {
        "2-IV": {
            "identity.name": {"name": f"张三{i}"},
            "contact.mobile": {"mobile": f"138{i:08}"},
        },
        "3-II": {
            "contact.emergency-contact": {"contact": f"李四 139-{i // 10000:04}-{i % 10000:04}"}
        },
    }


def encode(plain: dict[str, dict[str, dict[str, str]]]) -> dict[str, bytes]:
    return {part: msgspec.json.encode(p, order="sorted") for part, p in plain.items()}


@dataclass
class World:
    """Everything a writer needs, in one transaction after the other."""

    keys: KeyStore
    log: Log

    def ensure(
        self, tx: Transaction, day: date = DAY, clock: str = "collection", **change
    ) -> Bucket:
        values = {
            "org": ORG, "authority": "jinan", "emergency": "outbreak-7",
            "circumstance": "residential-entry", "now": NOW,
        } | change  # fmt: skip
        rules = values.pop("rules", RULES)
        return buckets.ensure(tx, self.log, self.keys, rules, day=day, clock=clock, **values)

    def sealer(self, tx: Transaction, bucket: Bucket) -> Sealer:
        return vault.take_sealer(
            tx, self.log, self.keys, bucket, standard_ref=RULES.ref, holder="writer-1",
            until=buckets.lease_end(bucket, NOW), now=NOW,
        )  # fmt: skip

    def collect(self, tx: Transaction, sealer: Sealer, *plains: dict) -> list[int]:
        """Do what the writer does for a batch: seal, enter, keep; return the numbers."""
        bucket = sealer.bucket
        key = self.keys.tag_key(bucket.org, bucket.emergency)
        numbers, entries, sealed, tagged = [], [], [], []
        for plain in plains:
            n = sealer.take()
            done = sealer.seal(n, encode(plain))
            said = entry.Collect(
                org=bucket.org, standard=RULES.ref, point=POINT, bucket=bucket.name, n=n,
                notice=NOTICE, parts=sorted(plain), commitment=done.commitment.hex(),
            )  # fmt: skip
            entries.append(entry.encode(said))
            numbers.append(n)
            sealed += done.rows
            tagged += tags.tag_rows(
                self.keys.suite_of(bucket.org), key, (bucket.org, bucket.id, n), tags.terms(plain)
            )
        first = self.log.append(tx, entries, now=NOW).first
        rows = [
            vault.record_row(
                org=bucket.org, bucket=bucket.id, n=n, point=POINT, entry_index=first + i,
                handle=handle(bucket, n), notice=NOTICE, parts=sorted(plains[i]), language="zh",
                given=3, minor=0, at=NOW, digest=bytes(16),
            )
            for i, n in enumerate(numbers)
        ]  # fmt: skip
        vault.keep(tx, rows, sealed)
        tags.keep(tx, tagged)
        return numbers


def handle(bucket: Bucket, n: int) -> bytes:
    return vault.handle_of(f"{bucket.name} {n}".encode()[-16:].rjust(16))
