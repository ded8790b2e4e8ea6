"""De-identification: a table comes in, a table whose risk was measured goes out.

What is always true: no release passes above the risk that its rule allows, and what was suppressed,
generalised and searched is said with numbers.

In reading order: ``hierarchy``, ``packing``, ``classes``, ``counting`` (rows become classes); ``model``, ``judge``
(what they must satisfy); ``metric`` (what a release loses); ``lattice``, ``bound``, ``search`` (the optimum and its
proof); ``kernels`` are the compiled loops; ``review``, ``intersection``, ``register``, ``leave`` (whether a release may
leave, also beside the earlier ones); ``frontier``, ``distribution``, ``chart``, ``report`` (what is told of it).
Nothing here knows the other rooms.
"""
