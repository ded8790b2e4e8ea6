"""How far who asks reaches into an organisation's records: by their own grants, and not beyond."""

from epilock.db import Transaction
from epilock.errors import ForbiddenError
from epilock.use import grant as grants
from epilock.use.grant import ACTIVE, OF_MANY, Grant
from epilock.web.console.desk import Desk


def active(desk: Desk, tx: Transaction) -> list[Grant]:
    """Return the active grants of who asks."""
    now = desk.site.now()
    listed = grants.listing(tx, desk.org, stages=(ACTIVE,))
    return [g for g in listed if g.staff == desk.who and g.until > now]


def into(desk: Desk, tx: Transaction, source: str) -> list[Grant]:
    """Return those that open records of ``source``; one to count opens none."""
    return [g for g in active(desk, tx) if g.source == source and g.form not in OF_MANY]


def check_listed(desk: Desk, source: str, mine: list[Grant]) -> None:
    """Return if records of ``source`` are listed to who asks, whose grants into it are ``mine``.

    Raises:
        ForbiddenError: They are another organisation's, and no grant reaches them.
    """
    if source != desk.org and not mine:
        raise ForbiddenError(
            "records of another organisation are listed under an active grant only"
        )
