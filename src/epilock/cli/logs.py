"""What the process says of itself while it serves: lines of text, or of JSON for a collector.

Rules kept in this file:
  1. Of an error only its kind and place are written, never its message or a value (``errors.py``, rule 2).
  2. What other libraries log is written from warnings on; a request's line never is.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from epilock.web.security import place_of

TEXT, JSON = "text", "json"
KINDS = (TEXT, JSON)


class Lines(logging.Formatter):
    """One line a record: instant, level, where from, what; and where an error was raised.

    Args:
        kind: ``text`` or ``json``.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "thread": record.threadName or "",
            "said": record.getMessage().strip(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            said["error"] = place_of(record.exc_info[1])
        if self._kind == JSON:
            return json.dumps(said, ensure_ascii=False)
        return " ".join(value.replace("\n", " ") for value in said.values())


def begin(kind: str) -> None:
    """Write the log of this process to standard error as lines of ``kind``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(kind))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
