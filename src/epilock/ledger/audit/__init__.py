"""The audit: from the entries alone, in their order, what the log says against itself and its standard.

In come entries, each once; out go findings. What is concluded at an entry uses the entries before it and
nothing else, so that two who audit the same log find the same. Only what is overdue or unfinished
depends on ``now``.

Rules kept in this folder:
  1. What an entry refers to must have been declared by an earlier one.
  2. A record is counted when it is collected, or when an event moves it into a bucket; its parts are
     gone when they are erased. What was moved or corrected must be erased where it was.
  3. A part may be destroyed from the instant that the standard and the levels recorded so far give,
     and never under a hold. Before that only after the emergency's end, by an order of two persons.
  4. Who was imported without having been told is told, promptly after the emergency's end.
  5. What is opened without a grant, for treatment in an emergency, is reviewed by another in time.
  6. A de-identified table has left only as its circumstance's rule allows, approved by another.
  7. Answers with noise stay within their account's budget, and accounts within their dataset's.
  8. Entries tell hours. Nothing is found that could be right within its hour, and nothing wrong is
     excused by more than that hour: what must come after an instant is compared with the begin of its hour,
     what must come before it with the end.
  9. A log that continues another is audited with the state in which that one was sealed.
 10. A page of paper is keyed in in time, and its destruction is attested by its day.
 11. What a person asked for is answered in time.
 12. What froze destruction is lifted by two persons.
 13. A certificate must say what the log says: see ``holdings``.
"""

from datetime import datetime, timedelta

from epilock.errors import EntryError, StateError
from epilock.ledger import entry as e
from epilock.ledger.audit import (
    asked,
    declared,
    destruction,
    freeze,
    imports,
    keys,
    noise,
    opening,
    paper,
    records,
    study,
)
from epilock.ledger.audit.holdings import Holding
from epilock.ledger.audit.rules import Rules, StandardRules
from epilock.ledger.audit.told import Readers, Told, end
from epilock.ledger.finding import Finding, Findings

GRACE = timedelta(days=1)  # a day to carry out what is due, and to finish what was announced
READERS: Readers = {
    **keys.READERS,
    **declared.READERS,
    **records.READERS,
    **imports.READERS,
    **destruction.READERS,
    **opening.READERS,
    **noise.READERS,
    **study.READERS,
    **freeze.READERS,
    **paper.READERS,
    **asked.READERS,
}


class Auditor:
    """Audits one log.

    Attributes:
        base: Entries of the logs that it continues; findings count entries from the first of those on.
    """

    def __init__(self, rules: Rules) -> None:
        self._told = Told(rules)
        self.base = 0

    @property
    def successor(self) -> str | None:
        """First key of the log that goes on where this one is sealed, if its last entry names one."""
        return self._told.successor

    def continued(self) -> "Auditor":
        """Return an auditor of the log that goes on where this one, which is sealed, ends.

        Raises:
            StateError: It is not sealed.
        """
        if self._told.sealed is None:
            raise StateError("a log that is not sealed is not continued")
        following = Auditor(self._told.rules)
        following._told = self._told.continued()
        following.base = self._told.sealed + 1
        return following

    def read(self, index: int, said: e.Entry) -> None:
        """Take in the entry ``said``, which stands at ``index`` of its log."""
        index += self.base
        if isinstance(said, e.LogContinues) and index > self.base:
            self.misfit(index, said)
        if self._told.sealed is not None:
            self._told.bad("after-seal", f"entry {index}", index)
        reader = READERS.get(type(said))
        if reader is not None:
            reader(self._told, index, said)

    def misfit(self, index: int, said: e.LogContinues) -> None:
        """Take in that the log that ``said`` names was not left where it says, or names another successor."""
        name = said.key.partition("+")[0]
        self._told.bad("succession", name, index, before=name)

    def keys(self, size: int) -> tuple[list[str], list[str]]:
        """Return the keys that must sign a tree of ``size``, and those that must not, as announced.

        The key that a log begins with is announced by nobody: it is in neither, until it ends.
        """
        told = self._told
        end = self.base + size
        ended = [key for key, index in told.keys_ended.items() if index + 1 < end]
        due = [key for key, index in told.keys.items() if index < end and key not in ended]
        return due, ended

    def malformed(self, index: int, error: EntryError) -> None:
        """Take in that what stands at ``index`` of its log is no entry."""
        index += self.base
        self._told.bad("malformed", f"entry {index}", index, why=error)

    def conclude(self, now: datetime) -> Findings:
        """Return what was found so far, and what is overdue or unfinished at ``now``.

        Of a log that another continues that is told there.
        """
        told = self._told
        result = told.findings.copy()
        if told.successor is not None:
            return result
        for holding in told.holdings.values():
            self._list_overdue(result, holding, now)
        records.list_unproved(told, result, now, GRACE)
        for index, erasure in told.erasures.values():
            if now >= end(erasure.at) + GRACE:
                result.add("erasure-unfinished", erasure.erasure, index)
        imports.list_untold(told, result, now)
        opening.list_unreviewed(told, result, now)
        asked.list_unanswered(told, result, now)
        paper.list_overdue(told, result, now)
        study.list_unfinished(told, result, now, GRACE)
        freeze.list_frozen(told, result)
        for index, intent in told.intents.values():
            if now >= end(intent.at) + GRACE:
                result.add("destroy-unfinished", intent.bucket, index)
        return result

    def _list_overdue(self, to: Findings, holding: Holding, now: datetime) -> None:
        bucket, index = holding.said, holding.index
        for part in holding.living():
            about = f"{bucket.bucket} {part}"
            if part in holding.incomplete:
                to.add("certificate-incomplete", about, holding.incomplete[part])
                continue
            due = self._told.due_of(to, holding, part, index)
            if due is None or due.at is None or now < due.at:
                continue
            if self._told.hold_on(bucket.bucket, now) is None:
                kind = "overdue" if now >= due.at + GRACE else "due"
                count = holding.counts([part]).destroyed
                day = e.stamp(due.at)
                to.add(kind, about, index, part=part, due=day, rule=due.rule, count=count)


__all__ = ["Auditor", "Finding", "Findings", "Rules", "StandardRules"]
