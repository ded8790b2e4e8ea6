"""De-identification: a table comes in, a table whose risk was measured goes out, or an answer with noise.

What is always true: no release passes above the risk that its rule allows; what was suppressed, generalised
and searched is said with numbers; no data is read before its charge has committed.

In reading order: ``hierarchy``, ``packing``, ``classes``, ``counting`` (rows become classes; ``spark`` on a cluster);
``population``, ``model``, ``judge`` (what they must satisfy); ``metric`` (what a release loses); ``lattice``,
``bound``, ``search`` (the optimum and its proof); ``beam`` (a good node of a lattice that is too large, and how
far from the best); ``local`` (each class on levels of its own); ``aggregate`` (numbers); ``recoding``, ``methods``
(rows become a release); ``kernels`` are the compiled loops; ``rules`` (hierarchies that follow from values);
``declared``, ``config`` (what is wanted); ``table``, ``writing`` (files); ``review``, ``intersection``,
``register``, ``leave`` (whether a release may leave, also beside the earlier ones); ``frontier``, ``distribution``,
``chart``, ``report`` (what is told of it); ``measured``, ``run``, ``dispatch`` (a release from beginning to end);
``covers``, ``attack``, ``inference`` (the risk that is left, measured on the result), ``utility``, ``learning`` (the
use that is left).
Beside it: ``noise`` and its ``budget``, ``pseudonym`` and its ``study``, ``cells``. Usable alone: all but ``budget``
and ``study`` needs no database and none of the other rooms.
"""
