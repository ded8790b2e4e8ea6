"""Grants: leave for one person to open a bounded number of records for one purpose, until a day.

A grant names purpose, form, circumstances, whose records, who, until when and at most how many subjects:
the most that a stolen account can take is a number one can read off. It is asked for by who needs it and
approved by a second person, who may sit in the superior organisation, and never by who asked.

A grant to count (form ``aggregate``) opens no record to anyone: what it bounds is how many tables may be
asked for, and so what can be learned by subtracting them. One for de-identified tables (``deidentified``) bounds
how many releases may be tried out; each of them is approved once more before it leaves.

Where a key service asks for it (``Keys.signed``), the approver's passkey signs what a grant says, and the service
holds every opening to that (``store.approval``); the signature is kept beside the grant. A grant of many then says
also how many whole parts are read for it: a part is all records of one day, so that tables alone bound nothing.

A grant of the form ``pseudonymous`` names a study of its holder's organisation: its key makes the codes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from epilock.accounts.staff import Staff
from epilock.db import Instant, Json, Transaction, id_from, metadata, new_id, sealed_table
from epilock.deidentify.pseudonyms import study as studies
from epilock.errors import ApprovalError, ForbiddenError, InputError, RefusedError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.standard.model import Verdict
from epilock.store.access import Keys
from epilock.store.approval import Statement, StatementOfMany

LONGEST = timedelta(days=30)
MOST_SUBJECTS = 10_000
AGGREGATE, DEIDENTIFIED, PSEUDONYMOUS = "aggregate", "deidentified", "pseudonymous"
FORMS = ("raw", "masked", "status", PSEUDONYMOUS, AGGREGATE, DEIDENTIFIED)
OF_MANY = frozenset({AGGREGATE, DEIDENTIFIED})  # forms that open no single record to anyone
MOST_TABLES = 20  # that a grant to count may ask for
MOST_RELEASES = 10  # that a grant for de-identified tables may try out
MOST_PARTS = 10_000  # that a grant of many may read whole
USUAL_DAYS = 31  # whose parts a table reads whole if its grant says no number
RESTS_ON = frozenset(
    {"case", "order", "relation-or-emergency", "agreement"}
)  # needs named by number
REQUESTED, ACTIVE, REFUSED, REVOKED = "requested", "active", "refused", "revoked"
NEXT = {
    REQUESTED: {ACTIVE, REFUSED, REVOKED},
    ACTIVE: {REVOKED},
    REFUSED: set[str](),
    REVOKED: set[str](),
}
HOLDERS = frozenset({"collector", "custodian", "analyst", "supervisor"})

grants = sealed_table(
    "grants",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("staff", sa.String(20), nullable=False),
    sa.Column("source", sa.String(31), nullable=False),
    sa.Column("purpose", sa.String(40), nullable=False),
    sa.Column("form", sa.String(20), nullable=False),
    sa.Column("circumstances", Json, nullable=False),
    sa.Column("subjects", sa.Integer, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("case", sa.String(40)),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("stage", sa.String(10), nullable=False),
    sa.Column("approved_by", sa.String(20)),
    sa.Column("requested", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

grant_studies = sealed_table(
    "grant_studies",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("study", sa.String(64), nullable=False),
)
"""Under which study's key a grant of the form ``pseudonymous`` shows codes."""

grant_parts = sealed_table(
    "grant_parts",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("parts", sa.Integer, nullable=False),
)
"""How many whole parts a grant of many reads, where who asked said it."""

