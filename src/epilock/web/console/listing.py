"""Lists: one way to filter, sort, leaf through and take away rows; all of it stands in the address.

In comes a ``Plan`` (what a list can do) and the query of an address; out goes a ``Page`` for
``console/lists.html``, or a file.

Rules kept in this file:
  1. The address alone says what is shown, so that going back, reloading and passing it on give the same.
  2. A place is the key of a row and not a number of rows: the last page costs what the first does, and a
     row that comes in meanwhile moves nothing.
  3. An order is total: the column that is sorted by, then the key.
  4. Addresses and exports hold codes, days, states and numbers; no free text, and nothing that someone gave.
  5. An export is whole or refused. Its instants are China's, to the second, as 2026-03-14T09:00:00+08:00. A cell that a spreadsheet would compute gets an apostrophe before it
     (OWASP, CSV injection).
"""

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from starlette.responses import Response

from epilock.db import Transaction
from epilock.errors import InputError, NotFoundError
from epilock.standard.level import CHINA, midnight
from epilock.web.log import download

PER_PAGE = 50
MOST_EXPORTED = 10_000
MOST_DIGITS = 9  # of a key that is a number
EXPORT = "csv"
EVERYTHING = "all"  # in the place of a value: a filter that the list begins with is not set
NO_PLACE = "the list has no such place any more; begin at its first page"
_PLACES = ("before", "after")
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")
_CSV = "text/csv; charset=utf-8"
T = TypeVar("T")

Condition = sa.ColumnElement[bool]
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One question that a list can be asked.

    Attributes:
        where: The condition that a value stands for.
        options: The values it may have; None: any calendar day, as 2026-03-14.
    """

    where: Callable[[str], Condition]
    options: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Generic[T]):
    """What any list can do, wherever its rows are.

    Attributes:
        path: Its address.
        order: Name of what is sorted by at first; with ``-`` before it: the largest first.
        columns: What an export holds of a row, by the heads of its columns; without any there is none.
        filters: Its questions, by name.
        first: The filters that are set while the address says nothing of them.
        fixed: What else must stay in its address.
    """

    path: str
    order: str
    columns: Mapping[str, Callable[[T], object]] = field(default_factory=dict)
    filters: Mapping[str, Any] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Shape[T]):
    """What a list of rows of a table can do.

    Attributes:
        table: Where its rows are.
        key: Column that names a row among those that the page may show.
        read: Makes what is shown of rows.
        sorts: Columns it can be sorted by, none of them NULL; the name of each stands in the address.
        filters: Its questions, by name.
    """

    table: sa.Table | sa.Subquery
    key: sa.ColumnElement[Any]
    read: Callable[[Transaction, list[dict[str, Any]]], list[T]]
    sorts: Mapping[str, sa.ColumnElement[Any]]
    filters: Mapping[str, Filter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a list, and the way to the others.

    Attributes:
        plan: Of the list.
        rows: What is shown.
        order: As in ``Plan``.
        chosen: The filters that are set, by name.
        before, after: Keys at which the page before and the page after begin; "" if there is none.
        export: Whether all rows were asked for, to take away.
    """

    plan: Shape[T]
    rows: list[T]
    order: str
    chosen: Mapping[str, str]
    before: str = ""
    after: str = ""
    export: bool = False

    def query(self, **change: str) -> dict[str, str]:
        """Return the query of this list's first page with some of it changed."""
        order = "" if self.order == self.plan.order else self.order
        taken_away = {name: EVERYTHING for name in self.plan.first if name not in self.chosen}
        return {**self.plan.fixed, **taken_away, **self.chosen, "order": order, **change}

    def everything(self) -> dict[str, str]:
        """Return the query of this list without any filter."""
        return {**self.plan.fixed, **dict.fromkeys(self.plan.first, EVERYTHING)}

    def sorted_by(self, name: str) -> dict[str, str]:
        """Return the query that sorts by a column, or turns it round if that is done already."""
        return self.query(order=f"-{name}" if self.order == name else name)

    def direction(self, name: str) -> str:
        """Return how the page is sorted by a column, in the words of ``aria-sort``."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.order, "none")

    def file(self, name: str) -> Response:
        """Return the rows as a CSV file called ``name`` (RFC 4180, UTF-8)."""
        return file(name, self.plan.columns, self.rows)


def file(name: str, columns: Mapping[str, Callable[[T], object]], rows: Iterable[T]) -> Response:
    """Return rows as a CSV file called ``name`` (RFC 4180, UTF-8)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value(row)) for value in columns.values()])
    return download(text.getvalue(), f"{name}.csv", _CSV)


