"""The terminal: ``epilock …``. One file a group of commands; each translates and decides nothing.

Exit codes: 0 done; 1 the answer is no (refused, overdue, not verified); 2 what was given is wrong.
"""

import sys

from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.errors import EpilockError


def main() -> None:
    """Run the command line; an error of ours is one line on standard error and an exit code."""
    try:
        app()
    except EpilockError as error:
        text, code = explain(error)
        print(text, file=sys.stderr)
        raise SystemExit(code) from None
