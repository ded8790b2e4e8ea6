"""Sealing and opening 296 bytes on one thread: ours against Tink's envelope encryption.

Tink is used as its guide says: a fresh AES-256-GCM key for each record, wrapped by an AES-256-GCM key
that is held here, so that no key service has to be waited for. Both sides bind the record's place as
associated data, both are random in what they open.
"""

import os
import random
from datetime import date

import tink
from tink import aead

from bench import row
from bench.row import Row
from bench.turns import in_turns, rate
from epilock.store import keytree
from epilock.store.bucket import Bucket
from epilock.store.keytree import LEASE_DEPTH, LEASE_LEAVES, ROOT
from epilock.store.seal import Sealer, Unsealer
from epilock.store.suite import INTERNATIONAL, NATIONAL, Suite

BYTES = 296  # of one part of a record
PART = "2-IV"
BUCKET = Bucket(
    org="garden", id=1, name="garden/outbreak/residential-entry/2026-03-14", authority="city",
    emergency="outbreak", circumstance="residential-entry", day=date(2026, 3, 14),
    clock="collection", parts=(PART,), live=(PART,),
)  # fmt: skip


def measure(leases: int = 16) -> list[Row]:
    """Return the rows; both sides seal and open ``leases`` times 4,096 records."""
    ours, tinks = _Ours(leases, INTERNATIONAL), _Tink(leases)
    sm4 = _Ours(leases, NATIONAL)
    seal = in_turns({"ours": ours.seal, "tink": tinks.seal, "sm4": sm4.seal}, leases)
    open_ = in_turns({"ours": ours.open, "tink": tinks.open, "sm4": sm4.open}, leases)
    return [
        row.figure(f"Tink envelope, {BYTES} bytes: seals/s of one thread", seal["tink"]),
        row.figure("ours, with the commitment for the ledger: seals/s", seal["ours"]),
        row.at_least("ours / Tink, seal", seal["ours"] / seal["tink"], 2.5),
        row.figure("Tink envelope: random opens/s", open_["tink"]),
        row.figure("ours: random opens/s", open_["ours"]),
        row.at_least("ours / Tink, random open", open_["ours"] / open_["tink"], 1.5),
        row.figure("the national suite / the international, seal", seal["sm4"] / seal["ours"]),
        row.figure("the national suite / the international, open", open_["sm4"] / open_["ours"]),
    ]


class _Ours:
    """One bucket-part: each turn seals one lease, and opens as many records of all leases."""

    def __init__(self, leases: int, suite: Suite) -> None:
        self._suite = suite
        self._seed = os.urandom(32)
        self._plain = os.urandom(BYTES)
        self._rows: list[tuple[bytes, bytes]] = []
        self._chosen = _choices(leases)

    def seal(self, turn: int) -> float:
        seed = keytree.derive(self._seed, ROOT, (LEASE_DEPTH, turn), self._suite.child)
        sealer, plain = Sealer(BUCKET, turn, {PART: seed}, suite=self._suite), self._plain
        first = turn * LEASE_LEAVES

        def work() -> int:
            for n in range(first, first + LEASE_LEAVES):
                done = sealer.seal(n, {PART: plain})
                self._rows.append(done.rows[0][4:])
            return LEASE_LEAVES

        return rate(work)

    def open(self, turn: int) -> float:
        rows, chosen = self._rows, self._chosen[turn]

        def work() -> int:
            unsealer = Unsealer(BUCKET, PART, {ROOT: self._seed}, suite=self._suite)
            for n in chosen:
                assert unsealer.open(n, *rows[n]) == self._plain
            return len(chosen)

        return rate(work)


class _Tink:
    """The same with an envelope for each record."""

    def __init__(self, leases: int) -> None:
        aead.register()
        template = aead.aead_key_templates.AES256_GCM
        wrapping = tink.new_keyset_handle(template).primitive(aead.Aead)
        self._envelope = aead.KmsEnvelopeAead(template, wrapping)
        self._plain = os.urandom(BYTES)
        self._sealed: list[bytes] = []
        self._chosen = _choices(leases)

    def seal(self, turn: int) -> float:
        first = turn * LEASE_LEAVES

        def work() -> int:
            for n in range(first, first + LEASE_LEAVES):
                self._sealed.append(self._envelope.encrypt(self._plain, _place(n)))
            return LEASE_LEAVES

        return rate(work)

    def open(self, turn: int) -> float:
        sealed, chosen = self._sealed, self._chosen[turn]

        def work() -> int:
            for n in chosen:
                assert self._envelope.decrypt(sealed[n], _place(n)) == self._plain
            return len(chosen)

        return rate(work)


def _place(n: int) -> bytes:
    return b"garden/outbreak/residential-entry/2026-03-14|2-IV|%d" % n


def _choices(leases: int) -> list[list[int]]:
    """Return for each turn 4,096 numbers out of all, in no order; the same for both sides."""
    chance = random.Random(1)  # noqa: S311 - which records are opened is no secret
    return [
        [chance.randrange(leases * LEASE_LEAVES) for _ in range(LEASE_LEAVES)]
        for _ in range(leases)
    ]
