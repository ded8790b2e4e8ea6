"""What the log says happened after a snapshot, done again to a database that does not know of it.

The entries say what was destroyed, erased, ended and held; they do not say what was collected, for they commit to
content and never hold it. So what takes away is replayed whole, and what was given is lost, by number:

  - ``bucket``, ``lease``: the rows are made again, so that no bucket and no number is given twice.
  - ``collect``, ``event``: a record of which nothing is left; it is announced as erased, for the reason ``lost``,
    so its key dies, its number is dead, and every certificate still counts right.
  - ``erasure``, ``erased``, ``correct``, ``destroy``, ``certificate``, a study's end: keys and rows go again.
  - ``role``, ``grant-revoked``, ``point-closed``, ``level``, ``hold``, ``hold-released``, ``freeze``,
    ``freeze-lifted``, ``order-cancelled``, ``privacy-budget``, ``noisy-release``: the registers lose, or are bound by, what they would else have back. An account that was
    ended, or reset (decision 12), is shut until it is reset again, for its old password was taken from somebody.
  - ``notice``: made once more from the registers, and kept if it has the hash that the entry names.
  - ``policy``, ``log-key``, ``log-key-ended``: the log itself.

Of everything else the row is missing, and ``inventory`` names it with the entry that speaks of it.

Rules kept in this file:
  1. Everything is one transaction of the main database, that in which the entries were adopted. Keys are
     destroyed before it commits: a crash in between leaves them gone and the next call does the rest.
  2. What is there already is left as it is, so that repeating is harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from epilock.accounts.recovery import recovery_codes
from epilock.accounts.session import sessions
from epilock.accounts.staff import shut_out, staff
from epilock.backup.adopt import Adopted
from epilock.collect import issue
from epilock.collect.issue import Press
from epilock.collect.point import points
from epilock.db import Transaction
from epilock.deidentify.noise.budget import noisy_releases, privacy_budgets, privacy_datasets
from epilock.deidentify.pseudonyms import study as studies
from epilock.destroy import intent as intents
from epilock.destroy.freeze import FROZEN, LIFTED, freezes
from epilock.destroy.hold import holds
from epilock.destroy.intent import DESTROY, ERASE
from epilock.destroy.order import CANCELLED, orders
from epilock.destroy.run import Tools
from epilock.errors import IntegrityError, StateError
from epilock.ledger import entry as e
from epilock.ledger import keyring, regime
from epilock.ledger.shards import entries_at
from epilock.registry.emergency import levels
from epilock.standard.level import midnight
from epilock.store import bucket as buckets
from epilock.store import removal, vault
from epilock.store.bucket import DESTROYED, DYING, LIVE, Bucket, bucket_parts, leases
from epilock.use.grant import REVOKED, grants

CHUNK = 1000
LOST = "lost"  # the reason of the erasures of what can't be brought back
NOBODY = "before the restore"  # who holds a lease that was given after the snapshot

Place = tuple[str, int]  # name of a bucket, number


@dataclass(slots=True)
class Replayed:
    """What was done again.

    Attributes:
        lost: Records whose content is gone, by place, in the order of the log.
        erased: Records that were erased again, in whole or in part.
        destroyed: Buckets of which parts were destroyed again.
    """

    lost: list[Place] = field(default_factory=list)
    erased: int = 0
    destroyed: int = 0


class Replay:
    """One pass over the adopted entries: ``read``, and if nobody has seen more of the log, ``end``.

    Args:
        tx: The transaction in which the entries were adopted.
        tools: The installation.
        press: What a notice is made with.
        adopted: The entries.
        now: When.
    """

    def __init__(
        self, tx: Transaction, tools: Tools, press: Press, adopted: Adopted, now: datetime
    ) -> None:
        self.tx, self.tools, self.press, self.adopted, self.now = tx, tools, press, adopted, now
        self.done = Replayed()
        self.given: dict[Place, str] = {}  # records that came after the snapshot: whose they are
        self.moved: dict[Place, int] = {}  # entry that moved a record
        self.punctures: dict[str, list[tuple[str, str, int]]] = {}
        self.drops: dict[str, list[tuple[str, str]]] = {}

    def read(self) -> None:
        """Do again what the entries say, in rows.

        Raises:
            StateError: The log was sealed after the snapshot.
            IntegrityError: The key database lacks a key of the log, or a policy is not the one announced.
        """
        first, end = self.adopted.first, self.adopted.end
        while chunk := entries_at(self.tx, self.tools.log, first, min(CHUNK, end - first)):
            for index, data in enumerate(chunk, first):
                self._one(index, e.decode(data))
            first += len(chunk)

    def end(self) -> Replayed:
        """Destroy the keys of what is gone, and announce what is lost; ``destroy.run.complete`` does the rest.

        Raises:
            KeysError, TamperedError: As ``KeyStore.destroy``.
        """
        self._destroy_keys()
        self._announce_lost()
        for table in (sessions, recovery_codes):  # which of them were ended since, no entry tells
            self.tx.conn.execute(sa.delete(table))
        return self.done

    def _one(self, index: int, said: e.Entry) -> None:  # noqa: C901, PLR0912 - a line for each kind
        """Do again what one entry says."""
        match said:
            case e.Bucket():
                self._bucket(said)
            case e.Lease():
                self._lease(said)
            case e.Collect():
                place = self._place(said.org, said.bucket)
                self._give(index, place, said.n, (said.point, said.notice), said.parts)
            case e.Event():
                self._event(index, said)
            case e.Correct():
                to = self._place(said.org, said.by_bucket)
                self._move(index, said.org, (said.bucket, said.n), (to.id, said.by_n))
            case e.Erasure():
                self._erasure(said)
            case e.Erased():
                self._erased(index, said)
            case e.Destroy():
                self._destroy(said)
            case e.Certificate():
                self._certificate(index, said)
            case e.Study():
                self._study(said)
            case e.LogSealed():
                raise StateError(
                    "the log was sealed after the backup: it takes nothing more; restore the main database of a"
                    " backup that was made after that"
                )
            case e.Policy():
                self._policy(index, said)
            case e.LogKey() | e.LogKeyEnded():
                self._log_key(index, said)
            case _:
                self._registers(said)

    # -- records ---------------------------------------------------------------------------------------

    def _bucket(self, said: e.Bucket) -> None:
        org, tx = said.org, self.tx
        self.tools.keys.add_bucket(org, said.bucket, said.parts)
        self.tools.keys.add_tag_key(org, said.emergency)
        row = tx.find(buckets.buckets, org=org, name=said.bucket)
        number = buckets.next_id(tx, org) if row is None else row["bucket"]
        if row is None:
            tx.insert(
                buckets.buckets, org=org, bucket=number, name=said.bucket, authority=said.authority,
                emergency=said.emergency, circumstance=said.circumstance, day=said.day,
                clock=said.clock, opened=_instant(said.at), forgotten=0,
            )  # fmt: skip
        for part in set(said.parts) - set(buckets.part_states(tx, org, number)):
            tx.insert(
                bucket_parts, org=org, bucket=number, part=part, state=LIVE,
                changed=_instant(said.at),
            )  # fmt: skip

    def _lease(self, said: e.Lease) -> None:
        bucket = self._place(said.org, said.bucket)
        key = {"org": said.org, "bucket": bucket.id, "block": said.block}
        self._insert(leases, key, lease=said.lease, holder=NOBODY, until=_instant(said.until))

    def _give(
        self, index: int, bucket: Bucket, n: int, of: tuple[str, str], parts: Sequence[str]
    ) -> None:
        known = self.tx.rows(vault.records, org=bucket.org, bucket=bucket.id, n=n)
        if not known:
            row = vault.lost_row(bucket.org, bucket.id, n, of[0], index, of[1], parts)
            vault.keep(self.tx, [row], [])
            self.given[bucket.name, n] = bucket.org

    def _event(self, index: int, said: e.Event) -> None:
        old = self._record(said.org, said.bucket, said.n)
        target = self._place(said.org, said.to_bucket)
        if old.left:
            self._give(index, target, said.to_n, (old.point, old.notice), old.left)
        self._move(index, said.org, (said.bucket, said.n), (target.id, said.to_n))

    def _move(self, index: int, org: str, old: Place, to: tuple[int, int]) -> None:
        self.moved[old] = index
        bucket = self._place(org, old[0])
        if vault.find_record(self.tx, org, bucket.id, old[1]).state == LIVE:
            removal.move(self.tx, org, bucket.id, old[1], to=to)

    def _erasure(self, said: e.Erasure) -> None:
        bucket = self._place(said.org, said.bucket)
        self._insert(
            intents.intents, {"org": said.org, "intent": said.erasure}, kind=ERASE, n=said.n,
            bucket=bucket.id, parts=sorted(said.parts), cause=self.moved.get((said.bucket, said.n)),
            announced=_instant(said.at),
        )  # fmt: skip

    def _erased(self, index: int, said: e.Erased) -> None:
        bucket = self._place(said.org, said.bucket)
        record = vault.find_record(self.tx, said.org, bucket.id, said.n)
        some = self.punctures.setdefault(said.org, [])
        some += [(said.bucket, part, said.n) for part in said.parts]
        if record.state != vault.MOVED:
            removal.erase(self.tx, said.org, bucket.id, said.n, said.parts)
        self._certified(said.org, said.erasure, index, said.at, complete=True)
        self.done.erased += 1

    def _destroy(self, said: e.Destroy) -> None:
        bucket = self._place(said.org, said.bucket)
        self._insert(
            intents.intents, {"org": said.org, "intent": said.destruction}, kind=DESTROY,
            bucket=bucket.id, parts=sorted(said.parts), announced=_instant(said.at),
        )  # fmt: skip
        self._retire(bucket, said.parts, LIVE, DYING)

    def _certificate(self, index: int, said: e.Certificate) -> None:
        bucket = self._place(said.org, said.bucket)
        self.drops.setdefault(said.org, []).extend((said.bucket, part) for part in said.parts)
        self._retire(bucket, said.parts, DYING, DESTROYED)
        self._certified(said.org, said.destruction, index, said.at, complete=said.complete)
        self.done.destroyed += 1

    def _retire(self, bucket: Bucket, parts: Sequence[str], before: str, after: str) -> None:
        states = buckets.part_states(self.tx, bucket.org, bucket.id)
        some = [part for part in parts if states.get(part) == before]
        buckets.retire_parts(self.tx, bucket, some, after, now=self.now)

    def _certified(self, org: str, code: str, index: int, at: str, *, complete: bool) -> None:
        key = {"org": org, "intent": code}
        done = _instant(at) if complete else None
        self.tx.update(intents.intents, key, entry_index=index, done=done)

    # -- the ends of it --------------------------------------------------------------------------------

    def _destroy_keys(self) -> None:
        """Destroy the keys of all that is said to be gone; each organisation's in one rotation."""
        for org in sorted(self.punctures.keys() | self.drops.keys()):
            self.tools.keys.destroy(
                org, punctures=self.punctures.get(org, []), drops=self.drops.get(org, [])
            )

    def _announce_lost(self) -> None:
        """Announce that what is left of each lost record is erased: its key, which opens nothing."""
        for (name, n), org in self.given.items():
            bucket = self._place(org, name)
            record = vault.find_record(self.tx, org, bucket.id, n)
            left = [part for part in record.left if part in bucket.live]
            under_way = {
                part
                for each in intents.of_record(self.tx, org, bucket.id, n)
                if each.done is None
                for part in each.parts
            }
            left = [part for part in left if part not in under_way]
            if record.state == LIVE and left:
                self.done.lost.append((name, n))
                intents.announce_erasure(
                    self.tx, self.tools.log, standard_ref=self.tools.standard.ref, bucket=bucket,
                    n=n, parts=left, reason=LOST, now=self.now,
                )  # fmt: skip

    # -- registers -------------------------------------------------------------------------------------

    def _registers(self, said: e.Entry) -> None:  # noqa: C901, PLR0912 - a line for each kind
        match said:
            case e.Role():
                ended = None if said.roles else _instant(said.at)
                key: dict[str, Any] = {"org": said.org, "staff": said.staff}
                self._update(staff, key, roles=sorted(said.roles), disabled=ended)
                if not said.roles and self.tx.find(staff, **key) is not None:
                    shut_out(self.tx, said.org, said.staff)
            case e.GrantRevoked():
                self._update(grants, {"org": said.org, "grant": said.grant}, stage=REVOKED)
            case e.PointClosed():
                key = {"org": said.org, "point": said.point}
                self._update(points, key, closed=_instant(said.at))
            case e.Level():
                key = {"org": said.org, "emergency": said.emergency}
                self._insert(
                    levels, {**key, "effective": _instant(said.effective)}, level=said.level,
                    issuer=said.issuer, instrument=said.instrument, date=said.date,
                    expected_end=said.expected_end,
                )  # fmt: skip
            case e.Hold():
                bucket = self._place(said.org, said.bucket)
                until = midnight(date.fromisoformat(said.until) + timedelta(days=1))
                self._insert(
                    holds, {"org": said.org, "hold": said.hold}, bucket=bucket.id,
                    assessment=said.assessment, reason=said.reason, until=until, by=said.by,
                    placed=_instant(said.at),
                )  # fmt: skip
            case e.Notice():
                key = {"org": said.org, "point": said.point, "version": said.version}
                if self.tx.find(issue.notices, **key) is None:
                    issue.issue_again(self.tx, self.press, said, at=_instant(said.at))
            case e.OrderCancelled():
                self._update(orders, {"org": said.org, "order": said.order}, stage=CANCELLED)
            case e.HoldReleased():
                key = {"org": said.org, "hold": said.hold}
                self._update(holds, key, released=_instant(said.at))
            case e.Freeze():
                key = {"org": said.org, "freeze": said.freeze}
                self._insert(
                    freezes, key, stage=FROZEN, begun=_instant(said.at), findings=[],
                    count=said.findings, witnessed=True,
                )  # fmt: skip
            case e.FreezeLifted():
                at = _instant(said.at)
                self._update(
                    freezes, {"org": said.org, "freeze": said.freeze}, stage=LIFTED,
                    reason=said.reason, asked_by=said.by, asked=at, lifted_by=said.approved_by,
                    lifted=at,
                )  # fmt: skip
            case e.PrivacyBudget():
                self._allot(said)
            case e.NoisyRelease():
                self._pay(said)
            case _:
                pass

    def _study(self, said: e.Study) -> None:
        column = {studies.ENDING: "ended", studies.DESTROYED: "destroyed"}.get(said.stage)
        if column is not None:
            key = {"org": said.org, "study": said.study}
            self._update(studies.studies, key, **{column: _instant(said.at)})
        if said.stage == studies.DESTROYED:
            self.drops.setdefault(said.org, []).append(studies.key_place(said.study))

    def _allot(self, said: e.PrivacyBudget) -> None:
        dataset: dict[str, Any] = {"org": said.org, "dataset": said.dataset}
        if said.purpose is None:
            self._insert(privacy_datasets, dataset, ceiling=said.epsilon, allotted=0)
            return
        key: dict[str, Any] = {**dataset, "purpose": said.purpose, "recipient": said.recipient}
        self._insert(privacy_budgets, key, allotted=0, spent=0)
        more = said.epsilon - self.tx.get(privacy_budgets, **key)["allotted"]
        allotted = self.tx.get(privacy_datasets, **dataset)["allotted"]
        self.tx.update(privacy_datasets, dataset, allotted=allotted + more)
        self.tx.update(privacy_budgets, key, allotted=said.epsilon)

    def _pay(self, said: e.NoisyRelease) -> None:
        """Take the price off the budget again; the question itself is not in the log."""
        if self.tx.find(noisy_releases, org=said.org, release=said.release) is not None:
            return
        key = {
            "org": said.org, "dataset": said.dataset, "purpose": said.purpose,
            "recipient": said.recipient,
        }  # fmt: skip
        row = self.tx.find(privacy_budgets, lock=True, **key)
        if row is not None:
            self.tx.update(privacy_budgets, key, spent=row["spent"] + said.epsilon)

    # -- the log ---------------------------------------------------------------------------------------

    def _policy(self, index: int, said: e.Policy) -> None:
        log = self.tools.log
        if self.adopted.source is None:
            return
        text = self.adopted.source.read(f"policy/{said.sha256}")
        if sha256(text).hexdigest() != said.sha256:
            raise IntegrityError(f"policy/{said.sha256} is not the policy that was announced")
        key = {"log": log.number(self.tx), "idx": index - log.base}
        self._insert(
            regime.policies, key, since=said.since, sha256=said.sha256, text=text,
            announced=_instant(said.at),
        )  # fmt: skip

    def _log_key(self, index: int, said: e.LogKey | e.LogKeyEnded) -> None:
        log, number = self.tools.log, self.tools.log.number(self.tx)
        ring, size = log.ring(self.tx), index - log.base + 1
        if isinstance(said, e.LogKeyEnded):
            ended = [key for key in ring if key.signer.vkey == said.key and key.last is None]
            keyring.end(self.tx, number, ring, ended, last=size)
        elif all(key.signer.vkey != said.key for key in ring):
            signer = log.new_key(ring[-1].number + 1)
            if signer.vkey != said.key:
                raise IntegrityError(
                    f"entry {index} announced a key of the log that the key database does not have"
                )
            keyring.add(self.tx, number, ring, signer, first=size)

    # -- rows ------------------------------------------------------------------------------------------

    def _place(self, org: str, name: str) -> Bucket:
        return buckets.load_by_name(self.tx, org, name)

    def _record(self, org: str, name: str, n: int) -> vault.Record:
        return vault.find_record(self.tx, org, self._place(org, name).id, n)

    def _insert(self, table: sa.Table, key: Mapping[str, Any], **values: Any) -> None:
        if self.tx.find(table, **key) is None:
            self.tx.insert(table, **key, **values)

    def _update(self, table: sa.Table, key: Mapping[str, Any], **values: Any) -> None:
        """Change a row, unless it came after the snapshot and is missing."""
        if self.tx.find(table, **key) is not None:
            self.tx.update(table, key, **values)


def _instant(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
