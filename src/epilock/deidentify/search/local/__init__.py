"""Local recoding: each class of a release is generalised only as far as it must be.

What comes in: the finest classes of a table, its models, its metric and how many rows may be suppressed. What
goes out: a release (``mixed.Mixed``) whose rows lie on different levels, or in intervals that the data chose.
What is always true: the models hold for the classes that a reader sees, the limit is kept, nothing depends on
the order of rows, and no release loses more than the full-domain optimum.

In reading order: ``mixed`` (the release, its classes, what it loses), ``prices`` and ``clusters`` (compiled);
``cuts``, ``joins``, ``moves`` (from the top, from the bottom, sideways); ``outcome``; ``scheme`` (local
recoding) and ``mondrian`` (intervals) are what others call.
"""
