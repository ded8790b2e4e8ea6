"""The log's side of the protocol: ask one witness for its cosignatures of one checkpoint.

The witness says which size it cosigned last (409), and is asked again from there, once: so the log needs
to know nothing about it, and a size that it remembers is only a saving.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epilock.errors import InconsistentError, InputError, NoteError
from epilock.ledger import checkpoint, note, wire
from epilock.ledger.notation import decimal
from epilock.ledger.note import Signature, Verifier
from epilock.ledger.wire import Answer
from epilock.ledger.witness.request import MOST_BYTES, AddCheckpoint

MOST_ANSWER = 1 << 16  # some cosignatures of 3,300 bytes
OK, CONFLICT, UNPROCESSABLE = 200, 409, 422

Send = Callable[[str, bytes | None], Answer]
"""Posts a body to an address, or gets it if there is none; raises ``InputError`` if nothing answers."""
Prove = Callable[[int], Sequence[bytes]]
"""Returns the consistency proof from a size to the checkpoint's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a witness gave.

    Attributes:
        lines: Its cosignatures: key and line, of known keys only.
    """

    lines: tuple[tuple[Verifier, str], ...]


def over_http(seconds: float) -> Send:
    """Return a ``Send`` over HTTP that waits at most ``seconds``."""
    return lambda address, body: wire.exchange(address, body, limit=MOST_ANSWER, seconds=seconds)


def ask(
    send: Send, address: str, keys: Sequence[Verifier], signed: str, *, old: int, prove: Prove
) -> Asked:
    """Return the cosignatures of ``signed`` by the witness at ``address`` that has these ``keys``.

    Raises:
        InputError: It does not answer, or answers what the protocol has not.
        InconsistentError: It has cosigned a history that this checkpoint does not continue: a longer
            one, or another. Either this database is an old copy, or somebody forks the log.
        ForgedError: A cosignature of a known key fails.
    """
    size = checkpoint.parse(note.parse(signed)[0]).size
    answer = _send(send, address, signed, old, prove)
    if answer.status == CONFLICT:
        last = _size(answer)
        if last > size:
            raise InconsistentError(f"it has cosigned {last} entries, and this log has {size}")
        answer = _send(send, address, signed, last, prove)
    if answer.status == UNPROCESSABLE:
        raise InconsistentError("it says that this checkpoint does not continue what it cosigned")
    if answer.status != OK or len(answer.body) > MOST_ANSWER:
        raise InputError(f"it answers {answer.status}")
    return Asked(_cosigned(signed, answer.body, keys))


def _send(send: Send, address: str, signed: str, old: int, prove: Prove) -> Answer:
    body = AddCheckpoint(old, prove(old), signed).body()
    if len(body) > MOST_BYTES:
        raise InputError(f"the request would have more than {MOST_BYTES} bytes")
    return send(f"{address}/add-checkpoint", body)


def _size(answer: Answer) -> int:
    text = answer.body.decode("latin-1")
    try:
        return decimal(text.removesuffix("\n"), "the size that a witness cosigned last")
    except ValueError as error:
        raise InputError(f"it answers 409 without a size: {error}") from None


def _cosigned(
    signed: str, body: bytes, keys: Sequence[Verifier]
) -> tuple[tuple[Verifier, str], ...]:
    """Return the lines of ``body`` that are cosignatures by ``keys``; others are ignored."""
    text, _ = note.parse(signed)
    try:
        lines = note.parse(text + "\n" + body.decode())[1]
    except (NoteError, UnicodeDecodeError):
        raise InputError("it answers 200 without signature lines") from None
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[Verifier, Signature] = {}
    for each in lines:
        key = known.get((each.name, each.key_id))
        if key is not None:
            key.check(text, each.data)
            found[key] = each
    if not found:
        raise InputError("it answers without a cosignature of a key that is known")
    return tuple((key, each.line()) for key, each in found.items())
