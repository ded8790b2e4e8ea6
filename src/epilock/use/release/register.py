"""The register of releases: what was asked, tried out, requested, approved, and what left.

A release goes through these stages, and nothing else assigns one:

    asked ──► previewed ──► requested ──► approving ──► approved ──► gone
      │  ▲        │             │  │           │
      │  └────────┼─────────────┼──┼───────────┘  the records changed: previewed anew
      ▼           ▼             ▼  ▼
    failed     withdrawn   withdrawn refused

``asked`` and ``approving`` wait for the program (``run``), ``previewed`` for who asked, ``requested`` for a second
person. What is asked rests where the key service gives no keys today. What is refused by a rule is never asked: it is
written as ``refused``.

Rules kept in this file:
  1. The decision is written, with its ledger entry, before any record is opened; also a refusal.
  2. Who asked never approves. Who refuses a request is an entry of the ledger too.
  3. Only days that are over are released, and only what no hold keeps.
"""

import hmac
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from epilock.accounts.staff import Staff
from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.errors import ApprovalError, ForbiddenError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.store.bucket import LIVE, Bucket
from epilock.use import grant as grants
from epilock.use.decision import OPENED
from epilock.use.decision import REFUSED as DECISION_REFUSED
from epilock.use.gate import Gate
from epilock.use.grant import ACTIVE, DEIDENTIFIED, Grant
from epilock.use.release.question import DAY, Question, check

MOST_RECORDS = 100_000  # of one release; that many took six minutes on two busy cores
ROUNDED = 10  # what is told of numbers of rows is rounded down to this
ASKED, PREVIEWED, REQUESTED, APPROVING = "asked", "previewed", "requested", "approving"
APPROVED, REFUSED, WITHDRAWN, FAILED, GONE = "approved", "refused", "withdrawn", "failed", "gone"
NEXT: Mapping[str, Collection[str]] = {
    ASKED: {PREVIEWED, FAILED},
    PREVIEWED: {REQUESTED, WITHDRAWN},
    REQUESTED: {APPROVING, REFUSED, WITHDRAWN},
    APPROVING: {APPROVED, PREVIEWED, FAILED},
    APPROVED: {GONE},
    REFUSED: (),
    WITHDRAWN: (),
    FAILED: (),
    GONE: (),
}
UNDER_WAY = (ASKED, APPROVING)
LEFT = (APPROVED, GONE)
LATER = "later"  # the problem of a release for which the key service gives no keys today

