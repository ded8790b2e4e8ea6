"""Workbooks that strangers made, read as a stream and within limits.

In comes an XLSX file; out come its sheets and their rows, as text. Always true: nothing is unpacked to disk
or held whole, no document type is expanded, and what declares itself too large is not touched.
In reading order: ``archive`` (the ZIP and its XML), ``workbook`` (its parts), ``stream`` (rows of a sheet).
"""
