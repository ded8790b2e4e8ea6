"""The book of anchors: which root was to be held where, and how far it is. One row a size and place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.ledger.anchor.place import Kind, Progress, Proven, Stage
from epilock.ledger.tree import HASH_BYTES

MOST_PLACE = 80
MOST_REASON = 300

anchors = sealed_table(
    "ledger_anchors",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.String(MOST_PLACE), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary(HASH_BYTES), nullable=False),
    sa.Column("stage", sa.String(8), nullable=False),
    sa.Column("reason", sa.String(MOST_REASON), nullable=False),
    sa.Column("block", sa.BigInteger),
    sa.Column("block_hash", sa.LargeBinary(HASH_BYTES)),
    sa.Column("at", Instant),
    sa.Column("proof", sa.LargeBinary),
    sa.Column("begun", Instant, nullable=False),
    sa.Column("changed", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """One row.

    Attributes:
        place: Name of the place, such as ``evm/1/0x5fbd…`` or ``tsa/4b1c…``.
        size: Size of the tree.
        root: Its root.
        stage: How far it is.
        reason: Why it is no further; "" if nothing is wrong.
        block: Number of the block of the proof, or None.
        block_hash: Its hash, or None.
        at: When the outside says that it held the root, by the proof, or None.
        proof: The ``.anchor`` file, or None.
        begun: When it was begun.
        changed: When its stage last changed.
    """

    place: str
    size: int
    root: bytes
    stage: Stage
    reason: str
    block: int | None
    block_hash: bytes | None
    at: datetime | None
    proof: bytes | None
    begun: datetime
    changed: datetime

    @property
    def kind(self) -> Kind:
        """Return the kind of its place."""
        return Kind(self.place.partition("/")[0])


def begin(tx: Transaction, log: int, place: str, size: int, root: bytes, *, now: datetime) -> None:
    """Note that ``root`` is to be held at ``place``.

    Raises:
        ConflictError: Another process began it.
    """
    tx.insert(
        anchors, log=log, place=place, size=size, root=root, stage=Stage.SENT.value, reason="",
        begun=now, changed=now,
    )  # fmt: skip


def note(
    tx: Transaction, log: int, place: str, size: int, found: Progress, *, now: datetime
) -> None:
    """Note how far an anchor is; the proof of one that is no longer done goes with its block."""
    key = {"log": log, "place": place, "size": size}
    row = tx.get(anchors, lock=True, **key)
    values: dict[str, Any] = {"stage": found.stage.value, "reason": found.reason[:MOST_REASON]}
    if found.stage is not Stage.DONE:
        values |= {"block": None, "block_hash": None, "at": None, "proof": None}
    if values.items() <= row.items():
        return
    tx.update(anchors, key, **values, changed=now)


def keep(tx: Transaction, log: int, place: str, size: int, proof: Proven) -> None:
    """Keep the proof of an anchor that is done."""
    tx.update(
        anchors, {"log": log, "place": place, "size": size},
        block=proof.block, block_hash=proof.block_hash, at=proof.at, proof=proof.file,
    )  # fmt: skip


def newest(tx: Transaction, log: int, place: str) -> Anchoring | None:
    """Return the anchor of the largest size at ``place``."""
    found = listed(tx, log, place, limit=1)
    return found[0] if found else None


def find(tx: Transaction, log: int, place: str, size: int) -> Anchoring | None:
    """Return the anchor of ``size`` at ``place``."""
    row = tx.find(anchors, log=log, place=place, size=size)
    return None if row is None else _anchoring(row)


def covering(tx: Transaction, log: int, index: int, kind: Kind) -> Anchoring | None:
    """Return the smallest anchor with a proof, at any place of its kind, whose tree holds entry ``index``."""
    rows = tx.all(
        anchors, anchors.c.log == log, anchors.c.place.startswith(f"{kind.value}/", autoescape=True),
        anchors.c.size > index, anchors.c.proof.is_not(None),
        order_by=[anchors.c.size, anchors.c.place], limit=1,
    )  # fmt: skip
    return _anchoring(rows[0]) if rows else None


def latest(tx: Transaction, log: int, count: int) -> list[Anchoring]:
    """Return the anchors that are done, at any place, the largest first."""
    rows = tx.all(
        anchors, anchors.c.log == log, anchors.c.stage == Stage.DONE.value,
        order_by=[anchors.c.size.desc(), anchors.c.place], limit=count,
    )  # fmt: skip
    return [_anchoring(row) for row in rows]


def listed(tx: Transaction, log: int, place: str, *, limit: int | None = None) -> list[Anchoring]:
    """Return the anchors at ``place``, the largest first."""
    rows = tx.all(
        anchors, anchors.c.log == log, anchors.c.place == place,
        order_by=[anchors.c.size.desc()], limit=limit,
    )  # fmt: skip
    return [_anchoring(row) for row in rows]


def everywhere(tx: Transaction, log: int) -> list[Anchoring]:
    """Return all anchors, one place after the other, the largest first."""
    rows = tx.all(anchors, anchors.c.log == log, order_by=[anchors.c.place, anchors.c.size.desc()])
    return [_anchoring(row) for row in rows]


def _anchoring(row: dict[str, Any]) -> Anchoring:
    return Anchoring(
        place=row["place"], size=row["size"], root=bytes(row["root"]), stage=Stage(row["stage"]), reason=row["reason"],
        block=row["block"], block_hash=row["block_hash"], at=row["at"], proof=row["proof"],
        begun=row["begun"], changed=row["changed"],
    )  # fmt: skip
