"""The terminal: ``epilock …``. One file a group of commands; each translates and decides nothing.

Exit codes: 0 done; 1 the answer is no (refused, overdue, not shown); 2 what was given is wrong, or the
machine failed (a file, the database), so that there is no answer; 3 what was given is not authentic; 4 too
few witnesses stand behind it.
"""

import io
import os
import sys
from collections.abc import Sequence

from epilock.cli.failure import explain, explain_outside, is_from_outside
from epilock.cli.gather import gathered
from epilock.errors import EpilockError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what goes wrong is one line on standard error and an exit code.

    Args:
        arguments: The words after ``epilock``; the process's own by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that can't show Chinese
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        gathered(words)(args=words)
    except EpilockError as error:
        _stop(*explain(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has enough
        raise SystemExit(1) from None
    except Exception as error:
        if not is_from_outside(error):
            raise
        _stop(*explain_outside(error))


def _stop(text: str, code: int) -> None:
    print(text, file=sys.stderr)
    raise SystemExit(code) from None
