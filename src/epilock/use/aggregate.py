"""Aggregates: how many records say what, and never which.

Who holds a grant to count asks for a table: the records of one organisation, emergency and circumstance,
of a range of days, counted by the values of one category or by day. Three steps, in this order:

  1. ``decide`` judges and writes the decision with its ledger entry, also a refusal; nothing is opened.
  2. ``tally`` opens what a committed decision allows, and counts. Its result must not leave.
  3. ``publish`` hides what is small (``deidentify.cells``), keeps the table and returns it.

A crash after 1 leaves an entry without a table; who asked takes up the decision again. A table that is
kept is given again as it was: asking again with the same decision tells nothing new.

Rules kept in this file:
  1. No value of a category by which a person is found, or that speaks of another person, is counted.
  2. Only days that are over are counted, so that no two tables differ by who came in between.
  3. A question whose records differ from those of an earlier one, whoever asked it, by fewer than
     ``SMALLEST`` is refused: the difference would be a table about few persons.
  4. A grant bounds how many tables can be subtracted from each other; the entry says which number it was.
  5. On consent only records are counted whose person gave the purpose. A held bucket is not counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.deidentify.cells.line import SMALLEST, Table, is_small, suppress
from epilock.errors import ForbiddenError, InputError
from epilock.ledger import entry
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import tags, vault
from epilock.store.bucket import LIVE, Bucket
from epilock.use import grant as grants
from epilock.use import tally as tally_
from epilock.use.decision import OPENED, REFUSED
from epilock.use.gate import Gate
from epilock.use.grant import ACTIVE, AGGREGATE, Grant
from epilock.use.staff import Staff

DAY = "day"
MOST_DAYS = 366
MOST_RECORDS = 1_000_000  # of one table
ROUNDED = 10  # the entry says how many records there were, rounded down to this
_TELLS_WHO = frozenset({"name", "mobile", "id", "email", "address", "contact", "code"})  # masks

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
"""Columns: ``days`` how many records each day had, by which questions are held against each other;
``table`` what left, a list of the cells and ``others``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be counted.

    Attributes:
        source: Organisation that collected the records.
        emergency, circumstance: Of its records.
        since, until: First and last day (China), both counted.
        counted: The category whose values are counted, or ``day``.
    """

    source: str
    emergency: str
    circumstance: str
    since: date
    until: date
    counted: str


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
        table: What left, or None if nothing has.
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
    table: Table | None
    at: datetime
    entry_index: int


def can_count(gate: Gate, circumstance: str) -> list[str]:
    """Return the categories of a circumstance whose values can be counted (rule 1)."""
    where = gate.standard.circumstances[circumstance]
    return [c for c in where.allows if not _tells_who(gate, c)]


def decide(
    gate: Gate,
    tx: Transaction,
    who: Staff,
    *,
    question: Question,
    grant: str,
    now: datetime,
) -> Aggregate:
    """Decide whether ``who`` may have the table; the decision is written either way.

    Raises:
        InputError: The days are none, or too many.
        NotFoundError: There is no such grant.
    """
    if not 0 <= (question.until - question.since).days < MOST_DAYS:
        raise InputError(f"a table covers 1 to {MOST_DAYS} days, the first before the last")
    gate.log.append(tx, [], now=now)  # holds the log's head: questions are judged one by one
    found = grants.load(tx, who.org, grant)
    days = _days(gate, tx, question)
    rule = _refusal(gate, tx, who, found, question, days, now)
    allowed = not rule
    if allowed:
        range_ = _range(gate, tx, who, found, question)
        rule = f"see/{question.circumstance}/{found.purpose}/{range_}/{AGGREGATE}"
        grants.use(tx, found, 1)
    return _write(
        gate, tx, who, found, question=question, days=days, rule=rule, allowed=allowed, now=now
    )


def tally(gate: Gate, tx: Transaction, decided: Aggregate) -> Counter[str]:
    """Return the exact counts that a committed decision allows to be made; they must not leave.

    ``tx`` is a reading transaction begun after the decision's has committed.

    Raises:
        ForbiddenError: The decision is not in the database, or refused.
    """
    question = decided.question
    row = tx.find(aggregates, org=question.source, decision=decided.decision)
    if row is None or row["verdict"] != OPENED or _read(row) != decided:
        raise ForbiddenError("nothing is counted without a decision that allows it")
    found = _buckets(tx, question)
    counted = None if question.counted == DAY else question.counted
    return tally_.count(gate, tx, found, counted, purpose=decided.purpose)


def publish(
    gate: Gate, tx: Transaction, decided: Aggregate, counts: Mapping[str, int], *, now: datetime
) -> Aggregate:
    """Keep the table that may leave, and return it; one that is kept already is returned as it is."""
    question = decided.question
    gate.log.append(
        tx, [], now=now
    )  # holds the log's head: each table is held against all before it
    known = load(tx, question.source, decided.decision)
    if known.table is not None:
        return known
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
    return _read(tx.get(aggregates, org=org, decision=decision))


def latest(tx: Transaction, org: str, *, limit: int = 100) -> list[Aggregate]:
    """Return the latest decisions to count records of ``org``."""
    c = aggregates.c
    rows = tx.all(aggregates, c.org == org, order_by=[c.entry_index.desc()], limit=limit)
    return [_read(row) for row in rows]


def asked(tx: Transaction, who: Staff, *, limit: int = 50) -> list[Aggregate]:
    """Return the latest tables that ``who`` asked for."""
    c = aggregates.c
    rows = tx.all(
        aggregates, c.by_org == who.org, c.by == who.staff, order_by=[c.entry_index.desc()],
        limit=limit,
    )  # fmt: skip
    return [_read(row) for row in rows]


def _refusal(  # noqa: C901, PLR0911, PLR0917 - one line a refusal; the facts of one question
    gate: Gate,
    tx: Transaction,
    who: Staff,
    found: Grant,
    question: Question,
    days: Mapping[str, int],
    now: datetime,
) -> str:
    """Return the rule that refuses; "" if none does."""
    where = gate.standard.circumstances.get(question.circumstance)
    if found.staff != who.staff or found.stage != ACTIVE:
        return "grant/not-yours-or-not-active"
    if now >= found.until:
        return "grant/ended"
    if (found.source, found.form) != (question.source, AGGREGATE):
        return "grant/other-purpose"
    if where is None or question.circumstance not in found.circumstances:
        return "grant/other-circumstance"
    if found.used >= found.subjects:
        return "grant/used-up"
    counted = next(iter(where.allows)) if question.counted == DAY else question.counted
    range_ = _range(gate, tx, who, found, question)
    key = (question.circumstance, counted, found.purpose, range_, AGGREGATE)
    verdict = gate.table.get(key)
    if verdict is None or not verdict.allowed:
        return f"not-listed/{question.counted}" if verdict is None else verdict.rule
    if question.counted != DAY and _tells_who(gate, question.counted):
        return f"aggregate/tells-who/{question.counted}"
    if question.until >= now.astimezone(CHINA).date():
        return "aggregate/day-not-over"
    if any(gate.is_held(tx, b.org, b.id, now) for b in _buckets(tx, question)):
        return "duty/hold"
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
    now: datetime,
) -> Aggregate:
    code = new_id("c")
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
    return load(tx, question.source, code)


def _range(gate: Gate, tx: Transaction, who: Staff, found: Grant, question: Question) -> str:
    where = [question.circumstance]
    return grants.reach(
        tx, gate.standard, who.org, question.source, where, found.purpose, AGGREGATE
    )


def _tells_who(gate: Gate, category: str) -> bool:
    mask = gate.standard.categories[category].mask
    return category in tags.SUBJECTS or category in tags.MENTIONS or mask in _TELLS_WHO


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
    """Yield the earlier questions that were allowed, about days that this one has too, with their days."""
    c = aggregates.c
    rows = tx.all(
        aggregates, c.org == question.source, c.emergency == question.emergency,
        c.circumstance == question.circumstance, c.verdict == OPENED,
        c.since <= question.until.isoformat(), c.until >= question.since.isoformat(),
    )  # fmt: skip
    for row in rows:
        yield _read(row), row["days"]


def _difference(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """Return by how many records at least two questions differ."""
    return sum(abs(one.get(day, 0) - other.get(day, 0)) for day in one.keys() | other.keys())


def _read(row: Mapping[str, Any]) -> Aggregate:
    question = Question(
        source=row["org"], emergency=row["emergency"], circumstance=row["circumstance"],
        since=date.fromisoformat(row["since"]), until=date.fromisoformat(row["until"]),
        counted=row["counted"],
    )  # fmt: skip
    table = None if row["table"] is None else Table(cells=row["table"][0], others=row["table"][1])
    return Aggregate(
        question=question, decision=row["decision"], by=row["by"], by_org=row["by_org"],
        grant=row["grant"], purpose=row["purpose"], verdict=row["verdict"], rule=row["rule"],
        number=row["question"], table=table, at=row["at"], entry_index=row["entry_index"],
    )  # fmt: skip
