"""Tickets: what a resident's form carries from step to step instead of a cookie.

A ticket names one filled form (the *client id*, so that sending twice stores once), the notice that was
shown, and when. It is signed, so a submission cannot claim a notice that this site never showed, and it
runs out before a repetition could reach past the day that ``collect.record`` looks back.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from epilock.errors import StaleNoticeError

LASTS = timedelta(hours=20)
_DOMAIN = b"epilock/ticket/v1\0"
_MAC_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One filled form on its way.

    Attributes:
        client: UUID of the filled form.
        notice: SHA-256 (hex) of the notice that was shown.
        since: When the notice was shown, whole seconds, UTC.
    """

    client: str
    notice: str
    since: datetime

    def check_open(self, now: datetime) -> None:
        """Return if the form may still be sent.

        Raises:
            StaleNoticeError: It has run out: the notice is to be read again.
        """
        if not self.since - timedelta(minutes=5) <= now <= self.since + LASTS:
            raise StaleNoticeError("this form was open for too long; please read the notice again")


def new(notice: str, *, now: datetime) -> Ticket:
    """Return a ticket for a form that begins now."""
    return Ticket(client=str(uuid4()), notice=notice, since=now.replace(microsecond=0))


def write(ticket: Ticket, secret: bytes, point: str) -> str:
    """Return the ticket as a form carries it: ``client.notice.seconds.mac``."""
    body = f"{ticket.client}.{ticket.notice}.{int(ticket.since.timestamp())}"
    return f"{body}.{_mac(secret, point, body)}"


def read(text: str, secret: bytes, point: str) -> Ticket:
    """Return the ticket of a form of ``point``, also one that has run out.

    Raises:
        StaleNoticeError: This site never gave it: the notice is to be read.
    """
    body, _, mac = text[:300].rpartition(".")
    if not hmac.compare_digest(_mac(secret, point, body).encode(), mac.encode(errors="replace")):
        raise StaleNoticeError(
            "this form was not begun here; please read the notice and begin again"
        )
    client, notice, seconds = body.split(".")
    since = datetime.fromtimestamp(int(seconds), UTC)
    return Ticket(client=str(UUID(client)), notice=notice, since=since)


def _mac(secret: bytes, point: str, body: str) -> str:
    message = _DOMAIN + f"{point}\0{body}".encode()
    return hmac.digest(secret, message, "sha256")[:_MAC_BYTES].hex()