grant_signatures = sealed_table(
    "grant_signatures",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("grant", sa.String(20), primary_key=True),
    sa.Column("assertion", sa.Text, nullable=False),
)
"""What the approver's passkey signed: the assertion over ``Grant.statement``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant.

    Attributes:
        org: Organisation of its holder.
        grant: Its code.
        staff: Its holder.
        source: Organisation that collected the records.
        purpose, form: As in the standard.
        circumstances: Whose records it reaches.
        subjects: Most subjects it may open; or tables it may ask for (form ``aggregate``), or releases it may
            try out (``deidentified``).
        used: How many it has opened, asked for or tried out.
        case: Case, order or relation it rests on, by number, or None.
        reason: Why, in the holder's words; no personal information.
        stage: As in ``NEXT``.
        approved_by: The second person, or None.
        requested: When it was asked for.
        until: Its end.
        study: Study whose codes it shows (form ``pseudonymous``), or None.
        parts: Most whole parts that are read for it (``OF_MANY``), as a key service counts them; else 0.
    """

    org: str
    grant: str
    staff: str
    source: str
    purpose: str
    form: str
    circumstances: tuple[str, ...]
    subjects: int
    used: int
    case: str | None
    reason: str
    stage: str
    approved_by: str | None
    requested: datetime
    until: datetime
    study: str | None
    parts: int

    @property
    def left(self) -> int:
        """How many it has left of ``subjects``."""
        return max(0, self.subjects - self.used)

    def statement(self) -> Statement:
        """Return what its approver signs."""
        common: dict[str, Any] = {
            "grant": self.grant, "org": self.org, "staff": self.staff, "source": self.source,
            "purpose": self.purpose, "form": self.form,
            "circumstances": tuple(sorted(set(self.circumstances))), "subjects": self.subjects,
            "until": self.until.astimezone(UTC),
        }  # fmt: skip
        if self.form in OF_MANY:
            return StatementOfMany(**common, parts=self.parts)
        return Statement(**common)


def reach(  # noqa: PLR0917 - who, whose, and what for
    tx: Transaction,
    standard: Standard,
    org: str,
    source: str,
    circumstances: Collection[str],
    purpose: str,
    form: str,
) -> str:
    """Return the circulation range in which staff of ``org`` see what ``source`` collected.

    Who collected is R1, and stays what it is besides: a health authority traces by what it collected itself.
    Of the two, the first in which the standard lets the purpose see all ``circumstances`` counts.
    """
    ranges = _ranges(tx, org, source)
    fits = (
        range_
        for range_ in ranges
        if all(_see(standard, code, purpose, form, range_).allowed for code in circumstances)
    )
    return next(fits, ranges[0])


def _ranges(tx: Transaction, org: str, source: str) -> tuple[str, ...]:
    own = organisations.load(tx, org).range
    return (own,) if org != source else tuple(dict.fromkeys(("R1", own)))


def _see(standard: Standard, code: str, purpose: str, form: str, range_: str) -> Verdict:
    category = next(iter(standard.circumstances[code].allows))
    return standard.see(code, category, purpose=purpose, range=range_, form=form)


def code_for(form: UUID) -> str:
    """Return the code of the grant that is asked for by the form of this id."""
    return id_from("g", form)


def is_there(tx: Transaction, org: str, code: str) -> bool:
    """Tell whether a grant has this code."""
    return tx.find(grants, org=org, grant=code) is not None


def request(
    tx: Transaction,
    standard: Standard,
    who: Staff,
    *,
    source: str,
    purpose: str,
    form: str,
    circumstances: tuple[str, ...],
    subjects: int,
    case: str | None,
    reason: str,
    until: datetime,
    study: str | None = None,
    parts: int | None = None,
    now: datetime,
    code: str = "",
) -> Grant:
    """Ask for a grant; it opens nothing until a second person approves it.

    One of many that names no ``parts`` has ``usual_parts``; ``code`` is the grant's (``code_for``), or a fresh one is made.

    Raises:
        ForbiddenError: The account's roles can hold no grant.
        InputError: A bound is missing or too wide.
        RefusedError: The standard gives no leave for this purpose, form or range.
    """
    if not who.roles & HOLDERS:
        raise ForbiddenError(f"a grant is held by {', '.join(sorted(HOLDERS))}")
    check_purpose(standard, purpose)
    check_study(tx, who.org, purpose, form, study)
    check_circumstances(standard, circumstances)
    check_subjects(form, subjects)
    check_parts(form, parts)
    check_case(standard, purpose, case)
    check_reason(reason)
    check_until(until, now=now)
    organisations.load(tx, source)
    _check_leave(standard, circumstances, purpose, form, _ranges(tx, who.org, source))
    code = code or new_id("g")
    tx.insert(
        grants, org=who.org, grant=code, staff=who.staff, source=source, purpose=purpose, form=form,
        circumstances=list(circumstances), subjects=subjects, used=0, case=case, reason=reason[:300],
        stage=REQUESTED, requested=now, until=until,
    )  # fmt: skip
    if study is not None:
        tx.insert(grant_studies, org=who.org, grant=code, study=study)
    if parts is not None:
        tx.insert(grant_parts, org=who.org, grant=code, parts=parts)
    return load(tx, who.org, code)


