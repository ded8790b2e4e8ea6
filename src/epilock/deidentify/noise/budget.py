"""The budget: how much a dataset may still tell, per purpose and recipient; charged before anything is told.

A dataset has a *ceiling*, the most that all recipients together can learn of one person if they put
their answers side by side. Out of it *accounts* are allotted, one for each purpose and recipient. An
answer is taken from an account. All amounts are whole micro-epsilon (1,000,000 is 1); they add up because
what is spent adds up (sequential composition, Dwork and Roth 2014, theorem 3.16).

An answer (``ask``), and what a crash leaves:

  1. ``charge`` takes the price off and writes the ledger entry, in one transaction.  Crash before its
     commit: as before the call. After: it is paid for, and nothing was read.
  2. The data is read and the noise drawn.  Crash: paid for, and nothing has left.
  3. ``keep`` stores the answer; if one is stored already it gives that one.  Crash before its commit: as
     2. After: the answer is there.
  4. The answer leaves: only what was stored ever does.

The same call again with the same release id goes on where the crash was, and is not charged again. So a
crash can lose budget and never privacy, and one charge gives one answer however often it is asked for.

Rules kept in this file:
  1. No data is read before its charge has committed; no answer leaves that is not stored.
  2. What is spent of an account never exceeds what it was allotted; what is allotted of a dataset never
     its ceiling, which is said once. An allotment only grows.
  3. Who charges holds the log's head, so that charges come one by one, on either database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import sqlalchemy as sa

from epilock.db import Database, Instant, Json, Transaction, metadata, sealed_table
from epilock.deidentify.noise.answer import Answer, as_json, from_json, preview
from epilock.deidentify.noise.query import MICRO, Request, canonical
from epilock.errors import BudgetError, ConflictError, InputError, NotFoundError
from epilock.ledger import entry
from epilock.ledger.log import Log

MOST_CEILING = 1000 * MICRO

privacy_datasets = sealed_table(
    "privacy_datasets",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("dataset", sa.String(64), primary_key=True),
    sa.Column("ceiling", sa.BigInteger, nullable=False),
    sa.Column("allotted", sa.BigInteger, nullable=False),
)

privacy_budgets = sealed_table(
    "privacy_budgets",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("dataset", sa.String(64), primary_key=True),
    sa.Column("purpose", sa.String(80), primary_key=True),
    sa.Column("recipient", sa.String(80), primary_key=True),
    sa.Column("allotted", sa.BigInteger, nullable=False),
    sa.Column("spent", sa.BigInteger, nullable=False),
)

noisy_releases = sealed_table(
    "noisy_releases",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("release", sa.String(64), primary_key=True),
    sa.Column("dataset", sa.String(64), nullable=False),
    sa.Column("purpose", sa.String(80), nullable=False),
    sa.Column("recipient", sa.String(80), nullable=False),
    sa.Column("by", sa.String(31), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("query", sa.String(64), nullable=False),
    sa.Column("epsilon", sa.BigInteger, nullable=False),
    sa.Column("answer", Json),
    sa.Column("at", Instant, nullable=False),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Index("noisy_releases_account", "org", "dataset", "purpose", "recipient"),
)
"""Columns: ``question`` the request's canonical text, ``query`` its hash, ``answer`` what left or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose budget.

    Attributes:
        org: Organisation that answers for the dataset.
        dataset: Its code, such as ``outbreak-7-cases``.
        purpose: Of the standard, such as ``situation-monitoring``.
        recipient: Code of who gets the answers: an organisation, or ``public``.
    """

    org: str
    dataset: str
    purpose: str
    recipient: str

    def __str__(self) -> str:
        """Return it as an error names it."""
        return f"{self.dataset} of {self.org}, for {self.purpose} to {self.recipient}"

    @property
    def key(self) -> dict[str, str]:
        """Key of its row."""
        return {name: getattr(self, name) for name in ("org", "dataset", "purpose", "recipient")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An account as it stands, in micro-epsilon.

    Attributes:
        allotted: What it may spend in all.
        spent: What it has spent.
    """

    allotted: int
    spent: int

    @property
    def left(self) -> int:
        """What can still be spent."""
        return self.allotted - self.spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A charge, with its answer if that is stored.

    Attributes:
        account: Who paid.
        release: Its id, chosen by who asks.
        by: Who asked.
        request: The request's canonical text.
        epsilon: The price, in micro-epsilon.
        answer: What left, or None if nothing has.
        at: When it was charged.
        entry_index: Index of its ledger entry.
    """

    account: Account
    release: str
    by: str
    request: str
    epsilon: int
    answer: Answer | None
    at: datetime
    entry_index: int

    @property
    def categories(self) -> tuple[str, ...]:
        """What the answer has a number for, in its order; of one number none."""
        return tuple(msgspec.json.decode(self.request)["query"].get("categories", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What the functions that write need.

    Attributes:
        log: The ledger.
        standard_ref: The standard in force.
    """

    log: Log
    standard_ref: str


