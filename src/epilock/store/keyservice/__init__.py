"""The key service: the one process that can reach seeds, root key and signing keys.

In: requests of a web process, a collector or a command over a Unix socket or mTLS (``wire``). Out: leases,
single keys, signatures, and refusals (``server``, ``desk``); ``client`` is what the others hold in place of
the key store. Always true: what a client may learn is a number that ``desk`` states, whatever runs in it.
"""
