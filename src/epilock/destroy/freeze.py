"""The freeze: while somebody has gone around the program, nothing more is destroyed.

What the watcher finds (``epilock.watch``) may be an attack that wants destruction to hide its traces, or an
old copy whose holds and orders are no longer true. So the run, orders, erasures and the deletion of dead
rows wait; collecting and looking go on. The stages, and nothing else assigns one:

    frozen ──► asked ──► lifted
    (by the watcher)  (by one person)  (by another)

Rules kept in this file:
  1. There is one freeze at a time, for the whole installation: who writes past the program is bound to no
     organisation. What is found meanwhile is added to it.
  2. Two persons lift it: a supervisor asks, a custodian or an approver agrees, both of an organisation that
     stands under none.
  3. What was found and then lifted is known: the same finding does not freeze again.
  4. It is witnessed when it begins. Where the log itself is damaged nothing may be added to it; then it is
     witnessed when it is lifted.
  5. What was announced stays announced, and is carried out after the end of the freeze.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Json, Transaction, metadata, new_id, sealed_table
from epilock.errors import ApprovalError, ForbiddenError, FrozenError, InputError, StateError
from epilock.ledger import entry
from epilock.ledger.check import Damage
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations

INSTALLATION = ""  # it belongs to no organisation
FROZEN, ASKED, LIFTED = "frozen", "asked", "lifted"
NEXT: Mapping[str, frozenset[str]] = MappingProxyType(
    {FROZEN: frozenset({ASKED}), ASKED: frozenset({LIFTED}), LIFTED: frozenset()}
)
REASONS = ("restored", "repaired", "false-alarm", "exercise")
MOST_FINDINGS = 200  # that are kept by name; all are counted
MAY_ASK, MAY_LIFT = frozenset({"supervisor"}), frozenset({"custodian", "approver"})

freezes = sealed_table(
    "freezes",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("freeze", sa.String(20), primary_key=True),
    sa.Column("stage", sa.String(8), nullable=False),
    sa.Column("begun", Instant, nullable=False),
    sa.Column("findings", Json, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("witnessed", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String(20)),
    sa.Column("asked_by", sa.String(20)),
    sa.Column("asked", Instant),
    sa.Column("lifted_by", sa.String(20)),
    sa.Column("lifted", Instant),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One freeze.

    Attributes:
        freeze: Its code.
        stage: As in ``NEXT``.
        begun: When it began.
        findings: What was found; the first ``MOST_FINDINGS``.
        count: How much was found in all.
        witnessed: Whether the ledger says that it began (rule 4).
        reason: One of ``REASONS``, or None while nobody asked to lift it.
        asked_by, asked: Staff id of who asked to lift it, and when; or None.
        lifted_by, lifted: Staff id of who lifted it, and when; or None.
    """

    freeze: str
    stage: str
    begun: datetime
    findings: tuple[Damage, ...]
    count: int
    witnessed: bool
    reason: str | None
    asked_by: str | None
    asked: datetime | None
    lifted_by: str | None
    lifted: datetime | None


def begin(
    tx: Transaction,
    log: Log,
    found: Sequence[Damage],
    *,
    standard_ref: str,
    now: datetime,
    witnessed: bool = True,
) -> Freeze:
    """Freeze, or add what was ``found`` to the freeze that lasts; repeating is harmless.

    Args:
        tx: A transaction.
        log: The log.
        found: What was found.
        standard_ref: The standard that the entry names.
        now: The instant.
        witnessed: Whether the log may be added to (rule 4).
    """
    if witnessed:
        log.append(tx, [], now=now)  # the head first: of two watchers one begins
    last = current(tx)
    if last is not None:
        new = [each for each in found if each not in last.findings]
        if new:
            kept = [*last.findings, *new][:MOST_FINDINGS]
            tx.update(freezes, _key(last), findings=_rows(kept), count=last.count + len(new))
        return load(tx, last.freeze)
    code = new_id("f")
    tx.insert(
        freezes, org=INSTALLATION, freeze=code, stage=FROZEN, begun=now,
        findings=_rows(found[:MOST_FINDINGS]), count=len(found), witnessed=witnessed,
    )  # fmt: skip
    made = load(tx, code)
    if witnessed:
        log.append(tx, [_begun(made, standard_ref)], now=now)
    return made


