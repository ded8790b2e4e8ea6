"""The ledger against pymerkle 7 on SQLite, side by side: appends, proofs, verification; and a bare stack.

pymerkle is used as its guide says, its file on the same disk as ours. Both sides hash the same entries to
the same root, which is checked before anything is timed. Its proofs are *cold* after ``cache_clear``, ours
when the log was made anew and remembers nothing; *warm* is what both give after thousands of proofs.
Appends wait for the disk and are timed by the clock, the rest by this thread's own processor time.
"""

import random
import time
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path

from pymerkle import SqliteTree, verify_inclusion

from bench import logs, row
from bench.row import Row
from bench.server import folder
from bench.turns import in_turns, rate
from epilock.collect.writer import Writer
from epilock.ledger import tree
from epilock.ledger.edge import Edge

ENTRIES = 100_000
BATCH = 256  # of the tree by itself
WARMING = 3_000  # proofs that make warm
COLD, WARM = 20, 500  # proofs of a turn


def measure(entries: int = ENTRIES, rounds: int = 9) -> list[Row]:
    """Return the rows for logs of ``entries``."""
    with folder() as home:
        told = list(islice(logs.storyteller(home / "home")(), entries))
        waiting = _Waiting(home, told)
        try:
            appends = in_turns(
                {
                    "pymerkle": waiting.pymerkle,
                    "64": lambda _: waiting.ours(64),
                    "256": lambda _: waiting.ours(256),
                },
                rounds,
            )
        finally:
            waiting.close()
        proofs = _Proofs(home, told)
        try:
            found = {
                what: in_turns({"ours": ours, "pymerkle": theirs}, rounds)
                for what, ours, theirs in proofs.works()
            }
        finally:
            proofs.close()
    trees = _trees([tree.leaf_hash(each) for each in told], rounds)
    theirs = appends["pymerkle"]
    return [
        row.figure("pymerkle on SQLite, appends/s", theirs),
        row.figure("ours, 64 waiting: entry, tiles, checkpoint, receipt: appends/s", appends["64"]),
        row.at_least("ours / pymerkle, 64 waiting", appends["64"] / theirs, 20, 1),
        row.figure("ours, 256 waiting, appends/s", appends["256"]),
        row.at_least("ours / pymerkle, 256 waiting", appends["256"] / theirs, 50, 1),
        *trees,
        *(line for what, speed in found.items() for line in _compared(what, speed)),
    ]


LEAST = {
    "inclusion paths, cold": 200,
    "inclusion paths, warm": 10,
    "consistency paths, cold": 200,
    "consistency paths, warm": 10,
    "inclusion verified": 1.5,
}


def _compared(what: str, speed: dict[str, float]) -> list[Row]:
    ours, theirs = speed["ours"], speed["pymerkle"]
    return [
        row.figure(f"pymerkle: {what}, /s", theirs, 1),
        row.figure(f"ours: {what}, /s", ours),
        row.at_least(f"ours / pymerkle: {what}", ours / theirs, LEAST[what]),
    ]


class _Waiting:
    """Submitters that wait: each hands in an entry and waits until it stands, with its receipt."""

    def __init__(self, home: Path, told: list[bytes]) -> None:
        self._told = told
        self._base = logs.database(home / "waiting.sqlite")
        self._log = logs.log()
        self._theirs = SqliteTree(str(home / "pymerkle-waiting.sqlite"))
        self._writer = Writer(self, now=lambda: datetime.now(UTC))

    def store(self, entries: list[bytes], *, now: datetime) -> list[str]:
        """Do what ``collect.record`` does with the entries of a batch; return the receipts' proofs."""
        with self._base.write() as tx:
            batch = self._log.append(tx, entries, now=now)
        return self._log.proof_texts(batch, self._log.sign(batch))

    def ours(self, waiting: int, batches: int = 20) -> float:
        began = time.perf_counter()
        for first in range(0, waiting * batches, waiting):
            some = [self._told[i % len(self._told)] for i in range(first, first + waiting)]
            for future in [self._writer.submit(each) for each in some]:
                assert future.result().startswith("c2sp.org/tlog-proof@v1\n")
        return waiting * batches / (time.perf_counter() - began)

    def pymerkle(self, _turn: int, appends: int = 100) -> float:
        began = time.perf_counter()
        for each in self._told[:appends]:
            self._theirs.append_entry(each)
        return appends / (time.perf_counter() - began)

    def close(self) -> None:
        self._writer.stop()
        self._base.close()
        self._theirs.close()


