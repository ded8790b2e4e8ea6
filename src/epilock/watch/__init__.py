"""The watcher: within a minute it sees what went around the program, and has destruction wait.

In come the two databases, opened so that nothing can be written, the slots, the witnesses, and a small file of
what was seen last; out go findings (``Damage``, as ``epilock check`` names them), an alert and a freeze
(``destroy.freeze``). ``epilock check`` proves everything and takes its time; the watcher looks at what tells
most for least, again and again:

==================  ================================================================================
every round         how it is seen
==================  ================================================================================
``shape``           a table, column or index that is gone, a trigger that nobody of us made; a file of
                    SQLite that is gone, cut off, or another than a minute ago
``heads``           a log that is shorter than the one seen last, or another; a witness that has seen more
``keys``            an epoch older than the one seen last or without its slot; a part that lives without a
                    key, or is dead and has one
``balance``         a bucket whose records are not as many as were counted when they came in
``rolling``         for some seconds, from where the last round stopped: entries against the tree, the rows
                    that they speak of, the number of sealed parts and of seeds, the MAC of each row, and,
                    with the keys, whether each sealed part still opens
==================  ================================================================================

Read in this order: ``memory``, ``shape``, ``heads``, ``keys``, ``balance``, ``rolling``, ``alert``, ``round``.

Always true: what is found while something is under way is looked at again before it counts; nothing is
changed but the freeze; findings name tables and keys of rows alone. Without the installation's keys (another
account, another machine) MACs and sealed parts are not looked at, and nothing is frozen: it alerts.

Not seen here but by ``epilock check``: a search tag that was taken away, and a whole row of a register that
was put back as it was on an earlier day and of which no entry speaks.
"""
