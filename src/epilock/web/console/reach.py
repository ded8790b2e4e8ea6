"""How far who asks reaches into an organisation's records: by their own grants, and not beyond."""

from epilock.db import Transaction
from epilock.errors import ForbiddenError
from epilock.use import grant as grants
from epilock.use.grant import ACTIVE, OF_MANY, Grant
from epilock.web.console.desk import Desk


def active(desk: Desk, tx: Transaction) -> list[Grant]:
    """Return the active grants of who asks that are not used up."""
    now = desk.site.now()
    listed = grants.listing(tx, desk.org, stages=(ACTIVE,))
    return [g for g in listed if g.staff == desk.who and g.until > now and g.left]


def into(desk: Desk, tx: Transaction, source: str) -> list[Grant]:
    """Return those that open records of ``source``; one to count opens none."""
    return [g for g in active(desk, tx) if g.source == source and g.form not in OF_MANY]


def circumstances(desk: Desk, source: str, mine: list[Grant]) -> frozenset[str]:
    """Return the circumstances whose records of ``source`` are listed to who asks, whose grants into it are ``mine``.

    Of the own organisation all, of another those that a grant reaches.

    Raises:
        ForbiddenError: They are another organisation's, and no grant reaches them.
    """
    if source == desk.org:
        return frozenset(desk.site.parts.standard.circumstances)
    if not mine:
        raise ForbiddenError(
            "records of another organisation are listed under an active grant only"
        )
    return frozenset(c for grant in mine for c in grant.circumstances)


def check_listed(desk: Desk, source: str, mine: list[Grant], circumstance: str) -> None:
    """Return if records of ``source`` in ``circumstance`` are listed to who asks, as ``circumstances`` says.

    Raises:
        ForbiddenError: They are another organisation's, and no grant reaches them.
    """
    if circumstance not in circumstances(desk, source, mine):
        raise ForbiddenError(
            "records of another organisation are listed under an active grant only"
        )
