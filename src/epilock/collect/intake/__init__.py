"""Import: a list that someone keeps elsewhere comes in, row by row, as if each had been filled in.

In comes a CSV, XLSX or Parquet file and the form of an open point; out go sealed records, each with its
own ledger entry and receipt, and a list of the rows that were refused, by number. The order of reading:
``table`` (and its three readers), ``mapping``, ``rows``, ``preview``, ``register``, ``prepare``,
``line``, ``run``, ``told``.

Always true:
  1. What the standard refuses is not read: the cells of a refused column are never handed out.
  2. A row is held to the checks of the form; what is wrong with it is told by number, field and code.
  3. Records, entries and progress commit together; after a crash it goes on behind the last commit, and
     the same file stores nothing twice.
  4. Nothing is stored without notice: people are told afterwards only where the law lets them be
     (PIPL 18), and then stand in a register until they are told.
"""
