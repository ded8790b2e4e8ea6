"""The inventory: the registers of all rooms, held against the ledger: what was declared, granted, decided or held is still there.

A row's MAC tells that it was changed. It doesn't tell that it was deleted, or put back as it was on an earlier
day: a hold that was never placed, a point that is open again, a grant that was not used up, an opening that
nobody made. The ledger tells: each entry is looked up in the row that it was written with.

Always true: nothing is changed; memory grows with accounts and grants, never with records. What the ledger
knows nothing of can't be told from it: sessions, rates, tallies of the day, what a list's rows were told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import sqlalchemy as sa

from epilock.accounts.staff import staff
from epilock.collect.issue import notices
from epilock.collect.paper import paper_codes, paper_pages
from epilock.collect.point import points
from epilock.db import Database, Transaction
from epilock.deidentify.noise.budget import noisy_releases, privacy_budgets, privacy_datasets
from epilock.deidentify.pseudonyms.study import studies, study_ends
from epilock.destroy.freeze import LIFTED, freezes
from epilock.destroy.hold import holds
from epilock.destroy.intent import intents
from epilock.destroy.order import CANCELLED, orders
from epilock.destroy.subject_request import subject_requests
from epilock.errors import EntryError, EpilockError
from epilock.ledger import entry
from epilock.ledger.check import Damage
from epilock.ledger.log import Log
from epilock.ledger.shards import entries_at
from epilock.registry.emergency import emergencies, levels
from epilock.registry.mandate import agreements, assessments, mandates
from epilock.registry.organisation import organisations
from epilock.store.check import rows
from epilock.use import allotment
from epilock.use.aggregate import aggregates, noisy_counts
from epilock.use.decision import OPENED, SUBJECT, decisions, openings
from epilock.use.grant import PSEUDONYMOUS, REFUSED, REVOKED, grant_studies, grants
from epilock.use.release.register import LEFT, releases
from epilock.use.review import emergency_openings
from epilock.use.search import searches

CHUNK = 1000
_COLLECT = b'"type":"collect"'  # most entries; the store's own check has them

Said = tuple[sa.Table, Mapping[str, Any], Mapping[str, Any]]
"""A table, the key of a row of it, and what the row must say: a value, or a function that tells."""


def check(database: Database, log: Log) -> Iterator[Damage]:
    """Yield each row of a register that the ledger speaks of and that is missing or says otherwise."""
    try:
        with database.read() as tx, rows.as_stored(tx):
            yield from _Inventory(tx).run(log)
    except (EpilockError, UnicodeError, ValueError, TypeError, sa.exc.DatabaseError) as error:
        yield Damage("the registers", f"can't be checked to the end: {type(error).__name__}")


def check_span(tx: Transaction, first: int, entries: Sequence[bytes]) -> Iterator[Damage]:
    """Yield the rows that ``entries``, which stand at ``first`` and after it, speak of and that are not so.

    What can only be said at the end of the whole log (sums of budgets, grants) is left to ``check``.
    """
    inventory = _Inventory(tx)
    for index, data in enumerate(entries, first):
        if _COLLECT not in data:
            yield from inventory.say(index, data)


@dataclass(slots=True)
class _Budget:
    """What the ledger says of one budget, in micro-epsilon, and the last entry that says it."""

    index: int = 0
    allotted: int = 0
    spent: int = 0


class _Inventory:
    """One pass over the log, then what can be said at its end only."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.roles: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.used: Counter[tuple[str, str]] = Counter()
        self.budgets: dict[tuple[str, str, str, str], _Budget] = {}
        self.tried: set[tuple[str, str]] = set()
        self.left: set[tuple[str, str]] = set()

    def run(self, log: Log) -> Iterator[Damage]:
        first = 0
        while chunk := entries_at(self.tx, log, first, CHUNK):
            for index, data in enumerate(chunk, first):
                if _COLLECT not in data:
                    yield from self.say(index, data)
            first += len(chunk)
        for (org, code), (index, roles) in self.roles.items():
            key = {"org": org, "staff": code}
            yield from self._row(index, staff, key, {"roles": roles})
        yield from self._grants()
        yield from self._privacy()
        yield from self._openings()
        yield from self._releases()

    def say(self, index: int, data: bytes) -> Iterator[Damage]:
        """Yield what is wrong with the rows that one entry speaks of."""
        try:
            said = entry.decode(data)
        except EntryError:
            return  # the store's check names it
        if isinstance(said, entry.Role):
            self.roles[said.org, said.staff] = index, list(said.roles)
        for table, key, facts in chain(
            _declared(said), _decided(index, said), _released(index, said), _asked(said)
        ):
            yield from self._row(index, table, key, facts)
        if isinstance(said, entry.Decision):
            yield from self._decision(said)
        if isinstance(said, entry.AggregateDecision):
            self._count(said, aggregates, {"decision": said.decision})
        if isinstance(said, entry.ReleaseDecision):
            self.tried.add((said.org, said.release))
            self._count(said, releases, {"release": said.release})
        if isinstance(said, entry.Release):
            self.left.add((said.org, said.release))
        if isinstance(said, entry.PrivacyBudget | entry.NoisyRelease):
            self._pay(index, said)
        if isinstance(said, entry.PaperPage | entry.PaperDestroyed):
            yield from self._paper(index, said)

    def _row(
        self, index: int, table: sa.Table, key: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> Iterator[Damage]:
        name = rows.name(table, [key[c.name] for c in table.primary_key.columns])
        try:
            row = self.tx.find(table, **key)
        except (EpilockError, ValueError):
            return  # named already, by its MAC
        if row is None:
            yield Damage(name, f"is missing: ledger entry {index} speaks of it")
            return
        for column, wanted in facts.items():
            fits = wanted(row[column]) if callable(wanted) else row[column] == wanted
            if not fits:
                yield Damage(name, f"has another {column} than ledger entry {index} says")

    def _decision(self, said: entry.Decision) -> Iterator[Damage]:
        """Look up the openings of a decision, by which each person finds it; count what its grant gave."""
        try:
            row = self.tx.find(decisions, org=said.org, decision=said.decision)
        except (EpilockError, ValueError):
            return
        if row is None:
            return
        if said.grant is not None and said.verdict == OPENED:
            self.used[row["by_org"], said.grant] += said.count
        for bucket, n in row["places"]:
            key = (said.org, bucket, n, said.decision)
            where = [c == v for c, v in zip(openings.primary_key.columns, key, strict=True)]
            if self.tx.conn.execute(sa.select(openings.c.n).where(*where)).first() is None:
                yield Damage(rows.name(openings, key), "is missing: its decision names the record")

    def _count(
        self, said: entry.AggregateDecision | entry.ReleaseDecision, table: sa.Table, code: Mapping[str, Any]
    ) -> None:  # fmt: skip
        """Count a question against its grant."""
        try:
            row = self.tx.find(table, org=said.org, **code)
        except (EpilockError, ValueError):
            return
        if row is not None and said.grant is not None and said.verdict == OPENED:
            self.used[row["by_org"], said.grant] += 1

    def _paper(self, index: int, said: entry.PaperPage | entry.PaperDestroyed) -> Iterator[Damage]:
        """Look up a page of paper by the code that the log knows it by."""
        key: dict[str, Any] = {"org": said.org, "code": said.page}
        facts = _same(said, "point") if isinstance(said, entry.PaperPage) else {}
        yield from self._row(index, paper_codes, key, facts)
        try:
            known = self.tx.find(paper_codes, **key)
        except (EpilockError, ValueError):
            return
        if known is None:
            return
        page = {name: known[name] for name in ("org", "point", "book", "page")}
        if isinstance(said, entry.PaperPage):
            yield from self._row(index, paper_pages, page, _same(said, "written", "rows", "due"))
        else:
            facts = {"destroyed": _is_set, "destroyed_by": said.by}
            yield from self._row(index, paper_pages, page, facts)

    def _pay(self, index: int, said: entry.PrivacyBudget | entry.NoisyRelease) -> None:
        """Add up what a dataset as a whole, or an account, may spend and has spent."""
        key = (said.org, said.dataset, said.purpose or "", said.recipient or "")
        budget = self.budgets.setdefault(key, _Budget())
        budget.index = index
        if isinstance(said, entry.NoisyRelease):
            budget.spent += said.epsilon
            return
        if said.purpose is not None:  # what an account gets is taken out of the whole
            whole = self.budgets.setdefault((said.org, said.dataset, "", ""), _Budget())
            whole.spent += said.epsilon - budget.allotted
        budget.allotted = said.epsilon

    def _privacy(self) -> Iterator[Damage]:
        for (org, dataset, purpose, recipient), budget in self.budgets.items():
            key = {"org": org, "dataset": dataset}
            if purpose:
                key |= {"purpose": purpose, "recipient": recipient}
                facts = {"allotted": budget.allotted, "spent": budget.spent}
                yield from self._row(budget.index, privacy_budgets, key, facts)
            else:
                facts = {"ceiling": budget.allotted, "allotted": budget.spent}
                yield from self._row(budget.index, privacy_datasets, key, facts)

    def _grants(self) -> Iterator[Damage]:
        for (org, code), used in self.used.items():
            try:
                row = self.tx.find(grants, org=org, grant=code)
            except (EpilockError, ValueError):
                continue
            if row is not None and row["used"] != used:
                name = rows.name(grants, (org, code))
                yield Damage(name, f"says it opened {row['used']}, the ledger says {used}")

    def _openings(self) -> Iterator[Damage]:
        """Yield the openings that no decision made."""
        for row in rows.stream(self.tx, openings):
            org, bucket, n, code = row
            try:
                known = self.tx.find(decisions, org=org, decision=code)
            except (EpilockError, ValueError, sa.exc.DatabaseError):
                known = None
            if known is None or [bucket, n] not in known["places"]:
                yield Damage(rows.name(openings, row), "no decision was about this record")

    def _releases(self) -> Iterator[Damage]:
        """Yield the releases that no entry speaks of, and those that are said to have left and have none."""
        places = [column.name for column in releases.columns]
        for row in rows.stream(self.tx, releases):
            key, stage = (row[0], row[1]), row[places.index("stage")]
            if key not in self.tried:
                yield Damage(rows.name(releases, row), "no ledger entry speaks of it")
            elif stage in LEFT and key not in self.left:
                yield Damage(
                    rows.name(releases, row), "is said to have left; no ledger entry says so"
                )


def _declared(said: entry.Entry) -> Iterator[Said]:
    """Yield the rows that an entry was written with, of what lets data be collected."""
    match said:
        case entry.Organisation():
            facts = _same(said, "serial", "kind", "range", "parent", "area")
            yield organisations, {"org": said.org}, facts
        case entry.Emergency():
            yield emergencies, _key(said, "emergency"), _same(said, "kind", "area")
        case entry.Level():
            key = {**_key(said, "emergency"), "effective": _instant(said.effective)}
            yield levels, key, _same(said, "level", "issuer", "instrument", "date", "expected_end")
        case entry.Mandate():
            facts = _same(said, "authority", "emergency", "issuer", "number", "date", "until")
            yield mandates, _key(said, "mandate"), facts
        case entry.Agreement():
            facts = _same(said, "processor", "purpose", "until")
            yield agreements, _key(said, "agreement"), facts
        case entry.Assessment():
            yield assessments, _key(said, "assessment"), _same(said, "about", "date", "until")
        case entry.Point():
            facts = _same(said, "authority", "emergency", "circumstance", "method", "basis")
            yield points, _key(said, "point"), facts
        case entry.PointClosed():
            yield points, _key(said, "point"), {"closed": _is_set}
        case entry.Notice():
            yield notices, _key(said, "point", "version"), _same(said, "sha256", "level")
            yield points, _key(said, "point"), {"version": lambda now: now >= said.version}
        case _:
            pass


def _decided(index: int, said: entry.Entry) -> Iterator[Said]:  # noqa: C901, PLR0912, PLR0915 - a line for each kind
    """Yield the rows that an entry was written with, of openings and of the end of data."""
    match said:
        case entry.Approval() if said.kind == "grant" and said.verdict == "refused":
            yield grants, {"org": said.org, "grant": said.request}, {"stage": REFUSED}
        case entry.Approval() if said.kind == allotment.NEEDED:
            yield (
                allotment.allotments,
                {"org": said.org, "allotment": said.request},
                {"stage": said.verdict},
            )
        case entry.Grant():
            facts = _same(said, "staff", "purpose", "form", "subjects", "approved_by")
            yield grants, _key(said, "grant"), facts
            if said.form == PSEUDONYMOUS:
                yield grant_studies, _key(said, "grant"), {}
        case entry.GrantRevoked():
            yield grants, _key(said, "grant"), {"stage": REVOKED}
        case entry.Decision():
            facts = {**_same(said, "by", "purpose", "form", "verdict"), "entry_index": index}
            yield decisions, _key(said, "decision"), facts
            if said.grant is None and said.verdict == OPENED and said.by != SUBJECT:
                yield emergency_openings, _key(said, "decision"), _same(said, "by")
        case entry.AggregateDecision():
            facts = _same(said, "by", "grant", "purpose", "counted", "verdict", "question")
            yield aggregates, _key(said, "decision"), {**facts, "entry_index": index}
            if said.verdict == OPENED and not said.records:
                yield noisy_counts, _key(said, "decision"), {}
        case entry.NoisyRelease():
            facts = _same(said, "dataset", "purpose", "recipient", "by", "query", "epsilon")
            yield noisy_releases, _key(said, "release"), {**facts, "entry_index": index}
        case entry.Study():
            done = {"ending": {"ended": _is_set}, "destroyed": {"destroyed": _is_set}}
            yield studies, _key(said, "study"), done.get(said.stage, _same(said, "purpose"))
            if said.stage in done:
                yield study_ends, _key(said, "study"), {}
        case entry.Search():
            facts = {**_same(said, "by", "grant", "found"), "entry_index": index}
            yield searches, _key(said, "search"), facts
        case entry.Review():
            facts = {"reviewer": said.by, **_same(said, "verdict", "reason")}
            yield emergency_openings, _key(said, "decision"), facts
        case entry.Erasure():
            yield intents, {"org": said.org, "intent": said.erasure}, {"n": said.n}
        case entry.Erased():
            yield intents, {"org": said.org, "intent": said.erasure}, {"done": _is_set}
        case entry.Destroy():
            yield intents, {"org": said.org, "intent": said.destruction}, {"n": None}
        case entry.Certificate() if said.complete:
            yield intents, {"org": said.org, "intent": said.destruction}, {"done": _is_set}
        case entry.Order():
            yield orders, _key(said, "order"), _same(said, "reason", "by")
        case entry.OrderApproved():
            yield orders, _key(said, "order"), {"approved_by": said.by}
        case entry.OrderCancelled():
            yield orders, _key(said, "order"), {"stage": CANCELLED}
        case entry.Hold():
            yield holds, _key(said, "hold"), _same(said, "assessment", "reason", "by")
        case entry.HoldReleased():
            yield holds, _key(said, "hold"), {"released": _is_set}
        case entry.Freeze():
            yield freezes, _key(said, "freeze"), {"witnessed": True}
        case entry.FreezeLifted():
            facts = {"stage": LIFTED, "asked_by": said.by, "lifted_by": said.approved_by}
            yield freezes, _key(said, "freeze"), facts
        case _:
            pass


def _released(index: int, said: entry.Entry) -> Iterator[Said]:
    """Yield the rows that an entry was written with, of de-identified tables."""
    match said:
        case entry.Approval() if said.kind == "release" and said.verdict == "refused":
            yield releases, {"org": said.org, "release": said.request}, {"stage": REFUSED}
        case entry.ReleaseDecision():
            facts = _same(said, "by", "grant", "purpose", "verdict")
            facts |= {"number": said.question, "entry_index": index}
            yield releases, _key(said, "release"), facts
        case entry.Release():
            facts = _same(said, "approved_by", "sha256", "k", "l")
            facts |= {"stage": lambda now: now in LEFT, "left_index": index}
            yield releases, _key(said, "release"), facts
        case _:
            pass


def _asked(said: entry.Entry) -> Iterator[Said]:
    """Yield the rows that an entry was written with, of what the persons concerned asked for."""
    match said:
        case entry.Request():
            yield subject_requests, _key(said, "request"), _same(said, "kind", "n")
        case entry.RequestClosed():
            facts = {"answer": said.verdict, **_same(said, "by")}
            yield subject_requests, _key(said, "request"), facts
        case _:
            pass


def _key(said: entry.Entry, *names: str) -> dict[str, Any]:
    return {"org": said.org, **_same(said, *names)}


def _same(said: entry.Entry, *names: str) -> dict[str, Any]:
    return {name: getattr(said, name) for name in names}


def _is_set(value: object) -> bool:
    return value is not None


def _instant(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
