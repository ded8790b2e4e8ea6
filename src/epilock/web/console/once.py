"""A form that comes twice makes its thing once.

A page gives its form a random id, and the code of what the form makes comes of it. Who presses twice, or sends the
form again by going back, comes to what was made.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from epilock.db import Transaction
from epilock.web.console.desk import Desk
from epilock.web.slip import WRONG


class MadeError(Exception):
    """What the form makes is there already; nothing was done again."""


@contextmanager
def once(
    desk: Desk, is_there: Callable[[Transaction, str, str], bool], code: str
) -> Iterator[None]:
    """Let what stands inside make the thing ``code`` of the organisation, if it is not there.

    Args:
        desk: Who asks.
        is_there: Tells whether a thing of an organisation and a code is there.
        code: Of what the form makes.

    Raises:
        MadeError: It is there already; or another request of the same form was quicker, and this one failed by it.
    """

    def check() -> None:
        with desk.site.parts.database.read() as tx:
            if is_there(tx, desk.org, code):
                raise MadeError

    check()
    try:
        yield
    except WRONG:
        check()
        raise
