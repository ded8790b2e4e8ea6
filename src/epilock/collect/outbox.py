"""A device's outbox: sealed forms that come in one by one over a network, or together as a file.

One box takes one way, whether a page sends it, the console takes a file or a terminal does (``bring_in``).

Rules kept in this file:
  1. What becomes of each box is said; what is refused stays with who sent it, and takes no other with it.
  2. A box that comes twice is stored once, and is said to have come also when its lease is over.
"""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from epilock.collect import offline
from epilock.collect.offline import Replaced
from epilock.collect.writer import Writer
from epilock.db import Database
from epilock.errors import ConflictError, EpilockError, FileFormatError, TooLargeError
from epilock.standard import Standard
from epilock.store.access import Keys

FORMAT = "epilock/outbox/v1"
MAX_FILE = 1_000_000  # bytes; a multipart file of up to 1 MiB stays in memory (Starlette)
MAX_BOXES = offline.MOST  # of one file: what is answered within a few seconds
SECONDS_TO_STORE = 30


class Box(msgspec.Struct, forbid_unknown_fields=True):
    """One sealed form: the lease it was sealed for, and its bytes in base64."""

    lease: str
    box: str


class Outbox(msgspec.Struct, forbid_unknown_fields=True):
    """What a device exports."""

    format: str
    boxes: list[Box]


class Became(StrEnum):
    """What became of a box that was not refused."""

    STORED = "stored"
    REPEATED = "repeated"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Brought:
    """A box that needs nothing more: what became of it, and the position of its ledger entry."""

    became: Became
    index: int


def read(body: bytes) -> list[tuple[str, bytes]]:
    """Return lease and bytes of each box of an exported file.

    Raises:
        TooLargeError: It is larger than 1 MB, or has more than 500 boxes.
        FileFormatError: It is no file that a device exports.
    """
    if len(body) > MAX_FILE:
        raise TooLargeError(f"at most {MAX_FILE} bytes are taken here; send from the device itself")
    try:
        said = msgspec.json.decode(body, type=Outbox)
        boxes = [(each.lease, b64decode(each.box, validate=True)) for each in said.boxes]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise FileFormatError("this is no outbox that a device exported") from None
    if said.format != FORMAT:
        raise FileFormatError(f"the outbox must be of the format {FORMAT}")
    if len(boxes) > MAX_BOXES:
        raise TooLargeError(f"an outbox has at most {MAX_BOXES} boxes")
    return boxes


class Clerk(NamedTuple):
    """What takes boxes in for one organisation.

    Attributes:
        database: The main database.
        keys: The key store.
        standard: The rules.
        writer: What stores.
        org: The organisation whose leases count.
    """

    database: Database
    keys: Keys
    standard: Standard
    writer: Writer
    org: str

    def bring_in(self, lease: str, box: bytes, *, now: datetime) -> Brought:
        """Store what is in a box of the organisation's ``lease``; return when it is durable.

        Raises:
            NotFoundError: The organisation has no such lease.
            EpilockError: As ``offline.open_box`` and ``record``: nothing was stored.
        """
        digest = offline.digest_of(box)
        with self.database.read() as tx:
            found = offline.load(tx, self.org, lease)
            came = offline.arrived(tx, self.org, lease, [digest]).get(digest)
            if came is not None:
                return Brought(Became.REPEATED, came)
            opened = offline.open_box(tx, self.keys, self.standard, found, box, now=now)
        if isinstance(opened, Replaced):
            brought = Brought(Became.REPLACED, opened.index)
        else:
            stored = self.writer.submit(opened).result(timeout=SECONDS_TO_STORE)
            if not stored.repeated:
                return Brought(Became.STORED, stored.index)
            brought = Brought(Became.REPEATED, stored.index)
        with suppress(ConflictError), self.database.write() as tx:  # noted by who brought it too
            offline.note_arrived(tx, found, digest, brought.index)
        return brought

    def bring_in_file(self, body: bytes, *, now: datetime) -> Iterator[Brought | EpilockError]:
        """Yield what became of each box of an exported file, in its order.

        Raises:
            TooLargeError, FileFormatError: As ``read``, before any box is looked at.
        """
        return self._each(read(body), now)

    def _each(
        self, boxes: list[tuple[str, bytes]], now: datetime
    ) -> Iterator[Brought | EpilockError]:
        for lease, box in boxes:
            try:
                yield self.bring_in(lease, box, now=now)
            except EpilockError as error:
                yield error
