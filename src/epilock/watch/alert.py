"""Alerts: one line in the log of the machine, and a command of the operator's own.

The command (``EPILOCK_ALERT_COMMAND``) is started with one JSON object on its standard input: it sends a
message, calls a web address, rings a bell. What it does can't harm the watcher: it has some seconds, its
output is thrown away, and that it failed is one line more. No personal information is in it.
"""

import logging
import shlex
import subprocess
from collections.abc import Sequence
from datetime import datetime

import msgspec

from epilock.ledger.check import Damage

SECONDS = 20.0  # that the command may take
MOST = 50  # findings that are told by name
_log = logging.getLogger(__name__)


def tell(found: Sequence[Damage], *, freeze: str | None, command: str, now: datetime) -> None:
    """Tell what was ``found``; ``freeze`` is the code of the freeze that it began or belongs to."""
    said = {
        "event": "went-around",
        "at": now.isoformat(timespec="seconds"),
        "freeze": freeze,
        "count": len(found),
        "findings": [{"row": each.row, "problem": each.problem} for each in found[:MOST]],
    }
    text = msgspec.json.encode(said).decode()
    _log.critical("alert %s", text)
    if not command:
        return
    try:
        subprocess.run(  # noqa: S603 - the operator's own setting
            shlex.split(command), input=text, text=True, timeout=SECONDS, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _log.error("the alert's command failed: %s", type(error).__name__)
