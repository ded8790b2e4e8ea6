"""Microaggregation: numbers are replaced by the mean or median of a group of at least k rows that are near.

``aggregate`` is what others call; ``grouping`` are its compiled loops.
Source: Domingo-Ferrer and Mateo-Sanz 2002 (MDAV); Hansen and Mukherjee 2003 (the optimum of one column).
"""
