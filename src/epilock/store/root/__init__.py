"""The root key: wraps each organisation's epoch key and the installation's secrets, nothing else.

One interface (``RootKey``) and its back ends, opened by an address (``opening``): a file (``keyfile``), a token
that never lets it out (``token``), an engine over HTTP (``transit``). ``shares`` puts a file's key on paper; ``moving`` brings everything that is
wrapped from one back end to another, and ``renewal`` puts another key in the place of a file's. Whoever holds the root key and the slots and the key database holds
everything: keep them on different media.
"""

from typing import Protocol

__all__ = ["RootKey"]


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
