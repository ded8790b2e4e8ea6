"""Releases: a de-identified table is asked for, tried out, approved by a second person, and handed out.

In come a grant of the form ``deidentified`` and what the table is to hold; out go numbers and a report, and the
table itself once another person approved it. In reading order: ``question`` (what can be asked for), ``register``
(the stages, and the decision that comes first), ``reading`` (records become a table, in memory), ``making`` (the
table becomes a release), ``joint`` (it is held against what left before), ``file`` (what is handed out, under a key of its
own), ``run`` (the order of it all, and what a crash leaves).

Always true: no record is opened for a decision that has not committed; no row leaves that a second person did not
approve, as the records are at that time; which record was in which class can be read by nobody once the record is
gone.
"""
