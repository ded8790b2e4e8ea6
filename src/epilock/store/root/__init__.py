"""The root key: wraps each organisation's epoch key and the installation's secrets, nothing else.

One interface (``RootKey``) and its back ends, opened by an address (``opening``): a file (``keyfile``), a token
that never lets it out (``token``), an engine over HTTP (``transit``). ``shares`` puts a file's key on paper;
``moving`` brings everything that is wrapped from one back end to another, and ``renewal`` puts another key in the
place of the one that is there. Whoever holds the root key and the slots and the key database holds everything: keep
them on different media.
"""

from collections.abc import Callable
from typing import Protocol

__all__ = ["Renewable", "RootKey"]


class RootKey(Protocol):
    """Wraps and unwraps 32-byte secrets; the key itself never comes out."""

    def wrap(self, secret: bytes, context: bytes, *, scope: str = "") -> bytes:
        """Return ``secret`` wrapped for this ``context``, at most 3,000 bytes.

        What is wrapped in a ``scope`` may be wrapped under a key of its own, which ``keep`` destroys.
        """

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret.

        Raises:
            RootKeyError: Another root key wrapped it, or the back end can't be reached.
            TamperedError: It was altered, or wrapped for another context.
        """

    def keep(self, scope: str, wrapped: bytes) -> None:
        """Destroy what only other secrets of this ``scope`` were wrapped under, if there is such a thing.

        Nothing is destroyed if another root key wrapped ``wrapped``.
        """


class Renewable(RootKey, Protocol):
    """A root key in its back end, where another takes its place while it is used: the steps stand in ``renewal``.

    It follows what other processes do there: it looks at the back end again whenever it wraps, and when something
    does not open. ``step`` is called with the name of each effect before and after it; see ``slot.Slot``.
    """

    def begin(self, step: Callable[[str], None]) -> None:
        """Make the next key beside the present one, unless a renewal is on its way already.

        From here on every process wraps with the newest key, and either opens.

        Raises:
            RootKeyError: The back end doesn't do it.
        """

    def is_newest(self, wrapped: bytes) -> bool:
        """Tell whether ``wrapped`` opens by nothing but the newest key, or what was made under it."""

    def end(self, step: Callable[[str], None]) -> None:
        """Destroy every key but the newest; repeating is harmless.

        Raises:
            RootKeyError: The back end doesn't do it.
        """