def find(
    tx: Transaction, plan: Plan[T], query: Query, *where: Condition, whole: bool = False
) -> Page[T]:
    """Return the page of a list that an address asks for, of the rows that ``where`` lets be shown.

    Where nothing is left it is the first page. With ``whole``, or if the address asks for an export, all rows that its filters let pass.

    Raises:
        InputError: A filter or the order is none of the list's, or the export would be too large.
        NotFoundError: The row at which the page should begin is not there.
        TamperedError: A row was changed past this program.
    """
    chosen = chosen_of(plan, query)
    order = query.get("order") or plan.order
    allowed = [*where, *(_condition(plan, name, value) for name, value in chosen.items())]
    column, down = _column(plan, order), order.startswith("-")
    export = query.get("export") == EXPORT and bool(plan.columns)
    if whole or export:
        rows = tx.all(
            plan.table, *allowed, order_by=_sorted(plan, column, down=down), limit=MOST_EXPORTED + 1
        )
        check_export(len(rows))
        return Page(plan=plan, rows=plan.read(tx, rows), order=order, chosen=chosen, export=export)
    place, back = query.get("before") or query.get("after") or "", bool(query.get("before"))
    if place:
        anchor = _anchor(tx, plan, place, *where)
        allowed.append(_beyond(plan, column, anchor, less=down != back))
    rows = tx.all(
        plan.table, *allowed, order_by=_sorted(plan, column, down=down != back), limit=PER_PAGE + 1
    )
    if place and not rows:  # the last of a page was dealt with
        return find(tx, plan, first_page(query), *where)
    more, rows = len(rows) > PER_PAGE, rows[:PER_PAGE]
    if back:
        rows.reverse()
    name = plan.key.name
    return Page(
        plan=plan, rows=plan.read(tx, rows), order=order, chosen=chosen,
        before=str(rows[0][name]) if rows and (more if back else place) else "",
        after=str(rows[-1][name]) if rows and (back or more) else "",
    )  # fmt: skip


def first_page(query: Query) -> dict[str, str]:
    """Return the query of an address without the place at which its page begins."""
    return {name: value for name, value in query.items() if name not in _PLACES}


def chosen_of(plan: Shape[T], query: Query) -> dict[str, str]:
    """Return the filters that are set: by the address, or from the beginning if it says nothing of one."""
    asked = {name: query.get(name, plan.first.get(name, "")) for name in plan.filters}
    return {
        name: value
        for name, value in asked.items()
        if value and not (value == EVERYTHING and name in plan.first)
    }


def check_value(name: str, options: Sequence[str] | None, value: str) -> None:
    """Return if a filter with these ``options``, or for any day, can have a value.

    Raises:
        InputError: It cannot.
    """
    if options is None:
        _check_day(name, value)
    elif value not in options:
        raise InputError(f"{name} must be one of {', '.join(options)}")


def check_order(name: str, sorts: Collection[str]) -> None:
    """Return if a list can be sorted by ``name``.

    Raises:
        InputError: It cannot.
    """
    if name not in sorts:
        raise InputError(f"order must be one of {', '.join(sorts)}, or that with - before it")


def check_export(rows: int) -> None:
    """Return if so many rows may be taken away at once.

    Raises:
        InputError: There are too many.
    """
    if rows > MOST_EXPORTED:
        raise InputError(f"this would be more than {MOST_EXPORTED} rows; set a filter first")


def since(column: sa.ColumnElement[datetime]) -> Filter:
    """Return the filter that lets pass what happened on a day or later."""
    return Filter(where=lambda day: column >= midnight(date.fromisoformat(day)))


def until(column: sa.ColumnElement[datetime]) -> Filter:
    """Return the filter that lets pass what happened on a day or earlier."""
    return Filter(where=lambda day: column < midnight(date.fromisoformat(day) + timedelta(days=1)))


def equal(column: sa.ColumnElement[Any], options: Sequence[str]) -> Filter:
    """Return the filter that lets pass what has one of ``options`` in a column."""
    return Filter(where=lambda value: column == value, options=options)


def _condition(plan: Plan[T], name: str, value: str) -> Condition:
    asked = plan.filters[name]
    check_value(name, asked.options, value)
    return asked.where(value)


def _check_day(name: str, value: str) -> None:
    try:
        fits = date.fromisoformat(value).isoformat() == value and value < f"{date.max.year}"
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"{name}: a day is written 2026-03-14")


def _column(plan: Plan[T], order: str) -> sa.ColumnElement[Any]:
    name = order.removeprefix("-")
    check_order(name, plan.sorts)
    return plan.sorts[name]


def _sorted(
    plan: Plan[T], column: sa.ColumnElement[Any], *, down: bool
) -> list[sa.ColumnElement[Any]]:
    columns = [column] if column is plan.key else [column, plan.key]
    return [c.desc() if down else c.asc() for c in columns]


def _anchor(tx: Transaction, plan: Plan[T], place: str, *where: Condition) -> dict[str, Any]:
    number = isinstance(plan.key.type, sa.Integer)
    fits = place.isascii() and place.isdigit() and len(place) <= MOST_DIGITS
    found = []
    if fits or (not number and "\0" not in place):
        found = tx.all(plan.table, *where, plan.key == (int(place) if number else place), limit=1)
    if not found:
        raise NotFoundError(NO_PLACE)
    return found[0]


def _beyond(
    plan: Plan[T], column: sa.ColumnElement[Any], row: Mapping[str, Any], *, less: bool
) -> Condition:
    columns = [plan.key] if column is plan.key else [column, plan.key]
    own = sa.tuple_(*columns)
    those = sa.tuple_(*(sa.literal(row[c.name], c.type) for c in columns))
    return own < those if less else own > those


def _cell(value: object) -> str:
    if isinstance(value, datetime):  # as the pages say it
        value = value.astimezone(CHINA).isoformat(timespec="seconds")
    text = value.isoformat() if isinstance(value, date) else str(value)
    return f"'{text}" if text.startswith(_COMPUTED) else text
