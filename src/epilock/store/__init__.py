"""Data rests, locked: the key tree, buckets, sealed parts, tags, lines of releases.

In comes plaintext for an instant; out go sealed parts.
Always true: no plaintext at rest; the key store is not the data store.
"""
