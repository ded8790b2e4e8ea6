"""Aggregates: how many records say what, and never which.

Who holds a grant to count asks for a table: the records of one organisation, emergency and circumstance,
of a range of days, counted by the values of one category or by day. Three steps, in this order:

  1. ``decide`` judges and writes the decision with its ledger entry, also a refusal; nothing is opened. For
     a purpose that needs a budget the price is charged in the same transaction (``deidentify.budget``).
  2. ``tally`` opens what a committed decision allows, and counts. Its result must not leave.
  3. ``publish`` hides what is small (``deidentify.cells``), or draws the noise; keeps what leaves and returns it.

A crash after 1 leaves an entry without a table; who asked takes up the decision again. A table that is
kept is given again as it was: asking again with the same decision tells nothing new.

Rules kept in this file:
  1. No value of a category by which a person is found, or that speaks of another person, is counted.
  2. Only days that are over are counted, so that no two tables differ by who came in between.
  3. A question whose records differ from those of an earlier one, whoever asked it, by fewer than
     ``SMALLEST`` is refused: the difference would be a table about few persons.
  4. A grant bounds how many tables can be subtracted from each other; the entry says which number it was.
  5. On consent only records are counted whose person gave the purpose. A held bucket is not counted.
  6. For a purpose that needs a budget nothing exact leaves: rule 3 is not needed there, and the entry says no
     number of records. The same question again, by whoever of the same recipient, is the same answer at no
     charge. What came out under ``SMALLEST`` is hidden (standard, ``situation-monitoring``).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from epilock.accounts.staff import Staff
from epilock.beside import Told, nobody
from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.deidentify.cells.line import SMALLEST, Table, is_small, suppress
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.answer import Answer, preview
from epilock.deidentify.noise.budget import Book, Release
from epilock.deidentify.noise.query import Request, canonical
from epilock.errors import BudgetError, ForbiddenError, InputError, IntegrityError, NotFoundError
from epilock.ledger import entry
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.store.bucket import LIVE, Bucket
from epilock.use import grant as grants
from epilock.use import tally as tally_
from epilock.use.allotment import needs_budget
from epilock.use.decision import OPENED, REFUSED
from epilock.use.gate import Gate
from epilock.use.grant import AGGREGATE, Grant
from epilock.use.mask import tells_who
from epilock.use.question import DAY, Noise, Question, account_of, draw, request_of

MOST_DAYS = 366
MOST_RECORDS = 1_000_000  # of one table
ROUNDED = 10  # the entry says how many exact records there were, rounded down to this

aggregates = sealed_table(
    "aggregates",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("decision", sa.String(20), primary_key=True),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("by_org", sa.String(31), nullable=False),
    sa.Column("grant", sa.String(20)),
    sa.Column("purpose", sa.String(40), nullable=False),
    sa.Column("emergency", sa.String(31), nullable=False),
    sa.Column("circumstance", sa.String(41), nullable=False),
    sa.Column("since", sa.String(10), nullable=False),
    sa.Column("until", sa.String(10), nullable=False),
    sa.Column("counted", sa.String(80), nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("rule", sa.String(200), nullable=False),
    sa.Column("question", sa.Integer, nullable=False),
    sa.Column("days", Json, nullable=False),
    sa.Column("table", Json),
    sa.Column("at", Instant, nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Index("aggregates_grant", "by_org", "grant"),
)
"""Columns: ``days`` how many records each day had, by which exact questions are held against each other, and of
one that is answered with noise nothing; ``table`` what left, a list of the cells and ``others``."""

noisy_counts = sealed_table(
    "noisy_counts",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("decision", sa.String(20), primary_key=True),
    sa.Column("release", sa.String(64), nullable=False),
)
"""By which answer of ``deidentify.budget`` a decision is answered with noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """One decision to count, as it was committed.

    Attributes:
        question: What was asked.
        decision: Its code.
        by, by_org: Who asked, of which organisation.
        grant: The grant, or None.
        purpose: As granted.
        verdict: ``opened`` or ``refused``.
        rule: The rule that decided.
        number: Which question it is under its grant, from 1; 0 if it was refused.
        release: The answer with noise that it was paid for by, or None.
        answer: What left of that, or None if nothing has.
        table: What left without noise, or None if nothing has.
        at: When.
        entry_index: Index of its ledger entry.
    """

    question: Question
    decision: str
    by: str
    by_org: str
    grant: str | None
    purpose: str
    verdict: str
    rule: str
    number: int
    release: str | None
    answer: Answer | None
    table: Table | None
    at: datetime
    entry_index: int

    @property
    def left(self) -> bool:
        """Whether something has left."""
        return self.table is not None or self.answer is not None

    @property
    def shown(self) -> dict[str, int | None]:
        """Numbers with noise as they are shown, by value; None where they came out under ``SMALLEST``."""
        if self.answer is None or not isinstance(self.answer.value, Mapping):
            return {}
        return {v: n if n >= SMALLEST else None for v, n in self.answer.value.items()}


