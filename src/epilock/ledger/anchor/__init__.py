"""Roots kept outside, where the operator of the log cannot change them: on a chain, by an authority.

In come origin, size and root; out goes what the outside holds, and a proof that needs nobody.
Always true: what is to be sent is stored first; repeating is harmless; nobody waits for the outside.

In reading order: ``place`` (the one interface), ``book`` (what was anchored), ``schedule`` (when, and one
round), ``anchorfile`` (the form of every proof); then the back end for EVM chains: ``contract``, ``node``,
``chain``, ``account``, ``outbox``, ``evm``, ``deploy``, and its offline check, Python's standard library only:
``keccak``, ``rlp``, ``trie``, ``proof``; then the one for time stamps (RFC 3161): ``der``, ``stamp``, which is the offline
check, ``tsa``; last ``duty``, what an installation does of it.
"""
