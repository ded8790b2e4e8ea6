"""Paper ledgers: the register of pages that were keyed in, and of the day by which each must be destroyed.

A page is keyed in row by row, each row a submission of its own under a point that collects by paper. The
register holds how many pages the ledger has, which one this is, where it lies and the SHA-256 of its photograph.
It names nobody. The log knows a page by a code of its own; neither the ledger's number nor its place is in it.
A photograph rests sealed under that code (``store.photograph``).

The standard says how long (``media.paper``): keyed in within a day, destroyed within a week of that. What is
keyed in later is taken, for else it would go on lying there unregistered; it is shown as late.

    keyed ──► destroyed   (someone attests it)

Rules kept in this file:
  1. A page of a ledger is registered once, after its rows are stored, by an entry of the log.
  2. Its end is an entry too, in the transaction that notes it; a page of a time before there were entries has none.
  3. Only the account that attests a destruction answers for it; the paper itself nobody here can see.
  4. A photograph that was given here goes with its page, and never later than on the page's last day.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from epilock.collect import point as points
from epilock.collect.point import PAPER
from epilock.db import Database, Instant, Transaction, id_from, metadata, sealed_table
from epilock.errors import ConflictError, InputError, RefusedError, StateError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.standard import Standard
from epilock.standard.clock import PaperPeriods, paper_periods
from epilock.standard.level import CHINA
from epilock.store import photograph as photographs
from epilock.store.access import Keys

MOST_PAGES = 10_000
_BOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")
_HASH = re.compile(r"[0-9a-f]{64}")

paper_pages = sealed_table(
    "paper_pages",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("point", sa.String(40), primary_key=True),
    sa.Column("book", sa.String(20), primary_key=True),
    sa.Column("page", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("pages", sa.Integer, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("written", sa.String(10), nullable=False),
    sa.Column("place", sa.String(100), nullable=False),
    sa.Column("sha256", sa.String(64)),
    sa.Column("keyed", Instant, nullable=False),
    sa.Column("keyed_by", sa.String(31), nullable=False),
    sa.Column("due", sa.String(10), nullable=False),
    sa.Column("destroyed", Instant),
    sa.Column("destroyed_by", sa.String(31)),
)
"""``book`` number of the ledger; ``pages`` how many it has; ``written`` the day on the page; ``sha256`` of its
photograph, NULL if there is none; ``due`` the last day on which the page may exist."""

paper_codes = sealed_table(
    "paper_codes",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("code", sa.String(20), primary_key=True),
    sa.Column("point", sa.String(40), nullable=False),
    sa.Column("book", sa.String(20), nullable=False),
    sa.Column("page", sa.Integer, nullable=False),
    sa.UniqueConstraint("org", "point", "book", "page", name="uq_paper_codes_page"),
)
"""By which code the log knows a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What is said of a page when it is keyed in.

    Attributes:
        book: Number of the ledger, such as ``A-12``.
        page: Number of the page in it, from 1.
        pages: How many pages the ledger has.
        written: The day on the page, in China.
        place: Where the ledger is locked away.
        sha256: Of the photograph, hex, or None.
    """

    book: str
    page: int
    pages: int
    written: date
    place: str
    sha256: str | None

    def __post_init__(self) -> None:
        check_book(self.book)
        check_number(self.page, self.pages)
        check_place(self.place)
        if self.sha256 is not None and not _HASH.fullmatch(self.sha256):
            raise InputError("a photograph's SHA-256 has 64 hexadecimal digits")


def check_book(book: str) -> None:
    """Return if ``book`` is a ledger's number.

    Raises:
        InputError: It is none.
    """
    if not _BOOK.fullmatch(book):
        raise InputError("the ledger's number has letters, digits and hyphens, 20 at most")


def check_number(page: int, pages: int) -> None:
    """Return if a ledger of ``pages`` can have a page ``page``.

    Raises:
        InputError: It can't.
    """
    if not 1 <= page <= pages <= MOST_PAGES:
        raise InputError(f"the page is a number from 1 to the count of pages, at most {MOST_PAGES}")


def check_place(place: str) -> None:
    """Return if ``place`` says where a ledger is locked away.

    Raises:
        InputError: It is empty, or too long.
    """
    if not 0 < len(place) <= 100:  # noqa: PLR2004 - the column's width
        raise InputError("say in at most 100 characters where the ledger is locked away")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A registered page; columns as in the table."""

    org: str
    point: str
    book: str
    page: int
    pages: int
    rows: int
    written: date
    place: str
    sha256: str | None
    keyed: datetime
    keyed_by: str
    due: date
    destroyed: datetime | None
    destroyed_by: str | None

    def is_overdue(self, today: date) -> bool:
        """Tell whether the paper should be gone."""
        return self.destroyed is None and today > self.due

    def is_late(self, periods: PaperPeriods) -> bool:
        """Tell whether it was keyed in later than the standard allows."""
        return periods.keyed_in_late(self.written, self.keyed)


def is_on_paper(point: points.Point) -> bool:
    """Tell whether ``point`` is written on paper, and its notice says so."""
    return point.method == PAPER and PAPER in point.media


def check_point(point: points.Point) -> None:
    """Return if ``point`` is written on paper.

    Raises:
        RefusedError: It is not: its notice says nothing of paper.
    """
    if not is_on_paper(point):
        raise RefusedError(
            f"{point.point} does not collect on paper", rule=f"method/{point.circumstance}/{PAPER}",
            source=("PIPL-17",), allowed="open a point that collects on paper",
        )  # fmt: skip