def can_count(gate: Gate, circumstance: str) -> list[str]:
    """Return the categories of a circumstance whose values can be counted (rule 1)."""
    where = gate.standard.circumstances[circumstance]
    return [c for c in where.allows if not tells_who(gate.standard, c)]


def check_days(since: date, until: date) -> None:
    """Raise InputError if no table covers the days from ``since`` to ``until``, both counted."""
    if not 0 <= (until - since).days < MOST_DAYS:
        raise InputError(f"a table covers 1 to {MOST_DAYS} days, the first before the last")


def decide(
    gate: Gate,
    tx: Transaction,
    who: Staff,
    *,
    question: Question,
    grant: str,
    noise: Noise | None = None,
    now: datetime,
) -> Aggregate:
    """Decide whether ``who`` may have the table; the decision is written either way.

    With ``noise``, for a purpose that needs it, the price is charged. What ``who`` was answered before is given
    again as it was, and nothing is written.

    Raises:
        InputError: The days are none, or too many; noise is missing, or not wanted; a value is named twice.
        NotFoundError: There is no such grant.
    """
    check_days(question.since, question.until)
    gate.log.append(tx, [], now=now)  # holds the log's head: questions are judged one by one
    found = grants.load(tx, who.org, grant)
    request = _request(gate, found, question, noise)
    days = _days(gate, tx, question) if request is None else {}
    rule = _refusal(gate, tx, who, found, question, now) or (
        _too_telling(tx, question, days) if request is None else ""
    )
    code, release = new_id("c"), None
    if not rule and request is not None:
        known = _answered(tx, who, found, question, request)
        if known is not None and known.by == who.staff:
            return known
        release = code if known is None else known.release
        rule = "" if known else _charge(gate, tx, who, found, question, request, code, now)
    allowed = not rule
    if allowed:
        range_ = _range(gate, tx, who, found, question)
        rule = f"see/{question.circumstance}/{found.purpose}/{range_}/{AGGREGATE}"
        grants.use(tx, found, 1)
    return _write(
        gate, tx, who, found, question=question, days=days, rule=rule, allowed=allowed, code=code,
        release=release if allowed else None, now=now,
    )  # fmt: skip


def tally(gate: Gate, tx: Transaction, decided: Aggregate, told: Told = nobody) -> Counter[str]:
    """Return the exact counts that a committed decision allows to be made; they must not leave.

    ``tx`` is a reading transaction begun after the decision's has committed; ``told`` is told how far it is.

    Raises:
        ForbiddenError: The decision is not in the database, or refused; or the key service refuses the parts.
        RateError: The key service has given out as many parts as the grant says, or as it does in a day.
    """
    question = decided.question
    row = tx.find(aggregates, org=question.source, decision=decided.decision)
    if row is None or row["verdict"] != OPENED or _read(tx, row) != decided:
        raise ForbiddenError("nothing is counted without a decision that allows it")
    found = _buckets(tx, question)
    counted = None if question.counted == DAY else question.counted
    leave = gate.under(tx, decided.by_org, decided.grant)
    return tally_.count(leave, tx, found, counted, purpose=decided.purpose, told=told)


def publish(
    gate: Gate, tx: Transaction, decided: Aggregate, counts: Mapping[str, int], *, now: datetime
) -> Aggregate:
    """Keep the table that may leave, and return it; one that is kept already is returned as it is.

    Raises:
        IntegrityError: It must have noise, and the row that says what was paid for is gone.
    """
    question = decided.question
    gate.log.append(
        tx, [], now=now
    )  # holds the log's head: each table is held against all before it
    known = load(tx, question.source, decided.decision)
    if known.left:
        return known
    if known.release is not None:
        charged = budget.release_of(tx, question.source, known.release)
        budget.keep(tx, charged, draw(_asked(question, charged), counts))
        return load(tx, question.source, decided.decision)
    if needs_budget(gate.standard, known.purpose):
        raise IntegrityError(
            f"noisy_counts has no row of {known.decision}: nothing exact leaves for it"
        )
    before = [
        other.table
        for other, _ in _earlier(tx, question)
        if other.table is not None and other.question.counted == question.counted
    ]
    table = suppress(counts, before)
    key = {"org": question.source, "decision": decided.decision}
    tx.update(aggregates, key, table=[dict(table.cells), table.others])
    return load(tx, question.source, decided.decision)