def check_purpose(standard: Standard, purpose: str) -> None:
    """Return if the standard has the purpose.

    Raises:
        InputError: It has not.
    """
    if purpose not in standard.purposes:
        raise InputError("a grant needs a purpose of the standard")


def check_circumstances(standard: Standard, circumstances: Collection[str]) -> None:
    """Return if circumstances are named, all of the standard.

    Raises:
        InputError: There is none, or the standard does not know one.
    """
    if not circumstances:
        raise InputError("tick at least one circumstance: a grant reaches no other records")
    for code in circumstances:
        if code not in standard.circumstances:
            raise InputError(f"{code!r} is no circumstance of the standard")


def check_subjects(form: str, subjects: int) -> None:
    """Return if a grant of this form may be for so many subjects, tables or releases.

    Raises:
        InputError: It may not.
    """
    if form == AGGREGATE and not 1 <= subjects <= MOST_TABLES:
        raise InputError(f"a grant to count is for 1 to {MOST_TABLES} tables")
    if form == DEIDENTIFIED and not 1 <= subjects <= MOST_RELEASES:
        raise InputError(f"a grant for data without identity is for 1 to {MOST_RELEASES} releases")
    if not 1 <= subjects <= MOST_SUBJECTS:
        raise InputError(f"a grant is for 1 to {MOST_SUBJECTS} subjects")


def check_parts(form: str, parts: int | None) -> None:
    """Return if a grant of this form may name so many whole parts; None: it names none.

    Raises:
        InputError: It may not.
    """
    if parts is not None and (form not in OF_MANY or not 1 <= parts <= MOST_PARTS):
        forms = " and ".join(sorted(OF_MANY))
        raise InputError(
            f"1 to {MOST_PARTS} whole parts are named for {forms}, and for no other form"
        )


def check_case(standard: Standard, purpose: str, case: str | None) -> None:
    """Return if a number is named where the purpose rests on a case, an order, a relation or an agreement.

    Raises:
        InputError: It is missing.
    """
    if RESTS_ON.intersection(standard.purposes[purpose].needs) and not case:
        raise InputError("this purpose needs the number of the case, order or relation it rests on")


def check_reason(reason: str) -> None:
    """Return if there is a reason.

    Raises:
        InputError: There is none.
    """
    if not reason.strip():
        raise InputError("say what the grant is needed for")


def check_until(until: datetime, *, now: datetime) -> None:
    """Return if a grant may last until then.

    Raises:
        InputError: That is over already, or too far.
    """
    if until <= now:
        raise InputError("a grant can't end before it begins: choose today or a later day")
    if until > now + LONGEST:
        raise InputError(f"a grant ends within {LONGEST.days} days")


def check_study(tx: Transaction, org: str, purpose: str, form: str, study: str | None) -> None:
    """Return if a study is named where one is needed, lives, and was opened for the grant's purpose.

    Raises:
        InputError: It is missing, named in vain, or of another purpose.
        NotFoundError: ``org`` has no such study.
        StateError: It has ended.
    """
    if (form == PSEUDONYMOUS) != (study is not None):
        raise InputError(f"a study is named for the form {PSEUDONYMOUS}, and for no other")
    if study is None:
        return
    found = studies.load(tx, org, study)
    if found.ended is not None:
        raise StateError(f"the study {study} has ended: no code of it can be made")
    if found.purpose != purpose:
        raise InputError(
            f"the study {study} is for {found.purpose}: {purpose} needs one of its own"
        )


