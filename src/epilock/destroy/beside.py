"""Runs that somebody asked for: each goes on beside the pages that show how far it is.

What a run does is committed step by step (``run``), so how far it is can be read from the database by any
process, and a run that ends with its process loses nothing: the clock's next one goes on where it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from epilock.beside import Name, Works
from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import freeze, run
from epilock.destroy.intent import DESTROY, intents
from epilock.destroy.run import Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the destruction of an organisation's data is.

    Attributes:
        due: Parts that are due and not announced.
        announced: Destructions and erasures that are announced and not certified.
        certified: Those that were certified since the run began.
        is_under_way: Whether a run goes on in this process.
        problem: What stopped the last run of this process, or None.
    """

    due: int
    announced: int
    certified: int
    is_under_way: bool
    problem: Exception | None

    @property
    def left(self) -> int:
        """How much is still to be done."""
        return self.due + self.announced


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of this process, one of an organisation at a time.

    Attributes:
        tools: What runs need.
        now: The clock.
        works: What goes on in this process.
    """

    tools: Tools
    now: Callable[[], datetime]
    works: Works

    def begin(self, org: str, *, wait: float) -> bool:
        """Begin a run, unless one goes on; tell whether it has ended after ``wait`` seconds.

        Raises:
            FrozenError: Nothing may be destroyed now.
        """
        with self.tools.database.read() as tx:
            freeze.check_thawed(tx)
        work = self.works.begin(_name(org), lambda _: self._go(org), wait=wait)
        return not work.is_under_way

    def progress(self, tx: Transaction, org: str, since: datetime) -> Progress:
        """Return how far it is, counting what was certified from ``since`` on."""
        now, c = self.now(), intents.c
        found = dues.calendar(tx, self.tools.standard, now=now, org=org)
        known = self.works.of(_name(org))
        return Progress(
            due=sum(part.is_due(now) for part in found),
            announced=_count(tx, c.org == org, c.done.is_(None)),
            certified=_count(tx, c.org == org, c.kind == DESTROY, c.done >= since),
            is_under_way=known is not None and known.is_under_way,
            problem=None if known is None else known.problem,
        )

    def _go(self, org: str) -> None:
        run.run(self.tools, now=self.now(), org=org)


def _name(org: str) -> Name:
    return ("destruction", org)


def _count(tx: Transaction, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(intents).where(*where)
    return int(tx.conn.execute(query).scalar_one())
