"""What the audit asks of the standard: when a part is due, what a point may ask for, what a release must satisfy."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Protocol

from epilock.errors import InputError
from epilock.ledger import entry as e
from epilock.standard import Standard
from epilock.standard.clock import Due, PaperPeriods, due, paper_periods
from epilock.standard.level import History
from epilock.standard.model import Release

MOST_DATES = 1 << 16  # due dates remembered: buckets of one day and circumstance share theirs


class Rules(Protocol):
    """The rules that an auditor holds the log to."""

    def due(self, bucket: e.Bucket, part: str, history: History) -> Due | None:
        """Return when a part is due, by the standard of the bucket; None if that is not at hand.

        Raises:
            InputError: The standard knows no such circumstance or part.
        """
        ...

    def refuses(self, point: e.Point, category: str, level: str) -> bool:
        """Tell whether the point's standard, if it is at hand, refuses the category at the level."""
        ...

    def release(self, said: e.Release) -> Release | None:
        """Return what a release must satisfy by the standard that it names; None if that is not at hand.

        Raises:
            InputError: The standard knows no such circumstance.
        """
        ...

    def paper(self, said: e.PaperPage) -> PaperPeriods | None:
        """Return how long paper may exist by the standard that a page names; None if that is not at hand."""
        ...


class StandardRules:
    """The rules of the versions of the standard that are at hand."""

    def __init__(self, standards: Iterable[Standard]) -> None:
        self._standards = {standard.ref: standard for standard in standards}
        self._due = lru_cache(MOST_DATES)(self._compute)

    def due(self, bucket: e.Bucket, part: str, history: History) -> Due | None:
        """Return when a part is due; see ``Rules``."""
        if bucket.standard not in self._standards:
            return None
        where = (bucket.standard, bucket.circumstance, part)
        return self._due(where, (bucket.day, bucket.clock), history)

    def refuses(self, point: e.Point, category: str, level: str) -> bool:
        """Tell whether the standard refuses a category; see ``Rules``."""
        standard = self._standards.get(point.standard)
        if standard is None:
            return False
        verdict = standard.ask(point.circumstance, category, level, method=point.method)
        return not verdict.allowed

    def release(self, said: e.Release) -> Release | None:
        """Return what a release must satisfy; see ``Rules``."""
        standard = self._standards.get(said.standard)
        if standard is None:
            return None
        where = standard.circumstances.get(said.circumstance)
        if where is None:
            raise InputError(
                f"the standard {said.standard} has no circumstance {said.circumstance}"
            )
        return where.release

    def paper(self, said: e.PaperPage) -> PaperPeriods | None:
        """Return how long paper may exist; see ``Rules``."""
        standard = self._standards.get(said.standard)
        return None if standard is None else paper_periods(standard)

    def _compute(
        self, where: tuple[str, str, str], began: tuple[str, str], history: History
    ) -> Due:
        ref, circumstance, part = where
        day, clock = began
        return due(
            self._standards[ref], circumstance=circumstance, part=part,
            day=date.fromisoformat(day), clock=clock, history=history,
        )  # fmt: skip