def declare(
    tx: Transaction, book: Book, *, org: str, dataset: str, ceiling: int, by: str, now: datetime
) -> None:
    """Say what a dataset may tell all recipients together, once and for all.

    Raises:
        InputError: The ceiling is none, or above a thousand epsilon.
        EntryError: A code is not one.
        ConflictError: It was said before.
    """
    if not 1 <= ceiling <= MOST_CEILING:
        raise InputError(f"a ceiling is 1 to {MOST_CEILING} micro-epsilon ({MICRO} is 1)")
    tx.insert(privacy_datasets, org=org, dataset=dataset, ceiling=ceiling, allotted=0)
    _witness(
        tx, book, org, now, dataset=dataset, purpose=None, recipient=None, epsilon=ceiling, by=by
    )


def allot(
    tx: Transaction, book: Book, account: Account, epsilon: int, *, by: str, now: datetime
) -> Budget:
    """Let an account spend ``epsilon`` in all, what it has spent included; return it as it stands.

    Raises:
        BudgetError: The dataset's ceiling does not leave so much; the message says what it leaves.
        InputError: It had as much already.
        EntryError: A code is not one.
        NotFoundError: The dataset was not declared.
    """
    book.log.append(tx, [], now=now)  # holds the log's head (rule 3)
    where = {"org": account.org, "dataset": account.dataset}
    whole = tx.find(privacy_datasets, lock=True, **where)
    if whole is None:
        raise NotFoundError(
            f"{account.dataset} of {account.org} has no ceiling yet: declare it first"
        )
    row = tx.find(privacy_budgets, lock=True, **account.key)
    before = 0 if row is None else row["allotted"]
    if epsilon <= before:
        raise InputError(f"an allotment only grows: it is {before} micro-epsilon already")
    left = whole["ceiling"] - whole["allotted"]
    if epsilon - before > left:
        raise BudgetError(
            f"the ceiling of {account.dataset} leaves {shown(left)} epsilon: {account.recipient} can have "
            f"at most {shown(before + left)} in all"
        )
    tx.update(privacy_datasets, where, allotted=whole["allotted"] + epsilon - before)
    if row is None:
        tx.insert(privacy_budgets, **account.key, allotted=epsilon, spent=0)
    else:
        tx.update(privacy_budgets, account.key, allotted=epsilon)
    _witness(
        tx, book, account.org, now, dataset=account.dataset, purpose=account.purpose,
        recipient=account.recipient, epsilon=epsilon, by=by,
    )  # fmt: skip
    return load(tx, account)


def load(tx: Transaction, account: Account) -> Budget:
    """Return an account as it stands.

    Raises:
        NotFoundError: Nothing was allotted to it.
    """
    return _budget(tx, account, lock=False)


def charge(
    tx: Transaction,
    book: Book,
    account: Account,
    *,
    release: str,
    request: Request,
    by: str,
    now: datetime,
) -> Release:
    """Take the price of ``request`` off; a release that was charged already is returned as it is.

    Raises:
        BudgetError: Less is left; the message says how much, and how exact an answer it would buy.
        ConflictError: The release's id stands for another question, account or person.
        EntryError: A code is not one.
        NotFoundError: Nothing was allotted to the account.
    """
    book.log.append(tx, [], now=now)  # holds the log's head (rule 3)
    text = canonical(request).decode()
    known = tx.find(noisy_releases, org=account.org, release=release)
    if known is not None:
        found = _read(known)
        if (found.account, found.request, found.by) != (account, text, by):
            raise ConflictError(f"the release {release} stands for another question; take a new id")
        return found
    budget = _budget(tx, account, lock=True)
    if request.epsilon > budget.left:
        raise BudgetError(_refusal(account, budget, request))
    tx.update(privacy_budgets, account.key, spent=budget.spent + request.epsilon)
    said = entry.NoisyRelease(
        **account.key, standard=book.standard_ref, at=entry.stamp(now), release=release, by=by,
        query=request.sha256, epsilon=request.epsilon,
    )  # fmt: skip
    index = book.log.base + book.log.append(tx, [entry.encode(said)], now=now).first
    tx.insert(
        noisy_releases, **account.key, release=release, by=by, question=text, query=request.sha256,
        epsilon=request.epsilon, at=now, entry_index=index,
    )  # fmt: skip
    return _read(tx.get(noisy_releases, org=account.org, release=release))


def keep(tx: Transaction, charged: Release, drawn: Answer) -> Answer:
    """Store the answer of a charge, and return it; where one is stored already, return that one."""
    key = {"org": charged.account.org, "release": charged.release}
    stored = tx.get(noisy_releases, lock=True, **key)["answer"]
    if stored is not None:
        return from_json(stored)
    tx.update(noisy_releases, key, answer=as_json(drawn))
    return drawn


