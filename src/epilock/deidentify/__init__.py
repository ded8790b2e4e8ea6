"""De-identification: a table comes in, a table whose risk was measured goes out.

What is always true: no release passes above the risk that its rule allows, and what was suppressed,
generalised and searched is said with numbers.

In reading order: ``hierarchy``, ``packing``, ``classes``, ``counting`` (rows become classes); ``population``,
``model``, ``judge`` (what they must satisfy); ``metric`` (what a release loses); ``lattice``, ``bound``,
``search`` (the optimum and its proof); ``covers``, ``attack``, ``inference`` (the risk that is left, measured
on the result), ``utility``, ``learning`` (the use that is left); ``kernels`` are the compiled loops. Nothing
here knows the other rooms.
"""
