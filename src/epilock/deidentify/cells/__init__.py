"""Cells: counts that are published as a table, so that no small number can be read or computed.

In comes a table of counts; out goes one whose small cells are hidden together with what would give them
away, or one that is rounded. What a reader can still compute of each hidden cell is known exactly.

Reading order: ``line`` one line of counts, as the gate gives it out, also against earlier ones; ``grid`` a
table of one to three dimensions with all its totals; ``audit`` what a reader can compute; ``protect`` what
is hidden; ``rounding`` what is rounded; ``program`` the solver behind the last three.

Always true:
  1. No number from 1 to 9 is published, and of no hidden small cell can a reader tell that it is one.
  2. A solver proposes; whole numbers are checked by adding them up.

Source: Fischetti and Salazar-González 2000 (complementary suppression), Kelly, Golden and Assad 1992 (its
relaxation); Hundepool et al., Statistical Disclosure Control, 2012, chapters 4 and 5.
"""
