"""Data is opened, for a purpose: grants, the gate, masks, searches, counts, releases.

In come who, purpose, which records, which form; out go a decision with reasons and then data.
Always true: every opening has a grant, every grant an end, every decision an entry before plaintext leaves.
"""
