"""Verify, alone and offline, what a public log of personal information says. To be read in an hour.

It needs Python 3.11 and ``cryptography`` (48 or newer), no network, no clock. Keys, policy, block
and contract come from you. Formats: c2sp.org signed-note, tlog-checkpoint, -cosignature, -proof,
-policy; the tree is RFC 6962's. FILE is a proof, a checkpoint or a proof of misbehaviour (JSON)::

    epilock-verifier.py FILE --policy P | --key K  [--entry FILE | --leaf-hash HEX]
                             [--anchor FILE BLOCK_HASH CONTRACT]
    epilock-verifier.py RECEIPT PROOF... --destruction  --policy P | --key K
    epilock-verifier.py OLD NEW --consistency PROOF  [--policy P] [--key K]

Each check takes its ``STEPS`` in order; the first that fails ends it. Begin reading at ``check``.
"""

import argparse
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

FILE, ENTRY, CHECKPOINT, ORIGIN, SIGNATURE, POLICY, SHOWN, ANCHOR = range(1, 9)
STEPS = {  # name, error, exit code
    FILE: ("file", "FileFormatError", 2),  # what was given can be read
    ENTRY: ("entry", "EntryError", 2),  # there is an entry, and it is one
    CHECKPOINT: ("checkpoint", "NoteError", 2),  # it is a signed note: origin, size, root
    ORIGIN: ("origin", "OriginError", 3),  # it is of an accepted log, and has its signature
    SIGNATURE: ("signature", "ForgedError", 3),  # no signature of a known key fails
    POLICY: ("policy", "PolicyError", 4),  # enough witnesses cosigned it
    SHOWN: ("", "ProofError", 1),  # inclusion, consistency, destruction or misbehaviour follows
    ANCHOR: ("anchor", "AnchorProofError", 1),  # a chain held this root when the block was made
}
MOST_BYTES, MOST_SIGNATURES, MOST_HASHES = 1 << 20, 100, 63
Told: TypeAlias = dict[str, Any]  # what is shown, by name


class Failure(Exception):  # noqa: N818 - a finding, and no fault of the program
    """A step that does not hold: its number, and why."""


@contextmanager
def reading(step: int, what: str) -> Iterator[None]:
    """Let what cannot be read inside fail at ``step``."""
    try:
        yield
    except (InvalidSignature, ValueError, TypeError, LookupError, RecursionError, OSError) as error:
        raise Failure(step, f"{what}: {error}") from None


# ---- Notation: one value has one spelling, else two different files would mean the same ---------
def number(text: str, bits: int = 63) -> int:
    """Return a decimal number below 2**63: ASCII digits, no sign, no leading zero."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text) or int(text) >= 1 << bits:
        raise ValueError(f"a number is decimal without sign or leading zeros, and below 2**{bits}")
    return int(text)


def base64(text: str, size: int | None = None) -> bytes:
    """Return the bytes of standard base64 with its padding and no stray bits."""
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text or size not in {None, len(data)}:
        raise ValueError(f"base64 of {size or 'some'} bytes is not written so")
    return data


# ---- Keys ---------------------------------------------------------------------------------------
LOG, WITNESS, ML_DSA = 1, 4, 6  # Ed25519 of a text, Ed25519 cosignature, ML-DSA-44 cosignature
KEY_BYTES = {LOG: 32, WITNESS: 32, ML_DSA: 1312}
NAME = re.compile(r"[^\s+\x00-\x1f]+")  # no Unicode space, no plus, no control character


class Key(NamedTuple):
    """A key that you trust: the name it signs under, its kind and its public bytes."""

    name: str
    kind: int
    public: bytes

    def id(self) -> tuple[str, bytes]:
        """Return what a signature says of its key: the name, and four bytes of a hash."""
        data = b"%s\n%c%s" % (self.name.encode(), self.kind, self.public)
        return self.name, sha256(data).digest()[:4]

    def check(self, text: str, said: "Checkpoint", signature: bytes) -> None:
        """Step 5: return if ``signature`` is this key's, of the checkpoint ``said`` in ``text``."""
        stamp, rest = signature[:8], signature[8:]  # of a cosignature: POSIX seconds, big-endian
        with reading(SIGNATURE, f"the signature of {self.name} fails"):
            if self.kind == LOG:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
            elif self.kind == WITNESS:
                message = f"cosignature/v1\ntime {int.from_bytes(stamp)}\n{text}".encode()
                Ed25519PublicKey.from_public_bytes(self.public).verify(rest, message)
            else:
                who, origin, end = self.name.encode(), said.origin.encode(), said.size.to_bytes(8)
                message = b"subtree/v1\n\0" + bytes([len(who)]) + who + stamp
                message += bytes([len(origin)]) + origin + bytes(8) + end + said.root
                MLDSA44PublicKey.from_public_bytes(self.public).verify(rest, message)
            if self.kind != LOG and int.from_bytes(stamp) >= 1 << 63:
                raise ValueError("its time is after 2**63")


