"""The gate: every opening is decided, witnessed and then done, in this order.

``decide`` checks the grant, the standard, the person's authorisation, holds and counts, and appends the
decision, also a refusal, to the ledger in the caller's transaction. ``reveal`` opens afterwards, only what
a committed decision allows. A crash between the two leaves an entry without an opening, never the
other way round.

Rules kept in this file:
  1. Nothing is opened without a grant, but for the person themselves (by receipt) and for treatment in an
     emergency, one subject at a time, which is reviewed afterwards (``review``); who has many openings
     that nobody has reviewed yet opens no more in this way.
  2. A minor's record (MINOR 36), more than 10 subjects of grade 4, and counts from the alarms on
     (JI-2017-5, halved) need a grant that a second person approved.
  3. On consent, a record opens only for a purpose that its person gave.
  4. A held bucket opens for inspection only (PIPL 47).
  5. Only the parts that hold what is shown are opened. The form ``status`` shows a verifier the status, the
     masked name and the last day, of one subject at a time.
  6. Grade 4 is never listed: where several records open at once it is masked, also in the form ``raw``.
  7. In the form ``pseudonymous`` a person is a code of the grant's study (``coded``); when the study has ended
     nothing opens under it.
  8. Where the key service asks for signed grants, one that its approver's passkey did not sign opens nothing,
     and nothing is counted or released under it.
  9. A photograph of a page of paper is shown to who opens all records of the page as they were given, and never
     if one of several has something of grade 4: nothing of a picture can be masked.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from itertools import product

from epilock.accounts.staff import Staff
from epilock.db import Transaction, new_id
from epilock.deidentify.pseudonyms import study as studies
from epilock.errors import ForbiddenError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.meters import Meters
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.standard.model import Verdict
from epilock.store import bucket as buckets
from epilock.store import photograph as photographs
from epilock.store import tags, vault
from epilock.store.access import Keys
from epilock.store.bucket import Bucket
from epilock.store.vault import Record
from epilock.use import decision as decisions
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.coded import coded
from epilock.use.decision import OPENED, REFUSED, SUBJECT, Decision, Place
from epilock.use.grant import ACTIVE, PSEUDONYMOUS, Grant
from epilock.use.mask import mask

SUBJECT_ACCESS = "subject-access"
RAW, MASKED, STATUS = "raw", "masked", "status"
FORMS = (
    RAW,
    MASKED,
    STATUS,
    PSEUDONYMOUS,
)  # of single records; what is counted stands in ``aggregate``
STATUS_CATEGORY, EXPIRES = "health.code-status", "expires"
STATUS_SHOWS = frozenset({STATUS_CATEGORY, "identity.name"})
MOST_RECORDS = 150  # of one decision, as its ledger entry holds
TWO_PERSONS_ABOVE = 10  # subjects of grade 4 (standard, section 3)
_GRADE_4 = 4

Key = tuple[str, str, str, str, str]  # circumstance, category, purpose, range, form


@lru_cache(maxsize=4)
def compile_table(standard: Standard) -> Mapping[Key, Verdict]:
    """Return the answers of ``Standard.see`` to every question that can be asked, for one look-up.

    The standard answers alike for all categories that a circumstance lists, so each answer is made once
    and shared: a start takes a tenth of the time, and the table little memory.
    """
    forms = sorted({form for p in standard.purposes.values() for form in p.forms})
    table: dict[Key, Verdict] = {}
    for where in standard.circumstances.values():
        listed = tuple(where.allows)
        for purpose, range_, form in product(standard.purposes, standard.ranges, forms):
            verdict = standard.see(where.code, listed[0], purpose=purpose, range=range_, form=form)
            for category in listed:
                table[where.code, category, purpose, range_, form] = verdict
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What decisions need; made once.

    Attributes:
        log: Where each decision is witnessed.
        keys: The key store.
        standard: The rules.
        table: ``compile_table(standard)``.
        acts_of: The acts a record's person gave, or None if its basis needs no consent.
        is_held: Whether a bucket is under a hold.
        ends: When a part of a bucket must be gone, or None if that cannot be told yet.
        meters: Where decisions are counted.
    """

    log: Log
    keys: Keys
    standard: Standard
    table: Mapping[Key, Verdict]
    acts_of: Callable[[Transaction, Record], Collection[str] | None]
    is_held: Callable[[Transaction, str, int, datetime], bool]
    ends: Callable[[Transaction, Bucket, str], datetime | None]
    meters: Meters = field(default_factory=Meters)

    def decide(
        self,
        tx: Transaction,
        who: Staff,
        *,
        source: str,
        places: Sequence[Place],
        purpose: str,
        form: str,
        grant: str | None,
        reason: str = "",
        now: datetime,
    ) -> Decision:
        """Decide whether ``who`` may open records of ``source``; the decision is written either way.

        Without a grant only treatment in an emergency is possible: one subject, with a reason.

        Raises:
            NotFoundError: A record is not there.
        """
        records = self._records(tx, source, places)
        found = None if grant is None else grants.load(tx, who.org, grant)
        where = {bucket.circumstance for bucket, _ in records}
        range_ = grants.reach(tx, self.standard, who.org, source, where, purpose, form)
        rule, categories = self._judge(
            tx, who, records, found, source=source, purpose=purpose, form=form, range_=range_,
            reason=reason, now=now,
        )  # fmt: skip
        if found is not None and categories:
            grants.use(tx, found, len(records))
        return self._write(
            tx, source=source, by=who.staff, by_org=who.org, grant=grant, purpose=purpose, form=form,
            rule=rule, records=records, categories=categories,
            reason=reason.strip() if found is None and categories else "", now=now,
        )  # fmt: skip

    def under(self, tx: Transaction, org: str, grant: str | None) -> "Gate":
        """Return the same gate with the keys that open under a grant of ``org``; errors as ``grant.keys_for``."""
        return replace(self, keys=grants.keys_for(tx, self.keys, org, grant))

    def decide_subject(
        self, tx: Transaction, *, source: str, place: Place, now: datetime
    ) -> Decision:
        """Decide for the holder of a receipt: their own record, raw (PIPL 45)."""
        records = self._records(tx, source, [place])
        bucket = records[0][0]
        categories = tuple(self.standard.circumstances[bucket.circumstance].allows)
        return self._write(
            tx, source=source, by=SUBJECT, by_org=source, grant=None, purpose=SUBJECT_ACCESS,
            form="raw", rule=f"see/{bucket.circumstance}/{SUBJECT_ACCESS}", records=records,
            categories=categories, now=now,
        )  # fmt: skip

    def reveal(self, tx: Transaction, decision: Decision) -> list[dict[str, dict[str, str]]]:
        """Return what a committed decision opens: for each record category to field id to value.

        ``tx`` is a reading transaction begun after the decision's has committed.

        Raises:
            ForbiddenError: The decision is not in the database, or refused.
            ErasedError: A record is gone, or the key of the study whose codes are shown.
        """
        _check_committed(tx, decision)
        known = {b: buckets.load(tx, decision.org, b) for b, _ in decision.places}
        study = self._study_key(tx, decision)
        keys = grants.keys_for(tx, self.keys, decision.by_org, decision.grant)
        return [self._reveal(tx, keys, decision, known[b], n, study) for b, n in decision.places]

    def photograph(self, tx: Transaction, decision: Decision) -> str:
        """Return the code of the page whose photograph a decision shows; "" if it shows none (rule 9)."""
        if decision.form != RAW or decision.verdict != OPENED:
            return ""
        found = photographs.of_records(tx, decision.org, decision.places)
        if found is None:
            return ""
        code, asked = found
        if not asked <= set(decision.categories):
            return ""
        return code if all(self._is_plain(decision, category) for category in asked) else ""

    def reveal_photograph(self, tx: Transaction, decision: Decision) -> bytes:
        """Return the photograph that a committed decision shows, a JPEG file.

        Raises:
            ForbiddenError: The decision is not in the database, refused, or shows no photograph.
            NotFoundError, ErasedError: It is gone.
        """
        _check_committed(tx, decision)
        code = self.photograph(tx, decision)
        if not code:
            raise ForbiddenError("this decision shows no photograph of a page")
        keys = grants.keys_for(tx, self.keys, decision.by_org, decision.grant)
        return photographs.read(tx, keys, decision.org, code)

    def bares(self, tx: Transaction, *, source: str, places: Sequence[Place], form: str) -> bool:
        """Tell whether an opening would show something of grade 4 as it was given (rule 6).

        Raises:
            NotFoundError: The bucket is not there.
        """
        if form != RAW or len(places) != 1:
            return False
        where = buckets.load(tx, source, places[0][0]).circumstance
        listed = self.standard.circumstances[where].allows
        return any(self.standard.categories[c].grade == _GRADE_4 for c in listed)

    def _study_key(self, tx: Transaction, decision: Decision) -> bytes | None:
        """Return the key that makes the codes a decision shows, or None if it shows none."""
        if decision.form != PSEUDONYMOUS or decision.grant is None:
            return None
        found = grants.load(tx, decision.by_org, decision.grant)
        return studies.key_of(tx, self.keys, found.org, str(found.study))

    def _reveal(  # noqa: PLR0917 - where, with which keys, what
        self,
        tx: Transaction,
        keys: Keys,
        decision: Decision,
        bucket: Bucket,
        n: int,
        study: bytes | None,
    ) -> dict[str, dict[str, str]]:
        record = vault.find_record(tx, bucket.org, bucket.id, n)
        part_of = self.standard.part_of
        holds = {part_of(bucket.circumstance, c).name for c in decision.categories}
        wanted = [p for p in record.left if p in bucket.live and p in holds]
        opened = vault.open_known(tx, keys, bucket, record, wanted or None)
        shown: dict[str, dict[str, str]] = {}
        for answers in tags.parse(opened).values():
            for category, fields in answers.items():
                if category in decision.categories:
                    plain = self._is_plain(decision, category)
                    shown[category] = {
                        field: value if plain else self._veiled(category, value, study)
                        for field, value in fields.items()
                    }
        if decision.form == STATUS and STATUS_CATEGORY in shown:
            part = part_of(bucket.circumstance, STATUS_CATEGORY).name
            end = self.ends(tx, bucket, part)
            if end is not None:
                shown[STATUS_CATEGORY][EXPIRES] = end.astimezone(CHINA).isoformat("T", "minutes")
        return shown

    def _veiled(self, category: str, value: str, key: bytes | None) -> str:
        """Return a value as it is shown who may not see it as it was given."""
        if key is None:
            return mask(self.standard, category, value)
        return coded(self.standard, category, value, key)

    def _is_plain(self, decision: Decision, category: str) -> bool:
        """Tell whether values of ``category`` are shown as they were given (rules 5 and 6)."""
        if decision.form == STATUS:
            return category == STATUS_CATEGORY
        grade_4 = self.standard.categories[category].grade == _GRADE_4
        return decision.form == RAW and not (grade_4 and len(decision.places) > 1)

    def _records(
        self, tx: Transaction, source: str, places: Sequence[Place]
    ) -> list[tuple[Bucket, Record]]:
        if not 1 <= len(places) <= MOST_RECORDS or len(set(places)) != len(places):
            raise NotFoundError(f"a decision is about 1 to {MOST_RECORDS} different records")
        known: dict[int, Bucket] = {}
        for bucket, _ in places:
            if bucket not in known:
                known[bucket] = buckets.load(tx, source, bucket)
        return [(known[b], vault.find_record(tx, source, b, n)) for b, n in places]

    def _judge(  # noqa: C901, PLR0911 - one line a refusal
        self,
        tx: Transaction,
        who: Staff,
        records: Sequence[tuple[Bucket, Record]],
        found: Grant | None,
        *,
        source: str,
        purpose: str,
        form: str,
        range_: str,
        reason: str,
        now: datetime,
    ) -> tuple[str, tuple[str, ...]]:
        """Return the rule that decides and the categories that open (none: refused)."""
        refusal = self._refusal(found, who, records, source, purpose, form, reason, now)
        if refusal:
            return refusal, ()
        if found and grants.is_unsigned(tx, self.keys, found):
            return "grant-unsigned", ()
        single = form == STATUS or (self.standard.purposes[purpose].one_subject and form == RAW)
        if single and len(records) > 1:
            return f"one-subject/{purpose}", ()
        allowed: set[str] = set()
        rule = ""
        for circumstance in {bucket.circumstance for bucket, _ in records}:
            for category in self.standard.circumstances[circumstance].allows:
                verdict = self.table.get((circumstance, category, purpose, range_, form))
                if verdict is None or not verdict.allowed:
                    return "not-listed" if verdict is None else verdict.rule, ()
                if form != STATUS or category in STATUS_SHOWS:
                    allowed.add(category)
                rule = verdict.rule
        for bucket, record in records:
            if purpose != "inspection" and self.is_held(tx, source, bucket.id, now):
                return "duty/hold", ()
            acts = self.acts_of(tx, record)
            if acts is not None and purpose != "inspection" and f"purpose:{purpose}" not in acts:
                return f"not-given/{purpose}", ()
        if found is None:
            if len(reviews.outstanding(tx, who.org, who.staff)) >= reviews.MOST_OUTSTANDING:
                return "emergency/reviews-outstanding", ()
            return f"emergency/{purpose}", tuple(sorted(allowed))
        missing = self._two_persons(found, records, allowed)
        return (missing, ()) if missing else (rule, tuple(sorted(allowed)))

    def _refusal(  # noqa: PLR0911, PLR0917 - one line a refusal; the facts of one question
        self,
        found: Grant | None,
        who: Staff,
        records: Sequence[tuple[Bucket, Record]],
        source: str,
        purpose: str,
        form: str,
        reason: str,
        now: datetime,
    ) -> str:
        """Return why the grant, or the lack of one, refuses; "" if it does not."""
        if purpose not in self.standard.purposes or form not in FORMS:
            return f"form/{purpose}/{form}"
        if found is None:
            glass = purpose == "treatment" and len(records) == 1 and bool(reason.strip())
            return "" if glass and "analyst" in who.roles else "grant/none"
        if found.staff != who.staff or found.stage != ACTIVE:
            return "grant/not-yours-or-not-active"
        if now >= found.until:
            return "grant/ended"
        if (found.source, found.purpose, found.form) != (source, purpose, form):
            return "grant/other-purpose"
        if not {bucket.circumstance for bucket, _ in records} <= set(found.circumstances):
            return "grant/other-circumstance"
        if found.used + len(records) > found.subjects:
            return "grant/used-up"
        return ""

    def _two_persons(
        self, found: Grant, records: Sequence[tuple[Bucket, Record]], allowed: Collection[str]
    ) -> str:
        """Return the rule that asks for a second person who is missing, or ""."""
        if found.approved_by is not None and found.approved_by != found.staff:
            return ""
        if any(record.minor for _, record in records):
            return "two-persons/minor"
        grade_4 = any(self.standard.categories[c].grade == _GRADE_4 for c in allowed)
        if grade_4 and len(records) > TWO_PERSONS_ABOVE:
            return "two-persons/grade-4"
        for category in allowed:
            kind = self.standard.categories[category].alarm
            limit = self.standard.alarms[kind].facts["records"]
            if isinstance(limit, int) and len(records) >= limit:
                return f"two-persons/alarm/{kind}"
        return ""

    def _write(
        self,
        tx: Transaction,
        *,
        source: str,
        by: str,
        by_org: str,
        grant: str | None,
        purpose: str,
        form: str,
        rule: str,
        records: Sequence[tuple[Bucket, Record]],
        categories: tuple[str, ...],
        reason: str = "",
        now: datetime,
    ) -> Decision:
        code = new_id("c")
        verdict = OPENED if categories else REFUSED
        said = entry.Decision(
            org=source, standard=self.standard.ref, at=entry.stamp(now), decision=code, by=by,
            grant=grant, purpose=purpose, form=form, verdict=verdict, rule=rule,
            records=[entry.Record(bucket.name, record.n) for bucket, record in records],
            count=len(records),
        )  # fmt: skip
        index = self.log.base + self.log.append(tx, [entry.encode(said)], now=now).first
        tx.insert(
            decisions.decisions, org=source, decision=code, by=by, by_org=by_org, grant=grant, purpose=purpose,
            form=form, verdict=verdict, rule=rule, review=bool(reason), at=now,
            entry_index=index, places=[[record.bucket, record.n] for _, record in records],
            categories=list(categories),
        )  # fmt: skip
        if reason:
            reviews.note(tx, source, code, by, by_org, reason, now)
        tx.bulk(decisions.openings, [(source, r.bucket, r.n, code) for _, r in records])
        self.meters.decided(verdict, rule)
        return decisions.load(tx, source, code)


def _check_committed(tx: Transaction, decision: Decision) -> None:
    """Return if a decision is in the database as it is given, and allows something."""
    row = tx.find(decisions.decisions, org=decision.org, decision=decision.decision)
    if row is None or row["verdict"] != OPENED or decisions.read(row) != decision:
        raise ForbiddenError("nothing opens without a decision that allows it")
