"""What is wrong with a form, field by field: all of it is said at once, each beside its field."""

from collections.abc import Iterator
from contextlib import contextmanager

from epilock.errors import ApprovalError, EpilockError, InputError, RefusedError, StateError
from epilock.web.problem import Problem
from epilock.web.problem import of as problem_of

# What a form is shown again for, with what was typed; anything else gets a page of its own.
WRONG = (InputError, RefusedError, StateError, ApprovalError)
Slips = dict[str, EpilockError]  # name of a field, what is wrong there


def status(wrong: Problem | None, slips: Slips) -> int:
    """Return the HTTP status of a form that comes back: of what is wrong with it as a whole, or with its first field."""
    first = wrong or next(map(problem_of, slips.values()), None)
    return 200 if first is None else first.status


@contextmanager
def at(field: str, slips: Slips) -> Iterator[None]:
    """Note what is wrong with ``field``, and go on."""
    try:
        yield
    except WRONG as error:
        slips[field] = error
