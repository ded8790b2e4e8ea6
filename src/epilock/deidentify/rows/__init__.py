"""Rows: those of a table become classes that look alike, and a release's rows again.

In come Arrow batches and a hierarchy for each quasi-identifier; out go the finest classes with their numbers,
the classes of any coarser node, and at the end the batches of a release. Always true: work is on different
combinations, never on rows; a coarser node's classes are the same whichever they were rolled up from.

In reading order: ``hierarchy`` (what a value becomes on each level), ``packing`` (a row as one key), ``classes``,
``counting`` (``spark`` on a cluster), ``recoding`` (rows of a release); ``kernels`` are the compiled loops.
"""
