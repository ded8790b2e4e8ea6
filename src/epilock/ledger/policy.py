"""Policies (c2sp.org/tlog-policy): which logs are accepted, and which witnesses must have cosigned.

A policy is a file of octets; names in it are opaque. It has no dates: whoever keeps policies keeps
their days beside them, so that an old receipt is verified under the policy of its day.

Rules kept in this file:
  1. A name is defined once, on an earlier line than its use, and is a member of at most one group, so
     that each witness counts in one way only.
  2. A public key stands on one line only, whatever names it is given there.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from epilock.errors import FileFormatError, NoteError, PolicyError, TooLargeError
from epilock.ledger import cosignature
from epilock.ledger.notation import decimal
from epilock.ledger.note import ED25519, Verifier

MOST_BYTES = 1 << 20
NONE = b"none"
FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
WITNESSES = (cosignature.ED25519, cosignature.ML_DSA_44)
LOGS = (ED25519, cosignature.ML_DSA_44)
FEWEST_ITEMS = {b"log": 2, b"witness": 3, b"group": 4, b"quorum": 2}
MOST_ITEMS = {b"log": 3, b"witness": 4, b"quorum": 2}


@dataclass(frozen=True, slots=True)
class Group:
    """At least ``k`` of ``members`` (names of witnesses or groups)."""

    k: int
    members: tuple[bytes, ...]


@dataclass(slots=True)
class Policy:
    """One policy; made by ``parse``.

    Attributes:
        logs: Keys of the logs that are accepted; a key's name is its log's origin.
        witnesses: Keys of the known witnesses by their name in the file.
        addresses: Where a witness is asked, by the same name, if the file says so.
        groups: Groups by their name in the file.
        quorum: Name of the witness or group that must have cosigned; None if no one must.
    """

    logs: list[Verifier] = field(default_factory=list)
    witnesses: dict[bytes, Verifier] = field(default_factory=dict)
    addresses: dict[bytes, str] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)
    quorum: bytes | None = None

    def check(self, cosigners: Collection[Verifier]) -> None:
        """Return if the witnesses among ``cosigners`` are enough.

        Raises:
            PolicyError: They are not; the message says who is missing.
        """
        if self.quorum is None:
            return
        seen = {name: key in cosigners for name, key in self.witnesses.items()}
        for name, group in self.groups.items():  # in the file's order: members come first
            seen[name] = sum(seen[member] for member in group.members) >= group.k
        if not seen[self.quorum]:
            there = sum(key in cosigners for key in self.witnesses.values())
            raise PolicyError(
                f"{there} of {len(self.witnesses)} known witnesses cosigned, which is not the quorum"
                f" {shown(self.quorum)}"
            )


def parse(data: bytes) -> Policy:
    """Return the policy that a file's ``data`` states.

    Raises:
        TooLargeError: More than 1 MiB.
        FileFormatError: It is not a policy; the message names the line.
    """
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"a policy has at most {MOST_BYTES} bytes")
    policy = _Reader()
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            policy.read(line)
        except (ValueError, NoteError) as error:
            raise FileFormatError(f"line {number} of the policy: {error}") from None
    if not policy.has_quorum:
        raise FileFormatError("a policy has one line `quorum <name>` or `quorum none`")
    return policy.policy


class _Reader:
    """Reads a policy line by line."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.has_quorum = False
        self._members: set[bytes] = set()
        self._keys: set[bytes] = set()

    def read(self, line: bytes) -> None:
        """Read one line.

        Raises:
            ValueError: It is none.
            NoteError: A key in it is none.
        """
        if FORBIDDEN.search(line):
            raise ValueError("only tab, newline and printable octets are allowed")
        items = [item for item in line.replace(b"\t", b" ").split(b" ") if item]
        if not items or items[0].startswith(b"#"):
            return
        word, count = items[0], len(items)
        if word not in FEWEST_ITEMS:
            raise ValueError("a line begins with log, witness, group, quorum or #")
        if count < FEWEST_ITEMS[word] or count > MOST_ITEMS.get(word, count):
            raise ValueError(f"too few or too many items after `{word.decode()}`")
        if word == b"log":
            self.policy.logs.append(self._key(items[1], LOGS))
        elif word == b"witness":
            self._define(items[1])
            self.policy.witnesses[items[1]] = self._key(items[2], WITNESSES)
            if len(items) > 3:  # noqa: PLR2004 - `witness <name> <vkey> <url>`
                self.policy.addresses[items[1]] = items[3].decode("utf-8", "backslashreplace")
        elif word == b"group":
            self._group(items[1], items[2], items[3:])
        else:
            self._quorum(items[1])

    def _key(self, vkey: bytes, algorithms: Collection[int]) -> Verifier:
        try:
            verifier = Verifier.from_vkey(vkey.decode())
        except UnicodeDecodeError:
            raise ValueError("a key's name is UTF-8") from None
        if verifier.algorithm not in algorithms:
            kinds = " or ".join(str(each) for each in algorithms)
            raise ValueError(f"a key of signature type {kinds} belongs here")
        if verifier.public in self._keys:
            raise ValueError("this public key stands on an earlier line already")
        self._keys.add(verifier.public)
        return verifier

    def _define(self, name: bytes) -> None:
        if name == NONE or name in self.policy.witnesses or name in self.policy.groups:
            raise ValueError(f"the name {shown(name)} is taken")

    def _group(self, name: bytes, size: bytes, members: list[bytes]) -> None:
        self._define(name)
        for member in members:
            if member in self._members:
                raise ValueError(f"{shown(member)} is a member already")
            self._known(member)
            self._members.add(member)
        n = len(members)
        k = {b"all": n, b"any": 1}.get(size) or decimal(size.decode("latin-1"), "a group's number")
        if not 1 <= k <= n:
            raise ValueError(f"a group of {n} asks for 1 to {n} of them")
        self.policy.groups[name] = Group(k, tuple(members))

    def _quorum(self, name: bytes) -> None:
        if self.has_quorum:
            raise ValueError("a policy has one quorum only")
        if name != NONE:
            self._known(name)
            self.policy.quorum = name
        self.has_quorum = True

    def _known(self, name: bytes) -> None:
        if name not in self.policy.witnesses and name not in self.policy.groups:
            raise ValueError(f"{shown(name)} is defined on no earlier line")


def shown(name: bytes) -> str:
    """Return a name of a policy as text that can always be written."""
    return repr(name.decode("utf-8", "backslashreplace"))