def decide(
    tx: Transaction,
    log: Log,
    keys: Keys,
    *,
    standard_ref: str,
    org: str,
    grant: str,
    by: Staff,
    approve: bool,
    assertion: str = "",
    now: datetime,
) -> Grant:
    """Approve or refuse a request as the second person.

    A signature goes to the key service first. If this transaction doesn't commit then, the service knows a grant
    that the gate doesn't: nothing opens under it here, and the next approval finds it there.

    Args:
        tx: A writing transaction.
        log: Where it is witnessed.
        keys: Whoever holds the keys.
        standard_ref: The standard in force.
        org: Organisation of who asked.
        grant: What was asked for.
        by: The second person.
        approve: Whether they approve.
        assertion: Their passkey's signature over ``Grant.statement`` (JSON); "" if none was given.
        now: The instant.

    Raises:
        ApprovalError: Who asked cannot approve, or a signature is needed and missing.
        InputError: The signature, or a bound, is not as the key service takes it.
        ForbiddenError: ``by`` is no approver of the organisation or one above it, or not to the key service.
        StateError: It is decided already.
    """
    organisations.check_decides(tx, by.org, org)
    found = load(tx, org, grant)
    if by.staff == found.staff:
        raise ApprovalError("who asks for a grant cannot approve it (decision 11)")
    if "approver" not in by.roles:
        raise ForbiddenError("a grant is decided by an approver")
    _enter(tx, found, ACTIVE if approve else REFUSED, approved_by=by.staff)
    if approve and keys.signed:
        if not assertion:
            raise ApprovalError(
                "this grant opens only if its approver's passkey signs it: approve it in the console"
            )
        tx.insert(grant_signatures, org=org, grant=grant, assertion=assertion)
        keys.register(found.statement().encoded(), assertion)
    common: dict[str, Any] = {"org": org, "standard": standard_ref, "at": entry.stamp(now)}
    said: list[entry.Entry] = [
        entry.Approval(
            **common, request=grant, kind="grant", by=by.staff,
            verdict="approved" if approve else "refused",
        )
    ]  # fmt: skip
    if approve:
        said.append(
            entry.Grant(
                **common, grant=grant, staff=found.staff, purpose=found.purpose, form=found.form,
                circumstances=list(found.circumstances), until=entry.stamp(found.until),
                subjects=found.subjects, case=found.case is not None, approved_by=by.staff,
            )
        )  # fmt: skip
    log.append(tx, [entry.encode(e) for e in said], now=now)
    return load(tx, org, grant)


def revoke(
    tx: Transaction, log: Log, *, standard_ref: str, org: str, grant: str, by: str, now: datetime
) -> Grant:
    """End a grant at once.

    Raises:
        StateError: It has ended already.
    """
    found = load(tx, org, grant)
    _enter(tx, found, REVOKED)
    if found.stage == ACTIVE:
        said = entry.GrantRevoked(
            org=org, standard=standard_ref, at=entry.stamp(now), grant=grant, by=by
        )
        log.append(tx, [entry.encode(said)], now=now)
    return load(tx, org, grant)


def use(tx: Transaction, found: Grant, subjects: int) -> None:
    """Count ``subjects`` against the grant, in the transaction of the decision."""
    tx.update(grants, {"org": found.org, "grant": found.grant}, used=found.used + subjects)


def load(tx: Transaction, org: str, grant: str) -> Grant:
    """Return the grant.

    Raises:
        NotFoundError: There is none of that code.
    """
    return read(tx, tx.get(grants, org=org, grant=grant, lock=True))


