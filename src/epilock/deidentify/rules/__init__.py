"""Hierarchies by rule: what each value of a column becomes on each level follows from the value itself.

In comes a rule (a table of the configuration, one class for each kind) and the different values of a column,
with the row in which each first stands; out goes a ``Hierarchy`` whose level 0 is the value and whose last
level is ``*``. Always true:

  1. A form follows from the form below it, so that each level is coarser than the one before.
  2. An empty cell stays empty up to the last level.
  3. A value that the rule does not fit is an error that names row and column, and never the value.

In reading order: ``rule`` (what all have in common), then one module for each kind: ``prefix`` (with phone
numbers and postcodes), ``area_code``, ``address``, ``number`` (intervals, top and bottom coding, rounding,
ages), ``day`` (dates), ``order`` (a list in order). ``kinds`` names them all.
"""
