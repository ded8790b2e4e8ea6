"""Roots kept outside, where the operator of the log cannot change them: a contract on a chain.

In come origin, size and root; out goes what the outside holds, and a proof that needs no node.
Always true: what is to be sent is stored first; repeating is harmless; nobody waits for a chain.

In reading order: ``place`` (the one interface), ``book`` (what was anchored), ``schedule`` (when, and one
round), then the back end for EVM chains: ``contract``, ``node``, ``chain``, ``account``, ``outbox``, ``evm``,
``deploy``; and the offline check, Python's standard library only: ``keccak``, ``rlp``, ``trie``, ``proof``.
"""
