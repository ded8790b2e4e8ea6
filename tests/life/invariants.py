"""Whether everything that was answered is there, once: a program of its own, which imports nothing of Epilock.

``python invariants.py ANSWERS DATABASE KEY VERIFIER``: the answers (a JSON object, client to answer), the main
database (a SQLite file, or a PostgreSQL address), the log's key, and the file of the verifier that stands alone.
It reads the tables as they lie, hashes the tree of RFC 6962 itself, and prints one JSON object; exit code 0 only
if nothing is lost, nothing is there twice, and every checkpoint that anybody was shown is one of this log.
"""

import contextlib
import hashlib
import importlib.util
import io
import json
import sqlite3
import sys
import tempfile
from base64 import b64decode
from collections import Counter
from pathlib import Path

RECORDS = "SELECT b.name, r.n, r.handle FROM records r JOIN buckets b ON b.org = r.org AND b.bucket = r.bucket"
ENTRIES = "SELECT entry FROM ledger_entries WHERE log = 1 ORDER BY idx"
HEAD = "SELECT size, root FROM ledger_head WHERE log = 1"


def read(database: str) -> tuple[list, list[bytes], tuple[int, bytes]]:
    """Return the records, the entries and the head."""
    if "://" in database:
        import psycopg  # noqa: PLC0415 - only where there is such a database

        connection = psycopg.connect(database)
    else:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    with contextlib.closing(connection):
        cursor = connection.cursor()
        records = list(cursor.execute(RECORDS).fetchall())
        entries = [bytes(row[0]) for row in cursor.execute(ENTRIES).fetchall()]
        size, root = cursor.execute(HEAD).fetchone()
    return records, entries, (size, bytes(root))


class Tree:
    """Roots of all sizes, leaf by leaf: the peaks of full trees, from left to right."""

    def __init__(self) -> None:
        self.peaks: list[tuple[int, bytes]] = []

    def add(self, entry: bytes) -> None:
        """Append a leaf."""
        height, node = 0, hashlib.sha256(b"\0" + entry).digest()
        while self.peaks and self.peaks[-1][0] == height:
            node = hashlib.sha256(b"\1" + self.peaks.pop()[1] + node).digest()
            height += 1
        self.peaks.append((height, node))

    def root(self) -> bytes:
        """Return the root now."""
        if not self.peaks:
            return hashlib.sha256().digest()
        node = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node


def checkpoint_of(proof: str) -> tuple[int, bytes]:
    """Return size and root of the checkpoint in a proof."""
    note = proof.split("\n\n", 1)[1].splitlines()
    return int(note[1]), b64decode(note[2])


def load(path: str) -> object:
    """Return the verifier, loaded from its file."""
    spec = importlib.util.spec_from_file_location("alone", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["alone"] = module
    spec.loader.exec_module(module)
    return module


def main(answers: str, database: str, key: str, verifier: str) -> int:
    """Check everything, print what was found."""
    answered = json.loads(Path(answers).read_text(encoding="utf-8"))
    records, entries, head = read(database)
    alone, bad = load(verifier), []
    tree, roots = Tree(), {}
    wanted = {checkpoint_of(a["proof"])[0] for a in answered.values() if a["proof"]}
    for number, each in enumerate(entries, 1):
        tree.add(each)
        if number in wanted:
            roots[number] = tree.root()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "receipt"
        for client, answer in answered.items():
            if not answer["proof"]:
                continue
            file.write_text(answer["proof"], encoding="utf-8")
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                code = alone.main([str(file), "--key", key])
            size, root = checkpoint_of(answer["proof"])
            if code != 0 or roots.get(size) != root:
                bad.append(client)
    there = Counter((name, n) for name, n, _ in records)
    handles = Counter(bytes(handle) for _, _, handle in records)
    places = Counter((a["bucket"], a["n"]) for a in answered.values())
    found = {
        "answered": len(answered),
        "lost": sum(place not in there for place in places),
        "duplicated": sum(
            many - 1 for many in (*handles.values(), *places.values(), *there.values())
        ),
        "receipts_bad": len(bad),
        "records": len(records),
        "entries": len(entries),
        "log_bad": int(head != (len(entries), tree.root())),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return int(any(found[name] for name in ("lost", "duplicated", "receipts_bad", "log_bad")))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
