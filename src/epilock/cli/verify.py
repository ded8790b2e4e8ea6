"""What a stranger checks with a terminal and nothing else: receipts, checkpoints, growth, misbehaviour.

``verify`` stands at the top level, ``consistency`` in the group ``epilock ledger``, and ``app`` is the
group ``epilock verifier``, which hands out the verifier that stands alone. No installation is needed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from cryptography import x509

from epilock import verifier
from epilock.cli.files import read_small
from epilock.cli.files import write as write_file
from epilock.cli.verdict import ANCHOR, fail, show
from epilock.errors import (
    EntryError,
    EpilockError,
    FileFormatError,
    InputError,
    NoteError,
)
from epilock.ledger import checkpoint, conflict, entry, note, policy, proof
from epilock.ledger.anchor import proof as anchors
from epilock.ledger.anchor import stamp
from epilock.ledger.anchor.account import read_address
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.note import Verifier
from epilock.ledger.policy import Policy
from epilock.ledger.tree import HASH_BYTES, leaf_hash
from epilock.ledger.verify import (
    check_growth,
    open_checkpoint,
    read_checkpoint,
    read_path,
    verify_leaf,
)

app = typer.Typer(
    no_args_is_help=True, help="The verifier that stands alone: one file, no Epilock."
)

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Verifier key of the log, from elsewhere than the log. Repeatable."),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help="A C2SP tlog-policy: logs, witnesses and how many of them."),
]
AnchorFile = Annotated[
    Path | None,
    typer.Option(
        "--anchor",
        help="The .anchor file: a chain held this root (with --block, --contract), or it was stamped (with --tsa-root).",
    ),
]
TsaRoot = Annotated[
    Path | None,
    typer.Option("--tsa-root", help="PEM file of the root of a time-stamping authority."),
]
Block = Annotated[
    str | None, typer.Option("--block", help="Hash of the anchor's block, from any explorer.")
]
Contract = Annotated[
    str | None,
    typer.Option("--contract", help="Address of the log's contract, as it publishes it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def verify(
    file: Annotated[
        Path, typer.Argument(help="A .tlog-proof, a checkpoint or a proof of misbehaviour.")
    ],
    *,
    key: Keys = None,
    policy_file: PolicyFile = None,
    entry_file: Annotated[
        Path | None, typer.Option("--entry", help="The entry, if the proof does not carry it.")
    ] = None,
    leaf: Annotated[
        str | None,
        typer.Option("--leaf-hash", help="Its RFC 6962 leaf hash instead, 64 hex digits."),
    ] = None,
    anchor: AnchorFile = None,
    block: Block = None,
    contract: Contract = None,
    tsa_root: TsaRoot = None,
    as_json: AsJson = False,
) -> None:
    """Check a file offline, by what it contains: exit code 0 only if every step holds."""
    if not key and policy_file is None:
        raise InputError("give the log's --key, or a --policy that lists it")
    if entry_file is not None and leaf is not None:
        raise InputError("give --entry or --leaf-hash, not both")
    keys = read_keys(key)
    given = None if entry_file is None else read_small(entry_file)
    hashed = None if leaf is None else _hash(leaf, "--leaf-hash")
    held = None if anchor is None else _anchor(read_small(anchor), block, contract, tsa_root)
    data = read_small(file)
    rule = None if policy_file is None else read_small(policy_file)
    kind = "file"
    try:
        trust = None if rule is None else policy.parse(rule)
        kind = _kind(data)
        if kind != "inclusion" and (given is not None or hashed is not None):
            raise InputError(f"an entry belongs to a .tlog-proof; {file} is none")
        if kind == "misbehaviour" and held is not None:
            raise InputError(
                f"an anchor belongs to a .tlog-proof or a checkpoint; {file} is neither"
            )
        told = CHECKS[kind](data, keys, trust, given, hashed)
        if held is not None:
            told |= _anchored(held, told)
    except EpilockError as error:
        fail(error, kind, as_json=as_json)
    show(kind, told, as_json=as_json)


def consistency(
    old: Annotated[Path, typer.Argument(help="The older signed checkpoint.")],
    new: Annotated[Path, typer.Argument(help="The newer one.")],
    *,
    proof_file: Annotated[
        Path, typer.Option("--proof", help="The consistency proof: base64 hashes, one a line.")
    ],
    key: Keys = None,
    policy_file: PolicyFile = None,
    as_json: AsJson = False,
) -> None:
    """Check offline that a log only grew: exit code 0 only if the newer tree begins with the older.

    Without ``--key`` and ``--policy`` signatures are not looked at.
    """
    keys = read_keys(key)
    texts = [read_small(old), read_small(new)]
    hashes = read_small(proof_file)
    rule = None if policy_file is None else read_small(policy_file)
    try:
        trust = None if rule is None else policy.parse(rule)
        path = read_path(hashes)
        notes = [read_checkpoint(each) for each in texts]
        blind = not keys and trust is None
        claims = [
            (checkpoint.parse(note.parse(each)[0]), ())
            if blind
            else open_checkpoint(each, keys, trust)
            for each in notes
        ]
        check_growth(claims[0][0], claims[1][0], path)
    except EpilockError as error:
        fail(error, "consistency", as_json=as_json)
    told: dict[str, Any] = {"old": claims[0][0].size, "signatures": not blind}
    told |= _claim(*claims[1], trust)
    if blind:
        told["lines"] |= dict.fromkeys(
            ("origin", "signature", "policy"), "NOT CHECKED: no key and no policy were given"
        )
    told["lines"]["file"] = f"two checkpoints and {len(path)} hashes"
    told["lines"]["consistency"] = (
        f"the tree of {claims[0][0].size} entries begins that of {claims[1][0].size}"
    )
    show("consistency", told, as_json=as_json)


@app.command("write")
def write(
    file: Annotated[Path, typer.Argument(help="Where to put it, such as epilock-verifier.py.")],
) -> None:
    """Write the verifier that stands alone: one Python file to read, keep and hand on."""
    write_file(file, verifier.source())
    print(f"{file} needs Python 3.11 and the package `cryptography`, and no Epilock")


def read_keys(given: list[str] | None) -> list[Verifier]:
    """Return the keys that ``--key`` gave.

    Raises:
        InputError: One of them is none, or a witness's.
    """
    try:
        keys = [Verifier.from_vkey(each) for each in given or ()]
    except NoteError as error:
        raise InputError(f"--key: {error}") from None
    if any(key.algorithm not in policy.LOGS for key in keys):
        raise InputError("--key: this is a witness's key; witnesses belong into a --policy")
    return keys


def _hash(text: str, option: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != HASH_BYTES or len(text) != 2 * HASH_BYTES:
        raise InputError(f"{option} is 64 hex digits")
    return data


class _Anchor(NamedTuple):
    """What ``--anchor`` gave, and what is trusted of it: a block and a contract, or a root."""

    file: bytes
    block: tuple[bytes, bytes] | None
    root: x509.Certificate | None


def _anchor(file: bytes, block: str | None, contract: str | None, tsa_root: Path | None) -> _Anchor:
    if tsa_root is None:
        return _Anchor(file, _block(block, contract), None)
    if block is not None or contract is not None:
        raise InputError("--block and --contract belong to a chain, --tsa-root to a time stamp")
    try:
        return _Anchor(file, None, stamp.read_root(read_small(tsa_root, stamp.MOST_ROOT)))
    except FileFormatError as error:
        raise InputError(f"--tsa-root: {error}") from None


def _block(block: str | None, contract: str | None) -> tuple[bytes, bytes]:
    if block is None or contract is None:
        raise InputError(
            "--anchor needs --block and --contract, or --tsa-root for a time stamp, from elsewhere than the log"
        )
    try:
        return _hash(block.removeprefix("0x"), "--block"), read_address(contract)
    except ValueError as error:
        raise InputError(f"--contract: {error}") from None


def _anchored(held: _Anchor, told: dict[str, Any]) -> dict[str, Any]:
    """Return what an anchor shows of the checkpoint in ``told``: step 8."""
    claim = told["origin"], told["size"], bytes.fromhex(told["root"])
    if held.root is not None:
        shown, line = _stamped(held.file, held.root, claim)
    else:
        shown, line = _chained(held, claim)
    return {"anchor": shown, "lines": told["lines"] | {ANCHOR: line}}


def _chained(held: _Anchor, claim: tuple[str, int, bytes]) -> tuple[dict[str, Any], str]:
    block_hash, contract = held.block or (b"", b"")
    done = anchors.verify(anchors.parse(held.file), block_hash=block_hash, contract=contract)
    anchors.check_checkpoint(done, *claim)
    line = f"held at block {done.number}, which says that it was made at {done.at.isoformat()}"
    return {"block": done.number, "at": done.at.isoformat()}, line


def _stamped(
    file: bytes, root: x509.Certificate, claim: tuple[str, int, bytes]
) -> tuple[dict[str, Any], str]:
    done = stamp.verify(stamp.parse(file), root)
    stamp.check_checkpoint(done, *claim)
    about = "" if done.accuracy is None else f" to {done.accuracy.total_seconds():g} s"
    line = f"stamped by {done.authority}, which says that it was {done.at.isoformat()}{about}"
    shown = {
        "at": done.at.isoformat(),
        "accuracy": None if done.accuracy is None else done.accuracy.total_seconds(),
        "policy": done.policy, "authority": done.authority,
    }  # fmt: skip
    return shown, line


def _kind(data: bytes) -> str:
    """Return what a file shows, by its content: it is named as the last step of its check.

    Raises:
        FileFormatError: It is of no kind that can be checked.
    """
    if data.startswith(b"c2sp.org/tlog-proof@"):
        return "inclusion"
    if data.startswith(b"{"):
        return "misbehaviour"
    if b"\n\n" in data:
        return "checkpoint"
    raise FileFormatError(
        "neither a .tlog-proof, nor a signed checkpoint, nor a proof of misbehaviour"
    )


def _inclusion(
    data: bytes,
    keys: list[Verifier],
    trust: Policy | None,
    given: bytes | None,
    hashed: bytes | None,
) -> dict[str, Any]:
    found = proof.read(data)
    stated = found.extra if given is None and hashed is None else given
    leaf = hashed if stated is None else leaf_hash(stated)
    if leaf is None:
        raise EntryError("the proof does not carry its entry; give --entry or --leaf-hash")
    said, witnesses = verify_leaf(found, leaf, keys, trust)
    told = {"index": found.index, **_claim(said, witnesses, trust)}
    if stated is not None:
        says = _says(stated)
        told["entry"] = says if says is not None else stated.hex()
    told["lines"] |= {
        "file": f"a proof of entry {found.index} in a log of {said.size}",
        "entry": "its leaf hash was given" if stated is None else f"{len(stated)} bytes",
        "inclusion": f"the entry is in the tree with the root {said.root.hex()}",
    }
    return told


def _checkpoint(
    data: bytes, keys: list[Verifier], trust: Policy | None, *_: bytes | None
) -> dict[str, Any]:
    told = _claim(*open_checkpoint(read_checkpoint(data), keys, trust), trust)
    told["lines"]["file"] = "a checkpoint"
    return told


def _misbehaviour(
    data: bytes, keys: list[Verifier], trust: Policy | None, *_: bytes | None
) -> dict[str, Any]:
    found = conflict.parse(data)
    logs = [*keys, *(trust.logs if trust else ())]
    older, newer = conflict.check(found, logs)
    said, _witnesses = open_checkpoint(found.newer, logs)
    told = {"older": older, **_claim(said, (), None)}
    told["lines"] |= {
        "file": "a proof of misbehaviour",
        "policy": "the log's own signatures suffice",
        "misbehaviour": f"this log signed two histories, at {older} and at {newer} entries",
    }
    return told


CHECKS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "inclusion": _inclusion,
    "checkpoint": _checkpoint,
    "misbehaviour": _misbehaviour,
}


def _claim(
    said: Checkpoint, witnesses: tuple[Verifier, ...], trust: Policy | None
) -> dict[str, Any]:
    names = [each.name for each in witnesses]
    lines = {
        "checkpoint": f"{said.size} entries, root {said.root.hex()}",
        "origin": said.origin,
        "signature": f"by the log; witnesses: {', '.join(names) or 'none known'}",
        "policy": "none was given" if trust is None else "enough witnesses cosigned",
    }
    return {
        "origin": said.origin, "size": said.size, "root": said.root.hex(), "witnesses": names,
        "lines": lines,
    }  # fmt: skip


def _says(data: bytes) -> entry.Entry | None:
    """Return what an entry says, or None if it is of another kind of log."""
    try:
        return entry.decode(data)
    except EntryError:
        return None
