"""Release: a de-identified table from beginning to end.

In comes a configuration and a table; out goes a table whose risk was measured, with its report. Always true:
nothing is written before everything is known, and then whole or not at all.

In reading order: ``config`` (what is wanted), ``run`` (a table in memory or in a file), ``dispatch`` (a file that
is reviewed, written, registered and told of).
"""
