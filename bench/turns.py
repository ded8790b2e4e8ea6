"""Side by side: what is compared runs in turns (A B A B ...) and each is judged by its median.

Machines are noisy: whatever else runs on them slows both sides of a ratio, if they take turns.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median


def in_turns(works: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, float]:
    """Return the median of what each work returned; it is given the number of the round."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            found[name].append(work(turn))
    return {name: median(values) for name, values in found.items()}


def rate(work: Callable[[], int]) -> float:
    """Return how many things a second of this thread's own processor time ``work`` did.

    Time in which the processor belonged to others does not count. For work that waits for nothing.
    """
    began = time.thread_time()
    count = work()
    return count / (time.thread_time() - began)
