"""A long work that stops where it has said how far it is, so that a test can look at that moment."""

import threading

PATIENT = 60.0


class Held:
    """What a work does: it says ``stage`` and how far it is, and waits until it is let go on."""

    def __init__(self, stage: str = "read", done: int = 500, of: int = 2000) -> None:
        self.begun = 0
        self.reached, self.open = threading.Event(), threading.Event()
        self._at = stage, done, of

    def __call__(self, told) -> None:
        self.begun += 1
        told(*self._at)
        self.reached.set()
        assert self.open.wait(PATIENT)
