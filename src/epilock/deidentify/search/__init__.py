"""Search: how a table is recoded so that its criteria hold and least is lost.

In come the finest classes, a judge and a metric; out goes a recoding and what is known of how good it is: proved
the best, or how far from the best at most. Always true: the same table in any order of rows gives the same answer.

In reading order: ``lattice`` (nodes, and what was learnt of them), ``bound`` (which to look at next, compiled),
``optimum`` (full-domain, proved), ``beam`` (a good node of a lattice that is too large), ``local/`` (each class
on levels of its own, or cut into intervals), ``methods`` (all of them by name).
"""
