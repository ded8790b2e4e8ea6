"""What all rules have in common: forms of one value, gathered into a hierarchy."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, Protocol

from epilock.deidentify.rows.hierarchy import MOST_LEVELS, ROOT, Hierarchy
from epilock.errors import InputError


class UnfitError(Exception):
    """A value does not fit a rule; the words say what would. Never leaves this package."""


class Rule(Protocol):
    """One kind of rule, a frozen dataclass whose fields are its keys.

    Attributes:
        kind: What ``rule`` says in the configuration.
    """

    kind: ClassVar[str]

    @property
    def listed(self) -> Sequence[str]:
        """Values that are in the hierarchy whether or not the table has them, in their order."""
        return ()

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the forms of ``value`` on the levels between itself and ``*``, the same number for all.

        Raises:
            UnfitError: The rule does not know what to do with it.
        """
        ...


def hierarchy_of(rule: Rule, attribute: str, *first_rows: Mapping[str, int]) -> Hierarchy:
    """Return the hierarchy of the values of a table, or of a table and a population.

    Each is given as different values with the number of the row (from 1) where it first stands.

    Raises:
        InputError: A value does not fit the rule; the message names row and column.
    """
    many = None
    rows: list[tuple[str, ...]] = []
    listed = list(rule.listed)
    values = set().union(*first_rows)
    rest = sorted(values.difference(listed, {""}))
    for value in [*listed, *rest]:
        try:
            forms = rule.forms(value)
        except UnfitError as error:
            raise InputError(
                f"{_place(value, first_rows)}, column {attribute}: the rule {rule.kind} does not fit the value:"
                f" {error}; correct the table, or take another rule"
            ) from None
        many = len(forms)
        rows.append((value, *forms, ROOT))
    if "" in values:
        rows.append(("", *[""] * (many or 0), ROOT))
    return Hierarchy.from_rows(attribute, rows, named=f"the rule {rule.kind} of {attribute}")


def fits(rule: Rule, value: str) -> bool:
    """Tell whether a rule knows what to do with a value."""
    try:
        rule.forms(value)
    except UnfitError:
        return False
    return True


def _place(value: str, first_rows: Sequence[Mapping[str, int]]) -> str:
    """Return where ``value`` first stands."""
    of, rows = next((of, rows) for of, rows in enumerate(first_rows) if value in rows)
    return f"{'population, ' if of else ''}row {rows[value]}"


def check_levels(name: str, given: Sequence[object]) -> None:
    """Raise unless a list of levels has 1 to 62 items.

    Raises:
        InputError: It is empty, or too long.
    """
    if not 1 <= len(given) <= MOST_LEVELS - 2:
        raise InputError(f"{name} must have 1 to {MOST_LEVELS - 2} items, one for each level")


def check_order(name: str, given: Iterable[float], *, rising: bool) -> None:
    """Raise unless each number is above (``rising``) or below the one before it.

    Raises:
        InputError: It is not.
    """
    numbers = list(given)
    check_levels(name, numbers)
    for before, after in pairwise(numbers):
        if (after <= before) if rising else (after >= before):
            raise InputError(f"{name} must {'rise' if rising else 'fall'} from level to level")
