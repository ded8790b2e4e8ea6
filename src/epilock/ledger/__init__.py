"""Everything is witnessed: entries, the Merkle tree, checkpoints, proofs, the monitor.

In come entries; out go an append-only tree and proofs that anyone can check.
Always true: append-only; no personal information.
"""
