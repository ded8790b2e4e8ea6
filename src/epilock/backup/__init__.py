"""Backup and restore: what an installation holds is put where it can't be taken back, and comes back without its dead.

In come an installation, a destination that only grows (``place``), a key of its own (``key``); out goes a
*snapshot* (``snapshot``): main database, then key database, as sealed blocks that are written once. The epoch
slots are never among them; they lie in a *replica* (``store.replica``), which is overwritten in place. Back
comes a home that holds every record of the snapshot, the log as far as anybody has seen it (``adopt``), and nothing
that the log says is gone (``replay``).

Always true:
  1. A snapshot is there whole or not at all, and nothing in a destination is ever changed.
  2. Neither root key nor slot is in a snapshot, so none of them opens what has been destroyed since.
  3. A restored log goes on from the longest that is known, or not at all: it never signs a second history.
  4. What can't be brought back is named by bucket and number, and said to be lost in the log.
"""