class _Proofs:
    """The same entries on both sides, and questions about them."""

    def __init__(self, home: Path, told: list[bytes]) -> None:
        self.size = len(told)
        logs.fill(home / "proofs.sqlite", iter(told), self.size)
        self._base = logs.database(home / "proofs.sqlite")
        self._warm = logs.log()
        file = str(home / "pymerkle.sqlite")
        self._cold_theirs, self._warm_theirs = SqliteTree(file), SqliteTree(file)
        self._cold_theirs.append_entries(told)
        self._chance = random.Random(1)  # noqa: S311 - what is asked for is no secret
        with self._base.read() as tx:
            self.root = self._warm.head(tx).root
            assert self.root == self._cold_theirs.get_root()
            asked = self._asked(WARMING)
            for index in asked:
                self._warm.inclusion(tx, index)
                self._warm.consistency(tx, index)
            shown = [
                (i, tree.leaf_hash(told[i]), self._warm.inclusion(tx, i)) for i in asked[:WARM]
            ]
        for index in asked:
            self._warm_theirs.prove_inclusion(index + 1)
            self._warm_theirs.prove_consistency(index)
        self._shown = [(*each, self._warm_theirs.prove_inclusion(each[0] + 1)) for each in shown]

    def works(self):
        """Yield what is compared, with our work and theirs."""
        yield "inclusion paths, cold", self._cold("inclusion"), self._cold_theirs_of("inclusion")
        yield "inclusion paths, warm", self._warm_of("inclusion"), self._warm_theirs_of("inclusion")
        yield (
            "consistency paths, cold",
            self._cold("consistency"),
            self._cold_theirs_of("consistency"),
        )
        yield (
            "consistency paths, warm",
            self._warm_of("consistency"),
            self._warm_theirs_of("consistency"),
        )
        yield "inclusion verified", self._verify, self._verify_theirs

    def _asked(self, count: int) -> list[int]:
        return [self._chance.randrange(1, self.size) for _ in range(count)]

    def _ours(self, what: str, log_of, count: int):
        def timed(_turn: int) -> float:
            asked = self._asked(count)
            with self._base.read() as tx:
                return rate(lambda: sum(bool(getattr(log_of(), what)(tx, i)) for i in asked))

        return timed

    def _cold(self, what: str):
        return self._ours(what, logs.log, COLD)

    def _warm_of(self, what: str):
        return self._ours(what, lambda: self._warm, WARM)

    def _cold_theirs_of(self, what: str):
        prove = getattr(self._cold_theirs, f"prove_{what}")

        def timed(_turn: int) -> float:
            self._cold_theirs.cache_clear()
            (index,) = self._asked(1)
            return rate(lambda: bool(prove(index)))

        return timed

    def _warm_theirs_of(self, what: str):
        prove = getattr(self._warm_theirs, f"prove_{what}")

        def timed(_turn: int) -> float:
            asked = self._asked(WARM)
            return rate(lambda: sum(bool(prove(index)) for index in asked))

        return timed

    def _verify(self, _turn: int) -> float:
        def work() -> int:
            for index, leaf, path, _ in self._shown:
                tree.verify_inclusion(index, self.size, leaf, path, self.root)
            return len(self._shown)

        return rate(work)

    def _verify_theirs(self, _turn: int) -> float:
        def work() -> int:
            for index, leaf, _, proof in self._shown:
                verify_inclusion(leaf, self.root, proof, index=index + 1, size=self.size)
            return len(self._shown)

        return rate(work)

    def close(self) -> None:
        self._base.close()
        self._cold_theirs.close()
        self._warm_theirs.close()


def _trees(leaves: list[bytes], rounds: int) -> list[Row]:
    """Return the rows of the tree by itself, in memory, from leaf hashes."""

    def stack(_turn: int) -> float:
        return rate(lambda: _stack(leaves))

    def ours(_turn: int) -> float:
        return rate(lambda: _grown(leaves))

    speed = in_turns({"stack": stack, "ours": ours}, rounds)
    return [
        row.figure("bare stack of subtrees in memory, leaves/s", speed["stack"]),
        row.figure(f"ours: tree, root and tiles in batches of {BATCH}, leaves/s", speed["ours"]),
        row.at_least("ours / bare stack", speed["ours"] / speed["stack"], 0.5),
    ]


def _stack(leaves: list[bytes]) -> int:
    """Append ``leaves`` as the shortest program would: a stack of the roots of complete subtrees."""
    stack: list[bytes] = []
    for n, leaf in enumerate(leaves, 1):
        node = leaf
        for _ in range((n & -n).bit_length() - 1):
            node = sha256(b"\x01" + stack.pop() + node).digest()
        stack.append(node)
    return len(leaves)


def _grown(leaves: list[bytes]) -> int:
    """Do with ``leaves`` what the log does between the entries' hashes and the rows it writes."""
    edge = Edge()
    for first in range(0, len(leaves), BATCH):
        grown = edge.extended(b"".join(leaves[first : first + BATCH]))
        grown.root()
        grown.tiles_since(edge.size)
        edge = grown.trimmed()
    return len(leaves)
