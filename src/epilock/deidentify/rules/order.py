"""A list in order: neighbours are taken together. The order also serves the ordered t-closeness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from epilock.deidentify.rules.rule import UnfitError, check_order
from epilock.errors import InputError

MOST_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """Values in the order of a list, such as none, mild, severe.

    Attributes:
        values: All of them, the lowest first.
        widths: How many neighbours are one form, level by level; each a multiple of the one before.
    """

    kind: ClassVar[str] = "order"
    values: tuple[str, ...]
    widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MOST_VALUES or len(set(self.values)) < len(self.values):
            raise InputError(f"values must be 1 to {MOST_VALUES} texts, each once, in order")
        if "" in self.values:
            raise InputError("values: an empty cell has no place in an order")
        if self.widths:
            check_order("widths", self.widths, rising=True)
        for before, after in zip((1, *self.widths), self.widths, strict=False):
            if before < 1 or after % before:
                raise InputError("widths must each be a multiple of the one before")

    @property
    def listed(self) -> Sequence[str]:
        """All values: one that the table lacks is a value nevertheless."""
        return self.values

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the groups of neighbours that the value is in."""
        if value not in self.values:
            raise UnfitError("it is not in the list of values")
        place = self.values.index(value)
        return tuple(self._group(place - place % width, width) for width in self.widths)

    def _group(self, first: int, width: int) -> str:
        last = min(first + width, len(self.values)) - 1
        if last == first:
            return self.values[first]
        return f"{self.values[first]} to {self.values[last]}"
