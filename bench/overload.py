"""Ten times as many at once as are let in: how many are stored a second, and what the server's memory does.

Who is turned away (503 with ``Retry-After``) comes back after that time, as browsers' and programs' users do.
"""

from contextlib import ExitStack
from statistics import median

from bench import row
from bench.row import Row
from bench.server import folder
from bench.submission import ours
from bench.turns import in_turns
from epilock.web.hall import SUBMISSIONS

TIMES = 10


def measure(times: int = TIMES, seconds: float = 10, rounds: int = 3) -> list[Row]:
    """Return the rows; ``times`` as many connections as submissions are let in at once."""
    with folder() as home, ExitStack() as stack:
        target = ours(stack, home / "sqlite")
        peak: list[float] = []
        turned: list[int] = []

        def rush(_turn: int) -> float:
            found = target.load(seconds, connections=times * SUBMISSIONS, patient=True)
            peak.append(target.server.memory())
            turned.append(found["turned_away"])
            return found["rate"]

        rates = in_turns({"best": target.loading(seconds), "rush": rush}, rounds)
        quiet = [median(target.by_processor[kind::2]) for kind in (0, 1)]
        return [
            row.figure("submissions stored a second, 64 connections", rates["best"]),
            row.figure(f"the same, {times} times as many as are let in", rates["rush"]),
            row.at_least("stored in the rush / at best", rates["rush"] / rates["best"], 0.9),
            row.figure("the same ratio, by the server's processor time", quiet[1] / quiet[0], 2),
            row.at_least("turned away with a time to come back, per second", median(turned) / seconds, 1, 0),
            row.below("memory after the rush, MB", max(peak), 400),
            row.at_most("memory after the last rush / after the first", peak[-1] / peak[0], 1.1),
        ]  # fmt: skip
