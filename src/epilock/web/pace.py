"""How often something may be tried at a page: counted in the database, for all processes together."""

from datetime import timedelta

from epilock import rate
from epilock.assemble import INSTALLATION
from epilock.db import Transaction
from epilock.errors import RateError
from epilock.web.request import Site


def count(
    tx: Transaction,
    site: Site,
    kind: str,
    who: str,
    *,
    most: int,
    window: timedelta,
    org: str = INSTALLATION,
) -> RateError | None:
    """Count one try of a ``kind`` by ``who``; return the error to raise, once the caller has committed, or None."""
    return _counter(site, kind, who, window, org).add(tx, most=most, now=site.now())


def give_back(tx: Transaction, site: Site, kind: str, who: str, *, window: timedelta) -> None:
    """Count one try less: it was none of a guesser, for it succeeded."""
    _counter(site, kind, who, window, INSTALLATION).give_back(tx, now=site.now())


def check(
    site: Site, kind: str, who: str, *, most: int, window: timedelta, org: str = INSTALLATION
) -> None:
    """Count one try of a ``kind`` by ``who``.

    Raises:
        RateError: It was tried ``most`` times within ``window``.
    """
    with site.parts.database.write() as tx:
        late = count(tx, site, kind, who, most=most, window=window, org=org)
    if late is not None:
        raise late


def _counter(site: Site, kind: str, who: str, window: timedelta, org: str) -> rate.Counter:
    secret = site.parts.keys.secret(INSTALLATION, "rates")
    return rate.Counter(secret=secret, org=org, kind=kind, who=who, window=window)
