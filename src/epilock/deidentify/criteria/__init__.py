"""Criteria: what the classes of a release must satisfy, and what the release loses.

In come classes at a node; out goes which of them must be suppressed, and a number for what is lost. Always true:
a bound never says less than what is found later; the numbers of a report (``measured``) are computed once more
from the definitions, apart from the loops that judged.

In reading order: ``population`` (how many of a sample are unique among all), ``model`` (k-anonymity and the
others), ``metric`` (quality), ``judge`` (all models together), ``measured``; ``kernels`` are the compiled loops.
"""
