"""Drills: somebody attacks, on made-up data and real parts, and it is shown what stops or betrays them.

A drill ends with ``DrillError`` if a guarantee does not hold, so it is a test that anyone can run and read.
"""
