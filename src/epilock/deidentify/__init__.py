"""De-identification: a table comes in, a table whose risk was measured goes out.

What is always true: no release passes above the risk that its rule allows, and what was suppressed,
generalised and searched is said with numbers.

In reading order: ``hierarchy``, ``packing``, ``classes``, ``counting`` (rows become classes); ``model``, ``judge``
(what they must satisfy); ``metric`` (what a release loses); ``lattice``, ``bound``, ``search`` (the optimum and its
proof); ``kernels`` are the compiled loops; ``recoding``, ``methods`` (how rows become rows of the release);
``rules`` (hierarchies that follow from values); ``declared``, ``config`` (what is wanted); ``table``, ``writing``
(files); ``measured``, ``run`` (a release from beginning to end). Nothing here knows the other rooms.
"""
