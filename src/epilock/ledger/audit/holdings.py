"""What a bucket holds, as the public log tells it: which numbers, which parts of each are gone.

A record belongs to one *group*: the records of a bucket that have the same parts. So a record costs a
bit, and counting a million of them costs a few operations on long integers.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from epilock.ledger.audit.numbers import Numbers
from epilock.ledger.entry import Bucket


@dataclass(frozen=True, slots=True)
class Counts:
    """What a certificate over some parts must say.

    Attributes:
        collected: Records that had any of the parts.
        erased: Those of them of which none of the parts was left.
        first: Smallest number among those collected; 0 if there is none.
        last: Largest number among those collected; 0 if there is none.
    """

    collected: int
    erased: int
    first: int
    last: int

    @property
    def destroyed(self) -> int:
        """Records of which some of the parts were left."""
        return self.collected - self.erased


@dataclass(slots=True)
class Holding:
    """What the log has said about one bucket so far.

    Attributes:
        said: Its declaration.
        index: Index of that entry.
        groups: Numbers of its records by the parts that they have.
        gone: For each part, the numbers whose key of that part was erased.
        dying: For each part, the index of the first intent to destroy it.
        dead: For each part, the index of the complete certificate of its destruction.
        incomplete: For each part, the index of a certificate that was not complete.
    """

    said: Bucket
    index: int
    groups: dict[tuple[str, ...], Numbers] = field(default_factory=dict)
    gone: dict[str, Numbers] = field(default_factory=dict)
    dying: dict[str, int] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    incomplete: dict[str, int] = field(default_factory=dict)

    def add(self, n: int, parts: Sequence[str]) -> bool:
        """Add a record; return False if the bucket has one of that number."""
        key = tuple(parts)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Numbers()
        if len(self.groups) > 1 and self.has(n):
            return False
        return group.add(n)

    def has(self, n: int) -> bool:
        """Tell whether a record of that number was collected here and is not forgotten."""
        return any(n in numbers for numbers in self.groups.values())

    def parts_of(self, n: int) -> tuple[str, ...] | None:
        """Return the parts that record ``n`` was collected with, or None if there is none."""
        return next((parts for parts, numbers in self.groups.items() if n in numbers), None)

    def left_of(self, n: int) -> tuple[str, ...]:
        """Return the parts of record ``n`` that are neither gone nor announced to go with the bucket."""
        had = self.parts_of(n) or ()
        return tuple(p for p in had if p not in self.dying and n not in self.gone.get(p, ()))

    def erase(self, n: int, parts: Collection[str]) -> None:
        """Note that these parts of record ``n`` are gone."""
        for part in parts:
            if part not in self.gone:
                self.gone[part] = Numbers()
            self.gone[part].add(n)

    def counts(self, parts: Collection[str]) -> Counts:
        """Return what a certificate over ``parts`` must say at this point of the log."""
        groups = [
            (had, n) for had, n in self.groups.items() if n and not set(had).isdisjoint(parts)
        ]
        collected = sum(len(numbers) for _, numbers in groups)
        erased = sum(
            numbers.count_in_all(self.gone.get(p, Numbers()) for p in had if p in parts)
            for had, numbers in groups
        )
        first = min((numbers.first() for _, numbers in groups), default=0)
        last = max((numbers.last() for _, numbers in groups), default=0)
        return Counts(collected, erased, first, last)

    def living(self) -> Iterator[str]:
        """Yield the parts that have no complete certificate."""
        return (part for part in self.said.parts if part not in self.dead)

    def bury(self, parts: Collection[str], index: int) -> None:
        """Note that these parts are destroyed; when none lives, forget the numbers."""
        for part in parts:
            self.dead.setdefault(part, index)
            self.dying.setdefault(part, index)
        if not any(True for _ in self.living()):
            self.groups.clear()
            self.gone.clear()