def ask(
    database: Database,
    book: Book,
    account: Account,
    *,
    requests: Mapping[str, Request],
    draw: Callable[[Sequence[str]], Mapping[str, Answer]],
    by: str,
    now: datetime,
) -> tuple[dict[str, Answer], int]:
    """Return the answers of ``requests`` by release, and what they cost now; see the module for the order.

    All are charged or none.

    Args:
        database: The main database.
        book: See ``Book``.
        account: Who pays.
        requests: By release id, the same when it is asked again, the question and its price.
        draw: Reads the data and returns new answers of these releases; called after the charge has committed,
            and not at all if all were answered before.
        by: Who asks.
        now: When.

    Raises:
        BudgetError, ConflictError, EntryError, NotFoundError: As ``charge``, of any of them; nothing was charged.
    """
    with database.write() as tx:
        before = _budget(tx, account, lock=False)
        charged = {
            release: charge(tx, book, account, release=release, request=request, by=by, now=now)
            for release, request in requests.items()
        }
        cost = before.left - _budget(tx, account, lock=False).left
    fresh = [release for release, paid in charged.items() if paid.answer is None]
    drawn = draw(fresh) if fresh else {}
    with database.write() as tx:
        told = {
            release: paid.answer or keep(tx, paid, drawn[release])
            for release, paid in charged.items()
        }
    return told, cost


def accounts(tx: Transaction, org: str, dataset: str | None = None) -> dict[Account, Budget]:
    """Return the accounts of an organisation's datasets, or of one, as they stand."""
    c = privacy_budgets.c
    where = [c.org == org, *([] if dataset is None else [c.dataset == dataset])]
    rows = tx.all(privacy_budgets, *where, order_by=[c.dataset, c.purpose, c.recipient])
    return {_account(row): Budget(allotted=row["allotted"], spent=row["spent"]) for row in rows}


def ceilings(tx: Transaction, org: str) -> dict[str, Budget]:
    """Return by dataset its ceiling, as what was allotted, and the sum of its allotments, as what is spent."""
    c = privacy_datasets.c
    return {
        row["dataset"]: Budget(allotted=row["ceiling"], spent=row["allotted"])
        for row in tx.all(privacy_datasets, c.org == org, order_by=[c.dataset])
    }


def release_of(tx: Transaction, org: str, release: str) -> Release:
    """Return a charge, with its answer if that is stored.

    Raises:
        NotFoundError: Nothing was charged under this id.
    """
    return _read(tx.get(noisy_releases, org=org, release=release))


def releases(tx: Transaction, account: Account) -> list[Release]:
    """Return what an account has paid for, the oldest first."""
    c = noisy_releases.c
    where = [c[name] == value for name, value in account.key.items()]
    return [_read(row) for row in tx.all(noisy_releases, *where, order_by=[c.entry_index])]


def shown(epsilon: int) -> str:
    """Return micro-epsilon as people write epsilon: 250000 is 0.25."""
    return f"{(Decimal(epsilon) / MICRO).normalize():f}"


def micro(text: str) -> int:
    """Return micro-epsilon of what people write: 0.25 is 250000.

    Raises:
        InputError: It is no number above 0, or has more than six digits behind the point.
    """
    try:
        number = Decimal(text) * MICRO
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0 or number > MOST_CEILING or number != int(number):
        raise InputError(
            f"epsilon is a number above 0, at most {MOST_CEILING // MICRO}, with six digits behind the point"
            " at most, such as 0.25"
        )
    return int(number)


def _budget(tx: Transaction, account: Account, *, lock: bool) -> Budget:
    row = tx.find(privacy_budgets, lock=lock, **account.key)
    if row is None:
        raise NotFoundError(f"nothing was allotted to {account}")
    return Budget(allotted=row["allotted"], spent=row["spent"])


def _refusal(account: Account, budget: Budget, request: Request) -> str:
    said = f"{account} has {shown(budget.left)} of {shown(budget.allotted)} epsilon left"
    if budget.left == 0:
        return f"{said}, and this asks for {shown(request.epsilon)}: it has told all it may"
    less = preview(replace(request, epsilon=budget.left))
    return (
        f"{said}, and this asks for {shown(request.epsilon)}; for {shown(budget.left)} it would be "
        f"answered with {less} instead of {preview(request)}"
    )


def _witness(tx: Transaction, book: Book, org: str, now: datetime, **said: Any) -> None:
    budget = entry.PrivacyBudget(org=org, standard=book.standard_ref, at=entry.stamp(now), **said)
    book.log.append(tx, [entry.encode(budget)], now=now)


def _account(row: Mapping[str, Any]) -> Account:
    return Account(**{n: row[n] for n in ("org", "dataset", "purpose", "recipient")})


def _read(row: Mapping[str, Any]) -> Release:
    return Release(
        account=_account(row), release=row["release"], by=row["by"], request=row["question"],
        epsilon=row["epsilon"], at=row["at"], entry_index=row["entry_index"],
        answer=None if row["answer"] is None else from_json(row["answer"]),
    )  # fmt: skip
