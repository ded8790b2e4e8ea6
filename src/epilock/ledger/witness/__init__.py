"""The witness: a small program that another department runs, so that a log can't show two histories.

What comes in: a log's signed checkpoint, and a proof that it continues the last one that was cosigned
here. What goes out: cosignatures (c2sp.org/tlog-cosignature). Always true: for each log there is one
growing history that was cosigned, it is durable before anyone sees a cosignature, and the newest
checkpoint of it is there for everybody to read.
"""