def register(
    tx: Transaction,
    log: Log,
    standard: Standard,
    *,
    org: str,
    point: str,
    sheet: Sheet,
    rows: int,
    by: str,
    now: datetime,
    code: str,
) -> Page:
    """Register a page whose ``rows`` were keyed in; the log knows it by ``code`` (``code_for``).

    Raises:
        ConflictError: It is registered already.
    """
    log.append(tx, [], now=now)  # the head first: two who key in at once are one after the other
    due = now.astimezone(CHINA).date() + paper_periods(standard).destroy
    key: dict[str, Any] = {"org": org, "point": point, "book": sheet.book, "page": sheet.page}
    tx.insert(
        paper_pages, **key, pages=sheet.pages, rows=rows, written=sheet.written.isoformat(),
        place=sheet.place, sha256=sheet.sha256, keyed=now, keyed_by=by, due=due.isoformat(),
    )  # fmt: skip
    tx.insert(paper_codes, org=org, code=code, point=point, book=sheet.book, page=sheet.page)
    said = entry.PaperPage(
        org=org, standard=standard.ref, at=entry.stamp(now), page=code, point=point,
        written=sheet.written.isoformat(), rows=rows, due=due.isoformat(),
    )  # fmt: skip
    log.append(tx, [entry.encode(said)], now=now)
    return read(tx.get(paper_pages, **key))


def code_for(form: UUID) -> str:
    """Return the code by which the log may know the page that is keyed in on the form of this id."""
    return id_from("x", form)


def is_keyed_in(tx: Transaction, org: str, code: str) -> bool:
    """Tell whether a page that the log knows by ``code`` is registered."""
    return tx.find(paper_codes, org=org, code=code) is not None


def code_of(tx: Transaction, page: Page) -> str:
    """Return the code by which the log knows a page; "" if it is older than codes are."""
    place: dict[str, Any] = {
        "org": page.org, "point": page.point, "book": page.book, "page": page.page,
    }  # fmt: skip
    return next((str(row["code"]) for row in tx.rows(paper_codes, **place)), "")


def load(tx: Transaction, org: str, point: str, book: str, page: int) -> Page:
    """Return a registered page.

    Raises:
        NotFoundError: It is not registered.
    """
    return read(tx.get(paper_pages, org=org, point=point, book=book, page=page))


def check_written(written: date, *, now: datetime) -> None:
    """Return if a page may have been written on the day ``written``.

    Raises:
        InputError: It is to come.
    """
    if written > now.astimezone(CHINA).date():
        raise InputError("the day on the page can't be later than today")


def check_new(tx: Transaction, org: str, point: str, sheet: Sheet) -> None:
    """Return if a page was not keyed in yet, and its ledger has as many pages as was said of it before.

    Raises:
        ConflictError: It was, or another number was said.
    """
    if tx.find(paper_pages, org=org, point=point, book=sheet.book, page=sheet.page) is not None:
        raise ConflictError(f"page {sheet.page} of ledger {sheet.book} was keyed in already")
    book = [
        paper_pages.c.org == org,
        paper_pages.c.point == point,
        paper_pages.c.book == sheet.book,
    ]
    other = tx.all(paper_pages, *book, paper_pages.c.pages != sheet.pages, limit=1)
    if other:
        raise ConflictError(
            f"ledger {sheet.book} was said to have {other[0]['pages']} pages before; say the same, or use another number for it"
        )


def points_of(tx: Transaction, org: str) -> list[str]:
    """Return the codes of the points of which ``org`` has registered pages."""
    query = sa.select(paper_pages.c.point).distinct().where(paper_pages.c.org == org)
    return sorted(tx.conn.execute(query).scalars())


def attest(
    tx: Transaction,
    log: Log,
    *,
    standard_ref: str,
    org: str,
    point: str,
    book: str,
    page: int,
    by: str,
    now: datetime,
) -> None:
    """Note that ``by`` attests that a page, and each photograph of it, was destroyed.

    Raises:
        NotFoundError: The page is not registered.
        StateError: It was attested before.
    """
    key: dict[str, Any] = {"org": org, "point": point, "book": book, "page": page}
    if tx.get(paper_pages, lock=True, **key)["destroyed"] is not None:
        raise StateError(f"page {page} of ledger {book} is attested as destroyed already")
    tx.update(paper_pages, key, destroyed=now, destroyed_by=by)
    for known in tx.rows(paper_codes, **key):
        said = entry.PaperDestroyed(
            org=org, standard=standard_ref, at=entry.stamp(now), page=known["code"], by=by
        )
        log.append(tx, [entry.encode(said)], now=now)


def sweep(database: Database, keys: Keys, *, today: date, org: str | None = None) -> int:
    """Destroy the photographs (of ``org``) whose page is gone or may exist no longer; return how many."""
    with database.read() as tx:
        over = _over(tx, today, org)
    for each, codes in over.items():
        photographs.destroy(database, keys, each, codes)
    return sum(map(len, over.values()))


def _over(tx: Transaction, today: date, org: str | None) -> dict[str, list[str]]:
    c, p, kept = paper_codes.c, paper_pages.c, photographs.photographs.c
    query = (
        sa.select(c.org, c.code)
        .where(
            kept.org == c.org, kept.code == c.code, p.org == c.org, p.point == c.point,
            p.book == c.book, p.page == c.page,
            p.destroyed.is_not(None) | (p.due < today.isoformat()),
            *([] if org is None else [c.org == org]),
        )
        .order_by(c.org, c.code)
    )  # fmt: skip
    found: dict[str, list[str]] = {}
    for each, code in tx.conn.execute(query):
        found.setdefault(each, []).append(code)
    return found


def read(row: dict[str, Any]) -> Page:
    """Return the page that a row of ``paper_pages`` states."""
    days = {name: date.fromisoformat(row[name]) for name in ("written", "due")}
    return Page(**{**row, **days})
