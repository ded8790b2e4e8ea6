"""Evaluation: what a release still risks and what use is left, measured on the two tables alone.

In come the table before, the table after, and which forms cover which values; out go counts of whom an adversary
finds, what is learnt of them, and what a reader can still tell. Always true: nothing of the engine is asked.

In reading order: ``covers`` (which rows fit a person), ``attack`` (linkage), ``inference`` (disclosure,
membership); ``utility``, ``learning``.
"""
