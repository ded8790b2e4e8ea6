"""Noise: answers of which nobody can tell whether any one person was counted (differential privacy).

In come a question and its epsilon, then an Arrow table; out go a number with noise, what it costs and how
far off it is likely to be. Cost and error are known before any data is read (``preview``).

Reading order: ``query`` what can be asked, ``mechanism`` the noise, ``column`` how rows become numbers,
``answer`` both together; ``budget`` what pays for answers (``budget_register`` without an installation),
``asked`` questions as they are written down, ``answering`` a file from beginning to end.

Always true:
  1. The noise is OpenDP's own (https://opendp.org), on whole numbers: no floating-point number is drawn,
     so that its gaps tell nothing (Mironov 2012). Pure epsilon, no delta.
  2. What a person can change rests on bounds that were declared, never on the data. Whether a question is
     answered depends on the question and on the columns' types, never on a value.
  3. What happens to rows before OpenDP gets them is done to each row alone.
  4. Neighbours are tables that differ by all rows of one person, added or taken away.

Source: Dwork and Roth, The Algorithmic Foundations of Differential Privacy, 2014; NIST SP 800-226 (2025).
What is not covered: how long an answer takes, and who knows that the person is in the table by other ways.
"""
