"""Budgets as lists: what may be told and has been, account by account; and what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from epilock.db import Transaction
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.budget import (
    Account,
    Budget,
    privacy_budgets,
    privacy_datasets,
    shown,
)
from epilock.use import allotment as allotments
from epilock.use.allotment import APPROVED, ASKED, REFUSED, Allotment
from epilock.web.console import listing
from epilock.web.console.listing import Filter, Plan

HERE = "/console/budgets"
LEFT, EMPTY = "left", "empty"
STATES = (LEFT, EMPTY)
STAGES = (ASKED, APPROVED, REFUSED)
FIRST = {"stage": ASKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An account, and the ceiling of its dataset with what is allotted of it.

    Attributes:
        account: Whose; of a dataset that nobody has an allotment of yet, without purpose and recipient.
        budget: As it stands, or None if there is no account yet.
        whole: The dataset's ceiling, and the sum of its allotments as what is spent.
    """

    account: Account
    budget: Budget | None
    whole: Budget


def accounts() -> sa.Subquery:
    """Return each account, and each dataset that has none yet, with a ``code`` that names it."""
    d, b = privacy_datasets.c, privacy_budgets.c
    purpose, recipient = (sa.func.coalesce(c, "") for c in (b.purpose, b.recipient))
    left = sa.func.coalesce(b.allotted - b.spent, 0)
    both = privacy_datasets.outerjoin(
        privacy_budgets, sa.and_(b.org == d.org, b.dataset == d.dataset)
    )
    return (
        sa.select(
            (d.dataset + "/" + purpose + "/" + recipient).label("code"), d.org, d.dataset,
            purpose.label("purpose"), recipient.label("recipient"), left.label("left"),
        )
        .select_from(both)
        .subquery("accounts")
    )  # fmt: skip


def plan(
    table: sa.Subquery,
    *,
    datasets: Sequence[str],
    purposes: Sequence[str],
    recipients: Sequence[str],
) -> Plan[Line]:
    """Return what the list of accounts can do."""
    c = table.c
    states = {LEFT: c.left > 0, EMPTY: sa.and_(c.left == 0, c.recipient != "")}
    return Plan(
        path=HERE, table=table, key=c.code, read=_read, order="dataset", sorts={"dataset": c.code, "left": c.left},
        filters={
            "state": Filter(where=lambda state: states[state], options=STATES),
            "dataset": listing.equal(c.dataset, datasets),
            "recipient": listing.equal(c.recipient, recipients),
            "purpose": listing.equal(c.purpose, purposes),
        },
        columns={
            "dataset": lambda one: one.account.dataset, "ceiling": lambda one: shown(one.whole.allotted),
            "allotted_in_all": lambda one: shown(one.whole.spent), "recipient": lambda one: one.account.recipient,
            "purpose": lambda one: one.account.purpose,
            "allotted": lambda one: shown(one.budget.allotted) if one.budget else "",
            "spent": lambda one: shown(one.budget.spent) if one.budget else "",
            "left": lambda one: shown(one.budget.left) if one.budget else "",
        },
    )  # fmt: skip


def asked(
    *, datasets: Sequence[str], purposes: Sequence[str], recipients: Sequence[str]
) -> Plan[Allotment]:
    """Return what the list of requests can do; it begins with those that wait."""
    c = allotments.allotments.c
    return Plan(
        path=f"{HERE}/asked", table=allotments.allotments, key=c.allotment, order="-asked", first=FIRST,
        read=lambda _, rows: [Allotment(**row) for row in rows],
        sorts={"asked": c.asked, "dataset": c.dataset, "epsilon": c.epsilon},
        filters={
            "stage": listing.equal(c.stage, STAGES), "dataset": listing.equal(c.dataset, datasets),
            "recipient": listing.equal(c.recipient, recipients),
            "purpose": listing.equal(c.purpose, purposes),
            "since": listing.since(c.asked), "until": listing.until(c.asked),
        },
        columns={
            "allotment": lambda a: a.allotment, "asked": lambda a: a.asked, "asked_by": lambda a: a.by,
            "dataset": lambda a: a.dataset, "purpose": lambda a: a.purpose, "recipient": lambda a: a.recipient,
            "epsilon": lambda a: shown(a.epsilon), "ceiling": lambda a: shown(a.ceiling) if a.ceiling else "",
            "stage": lambda a: a.stage, "decided_by": lambda a: a.decided_by or "",
        },
    )  # fmt: skip


def _read(tx: Transaction, rows: list[dict[str, Any]]) -> list[Line]:
    """Return the accounts, each read from the sealed registers."""
    if not rows:
        return []
    org = rows[0]["org"]
    known, ceilings = budget.accounts(tx, org), budget.ceilings(tx, org)
    found = [
        Account(**{n: row[n] for n in ("org", "dataset", "purpose", "recipient")}) for row in rows
    ]
    return [Line(account=a, budget=known.get(a), whole=ceilings[a.dataset]) for a in found]
