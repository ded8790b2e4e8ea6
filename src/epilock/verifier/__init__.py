"""The verifier that stands alone: one file for whoever must not have to believe this program.

In comes nothing; out goes ``alone.py``, to be written to a disk, downloaded, read and run.
Always true: ``alone.py`` imports nothing of this package, and no room but this one's edge touches it.
It is a second implementation of what ``epilock.ledger`` verifies, on purpose (decision 5).
"""

from importlib.resources import files

NAME = "epilock-verifier.py"  # what it is called once it has left the house


def source() -> bytes:
    """Return the file as it is handed out."""
    return (files("epilock.verifier") / "alone.py").read_bytes()