def load(tx: Transaction, org: str, decision: str) -> Aggregate:
    """Return the decision about records of ``org``.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _read(tx, tx.get(aggregates, org=org, decision=decision))


def latest(tx: Transaction, org: str, *, limit: int = 100) -> list[Aggregate]:
    """Return the latest decisions to count records of ``org``."""
    c = aggregates.c
    rows = tx.all(aggregates, c.org == org, order_by=[c.entry_index.desc()], limit=limit)
    return [_read(tx, row) for row in rows]


def _refusal(  # noqa: PLR0917 - one line a refusal; the facts of one question
    gate: Gate,
    tx: Transaction,
    who: Staff,
    found: Grant,
    question: Question,
    now: datetime,
) -> str:
    """Return the rule that refuses, whatever the records say; "" if none does."""
    where = gate.standard.circumstances.get(question.circumstance)
    refused = grants.refusal_of_many(
        tx, gate.keys, who, found, source=question.source, form=AGGREGATE,
        circumstance=question.circumstance, now=now,
    )  # fmt: skip
    if refused or where is None:
        return refused or "grant/other-circumstance"
    counted = next(iter(where.allows)) if question.counted == DAY else question.counted
    range_ = _range(gate, tx, who, found, question)
    key = (question.circumstance, counted, found.purpose, range_, AGGREGATE)
    verdict = gate.table.get(key)
    if verdict is None or not verdict.allowed:
        return f"not-listed/{question.counted}" if verdict is None else verdict.rule
    if question.counted != DAY and tells_who(gate.standard, question.counted):
        return f"aggregate/tells-who/{question.counted}"
    if question.until >= now.astimezone(CHINA).date():
        return "aggregate/day-not-over"
    if any(gate.is_held(tx, b.org, b.id, now) for b in _buckets(tx, question)):
        return "duty/hold"
    return ""


def _too_telling(tx: Transaction, question: Question, days: Mapping[str, int]) -> str:
    """Return the rule that refuses an exact table for what it would tell; "" if none does."""
    if not SMALLEST <= sum(days.values()) <= MOST_RECORDS:
        return "aggregate/too-few" if sum(days.values()) < SMALLEST else "aggregate/too-many"
    if any(is_small(_difference(days, other)) for _, other in _earlier(tx, question)):
        return "aggregate/too-like-another"
    return ""


def _write(
    gate: Gate,
    tx: Transaction,
    who: Staff,
    found: Grant,
    *,
    question: Question,
    days: Mapping[str, int],
    rule: str,
    allowed: bool,
    code: str,
    release: str | None,
    now: datetime,
) -> Aggregate:
    number = found.used + 1 if allowed else 0
    total = sum(days.values())
    common: dict[str, Any] = {
        "decision": code, "by": who.staff, "grant": found.grant, "purpose": found.purpose,
        "emergency": question.emergency, "circumstance": question.circumstance,
        "since": question.since.isoformat(), "until": question.until.isoformat(),
        "counted": question.counted, "verdict": OPENED if allowed else REFUSED, "rule": rule,
        "question": number,
    }  # fmt: skip
    said = entry.AggregateDecision(
        org=question.source, standard=gate.standard.ref, at=entry.stamp(now),
        records=total - total % ROUNDED if allowed else 0, **common,
    )  # fmt: skip
    index = gate.log.base + gate.log.append(tx, [entry.encode(said)], now=now).first
    tx.insert(
        aggregates, org=question.source, by_org=who.org, days=dict(days) if allowed else {}, at=now,
        entry_index=index, **common,
    )  # fmt: skip
    if release is not None:
        tx.insert(noisy_counts, org=question.source, decision=code, release=release)
    return load(tx, question.source, code)


def _request(gate: Gate, found: Grant, question: Question, noise: Noise | None) -> Request | None:
    """Return the question as noise takes it, or None where the purpose is counted exactly.

    Raises:
        InputError: The purpose needs noise and none is given, or the other way round.
        StateError: The extra ``[privacy]`` is not installed.
    """
    if not needs_budget(gate.standard, found.purpose):
        if noise is not None:
            raise InputError(f"{found.purpose} is counted without noise, and has no price")
        return None
    if noise is None:
        raise InputError(f"{found.purpose} is answered with noise: say what the answer may cost")
    request = request_of(question, noise)
    preview(request)  # what can't be answered here is told before it is paid for
    return request


def _answered(
    tx: Transaction, who: Staff, found: Grant, question: Question, request: Request
) -> Aggregate | None:
    """Return the decision by which the same was answered to the same recipient, as exactly or more so.

    The own one, if there are several.
    """
    c = aggregates.c
    rows = tx.all(
        aggregates, c.org == question.source, c.emergency == question.emergency,
        c.circumstance == question.circumstance, c.counted == question.counted,
        c.since == question.since.isoformat(), c.until == question.until.isoformat(),
        c.purpose == found.purpose, c.by_org == who.org, c.verdict == OPENED,
        order_by=[c.entry_index],
    )  # fmt: skip
    same = []
    for known in (_read(tx, row) for row in rows):
        if known.release is not None:
            paid = budget.release_of(tx, question.source, known.release)
            alike = canonical(replace(request, epsilon=paid.epsilon)).decode() == paid.request
            if alike and paid.epsilon >= request.epsilon:
                same.append(known)
    return max(same, key=lambda a: a.by == who.staff, default=None)


def _charge(  # noqa: PLR0917 - one charge: who, for what, by which id
    gate: Gate,
    tx: Transaction,
    who: Staff,
    found: Grant,
    question: Question,
    request: Request,
    code: str,
    now: datetime,
) -> str:
    """Take the price off the account; return the rule that refuses, and then nothing is charged."""
    book = Book(log=gate.log, standard_ref=gate.standard.ref)
    account = account_of(question, found.purpose, who.org)
    try:
        budget.charge(tx, book, account, release=code, request=request, by=who.staff, now=now)
    except NotFoundError:
        return "budget/none"
    except BudgetError:
        return "budget/spent"
    return ""


def _asked(question: Question, charged: Release) -> Request:
    """Return the request that a charge was for."""
    return request_of(question, Noise(epsilon=charged.epsilon, values=charged.categories))


def _range(gate: Gate, tx: Transaction, who: Staff, found: Grant, question: Question) -> str:
    where = [question.circumstance]
    return grants.reach(
        tx, gate.standard, who.org, question.source, where, found.purpose, AGGREGATE
    )


def _buckets(tx: Transaction, question: Question) -> list[Bucket]:
    return [
        bucket
        for bucket in buckets.of_emergency(tx, question.source, question.emergency)
        if bucket.circumstance == question.circumstance
        and question.since <= bucket.day <= question.until
        and bucket.live
    ]


def _days(gate: Gate, tx: Transaction, question: Question) -> dict[str, int]:
    """Return how many records each day has; ``{}`` for what the standard does not know."""
    if question.circumstance not in gate.standard.circumstances:
        return {}
    days: Counter[str] = Counter()
    c = vault.records.c
    for bucket in _buckets(tx, question):
        query = sa.select(sa.func.count()).where(
            c.org == bucket.org, c.bucket == bucket.id, c.state == LIVE
        )
        days[bucket.day.isoformat()] += int(tx.conn.execute(query).scalar_one())
    return {day: n for day, n in days.items() if n}


def _earlier(tx: Transaction, question: Question) -> Iterator[tuple[Aggregate, Mapping[str, int]]]:
    """Yield the earlier exact questions that were allowed, about days that this one has too, with their days."""
    c = aggregates.c
    rows = tx.all(
        aggregates, c.org == question.source, c.emergency == question.emergency,
        c.circumstance == question.circumstance, c.verdict == OPENED,
        c.since <= question.until.isoformat(), c.until >= question.since.isoformat(),
    )  # fmt: skip
    for row in rows:
        if row["days"]:
            yield _read(tx, row), row["days"]


def _difference(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """Return by how many records at least two questions differ."""
    return sum(abs(one.get(day, 0) - other.get(day, 0)) for day in one.keys() | other.keys())


def _read(tx: Transaction, row: Mapping[str, Any]) -> Aggregate:
    question = Question(
        source=row["org"], emergency=row["emergency"], circumstance=row["circumstance"],
        since=date.fromisoformat(row["since"]), until=date.fromisoformat(row["until"]),
        counted=row["counted"],
    )  # fmt: skip
    noisy = tx.find(noisy_counts, org=row["org"], decision=row["decision"])
    release = None if noisy is None else noisy["release"]
    drawn = None if release is None else budget.release_of(tx, row["org"], release).answer
    table = None if row["table"] is None else Table(cells=row["table"][0], others=row["table"][1])
    return Aggregate(
        question=question, decision=row["decision"], by=row["by"], by_org=row["by_org"],
        grant=row["grant"], purpose=row["purpose"], verdict=row["verdict"], rule=row["rule"],
        number=row["question"], release=release, answer=drawn, table=table, at=row["at"], entry_index=row["entry_index"],
    )  # fmt: skip