releases = sealed_table(
    "releases",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("release", sa.String(20), primary_key=True),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("by_org", sa.String(31), nullable=False),
    sa.Column("grant", sa.String(20), nullable=False),
    sa.Column("purpose", sa.String(40), nullable=False),
    sa.Column("emergency", sa.String(31), nullable=False),
    sa.Column("circumstance", sa.String(41), nullable=False),
    sa.Column("since", sa.String(10), nullable=False),
    sa.Column("until", sa.String(10), nullable=False),
    sa.Column("question", Json, nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("rule", sa.String(200), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("stage", sa.String(10), nullable=False),
    sa.Column("found", Json),
    sa.Column("problem", Json),
    sa.Column("sha256", sa.String(64)),
    sa.Column("k", sa.Integer),
    sa.Column("l", sa.Integer),
    sa.Column("approved_by", sa.String(20)),
    sa.Column("place", sa.Integer),
    sa.Column("cells", Json),
    sa.Column("at", Instant, nullable=False),
    sa.Column("changed", Instant, nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Column("left_index", sa.BigInteger),
    sa.Index("releases_grant", "by_org", "grant"),
)
"""Columns: ``question`` fields, limit and method; ``parts`` the parts of a record that are opened; ``number``
which release it is under its grant; ``found`` what was measured, without rows; ``problem`` why there is none, or
that the records changed; ``place`` its number among those of its data set that left; ``cells`` see ``joint``;
``entry_index`` of its decision, ``left_index`` of its ``release``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release as it is registered; see the columns of ``releases``.

    Attributes:
        question: What was asked.
        found: What was measured; None as long as nothing was.
        problem: Kind and sentence of why it can't be released or changed, or None.
    """

    question: Question
    release: str
    by: str
    by_org: str
    grant: str
    purpose: str
    parts: tuple[str, ...]
    verdict: str
    rule: str
    number: int
    stage: str
    found: Mapping[str, Any] | None
    problem: Mapping[str, str] | None
    sha256: str | None
    k: int | None
    l: int | None  # noqa: E741 - the model's own letter
    approved_by: str | None
    place: int | None
    cells: Any
    at: datetime
    changed: datetime
    entry_index: int
    left_index: int | None

    @property
    def org(self) -> str:
        """Organisation whose records they are."""
        return self.question.source


def decide(
    gate: Gate, tx: Transaction, who: Staff, *, question: Question, grant: str, now: datetime
) -> Release:
    """Decide whether ``who`` may try out the release; the decision is written either way (rule 1).

    A question that is being made for ``who`` already, or rests, is that release: no second try is used up.

    Raises:
        InputError: The question can't be asked; see ``question.check``.
        NotFoundError: There is no such grant.
    """
    check(gate.standard, question)
    gate.log.append(tx, [], now=now)  # holds the log's head: a grant is used up one by one
    found = grants.load(tx, who.org, grant)
    again = _being_made(tx, who, found, question)
    if again is not None:
        return again
    days = count_days(gate, tx, question)
    rule = _refusal(gate, tx, who, found, question, days, now)
    allowed = not rule
    if allowed:
        range_ = _range(gate, tx, who, found, question)
        rule = f"see/{question.circumstance}/{found.purpose}/{range_}/{DEIDENTIFIED}"
        grants.use(tx, found, 1)
    code, total = new_id("r"), sum(days.values())
    common: dict[str, Any] = {
        "release": code, "by": who.staff, "grant": found.grant, "purpose": found.purpose,
        "emergency": question.emergency, "circumstance": question.circumstance,
        "since": question.since.isoformat(), "until": question.until.isoformat(),
        "verdict": OPENED if allowed else DECISION_REFUSED, "rule": rule,
    }  # fmt: skip
    number = found.used + 1 if allowed else 0
    said = entry.ReleaseDecision(
        org=question.source, standard=gate.standard.ref, at=entry.stamp(now), question=number,
        records=total - total % ROUNDED if allowed else 0, **common,
    )  # fmt: skip
    index = gate.log.base + gate.log.append(tx, [entry.encode(said)], now=now).first
    tx.insert(
        releases, org=question.source, by_org=who.org, question=question.stated(), number=number,
        parts=list(question.parts(gate.standard)) if allowed else [],
        stage=ASKED if allowed else REFUSED, at=now, changed=now, entry_index=index, **common,
    )  # fmt: skip
    return load(tx, question.source, code)


def request(tx: Transaction, found: Release, who: Staff, *, now: datetime) -> Release:
    """Ask a second person to approve what was previewed.

    Raises:
        ForbiddenError: Another asked for it.
        StateError: It is not previewed.
    """
    _check_own(found, who)
    return enter(tx, found, REQUESTED, problem=None, now=now)


def withdraw(tx: Transaction, found: Release, who: Staff, *, now: datetime) -> Release:
    """Give a release up that was not approved yet; errors as ``request``."""
    _check_own(found, who)
    return enter(tx, found, WITHDRAWN, now=now)


def judge(
    tx: Transaction,
    log: Log,
    found: Release,
    by: Staff,
    *,
    standard_ref: str,
    approve: bool,
    read: str = "",
    now: datetime,
) -> Release:
    """Approve or refuse a request as the second person (rule 2); what is approved is made once more first.

    ``read`` is the SHA-256 of the table whose numbers were read: another one is not approved.

    Raises:
        ApprovalError: Who asked cannot approve.
        ForbiddenError: ``by`` is no approver of the asking organisation or one above it.
        StateError: It is not requested, or its records changed since its numbers were read.
    """
    if by.staff == found.by:
        raise ApprovalError("who asks for a release cannot approve it (decision 11)")
    if not may_judge(tx, found, by):
        raise ForbiddenError("an approver of the asking organisation or one above it decides")
    kept = load(tx, found.org, found.release).sha256
    if approve and (kept is None or not hmac.compare_digest(read, kept)):
        raise StateError("this is not what you read: its records changed; look at it again")
    done = enter(
        tx, found, APPROVING if approve else REFUSED, approved_by=by.staff, now=now
    )  # fmt: skip
    said = entry.Approval(
        org=found.org, standard=standard_ref, at=entry.stamp(now), request=found.release,
        kind="release", by=by.staff, verdict="approved" if approve else "refused",
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return done


def may_judge(tx: Transaction, found: Release, by: Staff) -> bool:
    """Tell whether an account may look at a release as its second person."""
    above = {found.by_org, *organisations.superiors(tx, found.by_org)}
    return "approver" in by.roles and by.org in above


def enter(
    tx: Transaction, found: Release, stage: str, /, *, now: datetime, **values: Any
) -> Release:
    """Bring a release into a stage.

    Raises:
        StateError: It cannot come there from where it is in the database.
    """
    row = tx.get(releases, org=found.org, release=found.release, lock=True)
    if stage not in NEXT[row["stage"]]:
        raise StateError(f"release {found.release} is {row['stage']}: it cannot be {stage}")
    key = {"org": found.org, "release": found.release}
    tx.update(releases, key, stage=stage, changed=now, **values)
    return load(tx, found.org, found.release)


def put_off(tx: Transaction, found: Release, problem: Mapping[str, str], *, now: datetime) -> None:
    """Note why what was asked is not made now; it rests until it is asked once more.

    Raises:
        StateError: It is not asked any more.
    """
    key = {"org": found.org, "release": found.release}
    if tx.get(releases, **key, lock=True)["stage"] != ASKED:
        raise StateError(f"release {found.release} was gone on with elsewhere")
    tx.update(releases, key, problem=problem, changed=now)


def rests(found: Release) -> bool:
    """Tell whether a release waits for who asked to ask once more."""
    return found.stage == ASKED and found.problem is not None


def load(tx: Transaction, org: str, release: str) -> Release:
    """Return the release of records of ``org``.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _read(tx.get(releases, org=org, release=release))


def latest(tx: Transaction, org: str, *, limit: int = 100) -> list[Release]:
    """Return the latest releases of records of ``org`` that were asked for."""
    c = releases.c
    rows = tx.all(releases, c.org == org, order_by=[c.entry_index.desc()], limit=limit)
    return [_read(row) for row in rows]


def listing(
    tx: Transaction, *, stages: Collection[str], by_org: str | None = None
) -> list[Release]:
    """Return the releases in ``stages``, asked for by anyone or by staff of ``by_org``, the oldest first."""
    c = releases.c
    where: list[sa.ColumnElement[bool]] = [c.stage.in_(list(stages))]
    if by_org is not None:
        where.append(c.by_org == by_org)
    return [_read(row) for row in tx.all(releases, *where, order_by=[c.entry_index])]


def of_data_set(tx: Transaction, question: Question) -> list[Release]:
    """Return the releases of the question's organisation, emergency and circumstance that left, in order."""
    c = releases.c
    rows = tx.all(
        releases, c.org == question.source, c.emergency == question.emergency,
        c.circumstance == question.circumstance, c.stage.in_(LEFT), order_by=[c.place],
    )  # fmt: skip
    return [_read(row) for row in rows]


def is_under_grant(tx: Transaction, found: Release, now: datetime) -> bool:
    """Tell whether the grant of a release is in force."""
    leave = grants.load(tx, found.by_org, found.grant)
    return leave.stage == ACTIVE and now < leave.until


def buckets_of(tx: Transaction, question: Question) -> list[Bucket]:
    """Return the buckets that a question reaches and of which something is alive."""
    return [
        bucket
        for bucket in buckets.of_emergency(tx, question.source, question.emergency)
        if bucket.circumstance == question.circumstance
        and question.since <= bucket.day <= question.until
        and bucket.live
    ]


def count_days(gate: Gate, tx: Transaction, question: Question) -> Counter[str]:
    """Return how many living records each day has; none for what the standard does not know."""
    days: Counter[str] = Counter()
    if question.circumstance not in gate.standard.circumstances:
        return days
    c = vault.records.c
    for bucket in buckets_of(tx, question):
        query = sa.select(sa.func.count()).where(
            c.org == bucket.org, c.bucket == bucket.id, c.state == LIVE
        )
        days[bucket.day.isoformat()] += int(tx.conn.execute(query).scalar_one())
    return days


def _refusal(  # noqa: PLR0911, PLR0917 - one line a refusal; the facts of one question
    gate: Gate,
    tx: Transaction,
    who: Staff,
    found: Grant,
    question: Question,
    days: Mapping[str, int],
    now: datetime,
) -> str:
    """Return the rule that refuses; "" if none does."""
    refused = grants.refusal_of_many(
        tx, gate.keys, who, found, source=question.source, form=DEIDENTIFIED,
        circumstance=question.circumstance, now=now,
    )  # fmt: skip
    if refused:
        return refused
    range_ = _range(gate, tx, who, found, question)
    for category in question.fields:
        if category == DAY:
            continue
        key = (question.circumstance, category, found.purpose, range_, DEIDENTIFIED)
        verdict = gate.table.get(key)
        if verdict is None or not verdict.allowed:
            return f"not-listed/{category}" if verdict is None else verdict.rule
    if question.until >= now.astimezone(CHINA).date():
        return "release/day-not-over"
    if any(gate.is_held(tx, b.org, b.id, now) for b in buckets_of(tx, question)):
        return "duty/hold"
    if sum(days.values()) < gate.standard.circumstances[question.circumstance].release.k:
        return "release/too-few"
    if sum(days.values()) > MOST_RECORDS:
        return "release/too-many"
    return ""


def _being_made(tx: Transaction, who: Staff, found: Grant, question: Question) -> Release | None:
    c = releases.c
    rows = tx.all(
        releases, c.org == question.source, c.by_org == who.org, c.by == who.staff,
        c.grant == found.grant, c.stage == ASKED,
    )  # fmt: skip
    return next((each for each in map(_read, rows) if each.question == question), None)


def _range(gate: Gate, tx: Transaction, who: Staff, found: Grant, question: Question) -> str:
    where = [question.circumstance]
    return grants.reach(
        tx, gate.standard, who.org, question.source, where, found.purpose, DEIDENTIFIED
    )


def _check_own(found: Release, who: Staff) -> None:
    if found.by != who.staff:
        raise ForbiddenError("a release is in the hands of who asked for it")


def _read(row: dict[str, Any]) -> Release:
    stated = row.pop("question")
    question = Question(
        source=row.pop("org"), emergency=row.pop("emergency"), circumstance=row.pop("circumstance"),
        since=date.fromisoformat(row.pop("since")), until=date.fromisoformat(row.pop("until")),
        fields=dict(stated["fields"]), suppressed=stated["suppressed"], search=stated["search"],
    )  # fmt: skip
    return Release(question=question, **{**row, "parts": tuple(row["parts"])})