def read_key(text: str) -> Key:
    """Return the key ``<name>+<8 hex digits of its id>+<base64 of kind and public bytes>``."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    data = base64(encoded)
    if not NAME.fullmatch(name) or not data or KEY_BYTES.get(data[0]) != len(data) - 1:
        raise ValueError("a key is <name>+<8 hex digits>+<base64>, Ed25519 or ML-DSA-44")
    key = Key(name, data[0], data[1:])
    if key.id()[1].hex() != key_id:
        raise ValueError(f"the key of {name} was mistyped: its id does not fit it")
    return key


# ---- Policy: which logs are accepted, and which witnesses must have cosigned --------------------
@dataclass
class Trust:
    """All that you trust: keys of logs and witnesses, and who of these must have cosigned."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[bytes, Key] = field(default_factory=dict)  # by their name in the policy
    groups: dict[bytes, tuple[int, list[bytes]]] = field(default_factory=dict)  # k of these
    quorum: bytes = b"none"
    seen: set[bytes] = field(default_factory=set)  # public keys of earlier lines

    def holds(self, cosigned: set[Key]) -> bool:
        """Step 6: tell whether the quorum stands behind what ``cosigned`` signed."""
        stands = {b"none": True} | {name: key in cosigned for name, key in self.witnesses.items()}
        for name, (k, members) in self.groups.items():  # members come before their group
            stands[name] = sum(stands[member] for member in members) >= k
        return stands[self.quorum]

    def new_key(self, vkey: bytes, kinds: set[int]) -> Key:
        """Return a key of a policy, of one of these kinds, that no earlier line has."""
        key = read_key(vkey.decode())
        if key.kind not in kinds or key.public in self.seen:
            raise ValueError("a key of this kind does not belong here, or stands here twice")
        self.seen.add(key.public)
        return key


def read_policy(data: bytes) -> Trust:
    """Step 1: return what a tlog-policy file states. Names in it are octets, spaces part them."""
    trust, names, used, quorums = Trust(), {b"none"}, {b"none"}, 0
    for row, line in enumerate(data.split(b"\n"), 1):
        with reading(FILE, f"line {row} of the policy"):
            if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line):
                raise ValueError("only tab, newline and printable octets may stand here")
            match re.findall(rb"[^ \t]+", re.sub(rb"^[ \t]*#.*", b"", line)):
                case [b"log", vkey] | [b"log", vkey, _]:
                    trust.logs.append(trust.new_key(vkey, {LOG, ML_DSA}))
                case [b"witness", name, vkey] | [b"witness", name, vkey, _] if name not in names:
                    trust.witnesses[name] = trust.new_key(vkey, {WITNESS, ML_DSA})
                    names.add(name)
                case [b"group", name, size, *members] if members and name not in names:
                    n = len(members)
                    k = {b"all": n, b"any": 1}.get(size) or number(size.decode("latin-1"))
                    free = all(member in names and member not in used for member in members)
                    if not free or len({*members}) < n or not 1 <= k <= n:
                        raise ValueError("a group is of 1 to all of known names in no other group")
                    used.update(members)
                    names.add(name)
                    trust.groups[name] = (k, members)
                case [b"quorum", name] if name in names and not quorums:
                    trust.quorum, quorums = name, 1
                case [_, *_]:  # an empty line, or a comment, says nothing
                    raise ValueError("no line of a policy, or its name is taken or not yet defined")
    if not quorums:
        raise Failure(FILE, "a policy has one line `quorum <name>` or `quorum none`")
    return trust


