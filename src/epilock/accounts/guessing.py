"""Guessing: failed sign-ins are counted, and waited for, whether there is such an account or not.

After five failures a login waits, twice as long each time. So that one password is not tried at many logins,
failures are counted over the organisation as well: after ``SPRAYED`` of them within ``SPRAY_WINDOW`` only known
devices are answered. The counts stand under a keyed hash (``rate``).
"""

from datetime import datetime, timedelta

from epilock import rate
from epilock.db import Transaction
from epilock.errors import RateError

FREE_FAILURES = 5
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
FORGOTTEN = timedelta(days=1)  # after the last failure of a login, known or not, none is remembered
# No one at an organisation of thousands mistypes so often in an hour; a spray that stays below it tries 1,200
# passwords a day over all logins together.
SPRAYED, SPRAY_WINDOW = 50, timedelta(hours=1)
TOLD_WINDOW = timedelta(days=1)  # over which an administrator is told of failures


def held(tx: Transaction, org: str, login: str, *, known: bool, now: datetime) -> RateError | None:
    """Lock the count of ``login``; return the error if it waits, or its organisation does.

    ``known`` tells whether it is typed at a device that the organisation's failures do not shut out.
    """
    failures, last = _of_login(tx, org, login).hold(tx, now=now)
    until = last + _wait(failures)
    if not known:
        until = max(until, _sprayed_until(tx, org, now))
    if now >= until:
        return None
    return RateError("too many attempts; please wait", wait=int((until - now).total_seconds()) + 1)


def failed(tx: Transaction, org: str, login: str, *, now: datetime) -> None:
    """Count one failure, of ``login`` and of its organisation."""
    _of_login(tx, org, login).again(tx, now=now)
    for count in (_of_hour(tx, org), _of_day(tx, org)):
        count.add(tx, most=SPRAYED, now=now)


def forget(tx: Transaction, org: str, login: str) -> None:
    """Count the failures of ``login`` from nothing again."""
    _of_login(tx, org, login).forget(tx)


def failures_of(tx: Transaction, org: str, *, now: datetime) -> tuple[int, datetime]:
    """Return how many sign-ins at ``org`` failed in the day that is counted, and when it began."""
    return _of_day(tx, org).standing(tx, now=now)


def _wait(failures: int) -> timedelta:
    if failures < FREE_FAILURES:
        return timedelta()
    doubled: int = 1 << min(failures - FREE_FAILURES, 20)
    return min(LONGEST_WAIT, FIRST_WAIT * doubled)


def _sprayed_until(tx: Transaction, org: str, now: datetime) -> datetime:
    """Return until when sign-ins from devices that are not known wait."""
    failures, began = _of_hour(tx, org).standing(tx, now=now)
    return now if failures < SPRAYED else began + SPRAY_WINDOW


def _of_login(tx: Transaction, org: str, login: str) -> rate.Counter:
    return _counter(tx, "login", f"{org}/{login}", FORGOTTEN)


def _of_hour(tx: Transaction, org: str) -> rate.Counter:
    return _counter(tx, "org-hour", org, SPRAY_WINDOW)


def _of_day(tx: Transaction, org: str) -> rate.Counter:
    return _counter(tx, "org-day", org, TOLD_WINDOW)


def _counter(tx: Transaction, kind: str, who: str, window: timedelta) -> rate.Counter:
    """Return a counter; the hash has a name of its own under the integrity key."""
    return rate.Counter(secret=tx.mac_key, org=rate.ANYWHERE, kind=kind, who=who, window=window)
