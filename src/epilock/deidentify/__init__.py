"""A table loses its persons: noise with a budget, pseudonyms, tables without small cells.

In comes a table; out goes one whose risk was measured, or an answer that tells nothing of any one person.
Always true: no release above the risk its rule allows; no data is read before its charge has committed.
Usable alone: all but ``budget`` and ``study`` needs no database and none of the other rooms.
"""
