"""De-identification: a table comes in, a table whose risk was measured goes out, or an answer with noise.

What is always true: no release passes above the risk that its rule allows; what was suppressed, generalised
and searched is said with numbers; no data is read before its charge has committed.

Rooms, from the bottom up (``lint-imports`` checks it), each told of by its own ``__init__``:
  * ``rows``: rows become classes, on every level, and rows again. ``rules``: hierarchies that follow from values.
  * ``criteria``: what classes must satisfy, and what is lost.
  * ``search``: the optimum and its proof, a good node where the lattice is too large, each class on its own levels.
  * ``evaluation``: risk and use of the result, measured apart. ``leaving``: whether it may leave, and how.
  * ``reports``: what is told. ``release``: all of it, from a configuration to a file.
Beside them ``microaggregation`` (numbers), ``noise`` (answers, and the budget that pays for them), ``pseudonyms``
(codes under a study's key), ``cells`` (counts without small numbers). Shared: ``declared`` (what a configuration
says, read strictly), ``table`` and ``writing`` (files).

All but ``noise.budget``, ``noise.budget_register``, ``noise.answering`` and ``pseudonyms.study`` is a library that
needs no database and knows no other room.
"""