def refusal_of_many(
    tx: Transaction,
    keys: Keys,
    who: Staff,
    found: Grant,
    *,
    source: str,
    form: str,
    circumstance: str,
    now: datetime,
) -> str:
    """Return the rule by which a grant gives ``who`` no table of this form and these records; "" if it does."""
    reasons = (
        (found.staff != who.staff or found.stage != ACTIVE, "grant/not-yours-or-not-active"),
        (now >= found.until, "grant/ended"),
        ((found.source, found.form) != (source, form), "grant/other-purpose"),
        (circumstance not in found.circumstances, "grant/other-circumstance"),
        (found.used >= found.subjects, "grant/used-up"),
        (is_unsigned(tx, keys, found), "grant-unsigned"),
    )
    return next((rule for holds, rule in reasons if holds), "")


def is_unsigned(tx: Transaction, keys: Keys, found: Grant) -> bool:
    """Tell whether a key service asks for a signature that a grant doesn't have."""
    return keys.signed and signature(tx, found) is None


def signature(tx: Transaction, found: Grant) -> str | None:
    """Return the approver's signature over a grant, or None if it has none."""
    row = tx.find(grant_signatures, org=found.org, grant=found.grant)
    return None if row is None else str(row["assertion"])


def keys_for(tx: Transaction, keys: Keys, org: str, grant: str | None) -> Keys:
    """Return the keys that open under a grant of ``org``; without a grant, ``keys`` as they are.

    A key service that was put back to an earlier day is shown the signature again.

    Raises:
        ConflictError, ForbiddenError, InputError: The grant's row doesn't say what was signed.
    """
    if grant is None:
        return keys
    found = load(tx, org, grant)
    signed = signature(tx, found)
    if signed is not None:
        keys.register(found.statement().encoded(), signed)
    return keys.under(org, grant)


def listing(
    tx: Transaction, org: str, *, stages: Collection[str] = (REQUESTED, ACTIVE)
) -> list[Grant]:
    """Return the grants of ``org`` in ``stages``, the latest first."""
    rows = tx.all(
        grants, grants.c.org == org, grants.c.stage.in_(list(stages)),
        order_by=[grants.c.requested.desc()],
    )  # fmt: skip
    return [read(tx, r) for r in rows]


def usual_parts(subjects: int) -> int:
    """Return how many whole parts are read for so many tables if who asks names no number."""
    return min(subjects * USUAL_DAYS, MOST_PARTS)


def read(tx: Transaction, row: dict[str, Any]) -> Grant:
    """Return the grant that a row of ``grants`` states."""
    study, parts = None, 0
    if row["form"] == PSEUDONYMOUS:
        study = tx.get(grant_studies, org=row["org"], grant=row["grant"])["study"]
    if row["form"] in OF_MANY:
        said = tx.find(grant_parts, org=row["org"], grant=row["grant"])
        parts = usual_parts(row["subjects"]) if said is None else said["parts"]
    circumstances = tuple(row["circumstances"])
    return Grant(**{**row, "circumstances": circumstances, "study": study, "parts": parts})


def _check_leave(
    standard: Standard,
    circumstances: tuple[str, ...],
    purpose: str,
    form: str,
    ranges: tuple[str, ...],
) -> None:
    """Return if each circumstance is seen in one of ``ranges``; together they may still not be (``reach``)."""
    for code in circumstances:
        verdicts = [_see(standard, code, purpose, form, range_) for range_ in ranges]
        if not any(verdict.allowed for verdict in verdicts):
            first = verdicts[0]
            raise RefusedError(
                f"the standard gives {' or '.join(ranges)} no leave for {purpose} ({form}) in {code}",
                rule=first.rule, source=first.source, allowed=first.advice.en,
                allowed_zh=first.advice.zh,
            )  # fmt: skip


def _enter(tx: Transaction, found: Grant, stage: str, **values: Any) -> None:
    if stage not in NEXT[found.stage]:
        raise StateError(f"grant {found.grant} is {found.stage}: it cannot be {stage}")
    tx.update(grants, {"org": found.org, "grant": found.grant}, stage=stage, **values)