# ---- The tree: the definitions of RFC 6962 section 2.1, read backwards --------------------------
def node(left: bytes, right: bytes) -> bytes:
    """Return the hash over two hashes; an entry's begins with 0, so none passes for another."""
    return sha256(b"\x01" + left + right).digest()


def root_of(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """Return the root to which ``path`` leads from the leaf at ``index`` of ``size`` (2.1.1)."""
    if not 0 <= index < size or bool(path) != (size > 1):
        raise Failure(SHOWN, "the path is too long or too short for this index and size")
    if size == 1:
        return leaf
    *rest, top = path
    k = 1 << (size - 1).bit_length() - 1  # the largest power of two below size
    if index < k:
        return node(root_of(index, k, leaf, rest), top)
    return node(top, root_of(index - k, size - k, leaf, rest))


def roots_of(old: int, new: int, path: list[bytes], known: bytes | None) -> tuple[bytes, bytes]:
    """Return old and new root by a consistency path (2.1.2); none repeats the ``known`` old one."""
    if old == new and len(path) == (known is None):
        root = path[0] if known is None else known
        return root, root
    if old == new or not path:
        raise Failure(SHOWN, "the consistency proof is too long or too short for these sizes")
    *rest, top = path
    k = 1 << (new - 1).bit_length() - 1
    if old <= k:
        before, after = roots_of(old, k, rest, known)
        return before, node(after, top)
    before, after = roots_of(old - k, new - k, rest, None)
    return node(top, before), node(top, after)


def check_prefix(old: int, was: bytes, new: int, root: bytes, path: list[bytes]) -> None:
    """Return if the tree of ``old`` leaves and root ``was`` begins that of ``new`` and ``root``."""
    if old > new or (old == 0 and path):
        raise Failure(SHOWN, f"this does not lead from a tree of {old} leaves to one of {new}")
    if old and roots_of(old, new, path, was) != (was, root):
        raise Failure(SHOWN, f"the tree of {old} leaves is not shown to begin that of {new}")


# ---- Checkpoints: steps 3 to 6 ------------------------------------------------------------------
class Checkpoint(NamedTuple):
    """What a log claims: with so many entries, my tree has this root. Also who cosigned that."""

    origin: str
    size: int
    root: bytes
    witnesses: Sequence[str] = ()


def read_note(note: str) -> tuple[str, Checkpoint, list[tuple[tuple[str, bytes], bytes]]]:
    """Step 3: return the text, its claim, and (key name and id, signature) of each line."""
    with reading(CHECKPOINT, "not a signed checkpoint"):
        body, gap, tail = note.rpartition("\n\n")
        lines, signatures = tail.split("\n"), []
        if not gap or lines.pop() or not lines or any(c < " " and c != "\n" for c in note):
            raise ValueError("it is text, an empty line and signature lines, without controls")
        for line in lines:
            mark, name, encoded = line.split(" ")
            data = base64(encoded)
            if mark != "—" or not NAME.fullmatch(name) or len(data) <= 4:  # noqa: PLR2004 - its id
                raise ValueError("a signature line is an em dash, a key's name and base64")
            signatures.append(((name, data[:4]), data[4:]))
        origin, size, root, *extensions = body.split("\n")
        if not origin or not all(extensions) or len(lines) > MOST_SIGNATURES:
            raise ValueError("no line of it is empty, and at most 100 signatures follow")
        said = Checkpoint(origin, number(size), base64(root, 32))
        if said.size == 0 and said.root != sha256().digest():
            raise ValueError("the empty tree has one root, the SHA-256 of nothing")
    return body + "\n", said, signatures


def check_note(note: str, trust: Trust) -> Checkpoint:
    """Steps 3 to 6: return what the signed checkpoint ``note`` claims, and who cosigned it."""
    text, said, signatures = read_note(note)  # 3
    own = {key.id() for key in trust.logs if key.name == said.origin and key.kind != WITNESS}
    if not own & {key_id for key_id, _ in signatures}:  # 4
        raise Failure(ORIGIN, "no key that was given for this checkpoint's log signed it")
    keys = {key.id(): key for key in [*trust.logs, *trust.witnesses.values()]}
    signed = {keys[key_id] for key_id, _ in signatures if key_id in keys}
    for key_id, signature in signatures:  # 5; one of an unknown key says nothing
        if key_id in keys:
            keys[key_id].check(text, said, signature)
    if not trust.holds(signed):  # 6
        raise Failure(POLICY, "the witnesses that cosigned are not the policy's quorum")
    return said._replace(witnesses=[k.name for k in trust.witnesses.values() if k in signed])


# ---- What is shown: step 7 ----------------------------------------------------------------------
def text_of(data: bytes) -> str:
    """Step 1: return a file's text."""
    with reading(FILE, "a file is text"):
        return data.decode()


def hashes(lines: list[str]) -> list[bytes]:
    """Return the hashes of a path, one a line."""
    if type(lines) is not list or len(lines) > MOST_HASHES:
        raise ValueError(f"a path has at most {MOST_HASHES} hashes: no tree is higher")
    return [base64(line, 32) for line in lines]


def check_proof(data: bytes, trust: Trust, entry: bytes | None, leaf: bytes | None) -> Told:
    """Return what a ``.tlog-proof`` shows: that an entry stands in a log, at an index.

    The entry is what you give, or its leaf hash; else what the file carries: step 7 binds it.
    """
    head, gap, note = text_of(data).partition("\n\n")
    with reading(FILE, "not a proof"):  # 1
        first, *lines = head.split("\n")
        if first != "c2sp.org/tlog-proof@v1" or not gap or not note:
            raise ValueError("it begins with its name, and an empty line is before its checkpoint")
        extra = base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index "):
            raise ValueError("the line `index <number>` is missing")
        index, path = number(lines[0][len("index ") :]), hashes(lines[1:])
    entry = extra if entry is None and leaf is None else entry
    leaf = leaf if entry is None else sha256(b"\x00" + entry).digest()  # 2
    if leaf is None:
        raise Failure(ENTRY, "the proof does not carry its entry; give --entry or --leaf-hash")
    said = check_note(note, trust)
    if root_of(index, said.size, leaf, path) != said.root:  # 7
        raise Failure(SHOWN, f"the path does not lead from this entry, at {index}, to the root")
    return {"index": index, "leaf": leaf, "entry": entry, **said._asdict()}


def check_consistency(old: bytes, new: bytes, proof: bytes, trust: Trust | None) -> Told:
    """Return both claims if ``proof`` (base64, a hash a line) shows that the old begins the new."""
    with reading(FILE, "a consistency proof is hashes in base64, one a line"):
        path = hashes(body.split("\n")) if (body := text_of(proof).removesuffix("\n")) else []
    notes = text_of(old), text_of(new)  # without keys no signature of theirs is looked at
    was, now = (check_note(each, trust) if trust else read_note(each)[1] for each in notes)
    if was.origin != now.origin:
        raise Failure(SHOWN, "the two checkpoints are of different logs")
    check_prefix(was.size, was.root, now.size, now.root, path)
    return {"old": was.size, "signatures": trust is not None, **now._asdict()}


def check_misbehaviour(data: bytes, trust: Trust) -> Told:
    """Return both sizes if one log signed two checkpoints that cannot both be true.

    Of one size they have two roots; else ``path`` shows another ``root`` at the older's size.
    """
    with reading(FILE, "not a proof of misbehaviour"):
        value = {**json.loads(text_of(data))}
        older, newer, stated = texts = [value.pop(name) for name in ("older", "newer", "root")]
        "".join(texts).encode()  # fails if one is no text, or has half a character
        root, path = base64(stated), hashes(value.pop("path"))
        if value:
            raise ValueError("it has `older`, `newer`, `root`, `path` and no more")
    a, b = check_note(older, Trust(trust.logs)), check_note(newer, Trust(trust.logs))
    if a.size != b.size:
        check_prefix(a.size, root, b.size, b.root, path)
    root = b.root if a.size == b.size else root
    if a.origin != b.origin or a.size == 0 or root == a.root:
        raise Failure(SHOWN, "the two checkpoints can both be true, or are of different logs")
    return {"older": a.size, **b._asdict()}


def read_entry(data: bytes) -> Told:
    """Step 2: return what an entry says: canonical JSON (RFC 8785), so one spelling only."""
    whole = partial(number, bits=53)  # what any reader of JSON takes for the same number
    with reading(ENTRY, "not an entry"):
        said = json.loads(data, parse_int=whole, parse_float=whole, parse_constant=whole)
        again = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if type(said) is not dict or type(said["type"]) is not str or again.encode() != data:
            raise ValueError("it is not canonical JSON with a type")
        for name, kind in STORY.get(said["type"], {}).items():
            texts = said[name] if kind is list else ()
            if type(said[name]) is not kind or not all(type(text) is str for text in texts):
                raise ValueError(f"{name} is not of its kind")
    return dict(said)


PLACE, DONE = {"bucket": str, "n": int, "org": str}, {"parts": list, "at": str, "org": str}
STORY: dict[str, dict[str, type]] = {  # the entries that tell what became of a record
    "collect": PLACE | {"parts": list},
    "event": PLACE | {"to_bucket": str, "to_n": int},
    "correct": PLACE | {"by_bucket": str, "by_n": int},
    "erased": PLACE | DONE,
    "certificate": DONE | {"bucket": str, "first": int, "last": int, "complete": bool},
    "log-continues": {"key": str, "size": int},
}


def in_order(shown: list[Told]) -> list[tuple[int, Told]]:
    """Return index and entry in order, from the first log to those that go on where it ends."""
    data = {(each["origin"], each["index"]): each["entry"] for each in shown}
    said = {place: read_entry(data[place]) for place in sorted(data)}
    begins = [(log, e) for (log, n), e in said.items() if n == 0 and e["type"] == "log-continues"]
    after = {e["key"].split("+")[0]: (log, e["size"]) for log, e in begins}
    log, size, told = shown[0]["origin"], 0, list[tuple[int, Told]]()
    while log and not (told and told[-1][0] >= size):
        told += [(n, e) for (name, n), e in said.items() if name == log]
        log, size = after.pop(log, ("", 0))
    if len(told) < len(said) or any(data[e["origin"], e["index"]] != e["entry"] for e in shown):
        raise Failure(SHOWN, "the proofs are of logs that contradict, or none is shown to go on")
    return told


def check_destruction(receipt: bytes, proofs: list[bytes], trust: Trust) -> Told:
    """Return how each part of a receipt's record went, if the proofs show that all of it is gone.

    A certificate covers a range, ``erased`` one record; by ``event`` and ``correct`` it goes on.
    """
    shown = [check_proof(each, trust, None, None) for each in (receipt, *proofs)]
    told, start = in_order(shown), shown[0]["index"]
    first, collected, gone = read_entry(shown[0]["entry"]), {}, []
    if first["type"] != "collect":
        raise Failure(ENTRY, "a receipt proves a `collect` entry")
    living = {(first["bucket"], first["n"]): {*first["parts"]}}  # what is not gone yet
    for index, said in told[told.index((start, first)) :]:
        if "org" not in STORY.get(said["type"], ()) or said["org"] != first["org"]:
            continue
        kind, at = said["type"], (said["bucket"], said.get("n", 0))
        if kind == "collect":
            collected[at] = {*said["parts"]}
        elif kind == "event" and at in living:
            living[said["to_bucket"], said["to_n"]] = {*living[at]}
        elif kind == "correct" and at in living:
            by = (said["by_bucket"], said["by_n"])
            with reading(SHOWN, "give the proof of the `collect` entry that corrects it too"):
                living[by] = {*collected[by]}
        elif kind == "erased" or (kind == "certificate" and said["complete"]):
            for (bucket, n), parts in living.items():
                if bucket == at[0] and said.get("first", at[1]) <= n <= said.get("last", at[1]):
                    gone += [[p, bucket, n, index, said["at"]] for p in parts & {*said["parts"]}]
                    parts -= {*said["parts"]}
    if left := {place: parts for place, parts in living.items() if parts}:
        raise Failure(SHOWN, f"nothing shows that all of {min(left)} is gone: {min(left.values())}")
    return {"origin": shown[0]["origin"], "index": start, "gone": sorted(gone)}


# ---- Anchors: step 8; from the hash of a block on an EVM chain down to the root that it held -----
CODE = "e2c725ba9ed133eb316d93d4dbecf5f129339b9600698b8960aee1203359e92a"  # never changes a root


def keccak256(data: bytes) -> bytes:
    """Return Ethereum's hash: the sponge of FIPS 202 with the padding of its first submission."""
    blocks, a = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136)), [0] * 25
    blocks[-1] ^= 0x80

    def left(lane: int, by: int) -> int:
        return (lane << by | lane >> (64 - by)) & (1 << 64) - 1

    for start in range(0, len(blocks), 136):
        for i in range(17):
            a[i] ^= int.from_bytes(blocks[start + 8 * i : start + 8 * i + 8], "little")
        register = 1
        for _ in range(24):
            sums = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]  # theta
            a = [a[i] ^ sums[(i - 1) % 5] ^ left(sums[(i + 1) % 5], 1) for i in range(25)]
            x, y, lane = 1, 0, a[1]
            for t in range(24):  # rho and pi
                x, y = y, (2 * x + 3 * y) % 5
                lane, a[x + 5 * y] = a[x + 5 * y], left(lane, (t + 1) * (t + 2) // 2 % 64)
            rows = [a[y : y + 5] * 2 for y in range(0, 25, 5)]  # chi
            a = [row[x] ^ ~row[x + 1] & row[x + 2] for row in rows for x in range(5)]
            for j in range(7):  # iota
                a[0] ^= (register & 1) << (1 << j) - 1
                register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return b"".join(lane.to_bytes(8, "little") for lane in a[:4])


def rlp(data: bytes) -> tuple[Any, bytes]:
    """Return the first item of ``data``, bytes or a list, and what follows it (Yellow Paper, B)."""
    if data[0] < 0x80:  # noqa: PLR2004 - a byte that stands for itself
        return data[:1], data[1:]
    kind = 0x80 if data[0] < 0xC0 else 0xC0  # noqa: PLR2004 - bytes, or a list
    more = max(data[0] - kind - 55, 0)  # so many bytes say how long it is
    end = 1 + more + (int.from_bytes(data[1 : 1 + more]) if more else data[0] - kind)
    body, rest, items = data[1 + more : end], data[end:], []
    if len(data) < end:
        raise ValueError("RLP is cut off")
    if kind == 0x80:  # noqa: PLR2004 - RLP's mark of a string
        return body, rest
    while body:
        item, body = rlp(body)
        items.append(item)
    return items, rest


def trie_value(root: bytes, key: bytes, nodes: list[bytes]) -> Any:
    """Return what the trie of this root holds at ``key``; a short node lies in its parent."""
    path, place, nodes = keccak256(key).hex(), root, [*nodes]
    while True:
        if isinstance(place, bytes) and keccak256(nodes[0]) != place:
            raise ValueError("a node does not have the hash that its parent names")
        node = rlp(nodes.pop(0))[0] if isinstance(place, bytes) else place
        if len(node) == 17:  # noqa: PLR2004 - a branch: one way for each of 16 digits
            place, path = node[int(path[0], 16)], path[1:]
            continue
        steps, place = node[0].hex(), node[1]
        flag, steps = int(steps[0]), steps[1 if int(steps[0]) & 1 else 2 :]
        if not path.startswith(steps):
            raise ValueError("the trie holds nothing at this key")
        path = path[len(steps) :]
        if flag & 2:
            if path or nodes:
                raise ValueError("the proof does not end in the leaf of this key")
            return rlp(place)[0]


def unhex(text: str, form: str = "0x(?:[0-9a-f]{2})*") -> bytes:
    """Return the bytes of hexadecimal digits that are of this form; files have one spelling."""
    if not re.fullmatch(form, text):
        raise ValueError("these are no hexadecimal digits, or not as many as there should be")
    return bytes.fromhex(text.removeprefix("0x"))


def check_anchor(data: bytes, said: Told, block: str, contract: str) -> Told:
    """Return when the block was made, if by its hash the contract holds this checkpoint's root."""
    with reading(FILE, "not an anchor"):
        value = json.loads(text_of(data))
        account, storage = ([unhex(each) for each in value[n]] for n in ("account", "storage"))
        hash_, address = (unhex(given, "(?:0x)?[0-9a-fA-F]*") for given in (block, contract))
        header, root = unhex(value["header"]), unhex(value["root"])
        claim = {name: value[name] for name in ("origin", "size")} | {"root": root}
        if value["format"] != "epilock/anchor/v1":
            raise ValueError("its format is another")
    with reading(ANCHOR, "the anchor does not hold"):
        if keccak256(header) != hash_ or unhex(value["contract"]) != address:
            raise ValueError("it is of another block or contract than was given")
        fields = rlp(header)[0]
        _, _, storage_root, code = trie_value(fields[3], address, account)
        log = keccak256((2).to_bytes(32) + sha256(said["origin"].encode()).digest())
        held = trie_value(storage_root, keccak256(log + said["size"].to_bytes(32)), storage)
        if code.hex() != CODE or held != root.lstrip(b"\0") or said | claim != said:
            raise ValueError("other code is at this address, or it holds another root than this")
    number, seconds = int.from_bytes(fields[8]), int.from_bytes(fields[11])
    return {"block": number, "at": datetime.fromtimestamp(seconds, UTC).isoformat()}


# ---- The command line ---------------------------------------------------------------------------
def load(path: str) -> bytes:
    """Step 1: return the bytes of a file."""
    with reading(FILE, path):
        if Path(path).stat().st_size > MOST_BYTES:
            raise ValueError("more than 1 MiB")
        return Path(path).read_bytes()


def check(given: argparse.Namespace) -> Told:
    """Take the steps that the command line asks for; a file is what its content says."""
    trust = read_policy(load(given.policy)) if given.policy else Trust()
    with reading(FILE, "--key or --leaf-hash"):
        trust.logs += [Trust().new_key(each.encode(), {LOG, ML_DSA}) for each in given.key]
        leaf = unhex(given.leaf_hash, "[0-9a-fA-F]{64}") if given.leaf_hash else None
    first, *others = (load(each) for each in given.file)
    entry, path = (load(p) if p else None for p in (given.entry, given.consistency))
    blind = not given.policy and not given.key
    if path is not None and len(others) == 1 and not given.anchor:
        given.kind = "consistency"
        return check_consistency(first, others[0], path, None if blind else trust)
    if blind or path is not None or (given.anchor if given.destruction else others):
        raise Failure(FILE, "give --policy or --key, and as many files as the usage says")
    if given.destruction:
        given.kind = "destruction"
        return check_destruction(first, others, trust)
    if first.startswith(b"{") and entry is None and leaf is None and not given.anchor:
        given.kind = "misbehaviour"
        return check_misbehaviour(first, trust)
    is_proof = first.startswith(b"c2sp.org/tlog-proof@")
    is_else = first.startswith(b"{") or entry is not None or leaf is not None
    if b"\n\n" not in first or (is_else and not is_proof):
        raise Failure(FILE, "neither proof nor checkpoint; and an entry belongs to a proof alone")
    given.kind = "inclusion" if is_proof else "checkpoint"
    told = check_proof(first, trust, entry, leaf) if is_proof else {}
    told = told or check_note(text_of(first), trust)._asdict()
    if given.anchor:
        told |= check_anchor(load(given.anchor[0]), told, *given.anchor[1:])
    return told


def plain(value: object) -> str:
    """Return a value as text, without characters that could steer a terminal."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def main(words: list[str] | None = None) -> int:
    """Take the steps, print what they show, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="+")
    parser.add_argument("--policy", help="a C2SP tlog-policy: logs, witnesses, quorum")
    parser.add_argument("--key", action="append", default=[], help="a log's key; repeatable")
    its = parser.add_mutually_exclusive_group()
    its.add_argument("--entry", help="the entry, if the proof does not carry it")
    its.add_argument("--leaf-hash", help="its RFC 6962 leaf hash, 64 hex digits")
    its.add_argument("--consistency", help="base64 hashes, one a line")
    its.add_argument("--destruction", action="store_true", help="show that all of a record is gone")
    parser.add_argument("--anchor", nargs=3, help="a file, hash of its block, address of contract")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(words)
    given.kind = "file"
    try:
        told, code = check(given), 0
        if isinstance(entry := told.get("entry"), bytes) and entry.startswith(b"{"):
            told["entry"] = entry.decode("utf-8", "backslashreplace")
    except Failure as failure:
        number, why = failure.args
        name, error, code = STEPS[number]
        told = {"number": number, "step": name or given.kind, "error": error, "why": why}
    told = {"ok": code == 0, "kind": given.kind, **told}
    lines = ["NOT VERIFIED" if code else "VERIFIED"]
    lines += [f"  {name:10} {plain(value)}" for name, value in told.items()]
    print(json.dumps(told, default=plain) if given.json else "\n".join(lines))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
