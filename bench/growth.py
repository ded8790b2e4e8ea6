"""Submissions over HTTP into a full database against one that is nearly empty, in turns."""

from contextlib import ExitStack
from pathlib import Path

from bench import filling, installation, row
from bench.row import Row
from bench.server import folder
from bench.submission import Target, serve
from bench.turns import in_turns

FEW = 100_000


def measure(
    records: int = 500_000, few: int = FEW, seconds: float = 3, rounds: int = 5
) -> list[Row]:
    """Return the rows: the rate with ``records`` stored against that with ``few``."""
    with folder() as home, ExitStack() as stack:
        targets = {count: _filled(stack, home / f"{count}", count) for count in (few, records)}
        rates = in_turns(
            {f"{count}": target.loading(seconds) for count, target in targets.items()}, rounds
        )
        size = (home / f"{records}/epilock.sqlite").stat().st_size
    return [
        row.figure(f"ours with {few:,} records, submissions/s", rates[f"{few}"]),
        row.figure(f"ours with {records:,} records, submissions/s", rates[f"{records}"]),
        row.figure(f"bytes on disk for each of {records:,} records", size / records),
        row.at_least("full / nearly empty", rates[f"{records}"] / rates[f"{few}"], 0.8),
    ]


def _filled(stack: ExitStack, home: Path, count: int) -> Target:
    parts = installation.make(home)
    form = installation.form(parts)
    now = parts.now()
    parts.close()
    filling.fill(home, count, now=now)
    return serve(stack, home, form)
