"""The key service's wire: frames of MessagePack over a stream, a request and an answer at a time.

A frame is its length (4 bytes, big-endian) and so many bytes. The client begins with ``Hello``; each further
frame is one request of a closed list, answered by ``Done`` or ``Failed``. Requests may be repeated: each
asks for a state, not for a step.
"""

import socket
import struct
from typing import Any, TypeVar

import msgspec

from epilock import errors
from epilock.errors import EpilockError, KeysError, RateError

VERSION = 3
MOST_REQUEST = 4 << 20  # bytes: 20,000 punctures
MOST_ANSWER = 64 << 20  # bytes: the seeds of a part from which a million were erased one by one
SESSION_BYTES = 16
_LENGTH = struct.Struct(">I")
_KNOWN = {
    kind.__name__: kind
    for kind in (
        errors.InputError, errors.StateError, errors.NotFoundError, errors.ConflictError,
        errors.ForbiddenError, errors.ApprovalError, errors.KeysError, errors.ErasedError,
        errors.LeasedError, errors.RootKeyError, errors.IntegrityError, errors.TamperedError,
    )
}  # fmt: skip

T = TypeVar("T")


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """One message."""


class Hello(_Message, frozen=True):
    """The first: which wire, and 16 random bytes that name the client's process while it runs."""

    version: int
    session: bytes


class Secret(_Message, frozen=True):
    """Ask for a secret."""

    org: str
    name: str


class PublicKey(_Message, frozen=True):
    """Ask for the public half of a signing key."""

    org: str
    name: str


class Sign(_Message, frozen=True):
    """Ask for a signature."""

    org: str
    name: str
    data: bytes


class AddBucket(_Message, frozen=True):
    """Ask that a bucket's parts have seeds."""

    org: str
    bucket: str
    parts: tuple[str, ...]


class AddTagKey(_Message, frozen=True):
    """Ask that an emergency has a tag key."""

    org: str
    emergency: str


class ExtendTagKey(_Message, frozen=True):
    """Ask that a tag key has so many generations."""

    org: str
    emergency: str
    generations: int


class TagKey(_Message, frozen=True):
    """Ask for a tag key."""

    org: str
    emergency: str


class Leaf(_Message, frozen=True):
    """Ask for the key of one part of one record, under a grant (organisation that asks, code) or none."""

    org: str
    bucket: str
    part: str
    n: int
    under: tuple[str, str] | None = None


class Grant(_Message, frozen=True):
    """Ask that a grant is known: its statement and its approver's signature (``store.approval``)."""

    statement: bytes
    assertion: str


class Whole(_Message, frozen=True):
    """Ask for all seeds of a part, under a grant (organisation that asks, code) or none."""

    org: str
    bucket: str
    part: str
    under: tuple[str, str] | None = None


class Lease(_Message, frozen=True):
    """Ask for the seed of a block."""

    org: str
    bucket: str
    part: str
    block: int


class Announce(_Message, frozen=True):
    """Ask what of all this has to wait before it may be destroyed."""

    org: str
    punctures: tuple[tuple[str, str, int], ...]
    drops: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]


class Destroy(_Message, frozen=True):
    """Ask for destruction."""

    org: str
    punctures: tuple[tuple[str, str, int], ...]
    drops: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]


class Organisations(_Message, frozen=True):
    """Ask who has a tag key."""


class SuiteOf(_Message, frozen=True):
    """Ask which algorithms an organisation has (``SuiteIs``)."""

    org: str


class ChooseSuite(_Message, frozen=True):
    """Choose the algorithms of an organisation, before anything of it is sealed."""

    org: str
    name: str


class Emergencies(_Message, frozen=True):
    """Ask for the emergencies of an organisation that have a tag key."""

    org: str


class Ask(_Message, frozen=True):
    """Ask what the service is (``About``)."""


class About(msgspec.Struct, frozen=True):
    """What the service is.

    Attributes:
        wait: Seconds from announcing a destruction to carrying it out.
        signed: Whether records open under signed grants only.
    """

    wait: float
    signed: bool


class SuiteIs(msgspec.Struct, frozen=True):
    """Which algorithms an organisation has.

    Attributes:
        name: Name of the suite.
        settled: Whether it is never another.
    """

    name: str
    settled: bool


Request = (
    Secret | PublicKey | Sign | AddBucket | AddTagKey | ExtendTagKey | TagKey | Leaf | Grant | Whole | Lease
    | Announce | Destroy | Organisations | Emergencies | SuiteOf | ChooseSuite | Ask
)  # fmt: skip


class Done(_Message, frozen=True):
    """The answer is yes; ``value`` is MessagePack of the type that the request is for."""

    value: bytes


class Failed(_Message, frozen=True):
    """The answer is no: the name of an error in ``errors``, its message, and seconds to wait."""

    kind: str
    message: str
    wait: int | None = None


_REQUESTS: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Request)
_HELLO = msgspec.msgpack.Decoder(Hello)
_ANSWERS: msgspec.msgpack.Decoder[Done | Failed] = msgspec.msgpack.Decoder(Done | Failed)


def send(to: socket.socket, message: _Message) -> None:
    """Send one message."""
    body = encoded(message)
    to.sendall(_LENGTH.pack(len(body)) + body)


def encoded(message: _Message) -> bytes:
    """Return a message as it stands in its frame."""
    return msgspec.msgpack.encode(message)


def receive_hello(come: socket.socket) -> Hello | None:
    """Return the first message of a client, or None if it left.

    Raises:
        KeysError: It is none, or of another version.
    """
    body = _receive(come, MOST_REQUEST)
    if body is None:
        return None
    found = _decode(_HELLO, body)
    if found.version != VERSION or len(found.session) != SESSION_BYTES:
        raise KeysError(f"this key service speaks version {VERSION}; run the same epilock on both")
    return found


def receive_request(come: socket.socket) -> Request | None:
    """Return the next request, or None if the client left.

    Raises:
        KeysError: It is too long or none of the list.
    """
    body = _receive(come, MOST_REQUEST)
    found: Request | None = None if body is None else _decode(_REQUESTS, body)
    return found


def receive_answer(come: socket.socket) -> Done | Failed | None:
    """Return the answer, or None if the service left.

    Raises:
        KeysError: It is too long or makes no sense.
    """
    body = _receive(come, MOST_ANSWER)
    return None if body is None else _decode(_ANSWERS, body)


def failed(error: EpilockError) -> Failed:
    """Return the answer that tells an error; its kind is the nearest that the client knows."""
    if isinstance(error, RateError):
        return Failed("RateError", str(error), error.wait)
    kind = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _KNOWN), "KeysError")
    return Failed(kind, str(error))


def error_of(answer: Failed) -> EpilockError:
    """Return the error that an answer tells."""
    if answer.kind == "RateError":
        return RateError(answer.message, wait=answer.wait or 1)
    return _KNOWN.get(answer.kind, KeysError)(answer.message)


def _decode(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError:
        raise KeysError("a message on the key service's wire makes no sense") from None


def _receive(come: socket.socket, most: int) -> bytes | None:
    head = _exactly(come, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > most:
        raise KeysError(f"a message on the key service's wire has at most {most} bytes")
    return _exactly(come, length)


def _exactly(come: socket.socket, wanted: int) -> bytes | None:
    """Return so many bytes, or None if the other side left before."""
    found = bytearray()
    while len(found) < wanted:
        piece = come.recv(min(wanted - len(found), 1 << 16))
        if not piece:
            return None
        found += piece
    return bytes(found)