def ask(
    tx: Transaction,
    *,
    by: str,
    by_org: str,
    roles: Collection[str],
    reason: str,
    now: datetime,
) -> Freeze:
    """Ask, as the first person, that the freeze be lifted; destruction still waits.

    Raises:
        InputError: The reason is none of ``REASONS``.
        StateError: Nothing is frozen, or it was asked for already.
        ForbiddenError: ``by`` is not who may (rule 2).
    """
    if reason not in REASONS:
        raise InputError(f"a freeze is lifted for one of the reasons {', '.join(REASONS)}")
    found = _waiting(tx)
    _check_role(tx, by_org, roles, MAY_ASK)
    _enter(tx, found, ASKED, reason=reason, asked_by=by, asked=now)
    return load(tx, found.freeze)


def lift(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    by: str,
    by_org: str,
    roles: Collection[str],
    now: datetime,
) -> Freeze:
    """Lift the freeze as the second person: from here on what is due is destroyed again.

    Raises:
        StateError: Nothing is frozen, or nobody asked to lift it.
        ApprovalError: ``by`` asked for it.
        ForbiddenError: ``by`` is not who may (rule 2).
    """
    log.append(tx, [], now=now)  # the head first
    found = _waiting(tx)
    if found.asked_by == by:
        raise ApprovalError("who asks to lift a freeze cannot lift it (design, decision 11)")
    _check_role(tx, by_org, roles, MAY_LIFT)
    _enter(tx, found, LIFTED, lifted_by=by, lifted=now, witnessed=True)
    said = entry.FreezeLifted(
        org=INSTALLATION, standard=standard_ref, at=entry.stamp(now), freeze=found.freeze,
        reason=found.reason or "", by=found.asked_by or "", approved_by=by,
    )  # fmt: skip
    told = [] if found.witnessed else [_begun(found, standard_ref)]
    log.append(tx, [*told, entry.encode(said)], now=now)
    return load(tx, found.freeze)


def current(tx: Transaction) -> Freeze | None:
    """Return the freeze that lasts, or None.

    Raises:
        TamperedError: A row was changed past this program; nothing may be destroyed then either.
    """
    return next((each for each in listing(tx) if each.stage != LIFTED), None)


def check_thawed(tx: Transaction) -> None:
    """Return if things may be destroyed.

    Raises:
        FrozenError: They may not, while the freeze lasts.
    """
    found = current(tx)
    if found is not None:
        raise FrozenError(
            f"destruction is frozen ({found.freeze}): something went around the program"
            f" (findings: {found.count})", rule="freeze", source=("decision 33",),
            allowed="two persons look at what was found and lift it: `epilock watch ask`, `epilock watch lift`",
        )  # fmt: skip


def known(tx: Transaction) -> frozenset[Damage]:
    """Return what was found and lifted, and so freezes nothing any more (rule 3)."""
    return frozenset(
        each for found in listing(tx) if found.stage == LIFTED for each in found.findings
    )


def load(tx: Transaction, freeze: str) -> Freeze:
    """Return the freeze.

    Raises:
        NotFoundError: There is none of that code.
    """
    return read(tx.get(freezes, org=INSTALLATION, freeze=freeze))


def listing(tx: Transaction) -> list[Freeze]:
    """Return all freezes, the latest first."""
    c = freezes.c
    rows = tx.all(freezes, c.org == INSTALLATION, order_by=[c.begun.desc(), c.freeze])
    return [read(row) for row in rows]


def _waiting(tx: Transaction) -> Freeze:
    found = current(tx)
    if found is None:
        raise StateError("nothing is frozen")
    return found


def _check_role(tx: Transaction, org: str, roles: Collection[str], wanted: frozenset[str]) -> None:
    if not wanted & set(roles):
        raise ForbiddenError(f"this takes the role {' or '.join(sorted(wanted))}")
    if organisations.superiors(tx, org):
        raise ForbiddenError("a freeze is lifted by an organisation that stands under none")


def _enter(tx: Transaction, found: Freeze, stage: str, **values: Any) -> None:
    if stage not in NEXT[found.stage]:
        raise StateError(f"the freeze {found.freeze} is {found.stage}: it cannot be {stage}")
    tx.update(freezes, _key(found), stage=stage, **values)


def _begun(found: Freeze, standard_ref: str) -> bytes:
    return entry.encode(
        entry.Freeze(
            org=INSTALLATION, standard=standard_ref, at=entry.stamp(found.begun),
            freeze=found.freeze, findings=found.count,
        )
    )  # fmt: skip


def _key(found: Freeze) -> dict[str, str]:
    return {"org": INSTALLATION, "freeze": found.freeze}


def _rows(found: Sequence[Damage]) -> list[list[str]]:
    return [[each.row, each.problem] for each in found]


def read(row: dict[str, Any]) -> Freeze:
    """Return the freeze of a row."""
    row.pop("org")
    return Freeze(**{**row, "findings": tuple(Damage(*each) for each in row["findings"])})
