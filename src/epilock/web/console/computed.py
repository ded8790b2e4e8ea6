"""Lists of what no table holds, because it is worked out: filtered, sorted, leafed through and taken away like others.

The rules of ``listing`` are kept here too; all rows are worked out before any is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from epilock.errors import NotFoundError
from epilock.web.console.listing import (
    EXPORT,
    NO_PLACE,
    PER_PAGE,
    Page,
    Query,
    Shape,
    check_export,
    check_order,
    check_value,
    chosen_of,
    first_page,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question that a computed list can be asked.

    Attributes:
        fits: Tells whether a row has a value.
        options: As in ``listing.Filter``.
    """

    fits: Callable[[Any, str], bool]
    options: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed(Shape[T]):
    """What a list of rows that are worked out can do.

    Attributes:
        key: Names a row among all of them.
        sorts: What it can be sorted by: values of a row that can be compared.
        filters: Its questions, by name.
    """

    key: Callable[[T], str]
    sorts: Mapping[str, Callable[[T], Any]]
    filters: Mapping[str, Question] = field(default_factory=dict)


def arrange(plan: Computed[T], rows: Sequence[T], query: Query) -> Page[T]:
    """Return the page of ``rows`` that an address asks for.

    Raises:
        InputError, NotFoundError: As ``listing.find``.
    """
    chosen, order = chosen_of(plan, query), query.get("order") or plan.order
    name, down = order.removeprefix("-"), order.startswith("-")
    check_order(name, plan.sorts)
    for each, value in chosen.items():
        check_value(each, plan.filters[each].options, value)

    def place_of(row: T) -> tuple[Any, str]:
        return plan.sorts[name](row), plan.key(row)

    fit = [r for r in rows if all(plan.filters[n].fits(r, v) for n, v in chosen.items())]
    fit.sort(key=place_of, reverse=down)
    if query.get("export") == EXPORT and plan.columns:
        check_export(len(fit))
        return Page(plan=plan, rows=fit, order=order, chosen=chosen, export=True)
    first, last = _span(plan, rows, fit, query, place_of, down=down)
    if first == last and fit:
        return arrange(plan, rows, first_page(query))
    return Page(
        plan=plan, rows=fit[first:last], order=order, chosen=chosen,
        before=plan.key(fit[first]) if 0 < first < len(fit) else "",
        after=plan.key(fit[last - 1]) if last < len(fit) else "",
    )  # fmt: skip


def _span(
    plan: Computed[T],
    rows: Sequence[T],
    fit: Sequence[T],
    query: Query,
    place_of: Callable[[T], tuple[Any, str]],
    *,
    down: bool,
) -> tuple[int, int]:
    """Return where among the rows that ``fit`` a page begins and ends."""
    back = query.get("before") or ""
    place = back or query.get("after") or ""
    if not place:
        return 0, min(PER_PAGE, len(fit))
    anchor = next((place_of(row) for row in rows if plan.key(row) == place), None)
    if anchor is None:
        raise NotFoundError(NO_PLACE)
    ahead = sum(place_of(r) > anchor if down else place_of(r) < anchor for r in fit)
    if back:
        return max(0, ahead - PER_PAGE), ahead
    first = ahead + sum(place_of(r) == anchor for r in fit)
    return first, min(first + PER_PAGE, len(fit))
