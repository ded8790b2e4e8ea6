"""Allotments: how much a dataset may tell one recipient for one purpose; asked for by one, approved by another.

The custodian of the organisation that answers for a dataset asks; an approver of it, or of an organisation
above it, decides, and never who asked. What is approved stands in ``deidentify.budget`` from then on. At the
first allotment of a dataset its ceiling is asked for too, which is said once.

Rule kept in this file: what an approver sees is what is allotted; a request is never changed.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from epilock.accounts.staff import Staff
from epilock.db import Instant, Transaction, id_from, metadata, new_id, sealed_table
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.budget import Account, Book
from epilock.errors import ApprovalError, BudgetError, ForbiddenError, InputError, StateError
from epilock.ledger import entry
from epilock.registry import organisation as organisations
from epilock.standard import Standard

NEEDED = "budget"  # what the standard says of a purpose that is answered with noise
PUBLIC = "public"
ASKED, APPROVED, REFUSED = "asked", "approved", "refused"
_DATASET = re.compile(r"[a-z][a-z0-9-]{1,63}")

allotments = sealed_table(
    "allotments",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("allotment", sa.String(20), primary_key=True),
    sa.Column("dataset", sa.String(64), nullable=False),
    sa.Column("purpose", sa.String(80), nullable=False),
    sa.Column("recipient", sa.String(80), nullable=False),
    sa.Column("epsilon", sa.BigInteger, nullable=False),
    sa.Column("ceiling", sa.BigInteger),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("by", sa.String(20), nullable=False),
    sa.Column("stage", sa.String(10), nullable=False),
    sa.Column("decided_by", sa.String(20)),
    sa.Column("asked", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """One request.

    Attributes:
        org: Organisation that answers for the dataset.
        allotment: Its code.
        dataset, purpose, recipient: Of the account.
        epsilon: What the account may spend in all, in micro-epsilon.
        ceiling: What the dataset may tell all recipients together, if that is still to be said.
        reason: Why, in the custodian's words; no personal information.
        by: Who asked.
        stage: ``asked``, ``approved`` or ``refused``.
        decided_by: The second person, or None.
        asked: When.
    """

    org: str
    allotment: str
    dataset: str
    purpose: str
    recipient: str
    epsilon: int
    ceiling: int | None
    reason: str
    by: str
    stage: str
    decided_by: str | None
    asked: datetime

    @property
    def account(self) -> Account:
        """Whose budget."""
        return Account(
            org=self.org, dataset=self.dataset, purpose=self.purpose, recipient=self.recipient
        )


def needs_budget(standard: Standard, purpose: str) -> bool:
    """Tell whether the standard wants what is counted for a purpose answered with noise."""
    return NEEDED in standard.purposes[purpose].needs


def code_for(form: UUID) -> str:
    """Return the code of the allotment that is asked for by the form of this id."""
    return id_from("a", form)


def is_there(tx: Transaction, org: str, code: str) -> bool:
    """Tell whether a request has this code."""
    return tx.find(allotments, org=org, allotment=code) is not None


def ask(
    tx: Transaction,
    standard: Standard,
    who: Staff,
    *,
    dataset: str,
    purpose: str,
    recipient: str,
    epsilon: int,
    ceiling: int | None,
    reason: str,
    now: datetime,
    code: str = "",
) -> Allotment:
    """Ask for an allotment; nothing can be spent of it until a second person approves it.

    ``code`` is the request's (``code_for``), or a fresh one is made.

    Raises:
        ForbiddenError: Who asks is no custodian.
        InputError: A code is none, the reason is missing, the purpose needs no budget, the ceiling is missing or
            was said before, or the account has as much already.
        BudgetError: The ceiling does not leave so much.
        NotFoundError: The recipient is no organisation.
    """
    if "custodian" not in who.roles:
        raise ForbiddenError("a budget is asked for by the custodian of the data")
    check_reason(reason)
    if not _DATASET.fullmatch(dataset):
        raise InputError("a dataset is named by 2 to 64 letters a-z, digits and hyphens")
    if purpose not in standard.purposes or not needs_budget(standard, purpose):
        raise InputError("only a purpose that the standard answers with noise has a budget")
    if recipient != PUBLIC:
        organisations.load(tx, recipient)
    account = Account(org=who.org, dataset=dataset, purpose=purpose, recipient=recipient)
    check_ceiling(tx, account, ceiling)
    check_epsilon(tx, account, epsilon, ceiling)
    code = code or new_id("a")
    tx.insert(
        allotments, org=who.org, allotment=code, dataset=dataset, purpose=purpose, recipient=recipient,
        epsilon=epsilon, ceiling=ceiling, reason=reason.strip()[:300], by=who.staff, stage=ASKED, asked=now,
    )  # fmt: skip
    return load(tx, who.org, code)


def decide(
    tx: Transaction,
    book: Book,
    *,
    org: str,
    allotment: str,
    by: Staff,
    approve: bool,
    now: datetime,
) -> Allotment:
    """Approve or refuse a request as the second person; what is approved can be spent when this has committed.

    Raises:
        ApprovalError: Who asked cannot approve.
        ForbiddenError: ``by`` is no approver of the organisation or one above it.
        StateError: It is decided already.
        BudgetError, ConflictError, InputError: The dataset was given a ceiling, or the account a budget, meanwhile.
    """
    organisations.check_decides(tx, by.org, org)
    found = load(tx, org, allotment)
    if by.staff == found.by:
        raise ApprovalError("who asks for a budget cannot approve it (decision 11)")
    if "approver" not in by.roles:
        raise ForbiddenError("a budget is decided by an approver")
    if found.stage != ASKED:
        raise StateError(f"{allotment} is {found.stage} already")
    stage = APPROVED if approve else REFUSED
    tx.update(allotments, {"org": org, "allotment": allotment}, stage=stage, decided_by=by.staff)
    said = entry.Approval(
        org=org, standard=book.standard_ref, at=entry.stamp(now), request=allotment, kind=NEEDED,
        by=by.staff, verdict=stage,
    )  # fmt: skip
    book.log.append(tx, [entry.encode(said)], now=now)
    if approve:
        if found.ceiling is not None:
            budget.declare(
                tx, book, org=org, dataset=found.dataset, ceiling=found.ceiling, by=by.staff,
                now=now,
            )  # fmt: skip
        budget.allot(tx, book, found.account, found.epsilon, by=by.staff, now=now)
    return load(tx, org, allotment)


def load(tx: Transaction, org: str, allotment: str) -> Allotment:
    """Return the request.

    Raises:
        NotFoundError: There is none of that code.
    """
    return _read(tx.get(allotments, org=org, allotment=allotment, lock=True))


def listing(tx: Transaction, org: str, *, stages: Collection[str] = (ASKED,)) -> list[Allotment]:
    """Return the requests of ``org`` in ``stages``, the latest first."""
    c = allotments.c
    rows = tx.all(allotments, c.org == org, c.stage.in_(list(stages)), order_by=[c.asked.desc()])
    return [_read(row) for row in rows]


def datasets(tx: Transaction, org: str) -> list[str]:
    """Return the datasets of ``org`` that a budget was asked for."""
    query = sa.select(allotments.c.dataset).distinct().where(allotments.c.org == org)
    return sorted(tx.conn.execute(query).scalars())


def check_reason(reason: str) -> None:
    """Raise InputError if a request says no reason."""
    if not reason.strip():
        raise InputError("a budget needs a reason")


def check_ceiling(tx: Transaction, account: Account, ceiling: int | None) -> None:
    """Raise InputError if the ceiling of the account's dataset is still to be said, or was said before."""
    whole = budget.ceilings(tx, account.org).get(account.dataset)
    if whole is None and ceiling is None:
        raise InputError(
            f"{account.dataset} has no budget yet: say its ceiling too, once and for all"
        )
    if whole is not None and ceiling is not None:
        raise InputError(
            f"the ceiling of {account.dataset} was said before: {budget.shown(whole.allotted)} epsilon; leave it empty"
        )


def check_epsilon(tx: Transaction, account: Account, epsilon: int, ceiling: int | None) -> None:
    """Return if ``account`` could be allotted ``epsilon`` as things are, its dataset having ``ceiling`` if none yet.

    Raises:
        InputError: It has as much already.
        BudgetError: The ceiling does not leave so much.
    """
    whole = budget.ceilings(tx, account.org).get(account.dataset)
    had = budget.accounts(tx, account.org, account.dataset).get(account)
    before = 0 if had is None else had.allotted
    if epsilon <= before:
        raise InputError(f"an allotment only grows: it is {budget.shown(before)} epsilon already")
    left = ceiling if whole is None else whole.left
    if epsilon - before > (left or 0):
        raise BudgetError(
            f"the ceiling of {account.dataset} leaves {budget.shown(left or 0)} epsilon: {account.recipient} can have at most"
            f" {budget.shown(before + (left or 0))} in all"
        )


def _read(row: dict[str, Any]) -> Allotment:
    return Allotment(**row)
