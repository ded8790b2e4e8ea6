"""What persons asked for: each request is answered in time, and none that was never made."""

from datetime import datetime, timedelta

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told, end
from epilock.ledger.finding import Findings

# The rules on apps (Cyberspace Administration and others, 2019, article 6) give 15 working days at most; 15 calendar
# days never end later, and need no list of holidays.
ANSWER_WITHIN = timedelta(days=15)


def _request(told: Told, index: int, said: e.Request) -> None:
    told.holding(index, said.bucket)
    told.requests[f"{said.org}/{said.request}"] = index, said


def _closed(told: Told, index: int, said: e.RequestClosed) -> None:
    found = told.requests.pop(f"{said.org}/{said.request}", None)
    if found is None:
        told.bad("undeclared", f"request {said.request}", index)


def list_unanswered(told: Told, to: Findings, now: datetime) -> None:
    """Add the requests whose answer should have come and has not."""
    for index, said in told.requests.values():
        if now >= end(said.at) + ANSWER_WITHIN:
            to.add("unanswered", said.request, index, days=ANSWER_WITHIN.days)


READERS: Readers = {e.Request: _request, e.RequestClosed: _closed}
