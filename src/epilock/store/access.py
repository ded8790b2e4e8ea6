"""What the rooms may ask of keys, whoever holds them: the key store in this process, or a key service.

``keys.KeyStore`` holds seeds itself; ``keyservice.client.RemoteKeys`` asks the process that does, which
counts what it gives (``keyservice.desk``).
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from epilock.ledger.note import Ed25519Key
from epilock.store.keytree import Node
from epilock.store.suite import Suite


class Waiting(msgspec.Struct, frozen=True):
    """What was announced and must not be destroyed yet.

    Attributes:
        punctures: (bucket, part, record number).
        drops: (bucket, part).
        tags: Emergencies.
    """

    punctures: frozenset[tuple[str, str, int]] = frozenset()
    drops: frozenset[tuple[str, str]] = frozenset()
    tags: frozenset[str] = frozenset()


class Keys(Protocol):
    """The keys of all organisations of one installation; each method is documented at ``keys.KeyStore``."""

    def suite_of(self, org: str) -> Suite:
        """Return the algorithms that everything of ``org`` is sealed with."""

    def choose_suite(self, org: str, name: str) -> None:
        """Choose the algorithms of ``org``, before anything of it is sealed."""

    @property
    def notice(self) -> timedelta:
        """How long before its day a destruction is to be announced (``waiting``)."""

    @property
    def signed(self) -> bool:
        """Whether records open only under grants that their approver signed."""

    def under(self, org: str, grant: str) -> "Keys":
        """Return the same keys for opening under a grant of ``org``, which a key service counts."""

    def register(self, statement: bytes, assertion: str) -> None:
        """Make a signed grant known (``store.approval``); repeating is harmless."""

    def secret(self, org: str, name: str) -> bytes:
        """Return a secret of 32 bytes, made on first use."""

    def signing_key(self, org: str, name: str) -> Ed25519Key:
        """Return the Ed25519 key whose seed is the secret ``name``."""

    def add_bucket(self, org: str, bucket: str, parts: Sequence[str]) -> None:
        """Make a seed for each of ``parts`` that has none."""

    def add_tag_key(self, org: str, emergency: str) -> None:
        """Make the tag key of ``emergency`` if it has none."""

    def extend_tag_key(self, org: str, emergency: str, generations: int) -> None:
        """Give the tag key of ``emergency`` one more generation, the last of ``generations``."""

    def tag_key(self, org: str, emergency: str) -> bytes:
        """Return the tag key of ``emergency``."""

    def cover(
        self, org: str, bucket: str, part: str, nodes: Collection[Node] | None = None
    ) -> dict[Node, bytes]:
        """Return the seeds of a part: all, or those on the path (``keytree.path``) of one record."""

    def leaf(self, org: str, bucket: str, part: str, n: int) -> bytes:
        """Return the leaf key of record number ``n``."""

    def lease_seed(self, org: str, bucket: str, part: str, block: int) -> bytes:
        """Return the seed of a block; a key service gives it once (``LeasedError``)."""

    def waiting(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> Waiting:
        """Announce what is to be destroyed; return what of it must wait."""

    def destroy(
        self,
        org: str,
        *,
        punctures: Sequence[tuple[str, str, int]] = (),
        drops: Sequence[tuple[str, str]] = (),
        tags: Sequence[str] = (),
    ) -> int:
        """Destroy keys for ever."""

    def organisations(self) -> list[str]:
        """Return who has a tag key."""

    def emergencies(self, org: str) -> list[str]:
        """Return the emergencies whose tag key is there."""

    def close(self) -> None:
        """Close what is open; repeating is harmless."""
