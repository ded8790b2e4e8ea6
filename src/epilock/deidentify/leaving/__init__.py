"""Leaving: whether a release may leave, also beside the earlier ones of its data set, and how it does.

In come a rule and the batches on their way out; out goes what was measured, or a refusal with the numbers. Always
true: what leaves is counted apart from the engine, and nothing has its name before it has passed.

In reading order: ``intersection`` (releases held against each other), ``review`` (one release against its rule),
``register`` (the earlier ones, in files), ``leave`` (the order, and what a crash leaves).
"""
